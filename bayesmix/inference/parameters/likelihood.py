"""The log density of the rows of a design as a function of their linear predictors, and its derivatives.

Of ``n`` rows with ``R`` predictors, ``eta`` is stacked predictor by predictor (see `bayesmix.data.design.rows`): its
last axis has ``N = R n`` entries. Second derivatives are ``(n,)`` where ``R`` is one, blocks ``(R, R, n)`` elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.response import Outcome
from bayesmix.inference.parameters.incomplete_responses import IncompleteResponses
from bayesmix.inference.parameters.response_parts import CorrelatedResponses, Part, ResponsePart
from bayesmix.inference.parameters.row_blocks import with_eigenvalues
from bayesmix.inference.parameters.third_derivatives import local_third
from bayesmix.language.families.bounds import observed
from bayesmix.language.families.derivatives import (
    Derivatives,
    by_predictor,
    density_by_predictor,
    slopes_by_predictor,
)
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Jet, Link
from bayesmix.language.formula.imputation import imputation_order
from bayesmix.language.formula.model_spec import ModelSpec

FLOOR = 1e-8  # of eigenvalues of a row's information


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood(ABC):
    """Log density of each row and its derivatives.

    ``dispersion`` is the parameter beside the mean where that is one number for all rows of a single predictor; what is
    passed in its place elsewhere does not matter.
    """

    @property
    @abstractmethod
    def R(self) -> int:
        """Number of linear predictors of a row."""

    @property
    @abstractmethod
    def has_dispersion(self) -> bool:
        """Whether there is a parameter beside the linear predictors."""

    @abstractmethod
    def jet(self, eta: Array, dispersion: Array) -> Jet:
        """Log densities ``(..., n)``, first ``(..., N)``, second and third derivatives."""

    @abstractmethod
    def slopes(self, eta: Array, dispersion: Array) -> tuple[Array, Array]:
        """First and second derivatives by themselves."""

    @abstractmethod
    def value(self, eta: Array, dispersion: Array) -> Array:
        """Log densities ``(..., n)`` by themselves; ``dispersion`` broadcasts with them."""

    @abstractmethod
    def newton(self, eta: Array, dispersion: Array) -> tuple[Array, Array]:
        """First and second derivatives as Newton's method takes them on its way: those of `jet`."""

    @abstractmethod
    def descent(self, eta: Array, second: Array, dispersion: Array) -> Array:
        """Weights of a descent direction where the observed information is of no use: positive ones."""


@dataclass(frozen=True, slots=True, eq=False)
class OnePredictor(Likelihood):
    """That of a family with a formula for the mean alone."""

    family: Family
    link: Link
    outcome: Outcome
    observed: Family  # of what was observed of the response: `family` itself without bounds

    @property
    @override
    def R(self) -> int:
        return 1

    @property
    @override
    def has_dispersion(self) -> bool:
        return self.family.dispersion is not None and not self.outcome.has_known_noise

    @override
    def jet(self, eta: Array, dispersion: Array) -> Jet:
        return by_predictor(self.observed, self.link, self.outcome.y, eta, **self._rest(dispersion))

    @override
    def slopes(self, eta: Array, dispersion: Array) -> tuple[Array, Array]:
        return slopes_by_predictor(self.observed, self.link, self.outcome.y, eta, **self._rest(dispersion))

    @override
    def value(self, eta: Array, dispersion: Array) -> Array:
        return density_by_predictor(self.observed, self.link, self.outcome.y, eta, **self._rest(dispersion))

    @override
    def newton(self, eta: Array, dispersion: Array) -> tuple[Array, Array]:
        return self.jet(eta, dispersion)[1:3]

    @override
    def descent(self, eta: Array, second: Array, dispersion: Array) -> Array:
        """Expected information where the observed one is not positive."""
        observed = -second
        with np.errstate(all="ignore"):
            mu, slope, _, _ = self.link.inverse(eta)
            variance = self.family.variance(self.outcome.trials, mu, *self.family.others(dispersion))
            return np.where(observed > 0.0, observed, self.outcome.weights * slope**2 / variance)

    def _rest(self, dispersion: Array) -> dict[str, Array]:
        return {
            "dispersion": np.asarray(dispersion),
            "trials": self.outcome.trials,
            "weights": self.outcome.weights,
        }


@dataclass(frozen=True, slots=True, eq=False)
class SeveralPredictors(Likelihood):
    """That of rows with several linear predictors: parameters with formulas of their own, or several responses."""

    n: int
    predictors: int
    parts: tuple[Part, ...]

    @property
    @override
    def R(self) -> int:
        return self.predictors

    @property
    @override
    def has_dispersion(self) -> bool:
        return False

    @override
    def jet(self, eta: Array, dispersion: Array) -> Jet:
        parts = self._derivatives(eta, 3)
        (places, found), *others = parts
        is_local = found.places is not None and not others and eta.ndim == 1
        value, first, second, *third = self._totals(eta, parts, 2 if is_local else 3)
        return value, first.reshape(eta.shape), second, local_third(found, places) if is_local else third[0]

    @override
    def slopes(self, eta: Array, dispersion: Array) -> tuple[Array, Array]:
        _, first, second = self._totals(eta, self._derivatives(eta, 2), 2)
        return first.reshape(eta.shape), second

    @override
    def value(self, eta: Array, dispersion: Array) -> Array:
        by_row = eta.reshape(*eta.shape[:-1], self.R, self.n)
        return self.value_of([by_row[..., r, :] for r in range(self.R)])

    def value_of(self, own: Sequence[Array]) -> Array:
        """`value` of predictors ``(..., n)`` each by itself: what is of the smaller ones alone is computed once."""
        first, *rest = (part.value([own[r] for r in part.places]) for part in self.parts)
        return sum(rest, first)

    @override
    def newton(self, eta: Array, dispersion: Array) -> tuple[Array, Array]:
        return self.slopes(eta, dispersion)

    @override
    def descent(self, eta: Array, second: Array, dispersion: Array) -> Array:
        """Blocks with the absolute values of their eigenvalues."""

        def positive(values: Array) -> Array:
            size = np.abs(values)
            return np.maximum(size, FLOOR * np.maximum(size.max(axis=-1, keepdims=True), 1.0))

        return with_eigenvalues(-second, positive)

    def _derivatives(self, eta: Array, order: int) -> list[tuple[Sequence[int], Derivatives]]:
        """Of each part, behind the predictors that it depends on."""
        by_row = eta.reshape(*eta.shape[:-1], self.R, self.n)
        return [(one.places, one.derivatives([by_row[..., r, :] for r in one.places], order)) for one in self.parts]

    def _totals(self, eta: Array, parts: Sequence[tuple[Sequence[int], Derivatives]], order: int) -> list[Array]:
        """Log densities and derivatives ``(..., R, ..., R, n)`` up to an order, summed over the responses."""
        totals = [np.zeros((*eta.shape[:-1], *(self.R,) * k, self.n)) for k in range(order + 1)]
        for places, found in parts:
            totals[0] += found.value
            _spread(found, places, totals[1:])
        return totals


def likelihood_of(design: Design, spec: ModelSpec) -> Likelihood:
    """The likelihood of a model's rows."""
    if spec.is_simple:
        return OnePredictor(spec.family, spec.link, design.outcome, _observed(spec.family, design.outcome))
    parts: list[ResponsePart] = []
    for number, (response, outcome) in enumerate(zip(spec.responses, design.outcomes, strict=True)):
        own = {one.parameter: r for r, one in enumerate(spec.parameters) if one.response == number}
        places = tuple(own[parameter] for parameter in range(len(response.family.parameters)))
        seen = _observed(response.family, outcome)
        parts.append(ResponsePart(response.family, response.links, places, outcome, seen))
    if design.layout.residual and design.layout.structure is None:  # which makes rows depend on each other
        return SeveralPredictors(design.n, design.R, (CorrelatedResponses(tuple(parts), design.layout.residual),))
    if spec.imputed:
        return SeveralPredictors(design.n, design.R, _with_incomplete(spec, parts))
    return SeveralPredictors(design.n, design.R, tuple(parts))


def _with_incomplete(spec: ModelSpec, parts: Sequence[ResponsePart]) -> tuple[Part, ...]:
    """The parts of the responses, those with missing values and those that depend on them as one."""
    own = spec.imputed
    joint = IncompleteResponses({i: parts[i] for i in own}, own, spec.incomplete, tuple(imputation_order(own)))
    return (joint, *(part for i, part in enumerate(parts) if i not in own))


def _observed(family: Family, outcome: Outcome) -> Family:
    return observed(family, outcome.bounds, outcome.trials).with_excess(outcome.excess)


def _spread(found: Derivatives, places: Sequence[int], into: Sequence[Array]) -> None:
    """Put derivatives by a response's parameters in all the places that they have among those by the predictors."""
    for by, values in found.partial.items():
        if len(by) > len(into):
            continue
        for one in set(permutations(by)):
            index: tuple[Any, ...] = (..., *(places[r] for r in one), slice(None))
            if found.places is not None:
                index = (..., *(np.asarray(places)[found.places[r]] for r in one), np.arange(values.shape[-1]))
            into[len(by) - 1][index] = values
