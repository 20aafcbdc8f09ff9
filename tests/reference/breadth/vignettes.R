# Models of the vignettes and help pages of brms, glmmTMB, lme4, ordinal and nlme: maximum likelihood (REML where the page
# has it) by lme4 1.1-31, glmmTMB 1.1.5, nlme 3.1-162 and ordinal 2022.11-16. Run in this folder: Rscript vignettes.R
suppressMessages({library(lme4); library(glmmTMB); library(nlme); library(ordinal); library(jsonlite)})
options(digits = 17)
tight <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-15, x.tol = 1e-12))
d <- function(file, factors = character()) {
  path <- c(sprintf("data/%s.csv", file), sprintf("../../../bayesmix/data/datasets/%s.csv", file))
  x <- read.csv(path[file.exists(path)][1], stringsAsFactors = TRUE)
  for (f in factors) x[[f]] <- factor(x[[f]])
  x
}
orthodont <- as.data.frame(Orthodont); orthodont$Subject <- factor(as.character(orthodont$Subject))
write.csv(orthodont, "data/Orthodont.csv", row.names = FALSE)
epilepsy <- d("epilepsy", c("patient", "obs")); Owls <- d("Owls"); data("Salamanders", package = "glmmTMB")
sleepstudy <- d("sleepstudy", "Subject"); cbpp <- d("cbpp", c("herd", "period")); Penicillin <- d("Penicillin")
out <- list()
add <- function(name, page, fit, beta, REML = FALSE) out[[name]] <<- list(page = page, criterion = -2 * as.numeric(logLik(fit)),
  REML = REML, coefficients = as.list(beta), call = paste(trimws(deparse(if (isS4(fit)) fit@call else fit$call)), collapse = " "))
cond <- function(m) {
  f <- fixef(m); b <- f$cond
  z <- f$zi; if (length(z)) names(z) <- paste0("zi_", names(z))
  c(b, z)
}
tmb <- function(name, page, ...) { m <- suppressWarnings(glmmTMB(..., control = tight)); m$call <- match.call(expand.dots = FALSE)$...[[1]]; out[[name]] <<-
  list(page = page, criterion = -2 * as.numeric(logLik(m)), REML = FALSE, coefficients = as.list(cond(m)), call = paste(deparse(match.call()), collapse = " ")) }
tmb("epilepsy_poisson", "brms: brms_overview; help(brm)", count ~ zAge + zBase * Trt + (1 | patient), family = poisson, data = epilepsy)
tmb("epilepsy_two_groups", "brms: help(brm)", count ~ zAge + zBase * Trt + (1 | patient) + (1 | obs), family = poisson, data = epilepsy)
tmb("owls_zip", "glmmTMB: glmmTMB", SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest), ziformula = ~1, family = poisson, data = Owls)
tmb("owls_zinb", "glmmTMB: glmmTMB", SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest), ziformula = ~1, family = nbinom2, data = Owls)
tmb("owls_zinb1", "glmmTMB: glmmTMB", SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest), ziformula = ~1, family = nbinom1, data = Owls)
tmb("owls_hurdle", "glmmTMB: glmmTMB", SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest), ziformula = ~ FoodTreatment, family = truncated_nbinom1, data = Owls)
tmb("salamanders_poisson", "glmmTMB: help(glmmTMB)", count ~ mined + (1 | site), family = poisson, data = Salamanders)
tmb("salamanders_zi", "glmmTMB: help(glmmTMB)", count ~ spp + mined + (1 | site), ziformula = ~ spp + mined, family = nbinom2, data = Salamanders)
tmb("salamanders_hurdle", "glmmTMB: help(glmmTMB)", count ~ spp + mined + (1 | site), ziformula = ~ spp + mined, family = truncated_poisson, data = Salamanders)
tmb("salamanders_shape", "glmmTMB: help(glmmTMB), dispformula", count ~ spp + mined + (1 | site), dispformula = ~ DOY, family = nbinom2, data = Salamanders)
m <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy, control = lmerControl(optCtrl = list(xtol_rel = 1e-10)))
add("sleepstudy", "lme4: lmer; brms: help(brm)", m, fixef(m), TRUE)
m <- lmer(Reaction ~ Days + (Days || Subject), sleepstudy)
add("sleepstudy_independent", "lme4: lmer", m, fixef(m), TRUE)
m <- lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin)
add("penicillin", "lme4: help(Penicillin)", m, fixef(m), TRUE)
m <- glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial, control = glmerControl(tolPwrss = 1e-13, optCtrl = list(xtol_rel = 1e-12, ftol_abs = 1e-12, maxfun = 1e5)))
add("cbpp", "lme4: help(glmer)", m, fixef(m))
w <- d("wine", c("judge")); w$rating <- factor(w$rating)
m <- clm(rating ~ temp * contact, data = w, control = clm.control(gradTol = 1e-12))
add("wine_clm", "ordinal: clm_article", m, coef(m))
m <- lme(distance ~ age, random = ~ age | Subject, data = orthodont, method = "ML", control = lmeControl(msTol = 1e-12, tolerance = 1e-12, returnObject = TRUE))
add("orthodont", "nlme: help(lme)", m, fixef(m))
m <- lme(distance ~ age * Sex, random = ~ 1 | Subject, weights = varIdent(form = ~ 1 | Sex), data = orthodont, method = "ML", control = lmeControl(msTol = 1e-13, tolerance = 1e-13, returnObject = TRUE))
add("orthodont_variances", "nlme: Pinheiro and Bates, p. 177", m, fixef(m))
m <- gls(distance ~ age * Sex, weights = varIdent(form = ~ 1 | Sex), data = orthodont, method = "ML")
add("orthodont_gls", "nlme: help(gls)", m, coef(m))
# glmmTMB's own start ends 4.5 above the lowest of twelve: coefficients of zi have no end there, its Hessian is singular
starts <- sapply(1:12, function(i) {
  set.seed(i)
  m <- try(suppressWarnings(glmmTMB(count ~ spp + mined + (1 | site), ziformula = ~ spp + mined, family = nbinom2,
    data = Salamanders, start = list(betazi = rnorm(8, 0, 2)), control = tight)), silent = TRUE)
  if (inherits(m, "try-error")) NA else 2 * m$fit$objective
})
out$salamanders_zi$criterion_of_own_start <- out$salamanders_zi$criterion
out$salamanders_zi$criterion <- min(starts, na.rm = TRUE)
# brms: sratio with an effect of treat on each threshold: a binary regression of the stages that a rating passes
inhaler <- d("inhaler", "subject")
stages <- do.call(rbind, lapply(seq_len(nrow(inhaler)), function(i) {
  y <- inhaler$rating[i]; k <- seq_len(min(y, 3))
  data.frame(stop = as.integer(k == y), stage = factor(k, 1:3), inhaler[i, c("treat", "period", "carry", "subject")])
}))
tmb("inhaler_specific", "brms: help(brm)", stop ~ 0 + stage + I(-period) + I(-carry) + stage:I(-treat) + (1 | subject), family = binomial, data = stages)
names(out$inhaler_specific$coefficients) <- c("1|2", "2|3", "3|4", "period", "carry", "cs(1|2)_treat", "cs(2|3)_treat", "cs(3|4)_treat")
for (n in names(out)) names(out[[n]]$coefficients) <- sub("(Intercept)", "Intercept", names(out[[n]]$coefficients), fixed = TRUE)
write_json(out, "vignettes.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
