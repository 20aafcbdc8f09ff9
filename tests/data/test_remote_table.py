"""Tables that stay where they are: what is asked of them, and what is said where they cannot answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

import bayesmix as bmx
from bayesmix.data.remote_table import RemoteTable, is_remote, open_remote

FRAME = pd.DataFrame({"g": list("abbcc"), "x": [1.0, 2.0, 4.0, np.nan, 8.0], "k": [1, 1, 2, 2, 2]})


def sources(folder: Path) -> dict[str, Any]:
    FRAME.to_parquet(folder / "part-0.parquet")
    FRAME.to_csv(folder / "data.csv", index=False)
    return {
        "relation": duckdb.connect().from_df(FRAME),
        "polars": pl.from_pandas(FRAME).lazy(),
        "parquet": folder / "part-0.parquet",
        "glob": str(folder / "part-*.parquet"),
        "csv": str(folder / "data.csv"),
    }


@pytest.mark.parametrize("kind", ["relation", "polars", "parquet", "glob", "csv"])
def test_sums_by_group(kind: str, tmp_path: Path) -> None:
    data = sources(tmp_path)[kind]
    assert is_remote(data)
    table = open_remote(data)
    assert table.count_missing(["g", "x"]) == (5, {"g": 0, "x": 1})
    used = table.complete(["x"])
    levels, count, sums = used.by_group(["g"], [nw.col("x"), nw.col("x") * nw.col("x")], most=10)
    factor = levels["g"]
    by_level = {factor.levels[code]: (n, *own) for code, n, own in zip(factor.codes, count, sums, strict=True)}
    assert by_level == {"a": (1.0, 1.0, 1.0), "b": (2.0, 6.0, 20.0), "c": (1.0, 8.0, 64.0)}
    assert used.total({"mean": nw.col("x").mean()}) == {"mean": 3.75}


def test_too_many_cells_are_refused() -> None:
    with pytest.raises(bmx.DataError, match="`g` of the duckdb table have more than 2 combinations"):
        open_remote(duckdb.connect().from_df(FRAME)).by_group(["g"], [], most=2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (FRAME, "not for DataFrame: give a DuckDB relation"),
        ({"x": [1.0]}, "not for dict"),
        ("nowhere.parquet", "There is no file `nowhere.parquet`"),
        ("nowhere-*.parquet", "`nowhere-*.parquet` cannot be read: IO Error: No files found"),
        ("data.xlsx", "of no kind that stays where it is"),
    ],
)
def test_what_is_no_source_is_refused(data: Any, message: str) -> None:
    with pytest.raises(bmx.DataError) as caught:
        open_remote(data)
    assert message in str(caught.value)


def test_types_that_differ_between_files_are_one_message(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "part-0.parquet")
    FRAME.assign(x=list("pqrst")).to_parquet(tmp_path / "part-1.parquet")
    with pytest.raises(bmx.DataError, match=r"`.*part-\*.parquet` cannot be read: .*[Cc]onver"):
        bmx.Model("k ~ x + (1 | g)", str(tmp_path / "part-*.parquet"), where="source")


def test_a_connection_that_breaks_is_one_message() -> None:
    connection = duckdb.connect()
    table = open_remote(connection.from_df(FRAME))
    connection.close()
    with pytest.raises(bmx.DataError, match="the duckdb table cannot be read: "):
        table.count_missing(["x"])


def test_columns_that_no_source_has_are_named() -> None:
    source = duckdb.connect().from_df(FRAME.assign(day=pd.Timestamp("2020-01-01")))
    with pytest.raises(bmx.DataError, match="Column `xx` of the formula is not in the data"):
        bmx.Model("k ~ xx + (1 | g)", source, where="source")
    with pytest.raises(bmx.DataError, match="Column `day` holds"):
        bmx.Model("k ~ day + (1 | g)", source, where="source")


def test_columns_have_kinds_without_rows() -> None:
    kinds = open_remote(duckdb.connect().from_df(FRAME)).kinds(["g", "x", "k"])
    assert {name: type(column).__name__ for name, column in kinds.items()} == {
        "g": "Factor",
        "x": "Numeric",
        "k": "Numeric",
    }
    assert isinstance(open_remote(pl.from_pandas(FRAME).lazy()), RemoteTable)
