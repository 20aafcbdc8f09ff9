# Phylogenetic meta-analysis: metafor::rma.mv with known sampling variances and R = list(phylo = A). R 4.2, metafor, ape.
# Rscript meta.R in this folder; writes meta.json.
suppressMessages({library(metafor); library(ape); library(jsonlite)})
set.seed(3)
J <- 18; n <- 50
tree <- rcoal(J, tip.label = sprintf("t%02d", 1:J))
tree$edge.length <- round(tree$edge.length / max(node.depth.edgelength(tree)), 4)
A <- vcv(tree)
A <- A[sort(rownames(A)), sort(rownames(A))]
species <- sample(rownames(A), n, replace = TRUE); x <- round(rnorm(n), 2); sei <- round(runif(n, 0.1, 0.4), 3)
b <- setNames(drop(t(chol(A)) %*% rnorm(J, sd = 1.2)), rownames(A)); own <- setNames(rnorm(J, sd = 0.3), rownames(A))
yi <- round(0.5 + 0.2 * x + b[species] + own[species] + rnorm(n, sd = 0.2) + rnorm(n, sd = sei), 4)
data <- data.frame(yi, sei, x, species = species, phylo = species, obs = 1:n)
control <- list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-14, maxit = 10000)
one <- function(method, random) {
  fit <- rma.mv(yi, sei^2, mods = ~ x, random = random, R = list(phylo = A), Rscale = "none", method = method, data = data,
                control = control)
  X <- model.matrix(fit)
  list(method = method, loglik = as.numeric(logLik(fit)), beta = unname(c(fit$beta)), vb = unname(vcov(fit)),
       sigma2 = fit$sigma2, log_det_X = as.numeric(determinant(crossprod(X))$modulus),
       blup = unname(ranef(fit)$phylo$intrcpt), blup_names = rownames(ranef(fit)$phylo))
}
whole <- list(~ 1 | phylo, ~ 1 | species, ~ 1 | obs); alone <- list(~ 1 | phylo)
write(toJSON(list(source = paste("metafor", packageVersion("metafor")), data = data, tree = write.tree(tree), A = A,
  levels = rownames(A), whole_reml = one("REML", whole), whole_ml = one("ML", whole), alone_reml = one("REML", alone),
  alone_ml = one("ML", alone)), digits = NA, auto_unbox = TRUE), "meta.json")
