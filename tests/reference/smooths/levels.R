# Tests of curves of levels by mgcv's summary, to levels.json; data of estimates.R.
# R 4.2.2, mgcv 1.8-41. Rscript levels.R
# mgcv leaves the rotation of the null space to rounding: here it is the constant and a line. With further random effects
# its statistic has their covariance the wrong way up (`recov`: L R1 where L^-T R1 is meant), so that there are none.
suppressMessages({library(mgcv); library(jsonlite)})
d <- read.csv("curves.csv", stringsAsFactors = TRUE)
small <- gam.control(epsilon = 1e-11, newton = list(conv.tol = 1e-10))
one <- function(formula, at, rank) {
  G <- gam(formula, data = d, method = "REML", fit = FALSE, control = small)
  own <- G$smooth[[at]]$first.para:G$smooth[[at]]$last.para
  null <- qr.Q(qr(cbind(1, d$x))) * sqrt(nrow(d))
  width <- length(own) / 20
  for (j in 1:20) G$X[, own[(j - 1) * width + rank + 1:2]] <- null * (as.integer(d$g) == j)
  fit <- gam(G = G, method = "REML", control = small)
  table <- summary(fit)$s.table
  list(formula = deparse1(formula), reml = as.numeric(fit$gcv.ubre), df_residual = fit$df.residual,
       row = as.list(setNames(table[at, ], colnames(table))))
}
write(toJSON(list(line = one(z ~ x + s(x, g, bs = "fs", k = 4), 1, 2),
                  curves = one(y ~ f + s(x, g, bs = "fs", k = 4) + s(z, bs = "cr", k = 5), 1, 2)),
             digits = 12, auto_unbox = TRUE), "levels.json")
