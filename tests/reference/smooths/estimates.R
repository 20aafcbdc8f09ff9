# Estimates of models with smooths by gamm4 and mgcv, to estimates.json; data to ../smooths/curves.csv.
# R 4.2.2, mgcv 1.8-41, gamm4 0.2-6, lme4 1.1-31. Rscript estimates.R
suppressMessages({library(mgcv); library(gamm4); library(jsonlite)})
set.seed(7)
n <- 240
d <- data.frame(x = round(runif(n), 3), z = round(runif(n), 3), w = round(rnorm(n), 2),
                f = factor(sample(c("a", "b", "c"), n, TRUE)), g = factor(rep(sprintf("g%02d", 1:20), each = 12)))
d$o <- factor(d$f, ordered = TRUE)
curve <- with(d, sin(3 * pi * x) * c(a = 1, b = 0.8, c = -0.9)[as.character(f)] + 0.8 * w * sin(4 * x) + cos(5 * z) * x)
effect <- rnorm(20, 0, 0.4)[as.integer(d$g)]
slope <- rnorm(20, 0, 0.6)[as.integer(d$g)]
d$y <- round(2 + curve + effect + slope * d$x + rnorm(n, 0, 0.3), 4)
d$count <- rpois(n, exp(1 + 0.6 * curve + effect))
d$success <- rbinom(n, 1, plogis(3 * curve + effect))
write.csv(d, "curves.csv", row.names = FALSE)
new <- data.frame(x = c(0.05, 0.4, 0.75, 0.99), z = c(0.9, 0.3, 0.5, 0.1), w = c(-1, 0.5, 0, 1.5),
                  f = factor(c("a", "b", "c", "a"), levels = levels(d$f)), g = factor("g01", levels = levels(d$g)))
new$o <- factor(new$f, levels = levels(d$o), ordered = TRUE)

bars <- function(b) lapply(VarCorr(b), function(one) as.numeric(attr(one, "stddev")[1]))
by_smooth <- function(gam) { # gamm4 leaves out the reference degrees of freedom that `gam` has
  if (is.null(gam$edf1) && !is.null(gam$R)) {
    F <- gam$Vp %*% crossprod(gam$R)
    if (max(abs(diag(F) - gam$edf)) > 1e-6) print(c(deparse1(gam$formula), max(abs(diag(F) - gam$edf))))
    gam$edf1 <- 2 * gam$edf - rowSums(t(F) * F)
  }
  s <- summary(gam)$s.table
  lapply(setNames(rownames(s), rownames(s)), function(name) as.list(setNames(s[name, ], colnames(s))))
}
one <- function(formula, random = ~ (1 | g), family = gaussian(), REML = TRUE, starts = list(NULL)) {
  fit <- if (family$family == "gaussian") {
    tries <- lapply(starts, function(start) {
      gamm4(formula, random = random, data = d, REML = REML, start = start,
            control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11, maxfun = 1e5)))
    })
    tries[[which.min(sapply(tries, function(one) if (REML) REMLcrit(one$mer) else -2 * logLik(one$mer)))]]
  } else {
    gamm4(formula, random = random, data = d, family = family,
          control = glmerControl(optimizer = c("bobyqa", "bobyqa"), tolPwrss = 1e-12,
                                 optCtrl = list(rhoend = 1e-11, maxfun = 1e5)))
  }
  p <- predict(fit$gam, new, se.fit = TRUE)
  terms <- predict(fit$gam, new, type = "terms", se.fit = TRUE)
  list(formula = deparse1(formula), random = if (is.null(random)) "" else deparse1(random), family = family$family,
       criterion = as.numeric(if (REML && family$family == "gaussian") REMLcrit(fit$mer) else -2 * logLik(fit$mer)),
       sds = bars(fit$mer), sigma = sigma(fit$mer), smooths = by_smooth(fit$gam),
       fitted = unname(fitted(fit$mer))[1:10],
       population = list(fit = as.numeric(p$fit), se = as.numeric(p$se.fit)),
       terms = lapply(as.data.frame(terms$fit), as.numeric), terms_se = lapply(as.data.frame(terms$se.fit), as.numeric))
}
cases <- list(
  thin = one(y ~ s(x)),
  cubic = one(y ~ f + s(x, bs = "cr", k = 8)),
  cyclic = one(y ~ s(x, bs = "cc", k = 8)),
  by_factor = one(y ~ f + s(x, by = f, k = 6)),
  by_ordered = one(y ~ o + s(x, k = 6) + s(x, by = o, k = 6)),
  by_number = one(y ~ s(x, by = w, k = 6)),
  two = one(y ~ w + s(x) + s(z, k = 6)),
  surface = one(y ~ s(x, z, k = 15)),
  tensor = one(y ~ t2(x, z, k = 4)),
  ml = one(y ~ s(x) + f, REML = FALSE),
  slopes = one(y ~ s(x, k = 6), random = ~ (x | g), # bobyqa ends in another optimum from its own start
               starts = list(NULL, c(1.5, -1, 1, 2), c(1.5, -1, 1, 20), c(1, 0, 1, 5))),
  poisson = one(count ~ s(x, k = 6), family = poisson()),
  logistic = one(success ~ f + s(x, by = f, k = 5), family = binomial())
)
# mgcv alone, whose REML criterion is that of the same model: without bars
gam_of <- function(formula) {
  fit <- gam(formula, data = d, method = "REML", control = gam.control(epsilon = 1e-10))
  list(formula = deparse1(formula), smooths = by_smooth(fit), fitted = as.numeric(fitted(fit))[1:10],
       scale = sqrt(fit$sig2), reml = as.numeric(fit$gcv.ubre), edf_total = sum(fit$edf))
}
alone <- list(thin = gam_of(y ~ s(x)), by_factor = gam_of(y ~ f + s(x, by = f, k = 6)),
              tensor = gam_of(y ~ t2(x, z, k = 4)), with_bar = gam_of(y ~ s(x) + s(g, bs = "re")), cyclic = gam_of(y ~ s(x, bs = "cc", k = 8)))
# summary.gam takes R of another parametrisation than the coefficients of t2 have: the same test by their own columns
of_t2 <- gam(y ~ t2(x, z, k = 4), data = d, method = "REML", control = gam.control(epsilon = 1e-10))
own <- 2:length(coef(of_t2))
tested <- mgcv:::testStat(coef(of_t2)[own], predict(of_t2, type = "lpmatrix")[, own], of_t2$Vp[own, own],
                          sum(of_t2$edf1[own]), 0, of_t2$df.residual)
alone$tensor$smooths[[1]][c("F", "p-value")] <- c(tested$stat / tested$rank, tested$pval)
# Curves of levels: mgcv leaves the rotation of the null space to rounding; here the constant and a line. Dense REML.
base <- smoothCon(s(x, g, bs = "fs", k = 5), d, absorb.cons = TRUE)[[1]]
rank <- 3
X <- base$Xb
null <- cbind(1, d$x)
null <- qr.Q(qr(null)) * sqrt(n)
blocks <- list(X[, 1:rank], null[, 1, drop = FALSE], null[, 2, drop = FALSE])
G <- model.matrix(~ g - 1, d)
ZZ <- lapply(blocks, function(B) tcrossprod(B) * tcrossprod(G))
fixed <- cbind(1, d$x)
dense <- function(theta) {
  V <- diag(n) + Reduce(`+`, Map(function(Q, t) exp(2 * t) * Q, ZZ, theta))
  L <- chol(V)
  A <- backsolve(L, fixed, transpose = TRUE)
  r <- backsolve(L, d$y, transpose = TRUE)
  R <- qr(A)
  rss <- sum(qr.resid(R, r)^2)
  2 * sum(log(diag(L))) + 2 * sum(log(abs(diag(qr.R(R))))) + (n - 2) * (1 + log(2 * pi * rss / (n - 2)))
}
best <- nlminb(c(0, 0, 0), dense, control = list(rel.tol = 1e-14, x.tol = 1e-12))
part <- rep(1:3, c(rank, 1, 1) * 20)
Z <- do.call(cbind, lapply(blocks, function(B) do.call(cbind, lapply(1:ncol(B), function(j) B[, j] * G))))
V <- diag(n) + Reduce(`+`, Map(function(Q, t) exp(2 * t) * Q, ZZ, best$par))
W <- solve(V)
P <- W - W %*% fixed %*% solve(t(fixed) %*% W %*% fixed, t(fixed) %*% W)
degrees <- exp(2 * best$par)[part] * colSums(Z * (P %*% Z)) # 1 - Var(b - b_hat) / s^2 of each effect
levels <- list(formula = 'y ~ x + s(x, g, bs = "fs", k = 5)', criterion = best$objective, edf = sum(degrees))
write(toJSON(list(new = lapply(new, function(c) if (is.factor(c)) as.character(c) else c), cases = cases, alone = alone,
                  levels = levels), digits = 12, auto_unbox = TRUE, pretty = FALSE), "estimates.json")
print(best)
