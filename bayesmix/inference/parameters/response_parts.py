"""Parts of a row's log density: a response, or the responses whose residuals are correlated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.response import Outcome
from bayesmix.inference.parameters.residual_families import correlation_of
from bayesmix.language.families import multivariate_normal
from bayesmix.language.families.derivatives import (
    Derivatives,
    by_predictors,
    density_by_predictors,
    derivatives,
    weighted_all,
)
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import CORRELATION, Link
from bayesmix.language.families.namespaces import NUMERIC


@dataclass(frozen=True, slots=True, eq=False)
class Part(ABC):
    """Responses of a row that are independent of all others given the predictors."""

    @property
    @abstractmethod
    def responses(self) -> tuple[ResponsePart, ...]:
        """Each of them by itself."""

    @property
    @abstractmethod
    def places(self) -> tuple[int, ...]:
        """The predictors that they depend on."""

    @property
    def beside_means(self) -> tuple[int, ...]:
        """Those of them that are of parameters beside the means."""
        return tuple(r for one in self.responses for r in one.predictors[1:])

    @abstractmethod
    def value(self, own: Sequence[Array]) -> Array:
        """Log density of each row by the predictors of `places`, ``(..., n)`` each."""

    @abstractmethod
    def derivatives(self, own: Sequence[Array], order: int) -> Derivatives:
        """The same with derivatives up to an order."""


@dataclass(frozen=True, slots=True, eq=False)
class ResponsePart(Part):
    """One response: its family, and the predictors that its parameters are of."""

    family: Family
    links: tuple[Link, ...]  # one a parameter
    predictors: tuple[int, ...]  # of each parameter
    outcome: Outcome
    observed: Family  # of what was observed of the response: `family` itself without bounds

    @property
    @override
    def responses(self) -> tuple[ResponsePart, ...]:
        return (self,)

    @property
    @override
    def places(self) -> tuple[int, ...]:
        return self.predictors

    @override
    def value(self, own: Sequence[Array]) -> Array:
        y, trials, weights = self.outcome.y, self.outcome.trials, self.outcome.weights
        return density_by_predictors(self.observed, self.links, y, own, trials=trials, weights=weights)

    @override
    def derivatives(self, own: Sequence[Array], order: int) -> Derivatives:
        y, trials, weights = self.outcome.y, self.outcome.trials, self.outcome.weights
        return by_predictors(self.observed, self.links, y, own, trials=trials, weights=weights, order=order)

    def parameters(self, own: Sequence[Any]) -> tuple[Any, ...]:
        """The parameters of each row at its prior weight, from the predictors: arrays or polynomials."""
        mean, *others = (link.formula(NUMERIC, eta) for link, eta in zip(self.links, own, strict=True))
        return (mean, *weighted_all(self.family, others, self.outcome.weights)[0])


@dataclass(frozen=True, slots=True, eq=False)
class CorrelatedResponses(Part):
    """Gaussian responses whose residuals are correlated: a multivariate normal distribution."""

    members: tuple[ResponsePart, ...]
    residual: tuple[int, ...]  # predictors of the partial correlations

    @property
    @override
    def responses(self) -> tuple[ResponsePart, ...]:
        return self.members

    @property
    @override
    def places(self) -> tuple[int, ...]:
        return (*(r for one in self.members for r in one.predictors), *self.residual)

    @override
    def value(self, own: Sequence[Array]) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self._density(own))

    @override
    def derivatives(self, own: Sequence[Array], order: int) -> Derivatives:
        return derivatives(self._density, own, order)

    def _density(self, own: Sequence[Any]) -> Any:
        rest = iter(own)
        parameters = [one.parameters([next(rest) for _ in one.predictors]) for one in self.members]
        partial = [CORRELATION.formula(NUMERIC, eta) for eta in rest]
        root = correlation_of(len(partial)).rows(partial, sqrt=NUMERIC.sqrt, one=np.ones(()))
        means, spreads = zip(*parameters, strict=True)
        return multivariate_normal.kernel(NUMERIC, [one.outcome.y for one in self.members], means, spreads, root)
