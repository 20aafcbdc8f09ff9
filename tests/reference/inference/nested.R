# Parametric bootstrap of likelihood ratios by pbkrtest's PBmodcomp. Run in this folder; writes nested.json.
suppressMessages({library(lme4); library(pbkrtest); library(jsonlite)})
split_plot <- read.csv("split_plot.csv", stringsAsFactors = TRUE)
clinics <- read.csv("../emmeans/clinics.csv", stringsAsFactors = TRUE)
pairs <- list(split_plot = list(yield ~ variety + nitrogen + (1 | block) + (1 | block:variety),
                                yield ~ nitrogen + (1 | block) + (1 | block:variety), split_plot),
  clinics = list(y ~ t + (1 | clinic), y ~ 1 + (1 | clinic), clinics),
  quadratic = list(Reaction ~ Days + I(Days^2) + (Days | Subject), Reaction ~ Days + (Days | Subject), sleepstudy))
dat <- NULL
found <- lapply(pairs, function(pair) { dat <<- pair[[3]]; for (j in 1:2) environment(pair[[j]]) <- globalenv()
  large <- lmer(pair[[1]], dat, REML = FALSE); small <- lmer(pair[[2]], dat, REML = FALSE)
  set.seed(1); pb <- suppressMessages(suppressWarnings(PBmodcomp(large, small, nsim = 600)))$test
  list(large = deparse1(pair[[1]]), small = deparse1(pair[[2]]), lrt = pb["PBtest", "stat"], p_value = pb["PBtest", "p.value"], n = 600) })
writeLines(toJSON(found, digits = 12, auto_unbox = TRUE, pretty = TRUE), "nested.json")
