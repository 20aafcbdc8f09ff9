"""The variables of a model's formulas: read from a table, or from what stands for one that stays where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Variable
from bayesmix.data.design.condensed import Condensed, StayingTable, check_products, condense
from bayesmix.data.design.evaluate import Learnt
from bayesmix.data.design.inputs import (
    Arguments,
    check_text,
    complete_rows,
    count_rows,
    evaluate_all,
    evaluate_beside,
    needed_names,
    read_columns,
    warn_left_out,
)
from bayesmix.data.design.sampling_errors import check_errors
from bayesmix.data.design.smooth_terms import SmoothOfPart, learn_smooths
from bayesmix.data.frame import Table
from bayesmix.errors import DataError, SourceWarning, warn_user
from bayesmix.language.formula.additions import Additions
from bayesmix.language.formula.imputed_predictors import is_imputed
from bayesmix.language.formula.terms import Terms

WORTH = 2.0  # rows that a row of a source stands for on average, below which it might as well be read whole


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What formulas name."""

    texts: Sequence[str]  # expressions
    groups: Sequence[str]  # grouping factors
    mentioned: Sequence[str]  # columns, those of removed terms too
    additions: Sequence[Additions]
    smooths: Sequence[SmoothOfPart]
    terms: Sequence[Terms]

    @property
    def beside(self) -> list[str]:
        """Expressions that stand beside the responses."""
        return [text for one in self.additions for text in one.texts]

    @property
    def always(self) -> list[str]:
        """Expressions that a row must have: all but the upper ends of intervals and responses that are imputed."""
        ends = {one.upper for one in self.additions}
        every = [*self.texts, *self.groups, *(text for text in self.beside if text not in ends)]
        return [text for text in every if not is_imputed(text)]


@dataclass(frozen=True, slots=True, eq=False)
class FormulaVariables:
    """What formulas need of a table."""

    columns: Mapping[str, Column]  # without rows where these stay where they are
    gone: Mapping[str, Array]  # missing values of columns that are mentioned only
    rows: Array  # (n,) positions of those without a missing value
    variables: Mapping[str, Variable]  # values of the expressions in those rows
    memory: dict[str, Learnt]
    n_given: int
    condensed: Condensed | None = None  # of which the rows are

    @property
    def counts(self) -> Array | None:
        """Rows of the data ``(n,)`` that each stands for."""
        return None if self.condensed is None else self.condensed.counts


def read_variables(table: Table | StayingTable, named: Named, arguments: Arguments) -> FormulaVariables:
    """The values of all expressions in the rows that are used, or in those that stand for them.

    Raises
    ------
    DataError
        If columns are not there or not usable, or no rows are left.

    Warns
    -----
    DroppedWarning, SourceWarning
        If rows are left out; if the rows of a source are hardly ever equal.
    """
    if isinstance(table, StayingTable):
        return _of_counted(table, named, arguments) if table.is_counted else _of_moments(table, named, arguments)
    columns = read_columns(table, [*named.texts, *named.groups, *named.beside], arguments)
    unread = [name for name in named.mentioned if name not in columns]  # those of removed terms, of any type
    gone = {name: table.missing([name]) for name in unread}
    needed = {*needed_names(named.always, table), *arguments.arrays}
    missing = {name: column.missing for name, column in columns.items() if name in needed}
    return _evaluated(columns, gone, complete_rows(missing | gone), named)


def _evaluated(columns: Mapping[str, Column], gone: Mapping[str, Array], rows: Array, named: Named) -> FormulaVariables:
    check_text([*named.texts, *named.beside], columns)
    memory: dict[str, Learnt] = {}
    learn_smooths(named.smooths, columns, memory, rows)
    variables = evaluate_beside(named.beside, columns, memory, rows, count_rows(columns))
    for one in named.additions:
        check_errors(one, variables, rows)
    variables |= evaluate_all([*named.texts, *named.groups], columns, memory, rows)
    return FormulaVariables(columns, gone, rows, variables, memory, count_rows(columns))


# ---- tables that stay where they are ----------------------------------------------------------------------------


def _of_moments(table: StayingTable, named: Named, arguments: Arguments) -> FormulaVariables:
    """Those of rows that have the number, means and covariances of the rows of each cell: of linear models."""
    if named.beside or arguments.arrays or arguments.weights:
        raise DataError(
            f"Weights, and what stands beside a response, are not computed from the sums of {table.label}: leave them"
            " out, or fit in memory: leave `where` out."
        )
    found = condense(table, named.texts, named.groups, named.mentioned)
    check_products(named.terms, found)
    _warn_left_out(found)
    check_text(named.texts, found.keys)
    rows, memory = np.arange(len(found.counts)), dict[str, Learnt]()
    variables = {text: found.evaluate(text, memory) for text in dict.fromkeys([*named.texts, *named.groups])}
    return FormulaVariables(found.kinds, {}, rows, variables, memory, found.n_given, found)


def _of_counted(table: StayingTable, named: Named, arguments: Arguments) -> FormulaVariables:
    """Those of the different rows of a table, with how often each occurs: of models that are not linear.

    Raises
    ------
    DataError
        If weights or an offset are arrays, or something learns from all rows of a column.
    """
    if arguments.arrays:
        raise DataError(
            f"The weights and the offset of {table.label} are names of its columns or expressions, not arrays: its rows"
            " stay where they are."
        )
    always = needed_names(named.always, table)
    optional = [name for name in needed_names(named.beside, table) if name not in always]
    found = condense(table, [*named.texts, *named.beside], named.groups, named.mentioned, optional=optional)
    _warn_left_out(found)
    if found.n_used < WORTH * len(found.counts):
        warn_user(_seldom_equal(table, found.n_used, len(found.counts)), SourceWarning)
    made = _evaluated(found.keys, {}, np.arange(len(found.counts)), named)
    return replace(made, columns=found.kinds, n_given=found.n_given, condensed=found)


def _warn_left_out(found: Condensed) -> None:
    if found.n_used < found.n_given:
        warn_left_out(found.n_given - found.n_used, found.n_given, found.missing)


def _seldom_equal(table: StayingTable, n: int, different: int) -> str:
    return (
        f"Of the {n} rows of {table.label} {different} are different in the columns of the model, {n / different:.3g}"
        ' rows to each: that they stay where they are saves little. Round numeric columns, or leave where="source" out'
        " and have fitted values, residuals and cross-validation, too."
    )
