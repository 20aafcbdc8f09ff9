# Reference values of residual structures: nlme 3.1 (gls, lme), R 4.2. Writes trial.csv, orthodont.csv, residuals.json.
# Rscript residuals.R in this folder.
suppressMessages({library(nlme); library(jsonlite)})
set.seed(20261129)

# a trial: 60 patients at 6 sites, 4 visits, drop-out that depends on the last value seen
patients <- 60; visits <- c("w1", "w2", "w4", "w8")
sd <- c(2, 2.5, 3, 3.5); R <- 0.6^abs(outer(1:4, 1:4, "-")); diag(R) <- 1
root <- chol(R * outer(sd, sd))
site <- paste0("s", rep(1:6, each = 10)); u <- rnorm(6, 0, 1.5); arm <- rep(c("placebo", "active"), patients / 2)
rows <- list()
for (i in 1:patients) {
  base <- round(rnorm(1, 20, 4), 1)
  y <- 10 + 0.5 * base + c(0, 1, 2, 3) * (arm[i] == "active") + u[as.integer(substr(site[i], 2, 2))] + drop(rnorm(4) %*% root)
  kept <- rep(TRUE, 4)
  for (t in 2:4) kept[t] <- kept[t - 1] && runif(1) > plogis(-4 + 0.12 * y[t - 1])
  if (i %% 13 == 0) kept[2] <- FALSE # and some that come back
  rows[[i]] <- data.frame(patient = sprintf("p%02d", i), site = site[i], arm = arm[i], base = base, visit = visits,
                          step = 1:4, y = round(y, 3))[kept, ]
}
trial <- do.call(rbind, rows)
trial <- trial[order(trial$visit, trial$patient), ] # blocks are not contiguous
write.csv(trial, "trial.csv", row.names = FALSE, quote = FALSE)
trial$visit <- factor(trial$visit, visits); trial$arm <- factor(trial$arm, c("placebo", "active"))
write.csv(data.frame(distance = Orthodont$distance, age = Orthodont$age, Subject = as.character(Orthodont$Subject),
                     Sex = as.character(Orthodont$Sex)), "orthodont.csv", row.names = FALSE, quote = FALSE)
o <- Orthodont; o$visit <- factor(o$age); o$step <- (o$age - 6) / 2

tight <- glsControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 1000, msVerbose = FALSE)
tight_lme <- lmeControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 1000, opt = "nlminb", niterEM = 100)
whole <- function(fit, fixed) {
  list(criterion = -2 * as.numeric(logLik(fit)), fixed = as.list(fixed), se = as.list(sqrt(diag(vcov(fit)))),
       sigma = fit$sigma, corr = as.list(unname(coef(fit$modelStruct$corStruct, unconstrained = FALSE))),
       ratio = as.list(coef(fit$modelStruct$varStruct, unconstrained = FALSE)),
       normalized = as.numeric(head(residuals(fit, type = "normalized"), 12)),
       pearson = as.numeric(head(residuals(fit, type = "pearson"), 12)))
}
g <- function(...) { fit <- gls(..., control = tight); whole(fit, coef(fit)) }
l <- function(...) {
  fit <- lme(..., control = tight_lme)
  found <- whole(fit, fixef(fit))
  found$sd <- as.numeric(VarCorr(fit)[1, "StdDev"])
  found
}
f <- y ~ base + arm * visit; ft <- distance ~ Sex * age
by_visit <- varIdent(form = ~ 1 | visit)
found <- list(
  orthodont_unstr = g(distance ~ Sex * visit, o, correlation = corSymm(form = ~ step | Subject), weights = by_visit),
  orthodont_unstr_ml = g(distance ~ Sex * visit, o, correlation = corSymm(form = ~ step | Subject), weights = by_visit, method = "ML"),
  orthodont_ar = g(ft, o, correlation = corAR1(form = ~ step | Subject)),
  orthodont_cosy = g(ft, o, correlation = corCompSymm(form = ~ 1 | Subject)),
  orthodont_arma = g(ft, o, correlation = corARMA(form = ~ step | Subject, p = 1, q = 1)),
  orthodont_ma = g(ft, o, correlation = corARMA(form = ~ step | Subject, p = 0, q = 1)),
  orthodont_ar_strata = g(ft, o, correlation = corAR1(form = ~ step | Subject), weights = varIdent(form = ~ 1 | Sex)),
  trial_unstr = g(f, trial, correlation = corSymm(form = ~ step | patient), weights = by_visit),
  trial_unstr_ml = g(f, trial, correlation = corSymm(form = ~ step | patient), weights = by_visit, method = "ML"),
  trial_unstr_one = g(f, trial, correlation = corSymm(form = ~ step | patient)),
  trial_ar = g(f, trial, correlation = corAR1(form = ~ step | patient)),
  trial_ar2 = g(f, trial, correlation = corARMA(form = ~ step | patient, p = 2, q = 0)),
  trial_cosy_strata = g(f, trial, correlation = corCompSymm(form = ~ 1 | patient), weights = varIdent(form = ~ 1 | arm)),
  trial_site_ar = l(f, trial, random = ~ 1 | site, correlation = corAR1(form = ~ step | site/patient)),
  trial_site_ar_ml = l(f, trial, random = ~ 1 | site, correlation = corAR1(form = ~ step | site/patient), method = "ML"),
  trial_patient_ar = l(f, trial, random = ~ 1 | patient, correlation = corAR1(form = ~ step | patient)),
  trial_site_unstr = l(f, trial, random = ~ 1 | site, correlation = corSymm(form = ~ step | site/patient), weights = by_visit)
)
write(toJSON(found, digits = 12, auto_unbox = TRUE, pretty = TRUE), "residuals.json")
