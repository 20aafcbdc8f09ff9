# A trial with the figures that quadrature has for the schizophrenia trial (R's lme4 since 1.1-36, `schizophrenia`), where
# the Laplace approximation has its optimum at standard deviations of 47 and 19. The data here are simulated.
# Rscript laplace.R, in this folder: writes laplace.csv and laplace.json
library(glmmTMB)
library(jsonlite)

set.seed(8)
n <- 120
week <- c(0, 1, 3, 6)
d <- data.frame(id = rep(seq_len(n), each = 4), drug = rep(rbinom(n, 1, 0.75), each = 4), t = round(sqrt(rep(week, n)), 6))
S <- outer(c(2.64, 1.76), c(2.64, 1.76)) * matrix(c(1, -0.452, -0.452, 1), 2)
b <- matrix(rnorm(2 * n), n) %*% chol(S)
eta <- 5.93 + 0.29 * d$drug - 1.40 * d$t - 1.61 * d$drug * d$t + b[d$id, 1] + b[d$id, 2] * d$t
d$y <- rbinom(nrow(d), 1, plogis(eta))
write.csv(d, "laplace.csv", row.names = FALSE)
fit <- glmmTMB(y ~ drug * t + (t | id), d, family = binomial)
v <- VarCorr(fit)$cond$id
out <- list(call = "glmmTMB(y ~ drug * t + (t | id), d, family = binomial)", version = as.character(packageVersion("glmmTMB")),
  criterion = -2 * as.numeric(logLik(fit)), fixef = as.list(fixef(fit)$cond), sd = as.numeric(attr(v, "stddev")))
write(toJSON(out, auto_unbox = TRUE, digits = NA, pretty = TRUE), "laplace.json")
print(out)
