"""A model on data: its design, with the categories and the supports of its responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.data.design.build import build
from bayesmix.data.design.categories import with_categories
from bayesmix.data.design.condensed import StayingTable
from bayesmix.data.design.design import Design
from bayesmix.data.design.layout import parts_of
from bayesmix.data.design.monotonic_terms import with_monotonic_effects
from bayesmix.data.design.response import Outcome
from bayesmix.data.frame import MissingColumnError
from bayesmix.data.remote_table import is_remote, open_remote
from bayesmix.errors import DataError, SpecError, nearest
from bayesmix.language.families.bounds import check_bounds
from bayesmix.language.families.registry import check_response, counted
from bayesmix.language.formula.left_sides import name_of
from bayesmix.language.formula.model_spec import ModelSpec, known_parameters

FAR = 500.0  # mean of an imputed predictor, in standard deviations, from which on it is too far from zero
LARGE = 5_000_000  # rows from which on data stay where they are, with where="auto"
PLACES = ("memory", "source", "auto")


def placed(data: Any, where: str, spec: ModelSpec) -> Any:
    """Data as they are, or as a table that stays where it is.

    Raises
    ------
    SpecError, DataError
        If there is no such place, or the data cannot stay there.
    """
    if where not in PLACES:
        raise SpecError(f"where={where!r}: data are in one of {', '.join(PLACES)}.{nearest(str(where), PLACES)}")
    if where == "memory" or (where == "auto" and (spec.has_row_covariance or not is_remote(data))):
        return data
    table = open_remote(data)
    if where == "auto" and table.count_missing([])[0] < LARGE:
        return table.frame.to_native() if "*" in table.origin.path else data  # files of a pattern are opened already
    return table


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
    _check_imputation(spec, data, weights)
    if isinstance(data, StayingTable):
        spec, data = with_counts(spec), replace(data, is_counted=not spec.is_linear)
    spec = with_monotonic_effects(spec, data)
    try:
        design = build(parts_of(spec), data, weights=weights, offset=offset, contrasts=contrasts, data2=data2)
    except MissingColumnError as error:
        raise _nor_parameter(error, spec) from None
    spec, design = with_categories(spec, design)
    check_responses(spec, design)
    for parent in {i for parents in spec.imputed.values() for i in parents}:
        _check_place(spec.responses[parent].label, design.outcomes[parent])
    if not (design.fixed or design.terms):
        raise SpecError(
            f"Formula `{spec.formula.text}` has neither fixed nor random effects."
            f" Intercept and noise alone are `{design.response} ~ 1`."
        )
    return spec, design


def _nor_parameter(error: MissingColumnError, spec: ModelSpec) -> DataError:
    """The error of a column that is not there, of a formula that may have been meant to be of a parameter."""
    if error.column not in [name_of(response.label) for response in spec.responses[1:]]:
        return error
    return DataError(
        f"{error} `{error.column} ~ ...` is taken for the formula of a response, since no parameter has that name:"
        f" {known_parameters(spec.responses[:1])}."
    )


def with_counts(spec: ModelSpec) -> ModelSpec:
    """The model with families whose log densities are multiplied by the rows that each row stands for.

    Raises
    ------
    SpecError
        If rows are not independent given the predictors.
    """
    if spec.has_row_covariance:
        raise SpecError(
            'Residuals that are correlated within blocks need the rows in their order, and where="source" reads none:'
            " leave `where` out, or the structure of the residuals."
        )
    responses = tuple(replace(one, family=counted(one.family)) for one in spec.responses)
    return replace(spec, family=counted(spec.family), responses=responses)


def _check_imputation(spec: ModelSpec, data: Any, weights: Any) -> None:
    """Raise `SpecError` where missing values are imputed of data that are more than rows without weights."""
    if not spec.imputed:
        return
    if weights is not None:
        raise SpecError("weights= of a model that imputes missing values are not supported: leave them out.")
    if isinstance(data, StayingTable):
        raise SpecError('Missing values are imputed row by row, in memory: leave where="source" out.')


def _check_place(response: str, outcome: Outcome) -> None:
    """Raise `DataError` where an imputed predictor is so far from zero that nothing tells slope and intercept apart."""
    middle, size = float(np.mean(outcome.present.y)), float(np.std(outcome.present.y))
    if abs(middle) > FAR * size > 0.0:
        near = f"I({response} - {float(f'{middle:.3g}'):.10g})"
        raise DataError(
            f"`{response}` is at {middle:.6g} with standard deviation {size:.3g}: the slope of `mi({response})` and an"
            f" intercept where it is zero are hardly told apart. Write `mi({near})`, and `{near} | mi()` in its"
            " formula."
        )


def check_responses(spec: ModelSpec, design: Design) -> None:
    """Raise `DataError` where a response has values that its family cannot have."""
    for response, outcome in zip(spec.responses, design.outcomes, strict=True):
        present = outcome.present
        check_response(response.family, response.label, present.y, present.trials)
        check_bounds(response.family, response.label, outcome.bounds, outcome.trials)
