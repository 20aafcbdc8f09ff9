# Reference values of covariance structures of effects by position: ou, exp, gau, mat; and toep. glmmTMB 1.1.5.
# Rscript positions.R DIRECTORY  writes series.csv, field.csv and positions.json there
suppressMessages({library(glmmTMB); library(jsonlite)})
out <- commandArgs(TRUE)[1]
set.seed(20261129)

# series: 30 subjects, 6 of 12 unequally spaced times each
times <- c(0, 0.4, 1, 1.7, 2, 3.1, 3.5, 4.6, 5, 6.2, 7.5, 9)
series <- do.call(rbind, lapply(1:30, function(i) data.frame(subject = sprintf("s%02d", i), time = sort(sample(times, 6)))))
series$x <- round(rnorm(nrow(series)), 2)
series$u <- 0
for (s in unique(series$subject)) {
  at <- series$subject == s; t <- series$time[at]
  series$u[at] <- drop(t(chol(exp(-abs(outer(t, t, "-")) / 2))) %*% rnorm(length(t)))
}
series$y <- round(5 + 0.5 * series$x + 1.5 * series$u + 0.8 * rnorm(nrow(series)), 3)
series$count <- rpois(nrow(series), exp(0.7 + 0.3 * series$x + 0.8 * series$u))
series$u <- NULL

# field: 70 places, 2 rows each
n <- 70
place <- data.frame(east = round(runif(n, 0, 10), 1), north = round(runif(n, 0, 10), 1))
place <- unique(place)
d <- as.matrix(dist(place))
place$u <- drop(t(chol(exp(-d / 3) + diag(1e-10, nrow(place)))) %*% rnorm(nrow(place)))
field <- place[rep(seq_len(nrow(place)), each = 2), ]
field$one <- "all"
field$x <- round(rnorm(nrow(field)), 2)
field$y <- round(2 + field$x + 1.4 * field$u + 0.7 * rnorm(nrow(field)), 3)
field$count <- rpois(nrow(field), exp(0.5 + 0.4 * field$x + 0.8 * field$u))
field$u <- NULL
# visits: 40 subjects, 4 visits with 2 rows each
R <- toeplitz(c(1, 0.6, 0.5, 0.2))
visits <- do.call(rbind, lapply(1:40, function(i) {
  u <- drop(t(chol(R)) %*% rnorm(4)) * c(1, 1.5, 1.2, 2)
  data.frame(subject = sprintf("s%02d", i), visit = rep(1:4, each = 2), u = rep(u, each = 2))
}))
visits$x <- round(rnorm(nrow(visits)), 2)
visits$y <- round(3 + 0.5 * visits$x + visits$u + 0.7 * rnorm(nrow(visits)), 3)
visits$count <- rpois(nrow(visits), exp(0.8 + 0.3 * visits$x + 0.5 * visits$u))
visits$u <- NULL

write.csv(series, file.path(out, "series.csv"), row.names = FALSE)
write.csv(field, file.path(out, "field.csv"), row.names = FALSE)

write.csv(visits, file.path(out, "visits.csv"), row.names = FALSE)
visits$f <- factor(visits$visit); series$pos <- numFactor(series$time)
field$pos <- numFactor(field$east, field$north)
cases <- list(
  ou_gaussian = list(y ~ x + ou(0 + pos | subject), series, gaussian()),
  ou_poisson = list(count ~ x + ou(0 + pos | subject), series, poisson()),
  toep_gaussian = list(y ~ x + toep(0 + f | subject), visits, gaussian()),
  toep_poisson = list(count ~ x + toep(0 + f | subject), visits, poisson()),
  exp_gaussian = list(y ~ x + exp(0 + pos | one), field, gaussian()),
  exp_poisson = list(count ~ x + exp(0 + pos | one), field, poisson()),
  gau_gaussian = list(y ~ x + gau(0 + pos | one), field, gaussian()),
  gau_poisson = list(count ~ x + gau(0 + pos | one), field, poisson()),
  mat_gaussian = list(y ~ x + mat(0 + pos | one), field, gaussian())
)
results <- list()
for (name in names(cases)) {
  case <- cases[[name]]
  for (reml in if (grepl("gaussian", name)) c(FALSE, TRUE) else FALSE) {
    fit <- glmmTMB(case[[1]], data = case[[2]], family = case[[3]], REML = reml)
    # tighter: Newton steps from the optimum found
    obj <- fit$obj; par <- fit$fit$par
    for (i in 1:3) { h <- optimHess(par, obj$fn, obj$gr); step <- tryCatch(solve(h, obj$gr(par)), error = function(e) 0 * par)
      if (obj$fn(par - step) <= obj$fn(par) + 1e-12) par <- par - drop(step) }
    value <- obj$fn(par)
    key <- paste0(name, if (reml) "_reml" else "")
    obj$fn(par); p <- obj$env$parList(par, obj$env$last.par); now <- obj$report(obj$env$last.par)
    results[[key]] <- list(criterion = 2 * as.numeric(value), beta = as.numeric(p$beta), theta = as.numeric(p$theta),
      betad = as.numeric(p$betad), sd = as.numeric(now$sd[[1]]),
      lags = if (grepl("toep", name)) as.numeric(now$corr[[1]][1, ]) else NA, se = tryCatch(sqrt(diag(solve(optimHess(par, obj$fn, obj$gr)))), error = function(e) NA),
      gradient = max(abs(obj$gr(par))))
    cat(key, 2 * value, max(abs(obj$gr(par))), as.numeric(p$theta), "\n")
  }
}
write_json(results, file.path(out, "positions.json"), digits = 14, auto_unbox = FALSE, pretty = TRUE)
