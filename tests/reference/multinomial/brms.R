# Posterior of counts of three categories by brms/Stan, all priors explicit; estimates of the fixed part by nnet.
library(brms)
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
priors <- c(
  prior(normal(0, 2), class = b, dpar = mub), prior(normal(0, 2), class = b, dpar = muc),
  prior(exponential(1), class = sd, dpar = mub), prior(exponential(1), class = sd, dpar = muc)
)
fit <- brm(cbind(a, b, c) | trials(n) ~ 0 + Intercept + x + (1 | g), d, family = multinomial(), prior = priors,
  chains = 4, iter = 6000, warmup = 1000, cores = 1, seed = 1, refresh = 0)
draws <- posterior::as_draws_df(fit)
names <- setdiff(posterior::variables(draws), c("lp__", "lprior"))
names <- names[!grepl("^r_g", names)]
describe <- function(name) {
  x <- posterior::extract_variable_matrix(draws, name)
  data.frame(variable = name, mean = mean(x), sd = sd(as.vector(x)), mcse_mean = posterior::mcse_mean(x),
    mcse_sd = posterior::mcse_sd(x), rhat = posterior::rhat(x), ess = posterior::ess_bulk(x))
}
write.csv(do.call(rbind, lapply(names, describe)), args[2], row.names = FALSE)
