"""Conflicts of priors at zero with the data, where zero is far from them: a standard deviation that is huge there.

The lines ``b_0 + b_1 x`` of the levels spread little among the data and, at ``x = 0`` far away from them, by about
``|mean(x)| sd(b_1)``. A prior of the size of the response that is stated there leaves the slopes no room: the posterior
is that of another model, without slopes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.centring import CENTRED, INTERCEPT, centring, intercepts, inverse, is_centred, places
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.language.priors.prior import Prior

FAR = 2.0  # times as large at zero as at the means is a standard deviation from which on zero counts as far


@dataclass(frozen=True, slots=True, eq=False)
class Conflict:
    """A prior of an intercept's standard deviation at zero that the estimate is beyond."""

    term: int
    name: str  # of the standard deviation
    prior: Prior
    upper: float  # bound that holds 95 % of the prior
    estimate: float  # at zero
    centred: float  # at the means
    change: Array  # (k, k) from zero to the means
    place: str  # "Days = 4.5"

    @property
    def reason(self) -> str:
        """What is wrong."""
        return (
            f"The prior of {self.name}, {self.prior}, is stated where predictors are zero, far from the data: the"
            f" estimate there is {self.estimate:.3g}, at {self.place} it is {self.centred:.3g}. The prior decides the"
            f" posterior."
        )

    @property
    def advice(self) -> str:
        """What to do."""
        there = self.name.removesuffix(f"{INTERCEPT})") + f"{CENTRED})"
        return f'centre the predictor, or state the prior at the means: priors={{..., "{there}": "{self.prior}"}}'

    def __str__(self) -> str:
        return f"{self.reason} Next: {self.advice}."


def conflicts(priors: Priors, design: Design, covariances: Sequence[Array]) -> list[Conflict]:
    """Conflicts with the covariances of an estimate at zero, ``(k, k)`` a term."""
    found, prefixes = [], design.layout.prefixes
    for t, term in enumerate(design.terms):
        for at, change in _at_zero(term, priors.changes[t], design):
            name, prior = priors.sd_names[t][at], priors.sd[t][at]
            there = change @ covariances[t] @ change.T
            estimate, centred = (float(np.sqrt(max(matrix[at, at], 0.0))) for matrix in (covariances[t], there))
            upper = priors.intervals().get(name, (0.0, np.inf))[1]
            if estimate > max(upper, FAR * centred):
                place = places(term, change, prefixes)[at]
                found.append(Conflict(t, name, prior, upper, estimate, centred, change, place))
    return found


def _at_zero(term: Term, stated: Array, design: Design) -> Iterator[tuple[int, Array]]:
    """The intercepts whose priors are at zero although they could be at means: place, and how each is centred."""
    whole = centring(term, design.layout.prefixes, design.counts)
    for at in intercepts(term, design.layout.prefixes).values():
        change = np.eye(len(whole))
        change[at] = whole[at]
        if is_centred(change) and np.array_equal(stated[at], np.eye(len(whole))[at]):
            yield at, change


def inside(point: PointEstimate, found: Sequence[Conflict]) -> PointEstimate:
    """The estimate to start a sampler from, its slopes shrunk until the intercept at zero is inside the prior."""
    covariances, effects = list(point.covariances), list(point.b)
    for conflict in found:
        M, back = conflict.change, inverse(conflict.change)
        is_moved = np.any(back != M, axis=0)  # the columns that are centred
        shrink = np.diag(np.where(is_moved, 0.5 * conflict.upper / conflict.estimate, 1.0))
        there = M @ covariances[conflict.term] @ M.T
        settled = shrink @ np.diag(np.diagonal(there)) @ shrink
        covariances[conflict.term] = back @ settled @ back.T
        effects[conflict.term] = effects[conflict.term] @ (back @ shrink @ M).T
    return replace(point, covariances=tuple(covariances), b=tuple(effects))
