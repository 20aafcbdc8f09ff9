# brms 2.18 (R 4.2, rstan 2.21): bases of gp(), and posteriors by Stan with the priors below.
# Rscript process.R: reads curves.csv of ../smooths, writes process.json
suppressMessages({library(brms); library(jsonlite)})
data <- read.csv("../smooths/curves.csv")
basis <- function(formula) {
  made <- make_standata(formula, data)
  list(columns = made$Xgp_1[made$Jgp_1, , drop = FALSE][1:6, ], frequencies = made$slambda_1)
}
bases <- list(
  "gp(x, k = 5, c = 5/4)" = basis(y ~ gp(x, k = 5, c = 5/4)),
  "gp(w, k = 4, c = 2, scale = FALSE)" = basis(y ~ gp(w, k = 4, c = 2, scale = FALSE)),
  "gp(x, z, k = 3, c = 3/2)" = basis(y ~ gp(x, z, k = 3, c = 3/2))
)
sampled <- function(formula, family, prior) {
  fit <- brm(formula, data, family = family, prior = prior, chains = 4, iter = 6000, warmup = 1000, seed = 1,
             control = list(adapt_delta = 0.99), refresh = 0)
  found <- posterior::summarise_draws(as_draws_df(fit), "mean", "sd", "ess_bulk", "rhat")
  found <- as.data.frame(found[!grepl("^zgp|^lp|lprior|^r_", found$variable), ])
  list(formula = paste(deparse(formula), collapse = ""), family = family, parameters = found)
}
lscale <- function(coef) set_prior("inv_gamma(3, 0.6)", class = "lscale", coef = coef)
common <- c(prior(normal(0, 5), class = "Intercept"), prior(exponential(1), class = "sdgp"))
posteriors <- list(
  gaussian = sampled(y ~ gp(x, k = 12, c = 5/4) + (1 | g), "gaussian",
                     c(common, lscale("gpx"), prior(exponential(1), class = "sd"), prior(exponential(1), class = "sigma"))),
  poisson = sampled(count ~ gp(x, k = 12, c = 5/4), "poisson", c(common, lscale("gpx")))
)
write_json(list(bases = bases, posteriors = posteriors), "process.json", digits = 12, auto_unbox = TRUE)
