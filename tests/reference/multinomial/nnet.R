# Multinomial regression by nnet, counts as weights of the rows: estimates, standard errors, log-likelihood.
library(nnet)
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
m <- multinom(cbind(a, b, c) ~ x, d, reltol = 1e-15, maxit = 1000, trace = FALSE, Hess = TRUE)
est <- coef(m)
se <- matrix(sqrt(diag(vcov(m))), 2, byrow = TRUE)
counts <- as.matrix(d[c("a", "b", "c")])
constant <- sum(lgamma(d$n + 1)) - sum(lgamma(counts + 1))
out <- data.frame(category = rep(rownames(est), each = 2), term = rep(colnames(est), 2),
  estimate = as.vector(t(est)), std_error = as.vector(t(se)), kernel = as.numeric(logLik(m)), constant = constant)
write.csv(format(out, digits = 12), args[2], row.names = FALSE, quote = FALSE)
