# Posterior of a model with a smooth by brms and Stan, priors explicit; data of curves.csv. brms 2.18, rstan 2.21.
# Rscript brms.R in this folder; writes brms.json. The basis of the penalised part is ours; the unpenalised column is not
# scaled there, so that its prior is.
suppressMessages({library(brms); library(jsonlite)})
d <- read.csv("curves.csv", stringsAsFactors = TRUE)
formula <- y ~ s(x, k = 6) + (1 | g)
scale <- sqrt(mean(make_standata(formula, d)$Xs[, 1]^2))
priors <- c(set_prior("normal(2, 2)", class = "Intercept"), set_prior(sprintf("normal(0, %.10f)", 2 / scale), class = "b"),
            set_prior("exponential(1)", class = "sd"), set_prior("exponential(0.5)", class = "sds"),
            set_prior("exponential(1)", class = "sigma"))
fit <- brm(formula, d, prior = priors, chains = 4, iter = 3000, warmup = 800, seed = 1, cores = 1,
           control = list(adapt_delta = 0.98), refresh = 0)
draws <- as_draws_df(fit)
found <- list("Intercept" = draws$b_Intercept, "sx_1" = draws$bs_sx_1 * scale, "sd(g, Intercept)" = draws$sd_g__Intercept,
              "sds(sx_1)" = draws$sds_sx_1, "sigma" = draws$sigma)
new <- data.frame(x = c(0.05, 0.3, 0.55, 0.8, 0.95), g = "g01")
curve <- posterior_epred(fit, new, re_formula = NA)
names(found); summaries <- lapply(found, function(v) list(mean = mean(v), sd = sd(v), median = median(v)))
write(toJSON(list(source = paste("brms", packageVersion("brms"), "rstan", packageVersion("rstan")),
  divergences = sum(subset(nuts_params(fit), Parameter == "divergent__")$Value), rhat = max(rhat(fit), na.rm = TRUE),
  ess = min(neff_ratio(fit), na.rm = TRUE) * nrow(draws), parameters = summaries, new = new$x,
  curve = list(mean = colMeans(curve), sd = apply(curve, 2, sd))), digits = 8, auto_unbox = TRUE, pretty = TRUE), "brms.json")
