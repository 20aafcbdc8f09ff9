# Upper 95 % limit of the standard deviation of groups that do not differ: where lme4's Laplace deviance, the lowest over
# the fixed effects, is above that without groups by the critical value. Rscript noise.R, in this folder: 0.3323020682
library(lme4)

d <- read.csv("noise.csv", colClasses = c(g = "factor"))
fit <- glmer(y ~ x + (1 | g), d, family = poisson, control = glmerControl(tolPwrss = 1e-13))
deviance <- update(fit, devFunOnly = TRUE)
held <- function(sd) {
  f <- function(beta) deviance(c(sd, beta))
  first <- optim(fixef(fit), f, control = list(reltol = 1e-14, maxit = 5000))
  optim(first$par, f, control = list(reltol = 1e-15, maxit = 5000))$value
}
print(uniroot(function(sd) held(sd) - held(0) - qchisq(0.95, 1), c(0.1, 1), tol = 1e-9)$root, digits = 10)
