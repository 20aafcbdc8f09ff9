"""Functions that formulas may call.

The parameters of the functions in the tables are the arguments that a formula may give; ``_`` in a parameter is ``.``
in R. Whoever adds a function here adds its name to `bayesmix.language.formula.vocabulary` too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Matrix, Numeric, factor_of, known_level, label
from bayesmix.data.design.basis import (
    Basis,
    learn_bspline,
    learn_center,
    learn_cubic_regression,
    learn_natural_spline,
    learn_polynomial,
    learn_scaling,
)
from bayesmix.data.design.operators import Value
from bayesmix.errors import DataError

MOST_CATEGORIES = 30  # of a monotonic effect

Labels = tuple[str, ...]


def identity(x: Value) -> Value:
    """``I(x)``."""
    return x


def dummy_levels(x: Value, levels: str | Labels | None = None) -> Labels:
    """Return the levels of lme4's ``dummy(f, "a")``: those named, or all but the first."""
    factor = factor_column(x)
    wanted = (levels,) if isinstance(levels, str) else levels or factor.levels[1:]
    return tuple(known_level(factor, level) for level in wanted)


def indicators(factor: Factor, levels: Labels) -> Matrix:
    """Return one column of zeros and ones a level."""
    position = {level: j for j, level in enumerate(factor.levels)}
    columns = [np.where(factor.missing, np.nan, factor.codes == position.get(level, -2)) for level in levels]
    return Matrix(np.column_stack(columns), levels)


def learn_categories(x: Value) -> Labels:
    """Return the categories of ``mo(x)`` in their order: levels of an ordered factor, or all whole numbers of a range.

    Raises
    ------
    DataError
        If the column has no order, or no steps.
    """
    if isinstance(x, Factor) and x.kind in ("ordered", "boolean"):
        found = x.levels
    elif isinstance(x, Numeric):
        found = _whole_numbers(x)
    else:
        raise DataError(
            "`mo()` takes ordered categories: an ordered factor or whole numbers. Order the levels of a factor:"
            ' `mo(ordered(x, levels = c("low", "high")))`.'
        )
    if not 2 <= len(found) <= MOST_CATEGORIES:
        raise DataError(
            f"`mo()` of {len(found)} categories: there are steps between two categories or more, and no more than"
            f" {MOST_CATEGORIES}. A curve over many values is `s(x)`."
        )
    return found


def _whole_numbers(x: Numeric) -> Labels:
    values = x.values[~x.missing]
    wrong = values[values != np.floor(values)]
    if len(wrong):
        raise DataError(f"`mo()` takes ordered categories, and {wrong[0]:g} is no whole number. A line is the column.")
    if len(values) and np.ptp(values) > MOST_CATEGORIES:
        low, high = values.min(), values.max()
        raise DataError(f"`mo()` of whole numbers from {low:g} to {high:g}: these are too many steps. Write `s(x)`.")
    return tuple(str(i) for i in range(int(values.min()), int(values.max()) + 1)) if len(values) else ()


def category_codes(x: Value, categories: Labels) -> Numeric:
    """Return the place of each row's category, from zero; NaN where it is missing.

    Raises
    ------
    DataError
        If a row is in none of them.
    """
    if isinstance(x, Numeric):
        codes, names = x.values - float(categories[0]), [f"{value:g}" for value in x.values]
        wrong = ~x.missing & ~np.isin(codes, np.arange(len(categories)))
    else:
        factor = factor_column(x)
        place = np.array([*(categories.index(one) if one in categories else -1 for one in factor.levels), -1])
        codes, names = place[factor.codes].astype(float), [factor.levels[code] for code in factor.codes]
        wrong = ~factor.missing & (codes < 0)
        codes = np.where(factor.missing, np.nan, codes)
    if wrong.any():
        unseen = ", ".join(f"`{names[i]}`" for i in np.flatnonzero(wrong)[:5])
        known = ", ".join(f"`{one}`" for one in categories)
        raise DataError(f"`mo()` has categories that were not there in fitting: {unseen}. The fit knows {known}.")
    return Numeric(codes)


def factor_column(x: Value) -> Factor:
    """Return a column as a factor.

    Raises
    ------
    DataError
        If it is neither numbers nor a factor.
    """
    if not isinstance(x, Numeric | Factor):
        raise DataError("A factor is made from one column.")
    return factor_of(x)


def _log(x: Array, base: float | None = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(float(base))


def _of_one(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Hide what else NumPy's function would take, such as an array to write into."""

    def apply(x: Any) -> Any:
        return function(x)

    return apply


def _factor(x: Value, levels: tuple[str | float, ...] | None = None) -> Factor:
    factor = factor_column(x)
    return factor if levels is None else _reorder(factor, tuple(map(label, levels)))


def _ordered(x: Value, levels: tuple[str | float, ...] | None = None) -> Factor:
    return replace(_factor(x, levels), kind="ordered")


def _relevel(x: Value, ref: str | float) -> Factor:
    factor = factor_column(x)
    first = known_level(factor, ref)
    return _reorder(factor, (first, *(level for level in factor.levels if level != first)))


def _reorder(factor: Factor, levels: Labels) -> Factor:
    position = {level: j for j, level in enumerate(levels)}
    left_out = [factor.levels[j] for j in np.unique(factor.codes) if j >= 0 and factor.levels[j] not in position]
    if left_out:
        raise DataError(f"`levels` leaves out levels that the data have: {', '.join(left_out)}.")
    moved = np.array([*(position.get(level, -1) for level in factor.levels), -1], dtype=np.intp)
    return Factor(moved[factor.codes], levels, "ordered" if factor.kind == "ordered" else "factor")


_UFUNCS = (np.log2, np.log10, np.log1p, np.exp, np.expm1, np.sqrt, np.sin, np.cos, np.tan)
ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "log": _log,
    "abs": _of_one(np.abs),
    **{function.__name__: _of_one(function) for function in _UFUNCS},
}
FACTORS: dict[str, Callable[..., Factor]] = {
    "factor": _factor,
    "as.factor": _factor,
    "ordered": _ordered,
    "relevel": _relevel,
}
LEARNERS: dict[str, Callable[..., Basis]] = {
    "scale": learn_scaling,
    "center": learn_center,
    "poly": learn_polynomial,
    "bs": learn_bspline,
    "ns": learn_natural_spline,
    "cr": learn_cubic_regression,
}
