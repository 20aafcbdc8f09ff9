# Posterior of a monotonic effect beside groups by brms/Stan, all priors explicit.
#   Rscript brms.R tests/reference/monotonic
library(brms)
folder <- commandArgs(trailingOnly = TRUE)[1]
d <- read.csv(file.path(folder, "income.csv"))
d$income <- factor(d$income, levels = c("below20", "20to40", "40to100", "over100"), ordered = TRUE)
priors <- c(
  prior(normal(0, 50), class = b), prior(normal(0, 10), class = b, coef = moincome),
  prior(dirichlet(1), class = simo, coef = moincome1), prior(exponential(0.1), class = sigma),
  prior(exponential(0.2), class = sd)
)
fit <- brm(ls ~ 0 + Intercept + age + mo(income) + (1 | city), d,
  prior = priors, chains = 4, iter = 5000, warmup = 1000, cores = 1, seed = 1, refresh = 0,
  control = list(adapt_delta = 0.99)
)
writeLines(stancode(fit), file.path(folder, "brms.stan"))
draws <- posterior::as_draws_df(fit)
names <- setdiff(posterior::variables(draws), c("lp__", "lprior"))
names <- names[!grepl("^(z_|zs_)", names)]
probs <- c(0.05, 0.25, 0.5, 0.75, 0.95)
describe <- function(name) {
  x <- posterior::extract_variable_matrix(draws, name)
  q <- posterior::quantile2(x, probs)
  e <- posterior::mcse_quantile(x, probs)
  names(e) <- paste0("mcse_", names(q))
  data.frame(
    variable = name, mean = mean(x), sd = sd(as.vector(x)), mcse_mean = posterior::mcse_mean(x),
    mcse_sd = posterior::mcse_sd(x), rhat = posterior::rhat(x), ess = posterior::ess_bulk(x), t(q), t(e)
  )
}
write.csv(do.call(rbind, lapply(names, describe)), file.path(folder, "brms.csv"), row.names = FALSE)
