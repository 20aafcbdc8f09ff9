"""Responses that a model is fitted to again: in the form in which `simulate` returns them, checked as data are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import name_rows
from bayesmix.data.design.design import Design
from bayesmix.data.design.model_design import check_responses
from bayesmix.data.design.response import WHOLE, Outcome
from bayesmix.errors import DataError, SpecError
from bayesmix.language.families.category_counts import coded
from bayesmix.language.formula.formulas import bare
from bayesmix.language.formula.left_sides import name_of
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.fitted_model import Fitted


def with_new_responses(model: Fitted, y: Any) -> Fitted:
    """The model with new responses on the rows of its data; printed figures are of the old ones.

    Parameters
    ----------
    y : one value a row used, or a row of the data as given; of successes out of trials their number, their share or
        ``(n, 2)`` successes and failures; of categories their labels; of several that are counted ``(n, K)`` counts.
        Of several responses a dictionary or data frame.

    Raises
    ------
    DataError
        If values are missing that were not, too many or too few, or none that the family can have.
    SpecError
        If the rows are censored: nobody knows which of other values would be.
    """
    spec, design = model.spec, model.design
    if any(outcome.bounds is not None and outcome.bounds.is_censored.any() for outcome in design.outcomes):
        raise SpecError(
            "New responses in place of censored ones would have to be censored, and how is not known: this needs a"
            " model without cens()."
        )
    given = _by_response(spec, y)
    found = [_values(spec, design, number, given[number]) for number in range(len(design.outcomes))]
    changed = design.with_response(*found)
    check_responses(spec, changed)
    return replace(model, design=changed, documented={})


def _by_response(spec: ModelSpec, y: Any) -> list[Any]:
    """What is given of each response."""
    labels = [response.label for response in spec.responses]
    is_named = isinstance(y, Mapping) or getattr(y, "columns", None) is not None
    if len(labels) == 1 and (not is_named or spec.responses[0].family.has_category_counts):
        return [y]
    names = {bare(str(key)): key for key in y} if is_named else {}
    found = [next((names[key] for key in (bare(label), name_of(label)) if key in names), None) for label in labels]
    if any(key is None for key in found) or len(names) != len(labels):
        text = ", ".join(f'"{label}": ...' for label in labels)
        raise DataError(f"The model has responses {', '.join(labels)}: give new ones by name, {{{text}}}.")
    return [y[key] for key in found]


def _values(spec: ModelSpec, design: Design, number: int, given: Any) -> Array:
    """New values ``(n,)`` of one response."""
    outcome = design.outcomes[number]
    if spec.responses[number].family.has_category_counts:
        return _category_counts(design, outcome, given)
    values = _rows(design, np.asarray(given))
    if values.ndim == 2:
        return _successes(values.astype(float), outcome)
    if outcome.categories is not None and values.dtype.kind in "OUSb":
        return _codes(values, outcome.categories)
    numbers = _numbers(values)
    missing = np.flatnonzero(np.isnan(numbers) & outcome.seen)
    if len(missing):
        raise DataError(f"New responses are missing in {name_rows(design.rows[missing])}.")
    return _counted(numbers, outcome)


def _rows(design: Design, values: Array, width: int = 2) -> Array:
    """Those of the rows used; ``width`` is how many columns there may be where there is more than one."""
    sizes = {design.n: slice(None), design.n_given: design.rows}
    if values.ndim not in (1, 2) or len(values) not in sizes or values.shape[1:] not in ((), (width,)):
        of = f" (or {design.n_given}, one a row of the data)" if design.n_given != design.n else ""
        shape = " x ".join(map(str, values.shape)) or "one"
        raise DataError(f"The model has {design.n} rows{of}; the new response has {shape} value(s).")
    return np.asarray(values[design.rows if len(values) != design.n else slice(None)])


def _numbers(values: Array) -> Array:
    try:
        return values.astype(float)
    except (TypeError, ValueError):
        shown = next(value for value in values.tolist() if isinstance(value, str))
        raise DataError(f"The new response has the value `{shown}`: numbers are needed.") from None


def _codes(values: Array, categories: tuple[str, ...]) -> Array:
    """Codes of labels."""
    place = {label: float(code) for code, label in enumerate(categories)} | {"True": 1.0, "False": 0.0}
    unknown = next((str(value) for value in values.tolist() if str(value) not in place), None)
    if unknown is not None:
        raise DataError(f"The new response has the category `{unknown}`; the model knows {', '.join(categories)}.")
    return np.array([place[str(value)] for value in values.tolist()])


def _category_counts(design: Design, outcome: Outcome, given: Any) -> Array:
    """Numbers that stand for counts of categories."""
    assert outcome.categories is not None  # the response has them
    levels = outcome.categories
    if getattr(given, "columns", None) is not None or isinstance(given, Mapping):
        missing = [level for level in levels if level not in given]
        if missing:
            raise DataError(f"The new response has no counts of {', '.join(f'`{level}`' for level in missing)}.")
        given = np.stack([np.asarray(given[level]) for level in levels], axis=-1)
    counts = _numbers(_rows(design, np.asarray(given), len(levels)))
    if counts.ndim != 2:
        raise DataError(f"The new response has one column; the model's has the counts of {', '.join(levels)}.")
    wrong = np.flatnonzero(~np.all((counts >= 0.0) & (counts == np.round(counts)), axis=1))
    if len(wrong):
        shown = ", ".join(f"{count:g}" for count in counts[wrong[0]])
        raise DataError(f"The new response counts something, but is {shown} in {name_rows(design.rows[wrong])}.")
    other = np.flatnonzero(counts.sum(axis=1) != outcome.trials)
    if len(other):
        raise DataError(
            f"New counts add up to {counts[other[0]].sum():g} where the model has {outcome.trials[other[0]]:g} trials:"
            " a refit keeps the trials."
        )
    return coded(counts)


def _successes(pairs: Array, outcome: Outcome) -> Array:
    """Successes of pairs of successes and failures."""
    if not outcome.has_trials:
        raise DataError("The new response has two columns, successes and failures; the model's has one.")
    other = np.flatnonzero(pairs.sum(axis=1) != outcome.trials)
    if len(other):
        raise DataError(
            f"Successes and failures add up to {pairs[other[0]].sum():g} where the model has"
            f" {outcome.trials[other[0]]:g} trials: a refit keeps the trials."
        )
    return pairs[:, 0]


def _counted(numbers: Array, outcome: Outcome) -> Array:
    """Numbers of successes, where shares are given too."""
    if not outcome.has_trials or np.all(np.abs(numbers - np.round(numbers)) <= WHOLE):
        return numbers
    if np.any((numbers < 0.0) | (numbers > 1.0)):
        raise DataError("The new response counts successes: whole numbers, or shares of the trials.")
    return np.round(numbers * outcome.trials)
