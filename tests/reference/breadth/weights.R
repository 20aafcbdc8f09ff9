# glmmTMB: weights multiply the log likelihood, as brms's weights() do. Weights are 0.5, 1.5, 2.5, 0.5, ... by row.
# Its dispersion formula is of the log variance here: halved, coefficients are those of log sigma.
suppressMessages({library(glmmTMB); library(jsonlite)})
data(sleepstudy, package = "lme4")
d <- sleepstudy
d$w <- 0.5 + (seq_len(nrow(d)) - 1) %% 3
fit <- function(formula, disp = ~1, reml = FALSE) {
  m <- glmmTMB(formula, data = d, weights = w, dispformula = disp, REML = reml,
               control = glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-14)))
  s <- summary(m)$coefficients
  disp <- fixef(m)$disp / 2
  list(criterion = -2 * as.numeric(logLik(m)), estimate = as.list(s$cond[, 1]), std_error = as.list(s$cond[, 2]),
       log_sigma = as.list(disp), sd = as.list(attr(VarCorr(m)$cond$Subject, "stddev")))
}
out <- list(
  ml = fit(Reaction ~ Days + (Days | Subject)),
  reml = fit(Reaction ~ Days + (Days | Subject), reml = TRUE),
  sigma = fit(Reaction ~ Days + (1 | Subject), ~Days)
)
write_json(out, "weights.json", auto_unbox = TRUE, digits = 12, pretty = TRUE)
