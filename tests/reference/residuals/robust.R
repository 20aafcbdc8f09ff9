# Cluster-robust covariances of gls by clubSandwich, to robust.json; data of residuals.R. Rscript robust.R in this folder.
suppressMessages({library(nlme); library(clubSandwich); library(jsonlite)})
d <- read.csv("trial.csv")
d$visit <- factor(d$visit, c("w1", "w2", "w4", "w8")); d$arm <- factor(d$arm, c("placebo", "active"))
d$v <- as.integer(d$visit)
d <- d[order(d$patient, d$v), ]
tight <- glsControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 1000)
fits <- list(
  trial_unstr = gls(y ~ base + arm * visit, d, correlation = corSymm(form = ~ v | patient),
                    weights = varIdent(form = ~ 1 | visit), control = tight),
  trial_ar = gls(y ~ base + arm * visit, d, correlation = corAR1(form = ~ step | patient), control = tight),
  trial_cosy_strata = gls(y ~ base + arm * visit, d, correlation = corCompSymm(form = ~ 1 | patient),
                          weights = varIdent(form = ~ 1 | arm), control = tight))
one <- function(fit, kind, cluster) {
  V <- vcovCR(fit, cluster = d[[cluster]], type = kind)
  test <- coef_test(fit, vcov = V, test = "Satterthwaite")
  L <- diag(length(coef(fit)))[7:9, ]
  joint <- Wald_test(fit, constraints = L, vcov = V, test = "HTZ")
  list(cov = unname(as.matrix(V)[, ]), df = test$df_Satt, F = joint$Fstat, df2 = joint$df_denom)
}
kinds <- c("CR0", "CR1", "CR2")
cases <- lapply(fits, function(fit) c(lapply(setNames(kinds, kinds), function(kind) one(fit, kind, "patient")),
                                      site = list(one(fit, "CR2", "site"))))
writeLines(toJSON(c(list(versions = list(nlme = as.character(packageVersion("nlme")),
                                         clubSandwich = as.character(packageVersion("clubSandwich")))), cases),
                  digits = 12, auto_unbox = TRUE), "robust.json")
