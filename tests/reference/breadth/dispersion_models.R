# Tweedie amounts with zeros and generalized Poisson counts by glmmTMB 1.1.5: Rscript dispersion_models.R
# Amounts are simulated, sums of a Poisson number of gamma variables; glmmTMB's dispersion of genpois is 1 + phi here.
suppressMessages({library(glmmTMB); library(jsonlite)})
tight <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-15, x.tol = 1e-12))
data(Salamanders, package = "glmmTMB")
set.seed(7)
n <- 160; g <- rep(sprintf("g%02d", 1:16), each = 10); x <- round(rnorm(n), 3)
mu <- exp(0.6 + 0.4 * x + rnorm(16, 0, 0.5)[as.integer(factor(g))]); phi <- 1.3; p <- 1.45
count <- rpois(n, mu^(2 - p) / (phi * (2 - p)))
y <- ifelse(count > 0, rgamma(n, pmax(count, 1) * (2 - p) / (p - 1), scale = phi * (p - 1) * mu^(p - 1)), 0)
amounts <- data.frame(y = round(y, 4), x = x, g = g)
write.csv(amounts, "data/tweedie.csv", row.names = FALSE, quote = FALSE)
result <- function(m, number) {
  s <- summary(m)$coefficients$cond
  list(criterion = -2 * as.numeric(logLik(m)), estimate = as.list(s[, 1]), std_error = as.list(s[, 2]),
       sd = as.numeric(attr(VarCorr(m)$cond[[1]], "stddev")), numbers = number(m))
}
powers <- function(m) list(phi = sigma(m), power = unname(plogis(m$fit$par[["psi"]]) + 1))
out <- list(
  tweedie = result(glmmTMB(y ~ x + (1 | g), family = tweedie, data = amounts, control = tight), powers),
  genpois = result(glmmTMB(count ~ mined + (1 | site), family = genpois, data = Salamanders, control = tight),
                   function(m) list(phi = sigma(m) - 1))
)
write_json(out, "dispersion_models.json", auto_unbox = TRUE, digits = 12, pretty = TRUE)
