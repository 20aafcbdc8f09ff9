"""Estimates on the boundary: where a search starts, restarts, and which terms are singular there."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.optimise import Objective, Optimum, Status, is_flat, minimise, value_at
from bayesmix.inference.estimation.restart import (
    Restarts,
    lowest,
    lowest_together,
    lowest_without_noise,
    starts_apart,
    starts_at_ranges,
)
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.parameters.covariance import from_factor, inside, split, turning_places

AGAIN = 2  # times that searches start from elsewhere
SINGULAR = 1e-4  # a direction of the effects whose relative SD is below this counts as zero (lme4's isSingular)


def initial_factors(working: Coordinates, size: float) -> Array:
    """Relative factors ``size * I``: columns are of unit size."""
    factors = from_factor(working.structures, [size * np.eye(s.k) for s in working.structures])
    return inside(working.structures, factors)


def conditional_covariances(working: Coordinates, factorisation: Factorisation, scale: float) -> tuple[Array, ...]:
    """Conditional covariances of the random effects, parameters held, user's units: per term ``(J, k, k)``."""
    columns = factorisation.XX.shape[-1]
    inverse = sensitivity(factorisation, np.zeros((columns, columns)), working.pattern).D
    return tuple(
        scale * C @ inverse[place.factor][:, place.columns, place.columns] @ C.T
        for place, C in zip(working.places, working.C, strict=True)
    )


def search(
    working: Coordinates, objective: Objective, start: Array, *, restarts: Restarts, accurate: bool
) -> tuple[Optimum, tuple[int, ...]]:
    """The lowest minimum and its singular terms: from the start, and from elsewhere where that end is in doubt.

    What is found lower is in doubt once more.
    """
    optimum, singular = settle(working, minimise(objective, start, accurate=accurate), objective)
    for _ in range(AGAIN):
        better = _restarted(working, objective, optimum, singular, restarts=restarts, accurate=accurate)
        if better is optimum:
            break
        optimum, singular = settle(working, better, objective)
        if restarts.is_beyond(optimum.x):
            break
    return optimum, singular


def _restarted(
    working: Coordinates,
    objective: Objective,
    optimum: Optimum,
    singular: tuple[int, ...],
    *,
    restarts: Restarts,
    accurate: bool,
) -> Optimum:
    """The lowest minimum that searches from elsewhere find, or the one that is known."""
    is_open = len(optimum.x) == working.size and can_follow(working) and not restarts.has_known_noise
    is_doubtful = bool(singular) or optimum.status is not Status.CONVERGED or is_open
    apart = starts_apart(working.structures) if is_open else iter(())
    ranges = starts_at_ranges(working.structures, optimum.x)
    starts = chain(restarts.starts(optimum.x, singular, is_doubtful), apart, ranges)
    turning = turning_places(working.structures)
    if restarts.together is not None:
        better = lowest_together(
            objective,
            optimum,
            starts,
            sizes=working.size,
            together=restarts.together,
            accurate=accurate,
            turning=turning,
        )
    else:
        better = lowest(
            objective,
            optimum,
            starts,
            sizes=working.size,
            accurate=accurate,
            turning=turning,
            is_beyond=restarts.is_beyond,
        )
    return lowest_without_noise(objective, working.structures, better) if is_open else better


def can_follow(working: Coordinates) -> bool:
    """Whether fixed and random effects are so many that they may follow every row, noise and all.

    Those of related levels do not: what they may do together is less likely than noise.
    """
    effects = sum(factor.levels * factor.k for factor in working.factors if factor.relation is None)
    return working.entries <= working.X.shape[1] + effects


def settle(working: Coordinates, optimum: Optimum, objective: Objective) -> tuple[Optimum, tuple[int, ...]]:
    """Put variances that vanish at the optimum exactly at zero, and say which terms are singular."""
    parts = split(working.structures, optimum.x[: working.size])
    found = [s.settled(own, SINGULAR) for s, own in zip(working.structures, parts, strict=True)]
    singular = [t for t, (_, moved) in enumerate(found) if moved]
    if not singular:
        return optimum, ()
    x = optimum.x.copy()
    x[: working.size] = np.concatenate([own for own, _ in found])
    value = value_at(objective, x)
    if value <= optimum.value + 1e-9 * max(abs(optimum.value), 1.0):
        status = Status.CONVERGED if _is_flat_there_only(working, optimum, singular) else optimum.status
        return replace(optimum, x=x, value=min(value, optimum.value), status=status), tuple(singular)
    return optimum, tuple(singular)


def _is_flat_there_only(working: Coordinates, optimum: Optimum, singular: list[int]) -> bool:
    """Whether a ridge is what singular terms have: where a root of their covariance is zero, its direction is free."""
    sizes = [structure.size for structure in working.structures]
    there = np.repeat(np.isin(np.arange(len(sizes)), singular), sizes)
    rest = np.append(~there, np.ones(len(optimum.x) - working.size, bool))
    return optimum.status is Status.FLAT and not is_flat(optimum.hessian[np.ix_(rest, rest)])
