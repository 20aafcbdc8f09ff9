# Yields of gasoline from ten crude oils (Prater 1956, Petroleum Refiner 35; MASS::petrol), R 4.2, glmmTMB 1.1.5.
library(glmmTMB)
data(petrol, package = "MASS")
petrol$yield <- petrol$Y / 100
fit <- glmmTMB(yield ~ EP + (1 | No), data = petrol, family = beta_family)
cat(sprintf("log-likelihood %.9f\n", logLik(fit)), format(fixef(fit)$cond, digits = 10), format(sigma(fit), digits = 8), "\n")
