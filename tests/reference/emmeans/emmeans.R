# emmeans, lmerTest: tables with Satterthwaite's degrees of freedom, and cells that cannot be estimated.
suppressMessages({library(lmerTest); library(emmeans); library(jsonlite)})
emm_options(lmer.df = "satterthwaite", lmerTest.limit = 1e5)
polished <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6))
frame <- function(x) as.data.frame(summary(x, infer = c(TRUE, TRUE), adjust = "none"))
columns <- function(x) { x <- frame(x); names(x)[names(x) %in% c("t.ratio", "z.ratio")] <- "statistic"
  value <- intersect(c("estimate", "emmean"), names(x)); value <- if (length(value)) value else grep("trend$", names(x), value = TRUE)
  list(label = apply(x[, setdiff(names(x), c(value, "SE", "df", "lower.CL", "upper.CL", "statistic", "p.value", "asymp.LCL", "asymp.UCL")), drop = FALSE], 1, paste, collapse = " "),
       estimate = x[[value[1]]], std_error = x$SE, df = x$df, lower = x$lower.CL, upper = x$upper.CL, statistic = x$statistic, p_value = x$p.value) }
fits <- function(reml) {
  clinics <- read.csv("clinics.csv", stringsAsFactors = TRUE); cells <- read.csv("cells.csv", stringsAsFactors = TRUE)
  one <- lmer(y ~ t + (1 | clinic), clinics, REML = reml, control = polished)
  two <- lmer(y ~ a * x + (1 | g), cells, REML = reml, control = polished)
  three <- suppressMessages(lmer(y ~ a * b + (1 | g), cells, REML = reml, control = polished))
  L <- rbind(c(0, 1, -1, 0, 0, 0), c(1, 0, 0, 2, 0, 0))
  l <- contest(two, L, joint = FALSE, confint = TRUE)
  list(clinics = list(
         means = columns(emmeans(one, "t")), contrasts = columns(pairs(emmeans(one, "t"), reverse = TRUE))),
       slopes = list(means = columns(emmeans(two, "a")), contrasts = columns(pairs(emmeans(two, "a"), reverse = TRUE)),
         trends = columns(emtrends(two, "a", var = "x")),
         hypotheses = list(estimate = l$Estimate, std_error = l$`Std. Error`, df = l$df, lower = l$lower, upper = l$upper,
                           statistic = l$`t value`, p_value = l$`Pr(>|t|)`)),
       empty = list(cells = columns(emmeans(three, c("a", "b"))), means = columns(emmeans(three, "a")),
         means_b = columns(emmeans(three, "b")), contrasts = columns(pairs(emmeans(three, "a"), reverse = TRUE)),
         within = columns(pairs(emmeans(three, "a", by = "b"), reverse = TRUE))))
}
writeLines(toJSON(list(versions = sapply(c("lme4", "lmerTest", "emmeans"), function(p) as.character(packageVersion(p))),
  reml = fits(TRUE), ml = fits(FALSE)), digits = 10, na = "null", auto_unbox = TRUE, pretty = TRUE), "emmeans.json")
