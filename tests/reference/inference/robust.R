# Cluster-robust inference about fixed effects of lmer's fits: clubSandwich.
suppressMessages({library(lme4); library(clubSandwich); library(jsonlite)})
polished <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6))
Machines <- read.csv("machines.csv"); Machines$Worker <- factor(Machines$Worker)
Oats <- read.csv("oats.csv", stringsAsFactors = TRUE); Oats$rate <- factor(paste0("N", 10 * Oats$nitro))
clinics <- read.csv("../emmeans/clinics.csv", stringsAsFactors = TRUE); names(clinics)[names(clinics) == "g"] <- "clinic"
cases <- list(
  sleepstudy = list(Reaction ~ Days + (Days | Subject), sleepstudy, "Subject"),
  machines = list(score ~ Machine + (1 | Worker) + (1 | Worker:Machine), Machines, "Worker"),
  oats = list(yield ~ Variety * rate + (1 | Block) + (1 | Block:Variety), Oats, "Block"),
  oats_main = list(yield ~ Variety + nitro + (1 | Block:Variety), Oats, "Block"),
  clinics = list(y ~ t + (1 | clinic), clinics, "clinic"))
run <- function(case) {
  data <- case[[2]]; fit <- lmer(case[[1]], data, control = polished); fit@call$data <- quote(data)
  p <- length(fixef(fit)); I <- diag(p)
  one <- function(kind) {
    V <- vcovCR(fit, cluster = data[[case[[3]]]], type = kind)
    test <- coef_test(fit, vcov = V, test = "Satterthwaite")
    joint <- lapply(c(list(I[-1, , drop = FALSE]), if (p > 2) list(I[2:3, ])), function(L) {
      w <- tryCatch(Wald_test(fit, constraints = L, vcov = V, test = "HTZ"), error = function(e) NULL)
      list(L = L, F = w$Fstat, df1 = w$df_num, df2 = w$df_denom, p = w$p_val) })
    list(cov = unname(as.matrix(V)[, ]), df = test$df_Satt, t = test$tstat, p = test$p_Satt, joint = joint)
  }
  list(formula = deparse1(case[[1]]), cluster = case[[3]], CR0 = one("CR0"), CR1 = one("CR1"), CR2 = one("CR2"))
}
writeLines(toJSON(c(list(versions = list(lme4 = as.character(packageVersion("lme4")), clubSandwich = as.character(packageVersion("clubSandwich")))),
  lapply(cases, run)), digits = 12, na = "null", auto_unbox = TRUE), "robust.json")
