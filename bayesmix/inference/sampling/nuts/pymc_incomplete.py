"""Responses in the PyMC model, and normal ones with missing values: these are integrated out, as everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.response import Outcome
from bayesmix.language.families.family import Family
from bayesmix.language.families.imputed import predictors_of
from bayesmix.language.families.link import Link
from bayesmix.language.families.namespaces import symbolic
from bayesmix.language.families.structural_equations import Equation, kernel
from bayesmix.language.formula.imputation import imputation_order
from bayesmix.language.formula.model_spec import ModelSpec


@dataclass(frozen=True, slots=True, eq=False)
class SymbolicResponse:
    """A response given its parameters, as symbols."""

    name: str  # of the variable: "y"; of several responses each its own
    family: Family
    link: Link  # of the mean
    outcome: Outcome
    eta: Any  # (n,) linear predictor of the mean
    others: Sequence[Any]  # the parameters beside it: numbers, or (n,)


@dataclass(frozen=True, slots=True, eq=False)
class SymbolicImputation:
    """Which responses depend on each other, by position."""

    parents: Mapping[int, Sequence[int]]  # of those that are predictors, have such or miss values
    incomplete: frozenset[int]  # those that may miss values

    def rows(self, responses: Sequence[SymbolicResponse], column: Callable[[Array], Any]) -> Any:
        """Log density of what was observed of each row ``(n,)``; ``column`` makes symbols of numbers of rows."""
        order = tuple(imputation_order(self.parents))
        return kernel(symbolic(), order, {i: self._equation(i, responses[i], column) for i in order})[0]

    def _equation(self, i: int, one: SymbolicResponse, column: Callable[[Array], Any]) -> Equation:
        sigma, *others = one.others
        slopes = dict(zip(self.parents[i], others[: len(predictors_of(one.family))], strict=True))
        seen = column(one.outcome.seen.astype(float)) if i in self.incomplete else None
        return Equation(one.eta, sigma, slopes, column(np.nan_to_num(one.outcome.y)), seen)

    def name(self, responses: Sequence[SymbolicResponse]) -> str:
        """What their log density is called."""
        return "_".join(responses[i].name for i in sorted(self.parents))

    def others(self, responses: Sequence[SymbolicResponse]) -> list[SymbolicResponse]:
        """The responses that have nothing to do with missing values."""
        return [one for i, one in enumerate(responses) if i not in self.parents]


def imputation_of(spec: ModelSpec) -> SymbolicImputation | None:
    """That of a model; None where no values are missing."""
    return SymbolicImputation(spec.imputed, spec.incomplete) if spec.imputed else None
