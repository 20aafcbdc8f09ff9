"""Rows whose linear predictors are alike, as one: sums of their log densities within levels of a factor.

Counts of one species at one site have one mean and one shape, whatever the parameters are. A kernel in two parts, see
`Split`, takes few numbers for all of them: one part is computed at their mean, the other at each count that there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.distinct_rows import alike
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem
from bayesmix.inference.least_squares.incidence import Segments
from bayesmix.inference.parameters.likelihood import Likelihood, SeveralPredictors
from bayesmix.inference.parameters.response_parts import ResponsePart
from bayesmix.language.families.family import Split
from bayesmix.language.families.namespaces import NUMERIC

MOST = 0.75  # of the rows that may be left, else each stays by itself


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Responses at which a part of the kernel is computed, and for how much of the data each of them stands."""

    y: Array  # (c,)
    weights: Array  # (c,)
    levels: Segments  # in which they are added up


@dataclass(frozen=True, slots=True, eq=False)
class AlikeRows:
    """Log densities of rows of which many have equal predictors."""

    part: ResponsePart
    split: Split
    first: Array  # (m,) one row of each kind: predictors are those of these rows
    linear: _Sums  # of each kind, (m,)
    curved: _Sums  # of the responses that differ where parameters beside the mean do not, (c,)
    kinds: Array  # (c,) of which kind each of those is
    base: Array  # (J,) what no parameter changes

    def sums_of(self, own: Sequence[Array]) -> Array:
        """Sums ``(..., J)`` within levels, by predictors ``(..., m)`` of which some may have fewer leading axes."""
        mean, *beside = (own[r] for r in self.part.places)
        ones = np.ones(())
        with np.errstate(all="ignore"):
            others = [link.formula(NUMERIC, eta) for link, eta in zip(self.part.links[1:], beside, strict=True)]
            linear = self.split.linear(NUMERIC, self.linear.y, ones, mean, *others)
            few = [np.take(one, self.kinds, axis=-1) for one in others]
            curved = self.split.curved(NUMERIC, self.curved.y, ones, *few)
            total = self.linear.levels.sum(linear * self.linear.weights) + self.base
            return np.asarray(total + self.curved.levels.sum(curved * self.curved.weights))


def of_first_factor(design: Design, problem: GeneralizedProblem) -> AlikeRows | None:
    """Those within levels of the factor that has several proposals a level; None, too, where none has."""
    working = problem.coordinates
    if not working.plan.nested:
        return None
    return alike_rows(design, problem.likelihood, working.factors[0].codes[: design.n])


def alike_rows(design: Design, likelihood: Likelihood, levels: Array) -> AlikeRows | None:
    """Those of a design; None where few are alike, or the kernel is not one in two parts.

    Parameters
    ----------
    levels : (n,) in which log densities are added up, each of which has rows.
    """
    part = _in_two_parts(likelihood)
    if part is None:
        return None
    first, own = alike(design, range(design.R), levels)
    if len(first) > MOST * design.n:
        return None
    form, y, weights = part.observed.closed_form, part.outcome.y, part.outcome.weights
    assert form is not None
    assert form.split is not None
    whole = np.bincount(own, weights)
    some, kind = alike(design, part.places[1:], levels, y)
    return AlikeRows(
        part,
        form.split,
        first,
        _Sums(np.bincount(own, weights * y) / whole, whole, Segments.of(levels[first])),
        _Sums(y[some], np.bincount(kind, weights), Segments.of(levels[some])),
        own[some],
        np.bincount(levels, weights * part.observed.base(y, part.outcome.trials)),
    )


def _in_two_parts(likelihood: Likelihood) -> ResponsePart | None:
    """The response of rows with one, if its kernel is in two parts, by which prior weights are multiplied."""
    if not isinstance(likelihood, SeveralPredictors) or len(likelihood.parts) > 1:
        return None
    (part,) = likelihood.parts
    if not isinstance(part, ResponsePart) or part.observed.weights != "likelihood":
        return None
    form = part.observed.closed_form
    return part if form is not None and form.split is not None and part.observed.is_canonical(part.links[0]) else None
