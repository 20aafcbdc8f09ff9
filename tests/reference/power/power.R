# Power and precision by a loop by hand, as simr does it: simulate, refit, test.
# R 4.2, lme4 1.1-31, lmerTest 3.1-3. Run: Rscript power.R > power.json
suppressMessages({library(lme4); library(lmerTest); library(jsonlite)})
options(warn = -1)
set.seed(20261128)
N <- 250

linear <- function(data, formula, sd, sigma, beta, name) {
  # one random term (x | Subject) with covariance sd, or an intercept
  X <- model.matrix(nobars(formula)[-2], data); term <- mkReTrms(findbars(formula), data)
  group <- term$flist[[1]]; k <- length(term$cnms[[1]]); Z <- t(as.matrix(term$Zt)); root <- chol(sd)
  rows <- t(sapply(seq_len(N), function(i) {
    b <- matrix(rnorm(nlevels(group) * k), ncol = k) %*% root
    data$y <- drop(X %*% beta + Z %*% as.vector(t(b)) + rnorm(nrow(data), 0, sigma))
    fit <- lmerTest::lmer(formula, data)
    row <- coef(summary(fit))[name, ]
    c(row["Estimate"], row["Std. Error"], row["df"], row["Pr(>|t|)"], isSingular(fit))
  }))
  half <- qt(0.975, rows[, 3]) * rows[, 2]
  list(power = mean(rows[, 4] <= 0.05), width = mean(2 * half), width_sd = sd(2 * half),
       coverage = mean(abs(rows[, 1] - beta[name]) <= half), singular = mean(rows[, 5]), replicates = N)
}

binary <- function(data, sd, beta, name) {
  # without fits that lme4 says have not converged: their standard errors are near zero
  set.seed(5)
  formula <- cbind(incidence, size - incidence) ~ period + (1 | herd)
  X <- model.matrix(~ period, data)
  rows <- t(sapply(seq_len(N), function(i) {
    u <- rnorm(nlevels(data$herd), 0, sd)
    data$incidence <- rbinom(nrow(data), data$size, plogis(X %*% beta + u[data$herd]))
    fit <- glmer(formula, data, binomial)
    row <- coef(summary(fit))[name, ]
    c(row["Estimate"], row["Std. Error"], row["Pr(>|z|)"], isSingular(fit), length(fit@optinfo$conv$lme4$messages))
  }))
  rows <- rows[rows[, 5] == 0 | rows[, 4] == 1, ]
  half <- qnorm(0.975) * rows[, 2]
  list(power = mean(rows[, 3] <= 0.05), width = mean(2 * half), width_sd = sd(2 * half),
       coverage = mean(abs(rows[, 1] - beta[name]) <= half), singular = mean(rows[, 4]), replicates = nrow(rows))
}

trial <- function(J, m) {
  data <- expand.grid(row = seq_len(m), clinic = factor(seq_len(J)))
  data$treated <- as.numeric(as.integer(data$clinic) %% 2 == 0)
  data$y <- rnorm(nrow(data))
  linear(data, y ~ treated + (1 | clinic), matrix(1), 1, c("(Intercept)" = 0, treated = 1), "treated")
}

days <- function(J) {
  data <- expand.grid(Days = 0:9, Subject = factor(seq_len(J)))
  data$y <- rnorm(nrow(data))
  sd <- diag(c(25, 6)) %*% matrix(c(1, 0.1, 0.1, 1), 2) %*% diag(c(25, 6))
  linear(data, y ~ Days + (Days | Subject), sd, 25, c("(Intercept)" = 250, Days = 5), "Days")
}

herds <- function(times) {
  data <- do.call(rbind, lapply(seq_len(times), function(k) transform(cbpp, herd = paste(herd, k))))
  data$herd <- factor(data$herd)
  binary(data, 0.7, c("(Intercept)" = -1.5, period2 = -0.5, period3 = -1, period4 = -1.5), "period2")
}

found <- list(
  trial = list("8" = trial(8, 4), "16" = trial(16, 4)),
  days = list("9" = days(9), "18" = days(18)),
  herds = list("15" = herds(1))
)
cat(toJSON(found, auto_unbox = TRUE, digits = 6, pretty = TRUE), "\n")
