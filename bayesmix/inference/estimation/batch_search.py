"""The search for estimates of many responses at once, with the promise of `boundary.search` for each.

Variances that vanish are put exactly at zero. Searches that ended there, or not at a minimum, are started again from
where those of single fits are; the lowest criterion counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.boundary import AGAIN, SINGULAR
from bayesmix.inference.estimation.multistart import multistart
from bayesmix.inference.estimation.optimise import is_flat
from bayesmix.inference.estimation.restart import LOWER, ROUGH, are_near
from bayesmix.inference.estimation.searches import Derivatives, Minima, minimise_together
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.parameters.covariance import split, turning_places

Again = Callable[[int, Array, Sequence[int], bool], Iterable[Array]]  # a search, and what `Restarts.starts` takes


def search_together(
    working: Coordinates, derivatives: Derivatives, starts: Array, inverse: Array | None, *, again: Again
) -> tuple[Minima, Array]:
    """The lowest minima from ``starts (S, m)``, and which terms are singular there ``(S, terms)``."""
    found, singular = settle_together(
        working, derivatives, np.arange(len(starts)), minimise_together(derivatives, starts, inverse=inverse)
    )
    searched = np.arange(len(starts))
    for _ in range(AGAIN):
        searched = _restarted(working, derivatives, found, singular, searched, again)
        if not len(searched):
            break
    return found, singular


def _restarted(
    working: Coordinates, derivatives: Derivatives, found: Minima, singular: Array, searched: Array, again: Again
) -> Array:
    """Put lower minima in the place of those of some searches, where others lead to one; which were lower."""
    is_doubtful = singular.any(axis=1) | ~found.converged
    terms = [np.flatnonzero(own).tolist() for own in singular]
    pairs = [(s, x) for s in searched.tolist() for x in again(s, found.x[s], terms[s], bool(is_doubtful[s]))]
    if not pairs:
        return searched[:0]
    searches, points = (np.array(part) for part in zip(*pairs, strict=True))
    which, ends = _lower_ends(derivatives, found, searches, points, turning_places(working.structures))
    if not len(which):
        return which
    others, others_singular = settle_together(
        working, derivatives, which, minimise_together(derivatives, ends, which=which)
    )
    order = np.argsort(others.value, kind="stable")
    places = order[np.unique(which[order], return_index=True)[1]]  # the lowest of each search
    places = places[others.value[places] < found.value[which[places]]]
    singular[which[places]] = others_singular[places]
    found.put(which[places], others.some(places))
    return which[places]


def _lower_ends(
    derivatives: Derivatives, found: Minima, which: Array, points: Array, turning: Sequence[Sequence[int]]
) -> tuple[Array, Array]:
    """Rough searches from ``points`` that ended lower than what was found: their numbers and ends."""
    before = found.value[which]

    def is_known(x: Array, value: float | Array, gradient: Array) -> Array:
        return np.isfinite(before) & are_near(x, found.x[which], turning)

    ends, heights = multistart(derivatives, points, tolerance=ROUGH, is_known=is_known, which=which)
    lower = np.flatnonzero(np.isfinite(heights) & ~(heights >= before - LOWER * np.maximum(abs(before), 1.0)))
    return which[lower], ends[lower]


def settle_together(
    working: Coordinates, derivatives: Derivatives, which: Array, found: Minima
) -> tuple[Minima, Array]:
    """`boundary.settle` for many minima; a search has not converged where a ridge is more than what that leaves."""
    m = working.size
    parts = split(working.structures, found.x[:, :m])
    pairs = [s.settled(own, SINGULAR) for s, own in zip(working.structures, parts, strict=True)]
    singular = np.stack([moved for _, moved in pairs], axis=1) if pairs else np.zeros((len(which), 0), bool)
    flat = np.flatnonzero(is_flat(found.hessian)) if found.x.shape[1] else np.zeros(0, int)
    found.converged[flat] = [_is_flat_there_only(working, found.hessian[s], singular[s]) for s in flat]
    at = np.flatnonzero(singular.any(axis=1))
    if not len(at):
        return found, singular
    x = found.x[at]
    x[:, :m] = np.concatenate([own[at] for own, _ in pairs], axis=1)
    value, _ = derivatives(which[at], x)
    before = found.value[at]
    taken = value <= before + 1e-9 * np.maximum(np.abs(before), 1.0)
    found.x[at[taken]], found.value[at[taken]] = x[taken], np.minimum(value, before)[taken]
    return found, singular


def _is_flat_there_only(working: Coordinates, hessian: Array, singular: Array) -> bool:
    """Whether only covariance parameters of singular terms are without curvature."""
    sizes = [structure.size for structure in working.structures]
    rest = np.append(~np.repeat(singular, sizes), np.ones(len(hessian) - working.size, bool))
    return bool(singular.any() and not is_flat(hessian[np.ix_(rest, rest)]))
