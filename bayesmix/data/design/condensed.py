"""A few rows that stand for all the rows of a table: those of a cell have its number of rows, means and covariances.

A cell are the rows that agree in all categories, those of grouping factors among them. There every column of a design
is linear in the ``d`` numeric expressions of the formulas, and the likelihood of a linear model depends on the rows of
a cell through their number ``m``, mean ``mu (d,)`` and covariance ``S = L L' (d, d)`` alone. Where ``L`` has ``r``
columns, the ``r + 1`` rows

    mu + sqrt(r + 1) L h_i,     i = 0, ..., r,        each counted m / (r + 1) times,

have the same three, where the ``h_i`` are the rows of orthonormal columns orthogonal to a column of ones (a simplex).
As ``r < m``, there are never more of them than of the table.
Means are those of numbers that are centred where the data are, so that no digits are lost to large ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import starmap
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Factor, Numeric, Variable, factor_of, name_all
from bayesmix.data.data_origin import Origin
from bayesmix.data.design.evaluate import Memory, evaluate
from bayesmix.data.design.functions import LEARNERS
from bayesmix.data.design.remote_expression import is_number, remote
from bayesmix.data.memory import limit
from bayesmix.data.remote_table import RemoteTable, open_remote
from bayesmix.errors import DataError
from bayesmix.language.formula.expression import Call, column_names, walk
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.smooths import is_smooth
from bayesmix.language.formula.terms import Terms

ROUNDING = 1e-14  # share of a second moment that may be rounding of a variance
UNCHANGED = 1e-9  # relative difference of means that sums of another order may explain
COPIES = 6  # arrays of the size of the rows that are held at once


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the numbers of a column lie."""

    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Condensed:
    """Rows that stand for those of a table."""

    kinds: Mapping[str, Column]  # columns that formulas name, without rows
    keys: Mapping[str, Column]  # (n,) those that agree within a cell
    numbers: Mapping[str, Numeric]  # (n,) numeric expressions by their text
    counts: Array  # (n,) rows of the table that each row stands for
    n_given: int  # rows of the table
    missing: Mapping[str, int]  # rows that are missing, by column
    spreads: Mapping[str, Spread]  # of columns of numbers that are no keys
    names: tuple[str, ...]  # all columns of the table
    origin: Origin

    @property
    def n_used(self) -> int:
        """Rows without a missing value."""
        return round(float(self.counts.sum()))

    @property
    def is_counted(self) -> bool:
        """Whether they are the different rows of the table themselves, with how often each occurs."""
        return not self.numbers

    @property
    def label(self) -> str:
        """What the table is called."""
        return self.origin.label

    def evaluate(self, text: str, memory: Memory) -> Variable:
        """The variable of a formula on the rows."""
        return self.numbers[text] if text in self.numbers else evaluate(text, self.keys, memory)

    def has(
        self, texts: Sequence[str], groups: Sequence[str], others: Sequence[str], optional: Collection[str] = ()
    ) -> bool:
        """Whether the rows stand for those of the table for other formulas, too; arguments as those of `condense`."""
        needed = _needed([*texts, *groups], self.names)
        left_out = {name for name, count in self.missing.items() if count}
        is_same = left_out <= {*needed, *others} - {*optional} <= self.missing.keys()
        beside = [text for text in texts if text not in self.numbers]
        return is_same and set(_needed([*beside, *groups], self.names)) <= self.keys.keys()

    def stands_for(self, other: Condensed) -> bool:
        """Whether the rows stand for those of the same table as others do, and say as much of them or more."""
        shared = [(self.spreads[name], one) for name, one in other.spreads.items() if name in self.spreads]
        is_same = (self.n_given, self.n_used) == (other.n_given, other.n_used) and all(starmap(_is_close, shared))
        return is_same and other.numbers.keys() <= self.numbers.keys() and other.keys.keys() <= self.keys.keys()


@dataclass(frozen=True, slots=True, eq=False)
class ReadTable:
    """A table that stays where it is, of which sums have been read."""

    rows: Condensed
    data: Any = None  # the table, None where it is no longer at hand
    is_counted: bool = False  # whether its different rows are needed, not moments of cells

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.rows.names

    @property
    def label(self) -> str:
        """What the table is called."""
        return self.rows.label

    def open(self, why: str) -> RemoteTable:
        """The table itself.

        Raises
        ------
        DataError
            If it is not at hand, or is not what it was: ``why`` says what it is needed for.
        """
        rows, origin = self.rows, self.rows.origin
        if self.data is None and not origin.path:
            raise DataError(
                f"{why} needs {rows.label}, which is not kept with this fit: give the data, fit.update(..., data=data)"
                ' or fit.predict(data, to="file.parquet").'
            )
        changed = origin.changed()
        if not changed:
            table = open_remote(origin.path if self.data is None else self.data)
            changed = "" if origin.path else _moved(table, rows)
        if changed:
            raise DataError(f"{why} needs the data of the fit, but {changed} Fit the data that are there.")
        return table


StayingTable = RemoteTable | ReadTable


def condense(
    table: StayingTable,
    texts: Sequence[str],
    groups: Sequence[str],
    others: Sequence[str] = (),
    *,
    optional: Collection[str] = (),
) -> Condensed:
    """Read the sums that the rows are made of; of a table that is counted, its different rows: all columns are keys.

    Parameters
    ----------
    texts, groups : expressions of formulas, and those that are grouping factors.
    others : columns whose missing values leave rows out.
    optional : columns that expressions name, and whose missing values do not.

    Raises
    ------
    DataError
        If columns are not there or not usable, if no rows are left, or an expression cannot be had without the rows.
    """
    every = [*texts, *groups]
    _check_learnt(every, table)
    if isinstance(table, ReadTable):
        known, is_counted = table.rows, table.is_counted
        if (known.is_counted or not is_counted) and known.has(texts, groups, others, optional):
            return known
        table = replace(table.open("A formula of which the sums were not read"), is_counted=is_counted)
    needed = _needed(every, table.names)
    kinds = table.kinds(needed)
    categories = [text for text in texts if table.is_counted or not is_number(read(text), kinds)]
    keys = [name for name in dict.fromkeys(_names([*categories, *groups])) if name in kinds]
    numbers = [text for text in dict.fromkeys(texts) if text not in categories and not set(_names([text])) <= set(keys)]
    n_given, missing = table.count_missing(name for name in dict.fromkeys([*needed, *others]) if name not in optional)
    used = table.complete([name for name, count in missing.items() if count])
    n_used, centre = _centre(used, numbers, kinds, n_given, missing)
    spreads = _spreads(used, [name for name, kind in kinds.items() if isinstance(kind, Numeric) and name not in keys])
    values = [remote(read(text), kinds) - middle for text, middle in zip(numbers, centre, strict=True)]
    first, second = np.triu_indices(len(values))
    products = [values[i] * values[j] for i, j in zip(first, second, strict=True)]
    width = len(keys) + (len(numbers) + 1) * (len(numbers) + 2)
    levels, count, sums = used.by_group(keys, [*values, *products], most=int(limit() / (8 * COPIES * width)))
    if round(float(count.sum())) != n_used or (not any(missing.values()) and n_used != n_given):
        raise DataError(f"{table.label} changed while it was read: {n_used} rows, then {count.sum():.0f}. Try again.")
    order = _order(levels, len(count))
    cells = _Cells(count[order], sums[order][:, : len(values)], sums[order][:, len(values) :])
    points, own = cells.points()
    return Condensed(
        kinds,
        {name: column.take(order[own]) for name, column in levels.items()},
        {text: Numeric(points[:, j] + centre[j]) for j, text in enumerate(numbers)},
        cells.count[own] / np.bincount(own)[own],
        n_given,
        missing,
        spreads,
        table.names,
        table.origin,
    )


def learns_from_rows(text: str, table: StayingTable) -> DataError:
    """The error for what learns from all rows of a column."""
    what = f"`{text}` learns from all rows of its column, and those of {table.label} stay where they are."
    advice = "Write arithmetic instead, such as `I((x - 5) / 2)` or `x + I(x^2)`, or fit in memory: leave `where` out."
    return DataError(f"{what} {advice}")


def check_products(terms: Iterable[Terms], condensed: Condensed) -> None:
    """Refuse products of numbers: they are numbers of their own, with moments of their own."""
    for one in terms:
        for term in one.terms:
            numbers = [one.variables[v] for v in term if one.variables[v] in condensed.numbers]
            if len(numbers) > 1:
                product, arithmetic = ":".join(numbers), " * ".join(numbers)
                raise DataError(
                    f"`{product}` is a product of numbers, which the source of the data has to make: write"
                    f" `I({arithmetic})`."
                )


def _names(texts: Iterable[str]) -> Iterable[str]:
    return (name for text in texts for name in column_names(read(text)))


def _needed(texts: Iterable[str], known: Collection[str]) -> list[str]:
    """Columns that expressions name; ``pi`` is a number unless there is such a column."""
    return [name for name in dict.fromkeys(_names(texts)) if name != "pi" or name in known]


def _check_learnt(texts: Iterable[str], table: StayingTable) -> None:
    """Refuse what learns from all rows of a column."""
    for text in texts:
        for part in walk(read(text)):
            if is_smooth(part) or (isinstance(part, Call) and part.function in LEARNERS):
                raise learns_from_rows(text, table)


def _centre(
    table: RemoteTable, numbers: Sequence[str], kinds: Mapping[str, Column], n_given: int, missing: Mapping[str, int]
) -> tuple[int, Array]:
    """Number of rows, and means of numeric expressions.

    Raises
    ------
    DataError
        If there are no rows, or some values are not finite, or squares of them.
    """
    import narwhals as nw

    asked: dict[str, Any] = {"rows": nw.len()}
    for j, text in enumerate(numbers):
        value = remote(read(text), kinds)
        asked |= {f"mean{j}": value.mean(), f"size{j}": value.abs().max()}
        asked[f"lost{j}"] = (~value.is_finite() | value.is_null()).cast(nw.Float64).sum()
    found = table.total(asked)
    if not n_given:
        raise DataError(f"The data have no rows: {table.label} is empty.")
    if not found["rows"]:
        empty = [name for name, count in missing.items() if count == n_given]
        why = f" All values of {name_all(empty)} are missing." if empty else ""
        raise DataError(f"No rows are left to fit: each of the {n_given} given has a missing value.{why}")
    for j, text in enumerate(numbers):
        if found[f"lost{j}"]:
            raise DataError(f"`{text}` is not finite in {found[f'lost{j}']:.0f} rows of {table.label}.")
        if not np.isfinite(found[f"size{j}"] ** 2 * found["rows"]):
            raise DataError(f"`{text}` reaches {found[f'size{j}']:.3g}: its square is not finite. Rescale it.")
    return int(found["rows"]), np.array([found[f"mean{j}"] for j in range(len(numbers))])


def _spreads(table: RemoteTable, names: Sequence[str]) -> dict[str, Spread]:
    """Means, standard deviations and ranges of columns."""
    import narwhals as nw

    if not names:
        return {}

    found = table.total(
        {
            f"{what}{j}": getattr(nw.col(name), what)()
            for j, name in enumerate(names)
            for what in ("mean", "std", "min", "max")
        }
    )
    return {
        name: Spread(*(found[f"{what}{j}"] for what in ("mean", "std", "min", "max"))) for j, name in enumerate(names)
    }


def _order(levels: Mapping[str, Column], cells: int) -> Array:
    """Cells sorted by their keys, whatever the order in which the engine returns them."""
    codes = [factor_of(column).codes if isinstance(column, Factor) else column.values for column in levels.values()]
    return np.lexsort(codes[::-1]) if codes else np.arange(cells)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Moments of cells."""

    count: Array  # (cells,)
    sums: Array  # (cells, d)
    products: Array  # (cells, d (d + 1) / 2) sums of products of two numbers, by rows of the upper triangle

    def points(self) -> tuple[Array, Array]:
        """Rows ``(n, d)`` with the moments of each cell, and the cell ``(n,)`` of each, in order."""
        mean, varies, root = self.sums / self.count[:, None], *self._roots()
        ranks = np.minimum(self.count - 1, len(varies)).astype(int)
        begins = np.concatenate([[0], np.cumsum(ranks + 1)])
        own = np.repeat(np.arange(len(ranks)), ranks + 1)
        points = mean[own]
        for r in range(1, len(varies) + 1):
            cells = np.flatnonzero(ranks == r)
            places = begins[cells][:, None] + np.arange(r + 1)
            moved = simplex(r) @ np.swapaxes(root[cells][:, :, len(varies) - r :], 1, 2)
            points[places[..., None], varies] += moved
        return points, own

    def _roots(self) -> tuple[Array, Array]:
        """The numbers that vary within cells ``(r,)``, and roots ``(cells, r, r)`` of their covariances.

        Columns of a root are by increasing size: where ranks are lower, the first ones are zero.
        """
        mean, d = self.sums / self.count[:, None], self.sums.shape[1]
        first, second = np.triu_indices(d)
        raw = np.empty((len(self.count), d, d))
        raw[:, first, second] = raw[:, second, first] = self.products / self.count[:, None]
        covariance = raw - mean[:, :, None] * mean[:, None, :]
        variance, moment = (np.diagonal(one, axis1=1, axis2=2) for one in (covariance, raw))
        varies = np.flatnonzero(np.any((variance > ROUNDING * moment) & (self.count > 1.0)[:, None], axis=0))
        size = np.sqrt(np.max(variance, axis=0, initial=0.0))[varies]
        values, vectors = np.linalg.eigh(covariance[:, varies[:, None], varies] / (size[:, None] * size))
        return varies, size[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]


def _moved(table: RemoteTable, rows: Condensed) -> str:
    """How a table differs from that of which rows stand for the rows; nothing where it does not."""
    n_given, missing = table.count_missing(list(rows.missing))
    if n_given != rows.n_given:
        return f"{rows.label} had {rows.n_given} rows then and has {n_given} now."
    if missing != dict(rows.missing):
        return f"{rows.label} has other missing values than then."
    now = _spreads(table.complete([name for name, count in missing.items() if count]), list(rows.spreads))
    for name, then in rows.spreads.items():
        if not _is_close(now[name], then):
            return f"column `{name}` of {rows.label} is another one than then."
    return ""


def _is_close(now: Spread, then: Spread) -> bool:
    return np.allclose(astuple(now), astuple(then), rtol=UNCHANGED, atol=UNCHANGED * then.sd)


def simplex(d: int) -> Array:
    """``d + 1`` points ``(d + 1, d)`` with mean zero and, each counted ``1 / (d + 1)``, covariance one."""
    columns = np.column_stack([np.ones(d + 1), np.eye(d + 1)[:, :d]])
    return np.linalg.qr(columns)[0][:, 1:] * np.sqrt(d + 1.0)
