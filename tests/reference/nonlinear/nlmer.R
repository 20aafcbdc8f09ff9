# Nonlinear mixed models by lme4's nlmer and nlme: Rscript nlmer.R, in this folder. Data are R's Orange, Loblolly, Theoph.
suppressMessages({library(lme4); library(nlme); library(jsonlite)})
orange <- as.data.frame(datasets::Orange)[, c("Tree", "age", "circumference")]
loblolly <- as.data.frame(datasets::Loblolly)[, c("Seed", "age", "height")]
theoph <- as.data.frame(datasets::Theoph)[, c("Subject", "Dose", "Time", "conc")]
write.csv(orange, "orange.csv", row.names = FALSE)
write.csv(loblolly, "loblolly.csv", row.names = FALSE)
write.csv(theoph, "theoph.csv", row.names = FALSE)
figures <- function(fit, effects) list(
  loglik = c(logLik(fit)), fixef = unname(fixef(fit)), sd = unname(attr(VarCorr(fit)[[1]], "stddev")), sigma = sigma(fit),
  ranef = unname(ranef(fit)[[1]][, 1]), levels = rownames(ranef(fit)[[1]]))
start <- c(Asym = 200, xmid = 725, scal = 350)
one <- suppressWarnings(nlmer(circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree, orange, start = start))
two <- nlme(circumference ~ SSlogis(age, Asym, xmid, scal), data = orange, fixed = Asym + xmid + scal ~ 1,
            random = Asym ~ 1 | Tree, start = start)
growth <- c(Asym = 103, R0 = -8.5, lrc = -3.3)
three <- suppressWarnings(nlmer(height ~ SSasymp(age, Asym, R0, lrc) ~ Asym | Seed, loblolly, start = growth))
four <- nlme(height ~ SSasymp(age, Asym, R0, lrc), data = loblolly, fixed = Asym + R0 + lrc ~ 1,
             random = Asym ~ 1 | Seed, start = growth)
rates <- c(lKe = -2.5, lKa = 0.5, lCl = -3.2)
five <- suppressWarnings(nlmer(conc ~ SSfol(Dose, Time, lKe, lKa, lCl) ~ (0 + lKa | Subject) + (0 + lCl | Subject),
                               theoph, start = rates))
six <- nlme(conc ~ SSfol(Dose, Time, lKe, lKa, lCl), data = theoph, fixed = lKe + lKa + lCl ~ 1,
            random = pdDiag(lKa + lCl ~ 1), groups = ~Subject, start = rates)
of_nlme <- function(fit) list(loglik = c(logLik(fit)), fixef = unname(fixef(fit)), sigma = fit$sigma)
versions <- list(lme4 = as.character(packageVersion("lme4")), nlme = as.character(packageVersion("nlme")))
of_two <- list(loglik = c(logLik(five)), fixef = unname(fixef(five)),
               sd = unname(sapply(VarCorr(five), function(v) attr(v, "stddev"))), sigma = sigma(five))
all <- list(orange = figures(one), loblolly = figures(three), theoph = of_two,
            nlme = list(orange = of_nlme(two), loblolly = of_nlme(four), theoph = of_nlme(six)))
cat(toJSON(c(versions, all), auto_unbox = TRUE, digits = 12, pretty = TRUE), file = "nlmer.json")
