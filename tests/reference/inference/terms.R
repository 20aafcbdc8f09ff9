# Tests of terms and of models: lmerTest's anova, drop1 and ranova, car's Anova of glmmTMB's fits, pbkrtest's KRmodcomp
# and SATmodcomp, RLRsim's exactRLRT. Run in this folder; writes terms.json and split_plot.csv.
dat <- NULL
suppressMessages({library(glmmTMB); library(lmerTest); library(pbkrtest); library(car); library(RLRsim); library(jsonlite)})
polished <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6),
                        check.conv.singular = "ignore", check.rankX = "silent.drop.cols")
datasets <- "../../../bayesmix/data/datasets/"
cake <- read.csv(paste0(datasets, "cake.csv"), stringsAsFactors = TRUE)
cake$temperature <- factor(cake$temperature, ordered = TRUE)
sleepstudy <- lme4::sleepstudy
sleepstudy_ow <- read.csv(paste0(datasets, "sleepstudy_ow.csv"), stringsAsFactors = TRUE)
sleepstudy_ow$Subject <- factor(sleepstudy_ow$Subject)
clinics <- read.csv("../emmeans/clinics.csv", stringsAsFactors = TRUE)
cells <- read.csv("../emmeans/cells.csv", stringsAsFactors = TRUE)
machines <- read.csv("machines.csv", stringsAsFactors = TRUE); machines$Worker <- factor(machines$Worker)
split_plot <- MASS::oats[-c(1, 2, 5, 17, 30, 31, 32, 50, 71), ]  # B V N Y: blocks, varieties, nitrogen
names(split_plot) <- c("block", "variety", "nitrogen", "yield")
write.csv(split_plot, "split_plot.csv", row.names = FALSE)
cases <- list(
  cake = list(angle ~ recipe * temperature + (1 | recipe:replicate), cake),
  cake_numeric = list(angle ~ recipe * temp + (1 | recipe:replicate), cake),
  sleepstudy = list(Reaction ~ Days + (Days | Subject), sleepstudy),
  polynomial = list(Reaction ~ poly(Days, 2) + (1 | Subject), sleepstudy),
  offset = list(Reaction ~ Days + offset(off) + (Days | Subject), sleepstudy_ow),
  machines = list(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), machines),
  machines_slopes = list(score ~ Machine + (Machine | Worker), machines),
  split_plot = list(yield ~ variety * nitrogen + (1 | block) + (1 | block:variety), split_plot),
  clinics = list(y ~ t + (1 | clinic), clinics),
  slopes = list(y ~ a * x + (1 | g), cells),
  three = list(y ~ a * x + b + (1 | g), cells),
  empty = list(y ~ a * b + (1 | g), cells),
  without = list(y ~ 0 + a + x + (1 | g), cells),
  nested = list(y ~ a / x + b + (1 | g), cells))
columns <- function(t) list(term = rownames(t), sum_sq = t$`Sum Sq`, mean_sq = t$`Mean Sq`, num_df = t$NumDF, den_df = t$DenDF, F = t$`F value`, p_value = t$`Pr(>F)`)
quiet <- function(x) suppressMessages(suppressWarnings(x))
tables <- lapply(cases, function(case) {
  dat <<- case[[2]]; environment(case[[1]]) <- globalenv()
  fit <- lmer(case[[1]], dat, control = polished)
  of <- function(ddf) { found <- lapply(1:3, function(type) columns(quiet(anova(fit, type = type, ddf = ddf)))); names(found) <- 1:3
    c(found, list(drop1 = columns(quiet(drop1(fit, ddf = ddf))))) }
  list(formula = deparse1(case[[1]]), satterthwaite = of("Satterthwaite"), kr = of("Kenward-Roger")) })
by_sum <- { options(contrasts = c("contr.sum", "contr.poly"))
  fit <- lmer(cases$split_plot[[1]], split_plot, control = polished)
  out <- list(type3 = columns(anova(fit))); options(contrasts = c("contr.treatment", "contr.poly")); out }
ran <- function(formula, frame, reml = TRUE) { dat <<- frame; environment(formula) <- globalenv()
  t <- quiet(ranova(lmer(formula, dat, REML = reml, control = polished)))
  list(term = rownames(t), npar = t$npar, loglik = t$logLik, aic = t$AIC, lrt = t$LRT, df = t$Df, p_value = t$`Pr(>Chisq)`) }
pastes <- read.csv(paste0(datasets, "Pastes.csv"), stringsAsFactors = TRUE)
ranova_tables <- list(sleepstudy = ran(Reaction ~ Days + (Days | Subject), sleepstudy),
  sleepstudy_ml = ran(Reaction ~ Days + (Days | Subject), sleepstudy, FALSE),
  pastes = ran(strength ~ 1 + (1 | batch) + (1 | batch:cask), pastes),
  machines = ran(score ~ Machine + (Machine | Worker), machines),
  split_plot = ran(yield ~ variety * nitrogen + (1 | block) + (1 | block:variety), split_plot))
# generalized models, car's Anova and likelihood ratios of single deletions
cbpp <- read.csv(paste0(datasets, "cbpp.csv"), stringsAsFactors = TRUE); cbpp$period <- factor(cbpp$period); cbpp$herd <- factor(cbpp$herd)
ticks <- read.csv(paste0(datasets, "grouseticks.csv"), stringsAsFactors = TRUE)
salamanders <- read.csv(paste0(datasets, "Salamanders.csv"), stringsAsFactors = TRUE)
for (x in c("BROOD", "LOCATION", "YEAR")) ticks[[x]] <- factor(ticks[[x]]); ticks$h <- (ticks$HEIGHT - 460) / 100
exactly <- glmmTMBControl(optCtrl = list(rel.tol = 1e-15, x.tol = 1e-12, iter.max = 1e4, eval.max = 1e4))
g1 <- glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial, control = exactly)
g2 <- glmmTMB(TICKS ~ YEAR * h + (1 | BROOD) + (1 | LOCATION), ticks, poisson, control = exactly)
g3 <- glmmTMB(count ~ spp * cover + mined + (1 | site), salamanders, poisson, ziformula = ~ mined + DOP, control = exactly)
wald <- function(t) list(term = rownames(t), chisq = t$Chisq, df = t$Df, p_value = t$`Pr(>Chisq)`)
lrt <- function(fit) { t <- drop1(fit, test = "Chisq"); list(term = rownames(t), npar = if (is.null(t$npar)) t$Df else t$npar, aic = t$AIC, lrt = t$LRT, p_value = if (is.null(t$`Pr(Chi)`)) t$`Pr(>Chi)` else t$`Pr(Chi)`) }
generalized <- list(cbpp = list(two = wald(Anova(g1, type = 2)), three = wald(Anova(g1, type = 3)), drop1 = lrt(g1)),
  ticks = list(two = wald(Anova(g2, type = 2)), drop1 = lrt(g2)),
  salamanders = list(two = wald(Anova(g3, type = 2)), zi = wald(Anova(g3, type = 2, component = "zi")), drop1 = lrt(g3)))
linear_lrt <- lapply(cases[c("cake_numeric", "split_plot", "three")], function(case) { dat <<- case[[2]]; environment(case[[1]]) <- globalenv()
  lrt(lme4::lmer(case[[1]], dat, REML = FALSE, control = polished)) })
# nested models
pairs <- list(cake = list(angle ~ recipe * temperature + (1 | recipe:replicate), angle ~ recipe + temperature + (1 | recipe:replicate), cake),
  sleepstudy = list(Reaction ~ Days + (Days | Subject), Reaction ~ 1 + (Days | Subject), sleepstudy),
  quadratic = list(Reaction ~ Days + I(Days^2) + (Days | Subject), Reaction ~ 1 + (Days | Subject), sleepstudy),
  split_plot = list(yield ~ variety * nitrogen + (1 | block) + (1 | block:variety), yield ~ nitrogen + (1 | block) + (1 | block:variety), split_plot),
  linear_nitrogen = list(yield ~ variety + nitrogen + (1 | block) + (1 | block:variety), yield ~ variety + as.numeric(nitrogen) + (1 | block) + (1 | block:variety), split_plot),
  clinics = list(y ~ t + (1 | clinic), y ~ 1 + (1 | clinic), clinics))
nested <- lapply(pairs, function(pair) { dat <<- pair[[3]]; for (j in 1:2) environment(pair[[j]]) <- globalenv()
  large <- lme4::lmer(pair[[1]], dat, control = polished); small <- lme4::lmer(pair[[2]], dat, control = polished)
  kr <- KRmodcomp(large, small)$test["Ftest", ]; sat <- SATmodcomp(large, small)$test
  list(large = deparse1(pair[[1]]), small = deparse1(pair[[2]]),
       kr = list(F = kr$stat, num_df = kr$ndf, den_df = kr$ddf, p_value = kr$p.value),
       sat = list(F = sat$statistic, num_df = sat$ndf, den_df = sat$ddf, p_value = sat$p.value)) })
# restricted likelihood ratios of one variance
simple <- function(formula, frame) { dat <<- frame; environment(formula) <- globalenv(); lme4::lmer(formula, dat, control = polished) }
dyestuff <- lme4::Dyestuff; penicillin <- lme4::Penicillin
exact <- function(...) { t <- quiet(exactRLRT(..., nsim = 200000, seed = 1)); list(rlrt = unname(t$statistic), p_value = t$p.value, n = 200000) }
slopes <- simple(Reaction ~ Days + (1 | Subject) + (0 + Days | Subject), sleepstudy)
rlrt <- list(dyestuff = exact(simple(Yield ~ 1 + (1 | Batch), dyestuff)),
  clinics = exact(simple(y ~ t + (1 | clinic), clinics)),
  cells = exact(simple(y ~ a * x + (1 | g), cells)),
  split_plot = exact(simple(yield ~ variety * nitrogen + (1 | block:variety), split_plot), simple(cases$split_plot[[1]], split_plot),
                     simple(yield ~ variety * nitrogen + (1 | block), split_plot)),
  sleepstudy = exact(simple(Reaction ~ Days + (0 + Days | Subject), sleepstudy), slopes, simple(Reaction ~ Days + (1 | Subject), sleepstudy)))
versions <- sapply(c("lme4", "lmerTest", "pbkrtest", "car", "glmmTMB", "RLRsim"), function(p) as.character(packageVersion(p)))
writeLines(toJSON(list(versions = as.list(versions), tables = tables, by_sum = by_sum, ranova = ranova_tables, generalized = generalized,
  linear_lrt = linear_lrt, nested = nested, rlrt = rlrt), digits = 12, na = "null", auto_unbox = TRUE, pretty = TRUE), "terms.json")
