"""Restarts of a search for a minimum: a criterion may have several valleys, one of them where a variance is zero.

A standard deviation of zero is a stationary point whatever the data, for the criterion is even in it, and often a
minimum beside a deeper one inside. So wherever a search ends on the boundary, or not at a minimum, others start from
inside; the lowest criterion counts. A regular end costs nothing, but for few rows.

Of few rows a criterion has several valleys most often, and an evaluation costs least. There searches start from many
sizes and shapes, and after regular ends at the edges. Each is given up as soon as it is on its way to where another has
ended; where several evaluations at once cost little more than one, all go on together.

The residual variance has such a boundary, too, where the effects can follow every row: relative factors without bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.curvature import absolute_inverse
from bayesmix.inference.estimation.multistart import Known, multistart
from bayesmix.inference.estimation.optimise import (
    Objective,
    Optimum,
    Status,
    difference,
    minimise,
    scout,
)
from bayesmix.inference.estimation.searches import Derivatives
from bayesmix.inference.parameters.covariance import Structure, split

LOWER = 1e-8  # of the criterion: what counts as another valley
SAME = 0.03  # distance from a minimum found at which a search is on its way to it
LOW, ALIKE = 3.0, 0.3  # rise of a parabola in which a search leads to its minimum, and share by which it may be off
FLAT = 1e-9  # least curvature of that parabola, over the largest
ROUGH = 1e-3  # slope at which a search that is not the lowest ends
NEAR, FAR = 1.0, 8.0  # relative factors to start from; columns are of unit size
FEW_ROWS = 50  # up to which a search is one of many
SIZES = (2.0, 4.0, 8.0)  # relative factors of those, beside the nearest
ALONE, ASIDE, TINY = 2.0, 0.05, 0.01  # one of the free numbers, all others, and what is next to zero
INSIDE = 0.3  # what was zero
LEANING = (0.8, -0.8)  # correlations of neighbouring effects to start from
SMALL_NOISE, NO_NOISE = 3e2, 1e4  # size of relative factors that is a residual variance of zero: searched, returned
EXACT_FIT = 1e6  # size where an exact fit is recognised by its residual variance
ENDLESS = -0.5  # slope by the log size of a criterion without a minimum: that of an exact fit is -2 or less
ROUNDED = 1e-6  # what rounding does to the criterion there
SMOOTH = 1e-4  # slope at which a search without noise ends


def never(_: Array) -> bool:
    """Sizes that the data tell, however large."""
    return False


@dataclass(frozen=True, slots=True)
class Restarts:
    """Where searches start again, from what was found, its singular terms, and whether it is in doubt.

    ``is_beyond`` says of a lower point whether its sizes are larger than data can tell: then no other is looked for.
    ``together`` gives the derivatives of the criterion for as many searches at once as asked for, where that costs
    little more than for one: then all of them go on together.
    """

    starts: Callable[[Array, Sequence[int], bool], Iterable[Array]]
    is_beyond: Callable[[Array], bool] = never
    together: Callable[[int], Derivatives] | None = None
    has_known_noise: bool = False  # a residual variance of one, which cannot vanish


def starts_inside(structures: Sequence[Structure], x: Array, singular: Sequence[int]) -> Iterator[Array]:
    """Relative factors inside the boundary that those of a linear model, ``x``, are on: all near it; and far from it.

    Then those of few correlations, which near it are none. Singular terms alone go far, others stay as they were
    found. Few searches, to stay within three times the cost of one: those that reached the valleys which many more,
    of five sizes, had found on random designs (`tests/optima.py`).
    """
    yield np.concatenate([_round(structure, NEAR) for structure in structures])
    own = split(structures, x)
    for t in singular or range(len(structures)):
        own[t] = _round(structures[t], FAR)
    yield np.concatenate(own)
    yield from starts_leaning(structures, x)


def starts_apart(structures: Sequence[Structure]) -> Iterator[Array]:
    """Points where each of several terms in turn is far larger than the others."""
    for large in structures if len(structures) > 1 else ():
        yield np.concatenate([_round(own, FAR if own is large else 1.0 / FAR) for own in structures])


def starts_around(structures: Sequence[Structure], x: Array, start: Array) -> Iterator[Array]:
    """Points of many sizes and shapes about ``x``, found from ``start``: where few rows may have another valley.

    All terms equal, from small to far out; each term, and each of the free numbers, alone. All else as it was at the
    start, or as it was found.
    """
    m = sum(structure.size for structure in structures)
    for size, rest in zip(SIZES, (start, x, start), strict=True):
        yield np.concatenate([*(_round(structure, size) for structure in structures), rest[m:]])
    for apart in starts_apart(structures):
        yield np.concatenate([apart, start[m:]])
    for i in range(m):
        yield np.concatenate([np.where(np.arange(m) == i, ALONE, ASIDE), start[m:]])


def starts_at_edges(structures: Sequence[Structure], x: Array) -> Iterator[Array]:
    """What was found with one direction of one term next to zero, all others of the size they have.

    A regular minimum may be beside a lower one on the boundary: with a term that is zero, or a correlation of one, of
    either sign. And one on the boundary beside a lower one inside: a direction that is zero is taken there.
    """
    m = sum(structure.size for structure in structures)
    parts = split(structures, x[:m])
    for t, structure in enumerate(structures):
        for factor in _with_edges(structure.factor(parts[t])):
            own = list(parts)
            own[t] = structure.theta(factor)
            yield np.concatenate([*own, x[m:]])


def starts_at_ranges(structures: Sequence[Structure], x: Array) -> Iterator[Array]:
    """What was found with correlations that fade with distance over other ranges: there are often several valleys."""
    m = sum(structure.size for structure in structures)
    parts = split(structures, x[:m])
    for t, structure in enumerate(structures):
        for own in structure.with_other_ranges(parts[t]):
            yield np.concatenate([*parts[:t], own, *parts[t + 1 :], x[m:]])


def starts_leaning(structures: Sequence[Structure], x: Array) -> Iterator[Array]:
    """What was found with the effects of a term of few correlations going together, or alternating.

    Where such a term is zero its correlations do not matter to the criterion, so that no search turns them. But effects
    may be worth having with one correlation only, and from independent ones a search leads back to zero.
    """
    m = sum(structure.size for structure in structures)
    parts = split(structures, x[:m])
    for t, structure in enumerate(structures):
        for correlation in LEANING if structure.has_few_correlations else ():
            lags = np.abs(np.subtract.outer(np.arange(structure.k), np.arange(structure.k)))
            own = structure.theta(NEAR * np.linalg.cholesky(correlation**lags))
            yield np.concatenate([*parts[:t], own, *parts[t + 1 :], x[m:]])


def _with_edges(L: Array) -> Iterator[Array]:
    """A factor with each of its directions in turn at an edge, or away from it: a little, and far."""
    for i, unit in enumerate(np.eye(len(L))):
        at, beside = np.outer(unit, unit) > 0.0, np.linalg.norm(L[i, :i])
        if abs(L[i, i]) <= ASIDE:
            yield from (np.where(at, size, L) for size in (INSIDE, ALONE))
            continue
        M = np.where(at, TINY, L)
        if beside > 0.0:
            M[i, :i] *= np.linalg.norm(L[i]) / beside
        yield M
        if beside > 0.0:
            yield np.where(unit[:, None] > 0.0, 2.0 * np.diag(np.diag(M)) - M, M)


def _round(structure: Structure, scale: float) -> Array:
    """Free numbers of independent effects of equal size."""
    return structure.inside(structure.theta(scale * np.eye(structure.k)))


def lowest(  # noqa: PLR0913 - options of a search, named
    objective: Objective,
    found: Optimum,
    starts: Iterable[Array],
    *,
    sizes: int,
    accurate: bool,
    turning: Sequence[Sequence[int]] = (),
    is_beyond: Callable[[Array], bool] = never,
) -> Optimum:
    """The lowest of minima: the one found, and those to which searches from ``starts`` lead.

    Parameters
    ----------
    sizes : number of the first variables, which are relative factors; of all others the curvature is about that at the
        minimum found.
    turning : as in `are_near`.
    is_beyond : as in `Restarts`.
    """
    rest = absolute_inverse(found.hessian[sizes:, sizes:])
    leads_back = leads_to(found, turning)
    ends: list[tuple[float, Array]] = []

    def is_known(x: Array, value: float, gradient: Array) -> bool:
        return bool(leads_back(x, value, gradient)) or any(are_near(x, end, turning) for _, end in ends)

    for start in starts:
        x, value = scout(objective, start, tolerance=ROUGH, rest=rest, is_known=is_known)
        if np.isfinite(value):
            ends.append((value, x))
            if _is_lower(value, found) and is_beyond(x):
                break
    return lowest_of_ends(objective, found, sorted(ends, key=lambda end: end[0]), accurate=accurate)


def lowest_together(  # noqa: PLR0913 - options of a search, named
    objective: Objective,
    found: Optimum,
    starts: Iterable[Array],
    *,
    sizes: int,
    together: Callable[[int], Derivatives],
    accurate: bool,
    turning: Sequence[Sequence[int]] = (),
) -> Optimum:
    """The same by searches that go on together; ``together`` as in `Restarts`.

    They are not stopped where one of the others ends: nobody knows that before.
    """
    points = np.array(list(starts))
    if not len(points):
        return found
    rest = absolute_inverse(found.hessian[sizes:, sizes:])
    is_known = leads_to(found, turning)
    ends, heights = multistart(together(len(points)), points, tolerance=ROUGH, is_known=is_known, rest=rest)
    order = np.argsort(heights, kind="stable")
    return lowest_of_ends(objective, found, list(zip(heights[order], ends[order], strict=True)), accurate=accurate)


def are_near(x: Array, end: Array, turning: Sequence[Sequence[int]] = ()) -> Array:
    """Whether points ``(..., m)`` are about where a search ended.

    ``turning``: sets of places whose numbers may change their signs together, as those of a column of a factor. No
    others may: a correlation of minus one is not near one.
    """
    return np.asarray((np.abs(_signs(x, end, turning) * x - end) < SAME).all(axis=-1))


def leads_to(minimum: Optimum, turning: Sequence[Sequence[int]]) -> Known:
    """Whether values and gradients at points ``(..., m)`` are about those of the parabola at a minimum, from low on.

    Then Newton's step from there would end near the minimum, and a search is on its way to it: a valley between them
    would have another slope. ``turning`` as in `are_near`.
    """
    inverse = absolute_inverse(minimum.hessian, least=FLAT)

    def known(x: Array, value: float | Array, gradient: Array) -> Array:
        signs = _signs(x, minimum.x, turning)
        off = signs * x - minimum.x
        slope = off @ minimum.hessian
        rise, error = 0.5 * np.sum(off * slope, axis=-1), signs * gradient - slope
        is_alike = np.abs(value - minimum.value - rise) <= ALIKE * rise
        is_alike &= np.sum((error @ inverse) * error, axis=-1) <= 2.0 * ALIKE**2 * rise
        is_low = (rise > 0.0) & (rise <= LOW) & (minimum.status is Status.CONVERGED)
        return np.asarray(are_near(x, minimum.x, turning) | (is_low & is_alike))

    return known


def _signs(x: Array, end: Array, turning: Sequence[Sequence[int]]) -> Array:
    """Signs ``(..., m)`` that bring numbers which may change theirs together as near to those of an end as they can."""
    signs = np.ones_like(x)
    for places in map(list, turning):
        is_other = np.sum(x[..., places] * end[..., places], axis=-1) < 0.0
        signs[..., places] = np.where(is_other, -1.0, 1.0)[..., None]
    return signs


def lowest_of_ends(
    objective: Objective, found: Optimum, ends: Sequence[tuple[float, Array]], *, accurate: bool = True
) -> Optimum:
    """The lowest of the minimum found and those of rough searches that ended lower; of all, where that one is lost.

    ``ends``: values and points, the lowest first.

    What is lost is none: the criterion is low there for there is hardly a mode.
    """
    best = found
    for value, x in ends:
        if _is_lower(value, best) or (best.status is Status.LOST and np.isfinite(value)):
            better = minimise(objective, x, accurate=accurate)
            is_better = better.value < best.value or best.status is Status.LOST
            best = better if is_better and better.status is not Status.LOST else best
    return best


def _is_lower(value: float, than: Optimum) -> bool:
    return value < than.value - LOWER * max(abs(than.value), 1.0)


def lowest_without_noise(objective: Objective, structures: Sequence[Structure], found: Optimum) -> Optimum:
    """The lowest of the minimum found and those without residual variance, to which it may have been on its way."""
    if not all(structure.is_proportional for structure in structures):
        return found
    starts = [np.concatenate([_round(structure, NEAR) for structure in structures]), *starts_apart(structures)]
    ends = [end for end in (_without_noise(objective, start) for start in starts) if end is not None]
    if not ends:
        return found
    endless = [end for end in ends if end.status is Status.STALLED]
    end = min(endless or ends, key=lambda one: one.value)
    slack = ROUNDED if endless or is_noiseless(found.x) else -LOWER
    return end if end.value < found.value + slack * max(abs(found.value), 1.0) else found


def is_noiseless(x: Array) -> bool:
    """Whether relative factors are so large that a search may have been on its way to no noise."""
    return bool(np.linalg.norm(x) > 0.3 * SMALL_NOISE)


def _without_noise(objective: Objective, start: Array) -> Optimum | None:
    """`_noiseless`; None where rounding leaves nothing of the criterion that far out."""
    try:
        return _noiseless(objective, start)
    except np.linalg.LinAlgError:
        return None


def _noiseless(objective: Objective, start: Array) -> Optimum:
    """The minimum where the residual variance is zero: relative factors beyond all bounds, whose ratios alone count.

    The criterion has a limit there if the effects can follow every row, as near as ``1 / size^2``; rounding grows with
    ``size^2``. So the ratios are searched where it is still small, and the minimum is taken farther out.
    """

    def at_size(x: Array) -> tuple[float, Array]:
        unit = x / np.linalg.norm(x)
        value, gradient = objective(SMALL_NOISE * unit)
        return value, SMALL_NOISE * (gradient - unit * (unit @ gradient)) / np.linalg.norm(x)

    x, _ = scout(at_size, start, tolerance=SMOOTH)
    unit = x / np.linalg.norm(x)
    is_endless = SMALL_NOISE * (unit @ objective(SMALL_NOISE * unit)[1]) < ENDLESS
    x = (EXACT_FIT if is_endless else NO_NOISE) * unit
    value, gradient = objective(x)
    hessian = difference(at_size, x)
    return Optimum(x, value, gradient, hessian, 0, Status.STALLED if is_endless else Status.CONVERGED)
