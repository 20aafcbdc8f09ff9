"""Tables that stay where they are: DuckDB, Polars, Dask, Spark, files of any size; sums by group come back, no rows.

What is asked is written once, as expressions of narwhals, which each engine carries out in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Numeric, name_all
from bayesmix.data.data_origin import Origin, origin_of_files
from bayesmix.data.frame import (
    collect,
    engine_of,
    missing_column,
    narwhals_frame,
    reporting,
    to_column,
    without_rows,
)
from bayesmix.errors import DataError, first_line

if TYPE_CHECKING:
    import narwhals as nw

PARQUET = (".parquet", ".pq")
NUMBERS = ("BIGINT", "DOUBLE")  # as DuckDB finds numbers in text
NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "U", "FLOAT", "DOUBLE", "DECIMAL")  # of any file
TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


@dataclass(frozen=True, slots=True, eq=False)
class RemoteTable:
    """A table of which only sums are read."""

    schema: Mapping[str, Any]  # narwhals' types of the columns by name
    frame: nw.LazyFrame[Any]
    origin: Origin
    is_counted: bool = False  # whether its different rows are read, each with how often it occurs, not moments of cells

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return self.origin.label

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.schema)

    def kinds(self, needed: Sequence[str]) -> dict[str, Column]:
        """Columns without rows, of the types that they have.

        Raises
        ------
        DataError
            If a column is not there, or holds what a model cannot use.
        """
        for name in needed:
            if name not in self.names:
                raise missing_column(name, self.names)
        return {name: without_rows(name, self.schema[name]) for name in needed}

    def count_missing(self, needed: Iterable[str]) -> tuple[int, dict[str, int]]:
        """Number of rows, and how many of them are missing in each of some columns."""
        import narwhals as nw

        sums = [self.missing(name).cast(nw.Float64).sum().alias(name) for name in needed]
        with self.reporting():
            found = self._first(self.frame.select(nw.len().alias("(rows)"), *sums))
        return int(found.pop("(rows)")), {name: int(count) for name, count in found.items()}

    def missing(self, name: str) -> nw.Expr:
        """Whether a value is missing: null, or not a number."""
        import narwhals as nw

        column = nw.col(name)
        is_float = self.schema[name].is_float()
        return column.is_null() | column.is_nan() if is_float else column.is_null()

    def complete(self, needed: Sequence[str]) -> RemoteTable:
        """The rows without a missing value in some columns."""
        gone = [self.missing(name) for name in needed]
        with self.reporting():
            return replace(self, frame=self.frame.filter(~reduce(or_, gone))) if gone else self

    def total(self, sums: Mapping[str, nw.Expr]) -> dict[str, float]:
        """Aggregates of all rows, by the names given."""
        with self.reporting():
            return self._first(self.frame.select(*(value.alias(name) for name, value in sums.items())))

    def by_group(
        self, keys: Sequence[str], values: Sequence[nw.Expr], *, most: int
    ) -> tuple[dict[str, Column], Array, Array]:
        """Sums of values within combinations of the keys, the cells.

        Returns
        -------
        levels, count, sums
            The keys of each cell by name, the number of its rows ``(cells,)``, and the sums ``(cells, values)``.

        Raises
        ------
        DataError
            If there are more than ``most`` cells.
        """
        import narwhals as nw

        named = {f"key{j}": nw.col(name) for j, name in enumerate(keys)}
        summed = {"count": nw.lit(1.0), **{f"sum{j}": value for j, value in enumerate(values)}}
        sums = [nw.col(name).sum() for name in summed]
        with self.reporting():
            chosen = self.frame.select(*(value.alias(name) for name, value in {**named, **summed}.items()))
            grouped = chosen.group_by(*named).agg(*sums) if keys else chosen.select(*sums)
            read = self._read(grouped.head(most + 1))
        levels = dict(zip(keys, (read.pop(name) for name in named), strict=True))
        count, *others = (_numbers(read[name]) for name in summed)
        if len(count) > most:
            raise DataError(
                f"{name_all(list(keys))} of {self.label} have more than {most} combinations: so many do not"
                " fit into memory. Group by fewer columns, or by coarser ones."
            )
        return levels, count, np.stack([np.zeros_like(count), *others], axis=1)[:, 1:]

    def _first(self, frame: nw.LazyFrame[Any]) -> dict[str, float]:
        return {name: float(_numbers(column)[0]) for name, column in self._read(frame).items()}

    def _read(self, frame: nw.LazyFrame[Any]) -> dict[str, Column]:
        found = collect(frame)
        return {name: to_column(name, found[name]) for name in found.columns}

    def reporting(self) -> AbstractContextManager[None]:
        """Turn what engines raise into a DataError that names the source."""
        return reporting(self.label)


def open_remote(data: Any) -> RemoteTable:
    """Take a DuckDB relation, a lazy frame of Polars, Dask or Spark, or the path of files, which DuckDB reads.

    Raises
    ------
    DataError
        If ``data`` is none of these, or cannot be opened.
    """
    import narwhals as nw

    is_path = isinstance(data, str | PathLike)
    native = _open_files(str(data), f"`{data}`") if is_path else data
    try:
        frame = narwhals_frame(native)
    except TypeError:
        frame = None
    if not isinstance(frame, nw.LazyFrame):
        raise DataError(
            f'where="source" is for tables that stay where they are, not for {type(data).__name__}: give a DuckDB'
            " relation, a lazy frame of Polars, Dask or Spark, or the path of Parquet or CSV files; or leave `where`"
            " out."
        )
    table = RemoteTable({}, frame, origin_of_files(data) if is_path else Origin(engine_of(frame)))
    with table.reporting():  # a connection may be closed
        return replace(table, schema=dict(frame.collect_schema()))


def is_remote(data: Any) -> bool:
    """Whether data are of a kind that may stay where it is."""
    import narwhals as nw

    if isinstance(data, str | PathLike):
        return str(data).lower().endswith((*PARQUET, *TEXT))
    try:
        return isinstance(narwhals_frame(data), nw.LazyFrame)
    except TypeError:
        return False


def _open_files(path: str, label: str) -> Any:
    """A DuckDB relation on files: a path or a pattern such as ``year=*/part-*.parquet``."""
    lower = path.lower()
    if not lower.endswith((*PARQUET, *TEXT)):
        raise DataError(f"{label} is of no kind that stays where it is: files end in {', '.join((*PARQUET, *TEXT))}.")
    if "*" not in path and not Path(path).is_file():
        raise DataError(f"There is no file {label}.")
    try:
        import duckdb
    except ImportError:
        raise DataError(f"Reading {label} where it is needs DuckDB: pip install 'bayesmix[duckdb]'.") from None
    connection = duckdb.connect()
    try:
        if lower.endswith(PARQUET):
            return _open_parquet(connection, path)
        sniffed = _sniffed(connection, path) if "*" in path else {}
        opened = connection.read_csv(path)
        _check_alike(sniffed, _types(opened))
        return opened
    except duckdb.Error as error:
        raise DataError(f"{label} cannot be read: {first_line(error)}.") from error


def _open_parquet(connection: Any, path: str) -> Any:
    """The rows of Parquet files, numbers of the widest type that one of them has.

    DuckDB takes the types of the first file, and rounds what others have where that has whole numbers.
    """
    opened = connection.read_parquet(path)
    if "*" not in path:
        return opened
    found = {file: _types(connection.read_parquet(file, hive_partitioning=False)) for file in _files(connection, path)}
    first, is_alike = next(iter(found)), True
    for file, own in found.items():
        for name, kind in own.items():
            expected = found[first].get(name, kind)
            is_alike &= kind == expected
            if kind != expected and not all(one.startswith(NUMERIC) for one in (kind, expected)):
                raise DataError(f"`{name}` holds {expected} in `{first}` and {kind} in `{file}`: make them alike.")
    if is_alike:
        return opened
    for file, own in found.items():
        if own.keys() != found[first].keys():
            raise _other_columns(file, list(own), first, list(found[first]))
    return connection.read_parquet(path, union_by_name=True)


def _files(connection: Any, path: str) -> list[str]:
    """Names of the files of a pattern."""
    return [str(row[0]) for row in connection.execute("select file from glob(?) order by file", [path]).fetchall()]


def _other_columns(file: str, columns: list[str], first: str, expected: list[str], how: str = "") -> DataError:
    for one, own, other, theirs in ((file, columns, first, expected), (first, expected, file, columns)):
        lacks = [f"`{name}`" for name in theirs if name not in own]
        if lacks and len(lacks) < len(theirs):
            what = f"`{one}` has no column {', '.join(lacks)}, which `{other}` has"
            break
    else:
        what = f"`{file}` has the columns {name_all(columns)}, and `{first}` has {name_all(expected)}"
    return DataError(f"{what}: files that are read together have the same ones{how}.")


def _types(relation: Any) -> dict[str, str]:
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def _sniffed(connection: Any, path: str) -> dict[str, dict[str, str]]:
    """Types of the columns of each text file of a pattern.

    Raises
    ------
    DataError
        If one has other columns: DuckDB takes them by position, or refuses them all in a hundred lines.
    """
    files = _files(connection, path)
    query = "select Columns from sniff_csv(?)"
    sniffed = {file: connection.execute(query, [file]).fetchall()[0][0] for file in files}
    found = {file: {one["name"]: one["type"] for one in own} for file, own in sniffed.items()}
    for file, own in found.items():
        if list(own) != list(found[files[0]]):
            how = ", in the same order, named in the first line"
            raise _other_columns(file, list(own), files[0], list(found[files[0]]), how)
    return found


def _check_alike(found: Mapping[str, Mapping[str, str]], types: Mapping[str, str]) -> None:
    """Raise `DataError` where some text files have numbers and others text: DuckDB then takes all for text."""
    for name in (name for name, kind in types.items() if kind == "VARCHAR"):
        kinds = {own.get(name) in NUMBERS: file for file, own in found.items()}
        if len(kinds) > 1:
            raise DataError(f"`{name}` holds numbers in `{kinds[True]}` and text in `{kinds[False]}`: make them alike.")


def _numbers(column: Column) -> Array:
    """A sum of no rows is missing in some engines."""
    assert isinstance(column, Numeric)
    return np.nan_to_num(column.values, nan=0.0)
