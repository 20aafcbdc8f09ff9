# The default priors of rstanarm as it reports them after scaling: Rscript priors.R ../../../bayesmix/data/datasets > priors.json
suppressMessages({library(rstanarm); library(jsonlite)})
folder <- commandArgs(TRUE)[1]
read <- function(name, factors = character()) {
  data <- read.csv(file.path(folder, paste0(name, ".csv")))
  for (f in factors) data[[f]] <- factor(data[[f]])
  data
}
sleep <- read("sleepstudy", "Subject"); esoph <- read("esoph", c("agegp", "alcgp", "tobgp"))
cbpp <- read("cbpp", c("herd", "period")); nb <- read("nbsim", "g"); gam <- read("gammasim", "g")
binary <- data.frame(y = as.integer(cbpp$incidence > 0), size = cbpp$size, period = cbpp$period, herd = cbpp$herd)
sleep$late <- as.integer(sleep$Days > 6)
cases <- list(
  sleepstudy = list(Reaction ~ Days + (Days | Subject), sleep, gaussian()),
  "sleepstudy, binary column" = list(Reaction ~ late + (1 | Subject), sleep, gaussian()),
  "sleepstudy, no intercept" = list(Reaction ~ 0 + Days + (1 | Subject), sleep, gaussian()),
  "sleepstudy, log" = list(Reaction ~ Days + (1 | Subject), sleep, gaussian("log")),
  cbpp = list(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial()),
  "cbpp, probit" = list(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial("probit")),
  binary = list(y ~ size + (1 | herd), binary, binomial()),
  esoph = list(ncases ~ ncontrols + (ncontrols | agegp), esoph, poisson()),
  nbsim = list(y ~ x + (x | g), nb, neg_binomial_2()),
  gammasim = list(y ~ x + (1 | g), gam, Gamma("log")))
numbers <- function(prior) {
  if (is.null(prior)) return(NULL)
  scale <- if (is.null(prior$adjusted_scale)) prior$scale else prior$adjusted_scale
  list(dist = prior$dist, location = prior$location, scale = scale, rate = if (!identical(prior$dist, "exponential")) NULL else if (is.null(scale)) prior$rate else 1 / scale)
}
priors_of <- function(case) {
  fit <- suppressWarnings(suppressMessages(stan_glmer(case[[1]], case[[2]], family = case[[3]], chains = 1, iter = 40, refresh = 0,
                                                     prior_PD = TRUE, init_r = 0.1)))
  p <- prior_summary(fit)
  list(formula = deparse1(case[[1]]), family = case[[3]]$family, link = case[[3]]$link, intercept = numbers(p$prior_intercept),
       slopes = numbers(p$prior), aux = numbers(p$prior_aux), covariance = p$prior_covariance)
}
found <- lapply(cases, priors_of)
found$versions <- list(rstanarm = as.character(packageVersion("rstanarm")), R = R.version.string)
cat(toJSON(found, auto_unbox = TRUE, digits = NA, null = "null", pretty = TRUE))
