# Data of the cases that are simulated. Run in this folder: Rscript simulate.R
# R 4.2.2, default generators; the numbers of each file are rounded before anything is fitted to them.
write <- function(d, name) write.csv(d, sprintf("data/%s.csv", name), row.names = FALSE, quote = FALSE)
groups <- function(levels, each, letter = "g") rep(sprintf("%s%02d", letter, seq_len(levels)), each = each)
effects <- function(levels, sd, corr = diag(length(sd))) {
  matrix(rnorm(levels * length(sd)), levels) %*% chol(corr * outer(sd, sd))
}

# negative binomial, log(shape) linear in x
set.seed(81001)
d <- data.frame(g = groups(24, 10), x = round(rnorm(240), 3))
b <- effects(24, 0.5)[as.integer(factor(d$g)), ]
d$y <- rnbinom(240, mu = exp(1.6 + 0.4 * d$x + b), size = exp(0.9 + 0.6 * d$x))
write(d, "counts")

# gamma, log(shape) linear in x and different in two groups of rows
set.seed(81002)
d <- data.frame(g = groups(20, 10), x = round(runif(200, -1, 1), 3), kind = rep(c("p", "q"), 100))
b <- effects(20, 0.4)[as.integer(factor(d$g)), ]
shape <- exp(1.1 + 0.7 * d$x + 0.5 * (d$kind == "q"))
d$y <- signif(rgamma(200, shape, scale = exp(0.5 - 0.6 * d$x + b) / shape), 5)
write(d, "times")

# five responses whose effects of g are correlated; residuals of the gaussian ones, a and b, too
set.seed(81003)
n <- 180
d <- data.frame(g = groups(30, 6), x = round(rnorm(n), 3))
R <- 0.4 + 0.6 * diag(5)
u <- effects(30, c(0.8, 0.5, 0.6, 0.9, 0.4), R)[as.integer(factor(d$g)), ]
e <- effects(n, c(1, 0.7), matrix(c(1, 0.35, 0.35, 1), 2))
d$a <- round(2 + 0.5 * d$x + u[, 1] + e[, 1], 3)
d$b <- round(-1 + 0.3 * d$x + u[, 2] + e[, 2], 3)
d$n <- rpois(n, exp(0.8 + 0.3 * d$x + u[, 3]))
d$m <- sample(4:9, n, TRUE)
d$k <- rbinom(n, d$m, plogis(-0.4 + 0.7 * d$x + u[, 4]))
d$w <- signif(rgamma(n, 3, scale = exp(0.2 * d$x + u[, 5]) / 3), 5)
write(d, "responses")

# gaussian, crossed factors in the mean, the first also in log(sigma)
set.seed(81004)
d <- expand.grid(r = 1:2, b = sprintf("b%02d", 1:10), a = sprintf("a%02d", 1:14))[, c("a", "b")]
i <- as.integer(factor(d$a)); j <- as.integer(factor(d$b))
d$y <- round(5 + rnorm(14, 0, 0.9)[i] + rnorm(10, 0, 0.6)[j] + rnorm(280) * exp(-0.2 + rnorm(14, 0, 0.5)[i]), 3)
write(d, "crossed")

# gaussian, groups differ in log(sigma) alone
set.seed(81005)
d <- data.frame(g = groups(12, 8), x = round(runif(96, -1, 1), 3))
d$y <- round(1 + 0.8 * d$x + rnorm(96) * exp(-0.3 + rnorm(12, 0, 0.6)[as.integer(factor(d$g))]), 3)
write(d, "spread")

# negative binomial, groups differ in the mean and in log(shape)
set.seed(81006)
d <- data.frame(g = groups(25, 12), x = round(rnorm(300), 3))
b <- effects(25, c(0.5, 0.8))[as.integer(factor(d$g)), ]
d$y <- rnbinom(300, mu = exp(2 + 0.3 * d$x + b[, 1]), size = exp(0.7 + 0.4 * d$x + b[, 2]))
write(d, "clumps")
