"""Credible statements about several quantities, or about practical equivalence, from their draws.

Simultaneous intervals are those of equal tails whose tail probability is such that, with the probability asked for, all
of them hold at once (Montiel Olea and Plagborg-Moller 2019, J. Appl. Econometrics 34, algorithm 3). Several equalities
are judged by the ellipsoid about the posterior mean on whose boundary they lie: for normal posteriors that of highest
density (Box and Tiao 1973, sec. 2.8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.fixed_tests import principal
from bayesmix.results.fits.records import EstimateRecord

if TYPE_CHECKING:
    from bayesmix.results.fits.records import FitRecord

Rope = tuple[float, float] | None


def simultaneous_limits(draws: Array, families: Array, level: float) -> tuple[Array, Array]:
    """Limits ``(r,)`` each that hold, with probability ``level``, all quantities of a family at once.

    Parameters
    ----------
    draws : ``(S, r)``.
    families : ``(r,)`` number of the family of each quantity.
    """
    limits = np.empty((2, draws.shape[1]))
    for number in np.unique(families):
        own = np.flatnonzero(families == number)
        tail = _tail(draws[:, own], level)
        limits[:, own] = np.quantile(draws[:, own], [tail, 1.0 - tail], axis=0)
    return limits[0], limits[1]


def _tail(draws: Array, level: float) -> float:
    """Probability beyond each limit of quantities ``(S, r)``; of one quantity half of what is left out."""
    order = np.argsort(np.argsort(draws, axis=0, kind="stable"), axis=0, kind="stable")
    share = (order + 0.5) / len(draws)
    varies = np.ptp(draws, axis=0) > 0.0
    outermost = np.min(np.minimum(share, 1.0 - share)[:, varies], axis=1, initial=0.5)
    return min(float(np.quantile(outermost, 1.0 - level)), 0.5 * (1.0 - level))


def check_rope(fit: FitRecord, rope: Any) -> None:
    """Refuse what is no region of practical equivalence, and any of an estimate.

    Raises
    ------
    SpecError
        For other things than two finite numbers, the smaller first.
    """
    if rope is None:
        return
    if isinstance(fit, EstimateRecord):
        raise SpecError(
            "rope= is about the draws of a posterior. Of an estimate test both sides:"
            ' hypothesis("x > -0.1", "x < 0.1").'
        )
    is_pair = isinstance(rope, Sequence) and len(rope) == 2 and all(isinstance(end, Real) for end in rope)
    if not is_pair or not (math.isfinite(rope[0]) and math.isfinite(rope[1]) and rope[0] < rope[1]):
        raise SpecError(f"rope={rope!r}: two numbers are needed, the smaller first, rope=(-0.1, 0.1).")


def rope_columns(draws: Array, limits: tuple[Array, Array], rope: Rope) -> dict[str, Array]:
    """``in_rope``, the share of draws ``(S, r)`` in a region of practical equivalence, and ``decision``; or nothing.

    Equivalence is accepted where the interval lies inside, rejected where it lies outside (Kruschke 2018).
    """
    if rope is None:
        return {}
    lower, upper = limits
    inside = np.mean((draws >= rope[0]) & (draws <= rope[1]), axis=0)
    is_accepted, is_rejected = (lower >= rope[0]) & (upper <= rope[1]), (upper < rope[0]) | (lower > rope[1])
    words = np.array(["undecided", "accepted", "rejected"], dtype=object)
    return {"in_rope": inside, "decision": words[is_accepted + 2 * is_rejected]}


@dataclass(frozen=True, slots=True)
class Contour:
    """The ellipsoid about the mean of draws on whose boundary zero lies."""

    rank: int  # linearly independent quantities
    distance: float  # of Mahalanobis, of zero from the mean
    content: float  # posterior probability inside


def contour(draws: Array) -> Contour:
    """Of quantities ``(S, r)`` that are zero under a hypothesis.

    Raises
    ------
    SpecError
        If they cannot all be zero.
    """
    spread = draws.std(axis=0)
    draws = draws / np.where(spread > 0.0, spread, 1.0)
    mean, cov = draws.mean(axis=0), np.atleast_2d(np.cov(draws, rowvar=False))
    found = principal(np.eye(draws.shape[1]), mean, cov)
    if not len(found.value):
        return Contour(0, math.nan, math.nan)
    beside = mean - found.rows.T @ found.value
    if np.max(np.abs(beside)) > 1e-6 * max(float(np.max(np.abs(mean))), 1e-300):
        raise SpecError("The equalities contradict each other: not all of them can hold.")
    size = np.sum((draws @ found.rows.T - found.value) ** 2 / found.variance, axis=1)
    zero = float(np.sum(found.value**2 / found.variance))
    return Contour(len(found.value), math.sqrt(zero), float(np.mean(size < zero)))
