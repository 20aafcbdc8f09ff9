"""Known standard errors in the data, of ``y | se(s)``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Numeric, Variable, name_rows
from bayesmix.data.design.inputs import count_rows, evaluate_beside, read_arguments, read_columns
from bayesmix.data.frame import Table
from bayesmix.errors import DataError
from bayesmix.language.formula.additions import Additions


def check_errors(additions: Additions, variables: Mapping[str, Variable], rows: Array) -> None:
    """Raise `DataError` where standard errors are not positive numbers.

    Parameters
    ----------
    rows : (n,) positions in the data as given, for the message.
    """
    if not additions.se:
        return
    errors = standard_errors(additions, variables)
    wrong = np.flatnonzero(~((errors > 0.0) & np.isfinite(errors)))
    if len(wrong):
        raise DataError(
            f"`se({additions.se})` is {errors[wrong[0]]:g} in {name_rows(rows[wrong])}. Standard errors are positive"
            " numbers, the roots of sampling variances; leave out rows whose are not known."
        )


def check_weights_beside(additions: Additions, weights: str | None) -> None:
    """Raise `DataError` where weights and standard errors both say how much noise a row has."""
    if weights and additions.se:
        raise DataError(
            f"`{weights}` of `weights=` divides variances that `se({additions.se})` says are known: leave one of them"
            " out."
        )


def standard_errors(additions: Additions, variables: Mapping[str, Variable]) -> Array:
    """Those of each row ``(n,)``.

    Raises
    ------
    DataError
        If they are no numbers.
    """
    value = variables[additions.se]
    if not isinstance(value, Numeric):
        raise DataError(f"`se({additions.se})`: `{additions.se}` is not a column of numbers.")
    return np.asarray(value.values, float)


def errors_of_new(additions: Additions, table: Table, rows: Array) -> Array:
    """Known standard errors of rows ``(n,)`` of new data, by their own columns.

    Raises
    ------
    DataError
        If a column is not there, or an error is not a positive number.
    """
    columns = read_columns(table, [additions.se], read_arguments(weights=None, offset=None))
    n = count_rows(columns) if columns else table.count()
    variables = evaluate_beside([additions.se], columns, {}, rows, n)
    check_errors(additions, variables, rows)
    return standard_errors(additions, variables)
