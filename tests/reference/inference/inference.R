# Kenward-Roger, Satterthwaite and normal inference about fixed effects: pbkrtest, lmerTest, emmeans.
# Machines, Oats: nlme (Pinheiro and Bates 2000), Oats with 14 rows left out; cake, sleepstudy: lme4; clinics: ../emmeans.
suppressMessages({library(lmerTest); library(emmeans); library(pbkrtest); library(jsonlite)})
polished <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6))
data(Machines, package = "nlme"); data(Oats, package = "nlme")
Machines <- data.frame(Worker = as.integer(as.character(Machines$Worker)), Machine = as.character(Machines$Machine), score = Machines$score)
Oats <- data.frame(Block = as.character(Oats$Block), Variety = sub(" ", "", as.character(Oats$Variety)), nitro = Oats$nitro, yield = Oats$yield)
Oats <- Oats[-c(1, 2, 5, 11, 17, 18, 19, 33, 40, 47, 48, 60, 61, 71), ]
write.csv(Machines, "machines.csv", row.names = FALSE); write.csv(Oats, "oats.csv", row.names = FALSE)
Machines$Worker <- factor(Machines$Worker); Oats$rate <- factor(paste0("N", 10 * Oats$nitro))
clinics <- read.csv("../emmeans/clinics.csv", stringsAsFactors = TRUE)
cake$weight <- 1 + (seq_len(nrow(cake)) %% 3)
cases <- list(
  cake = list(angle ~ recipe * temperature + (1 | recipe:replicate), cake, quote(emmeans(fit, "recipe")), quote(emmeans(fit, "temperature", by = "recipe"))),
  cake_weighted = list(angle ~ recipe + temp + (temp | recipe:replicate), cake, quote(emmeans(fit, "recipe")), NULL),
  sleepstudy = list(Reaction ~ Days + (Days | Subject), sleepstudy, quote(emmeans(fit, "Days", at = list(Days = c(0, 5, 9)))), NULL),
  sleepstudy_nested = list(Reaction ~ Days + (1 | Subject) + (0 + Days | Subject), sleepstudy, quote(emmeans(fit, "Days", at = list(Days = c(0, 5, 9)))), NULL),
  machines = list(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), Machines, quote(emmeans(fit, "Machine")), NULL),
  machines_unstructured = list(score ~ Machine + (0 + Machine | Worker), Machines, quote(emmeans(fit, "Machine")), NULL),
  oats = list(yield ~ Variety * rate + (1 | Block) + (1 | Block:Variety), Oats, quote(emmeans(fit, "Variety")), quote(emmeans(fit, "rate", by = "Variety"))),
  oats_crossed = list(yield ~ nitro + (nitro | Block) + (1 | Variety), Oats, quote(emmeans(fit, "nitro", at = list(nitro = c(0, 0.6)))), NULL),
  clinics = list(y ~ t + (1 | clinic), setNames(clinics, sub("^g$", "clinic", names(clinics))), quote(emmeans(fit, "t")), NULL))
weighted <- c("cake_weighted")
table_of <- function(x, adjust) {
  y <- as.data.frame(summary(x, infer = c(TRUE, TRUE), adjust = adjust))
  pick <- function(...) y[[intersect(c(...), names(y))[1]]]
  known <- c("estimate", "emmean", "SE", "df", "lower.CL", "upper.CL", "asymp.LCL", "asymp.UCL", "t.ratio", "z.ratio", "p.value")
  list(label = apply(y[, setdiff(names(y), known), drop = FALSE], 1, function(r) paste(trimws(r), collapse = " | ")),
       estimate = pick("estimate", "emmean"), std_error = y$SE, df = y$df, lower = pick("lower.CL", "asymp.LCL"),
       upper = pick("upper.CL", "asymp.UCL"), statistic = pick("t.ratio", "z.ratio"), p_value = y$p.value)
}
adjustments <- c("none", "tukey", "sidak", "holm", "bonferroni", "mvt", "fdr", "scheffe")
tables <- function(fit, what, mode) {
  emm_options(lmer.df = mode, lmerTest.limit = 1e5, pbkrtest.limit = 1e5)
  means <- eval(what)
  those <- if (mode == "kenward-roger") adjustments else adjustments[1:2]
  found <- list(means = lapply(setNames(those[-2], those[-2]), function(a) table_of(means, a)))
  found$pairs <- lapply(setNames(those, those), function(a) table_of(contrast(means, "revpairwise"), a))
  if (mode == "kenward-roger") for (kind in c("trt.vs.ctrl", "eff", "poly", "consec")) found[[kind]] <- list(none = table_of(contrast(means, kind), "none"))
  found
}
run <- function(name) {
  case <- cases[[name]]; data <- case[[2]]
  fit <- if (name %in% weighted) lmer(case[[1]], data, weights = weight, control = polished) else lmer(case[[1]], data, control = polished)
  cat(name, if (isSingular(fit)) "singular", "\n"); fit@call$data <- quote(data); set.seed(1)
  beta <- fixef(fit); p <- length(beta); I <- diag(p); Phi <- as.matrix(vcov(fit)); PhiA <- as.matrix(vcovAdj(fit))
  joint <- c(list(I[-1, , drop = FALSE]), if (p > 2) list(I[2:3, ], I), if (p == 2) list(I))
  f <- function(L) {
    s <- contest(fit, L, ddf = "Satterthwaite"); k <- contest(fit, L, ddf = "Kenward-Roger")
    list(L = L, satterthwaite = unname(as.list(s[c("F value", "NumDF", "DenDF", "Pr(>F)")])), `kenward-roger` = unname(as.list(k[c("F value", "NumDF", "DenDF", "Pr(>F)")])))
  }
  found <- list(formula = deparse1(case[[1]]), n = nobs(fit), theta = getME(fit, "theta"), sigma = sigma(fit), terms = names(beta), beta = unname(beta), cov = unname(Phi), adjusted = unname(PhiA),
    satterthwaite = unname(coef(summary(fit))[, "df"]), `kenward-roger` = unname(coef(summary(fit, ddf = "Kenward-Roger"))[, "df"]),
    joint = lapply(joint, f))
  for (mode in c("satterthwaite", "kenward-roger", "asymptotic")) {
    found$tables[[mode]] <- tables(fit, case[[3]], mode)
    if (!is.null(case[[4]])) found$by[[mode]] <- tables(fit, case[[4]], mode)
  }
  found
}
versions <- sapply(c("lme4", "lmerTest", "emmeans", "pbkrtest"), function(p) as.character(packageVersion(p)))
writeLines(toJSON(c(list(versions = as.list(versions)), sapply(names(cases), run, simplify = FALSE)), digits = 8, na = "null", auto_unbox = TRUE), "inference.json")
