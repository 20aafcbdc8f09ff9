"""The mean of a response with the columns of its linear predictor, by itself; or all predictors of its categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.response import Outcome
from bayesmix.data.design.term import Term
from bayesmix.inference.parameters.one_predictor import one_term, without_steps
from bayesmix.language.families.family import Family, is_linear
from bayesmix.language.families.link import Link
from bayesmix.language.formula.model_spec import ModelSpec


@dataclass(frozen=True, slots=True, eq=False)
class MeanPart:
    """A response and the columns of its mean: of ``n`` rows, whatever other predictors a row has."""

    label: str  # of the response as written
    prefixes: tuple[str, ...]  # of the names of its coefficients, one a predictor
    family: Family
    link: Link
    outcome: Outcome
    X: Array  # (n, p); or (m n, p) of several predictors, one below the other
    columns: list[int]  # position of each among all fixed effects
    fixed: tuple[str, ...]  # their names
    terms: tuple[Term, ...]  # the random effects of the mean
    effects: tuple[tuple[int, list[int]], ...]  # the term of each among all, and its effects there
    has_residual: bool  # whether it is linear, with normal noise of one size

    @property
    def y(self) -> Array:
        """Response ``(n,)``; of counts of successes their number."""
        return self.outcome.y

    @property
    def trials(self) -> Array:
        """Binomial denominators ``(n,)``."""
        return self.outcome.trials

    @property
    def intercepts(self) -> set[str]:
        """Names of the intercepts."""
        return {f"{prefix}Intercept" for prefix in self.prefixes}

    def of_terms(self, values: Sequence[Array]) -> list[Array]:
        """Values of the effects of each of its terms, from those of all terms, ``(..., k)``; or one for all effects."""
        return [values[t] if values[t].shape[-1] == 1 else values[t][..., own] for t, own in self.effects]


def mean_parts(design: Design, spec: ModelSpec) -> list[MeanPart]:
    """Means of all responses."""
    return [_mean(design, spec, r) for r, one in enumerate(spec.parameters) if one.parameter == 0]


def separable_parts(design: Design, spec: ModelSpec) -> list[MeanPart]:
    """What may separate the outcomes of each response: its mean, or all predictors that tell categories apart."""
    parts = mean_parts(design, spec)
    return [
        part if len(own) == 1 else replace(part, **_stacked(design, own))
        for part, own in zip(parts, separable_predictors(design, spec), strict=True)
    ]


def separable_predictors(design: Design, spec: ModelSpec) -> list[list[int]]:
    """The predictors of `separable_parts`."""
    return [
        [
            r
            for r, one in enumerate(spec.parameters)
            if one.response == k and one.parameter < _separable(response.family)
        ]
        for k, response in enumerate(spec.responses)
    ]


def _separable(family: Family) -> int:
    return 1 if family.rises is None else family.rises.shape[-1]


def _stacked(design: Design, own: Sequence[int]) -> dict[str, Any]:
    columns = [j for r in own for j in design.of_predictor(r)]
    X = np.vstack([design.X[design.block(r)][:, columns] for r in own])
    fixed, prefixes = tuple(design.fixed[j] for j in columns), tuple(design.layout.prefixes[r] for r in own)
    return {"prefixes": prefixes, "X": X, "columns": columns, "fixed": fixed}


def _mean(design: Design, spec: ModelSpec, r: int) -> MeanPart:
    one = spec.parameters[r]
    outcome = design.outcomes[one.response]
    design = design if outcome.is_complete else design.take(np.flatnonzero(outcome.seen))
    response, columns, rows = without_steps(spec.responses[one.response]), design.of_predictor(r), design.block(r)
    effects = tuple((t, own) for t, term in enumerate(design.terms) if (own := term.columns_of(r)))
    return MeanPart(
        label=response.label,
        prefixes=(design.layout.prefixes[r],),
        family=response.family,
        link=response.links[0],
        outcome=design.outcomes[one.response],
        X=design.X[rows] if len(columns) == design.X.shape[1] else design.X[rows][:, columns],  # no copy
        columns=columns,
        fixed=tuple(design.fixed[j] for j in columns),
        terms=tuple(_named(one_term(design.terms[t], design, r), design.terms[t], own) for t, own in effects),
        effects=effects,
        has_residual=is_linear(response.family, response.links[0]) and _is_constant(design, spec, one.response),
    )


def _named(part: Term, whole: Term, own: list[int]) -> Term:
    """The effects of one predictor, called as they are among all."""
    if part is whole:
        return whole
    return replace(part, effects=tuple(whole.effects[e] for e in own))


def _is_constant(design: Design, spec: ModelSpec, response: int) -> bool:
    """Whether the noise of a response is of one size in all rows."""
    if spec.is_simple:
        return not design.outcome.has_known_noise
    count = len(without_steps(spec.responses[response]).links)
    own = [(r, one.parameter) for r, one in enumerate(spec.parameters) if one.response == response]
    others = [r for r, parameter in own if 0 < parameter < count]
    return all(
        len(design.of_predictor(r)) == 1
        and bool(np.ptp(design.X[design.block(r)], axis=0).max(initial=0.0) == 0.0)
        and not any(term.columns_of(r) for term in design.terms)
        for r in others
    )
