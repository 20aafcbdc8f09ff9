# Meta-analyses by metafor: Rscript metafor.R, in this folder. Data are metafor's own, effect sizes by its escalc.
suppressMessages(library(metafor))
library(jsonlite)

bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
bcg$sei <- sqrt(bcg$vi)
bcg <- as.data.frame(bcg)[, c("trial", "author", "year", "ablat", "alloc", "yi", "sei")]
konstantopoulos <- dat.konstantopoulos2011
konstantopoulos$sei <- sqrt(konstantopoulos$vi)
konstantopoulos <- as.data.frame(konstantopoulos)[, c("district", "school", "study", "year", "yi", "sei")]
write.csv(bcg, "bcg.csv", row.names = FALSE)
write.csv(konstantopoulos, "konstantopoulos.csv", row.names = FALSE)

typical <- function(fit) {
  W <- diag(1 / fit$vi)
  X <- model.matrix(fit)
  P <- W - W %*% X %*% solve(t(X) %*% W %*% X) %*% t(X) %*% W
  (fit$k - fit$p) / sum(diag(P))
}

figures <- function(fit) {
  X <- model.matrix(fit)
  v <- typical(fit)
  s <- fit$sigma2
  p <- predict(fit)
  at <- if (fit$p > 1) predict(fit, newmods = 30) else p
  list(loglik = c(logLik(fit)), log_det_X = c(determinant(crossprod(X))$modulus), sigma2 = s,
       beta = c(fit$beta), se = fit$se, vb = fit$vb, QE = fit$QE, QEp = fit$QEp, k = fit$k, p = fit$p,
       typical = v, I2 = s / (sum(s) + v), I2_total = sum(s) / (sum(s) + v), H2 = (sum(s) + v) / v,
       pred = at$pred[1], pred_se = at$se[1], pi_lb = at$pi.lb[1], pi_ub = at$pi.ub[1])
}

cases <- list()
for (method in c("REML", "ML")) {
  key <- tolower(method)
  mv <- function(...) rma.mv(yi, sei^2, ..., method = method, control = list(optimizer = "BFGS", reltol = 1e-16))
  cases[[paste0("bcg_", key)]] <- figures(mv(random = ~ 1 | trial, data = bcg))
  cases[[paste0("bcg_ablat_", key)]] <- figures(mv(mods = ~ ablat, random = ~ 1 | trial, data = bcg))
  cases[[paste0("konstantopoulos_", key)]] <- figures(mv(random = ~ 1 | district/school, data = konstantopoulos))
  cases[[paste0("konstantopoulos_year_", key)]] <-
    figures(mv(mods = ~ I(year - 1990), random = ~ 1 | district/school, data = konstantopoulos))
}
one <- rma(yi, sei^2, data = bcg, method = "REML", control = list(threshold = 1e-12))
cases$bcg_rma <- list(tau2 = one$tau2, I2 = one$I2 / 100, H2 = one$H2, QE = one$QE, QEp = one$QEp, beta = c(one$beta),
                      se = one$se, blup = ranef(one)$pred)
common <- rma(yi, sei^2, mods = ~ ablat, data = bcg, method = "FE")
cases$bcg_common <- list(beta = c(common$beta), se = common$se, loglik = c(logLik(common)), QE = common$QE)
cat(toJSON(list(metafor = as.character(packageVersion("metafor")), cases = cases), auto_unbox = TRUE, digits = 15,
           pretty = TRUE), file = "metafor.json")
