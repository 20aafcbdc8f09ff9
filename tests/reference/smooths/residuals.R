# Smooths beside correlated residuals: mgcv's gamm (nlme's lme), data of curves.csv, the rows of g in their order.
# R 4.2.2, mgcv 1.8-41, nlme 3.1. Rscript residuals.R in this folder; writes residuals.json.
suppressMessages({library(mgcv); library(nlme); library(jsonlite)})
d <- read.csv("curves.csv", stringsAsFactors = TRUE)
d$t <- ave(seq_along(d$g), d$g, FUN = seq_along)
tight <- lmeControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 1000, opt = "nlminb", niterEM = 50)
one <- function(formula, ...) {
  fit <- gamm(formula, data = d, correlation = corAR1(form = ~ t | g), method = "REML", control = tight, ...)
  s <- summary(fit$gam)
  cor <- coef(fit$lme$modelStruct$corStruct, unconstrained = FALSE)
  p <- predict(fit$gam, d[1:8, ], type = "terms", se.fit = TRUE)
  list(loglik = as.numeric(logLik(fit$lme)), ar = as.numeric(cor[length(cor)]), sigma = fit$lme$sigma,
       ratio = as.list(coef(fit$lme$modelStruct$varStruct, unconstrained = FALSE)),
       population = as.numeric(predict(fit$gam, d[1:8, ])), se = as.numeric(predict(fit$gam, d[1:8, ], se.fit = TRUE)$se.fit),
       table = lapply(setNames(rownames(s$s.table), rownames(s$s.table)), function(name) as.list(s$s.table[name, ])))
}
cases <- list(
  plain = one(y ~ f + s(x, k = 6)),
  strata = one(y ~ w + s(x, k = 6) + s(z, k = 5), weights = varIdent(form = ~ 1 | f)),
  levels = one(y ~ w + s(x, k = 6), random = list(g = ~ 1)))
write(toJSON(cases, digits = NA, auto_unbox = TRUE, pretty = TRUE), "residuals.json")
print(cases)
