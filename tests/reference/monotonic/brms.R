# Posterior of a model with two monotonic effects and an interaction, by brms 2.x, with every prior stated.
library(brms)
d <- read.csv("income.csv")
d$income <- factor(d$income, levels = c("below20", "20to40", "40to100", "over100"), ordered = TRUE)
p <- c(
  set_prior("normal(32, 20)", class = "Intercept"),
  set_prior("normal(0, 10)", class = "b"),
  set_prior("dirichlet(2)", class = "simo", coef = "moincome1"),
  set_prior("dirichlet(1)", class = "simo", coef = "moincome:age1"),
  set_prior("dirichlet(1)", class = "simo", coef = "mosatis1"),
  set_prior("exponential(0.3)", class = "sd"),
  set_prior("exponential(0.2)", class = "sigma")
)
f <- brm(ls ~ mo(income) * age + mo(satis) + (1 | city), d, prior = p, chains = 4, cores = 2, iter = 6000, warmup = 1000,
         seed = 1, refresh = 0, control = list(adapt_delta = 0.95))
s <- posterior::summarise_draws(as_draws_array(f), "mean", "sd", "ess_bulk", ~quantile(.x, c(0.05, 0.95)))
s <- data.frame(variable = s$variable, lapply(s[-1], as.numeric), check.names = FALSE)
write.csv(s[!grepl("^(r_|lp|z_)", s$variable), ], "brms.csv", row.names = FALSE)
