# Posteriors of distributional models by Stan (brms 2.18.0, rstan 2.21.7) under priors written in bayesmix's names.
# Run in this folder: Rscript stan.R [CASE ...]; writes stan/CASE.json. Intercepts are ordinary coefficients (values at
# zero of every predictor), so that their priors are meant as written.
suppressMessages({library(brms); library(rstan); library(posterior); library(jsonlite)})
DRAWS <- 4000; WARMUP <- 1500
compact <- function(text) { # numbers of an array in one line
  gsub("\\n\\s*(?=[]}])", " ", gsub("\\n\\s+(?=[-0-9\"][^][{}\\n]*,?\\n)", " ", text, perl = TRUE), perl = TRUE)
}
DATA <- function(name) {
  file <- sprintf(c("data/%s.csv", "../../../bayesmix/data/datasets/%s.csv"), name)
  d <- read.csv(file[file.exists(file)][1])
  for (v in intersect(names(d), c("Subject", "g", "a", "b"))) d[[v]] <- factor(d[[v]])
  for (v in intersect(names(d), c("mined", "sex"))) d[[v]] <- factor(d[[v]], unique(d[[v]])) # first: yes, male
  d
}
b <- function(prior, coef, dpar = "") set_prior(prior, class = "b", coef = coef, dpar = dpar)
sd_ <- function(prior, group, dpar = "", coef = "Intercept") set_prior(prior, class = "sd", group = group, coef = coef, dpar = dpar)
CASES <- list(
  sleepstudy_locscale = list(
    data = "sleepstudy", family = gaussian(), name = "gaussian",
    formula = list(mu = "Reaction ~ Days + (1 | ID | Subject)", sigma = "~ 1 + (1 | ID | Subject)"),
    brms = bf(Reaction ~ 0 + Intercept + Days + (1 | ID | Subject), sigma ~ 0 + Intercept + (1 | ID | Subject)),
    priors = list(Intercept = "Normal(250, 100)", Days = "Normal(0, 20)", sigma_Intercept = "Normal(3, 1)",
      "sd(Subject, Intercept)" = "HalfNormal(100)", "sd(Subject, sigma_Intercept)" = "Exponential(1)",
      "corr(Subject)" = "LKJ(2)"),
    stan = c(b("normal(250, 100)", "Intercept"), b("normal(0, 20)", "Days"), b("normal(3, 1)", "Intercept", "sigma"),
      sd_("normal(0, 100)", "Subject"), sd_("exponential(1)", "Subject", "sigma"),
      set_prior("lkj(2)", class = "cor", group = "Subject"))),
  counts_shape = list(
    data = "counts", family = negbinomial(), name = "negbinomial",
    formula = list(mu = "y ~ x + (1 | g)", shape = "~ x"),
    brms = bf(y ~ 0 + Intercept + x + (1 | g), shape ~ 0 + Intercept + x),
    priors = list(Intercept = "Normal(0, 2)", x = "Normal(0, 1)", shape_Intercept = "Normal(0, 2)",
      shape_x = "Normal(0, 1)", "sd(g, Intercept)" = "Exponential(1)"),
    stan = c(b("normal(0, 2)", "Intercept"), b("normal(0, 1)", "x"), b("normal(0, 2)", "Intercept", "shape"),
      b("normal(0, 1)", "x", "shape"), sd_("exponential(1)", "g"))),
  crossed_sigma = list(
    data = "crossed", family = gaussian(), name = "gaussian",
    formula = list(mu = "y ~ 1 + (1 | a) + (1 | b)", sigma = "~ 1 + (1 | a)"),
    brms = bf(y ~ 0 + Intercept + (1 | a) + (1 | b), sigma ~ 0 + Intercept + (1 | a)),
    priors = list(Intercept = "Normal(0, 10)", sigma_Intercept = "Normal(0, 1)", "sd(a, Intercept)" = "HalfNormal(2)",
      "sd(b, Intercept)" = "HalfNormal(2)", "sd(a, sigma_Intercept)" = "HalfNormal(1)"),
    stan = c(b("normal(0, 10)", "Intercept"), b("normal(0, 1)", "Intercept", "sigma"), sd_("normal(0, 2)", "a"),
      sd_("normal(0, 2)", "b"), sd_("normal(0, 1)", "a", "sigma"))),
  # priors of thresholds are at zero of the predictors, their product on ordered values alone: in both programs
  wine_cumulative = list(
    data = "wine", family = cumulative(), name = "cumulative",
    formula = list(mu = "rating ~ temp + contact + (1 + temp | judge)"),
    brms = bf(rating ~ temp + contact + (1 + temp | judge), center = FALSE),
    priors = list(thresholds = "Normal(0, 4)", tempwarm = "Normal(0, 3)", contactyes = "Normal(0, 3)",
      "sd(judge, Intercept)" = "HalfNormal(2)", "sd(judge, tempwarm)" = "HalfNormal(1)", "corr(judge)" = "LKJ(2)"),
    stan = c(set_prior("normal(0, 4)", class = "Intercept"), b("normal(0, 3)", "tempwarm"), b("normal(0, 3)", "contactyes"),
      sd_("normal(0, 2)", "judge"), sd_("normal(0, 1)", "judge", coef = "tempwarm"),
      set_prior("lkj(2)", class = "cor", group = "judge"))),
  salamanders_zip = list(
    data = "Salamanders", family = zero_inflated_poisson(), name = "zero_inflated_poisson",
    formula = list(mu = "count ~ mined + (1 | site)", zi = "~ mined"),
    brms = bf(count ~ 0 + Intercept + mined + (1 | site), zi ~ 0 + Intercept + mined),
    priors = list(Intercept = "Normal(0, 2)", minedno = "Normal(0, 2)", zi_Intercept = "Normal(0, 2)",
      zi_minedno = "Normal(0, 2)", "sd(site, Intercept)" = "Exponential(1)"),
    stan = c(b("normal(0, 2)", "Intercept"), b("normal(0, 2)", "minedno"), b("normal(0, 2)", "Intercept", "zi"),
      b("normal(0, 2)", "minedno", "zi"), sd_("exponential(1)", "site"))),
  # brms keeps nu above 1, where this prior and the data leave next to nothing below
  sleepstudy_student = list(
    data = "sleepstudy", family = student(), name = "student",
    formula = list(mu = "Reaction ~ Days + (1 + Days | Subject)"),
    brms = bf(Reaction ~ 0 + Intercept + Days + (1 + Days | Subject)),
    priors = list(Intercept = "Normal(250, 100)", Days = "Normal(0, 20)", sigma = "HalfNormal(50)",
      nu = "LogNormal(1.5, 0.5)", "sd(Subject, Intercept)" = "HalfNormal(100)", "sd(Subject, Days)" = "HalfNormal(20)",
      "corr(Subject)" = "LKJ(2)"),
    stan = c(b("normal(250, 100)", "Intercept"), b("normal(0, 20)", "Days"), set_prior("normal(0, 50)", class = "sigma"),
      set_prior("lognormal(1.5, 0.5)", class = "nu"), sd_("normal(0, 100)", "Subject"),
      sd_("normal(0, 20)", "Subject", coef = "Days"), set_prior("lkj(2)", class = "cor", group = "Subject"))),
  shares_beta = list(
    data = "shares", family = Beta(), name = "beta",
    formula = list(mu = "share ~ x + (1 | g)"),
    brms = bf(share ~ 0 + Intercept + x + (1 | g)),
    priors = list(Intercept = "Normal(0, 2)", x = "Normal(0, 1)", phi = "Gamma(2, 0.1)", "sd(g, Intercept)" = "Exponential(1)"),
    stan = c(b("normal(0, 2)", "Intercept"), b("normal(0, 1)", "x"), set_prior("gamma(2, 0.1)", class = "phi"),
      sd_("exponential(1)", "g"))),
  kidney_lognormal = list(
    data = "kidney", family = lognormal(), name = "lognormal",
    formula = list(mu = "time | cens(censored) ~ age + sex + (1 | patient)"),
    brms = bf(time | cens(censored) ~ 0 + Intercept + age + sex + (1 | patient)),
    priors = list(Intercept = "Normal(3, 2)", age = "Normal(0, 0.1)", sexfemale = "Normal(0, 2)", sigma = "HalfNormal(2)",
      "sd(patient, Intercept)" = "HalfNormal(1)"),
    stan = c(b("normal(3, 2)", "Intercept"), b("normal(0, 0.1)", "age"), b("normal(0, 2)", "sexfemale"),
      set_prior("normal(0, 2)", class = "sigma"), sd_("normal(0, 1)", "patient"))))

ours <- function(v) { # names of brms in bayesmix's
  cut <- grepl("^b_Intercept\\[", v) # thresholds part categories 1 to K
  k <- as.integer(gsub("\\D", "", v[cut]))
  v[cut] <- sprintf("%d|%d", k, k + 1L)
  v <- sub("^b_", "", v)
  v <- sub("^sd_([A-Za-z]+)__(.*)$", "sd(\\1, \\2)", v)
  sub("^cor_([A-Za-z]+)__(.*)__(.*)$", "corr(\\1, \\2, \\3)", v)
}
effect <- function(v) { # "r_Subject__sigma[308,Intercept]" -> group, level, column
  part <- regmatches(v, regexec("^r_([A-Za-z]+?)(__[a-z]+)?\\[(.*),(.*)\\]$", v))[[1]]
  dpar <- sub("^__", "", part[3])
  list(group = part[2], level = part[4], column = paste0(if (nzchar(dpar)) paste0(dpar, "_"), part[5]))
}
describe <- function(m) {
  q <- c(0.025, 0.5, 0.975)
  list(mean = mean(m), sd = sd(m), quantiles = unname(quantile(m, q)), mcse_mean = mcse_mean(m), mcse_sd = mcse_sd(m),
    mcse_quantiles = unname(mcse_quantile(m, q, names = FALSE)), ess_bulk = ess_bulk(m), ess_tail = ess_tail(m),
    rhat = rhat(m))
}
run <- function(name) {
  case <- CASES[[name]]
  d <- DATA(case$data)
  fit <- brm(case$brms, d, case$family, prior = case$stan, chains = 4, cores = 1, iter = WARMUP + DRAWS, warmup = WARMUP,
    seed = 20261128, refresh = 0, init_r = 0.5, backend = "rstan", control = list(adapt_delta = 0.98), silent = 2)
  draws <- as_draws_array(fit)
  top <- grep("^(b_|sd_|cor_|sigma$|shape$|phi$|nu$)", variables(draws), value = TRUE)
  low <- grep("^r_", variables(draws), value = TRUE)
  flat <- as_draws_matrix(draws)
  at <- as.integer(c(1, 6000, 12000))
  loglik <- rowSums(log_lik(fit, draw_ids = at))
  effects <- list()
  for (v in low) { e <- effect(v); effects[[e$group]][[e$level]][[e$column]] <- describe(extract_variable_matrix(draws, v))[c("mean", "sd", "mcse_mean")] }
  points <- lapply(seq_along(at), function(i) {
    found <- list()
    for (v in low) { e <- effect(v); found[[e$group]][[e$level]][[e$column]] <- as.numeric(flat[at[i], v]) }
    list(parameters = as.list(setNames(as.numeric(flat[at[i], top]), ours(top))), effects = found, log_likelihood = unname(loglik[i]))
  })
  np <- nuts_params(fit)
  write(compact(toJSON(list(case = name, engine = "Stan by brms", data = case$data, formula = case$formula, family = case$name,
    priors = case$priors, parameters = setNames(lapply(top, function(v) describe(extract_variable_matrix(draws, v))), ours(top)),
    effects = effects, points = points,
    sampler = list(chains = 4, warmup = WARMUP, draws = DRAWS, adapt_delta = 0.98, seed = 20261128,
      divergences = sum(np$Value[np$Parameter == "divergent__"])),
    software = list(R = as.character(getRversion()), brms = as.character(packageVersion("brms")), rstan = as.character(packageVersion("rstan")))),
    auto_unbox = TRUE, digits = I(15), pretty = 1)), sprintf("stan/%s.json", name))
  writeLines(as.character(stancode(fit)), sprintf("stan/%s.stan", name))
  cat(name, "divergences", sum(np$Value[np$Parameter == "divergent__"]), "rhat", max(summarise_draws(draws, rhat)$rhat, na.rm = TRUE), "ess", min(summarise_draws(draws, ess_bulk)$ess_bulk, na.rm = TRUE), "\n")
}
dir.create("stan", showWarnings = FALSE)
for (name in if (length(commandArgs(TRUE))) commandArgs(TRUE) else names(CASES)) run(name)
