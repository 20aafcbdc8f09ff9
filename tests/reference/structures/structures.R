# Reference estimates for the covariance structures of lme4 2.x: cs(), ar1(), diag(hom = TRUE).
#
# LMMs: lme4's own profiled deviance function of the unstructured model, at the relative factors that lme4 2.x's
# vignette "Covariance Structures" defines for each structure, minimised from several starts and polished by Newton
# steps with Richardson-extrapolated derivatives (numDeriv). GLMMs: glmmTMB (textbook Laplace), polished by Newton steps
# on its own objective. `check` holds glmmTMB's value for the LMMs it can express.
suppressMessages({library(lme4); library(glmmTMB); library(numDeriv); library(jsonlite)})
args <- commandArgs(TRUE); data <- args[1]; out <- args[2]

corr_root <- function(kind, k, rho) {
  if (kind == "none") return(diag(k))
  R <- if (kind == "cs") matrix(rho, k, k) + diag(1 - rho, k) else rho^abs(outer(1:k, 1:k, "-"))
  t(chol(R))
}
range_of <- function(kind, k) if (kind == "cs") c(-1 / (k - 1), 1) else c(-1, 1)
rho_of <- function(z, kind, k) { r <- range_of(kind, k); r[1] + diff(r) * plogis(z) }

# par = log sd (k or 1), logit of rho in its range; one block a term
blocks <- function(par, terms) {
  at <- 0
  lapply(terms, function(t) {
    n <- if (t$hom) 1 else t$k
    s <- rep(exp(par[at + seq_len(n)]), length.out = t$k); at <<- at + n
    rho <- NULL
    if (t$kind != "none") { at <<- at + 1; rho <- rho_of(par[at], t$kind, t$k) }
    list(L = s * corr_root(t$kind, t$k, rho), sd = s, rho = rho)
  })
}
theta_of <- function(par, terms)
  unlist(lapply(blocks(par, terms), function(b) b$L[lower.tri(b$L, diag = TRUE)]))
size <- function(terms) sum(sapply(terms, function(t) (if (t$hom) 1 else t$k) + (t$kind != "none")))

newton <- function(f, x) {
  for (i in 1:6) {
    g <- grad(f, x); H <- hessian(f, x)
    step <- -solve(H, g)
    if (max(abs(step)) < 1e-9) break
    if (f(x + step) > f(x) + 1e-9) break
    x <- x + step
  }
  list(x = x, value = f(x), decrement = sqrt(abs(sum(g * solve(H, g)))))
}

lmm <- function(formula_us, frame, terms, REML) {
  lf <- lFormula(formula_us, frame, REML = REML, control = lmerControl(check.nobs.vs.nRE = "ignore", check.nobs.vs.nlev = "ignore"))
  dev <- do.call(mkLmerDevfun, lf)
  f <- function(par) { v <- tryCatch(dev(theta_of(par, terms)), error = function(e) 1e10); if (is.finite(v)) v else 1e10 }
  starts <- list(rep(0, size(terms)), rep(-1, size(terms)), rep(0.7, size(terms)))
  fits <- lapply(starts, function(s) nlminb(s, f, control = list(eval.max = 20000, iter.max = 5000, rel.tol = 1e-14)))
  best <- fits[[which.min(sapply(fits, `[[`, "objective"))]]
  done <- newton(f, best$par)
  dev(theta_of(done$x, terms))
  e <- environment(dev)
  pwrss <- e$resp$wrss() + e$pp$sqrL(1)
  n <- nrow(lf$X); p <- ncol(lf$X)
  sigma <- sqrt(pwrss / (if (REML) n - p else n))
  beta <- e$pp$beta(1)
  se <- sigma * sqrt(diag(chol2inv(e$pp$RX())))
  names(beta) <- names(se) <- colnames(lf$X)
  b <- blocks(done$x, terms)
  list(criterion = done$value, remaining = done$decrement, sigma = sigma, beta = as.list(beta), se = as.list(se),
       terms = lapply(seq_along(terms), function(t) list(sd = sigma * b[[t]]$sd, rho = b[[t]]$rho)))
}

glmm <- function(formula, frame, family) {
  fit <- glmmTMB(formula, frame, family = family)
  obj <- fit$obj; x <- fit$fit$par
  for (i in 1:8) {
    g <- as.vector(obj$gr(x)); H <- jacobian(function(at) as.vector(obj$gr(at)), x)
    step <- -solve(H, g); x <- x + step
    if (max(abs(step)) < 1e-10) break
  }
  value <- 2 * obj$fn(x)
  cov <- solve(jacobian(function(at) as.vector(obj$gr(at)), x))
  at <- which(names(x) == "beta")
  obj$fn(x); report <- obj$report(obj$env$last.par)
  beta <- x[at]; se <- sqrt(diag(cov))[at]
  names(beta) <- names(se) <- names(fixef(fit)$cond)
  list(criterion = value, remaining = max(abs(step)), beta = as.list(beta), se = as.list(se),
       terms = lapply(seq_along(report$sd), function(t) list(sd = report$sd[[t]], rho = report$corr[[t]][2, 1])))
}

factors <- function(name, columns) {
  frame <- read.csv(file.path(data, paste0(name, ".csv")))
  for (column in columns) frame[[column]] <- factor(frame[[column]])
  frame
}
cake <- factors("cake", c("recipe", "replicate", "temperature"))
sleep <- factors("sleepstudy", "Subject"); sleep$Day <- factor(sleep$Days)
cbpp <- factors("cbpp", c("herd", "period"))
ticks <- factors("grouseticks", c("LOCATION", "YEAR", "BROOD"))
one <- function(k, kind, hom = FALSE) list(k = k, kind = kind, hom = hom)

cases <- list(
  cake_cs = list("angle ~ recipe + temp + cs(0 + recipe | replicate)", "cake", lmm(angle ~ recipe + temp + (0 + recipe | replicate), cake, list(one(3, "cs")), TRUE),
    glmmTMB(angle ~ recipe + temp + cs(0 + recipe | replicate), cake, REML = TRUE)),
  cake_cs_ml = list("angle ~ recipe + temp + cs(0 + recipe | replicate)", "cake", lmm(angle ~ recipe + temp + (0 + recipe | replicate), cake, list(one(3, "cs")), FALSE),
    glmmTMB(angle ~ recipe + temp + cs(0 + recipe | replicate), cake)),
  cake_homcs = list("angle ~ recipe + temp + cs(0 + recipe | replicate, hom = TRUE)", "cake", lmm(angle ~ recipe + temp + (0 + recipe | replicate), cake, list(one(3, "cs", TRUE)), TRUE)),
  sleepstudy_cs = list("Reaction ~ Days + cs(1 + Days | Subject)", "sleepstudy", lmm(Reaction ~ Days + (Days | Subject), sleep, list(one(2, "cs")), TRUE)),
  sleepstudy_homdiag = list("Reaction ~ Days + diag(1 + Days | Subject, hom = TRUE)", "sleepstudy", lmm(Reaction ~ Days + (Days | Subject), sleep, list(one(2, "none", TRUE)), TRUE)),
  sleepstudy_ar1 = list("Reaction ~ Days + ar1(0 + factor(Days) | Subject)", "sleepstudy", lmm(Reaction ~ Days + (0 + Day | Subject), sleep, list(one(10, "ar1", TRUE)), TRUE)),
  sleepstudy_ar1_ml = list("Reaction ~ Days + ar1(0 + factor(Days) | Subject)", "sleepstudy", lmm(Reaction ~ Days + (0 + Day | Subject), sleep, list(one(10, "ar1", TRUE)), FALSE)),
  sleepstudy_ar1_and_intercept = list("Reaction ~ Days + (1 | Subject) + ar1(0 + factor(Days) | Subject)", "sleepstudy",
    lmm(Reaction ~ Days + (1 | Subject) + (0 + Day | Subject), sleep, list(one(1, "none"), one(10, "ar1", TRUE)), TRUE)),
  sleepstudy_hetar1 = list("Reaction ~ Days + ar1(0 + factor(Days) | Subject, hom = FALSE)", "sleepstudy", lmm(Reaction ~ Days + (0 + Day | Subject), sleep, list(one(10, "ar1")), TRUE))
)
glmms <- list(
  cbpp_ar1 = list("cbind(incidence, size - incidence) ~ period + ar1(0 + period | herd)", "cbpp", glmm(cbind(incidence, size - incidence) ~ period + ar1(0 + period | herd), cbpp, binomial), "binomial"),
  grouseticks_cs = list("TICKS ~ YEAR + cHEIGHT + cs(0 + YEAR | LOCATION)", "grouseticks", glmm(TICKS ~ YEAR + cHEIGHT + cs(0 + YEAR | LOCATION), ticks, poisson), "poisson"),
  grouseticks_ar1 = list("TICKS ~ YEAR + cHEIGHT + ar1(0 + YEAR | LOCATION)", "grouseticks", glmm(TICKS ~ YEAR + cHEIGHT + ar1(0 + YEAR | LOCATION), ticks, poisson), "poisson")
)
result <- c(
  lapply(cases, function(c) c(list(formula = c[[1]], data = c[[2]], family = "gaussian"), c[[3]],
    if (length(c) > 3) list(check = -2 * as.numeric(logLik(c[[4]]))))),
  lapply(glmms, function(c) c(list(formula = c[[1]], data = c[[2]], family = c[[4]]), c[[3]])))
for (n in names(result)) result[[n]]$reml <- result[[n]]$family == "gaussian" && !grepl("_ml$", n)
versions <- list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")), glmmTMB = as.character(packageVersion("glmmTMB")),
  numDeriv = as.character(packageVersion("numDeriv")))
writeLines(toJSON(list(versions = versions, cases = result), digits = NA, auto_unbox = TRUE, null = "null", pretty = TRUE), out)
