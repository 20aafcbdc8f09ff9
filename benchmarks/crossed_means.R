# Intervals of one mean a data set of benchmarks/crossed_means.py, by lme4, emmeans and glmmTMB:
#   Rscript benchmarks/crossed_means.R FOLDER WITH_GLMMTMB
# Conditional means are by Henderson's equations, at lme4's variances and at the true ones: normal, variances as known.
suppressMessages({library(lme4); library(lmerTest); library(emmeans); library(glmmTMB)})
given <- commandArgs(TRUE)
d <- read.csv(file.path(given[1], "data.csv"))
z <- qnorm(0.975)
henderson <- function(X, Z, y, G, s2, a) {
  W <- cbind(X, Z)
  C <- crossprod(W) / s2
  own <- -seq_len(ncol(X))
  C[own, own] <- C[own, own] + diag(ifelse(G > 0, 1 / pmax(G, 1e-12), 1e12))
  V <- solve(C)
  sum(a * (V %*% crossprod(W, y) / s2)) + c(-z, z) * sqrt(sum(a * (V %*% a)))
}
one <- function(s) {
  r <- s[1, ]
  f <- lmerTest::lmer(y ~ x + w + (1 | g) + (1 | h), s)
  at <- emmeans(f, ~1, at = list(x = r$rx, w = r$rw), lmer.df = "satterthwaite")
  e <- as.data.frame(confint(at))
  g <- sort(unique(s$g)); h <- sort(unique(s$h))
  X <- model.matrix(~ x + w, s)
  Z <- cbind(outer(s$g, g, "==") * 1, outer(s$h, h, "==") * 1)
  a <- c(1, r$rx, r$rw, (g == r$rg) * 1, (h == r$rh) * 1)
  vc <- as.data.frame(VarCorr(f)); v <- setNames(vc$vcov, vc$grp); n <- c(length(g), length(h))
  own <- henderson(X, Z, s$y, rep(c(v["g"], v["h"]), n), v["Residual"], a)
  true <- henderson(X, Z, s$y, rep(c(r$g2, r$h2), n), r$s2, a)
  t <- c(NA, NA)
  if (r$n < as.numeric(given[2])) {
    m <- glmmTMB(y ~ x + w + (1 | g) + (1 | h), s, REML = TRUE)
    p <- predict(m, newdata = data.frame(x = r$rx, w = r$rw, g = r$rg, h = r$rh), se.fit = TRUE)
    t <- p$fit + c(-z, z) * p$se.fit
  }
  data.frame(n = r$n, of = c("zero", rep("fitted", 3)),
             by = c("emmeans, Satterthwaite", "lme4, Henderson", "true variances", "glmmTMB"),
             lower = c(e$lower.CL, own[1], true[1], t[1]), upper = c(e$upper.CL, own[2], true[2], t[2]))
}
o <- do.call(rbind, lapply(split(d, d$n), function(s) suppressMessages(suppressWarnings(one(s)))))
write.csv(o, file.path(given[1], "peers.csv"), row.names = FALSE)
