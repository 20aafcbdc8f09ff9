"""What stands beside a response in the data: censoring, truncation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, Variable, name_rows
from bayesmix.data.design.inputs import count_rows, evaluate_beside, read_arguments, read_columns
from bayesmix.data.frame import Table
from bayesmix.errors import DataError
from bayesmix.language.families.bounds import Bounds
from bayesmix.language.formula.additions import Additions

LEFT, NONE, RIGHT, INTERVAL = -1, 0, 1, 2
CODES = {"left": LEFT, "none": NONE, "right": RIGHT, "interval": INTERVAL}
_KNOWN = '"left", "none", "right", "interval", or -1, 0, 1, 2, or TRUE for right'


def bounds_of(additions: Additions, y: Array, variables: Mapping[str, Variable], rows: Array) -> Bounds | None:
    """Ends of what is known of each response; None where all are seen as they are.

    Parameters
    ----------
    y
        (n,) responses: of right-censored ones the lower end, of left-censored ones the upper end, of intervals the
        lower one.
    variables
        Values of the expressions of the additions in the rows.
    rows
        (n,) positions in the data as given, for messages.

    Raises
    ------
    DataError
        If statuses are unknown, or ends contradict one another.
    """
    if not additions.is_bounded:
        return None
    status = _status(additions.censored, variables, rows)
    upper_end = _upper_ends(additions, status, y, variables, rows)
    lower, upper = _range(additions, variables, len(y))
    _check_range(additions, y, lower, upper, rows)
    low = np.where(status == LEFT, -np.inf, y)
    high = np.select([status == RIGHT, status == INTERVAL], [np.full(len(y), np.inf), upper_end], y)
    return Bounds(low, high, status != NONE, lower, upper)


def ranges_of_new(additions: Additions, table: Table) -> Bounds | None:
    """Ranges of what could be observed in all rows of new data, by their own columns; None where there are none.

    Raises
    ------
    DataError
        If a column is not there.
    """
    texts = [text for text in (additions.lb, additions.ub) if text]
    if not texts:
        return None
    columns = read_columns(table, texts, read_arguments(weights=None, offset=None))
    n = count_rows(columns) if columns else table.count()
    values = evaluate_beside(texts, columns, {}, np.arange(n), n)
    lower, upper = _range(additions, values, n)
    return Bounds(lower, upper, np.zeros(n, bool), lower, upper)


def _range(additions: Additions, variables: Mapping[str, Variable], n: int) -> tuple[Array, Array]:
    """Bounds of truncation ``(n,)`` of each row, infinite where there are none."""
    lower, upper = (
        _numbers(text, variables) if text else np.full(n, limit)
        for text, limit in ((additions.lb, -np.inf), (additions.ub, np.inf))
    )
    return lower, upper


def _status(text: str, variables: Mapping[str, Variable], rows: Array) -> Array:
    if not text:
        return np.full(len(rows), NONE)
    match variables[text]:
        case Factor(codes=codes, kind="boolean"):
            return np.where(codes > 0, RIGHT, NONE)
        case Factor(codes=codes, levels=levels):
            found = np.array([CODES.get(level.strip().lower(), np.nan) for level in levels])[codes]
            shown = np.array(levels, dtype=object)[codes]
        case Numeric(values=found):
            shown = found
        case _:
            raise DataError(f"`{text}` of cens() is not a column of statuses: {_KNOWN}.")
    wrong = np.flatnonzero(~np.isin(found, list(CODES.values())))
    if len(wrong):
        value = shown[wrong[0]]
        value = value if isinstance(value, str) else f"{value:g}"
        raise DataError(f"`{text}` of cens() is {value} in {name_rows(rows[wrong])}. Statuses are {_KNOWN}.")
    return np.asarray(found, int)


def _upper_ends(additions: Additions, status: Array, y: Array, variables: Mapping[str, Variable], rows: Array) -> Array:
    is_interval = status == INTERVAL
    if not additions.upper:
        if np.any(is_interval):
            raise DataError(
                f"{name_rows(rows[is_interval])} are censored in intervals: their upper ends are missing. Write"
                f" `cens({additions.censored}, y2)`; the response is the lower end."
            )
        return y
    ends = _numbers(additions.upper, variables)
    wrong = np.flatnonzero(is_interval & ~(ends > y))
    if len(wrong):
        i = wrong[0]
        what = "missing" if np.isnan(ends[i]) else f"{ends[i]:g}, not above the lower end {y[i]:g},"
        raise DataError(f"The upper end `{additions.upper}` of intervals is {what} in {name_rows(rows[wrong])}.")
    return ends


def _check_range(additions: Additions, y: Array, lower: Array, upper: Array, rows: Array) -> None:
    wrong = np.flatnonzero(~(lower < upper))
    if len(wrong):
        i = wrong[0]
        raise DataError(
            f"The bounds of trunc() contradict each other: lb = {lower[i]:g} is not below ub = {upper[i]:g} in"
            f" {name_rows(rows[wrong])}."
        )
    for text, bound, is_out, side in (
        (additions.lb, lower, y < lower, "below lb"),
        (additions.ub, upper, y > upper, "above ub"),
    ):
        wrong = np.flatnonzero(is_out)
        if len(wrong):
            i = wrong[0]
            raise DataError(
                f"The response is {y[i]:g}, {side} = {bound[i]:g}, in {name_rows(rows[wrong])}: truncated by"
                f" `{text}`, it could not have been observed. What was seen to lie outside is censored: cens()."
            )


def _numbers(text: str, variables: Mapping[str, Variable]) -> Array:
    value = variables[text]
    if not isinstance(value, Numeric):
        raise DataError(f"`{text}` beside the response is not a column of numbers.")
    return value.values.copy()  # these may be the user's own memory
