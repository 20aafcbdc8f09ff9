# Reference of (1 | gr(g, cov = A)): metafor::rma.mv with known correlations R and no sampling variances.
suppressMessages({library(metafor); library(jsonlite)})
set.seed(20261129)
J <- 12; n <- 60
levels <- sprintf("s%02d", 1:J)
tree_like <- outer(1:J, 1:J, function(i, j) 0.7^abs(i - j))
A <- round(tree_like * outer(rep(c(1, 1.5), length.out = J), rep(c(1, 1.5), length.out = J), function(a, b) sqrt(a * b)), 6)
dimnames(A) <- list(levels, levels)
g <- factor(sample(levels, n, replace = TRUE), levels); h <- factor(sample(letters[1:5], n, replace = TRUE))
x <- round(rnorm(n), 3)
b <- drop(t(chol(A)) %*% rnorm(J)); c <- rnorm(5, sd = 0.6)
y <- round(2 + 0.8 * x + b[g] + c[h] + rnorm(n, sd = 0.7), 3)
data <- data.frame(y, x, g, h, obs = 1:n)
cases <- list()
for (method in c("REML", "ML")) {
  one <- rma.mv(y, 0, mods = ~ x, random = list(~ 1 | g, ~ 1 | obs), R = list(g = A), Rscale = "none",
                method = method, data = data, sparse = FALSE, control = list(optimizer = "optim", optmethod = "Nelder-Mead", maxit = 20000, reltol = 1e-15))
  two <- rma.mv(y, 0, mods = ~ x, random = list(~ 1 | g, ~ 1 | h, ~ 1 | obs), R = list(g = A), Rscale = "none",
                method = method, data = data, control = list(optimizer = "optim", optmethod = "Nelder-Mead", maxit = 20000, reltol = 1e-15))
  for (fit in list(one, two)) cases[[length(cases) + 1]] <- list(
    crossed = length(fit$sigma2) == 3, method = method, loglik = c(logLik(fit)), beta = unname(c(fit$beta)),
    se = unname(fit$se), sigma2 = unname(fit$sigma2))
}
write(toJSON(list(source = paste("metafor", packageVersion("metafor"), "rma.mv"), data = data, A = A, levels = levels,
  cases = cases), digits = NA, auto_unbox = TRUE, pretty = FALSE), "metafor.json")
