# Writes matrices.json: what model.matrix of R 4.2.2 makes of the formulas in matrices.txt on d.csv: names, column sums, sums
# weighted by (row number modulo 7), and which columns its QR decomposition keeps.
suppressMessages({library(splines); library(jsonlite)})
d <- read.csv("d.csv", stringsAsFactors = FALSE, check.names = FALSE)
declare <- function(name, levels, ordered = FALSE) d[[name]] <<- factor(d[[name]], levels = levels, ordered = ordered)
declare("f", c("b", "a", "c")); declare("h", c("lo", "hi")); declare("a", paste0("A", 1:4))
declare("o", c("low", "mid", "high", "top"), TRUE)
out <- list()
for (line in readLines("matrices.txt")) {
  X <- model.matrix(as.formula(paste("~", line)), d)
  kept <- qr(X)
  out[[line]] <- list(names = I(colnames(X)), sums = I(unname(colSums(X))), weighted = I(unname(colSums(X * (seq_len(nrow(X)) %% 7)))),
                      kept = I(colnames(X)[sort(kept$pivot[seq_len(kept$rank)])]))
}
write_json(out, "matrices.json", digits = 10, auto_unbox = TRUE)
