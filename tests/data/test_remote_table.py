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


def write(frame: pd.DataFrame, file: Path, **options: Any) -> None:
    frame.to_parquet(file) if file.suffix == ".parquet" else frame.to_csv(file, index=False, **options)


def damage(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


OTHERS: dict[str, tuple[str, Any, str]] = {  # what a second file is like
    "text for numbers": (
        "parquet",
        lambda file: write(FRAME.assign(x=list("pqrst")), file),
        "`x` holds DOUBLE in `.*part-0.parquet` and VARCHAR in `.*part-1.parquet`: make them alike",
    ),
    "dates for numbers": (
        "parquet",
        lambda file: write(FRAME.assign(x=pd.Timestamp("2020-01-01")), file),
        "`x` holds DOUBLE in .* and TIMESTAMP.* make them alike",
    ),
    "truths for numbers": (
        "parquet",
        lambda file: write(FRAME.assign(k=FRAME["k"] > 1), file),
        "`k` holds BIGINT in .* and BOOLEAN .* make them alike",
    ),
    "numbers for text": (
        "parquet",
        lambda file: write(FRAME.assign(g=[1, 2, 2, 3, 3]), file),
        "`g` holds .* and BIGINT in .* make them alike",
    ),
    "other numbers and a column less": (
        "parquet",
        lambda file: write(FRAME.astype({"k": float}).drop(columns="g"), file),
        "part-1.parquet` has no column `g`, which `.*part-0.parquet` has: files that are read together",
    ),
    "a column less": (
        "parquet",
        lambda file: write(FRAME.drop(columns="x"), file),
        "could not be found in file .*part-1",
    ),
    "half a file": ("parquet", lambda file: (write(FRAME, file), damage(file)), "part-1"),
    "text for numbers in text": (
        "csv",
        lambda file: write(FRAME.assign(x=list("pqrst")), file),
        "`x` holds numbers in `.*part-0.csv` and text in `.*part-1.csv`: make them alike",
    ),
    "no names": (
        "csv",
        lambda file: write(FRAME, file, header=False),
        "has the columns `column0`, .* named in the first line",
    ),
    "other columns": ("csv", lambda file: write(FRAME[["x", "g", "k"]], file), "have the same ones, in the same order"),
    "a column less in text": (
        "csv",
        lambda file: write(FRAME.drop(columns="x"), file),
        "part-1.csv` has no column `x`, which `.*part-0.csv` has: .* named in the first line",
    ),
    "a column more in text": (
        "csv",
        lambda file: write(FRAME.assign(w=1.0), file),
        "part-0.csv` has no column `w`, which `.*part-1.csv` has: .* named in the first line",
    ),
    "lines that break off": (
        "csv",
        lambda file: file.write_text("g,x,k\na,1,2\na,1\na,,,,,2\n"),
        "part-1.csv` has the columns",
    ),
}


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
@pytest.mark.parametrize("case", OTHERS)
def test_files_that_do_not_go_together_are_one_message(case: str, family: str, tmp_path: Path) -> None:
    kind, make, message = OTHERS[case]
    write(FRAME, tmp_path / f"part-0.{kind}")
    make(tmp_path / f"part-1.{kind}")
    with pytest.raises(bmx.DataError, match=message) as caught:
        bmx.Model("k ~ x + (1 | g)", str(tmp_path / f"part-*.{kind}"), family=family, where="source")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("first", [0, 1])
def test_files_of_integers_and_of_numbers_go_together(first: int, kind: str, tmp_path: Path) -> None:
    """Whichever comes first: DuckDB rounds numbers where the first of Parquet files has integers."""
    frame = FRAME.dropna().assign(x=lambda data: data["x"] + 0.5)
    for j, one in enumerate((frame, frame.astype({"x": int}))):
        write(one, tmp_path / f"part-{abs(j - first)}.{kind}")
    table = open_remote(str(tmp_path / f"part-*.{kind}"))
    assert table.count_missing(["x"]) == (8, {"x": 0})
    assert table.total({"sum": nw.col("x").sum()}) == {"sum": 32.0}


@pytest.mark.parametrize("where", ["source", "memory"])
def test_a_connection_that_was_closed_is_one_message(where: str) -> None:
    connection = duckdb.connect()
    relation = connection.from_df(FRAME)
    connection.close()
    with pytest.raises(bmx.DataError, match=r"^the duckdb table cannot be read: .* closed\.$"):
        bmx.Model("k ~ x + (1 | g)", relation, where=where)


def test_files_that_come_while_others_are_read_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RemoteTable.total

    def slow(self: RemoteTable, sums: Any) -> dict[str, float]:
        found = whole(self, sums)
        FRAME.dropna().to_parquet(tmp_path / "part-1.parquet")
        return found

    FRAME.dropna().to_parquet(tmp_path / "part-0.parquet")
    monkeypatch.setattr(RemoteTable, "total", slow)
    with pytest.raises(bmx.DataError, match="changed while it was read: 4 rows, then 8"):
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
