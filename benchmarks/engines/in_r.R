# brms and rstanarm with their own default priors, and lme4's REML fit for the start-up of a whole process.
suppressPackageStartupMessages(library(jsonlite))
path <- commandArgs(TRUE)[1]
job <- fromJSON(path, simplifyVector = FALSE)
folder <- dirname(path)
d <- read.csv(job$csv, check.names = FALSE)
for (f in names(job$levels)) {
  ordered <- isTRUE(job$ordered[[f]])
  d[[f]] <- factor(as.character(d[[f]]), levels = unlist(job$levels[[f]]), ordered = ordered)
}
if (job$engine == "brms") {
  suppressPackageStartupMessages(library(brms))
  family <- switch(job$family, gaussian = gaussian(), poisson = poisson(), binomial = if (job$bernoulli) bernoulli() else binomial())
  fit <- brm(as.formula(job$brms), d, family = family, chains = job$chains, iter = 2 * job$draws, cores = 2, seed = 1, refresh = 0)
  print(summary(fit))
  finished <- as.numeric(Sys.time())
  # chains run two at a time
  elapsed <- sum(rstan::get_elapsed_time(fit$fit)) / 2
  draws <- as.array(fit$fit)
  kept <- grepl("^(b_|sd_|cor_|sigma|r_)", dimnames(draws)[[3]])
} else {
  suppressPackageStartupMessages(library(rstanarm))
  options(mc.cores = 2)
  f <- as.formula(job$formula)
  fit <- if (job$family == "gaussian") {
    stan_lmer(f, d, chains = job$chains, iter = 2 * job$draws, seed = 1, refresh = 0)
  } else {
    stan_glmer(f, d, family = job$family, chains = job$chains, iter = 2 * job$draws, seed = 1, refresh = 0)
  }
  print(summary(fit))
  finished <- as.numeric(Sys.time())
  elapsed <- sum(rstan::get_elapsed_time(fit$stanfit)) / 2
  draws <- as.array(fit)
  kept <- !grepl("^(mean_PPD|log-posterior)|_NEW_", dimnames(draws)[[3]])
}
draws <- aperm(draws[, , kept, drop = FALSE], c(3, 1, 2))  # C order of (chain, draw, parameter)
writeBin(as.numeric(draws), file.path(folder, "draws.bin"))
shape <- rev(dim(draws))
result <- list(finished = finished, sampling = elapsed, shape = shape)
write(toJSON(result, auto_unbox = TRUE, digits = 16), file.path(folder, "result.json"))
