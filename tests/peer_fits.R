# Fits of lme4, glmmTMB and ordinal for tests/random_peers.py: Rscript peer_fits.R FOLDER NUMBER
# reads FOLDER/i.json and FOLDER/i.csv, writes FOLDER/i.out: -2 log likelihood (REML: its criterion), fixed effects.
suppressMessages(library(jsonlite))
arguments <- commandArgs(TRUE)
FAR <- 15 # on a logarithm or logit: as good as infinite, and lgamma(exp(15)) still has ten digits after the point

ours <- function(names) sub("^\\(Intercept\\)$", "Intercept", names)

lme4_fit <- function(words, d) {
  formula <- as.formula(words$formula)
  fit <- if (words$family != "gaussian") {
    points <- if (words$method == "laplace") 1L else as.integer(words$method)
    lme4::glmer(formula, d, family = words$family, nAGQ = points)
  } else if (words$weights) lme4::lmer(formula, d, REML = words$method == "reml", weights = w)
  else lme4::lmer(formula, d, REML = words$method == "reml")
  criterion <- -2 * as.numeric(logLik(fit))
  if (words$family != "gaussian" && points > 1L) # that of a quadrature is a deviance: saturated densities are left out
    criterion <- criterion - 2 * sum(if (words$family == "poisson") dpois(d$y, d$y, log = TRUE)
      else dbinom(d$y, d$m, d$y / d$m, log = TRUE))
  list(criterion = criterion, fixed = lme4::fixef(fit))
}

glmmtmb_fit <- function(words, d) {
  suppressMessages(library(glmmTMB))
  family <- eval(parse(text = words$family))
  weights <- if (words$weights) d$k else rep(1, nrow(d))
  d$.weights <- weights
  within <- function(bound, start = NULL) glmmTMB(as.formula(words$formula), d, family = family,
    ziformula = as.formula(words$zi), dispformula = as.formula(words$disp), weights = .weights, start = start,
    control = glmmTMBControl(optArgs = list(lower = -bound, upper = bound)))
  fit <- within(Inf)
  if (any(abs(fit$fit$par) > FAR)) { # its densities are differences of log-gammas of what runs off: lowest where rounded
    at <- pmax(pmin(fit$fit$par, FAR), -FAR)
    fit <- within(FAR, split(unname(at), factor(names(at), unique(names(at)))))
  }
  list(criterion = 2 * fit$fit$objective, fixed = fixef(fit)$cond) # logLik() is NA where the Hessian is not positive
}

ordinal_fit <- function(words, d) {
  d$y <- ordered(d$y)
  points <- if (words$method == "laplace") 1L else as.integer(words$method)
  fit <- ordinal::clmm(as.formula(words$formula), data = d, link = words$link, nAGQ = points)
  list(criterion = -2 * as.numeric(logLik(fit)), fixed = fit$beta)
}

for (i in seq_len(as.integer(arguments[2])) - 1L) {
  stem <- file.path(arguments[1], i)
  words <- fromJSON(paste0(stem, ".json"))
  d <- read.csv(paste0(stem, ".csv"), stringsAsFactors = TRUE)
  said <- FALSE
  fit <- switch(words$package, lme4 = lme4_fit, glmmTMB = glmmtmb_fit, ordinal = ordinal_fit)
  setTimeLimit(elapsed = 30, transient = TRUE) # quadratures of clmm may not come to an end
  found <- try(suppressMessages(withCallingHandlers(fit(words, d), warning = function(w) {
    said <<- TRUE
    invokeRestart("muffleWarning")
  })), silent = TRUE)
  result <- if (inherits(found, "try-error")) list(error = as.character(found))
  else list(criterion = found$criterion, fixed = as.list(setNames(found$fixed, ours(names(found$fixed)))), trusted = !said)
  writeLines(toJSON(result, auto_unbox = TRUE, digits = NA), paste0(stem, ".out"))
}
