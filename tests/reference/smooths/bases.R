# Bases and penalties of smooths by mgcv: smoothCon(absorb.cons = TRUE) and smooth2random(type = 2), to bases.json.
# R 4.2.2, mgcv 1.8-41. Rscript bases.R
library(mgcv)
library(jsonlite)
set.seed(2)
n <- 24
d <- data.frame(x = round(runif(n), 3), z = round(rnorm(n), 3), days = rep(0:5, 4), w = round(rnorm(n), 3),
                f = factor(rep(c("a", "b"), n / 2)), o = factor(rep(c("a", "b", "c"), n / 3), ordered = TRUE))
new <- data.frame(x = c(-0.3, 0.2, 0.77, 1.4), z = c(-3, 0, 0.5, 2), days = c(-1, 2.5, 4, 7), w = c(0, 1, -1, 2),
                  f = factor(c("a", "b", "a", "b")), o = factor(c("a", "b", "c", "a"), ordered = TRUE))
both <- rbind(d, new)
as_random <- function(s, X) { # what smooth2random makes of other rows: it is linear in the columns
  s$X <- X
  r <- smooth2random(s, "", type = 2)
  list(fixed = as.matrix(r$Xf), random = lapply(unname(r$rand), as.matrix))
}
one <- function(text) {
  lapply(smoothCon(eval(parse(text = text)), d, absorb.cons = TRUE), function(s) {

    X <- PredictMat(s, both)
      stopifnot(grepl("t2", text) || max(abs(X[1:n, ] - s$X)) < 1e-8)
    if (grepl("t2", text)) X <- s$X # predictions of t2 are under another constraint in mgcv
    as_random(s, X)
  })
}
texts <- c("s(x)", "s(x, k = 6)", "s(days, k = 6)", "s(x, k = 7, m = 1)", "s(x, k = 8, m = 3)", "s(x, by = f, k = 5)",
           "s(x, by = o, k = 5)", "s(x, by = w, k = 5)", "s(x, z, k = 12)", 's(x, bs = "cr", k = 6)',
           's(x, bs = "cc", k = 6)', "t2(x, z, k = 4)", 't2(x, z, bs = c("tp", "cc"), k = c(4, 5))')
smooths <- lapply(texts, one)
names(smooths) <- texts
as_list <- function(f) lapply(f, function(column) if (is.factor(column)) as.character(column) else column)
write(toJSON(list(data = as_list(d), new = as_list(new), smooths = smooths), digits = 10, matrix = "rowmajor",
             auto_unbox = FALSE), "bases.json")
set.seed(1)
stopifnot(identical(sample(1:3000, 6), c(1017L, 679L, 2177L, 930L, 1533L, 471L)))
