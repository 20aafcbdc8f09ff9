"""Rows of tables that stay where they are come some at a time, all of them, in their order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayesmix as bmx
from bayesmix.data import remote_chunks
from bayesmix.data.remote_chunks import chunks
from bayesmix.data.remote_table import open_remote

FRAME = pd.DataFrame({"x": range(10), "g": [None, *"abcabcabc"]})


class WithoutBatches:
    """A lazy frame of Polars from before it came in batches."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame

    def slice(self, begin: int, size: int) -> pl.LazyFrame:
        return self._frame.slice(begin, size)


def sources(folder: Path) -> dict[str, Any]:
    FRAME.to_parquet(folder / "data.parquet")
    FRAME.to_csv(folder / "data.csv", index=False)
    return {
        "relation": duckdb.connect().from_df(FRAME),
        "polars": pl.from_pandas(FRAME).lazy(),
        "parquet": folder / "data.parquet",
        "csv": folder / "data.csv",
    }


@pytest.mark.parametrize("kind", ["relation", "polars", "parquet", "csv"])
def test_rows_come_in_order(kind: str, tmp_path: Path) -> None:
    parts = list(chunks(open_remote(sources(tmp_path)[kind]), 4))
    assert all(0 < len(part) <= 4 for part in parts)
    assert len({part.schema for part in parts}) == 1
    whole = pa.concat_tables(parts).to_pandas()
    assert whole["x"].tolist() == FRAME["x"].tolist()
    assert whole["g"].fillna("").tolist() == FRAME["g"].fillna("").tolist()


def test_older_versions_of_polars_read_slices() -> None:
    parts = list(remote_chunks._of_polars(WithoutBatches(pl.from_pandas(FRAME).lazy()), 4))
    assert [len(part) for part in parts] == [4, 4, 2]


def test_a_table_that_breaks_halfway_is_one_message() -> None:
    broken = duckdb.connect().sql("select case when range < 5000 then 1 else error('gone') end as x from range(9000)")
    with pytest.raises(bmx.DataError, match=r"the duckdb table cannot be read.*gone"):
        list(chunks(open_remote(broken), 100))
