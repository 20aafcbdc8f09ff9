"""Searches from scattered points, all in one batch: where outcomes hardly bound effects there are many valleys.

Outcomes that the effects of several factors can tell nearly without error leave it to Laplace's criterion which of the
factors does it: each may be without end, or zero, with correlations and fixed effects of either sign. That criterion is
one number at each point, for outcomes with logits have one conditional mode; its lowest valley is a matter of where
searches begin. Fits that are led there are few, and say so. Of few rows dozens of searches cost what some do alone, 1.5
to 8 CPU seconds; more rows than `MOST_ROWS` are left where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.multistart import multistart
from bayesmix.inference.estimation.optimise import Objective, Optimum
from bayesmix.inference.estimation.restart import lowest_of_ends, starts_at_edges
from bayesmix.inference.estimation.searches import Derivatives
from bayesmix.inference.parameters.covariance import Structure, from_factor, inside

MOST_ROWS = 100  # of twice as many six failures of six had nothing lower
POINTS = 24  # in a round; of 16 one of nine random designs ended above the best of ten searches by SciPy
SMALLEST, LARGEST = 0.5, 50.0  # sizes of relative factors
ROUNDS = 3  # each from about the lowest point that the last one found
ROUGH = 1e-2  # slope at which a search ends; those that are lowest go on


def lowest_of_scattered(
    derivatives_of: Callable[[int], Derivatives],
    objective: Objective,
    structures: Sequence[Structure],
    found: Optimum,
    start: Array,
) -> Optimum:
    """The lowest of a minimum that was found and those to which searches from scattered points lead.

    Parameters
    ----------
    derivatives_of : values and gradients of the objective at as many points at once.
    start : where the search for the minimum began.
    """
    rng = np.random.default_rng(3)
    for _ in range(ROUNDS):
        points = np.array([*starts_at_edges(structures, found.x), *_scattered(structures, found.x, start, rng)])
        ends, heights = multistart(derivatives_of(len(points)), points, tolerance=ROUGH)
        order = np.argsort(heights, kind="stable")
        better = lowest_of_ends(objective, found, list(zip(heights[order].tolist(), ends[order], strict=True)))
        if better is found:
            break
        found = better
    return found


def _scattered(structures: Sequence[Structure], x: Array, start: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Effects of any size and correlation, each term its own, beside what was found and the start in turn."""
    m = sum(structure.size for structure in structures)
    for i in range(POINTS):
        size = np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))
        factors = [
            size * (np.diag(np.exp(rng.normal(size=s.k))) + np.tril(rng.normal(size=(s.k, s.k)), -1))
            for s in structures
        ]
        rest = (x if i % 2 else start)[m:]
        moved = np.exp(0.5 * rng.normal()) * rest + 0.5 * rng.normal(size=len(rest))
        yield np.concatenate([inside(structures, from_factor(structures, factors)), moved])
