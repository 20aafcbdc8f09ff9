"""Restarts of a search for a minimum: a criterion may have several valleys, one of them where a variance is zero.

A standard deviation of zero is a stationary point whatever the data, for the criterion is even in it, and often a
minimum beside a deeper one inside. So wherever a search ends on the boundary, or not at a minimum, others start from
inside; the lowest criterion counts. A regular end costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.optimise import Objective, Optimum, minimise, scout
from bayesmix.inference.parameters.covariance import Structure, split

LOWER = 1e-8  # of the criterion: what counts as another valley
ROUGH = 1e-3  # slope at which a search that is not the lowest ends
NEAR, FAR = 1.0, 8.0  # relative factors to start from; columns are of unit size


def starts_inside(structures: Sequence[Structure], x: Array, start: Array, singular: Sequence[int]) -> Iterator[Array]:
    """Points inside the boundary that ``x``, found from ``start``, is on: all terms near it; and far from it.

    Of a linear criterion, whose fixed effects are profiled out, the singular terms alone go far, others stay as they
    were found. Elsewhere all go, with the rest as it was at the start: what was found fits only where it was found.
    Few searches, to stay within three times the cost of one: those that reached the valleys which many more, of five
    sizes, had found on random designs (`tests/optima.py`).
    """
    m = sum(structure.size for structure in structures)
    moved = singular if len(x) == m and singular else range(len(structures))
    yield np.concatenate([*(_round(structure, NEAR) for structure in structures), start[m:]])
    own = split(structures, x[:m])
    for t in moved:
        own[t] = _round(structures[t], FAR)
    yield np.concatenate([*own, start[m:]])


def _round(structure: Structure, scale: float) -> Array:
    """Free numbers of independent effects of equal size."""
    return structure.theta(scale * np.eye(structure.k))


def lowest(objective: Objective, found: Optimum, starts: Iterator[Array], *, accurate: bool) -> Optimum:
    """The lowest of minima: the one found, and those to which searches from ``starts`` lead."""
    best = found
    for start in starts:
        x, value = scout(objective, start, tolerance=ROUGH)
        if value < best.value - LOWER * max(abs(best.value), 1.0):
            better = minimise(objective, x, accurate=accurate)
            best = better if better.value < best.value else best
    return best
