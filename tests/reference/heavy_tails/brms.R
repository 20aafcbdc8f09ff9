# Posteriors of models whose group effects have a t distribution, by brms/Stan, all priors explicit.
#   Rscript brms.R tests/reference/heavy_tails
library(brms)
folder <- commandArgs(trailingOnly = TRUE)[1]

# Thirty groups of six rows, four of which lie far from the others, in the intercept, the slope or both.
set.seed(19)
J <- 30
n <- 6
a <- rnorm(J, 0, 0.5)
b <- rnorm(J, 0, 0.3)
a[c(3, 11, 20)] <- a[c(3, 11, 20)] + c(6, -5, 4)
b[c(11, 20, 27)] <- b[c(11, 20, 27)] + c(2, -2.5, 3)
d <- data.frame(g = rep(sprintf("g%02d", seq_len(J)), each = n), x = round(rnorm(J * n), 3))
j <- rep(seq_len(J), each = n)
d$y <- round(1 + a[j] + (0.5 + b[j]) * d$x + rnorm(J * n, 0, 0.7), 3)
write.csv(d, file.path(folder, "data.csv"), row.names = FALSE)

shared <- c(
  prior(normal(0, 5), class = b), prior(exponential(1), class = sigma), prior(exponential(1), class = sd),
  prior(gamma(2, 0.1), class = df, group = g)
)
cases <- list(
  intercepts = list(bf(y ~ 0 + Intercept + x + (1 | gr(g, dist = "student"))), shared),
  slopes = list(bf(y ~ 0 + Intercept + x + (x | gr(g, dist = "student"))), c(shared, prior(lkj(1), class = cor)))
)
probs <- c(0.05, 0.25, 0.5, 0.75, 0.95)
describe <- function(name, draws) {
  x <- posterior::extract_variable_matrix(draws, name)
  q <- posterior::quantile2(x, probs)
  e <- posterior::mcse_quantile(x, probs)
  names(e) <- paste0("mcse_", names(q))
  data.frame(
    variable = name, mean = mean(x), sd = sd(as.vector(x)), mcse_mean = posterior::mcse_mean(x),
    rhat = posterior::rhat(x), ess = posterior::ess_bulk(x), t(q), t(e)
  )
}
for (case in names(cases)) {
  fit <- brm(cases[[case]][[1]], d,
    prior = cases[[case]][[2]], chains = 4, iter = 5000, warmup = 1000, cores = 1, seed = 1, refresh = 0,
    control = list(adapt_delta = 0.99)
  )
  writeLines(stancode(fit), file.path(folder, paste0(case, ".stan")))
  draws <- posterior::as_draws_df(fit)
  names <- setdiff(posterior::variables(draws), c("lp__", "lprior"))
  names <- names[!grepl("^(udf|z_|L_)", names)]
  write.csv(do.call(rbind, lapply(names, describe, draws)), file.path(folder, paste0(case, ".csv")), row.names = FALSE)
}
