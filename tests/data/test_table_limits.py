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

REFERENCE = Path(__file__).parents[1] / "reference"
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


def check_one_less_is_refused(path, patched, rows, columns):
    """A table of so many where one column less may be read, and one row less."""
    told = rf"it has {columns} columns, and at most {columns - 1} are read\. .* BAYESMIX_MAX_COLUMNS"
    patched.setenv("BAYESMIX_MAX_COLUMNS", str(columns - 1))
    with pytest.raises(DataError, match=told):
        read_data(path)
    patched.setenv("BAYESMIX_MAX_COLUMNS", str(columns))
    patched.setenv("BAYESMIX_MAX_ROWS", str(rows - 1))
    with pytest.raises(DataError, match=rf"it has more than {rows - 1} rows, .* BAYESMIX_MAX_ROWS"):
        read_data(path)


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
def test_columns_and_declared_rows(tmp_path, monkeypatch, ending):
    path, frame = tmp_path / f"table.{ending}", pd.DataFrame({"y": [1.0] * 30, "x": 2.0, "z": 3.0})
    frame.to_csv(path, index=False) if ending == "csv" else getattr(frame, f"to_{ending}")(path)
    check_one_less_is_refused(path, monkeypatch, 30, 3)
    monkeypatch.delenv("BAYESMIX_MAX_ROWS")
    assert len(read_data(path)) == 30


class Unread:
    """Writers and readers of tables with a header: what it declares is refused before a row is read."""

    @staticmethod
    def dta(frame, path):
        frame.to_stata(path, write_index=False)

    @staticmethod
    def xpt(frame, path):
        pytest.importorskip("pyreadstat").write_xport(frame, path, file_format_version=5)

    @staticmethod
    def sav(frame, path):
        pytest.importorskip("pyreadstat").write_sav(frame, path)

    @staticmethod
    def sas7bdat(_, path):
        """Of SAS itself: 150 rows of 5 columns."""
        path.write_bytes(gzip.decompress((REFERENCE / "files" / "iris.sas7bdat.gz").read_bytes()))


READERS = {
    "dta": "pandas.read_stata",
    "xpt": "pandas.io.sas.sas_xport.XportReader.read",
    "sas7bdat": "pandas.io.sas.sas7bdat.SAS7BDATReader.read",
    "sav": "pandas.read_spss",
}


@pytest.mark.parametrize("ending", READERS)
def test_headers_are_held_against_the_limits_before_rows_are_read(tmp_path, monkeypatch, ending):
    path = tmp_path / f"table.{ending}"
    getattr(Unread, ending)(pd.DataFrame({f"x{j}": [1.0] * 150 for j in range(5)}), path)
    assert read_data(path).shape == (150, 5)
    with monkeypatch.context() as patched:
        patched.setattr(READERS[ending], lambda *_, **__: pytest.fail("it is read"))
        check_one_less_is_refused(path, patched, 150, 5)
    monkeypatch.setenv("BAYESMIX_MAX_ROWS", "150")
    assert len(read_data(path)) == 150


def test_a_file_of_sas_is_read_as_it_is(tmp_path):
    """R's `iris`: its means, and species of six letters, as it was written."""
    Unread.sas7bdat(None, tmp_path / "iris.sas7bdat")
    frame = read_data(tmp_path / "iris.sas7bdat")
    assert frame.iloc[:, :4].mean().round(6).tolist() == [5.843333, 3.057333, 3.758, 1.199333]
    assert frame["Species"].value_counts().to_dict() == {"setosa": 50, "versic": 50, "virgin": 50}


@pytest.mark.parametrize("given", ["many", "0", "-3", "nan", "1e999"])
def test_limits_that_are_none(monkeypatch, given):
    monkeypatch.setenv("BAYESMIX_MAX_ROWS", given)
    with pytest.raises(DataError, match=f"BAYESMIX_MAX_ROWS='{given}' in the environment: a whole number above zero"):
        check_table(1, 1)


def test_rows_and_columns_that_take_more_than_memory():
    with pytest.raises(DataError, match="90000000 rows of 900000 columns would take 648 TB of memory"):
        check_table(90_000_000, 900_000)
