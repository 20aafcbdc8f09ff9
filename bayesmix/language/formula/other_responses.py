"""A model whose responses the data have completed, with what follows from these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bayesmix.language.formula.model_spec import ModelSpec, Parts, Response, parameters_of


def with_responses(spec: ModelSpec, responses: Sequence[Response], parts: Parts) -> ModelSpec:
    """The model with other responses in place of its own, and the formulas of their parameters."""
    predictors, auxiliaries = parameters_of(responses, parts)
    return replace(
        spec,
        family=responses[0].family,
        link=predictors[0].link,
        responses=tuple(responses),
        predictors=predictors,
        auxiliaries=auxiliaries,
    )
