# Writes bases.json: columns that R 4.2.2 makes from x of d.csv (first 25 rows) and, with what it learnt there, from other values.
suppressMessages({library(splines); library(jsonlite)})
d <- read.csv("d.csv")[1:25, ]
new <- data.frame(x = c(-3, 0, 2.5, 5, 7.75, 12, 20))
cases <- c(
  "scale(x)", "scale(x, scale = FALSE)", "scale(x, center = FALSE)", "scale(x, center = 5, scale = 2)",
  "poly(x, 1)", "poly(x, 3)", "poly(x, 5)", "poly(x, degree = 2, raw = TRUE)",
  "bs(x)", "bs(x, df = 6)", "bs(x, df = 5, degree = 2)", "bs(x, knots = c(4, 6))", "bs(x, knots = 5, intercept = TRUE)",
  "bs(x, df = 4, degree = 1)", "bs(x, Boundary.knots = c(3, 8), df = 5)",
  "ns(x)", "ns(x, df = 4)", "ns(x, df = 4, intercept = TRUE)", "ns(x, knots = c(4, 5, 6))",
  "ns(x, df = 3, Boundary.knots = c(3, 8))",
  "log(pos)", "log(pos, base = 3)", "log(pos, 2)", "log2(pos)", "log10(pos)", "log1p(pos)", "exp(-x)", "expm1(pos)", "sqrt(pos)",
  "abs(z)", "sin(2 * pi * x)", "cos(x/3)", "tan(z)", "I(-x^2/3 + 2 * (z - 1))", "I((x > 4 & z < 0.5) | !(x <= 6))", "I(x != 2.0127)",
  "I(f == \"a\")", "I(h != \"lo\")", "I(f %in% c(\"a\", \"c\"))", "I(bool * 2)", "scale(log(pos))", "poly(log(pos), 2)")
out <- list()
for (case in cases) {
  formula <- as.formula(paste("~ 0 +", case))
  frame <- suppressWarnings(model.frame(formula, d))
  entry <- list(X = unname(as.matrix(model.matrix(formula, frame))), names = I(colnames(model.matrix(formula, frame))))
  if (setequal(all.vars(formula), "x"))
    entry$new <- unname(as.matrix(suppressWarnings(model.matrix(formula, model.frame(terms(frame), new)))))
  out[[case]] <- entry
}
write_json(out, "bases.json", digits = 10, auto_unbox = TRUE, matrix = "rowmajor")
