"""Predictions of any number of rows, written to a Parquet file some rows at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.condensed import ReadTable
from bayesmix.data.design.design import Term
from bayesmix.data.remote_chunks import chunks
from bayesmix.data.remote_table import PARQUET, RemoteTable, is_remote, open_remote
from bayesmix.errors import DataError, PredictionWarning, SpecError, warn_user
from bayesmix.results.fits.records import FitRecord
from bayesmix.results.prediction.observed_columns import observed
from bayesmix.results.prediction.predict import check_options
from bayesmix.results.prediction.prediction_table import Estimand, prediction_table, rows_of
from bayesmix.results.prediction.rows import PredictionRows
from bayesmix.results.storage.atomic_replacement import new_file

if TYPE_CHECKING:
    import pandas as pd


SIZE = 250_000  # rows at a time
Unseen = dict[int, dict[str, int]]  # codes of levels that the fit has not, by label and term


def write_predictions(
    fit: FitRecord, estimand: Estimand, newdata: Any, path: str | Path, *, offset: Any = None, seed: int = 0
) -> pd.DataFrame:
    """Write the columns of the data, and beside them those of their predictions; the file appears when it is whole.

    Returns
    -------
    DataFrame
        One row: ``file, rows``, and how many of these are ``undetermined``, NaN in the file.

    Raises
    ------
    DataError
        If data cannot be read, or the file cannot be written: what was there before is there still.
    SpecError
        If the name of the file is of another kind.
    """
    import pandas as pd

    check_options(estimand.kind, estimand.groups, fit.design.terms)
    if not str(path).lower().endswith(PARQUET):
        raise SpecError(f"Predictions are written as Parquet: `{path}` has to end in {' or '.join(PARQUET)}.")
    rows, lost = 0, 0
    with new_file(path, kind="The predictions") as unfinished, _Writer(unfinished) as writer:
        for table in _predicted(fit, estimand, newdata, Path(path), offset=offset, seed=seed):
            writer.write(table)
            rows, lost = rows + len(table), lost + int(np.isnan(table.column(-1).to_numpy()).sum())
    if lost:
        what = "values are missing, or the data of the fit do not determine them"
        warn_user(f"{lost} of {rows} rows of `{path}` are NaN: {what}.", PredictionWarning)
    return pd.DataFrame({"file": [str(path)], "rows": [rows], "undetermined": [lost]})


class _Writer:
    """A Parquet file whose columns are those of the first table that is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> _Writer:
        return self

    def write(self, table: Any) -> None:
        from pyarrow import parquet

        self._file = self._file or parquet.ParquetWriter(self._path, table.schema)
        self._file.write_table(table)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _predicted(
    fit: FitRecord, estimand: Estimand, newdata: Any, path: Path, *, offset: Any, seed: int
) -> Iterator[Any]:
    """Arrow tables of the data with their predictions."""
    import pyarrow as pa

    if newdata is None and fit.design.counts is None:
        table = prediction_table(fit, rows_of(fit, estimand), estimand, seed=seed)
        yield _beside(pa.Table.from_pandas(observed(fit.design), preserve_index=False), table)
        return
    begin, unseen = 0, Unseen()
    for chunk in _chunks(fit, newdata, path, has_offset=offset is not None):
        own = None if offset is None else np.asarray(offset)[begin : begin + len(chunk)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PredictionWarning)  # they are told of all rows together
            rows = _after(rows_of(fit, estimand, chunk, own), begin, unseen)
            yield _beside(chunk, prediction_table(fit, rows, estimand, seed=seed))
        begin += len(chunk)


def _chunks(fit: FitRecord, newdata: Any, path: Path, *, has_offset: bool) -> Iterator[Any]:
    source = fit.design.source
    if newdata is None and source is not None and source.condensed is not None:
        table = ReadTable(source.condensed, fit.fitted_model.data).open("A prediction of the rows of the fit")
    elif is_remote(newdata):
        table = open_remote(newdata)
    else:
        yield from _slices(newdata)
        return
    if has_offset:
        raise SpecError("offset= is one value a row, and the rows stay where they are: make it a column of theirs.")
    _check_target(table, path)
    yield from chunks(table, SIZE)


def _slices(newdata: Any) -> Iterator[Any]:
    import narwhals as nw
    import pandas as pd

    try:
        frame = nw.from_native(pd.DataFrame(newdata) if isinstance(newdata, Mapping) else newdata, eager_only=True)
    except TypeError:
        what = "a path of another kind" if isinstance(newdata, str | PathLike) else type(newdata).__name__
        raise DataError(
            "Predictions are written of a data frame, a DuckDB relation, a lazy frame or the path of Parquet or CSV"
            f" files, not of {what}: bmx.read_data(path) reads files of all kinds."
        ) from None
    table = frame.to_arrow()
    for begin in range(0, max(len(table), 1), SIZE):
        yield table.slice(begin, SIZE)


def _check_target(table: RemoteTable, path: Path) -> None:
    """Refuse to write over what is read, and what would be read with it the next time."""
    if table.origin.takes(path):
        raise DataError(f"`{path}` is one of the files {table.label} that are predicted: write to another one.")


def _after(rows: PredictionRows, begin: int, unseen: Unseen) -> PredictionRows:
    """Rows that follow others: with noise of their own, and the codes of levels that were new before."""
    terms = tuple(_continued(term, unseen.setdefault(t, {})) for t, term in enumerate(rows.terms))
    return replace(rows, data=replace(rows.data, terms=terms), first=begin)


def _continued(term: Term, known: dict[str, int]) -> Term:
    if not term.unseen:
        return term
    known_codes = np.array([known.setdefault(label, -1 - len(known)) for label in term.unseen])
    codes, new = term.codes.copy(), term.codes < 0
    codes[new] = known_codes[-1 - codes[new]]
    return replace(term, codes=codes)


def _beside(data: Any, table: pd.DataFrame) -> Any:
    """Columns of data, and of predictions: of several categories a row of the data has several."""
    taken: Array = table.index.to_numpy()
    result = data if len(taken) == len(data) else data.take(taken)
    for name in table.columns:
        if name in data.column_names:
            raise DataError(f"The data have a column `{name}`, as predictions do: rename it.")
        values = table[name]
        result = result.append_column(name, [values.astype(str) if values.dtype == "category" else values.to_numpy()])
    return result
