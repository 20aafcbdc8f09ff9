# Reference of phylogenies: covariances and correlations of the tips of a tree that is not ultrametric, by ape's vcv.
suppressMessages({library(ape); library(jsonlite)})
set.seed(7)
tree <- rtree(9)
tree$edge.length <- round(tree$edge.length, 4)
write(toJSON(list(source = paste("ape", packageVersion("ape")), newick = write.tree(tree), tips = tree$tip.label,
  covariance = vcv(tree), correlation = vcv(tree, corr = TRUE)), digits = NA, auto_unbox = TRUE), "phylogeny.json")
