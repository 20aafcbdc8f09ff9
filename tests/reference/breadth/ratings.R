# Ratings: wine of the package ordinal (Randall 1989), by ordinal 2022.11-16, glmmTMB 1.1.5 and nnet 7.3-18.
# sratio and cratio are binary regressions of the stages that a rating passes: by glmmTMB, whose Laplace has the observed Hessian.
library(ordinal); library(glmmTMB); library(nnet); library(jsonlite)
data(wine)
write.csv(wine[c("rating", "temp", "contact", "bottle", "judge")], "data/wine.csv", row.names = FALSE)
options(digits = 17)
control <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-15, x.tol = 1e-12))
stages <- function(d) do.call(rbind, lapply(seq_len(nrow(d)), function(i) {
  y <- as.integer(d$rating[i]); k <- seq_len(min(y, 4))
  data.frame(stop = as.integer(k == y), stage = factor(k, 1:4), temp = d$temp[i], contact = d$contact[i], judge = d$judge[i])
}))
s <- stages(wine)
out <- list()
add <- function(name, family, link, formula, logLik, coefficients, sd = NULL, call)
  out[[name]] <<- list(family = family, link = link, formula = formula, criterion = -2 * as.numeric(logLik), coefficients = as.list(coefficients), sd = sd, call = call)
named <- function(b, sign) { th <- b[1:4]; names(th) <- c("1|2", "2|3", "3|4", "4|5"); c(sign * th, b[-(1:4)]) }
for (link in c("logit", "probit", "cloglog")) {
  m <- clm(rating ~ temp + contact, data = wine, link = link, control = clm.control(gradTol = 1e-12))
  add(paste0("clm_", link), "cumulative", link, "rating ~ temp + contact", logLik(m), coef(m), NULL, deparse(m$call))
}
m <- clm(rating ~ temp + contact, scale = ~ contact, data = wine, control = clm.control(gradTol = 1e-12))
b <- c(m$alpha, m$beta, disc_contactyes = -unname(m$zeta))
add("clm_scale", "cumulative", "logit", "rating ~ temp + contact; disc ~ contact", logLik(m), b, NULL, "scale = ~contact: log sd; disc is its inverse")
# stopping: P(stop at k) = F(tau_k - mu): glm of stop on stage - x
for (link in c("logit", "probit")) {
  g <- glm(stop ~ 0 + stage + I(-(temp == "warm")) + I(-(contact == "yes")), binomial(link), s, control = glm.control(epsilon = 1e-14))
  b <- coef(g); names(b)[5:6] <- c("tempwarm", "contactyes")
  add(paste0("sratio_", link), "sratio", link, "rating ~ temp + contact", logLik(g), named(b, 1), NULL, "glm of the stages")
  g <- glmmTMB(stop ~ 0 + stage + I(-(temp == "warm")) + I(-(contact == "yes")) + (1 | judge), s, binomial(link), control = control)
  b <- fixef(g)$cond; names(b)[5:6] <- c("tempwarm", "contactyes")
  add(paste0("sratio_judge_", link), "sratio", link, "rating ~ temp + contact + (1 | judge)", logLik(g), named(b, 1), attr(VarCorr(g)$cond$judge, "stddev"), "glmmTMB of the stages")
}
g <- glmmTMB(I(1 - stop) ~ 0 + stage + temp + contact + (1 | judge), s, binomial("cloglog"), control = control)
add("cratio_judge_cloglog", "cratio", "cloglog", "rating ~ temp + contact + (1 | judge)", logLik(g), named(fixef(g)$cond, -1), attr(VarCorr(g)$cond$judge, "stddev"), "glmmTMB of the stages")
wine3 <- transform(wine, rating = factor(pmin(pmax(as.integer(rating), 2), 4)))
m <- multinom(rating ~ temp, wine3, reltol = 1e-15, maxit = 1000, trace = FALSE)
b <- coef(m); v <- c(b[1, ], b[2, ]); names(v) <- c("mu3_Intercept", "mu3_tempwarm", "mu4_Intercept", "mu4_tempwarm")
add("multinom", "categorical", "logit", "rating ~ temp", logLik(m), v, NULL, "ratings 1, 2 and 4, 5 together")
# effects on single thresholds, cs(temp), of the ratings in three categories: the stages have a slope each
s3 <- do.call(rbind, lapply(seq_len(nrow(wine3)), function(i) {
  y <- as.integer(wine3$rating[i]); k <- seq_len(min(y, 2))
  data.frame(stop = as.integer(k == y), stage = factor(k, 1:2), warm = as.numeric(wine3$temp[i] == "warm"), contact = wine3$contact[i], judge = wine3$judge[i])
}))
own <- c("2|3", "3|4", "contactyes", "cs(2|3)_tempwarm", "cs(3|4)_tempwarm")
specific <- "rating ~ contact + cs(temp) + (1 | judge)"
for (link in c("logit", "probit")) {
  g <- glmmTMB(stop ~ 0 + stage + I(-(contact == "yes")) + stage:I(-warm) + (1 | judge), s3, binomial(link), control = control)
  add(paste0("sratio_cs_", link), "sratio", link, specific, logLik(g), setNames(fixef(g)$cond, own), attr(VarCorr(g)$cond$judge, "stddev"), "glmmTMB of the stages, ratings 1, 2 and 4, 5 together")
}
g <- glmmTMB(I(1 - stop) ~ 0 + stage + contact + stage:warm + (1 | judge), s3, binomial("cloglog"), control = control)
add("cratio_cs_cloglog", "cratio", "cloglog", specific, logLik(g), setNames(fixef(g)$cond * c(-1, -1, 1, 1, 1), own), attr(VarCorr(g)$cond$judge, "stddev"), "glmmTMB of the stages, ratings 1, 2 and 4, 5 together")
m <- multinom(rating ~ temp + contact, wine3, reltol = 1e-15, maxit = 1000, trace = FALSE)
b <- coef(m); steps <- rbind(b[1, ], b[2, ] - b[1, ])
v <- setNames(c(-steps[, 1], steps[, 2], steps[, 3]), c("2|3", "3|4", "cs(2|3)_tempwarm", "cs(3|4)_tempwarm", "cs(2|3)_contactyes", "cs(3|4)_contactyes"))
add("acat_cs", "acat", "logit", "rating ~ cs(temp + contact)", logLik(m), v, NULL, "multinom: all effects on single thresholds are those on categories; ratings 1, 2 and 4, 5 together")
write_json(out, "ratings/estimates.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
