# Models without random effects by R's lm and glm, and by glmmTMB where glm does not maximise the likelihood (Gamma,
# negative binomial). Run in this folder: Rscript regressions.R > regressions.json
suppressMessages({library(jsonlite); library(glmmTMB)})
data <- function(name) read.csv(sprintf("../../../bayesmix/data/datasets/%s.csv", name))
sleepstudy <- data("sleepstudy"); cbpp <- data("cbpp"); grouseticks <- data("grouseticks"); gammasim <- data("gammasim")
cake <- data("cake"); esoph <- data("esoph")
cbpp$period <- factor(cbpp$period); grouseticks$YEAR <- factor(grouseticks$YEAR)
table <- function(fit) {
  found <- summary(fit)$coefficients
  if (is.list(found)) found <- found$cond
  list(names = rownames(found), estimate = unname(found[, 1]), se = unname(found[, 2]), p = unname(found[, 4]))
}
linear <- function(formula, data, ...) {
  fit <- lm(formula, data, ...)
  n <- nobs(fit); p <- length(coef(fit))
  c(table(fit), list(sigma = sigma(fit), df = fit$df.residual, loglik = c(logLik(fit)), reml = c(logLik(fit, REML = TRUE)),
    aic = AIC(fit), limits = unname(confint(fit))))
}
generalized <- function(formula, data, family) {
  fit <- glm(formula, data, family = family, epsilon = 1e-14, maxit = 100)
  c(table(fit), list(loglik = c(logLik(fit)), aic = AIC(fit), limits = unname(suppressMessages(confint(fit)))))
}
tmb <- function(formula, data, family) {
  fit <- glmmTMB(formula, data, family = family)
  c(table(fit), list(loglik = c(logLik(fit)), aic = AIC(fit), dispersion = sigma(fit)))
}
cat(toJSON(list(
  "lm" = linear(Reaction ~ Days, sleepstudy),
  "lm, factors" = linear(angle ~ recipe * temp, cake),
  "poisson" = generalized(TICKS ~ YEAR + HEIGHT, grouseticks, poisson),
  "binomial" = generalized(cbind(incidence, size - incidence) ~ period, cbpp, binomial),
  "probit" = generalized(cbind(incidence, size - incidence) ~ period, cbpp, binomial("probit")),
  "gamma" = tmb(y ~ x, gammasim, Gamma("log")),
  "negbinomial" = tmb(TICKS ~ YEAR, grouseticks, nbinom2)
), auto_unbox = TRUE, digits = 15, pretty = FALSE))
