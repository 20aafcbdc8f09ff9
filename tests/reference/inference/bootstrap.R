# Parametric bootstrap of lme4 by bootMer: quantiles of every parameter, for tests of confint("bootstrap").
#   Rscript bootstrap.R > bootstrap.json
suppressPackageStartupMessages({library(lme4); library(boot); library(jsonlite)})
statistic <- function(fit) {
  v <- as.data.frame(VarCorr(fit))
  names <- ifelse(v$grp == "Residual", "sigma",
    ifelse(is.na(v$var2), paste0("sd(", v$grp, ", ", v$var1, ")"),
                          paste0("corr(", v$grp, ", ", v$var1, ", ", v$var2, ")")))
  c(fixef(fit), setNames(v$sdcor, gsub("(Intercept)", "Intercept", names, fixed = TRUE)))
}
study <- function(fit, n) {
  set.seed(20261128)
  b <- suppressWarnings(suppressMessages(bootMer(fit, statistic, nsim = n, type = "parametric", use.u = FALSE)))
  t <- b$t[complete.cases(b$t), , drop = FALSE]
  ends <- lapply(seq_len(ncol(b$t)), function(j) {
    ci <- boot.ci(b, index = j, type = c("perc", "basic"))
    list(percentile = ci$percent[4:5], basic = ci$basic[4:5])
  })
  names(ends) <- gsub("(Intercept)", "Intercept", names(b$t0), fixed = TRUE)
  p <- c(0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
  q <- apply(b$t, 2, quantile, probs = p, na.rm = TRUE)
  colnames(q) <- names(ends)
  list(n = n, failed = n - nrow(t), p = p, ends = ends, quantiles = as.list(as.data.frame(q)),
       mean = as.list(setNames(colMeans(b$t, na.rm = TRUE), names(ends))),
       sd = as.list(setNames(apply(b$t, 2, sd, na.rm = TRUE), names(ends))))
}
sleep <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy)
herds <- glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, family = binomial)
versions <- paste("R", getRversion(), "lme4", packageVersion("lme4"), "boot", packageVersion("boot"))
cat(toJSON(list(source = versions, sleepstudy = study(sleep, 4000), cbpp = study(herds, 2000)),
           auto_unbox = TRUE, digits = 10, pretty = TRUE))
