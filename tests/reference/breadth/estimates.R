# Estimates of distributional and multi-response models by maximum likelihood (Laplace) or REML: the template rows.cpp,
# and glmmTMB where it has the model. Run in this folder: Rscript estimates.R [CASE ...]; writes estimates/CASE.json.
# The criterion is -2 log-likelihood with all constants (REML: -2 log of its integral over the mean's fixed effects).
suppressMessages({library(TMB); library(glmmTMB); library(jsonlite); library(Matrix)})
build <- file.path(Sys.getenv("ROWS_BUILD", tempdir()), "rows"); invisible(file.copy("rows.cpp", paste0(build, ".cpp")))
compile(paste0(build, ".cpp"), flags = "-O1"); dyn.load(dynlib(build))
`%||%` <- function(a, b) if (is.null(a)) b else a
FAMILY <- c(gaussian = 1L, poisson = 2L, binomial = 3L, gamma = 4L, negbinomial = 5L)
AUX <- c(gaussian = "sigma", gamma = "shape", negbinomial = "shape")
compact <- function(text) { # numbers of an array in one line
  gsub("\\n\\s*(?=[]}])", " ", gsub("\\n\\s+(?=[-0-9\"][^][{}\\n]*,?\\n)", " ", text, perl = TRUE), perl = TRUE)
}
DATA <- function(name) {
  file <- sprintf(c("data/%s.csv", "../../../bayesmix/data/datasets/%s.csv"), name)
  d <- read.csv(file[file.exists(file)][1])
  for (v in intersect(names(d), c("Subject", "g", "patient", "Trt", "kind"))) d[[v]] <- factor(d[[v]])
  if (name == "crossed") for (v in c("a", "b")) d[[v]] <- factor(d[[v]])
  d
}

# ---- a model: responses (family, formulas of the mean and of the auxiliary), bars (group, effects by response and predictor)
response <- function(y, family, mu, aux = NULL, trials = NULL, name = y) list(name = name, y = y, family = family, mu = mu, aux = aux, trials = trials)
bar <- function(group, ...) list(group = group, effects = list(...))
mean_of <- function(f, response = 1) list(aux = FALSE, f = f, response = response)
aux_of <- function(f, response = 1) list(aux = TRUE, f = f, response = response)
columns <- function(f, d) { m <- model.matrix(f, d); colnames(m)[colnames(m) == "(Intercept)"] <- "Intercept"; m }
offsets <- function(f, d) { o <- model.offset(model.frame(f, d)); if (is.null(o)) rep(0, nrow(d)) else o }
prefix <- function(rs, i, aux) {
  own <- if (length(rs) > 1) paste0(rs[[i]]$name, "_") else ""
  paste0(if (aux) paste0(AUX[[rs[[i]]$family]], "_"), own)
}
center <- function(y, family, trials) switch(family, gaussian = mean(y), binomial = qlogis(sum(y) / sum(trials)), log(mean(y)))

assemble <- function(model) {
  d <- DATA(model$data); rs <- model$responses; n <- nrow(d); R <- length(rs); N <- n * R
  rows <- function(i) (i - 1) * n + seq_len(n)
  X <- W <- matrix(0, N, 0); offset_mu <- offset_aux <- numeric(N); is_log <- logical(); beta <- gamma <- numeric()
  for (i in seq_len(R)) {
    r <- rs[[i]]; y <- d[[r$y]]; M <- columns(r$mu, d); offset_mu[rows(i)] <- offsets(r$mu, d)
    wide <- matrix(0, N, ncol(M), dimnames = list(NULL, paste0(prefix(rs, i, FALSE), colnames(M)))); wide[rows(i), ] <- M; X <- cbind(X, wide)
    beta <- c(beta, center(y, r$family, d[[r$trials %||% "none"]]) - mean(offset_mu[rows(i)]), rep(0, ncol(M) - 1))
    if (r$family %in% names(AUX)) {
      M <- columns(r$aux %||% ~ 1, d); if (!is.null(r$aux)) offset_aux[rows(i)] <- offsets(r$aux, d)
      label <- if (is.null(r$aux)) sub("_$", "", prefix(rs, i, TRUE)) else paste0(prefix(rs, i, TRUE), colnames(M))
      wide <- matrix(0, N, ncol(M), dimnames = list(NULL, label)); wide[rows(i), ] <- M; W <- cbind(W, wide)
      gamma <- c(gamma, if (r$family == "gaussian") log(sd(y) / 2) else 0.5, rep(0, ncol(M) - 1)); is_log <- c(is_log, rep(is.null(r$aux), ncol(M)))
    }
  }
  A <- B <- Matrix(0, N, 0, sparse = TRUE); k <- J <- integer(); sd0 <- numeric(); sds <- corrs <- character(); modes <- list()
  for (one in model$bars) {
    codes <- as.integer(d[[one$group]]); q <- nlevels(d[[one$group]]); label <- character(); parts <- list()
    for (e in one$effects) { M <- columns(e$f, d)
      for (a in seq_len(ncol(M))) { parts <- c(parts, list(list(z = M[, a], rows = rows(e$response), aux = e$aux))); label <- c(label, paste0(prefix(rs, e$response, e$aux), colnames(M)[a]))
        r <- rs[[e$response]]; sd0 <- c(sd0, if (!e$aux && r$family == "gaussian") sd(d[[r$y]]) / (3 * max(1, sd(M[, a]))) else 0.4) } }
    m <- length(parts); blocks <- lapply(c(FALSE, TRUE), function(aux) { S <- Matrix(0, N, m * q, sparse = TRUE)
      for (a in seq_len(m)) if (parts[[a]]$aux == aux) S <- S + sparseMatrix(i = parts[[a]]$rows, j = (codes - 1) * m + a, x = parts[[a]]$z, dims = c(N, m * q)); S })
    A <- cbind(A, blocks[[1]]); B <- cbind(B, blocks[[2]]); k <- c(k, m); J <- c(J, q)
    sds <- c(sds, sprintf("sd(%s, %s)", one$group, label))
    if (m > 1) for (i in 2:m) for (j in 1:(i - 1)) corrs <- c(corrs, sprintf("corr(%s, %s, %s)", one$group, label[j], label[i]))
    modes <- c(modes, list(list(group = one$group, columns = label, levels = levels(d[[one$group]]))))
  }
  mate <- rep(-1L, N); if (model$rescor) { mate[rows(1)] <- rows(2) - 1L; mate[rows(2)] <- -2L }
  rescor <- if (model$rescor) sprintf("rescor(%s, %s)", rs[[1]]$name, rs[[2]]$name) else character()
  list(data = list(family = rep(FAMILY[vapply(rs, `[[`, "", "family")], each = n), y = as.numeric(unlist(lapply(rs, function(r) d[[r$y]]))),
      trials = as.numeric(unlist(lapply(rs, function(r) if (is.null(r$trials)) rep(1, n) else d[[r$trials]]))), mate = mate, X = unname(X), W = unname(W),
      offset_mu = offset_mu, offset_aux = offset_aux, A = as(as(A, "generalMatrix"), "CsparseMatrix"), B = as(as(B, "generalMatrix"), "CsparseMatrix"), k = as.integer(k), J = as.integer(J)),
    start = list(beta = beta, gamma = gamma, sd = sd0, corr = rep(0, length(corrs)), rho = rep(0, length(rescor)), b = rep(0, sum(k * J))),
    names = c(colnames(X), colnames(W), sds, corrs, rescor), is_log = c(rep(FALSE, ncol(X)), is_log, rep(FALSE, length(sds) + length(corrs) + length(rescor))), p = ncol(X), modes = modes)
}

# ---- optimum: exact gradients, then Newton steps ---------------------------------------------------------------------
jacobian <- function(g, p) { H <- vapply(seq_along(p), function(i) { h <- 1e-4 * max(abs(p[i]), 0.1); e <- replace(0 * p, i, h)
  (8 * (drop(g(p + e)) - drop(g(p - e))) - (drop(g(p + 2 * e)) - drop(g(p - 2 * e)))) / (12 * h) }, p); (H + t(H)) / 2 }
polish <- function(object, p) {
  for (step in 1:6) { H <- jacobian(object$gr, p); move <- -solve(H, drop(object$gr(p))); if (max(abs(move) * sqrt(diag(H))) < 1e-9) break
    if (max(abs(object$gr(p + move))) >= max(abs(object$gr(p)))) break; p <- p + move }
  list(p = p, H = H, left = max(abs(solve(H, drop(object$gr(p)))) * sqrt(diag(H))))
}
fit_rows <- function(model) {
  m <- assemble(model); reml <- isTRUE(model$reml)
  object <- MakeADFun(m$data, m$start, random = c("b", if (reml) "beta"), DLL = "rows", silent = TRUE, inner.control = list(tol = 1e-11, tol10 = 0, maxit = 1000, mgcmax = 1e60))
  what <- names(object$par); low <- ifelse(what == "sd", 1e-3 * object$par, ifelse(what %in% c("corr", "rho"), -0.98, -Inf))
  found <- lapply(1:3, function(start) { set.seed(start); p <- object$par * exp(if (start > 1) rnorm(length(what), 0, 0.4) * (what == "sd") else 0)
    tryCatch(suppressWarnings(nlminb(p, object$fn, object$gr, lower = low, upper = ifelse(what %in% c("corr", "rho"), 0.98, Inf), control = list(iter.max = 2000, eval.max = 4000, rel.tol = 1e-14))), error = function(e) list(objective = Inf)) })
  values <- vapply(found, `[[`, 0, "objective"); best <- polish(object, found[[which.min(values)]]$par)
  list(m = m, object = object, p = best$p, H = best$H, left = best$left, starts = values, nll = as.numeric(object$fn(best$p)), reml = reml)
}

# ---- in bayesmix's names ---------------------------------------------------------------------------------------------
natural <- function(p, is_log) ifelse(is_log, exp(p), p)
at <- function(fit, p) { # criterion and gradient in natural coordinates
  kept <- if (fit$reml) -seq_len(fit$m$p) else seq_along(fit$m$names); is_log <- fit$m$is_log[kept]
  inner <- replace(p, is_log, log(p[is_log])); value <- fit$object$fn(inner); slope <- drop(fit$object$gr(inner)) / ifelse(is_log, p, 1)
  list(parameters = as.list(setNames(p, fit$m$names[kept])), criterion = 2 * as.numeric(value), gradient = as.list(setNames(2 * slope, fit$m$names[kept])))
}
points <- function(fit, estimate, se) { # three, away from the optimum, of few digits
  what <- names(fit$object$par); kept <- if (fit$reml) -seq_len(fit$m$p) else seq_along(fit$m$names); is_log <- fit$m$is_log[kept]; sign <- rep_len(c(1, -1), length(what))
  one <- function(shift, factor, corr) signif(ifelse(what == "sd" | is_log, estimate * factor ^ ifelse(is_log, 0.5, sign), ifelse(what %in% c("corr", "rho"), corr, estimate + sign * shift * se)), 4)
  lapply(list(one(0.5, 1.3, 0.3), one(-1, 0.7, -0.2), one(1.5, 1.8, 0.5)), function(p) at(fit, p))
}
describe <- function(name, model) {
  fit <- fit_rows(model); m <- fit$m; fit$object$fn(fit$p); full <- fit$object$env$last.par
  kept <- if (fit$reml) -seq_len(m$p) else seq_along(m$names); is_log <- m$is_log[kept]; estimate <- natural(fit$p, is_log)
  se <- unname(sqrt(diag(solve(fit$H)))) * ifelse(is_log, estimate, 1); H <- fit$object$env$spHess(full, random = TRUE); V <- diag(as.matrix(solve(H)))
  random <- names(full)[fit$object$env$random]; parameters <- Map(function(e, s) list(estimate = e, se = s), setNames(unname(estimate), m$names[kept]), se)
  if (fit$reml) { # joint_se: the uncertainty of all other parameters carried into the coefficients of the means
    Q <- sdreport(fit$object, par.fixed = fit$p, hessian.fixed = fit$H, getJointPrecision = TRUE)$jointPrecision; joint <- sqrt(diag(solve(as.matrix(Q))))[rownames(Q) == "beta"]
    parameters <- c(Map(function(e, s, j) list(estimate = e, se = s, joint_se = j), setNames(unname(full[names(full) == "beta"]), m$names[seq_len(m$p)]), unname(sqrt(V[random == "beta"])), unname(joint)), parameters) }
  b <- full[names(full) == "b"]; s <- sqrt(V[random == "b"]); begin <- 0; modes <- list()
  for (t in seq_along(m$modes)) { one <- m$modes[[t]]; q <- length(one$columns); ix <- begin + seq_len(q * length(one$levels)); begin <- max(ix)
    modes[[t]] <- list(group = one$group, columns = I(one$columns), levels = I(one$levels), mode = unname(matrix(b[ix], ncol = q, byrow = TRUE)), condsd = unname(matrix(s[ix], ncol = q, byrow = TRUE))) }
  checks <- if (is.null(model$glmmTMB)) NULL else list(glmmTMB = compare(model, fit, parameters))
  out <- c(list(case = name, engine = "template rows.cpp (TMB), Laplace with the observed Hessian", data = model$data, formula = model$formula, family = model$family, rescor = model$rescor,
    responses = lapply(model$responses, function(r) c(list(name = r$name, y = r$y, family = r$family), if (!is.null(r$trials)) list(trials = r$trials))), offsets = model$offsets %||% setNames(list(), character()),
    method = if (fit$reml) "reml" else "ml", criterion = 2 * fit$nll, parameters = parameters, modes = modes, points = points(fit, unname(estimate), se),
    polish = list(remaining_step_in_se = fit$left, starts = I(2 * fit$starts), smallest_eigenvalue = min(eigen(fit$H)$values))),
    if (!is.null(checks)) list(checks = checks), if (!is.null(model$notes)) list(notes = model$notes),
    list(software = list(R = as.character(getRversion()), TMB = as.character(packageVersion("TMB")), glmmTMB = as.character(packageVersion("glmmTMB")))))
  write(compact(toJSON(out, auto_unbox = TRUE, digits = I(15), pretty = 1)), sprintf("estimates/%s.json", name))
  cat(sprintf("%-28s %.9f left %.1e starts %s eig %.1e %s\n", name, 2 * fit$nll, fit$left, paste(sprintf("%.1e", 2 * (fit$starts - fit$nll)), collapse = " "), min(eigen(fit$H)$values), if (is.null(checks)) "" else toJSON(checks, auto_unbox = TRUE, digits = 3)))
  invisible(fit)
}

# ---- glmmTMB: a second implementation ---------------------------------------------------------------------------------
compare <- function(model, fit, parameters) {
  d <- DATA(model$data); call <- model$glmmTMB; call$data <- quote(d); call$REML <- fit$reml
  call$control <- quote(glmmTMBControl(optCtrl = list(iter.max = 2000, eval.max = 4000, rel.tol = 1e-14, x.tol = 1e-12)))
  if (!is.null(model$long)) d <- model$long(d)
  other <- suppressWarnings(eval(call)); best <- polish(other$obj, other$fit$par); theirs <- best$p
  other$obj$fn(theirs); parfull <- other$obj$env$last.par; pick <- function(k) unname(parfull[names(parfull) == k])
  fixed <- c(pick("beta")[model$order %||% seq_along(pick("beta"))], pick("betad") * model$scale); ours <- vapply(parameters, `[[`, 0, "estimate")[seq_along(fixed)]; se <- vapply(parameters, `[[`, 0, "se")[seq_along(fixed)]
  is_log <- fit$m$is_log[seq_along(fixed)]; se[is_log] <- se[is_log] / ours[is_log]; ours[is_log] <- log(ours[is_log])
  list(call = gsub("\\s+", " ", paste(deparse(model$glmmTMB), collapse = "")), criterion = 2 * as.numeric(other$obj$fn(theirs)), minus_ours = 2 * (as.numeric(other$obj$fn(theirs)) - fit$nll),
    fixed_difference_in_se = max(abs(fixed - ours) / se), se = I(unname(sqrt(diag(vcov(other)$cond))[model$order %||% seq_along(pick("beta"))])), dispersion = sprintf("its coefficients times %g are ours", model$scale))
}

model <- function(data, formula, family, responses, bars, ..., rescor = FALSE) list(data = data, formula = formula, family = family, responses = responses, bars = bars, rescor = rescor, ...)
gauss <- function(y, mu, aux = NULL) response(y, "gaussian", mu, aux)
one <- ~ 1
sleep <- function(bars, mu, sigma, aux, ...) model("sleepstudy", list(mu = mu, sigma = sigma), "gaussian", list(gauss("Reaction", ~ Days, aux)), bars, ...)
days <- sleep(list(bar("Subject", mean_of(~ Days))), "Reaction ~ Days + (Days | Subject)", "~ Days", ~ Days, scale = 0.5,
  glmmTMB = quote(glmmTMB(Reaction ~ Days + (Days | Subject), dispformula = ~ Days)), notes = "glmmTMB 1.1.5 models log(variance): its dispersion coefficients halved are those of log(sigma)")
apart <- list(bar("Subject", mean_of(one)), bar("Subject", aux_of(one))); shared <- list(bar("Subject", mean_of(one), aux_of(one)))
formulas <- function(...) c(...)
crossed_sigma <- model("crossed", list(mu = "y ~ 1 + (1 | a) + (1 | b)", sigma = "~ 1 + (1 | a)"), "gaussian", list(gauss("y", one, one)), list(bar("a", mean_of(one)), bar("b", mean_of(one)), bar("a", aux_of(one))))
two_gaussian <- model("responses", c("a ~ x + (1 | p | g)", "b ~ x + (1 | p | g)"), "gaussian", list(gauss("a", ~ x), gauss("b", ~ x)), list(bar("g", mean_of(one, 1), mean_of(one, 2))), scale = 0.5,
    long = function(d) { l <- rbind(data.frame(d[c("g", "x")], y = d$a, r = "a"), data.frame(d[c("g", "x")], y = d$b, r = "b")); l$r <- factor(l$r); l },
    glmmTMB = quote(glmmTMB(y ~ 0 + r + r:x + (0 + r | g), dispformula = ~ 0 + r)), order = c(1, 3, 2, 4),
    notes = "glmmTMB fits the stacked rows of both responses")
CASES <- list(
  sleepstudy_sigma_days = days,
  sleepstudy_sigma_days_reml = c(days, reml = TRUE),
  sleepstudy_locscale_uncorrelated = sleep(apart, "Reaction ~ Days + (1 | Subject)", "~ Days + (1 | Subject)", ~ Days),
  sleepstudy_locscale_uncorrelated_reml = c(sleep(apart, "Reaction ~ Days + (1 | Subject)", "~ Days + (1 | Subject)", ~ Days), reml = TRUE),
  sleepstudy_locscale = sleep(shared, "Reaction ~ Days + (1 | ID | Subject)", "~ Days + (1 | ID | Subject)", ~ Days),
  sleepstudy_locscale_slopes = sleep(list(bar("Subject", mean_of(~ Days), aux_of(one))), "Reaction ~ Days + (Days | ID | Subject)", "~ 1 + (1 | ID | Subject)", one),
  sleepstudy_locscale_reml = c(sleep(shared, "Reaction ~ Days + (1 | ID | Subject)", "~ Days + (1 | ID | Subject)", ~ Days), reml = TRUE),
  crossed_sigma_reml = c(crossed_sigma, reml = TRUE),
  crossed_sigma_b_reml = model("crossed", list(mu = "y ~ 1 + (1 | a) + (1 | b)", sigma = "~ b"), "gaussian", list(gauss("y", one, ~ b)), list(bar("a", mean_of(one)), bar("b", mean_of(one))), scale = 0.5, reml = TRUE,
    glmmTMB = quote(glmmTMB(y ~ 1 + (1 | a) + (1 | b), dispformula = ~ b))),
  gaussian_offsets_reml = model("responses", list(mu = "a ~ x + offset(w) + (x | g)", sigma = "~ x + offset(b)"), "gaussian", list(gauss("a", ~ x + offset(w), ~ x + offset(b))), list(bar("g", mean_of(~ x))), offsets = list(mu = "w", sigma = "b"), scale = 0.5, reml = TRUE,
    glmmTMB = quote(glmmTMB(a ~ x + offset(w) + (x | g), dispformula = ~ x + offset(2 * b)))),
  two_gaussian_reml = c(two_gaussian, reml = TRUE),
  spread = model("spread", list(mu = "y ~ x", sigma = "~ 1 + (1 | g)"), "gaussian", list(gauss("y", ~ x, one)), list(bar("g", aux_of(one)))),
  crossed_sigma = crossed_sigma,
  crossed_shared = model("crossed", list(mu = "y ~ 1 + (1 | i | a) + (1 | b)", sigma = "~ 1 + (1 | i | a)"), "gaussian", list(gauss("y", one, one)), list(bar("a", mean_of(one), aux_of(one)), bar("b", mean_of(one)))),
  counts_shape = model("counts", list(mu = "y ~ x + (1 | g)", shape = "~ x"), "negbinomial", list(response("y", "negbinomial", ~ x, ~ x)), list(bar("g", mean_of(one))), scale = 1,
    glmmTMB = quote(glmmTMB(y ~ x + (1 | g), dispformula = ~ x, family = nbinom2))),
  clumps_shared = model("clumps", list(mu = "y ~ x + (1 | ID | g)", shape = "~ x + (1 | ID | g)"), "negbinomial", list(response("y", "negbinomial", ~ x, ~ x)), list(bar("g", mean_of(one), aux_of(one)))),
  clumps_shape_group = model("clumps", list(mu = "y ~ x + (1 | g)", shape = "~ x + (1 | g)"), "negbinomial", list(response("y", "negbinomial", ~ x, ~ x)), list(bar("g", mean_of(one)), bar("g", aux_of(one)))),
  epilepsy_shape = model("epilepsy", list(mu = "count ~ zAge + zBase * Trt + (1 | patient)", shape = "~ Trt"), "negbinomial", list(response("count", "negbinomial", ~ zAge + zBase * Trt, ~ Trt)), list(bar("patient", mean_of(one))), scale = 1,
    glmmTMB = quote(glmmTMB(count ~ zAge + zBase * Trt + (1 | patient), dispformula = ~ Trt, family = nbinom2))),
  times_shape = model("times", list(mu = "y ~ x + (1 | g)", shape = "~ x + kind"), "gamma", list(response("y", "gamma", ~ x, ~ x + kind)), list(bar("g", mean_of(one))), scale = 1,
    glmmTMB = quote(glmmTMB(y ~ x + (1 | g), dispformula = ~ x + kind, family = Gamma("log")))),
  times_offsets = model("times", list(mu = "y ~ kind + offset(x) + (1 | g)", shape = "~ kind + offset(x)"), "gamma", list(response("y", "gamma", ~ kind + offset(x), ~ kind + offset(x))), list(bar("g", mean_of(one))), offsets = list(mu = "x", shape = "x")),
  two_gaussian = two_gaussian,
  two_gaussian_rescor = model("responses", c("a ~ x + (1 | p | g)", "b ~ x + (1 | p | g)"), "gaussian", list(gauss("a", ~ x), gauss("b", ~ x)), list(bar("g", mean_of(one, 1), mean_of(one, 2))), rescor = TRUE),
  two_gaussian_rescor_sigma = model("responses", c("a ~ x + (1 | p | g)", "b ~ x + (1 | p | g)", "sigma_a ~ x"), "gaussian", list(gauss("a", ~ x, ~ x), gauss("b", ~ x)), list(bar("g", mean_of(one, 1), mean_of(one, 2))), rescor = TRUE),
  gaussian_poisson = model("responses", c("a ~ x + (1 | p | g)", "n ~ x + (1 | p | g)"), list(a = "gaussian", n = "poisson"), list(gauss("a", ~ x), response("n", "poisson", ~ x)), list(bar("g", mean_of(one, 1), mean_of(one, 2)))),
  gaussian_poisson_sigma = model("responses", c("a ~ x + (1 | p | g)", "sigma_a ~ x + (1 | p | g)", "n ~ x + (1 | p | g)"), list(a = "gaussian", n = "poisson"), list(gauss("a", ~ x, ~ x), response("n", "poisson", ~ x)), list(bar("g", mean_of(one, 1), aux_of(one, 1), mean_of(one, 2)))),
  four_families = model("responses", c("a ~ x + (1 | p | g)", "n ~ x + (1 | p | g)", "cbind(k, m - k) ~ x + (1 | g)", "w ~ x + (1 | p | g)"), list(a = "gaussian", n = "poisson", "cbind(k, m - k)" = "binomial", w = "gamma"),
    list(gauss("a", ~ x), response("n", "poisson", ~ x), response("k", "binomial", ~ x, trials = "m", name = "cbindkmk"), response("w", "gamma", ~ x)), list(bar("g", mean_of(one, 1), mean_of(one, 2), mean_of(one, 4)), bar("g", mean_of(one, 3)))))

dir.create("estimates", showWarnings = FALSE)
for (name in if (length(commandArgs(TRUE))) commandArgs(TRUE) else names(CASES)) describe(name, CASES[[name]])
