# Counts with zeros of their own by glmmTMB: Owls, Salamanders (data that come with glmmTMB).
# Rscript counts.R writes data/Owls.csv, the data set Salamanders of the package and survey/CASE.json.
suppressPackageStartupMessages({library(glmmTMB); library(jsonlite)})
Sys.setenv(OPENBLAS_NUM_THREADS = "1")
data(Owls, Salamanders, package = "glmmTMB")
levels(Owls$Nest) <- trimws(levels(Owls$Nest))
Salamanders$site <- factor(as.character(Salamanders$site), levels = levels(Salamanders$site)) # not ordered
write.csv(Owls[c("Nest", "FoodTreatment", "SexParent", "ArrivalTime", "SiblingNegotiation", "BroodSize")],
          "data/Owls.csv", row.names = FALSE, quote = FALSE)
write.csv(Salamanders, "../../../bayesmix/data/datasets/Salamanders.csv", row.names = FALSE, quote = FALSE)

jacobian <- function(gr, p, h = 1e-4) {
  H <- sapply(seq_along(p), function(i) {
    e <- replace(numeric(length(p)), i, h * max(1, abs(p[i])))
    drop(8 * (gr(p + e) - gr(p - e)) - gr(p + 2 * e) + gr(p - 2 * e)) / (12 * sum(e))
  })
  (H + t(H)) / 2
}

# Newton steps from where glmmTMB stops: TMB's gradients are exact
polish <- function(fit) {
  obj <- fit$obj; p <- fit$fit$par
  for (k in 1:6) {
    g <- drop(obj$gr(p)); H <- jacobian(function(q) drop(obj$gr(q)), p); step <- -solve(H, g)
    if (max(abs(step)) < 1e-10) break
    if (obj$fn(p + step) > obj$fn(p) + 1e-9) break
    p <- p + step
  }
  value <- as.numeric(obj$fn(p))
  list(par = p, H = H, value = value, left = max(abs(step) * sqrt(diag(H))), u = obj$env$last.par.best, g = drop(obj$gr(p)))
}

case <- function(name, data, bayesmix, cond, zi, family, notes = "") {
  d <- get(data); hurdle <- grepl("truncated", family$family); zname <- if (hurdle) "hu" else "zi"
  starts <- list(NULL, list(betazi = rep(-2, ncol(model.matrix(lme4::nobars(zi), d)))), list(theta = rep(-1, length(lme4::findbars(cond)))))
  fits <- lapply(starts, function(s) suppressWarnings(glmmTMB(cond, ziformula = zi, family = family, data = d, start = s)))
  best <- fits[[which.min(sapply(fits, function(f) f$fit$objective))]]
  r <- polish(best); se <- sqrt(diag(solve(r$H))); n <- names(r$par); obj <- best$obj
  obj$fn(r$par); full <- obj$env$last.par; pl <- obj$env$parList(par = full)
  block <- function(key, labels) setNames(Map(function(b, s) list(estimate = b, se = s), unname(r$par[n == key]), unname(se[n == key])), labels)
  X <- getME(best, "X"); Xzi <- getME(best, "Xzi")
  predictors <- list(mu = block("beta", colnames(X)))
  predictors[[zname]] <- block("betazi", colnames(Xzi))
  number <- NULL
  if (any(n == "betad")) { key <- if (family$family %in% c("nbinom1", "truncated_nbinom1")) "phi" else "shape"
    number <- setNames(list(list(value = unname(exp(r$par[n == "betad"])), se_log = unname(se[n == "betad"]))), key) }
  sd <- exp(c(r$par[n == "theta"], r$par[n == "thetazi"])); bars <- list(mu = lme4::findbars(cond), zi = lme4::findbars(zi)); k <- 0
  varcorr <- list(); ranef <- list(); effects <- list(mu = numeric(nrow(d)), zi = numeric(nrow(d)))
  for (part in c("mu", "zi")) { u <- if (part == "mu") pl$b else pl$bzi; at <- 0
    for (bar in bars[[part]]) { k <- k + 1; g <- deparse(bar[[3]]); f <- factor(d[[g]]); own <- u[at + seq_len(nlevels(f))]; at <- at + nlevels(f)
      label <- if (part == "mu") "mu" else zname
      varcorr <- c(varcorr, list(list(group = g, predictor = label, names = I("(Intercept)"), sd = I(unname(sd[k])))))
      ranef <- c(ranef, list(list(group = g, predictor = label, names = I("(Intercept)"), levels = setNames(lapply(own, function(x) list(mode = I(x))), levels(f)))))
      effects[[part]] <- effects[[part]] + own[as.integer(f)] } }
  offset <- model.offset(model.frame(best)); if (is.null(offset)) offset <- 0
  eta <- drop(X %*% r$par[n == "beta"]) + offset; z <- drop(Xzi %*% r$par[n == "betazi"])
  scopes <- list(with_group_effects = 1, without_group_effects = 0); rows <- unique(round(seq(1, nrow(d), length.out = 6)))
  other <- if (is.null(number)) NULL else number[[1]]$value
  predictions <- lapply(scopes, function(on) { m <- exp(eta + on * effects$mu); p <- plogis(z + on * effects$zi)
    f0 <- switch(family$family, poisson = , truncated_poisson = exp(-m), nbinom1 = , truncated_nbinom1 = (1 + other)^(-m / other), (1 + m / other)^(-other))
    response <- if (hurdle) (1 - p) * m / (1 - f0) else (1 - p) * m; zero <- if (hurdle) p else p + (1 - p) * f0
    list(response = I(response[rows]), mu = I(m[rows]), zero_probability = I(zero[rows])) })
  out <- list(case = name, engine = "glmmTMB", data = data, bayesmix = bayesmix, r_formula = paste(deparse(best$call, 500), collapse = ""),
    method = "maximum likelihood, Laplace approximation with the observed Hessian (TMB)", n_obs = nrow(d),
    criterion = list(name = "-2logLik", value = 2 * r$value), logLik = -r$value, df = length(r$par), predictors = predictors, numbers = number, varcorr = varcorr, ranef = ranef,
    predictions = c(list(rows_1_based = I(rows)), predictions),
    polish = list(max_abs_gradient = max(abs(r$g)), remaining_step_in_se_units = r$left, starts_logLik = I(-sapply(fits, function(f) f$fit$objective))),
    notes = notes, software = list(R = as.character(getRversion()), glmmTMB = as.character(packageVersion("glmmTMB")), TMB = as.character(packageVersion("TMB"))))
  write(toJSON(out, digits = 15, auto_unbox = TRUE, pretty = 1, null = "null"), file.path("survey", paste0(name, ".json")))
  cat(sprintf("%-26s logLik %.9f left %.1e gradient %.1e starts %s\n", name, -r$value, r$left, max(abs(r$g)), paste(sprintf("%.4f", -sapply(fits, function(f) f$fit$objective)), collapse = " ")))
}

owls <- SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest)
mu <- "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest)"
case("owls_zero_inflated_nbinom1", "Owls", list(formula = list(mu = mu, zi = "~ 1"), family = "zero_inflated_nbinom1"), owls, ~ 1, nbinom1())
case("owls_hurdle_poisson", "Owls", list(formula = list(mu = mu, hu = "~ FoodTreatment"), family = "hurdle_poisson"), owls, ~ FoodTreatment, truncated_poisson())
case("owls_hurdle_nbinom1", "Owls", list(formula = list(mu = mu, hu = "~ FoodTreatment"), family = "hurdle_nbinom1"), owls, ~ FoodTreatment, truncated_nbinom1())
case("salamanders_zip", "Salamanders", list(formula = list(mu = "count ~ mined + (1 | site)", zi = "~ mined + (1 | site)"), family = "zero_inflated_poisson"),
     count ~ mined + (1 | site), ~ mined + (1 | site), poisson())
case("salamanders_zinb", "Salamanders", list(formula = list(mu = "count ~ spp + mined + (1 | site)", zi = "~ cover"), family = "zero_inflated_negbinomial"),
     count ~ spp + mined + (1 | site), ~ cover, nbinom2())
case("salamanders_hurdle_nb", "Salamanders", list(formula = list(mu = "count ~ spp + mined + (1 | site)", hu = "~ spp + mined"), family = "hurdle_negbinomial"),
     count ~ spp + mined + (1 | site), ~ spp + mined, truncated_nbinom2())
