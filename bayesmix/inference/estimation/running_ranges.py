"""Ranges of correlations by distance that run off to an end: beyond what the distances in the data can tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.distance_correlation import ByDistance
from bayesmix.inference.parameters.names import corr_names, sd_names

ALIKE = 0.95  # correlation of the farthest effects above which all of them are nearly the same
APART = 0.01  # that of the nearest ones below which they are nearly independent


def running_ranges(terms: Sequence[Term], correlations: Sequence[Array]) -> Iterator[str]:
    """Say which ranges run off, and what follows: one sentence each."""
    for term, matrix, sds, names in zip(terms, correlations, sd_names(terms), corr_names(terms), strict=True):
        family = structure_of(term).correlation
        if isinstance(family, ByDistance) and not np.isnan(matrix).any():
            yield from _of_term(term, family, matrix, [sds[0], names[0]])


def _of_term(term: Term, family: ByDistance, matrix: Array, names: Sequence[str]) -> Iterator[str]:
    (nearest, farthest), length, (sd, name) = family.span, float(family.numbers(matrix)[0]), names
    apart = matrix[np.tril_indices(family.k, -1)]
    if apart.min() > ALIKE:
        yield (
            f"`{name}` = {length:.3g} runs off to infinity: the largest distance is {farthest:.3g}, where effects are"
            f" still correlated by {apart.min():.3f}. The data tell how fast effects drift apart, not how far: `{sd}`"
            f" and `{name}` grow together. Sample with a prior on the range (model.sample()); where levels"
            f" alone differ, `(1 | {term.group})` is the model."
        )
    elif apart.max() < APART:
        yield (
            f"`{name}` = {length:.3g} runs off to zero: the smallest distance is {nearest:.3g}, where effects are"
            f" correlated by {apart.max():.3g}. Positions are independent: how far they are apart says nothing. Where"
            " each level has one row a position, their variance cannot be told from the residual one. Leave the"
            " structure out, or sample with a prior on the range (model.sample())."
        )
