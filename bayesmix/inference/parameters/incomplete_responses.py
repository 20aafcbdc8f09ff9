"""The part of a row's log density that is of normal responses with missing values, these integrated out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.response_parts import Part, ResponsePart
from bayesmix.language.families.derivatives import Derivatives, derivatives
from bayesmix.language.families.imputed import predictors_of
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.structural_equations import Equation, State, kernel


@dataclass(frozen=True, slots=True, eq=False)
class IncompleteResponses(Part):
    """Responses of which one is a predictor of another, or misses values."""

    members: Mapping[int, ResponsePart]  # by position of the response
    parents: Mapping[int, Sequence[int]]  # the responses that the mean of each is of
    incomplete: frozenset[int]  # those that may miss values
    order: tuple[int, ...]  # each after those that it depends on

    @property
    @override
    def responses(self) -> tuple[ResponsePart, ...]:
        return tuple(self.members[i] for i in self.order)

    @property
    @override
    def places(self) -> tuple[int, ...]:
        return tuple(r for one in self.responses for r in _free(one))

    @property
    @override
    def beside_means(self) -> tuple[int, ...]:
        return tuple(one.predictors[1] for one in self.responses)

    @override
    def value(self, own: Sequence[Array]) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self._equations(own)[0])

    @override
    def derivatives(self, own: Sequence[Array], order: int) -> Derivatives:
        return derivatives(lambda at: self._equations(at)[0], own, order)

    def moments(self, own: Sequence[Array]) -> State:
        """Means and covariances of the missing values of each row given all that was observed of it."""
        return self._equations(own)[1]

    def _equations(self, own: Sequence[Any]) -> tuple[Any, State]:
        rest = iter(own)
        parameters = {
            i: self._parameters(self.members[i], [next(rest) for _ in _free(self.members[i])]) for i in self.order
        }
        return kernel(NUMERIC, self.order, {i: self._equation(i, parameters[i]) for i in self.order})

    @staticmethod
    def _parameters(one: ResponsePart, own: Sequence[Any]) -> list[Any]:
        return [link.formula(NUMERIC, eta) for link, eta in zip(one.links, own, strict=False)]

    def _equation(self, i: int, parameters: Sequence[Any]) -> Equation:
        outcome = self.members[i].outcome
        seen = outcome.seen.astype(float) if i in self.incomplete else None
        mu, sigma, *slopes = parameters
        by_parent = dict(zip(self.parents[i], slopes, strict=True))
        return Equation(mu, sigma, by_parent, outcome.y if seen is None else np.nan_to_num(outcome.y), seen)


def _free(one: ResponsePart) -> tuple[int, ...]:
    """The predictors of mean, standard deviation and slopes: not what is known of rows."""
    return one.predictors[: 2 + len(predictors_of(one.family))]
