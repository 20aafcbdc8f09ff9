# CR2 with prior weights: clubSandwich 0.5.8 (vcovCR of lm with inverse_var), R 4.2. Reads trial.csv, writes
# weighted_clusters.json. Rscript weighted_clusters.R in this folder.
suppressMessages({library(clubSandwich); library(jsonlite)})
trial <- read.csv("trial.csv")
trial$visit <- factor(trial$visit, c("w1", "w2", "w4", "w8")); trial$arm <- factor(trial$arm, c("placebo", "active"))
trial$w <- 0.5 + (seq_len(nrow(trial)) %% 5) / 2
fit <- lm(y ~ base + arm * visit, trial, weights = w)
V <- vcovCR(fit, cluster = trial$patient, type = "CR2", inverse_var = TRUE)
found <- coef_test(fit, vcov = V, cluster = trial$patient, test = "Satterthwaite")
write(toJSON(list(estimate = found$beta, se = found$SE, df = found$df_Satt), digits = 12, pretty = TRUE), "weighted_clusters.json")
