# Posterior of y ~ mi(z) beside z | mi() ~ w by brms/Stan, all priors explicit.
library(brms)
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
model <- bf(y | mi() ~ 0 + Intercept + x + mi(z) + (1 | g)) + bf(z | mi() ~ 0 + Intercept + w + (1 | g)) +
  set_rescor(FALSE)
priors <- c(
  prior(normal(0, 5), class = b, resp = y), prior(normal(0, 5), class = b, resp = z),
  prior(exponential(1), class = sigma, resp = y), prior(exponential(1), class = sigma, resp = z),
  prior(exponential(1), class = sd, resp = y), prior(exponential(1), class = sd, resp = z)
)
fit <- brm(model, d, prior = priors, chains = 4, iter = 6000, warmup = 1000, cores = 1, seed = 1, refresh = 0)
if (length(args) > 2) saveRDS(fit, args[3])
draws <- posterior::as_draws_df(fit)
names <- setdiff(posterior::variables(draws), c("lp__", "lprior"))
names <- names[!grepl("^r_g", names)]
describe <- function(name) {
  x <- posterior::extract_variable_matrix(draws, name)
  data.frame(variable = name, mean = mean(x), sd = sd(as.vector(x)), mcse_mean = posterior::mcse_mean(x),
    mcse_sd = posterior::mcse_sd(x), rhat = posterior::rhat(x), ess = posterior::ess_bulk(x))
}
write.csv(do.call(rbind, lapply(names, describe)), args[2], row.names = FALSE)
