"""From a table to the variables of a formula: columns, complete rows, evaluated expressions, weights and offset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import (
    Column,
    Factor,
    Kind,
    Matrix,
    Numeric,
    SmoothColumns,
    Variable,
    boolean_factor,
    factor_of,
    name_all,
    name_rows,
)
from bayesmix.data.design.condensed import Condensed, StayingTable
from bayesmix.data.design.evaluate import Memory, evaluate
from bayesmix.data.frame import Table, open_table
from bayesmix.data.relation import Relation
from bayesmix.data.text_columns import mistaken
from bayesmix.errors import DataError, DroppedWarning, warn_user
from bayesmix.language.formula.expression import Name, column_names, spell, spell_name
from bayesmix.language.formula.reader import read

FittedKind = tuple[Kind, tuple[str, ...]]  # of a factor: its kind and levels

WEIGHTS, OFFSET = "(weights)", "(offset)"  # R's names of the columns that are given as arrays
CURVE_VARIABLE = "nonlinear mean's variable"
_ADVICE = {CURVE_VARIABLE: "What differs between levels stands in the formulas of its parameters."}


@dataclass(frozen=True, slots=True, eq=False)
class Arguments:
    """Weights and offset from outside the formula: the expressions they become, and the arrays among them."""

    weights: str | None
    offset: str | None
    arrays: Mapping[str, Column]

    @property
    def texts(self) -> tuple[str, ...]:
        """The expressions that were given."""
        return tuple(text for text in (self.weights, self.offset) if text is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What a design was built from: enough to build it again, without the dataframe."""

    columns: Mapping[str, Column]  # all rows of the columns that the model names, in the order of the data
    arguments: Arguments
    contrasts: Mapping[str, str]
    unread: frozenset[str] = frozenset()  # columns of removed terms: only which of their values are missing is known
    responses: tuple[Array, ...] = ()  # in place of those of the columns, one value a row and response
    relations: Mapping[str, Relation] = field(default_factory=dict)  # of levels, by the names that formulas have
    condensed: Condensed | None = None  # rows that stand for those of a table that stays where it is; columns have none


def read_arguments(*, weights: Any, offset: Any) -> Arguments:
    """Take column names, expressions or arrays."""
    arrays: dict[str, Column] = {}
    for name, value in ((WEIGHTS, weights), (OFFSET, offset)):
        if value is not None and not isinstance(value, str):
            if np.ndim(value) != 1:
                what = f"`{name[1:-1]}=` is the name of a column, an expression, or one value a row"
                raise DataError(f"{what}, not {'an array of several columns' if np.ndim(value) else repr(value)}.")
            arrays |= open_table({name: value}).read([name])
    return Arguments(_text(WEIGHTS, weights), _text(OFFSET, offset), arrays)


def read_columns(table: Table, texts: Iterable[str], arguments: Arguments) -> dict[str, Column]:
    """Read the columns that expressions name, and add the arrays.

    Raises
    ------
    DataError
        If a column is not there or not usable, or an array has not one value per row.
    """
    columns = table.read(name for name in needed_names(texts, table) if name not in arguments.arrays)
    n = count_rows(columns) if columns else table.count()
    for name, column in arguments.arrays.items():
        if len(column.missing) != n:
            has = "The weights have" if name == WEIGHTS else "The offset has"
            raise DataError(f"{has} {len(column.missing)} values; the data have {n} rows.")
        columns[name] = column
    return columns


def needed_names(texts: Iterable[str], table: Table | StayingTable) -> list[str]:
    """Return the columns that expressions need; ``pi`` is a number unless the data have such a column."""
    names = dict.fromkeys(name for text in texts for name in column_names(read(text)))
    return [name for name in names if name != "pi" or name in table.names]


def count_rows(columns: Mapping[str, Column]) -> int:
    """Return the number of rows of columns, of which there is at least one."""
    return len(next(iter(columns.values())).missing)


def complete_rows(missing: Mapping[str, Array]) -> Array:
    """Return the positions of rows without a missing value: ``missing`` has an (n,) array of truth values a column.

    Raises
    ------
    DataError
        If there are none.

    Warns
    -----
    DroppedWarning
        If rows are left out, with their number and the columns that are the reason.
    """
    anywhere = reduce(np.logical_or, missing.values())
    if not len(anywhere):
        raise DataError("The data have no rows.")
    rows = np.flatnonzero(~anywhere)
    if not len(rows):
        empty = [name for name, gone in missing.items() if gone.all()]
        why = f" All values of {name_all(empty)} are missing." if empty else ""
        raise DataError(f"No rows are left to fit: each of the {len(anywhere)} given has a missing value.{why}")
    if len(rows) < len(anywhere):
        numbers = {name: int(gone.sum()) for name, gone in missing.items()}
        warn_left_out(len(anywhere) - len(rows), len(anywhere), numbers)
    return rows


def warn_left_out(count: int, n: int, missing: Mapping[str, int]) -> None:
    """Warn of rows that are left out, with how many are missing of each column."""
    shown = [f"{_called(name)} ({number})" for name, number in missing.items() if number]
    columns = ", ".join(shown[:10]) + ", ..." * (len(shown) > 10)
    what = f"{count} of {n} rows {'was' if count == 1 else 'were'} left out: missing values in {columns}."
    warn_user(what, DroppedWarning)


def _called(name: str) -> str:
    return name[1:-1] if name in (WEIGHTS, OFFSET) else f"`{name}`"


def check_text(texts: Iterable[str], columns: Mapping[str, Column]) -> None:
    """Raise a DataError where a model uses a column as it is, as a factor, that holds numbers or dates as text."""
    for text in dict.fromkeys(texts):
        match read(text):
            case Name(name=name) if (column := columns.get(name)) is not None:
                problem = mistaken(name, column)
                if problem is not None:
                    raise DataError(problem)


def evaluate_all(
    texts: Iterable[str], columns: Mapping[str, Column], memory: Memory, rows: Array
) -> dict[str, Variable]:
    """Evaluate expressions on all rows, so that they learn from all, and keep the rows asked for.

    Raises
    ------
    DataError
        If values in those rows are not finite.
    """
    found: dict[str, Variable] = {}
    for text in dict.fromkeys(texts):
        value = evaluate(text, columns, memory)
        found[text] = value if len(rows) == count_rows(columns) else value.take(rows)
        _check_finite(text, found[text], rows)
    return found


def evaluate_beside(
    texts: Iterable[str], columns: Mapping[str, Column], memory: Memory, rows: Array, n: int
) -> dict[str, Variable]:
    """Evaluate what stands beside a response: constants of ``n`` rows as well, values that are infinite or missing."""
    return {text: evaluate(text, columns, memory, n=n).take(rows) for text in dict.fromkeys(texts)}


def prior_weights(text: str | None, variables: Mapping[str, Variable], rows: Array) -> Array | None:
    """Return the weights, (n,), or None where none were given."""
    if text is None:
        return None
    values = _numbers("weights", text, variables)
    wrong = np.flatnonzero(~((values > 0) & np.isfinite(values)))
    if len(wrong):
        what = f"The weights are {values[wrong[0]]:g} in {name_rows(rows[wrong])}."
        raise DataError(f"{what} Weights are positive numbers; leave out the rows that do not count.")
    return values.copy()  # these may be the user's own memory


def stacked_offset(
    offsets: Sequence[Sequence[str]], variables: Mapping[str, Variable], n: int, is_implied: Sequence[bool] = ()
) -> Array:
    """Return the sums of the offsets of each predictor, (N,); constants are those of known errors that all rows share.

    Parameters
    ----------
    is_implied : of each predictor, whether its offset is a variable of a nonlinear mean.
    """
    constants = {text: evaluate(text, {}, {}, n=n) for own in offsets for text in own if not has_columns(text)}
    known = {**variables, **constants}
    words = [CURVE_VARIABLE if implied else "offset" for implied in is_implied or [False] * len(offsets)]
    totals = (
        sum((_numbers(what, text, known) for text in own), start=np.zeros(n))
        for what, own in zip(words, offsets, strict=True)
    )
    return np.concatenate(list(totals))


def has_columns(text: str) -> bool:
    """Whether an expression is of columns of the data."""
    return bool(column_names(read(text)))


def kind_of(column: Column) -> FittedKind | None:
    """Return what to remember of a column's type: None for numbers."""
    return (column.kind, column.levels) if isinstance(column, Factor) else None


def kinds_of(columns: Mapping[str, Column], names: Collection[str]) -> dict[str, FittedKind | None]:
    """Return the types of columns to remember: not of those that only group, whose labels may be text or numbers."""
    kinds = {name: kind_of(column) for name, column in columns.items()}
    return {name: kind for name, kind in kinds.items() if name in names or (kind is not None and kind[0] == "boolean")}


def as_fitted(name: str, column: Column, kinds: Mapping[str, FittedKind | None]) -> Column:
    """Return a column of new data as the kind of column it was in the fit, with the levels of then first.

    Raises
    ------
    DataError
        If it cannot be.
    """
    kind = kinds.get(name)
    if kind is not None:
        return _as_boolean(name, column) if kind[0] == "boolean" else _with_levels(factor_of(column), kind[1], kind[0])
    if isinstance(column, Numeric) or name not in kinds:
        return column
    if column.kind == "boolean" or column.missing.all():
        return Numeric(np.where(column.missing, np.nan, column.codes.astype(np.float64)))
    why = mistaken(name, column)
    raise DataError(f"Column `{name}` was a number in fitting and is a factor in the new data. {why or ''}".rstrip())


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    return spell(read(value)) if isinstance(value, str) else spell_name(name)


def _numbers(what: str, text: str, variables: Mapping[str, Variable]) -> Array:
    value = variables[text]
    if not isinstance(value, Numeric):
        called = "" if text in map(spell_name, (WEIGHTS, OFFSET)) else f" `{text}`"
        raise DataError(f"The {what}{called} is not a column of numbers. {_ADVICE.get(what, '')}".rstrip())
    return value.values


def _check_finite(text: str, value: Variable, rows: Array) -> None:
    match value:
        case Numeric(values=values):
            wrong = ~np.isfinite(values)
        case Matrix(values=values):
            wrong = ~np.isfinite(values).all(axis=1)
        case SmoothColumns(fixed=fixed, penalised=penalised):
            values = np.column_stack([fixed, *penalised])
            wrong = ~np.isfinite(values).all(axis=1)
        case _:
            return
    if wrong.any():
        raise DataError(f"`{text}` is not finite in {name_rows(rows[wrong])}.")
    with np.errstate(over="ignore"):
        large = ~np.isfinite(values * values * len(rows))
    large = large if large.ndim == 1 else large.any(axis=1)
    if large.any():
        size = np.abs(values[large]).max()
        raise DataError(
            f"`{text}` is of size {size:.3g} in {name_rows(rows[large])}: its square is not finite. Rescale it."
        )


def _as_boolean(name: str, column: Column) -> Factor:
    if isinstance(column, Factor) and column.kind == "boolean":
        return column
    if isinstance(column, Factor) or not np.isin(column.values[~column.missing], (0.0, 1.0)).all():
        raise DataError(f"Column `{name}` was TRUE or FALSE in fitting and has other values in the new data.")
    return boolean_factor(np.nan_to_num(column.values), column.missing)


def _with_levels(factor: Factor, levels: tuple[str, ...], kind: Kind) -> Factor:
    """Return a factor with the given levels first, then those of its own that are not among them."""
    if factor.levels == levels:
        return Factor(factor.codes, levels, kind)
    known = set(levels)
    every = (*levels, *(level for level in factor.levels if level not in known))
    position = {level: j for j, level in enumerate(every)}
    moved = np.array([*(position[level] for level in factor.levels), -1], dtype=np.intp)
    return Factor(moved[factor.codes], every, kind)
