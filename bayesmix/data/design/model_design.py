"""A model on data: its design, with the categories and the supports of its responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesmix.data.design.build import build
from bayesmix.data.design.categories import with_categories
from bayesmix.data.design.design import Design
from bayesmix.data.design.layout import parts_of
from bayesmix.errors import SpecError
from bayesmix.language.families.bounds import check_bounds
from bayesmix.language.families.registry import check_response
from bayesmix.language.formula.model_spec import ModelSpec


def model_design(
    spec: ModelSpec,
    data: Any,
    *,
    weights: Any,
    offset: Any,
    contrasts: Mapping[str, str] | None,
    data2: Mapping[str, Any] | None = None,
) -> tuple[ModelSpec, Design]:
    """A model with the categories that the data have, and its design; arguments as those of `build`.

    Raises
    ------
    SpecError, DataError, DesignError
        If data and model do not suit each other.
    """
    design = build(parts_of(spec), data, weights=weights, offset=offset, contrasts=contrasts, data2=data2)
    spec, design = with_categories(spec, design)
    check_responses(spec, design)
    if not (design.fixed or design.terms):
        raise SpecError(
            f"Formula `{spec.formula.text}` has neither fixed nor random effects."
            f" Intercept and noise alone are `{design.response} ~ 1`."
        )
    return spec, design


def check_responses(spec: ModelSpec, design: Design) -> None:
    """Raise `DataError` where a response has values that its family cannot have."""
    for response, outcome in zip(spec.responses, design.outcomes, strict=True):
        check_response(response.family, response.label, outcome.y, outcome.trials)
        check_bounds(response.family, response.label, outcome.bounds, outcome.trials)
