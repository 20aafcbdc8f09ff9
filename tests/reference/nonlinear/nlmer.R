# Nonlinear mixed models by lme4's nlmer and nlme: Rscript nlmer.R, in this folder. Data are R's Orange.
suppressMessages({library(lme4); library(nlme); library(jsonlite)})
orange <- as.data.frame(datasets::Orange)[, c("Tree", "age", "circumference")]
write.csv(orange, "orange.csv", row.names = FALSE)
start <- c(Asym = 200, xmid = 725, scal = 350)
one <- suppressWarnings(nlmer(circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree, orange, start = start))
two <- nlme(circumference ~ SSlogis(age, Asym, xmid, scal), data = orange, fixed = Asym + xmid + scal ~ 1,
            random = Asym ~ 1 | Tree, start = start)
figures <- list(
  nlmer = list(loglik = c(logLik(one)), fixef = unname(fixef(one)), sd = attr(VarCorr(one)$Tree, "stddev")[[1]],
               sigma = sigma(one), ranef = ranef(one)$Tree$Asym, trees = rownames(ranef(one)$Tree)),
  nlme = list(loglik = c(logLik(two)), fixef = unname(fixef(two)), sigma = two$sigma))
versions <- list(lme4 = as.character(packageVersion("lme4")), nlme = as.character(packageVersion("nlme")))
cat(toJSON(c(versions, figures), auto_unbox = TRUE, digits = 12, pretty = TRUE), file = "nlmer.json")
