"""Ranges of correlations by distance, and length scales, that run off: beyond what distances in the data can tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.distance_correlation import ByDistance
from bayesmix.inference.parameters.names import corr_names, sd_names
from bayesmix.inference.parameters.spectral_covariance import Spectral

ALIKE = 0.95  # correlation of the farthest effects above which all of them are nearly the same
FAR = 5.0  # times the largest distance: a length scale above which a process is a polynomial over the data
ROUNDING = 1e-6
APART = 0.01  # that of the nearest ones below which they are nearly independent


def running_ranges(terms: Sequence[Term], correlations: Sequence[Array]) -> Iterator[str]:
    """Say which ranges run off, and what follows: one sentence each."""
    for term, matrix, sds, names in zip(terms, correlations, sd_names(terms), corr_names(terms), strict=True):
        family = structure_of(term).correlation
        if np.isnan(matrix).any():
            continue
        if isinstance(family, ByDistance):
            yield from _of_term(term, family, matrix, [sds[0], names[0]])
        elif isinstance(family, Spectral):
            yield from _of_process(family, matrix, [sds[0], names[0]])


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


def _of_process(family: Spectral, matrix: Array, names: Sequence[str]) -> Iterator[str]:
    length, (sd, name) = float(family.numbers(matrix)[0]), names
    shortest, longest = family.spectrum.lengths
    if length >= (1.0 - ROUNDING) * float(family.ends[1][0]) or length > FAR * longest:
        yield (
            f"`{name}` = {length:.3g} runs off to infinity: the largest distance is {longest:.3g}, over which the curve"
            f" hardly bends. The data tell how much it bends, not how far it goes: `{sd}` and `{name}` grow together."
            " Sample with a prior on the length scale (model.sample()), or take the curve for a straight line."
        )
    elif length < shortest:
        yield (
            f"`{name}` = {length:.3g} is shorter than what the basis follows, {shortest:.3g}: functions of a higher"
            " frequency are missing. Give it more, `gp(x, k = ...)`; where it runs off to zero, the process is noise of"
            " single rows."
        )
