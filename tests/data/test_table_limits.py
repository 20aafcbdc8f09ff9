"""Tables of strangers: what stands for more rows or columns than are read is one message, before it fills memory."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pandas as pd
import pytest

from bayesmix import read_data
from bayesmix.data import table_limits
from bayesmix.data.table_limits import Watched, check_table
from bayesmix.errors import DataError

MANY = b"1,2\n" * 250_000


def packed(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(gzip.compress(part, 1) for part in parts))
    return path


def test_packed_rows_are_counted_while_they_are_read(tmp_path, monkeypatch):
    path = packed(tmp_path / "rows.csv.gz", b"y,x\n", *[MANY] * 8)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(table_limits, "ROWS", 300_000)
    with pytest.raises(DataError) as caught:
        read_data(path)
    assert str(caught.value) == (
        f"`{path}` cannot be read: it has more than 300000 rows, and at most 300000 are read. Where you trust the file,"
        " set BAYESMIX_MAX_ROWS in the environment."
    )
    monkeypatch.setenv("BAYESMIX_MAX_ROWS", "3e6")
    assert read_data(path).shape == (2_000_000, 2)


def test_no_more_is_unpacked_than_up_to_the_limit(monkeypatch):
    stream = io.BytesIO(MANY * 4)
    monkeypatch.setattr(table_limits, "ROWS", 300_000)
    with pytest.raises(DataError, match="more than 300000 rows"):
        pd.read_csv(io.BufferedReader(Watched(stream, 2), 2**16))
    assert stream.tell() < 4 * 300_000 + 2**18


def test_a_row_without_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(table_limits, "LONGEST", 2**20)
    path = packed(tmp_path / "long.csv.gz", b"y,x\n", MANY, b"3,", *[b"0" * 2**20] * 4)
    with pytest.raises(DataError, match=r"row 250002 has more than 1048576 bytes\.$"):
        read_data(path)


def test_rows_are_as_long_as_they_are_between_any_two_reads():
    lines = b"1\n22\n333\n\n4444"
    for size in range(1, len(lines) + 1):
        watched, rows = Watched(io.BytesIO(lines), 1), []
        while watched.read(size):
            rows.append(watched.row)
        assert (watched.lines, watched.bytes, watched.row) == (4, len(lines), 4), size
        assert max(rows) <= 4


def test_text_that_takes_more_than_memory(monkeypatch):
    monkeypatch.setattr("bayesmix.data.memory.limit", lambda: 1e6)
    with pytest.raises(DataError, match=r"its text takes 1\.0\d MB of memory"):
        io.BufferedReader(Watched(io.BytesIO(MANY * 4), 0), 2**16).read()


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
def test_columns_and_declared_rows(tmp_path, monkeypatch, ending):
    path, frame = tmp_path / f"table.{ending}", pd.DataFrame({"y": [1.0] * 30, "x": 2.0, "z": 3.0})
    frame.to_csv(path, index=False) if ending == "csv" else getattr(frame, f"to_{ending}")(path)
    monkeypatch.setenv("BAYESMIX_MAX_COLUMNS", "2")
    with pytest.raises(DataError, match=r"it has 3 columns, and at most 2 are read\. .* BAYESMIX_MAX_COLUMNS"):
        read_data(path)
    monkeypatch.setenv("BAYESMIX_MAX_COLUMNS", "3")
    monkeypatch.setenv("BAYESMIX_MAX_ROWS", "29")
    with pytest.raises(DataError, match=r"it has more than 29 rows, .* BAYESMIX_MAX_ROWS"):
        read_data(path)
    monkeypatch.delenv("BAYESMIX_MAX_ROWS")
    assert len(read_data(path)) == 30


@pytest.mark.parametrize("given", ["many", "0", "-3", "nan", "1e999"])
def test_limits_that_are_none(monkeypatch, given):
    monkeypatch.setenv("BAYESMIX_MAX_ROWS", given)
    with pytest.raises(DataError, match=f"BAYESMIX_MAX_ROWS='{given}' in the environment: a whole number above zero"):
        check_table(1, 1)


def test_rows_and_columns_that_take_more_than_memory():
    with pytest.raises(DataError, match="90000000 rows of 900000 columns would take 648 TB of memory"):
        check_table(90_000_000, 900_000)
