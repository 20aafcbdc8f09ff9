# The posterior of sleepstudy under rstanarm's default priors: Rscript sleepstudy.R ../../../bayesmix/data/datasets > sleepstudy.json
suppressMessages({library(rstanarm); library(jsonlite); library(posterior)})
sleep <- read.csv(file.path(commandArgs(TRUE)[1], "sleepstudy.csv"))
sleep$Subject <- factor(sleep$Subject)
fit <- stan_lmer(Reaction ~ Days + (Days | Subject), sleep, chains = 4, iter = 6000, warmup = 1000, seed = 1, adapt_delta = 0.95,
                 cores = 1, refresh = 0)
draws <- as_draws_df(as.array(fit))
S <- function(a, b) draws[[sprintf("Sigma[Subject:%s,%s]", a, b)]]
draws$`sd(Subject, Intercept)` <- sqrt(S("(Intercept)", "(Intercept)"))
draws$`sd(Subject, Days)` <- sqrt(S("Days", "Days"))
draws$`corr(Subject, Intercept, Days)` <- S("Days", "(Intercept)") / draws$`sd(Subject, Intercept)` / draws$`sd(Subject, Days)`
draws$Intercept <- draws$`(Intercept)`
names <- c("Intercept", "Days", "sd(Subject, Intercept)", "sd(Subject, Days)", "corr(Subject, Intercept, Days)", "sigma")
table <- summarise_draws(subset_draws(draws, variable = names), mean, sd, median, ~quantile(.x, c(0.025, 0.975)), mcse_mean, mcse_sd,
                         mcse_median, ess_bulk, rhat)
found <- list(formula = "Reaction ~ Days + (Days | Subject)", parameters = table, versions = list(
  rstanarm = as.character(packageVersion("rstanarm")), rstan = as.character(packageVersion("rstan")), R = R.version.string))
cat(toJSON(found, auto_unbox = TRUE, digits = NA, pretty = TRUE))
