# Reference values of repeated measures: SAS's PROC MIXED, as kept in the repository of R's mmrm, and mmrm itself.
# Rscript mmrm.R REPOSITORY in this folder: github.com/openpharma/mmrm at ec290b2 (0.3.18, Apache License 2.0), installed.
# Writes fev.csv (its fev_data, simulated), sas.json, mmrm.json.
suppressMessages({library(mmrm); library(emmeans); library(jsonlite)})
repository <- commandArgs(TRUE)[1]
data <- as.data.frame(fev_data)[, c("USUBJID", "AVISIT", "ARMCD", "RACE", "SEX", "FEV1_BL", "FEV1")]
data <- data[!is.na(data$FEV1), ]
write.csv(data, "fev.csv", row.names = FALSE, quote = FALSE)

# SAS: FEV1 ~ ARMCD, standard error and degrees of freedom of Kenward and Roger
tests <- readLines(file.path(repository, "tests/testthat/test-kenwardroger.R"))
kr <- function(said) {
  at <- grep(paste0("test_that(\"", said, "\""), tests, fixed = TRUE)
  line <- grep("expected <- c(", tests[at:length(tests)], fixed = TRUE, value = TRUE)[1]
  found <- eval(parse(text = sub(".*<- ", "", line)))
  list(se = found[1], df = found[2])
}
names <- c(ar1 = "ar1", ar1h = "ar1h", csh = "csh", us = "unstructured")
sas <- lapply(names, function(name) kr(paste("kr give similar results as SAS for", name)))
sas$cs <- kr("kr linear give similar results as SAS for cs") # four digits elsewhere; its second derivatives are zero
# and Satterthwaite's differences of arms at each visit, FEV1 ~ RACE + SEX + ARMCD * AVISIT, unstructured
log <- readLines(file.path(repository, "design/SAS/sas_log_reml.txt"))
log <- strsplit(trimws(grep("AVISIT\\*ARMCD +VIS. +TRT +VIS. +PBO", log, value = TRUE)), " +")
log <- log[sapply(log, function(row) row[2] == row[4])]
sas$by_visit <- lapply(log, function(row) list(visit = row[2], estimate = as.numeric(row[6]), se = as.numeric(row[7]), df = as.numeric(row[8])))
write(toJSON(sas, digits = 14, auto_unbox = TRUE, pretty = TRUE), "sas.json")

# mmrm, in whose parametrisation of variances and covariances second derivatives do not vanish: "linear" leaves them out
whole <- function(formula, method, vcov = NULL) {
  to_the_end <- function(par, fn, gr, ...) optim(par, fn, gr, method = "BFGS", control = list(reltol = 1e-15, maxit = 5000))
  fit <- mmrm(formula, fev_data, control = mmrm_control(method = method, vcov = vcov, optimizers = list(bfgs = to_the_end)))
  table <- summary(fit)$coefficients
  list(criterion = 2 * fit$neg_log_lik, beta = table[, "Estimate"], se = table[, "Std. Error"], df = table[, "df"])
}
arms <- function(structure) as.formula(paste0("FEV1 ~ RACE + SEX + ARMCD * AVISIT + ", structure, "(AVISIT | USUBJID)"))
found <- list()
for (structure in c("us", "cs", "csh", "ar1", "ar1h")) {
  found[[structure]] <- list(satterthwaite = whole(arms(structure), "Satterthwaite"),
                             linear = whole(arms(structure), "Kenward-Roger", "Kenward-Roger-Linear"))
}
write(toJSON(found, digits = 12, auto_unbox = TRUE, pretty = TRUE), "mmrm.json")
