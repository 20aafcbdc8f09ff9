# Cases of survey/ made for the continuous families: simulated data and glmmTMB's estimates, polished by Newton steps.
# Rscript families.R, in this folder. R 4.2.2, glmmTMB 1.1.5.
suppressMessages({library(glmmTMB); library(jsonlite)})

simulate <- function(seed, n, J) {
  set.seed(seed)
  g <- factor(rep(sprintf("g%02d", 1:J), length.out = n))
  x <- round(rnorm(n), 3)
  b <- matrix(rnorm(2 * J), J) %*% matrix(c(0.6, 0.15, 0, 0.3), 2)
  list(g = g, x = x, eta = 0.4 + b[g, 1] + (0.5 + b[g, 2]) * x)
}

shares <- function() {
  s <- simulate(11, 180, 15)
  mu <- plogis(s$eta); phi <- exp(1.8 + 0.4 * s$x)
  y <- round(rbeta(length(mu), mu * phi, (1 - mu) * phi), 4)
  data.frame(share = pmin(pmax(y, 1e-4), 1 - 1e-4), x = s$x, g = s$g)
}

amounts <- function() {
  s <- simulate(12, 200, 20)
  y <- round(rgamma(length(s$x), 2.5, 2.5 / exp(s$eta)), 4)
  hu <- plogis(-0.8 + 0.5 * s$x)
  data.frame(amount = ifelse(runif(length(y)) < hu, 0, y), x = s$x, g = s$g)
}

polish <- function(fit) {
  obj <- fit$obj; p <- fit$fit$par
  for (i in 1:8) {
    step <- solve(optimHess(p, obj$fn, obj$gr, control = list(ndeps = rep(1e-4, length(p)))), as.vector(obj$gr(p)))
    if (max(abs(step)) < 1e-11) break
    p <- p - step
  }
  H <- optimHess(p, obj$fn, obj$gr, control = list(ndeps = rep(1e-4, length(p))))
  obj$fn(p)
  list(p = p, H = H, gradient = max(abs(obj$gr(p))), left = max(abs(step) * sqrt(diag(H))))
}

coefs <- function(b, v, names) setNames(lapply(seq_along(b), function(i) list(estimate = b[[i]], se = sqrt(v[[i]]))), names)

save <- function(name, data_name, data, formula, ours, family, zi = ~0, disp = ~1, nested = NULL) {
  fit <- suppressWarnings(glmmTMB(formula, data, family = family, ziformula = zi, dispformula = disp))
  done <- polish(fit)
  V <- diag(solve(done$H)); p <- done$p; kind <- names(p)
  rep <- fit$obj$report(fit$obj$env$last.par)
  fit$fit$par <- p; fit$fit$parfull <- fit$obj$env$last.par
  random <- fit$obj$env$last.par[fit$obj$env$random]
  mu <- colnames(fit$obj$env$data$X); groups <- levels(data$g)
  k <- fit$modelInfo$reStruc$condReStruc[[1]]$blockSize
  corr <- rep$corr[[1]]; sd <- rep$sd[[1]]
  predictors <- list(mu = coefs(p[kind == "beta"], V[kind == "beta"], mu))
  own <- ours$parameter
  predictors[[own]] <- coefs(p[kind == "betad"], V[kind == "betad"], colnames(fit$obj$env$data$Xd))
  if (any(kind == "betazi")) predictors$hu <- coefs(p[kind == "betazi"], V[kind == "betazi"], colnames(fit$obj$env$data$Xzi))
  modes <- matrix(random, nrow = k)
  rows <- round(seq(1, nrow(data), length.out = 6))
  whole <- function(b) {
    eta <- fit$obj$env$data$X %*% p[kind == "beta"] + b
    mean <- as.vector(fit$modelInfo$family$linkinv(eta))
    if (any(kind == "betazi")) mean <- mean * (1 - plogis(as.vector(fit$obj$env$data$Xzi %*% p[kind == "betazi"])))
    mean[rows]
  }
  Z <- as.matrix(fit$obj$env$data$Z)
  case <- list(
    case = name, engine = "glmmTMB", data = data_name,
    bayesmix = list(formula = ours$formula, family = ours$family),
    call = paste(deparse(fit$call), collapse = ""), criterion = list(name = "-2logLik", value = 2 * fit$obj$fn(p)),
    predictors = predictors,
    varcorr = list(list(group = "g", predictor = "mu", names = I(mu[seq_len(k)]), sd = I(sd), corr = corr)),
    ranef = list(list(group = "g", predictor = "mu", names = I(mu[seq_len(k)]),
                      levels = setNames(lapply(seq_along(groups), function(j) list(mode = I(modes[, j]))), groups))),
    predictions = list(rows_1_based = rows, with_group_effects = list(response = whole(as.vector(Z %*% random))),
                       without_group_effects = list(response = whole(0))),
    polish = list(max_abs_gradient = done$gradient, remaining_step_in_se_units = done$left),
    notes = ours$notes, software = list(R = paste(R.version$major, R.version$minor, sep = "."), glmmTMB = "1.1.5")
  )
  writeLines(toJSON(case, auto_unbox = TRUE, digits = NA, pretty = TRUE), file.path("survey", paste0(name, ".json")))
  cat(name, case$criterion$value, done$gradient, done$left, "\n")
}

s <- shares(); a <- amounts()
write.csv(s, "data/shares.csv", row.names = FALSE)
write.csv(a, "data/amounts.csv", row.names = FALSE)
phi <- "dispersion: log phi"; shape <- "dispersion: log shape"
save("shares_beta", "shares", s, share ~ x + (1 | g), list(formula = "share ~ x + (1 | g)", family = "beta", parameter = "phi", notes = phi), beta_family())
save("shares_beta_phi", "shares", s, share ~ x + (x | g), list(formula = list(mu = "share ~ x + (x | g)", phi = "~ x"), family = "beta", parameter = "phi", notes = phi), beta_family(), disp = ~x)
save("amounts_hurdle_gamma", "amounts", a, amount ~ x + (1 | g), list(formula = list(mu = "amount ~ x + (1 | g)", hu = "~ x"), family = "hurdle_gamma", parameter = "shape", notes = shape), ziGamma(link = "log"), zi = ~x)
