"""Files of every kind and dialect give the same columns; what cannot be read is named."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather
from pyarrow import parquet as pq

import bayesmix as bmx
from bayesmix.data import files, memory
from bayesmix.data.columns import Factor, Numeric
from bayesmix.data.files import DataFile, read_data
from bayesmix.data.frame import open_table
from bayesmix.errors import DataError

FRAME = pd.DataFrame(
    {
        "x": [1.5, -2.25, np.nan, 4.0],
        "n": [1, 2, 3, 1000],
        "Größe": ["groß", "klein", "groß", "x, y"],
        "g": list("abab"),
    }
)

COMMAS = FRAME.to_csv(index=False)
SEMICOLONS = FRAME.to_csv(index=False, sep=";", decimal=",")
TABS = FRAME.to_csv(index=False, sep="\t")
BLANKS = FRAME.assign(Größe=list("pqpq"), x=FRAME.x.fillna(9)).to_csv(index=False, sep=" ")
TEXTS: dict[str, tuple[str, bytes]] = {
    "commas": ("d.csv", COMMAS.encode()),
    "commas, DOS": ("d.csv", COMMAS.replace("\n", "\r\n").encode()),
    "commas, old Mac": ("d.csv", COMMAS.replace("\n", "\r").encode()),
    "no last newline": ("d.csv", COMMAS.rstrip().encode()),
    "semicolons, decimal commas": ("d.csv", SEMICOLONS.encode()),
    "semicolons, decimal points": ("d.csv", FRAME.to_csv(index=False, sep=";").encode()),
    "tabs": ("d.tsv", TABS.encode()),
    "tabs in a csv": ("d.csv", TABS.encode()),
    "tabs, decimal commas": ("d.tab", FRAME.to_csv(index=False, sep="\t", decimal=",").encode()),
    "bars": ("d.txt", FRAME.to_csv(index=False, sep="|").encode()),
    "row names of R": ("d.txt", FRAME.to_csv(sep="\t").removeprefix("\t").encode()),
    "Excel's mark": ("d.csv", COMMAS.encode("utf-8-sig")),
    "Latin-1": ("d.csv", COMMAS.encode("latin-1")),
    "Windows": ("d.csv", SEMICOLONS.encode("cp1252")),
    "UTF-16": ("d.csv", COMMAS.encode("utf-16")),
    "UTF-16 without a mark": ("d.csv", TABS.encode("utf-16-le")),
    "UTF-16, other way round": ("d.csv", TABS.encode("utf-16-be")),
    "UTF-32": ("d.csv", COMMAS.encode("utf-32")),
    "gzip": ("d.csv.gz", gzip.compress(SEMICOLONS.encode())),
    "bz2": ("d.tsv.bz2", bz2.compress(TABS.encode())),
    "xz": ("d.csv.xz", lzma.compress(COMMAS.encode())),
}


def check(table: Any) -> None:
    found = table.read(["g", "x", "n", "Größe"])
    assert isinstance(found["x"], Numeric)
    np.testing.assert_array_equal(found["x"].values, FRAME["x"])
    np.testing.assert_array_equal(found["n"].values, FRAME["n"])
    assert isinstance(found["Größe"], Factor)
    assert [found["Größe"].levels[code] for code in found["Größe"].codes] == FRAME["Größe"].tolist()
    assert found["g"].levels == ("a", "b")


@pytest.mark.parametrize("kind", TEXTS)
def test_the_dialect_of_text_is_found(tmp_path: Path, kind: str) -> None:
    name, content = TEXTS[kind]
    (tmp_path / name).write_bytes(content)
    check(open_table(tmp_path / name))
    check(open_table(read_data(str(tmp_path / name))))


def test_blanks_separate_columns_of_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text(BLANKS.replace(" ", "   "), encoding="utf-8")
    assert open_table(path).read(["n"])["n"].values.tolist() == FRAME["n"].tolist()
    path = path.rename(tmp_path / "d.csv")
    path.write_text("first name\nAnna Maria\nJohn Paul\n", encoding="utf-8")
    assert open_table(path).names == ("first name",)


def write_spss(path: Path) -> None:
    import pyreadstat

    pyreadstat.write_sav(FRAME, str(path))


WRITERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "parquet": ("d.parquet", FRAME.to_parquet),
    "feather": ("d.feather", FRAME.to_feather),
    "arrow": ("d.arrow", lambda path: feather.write_feather(pa.Table.from_pandas(FRAME), path)),
    "Stata": ("d.dta", lambda path: FRAME.to_stata(path, write_index=False, version=118)),
    "Excel": ("d.xlsx", lambda path: FRAME.to_excel(path, index=False)),
    "SPSS": ("d.sav", write_spss),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_tables_with_types(tmp_path: Path, kind: str) -> None:
    for package in {"Excel": ["openpyxl"], "SPSS": ["pyreadstat"]}.get(kind, []):
        pytest.importorskip(package)
    name, write = WRITERS[kind]
    write(tmp_path / name)
    check(open_table(tmp_path / name))
    check(open_table(read_data(tmp_path / name)))


def test_categories_of_stata_are_no_ordered_factors(tmp_path: Path) -> None:
    FRAME.assign(g=pd.Categorical(FRAME["g"], ["b", "a"])).to_stata(tmp_path / "d.dta", write_index=False, version=118)
    found = open_table(tmp_path / "d.dta").read(["g"])["g"]
    assert isinstance(found, Factor)
    assert (found.levels, found.kind) == (("b", "a"), "factor")


def test_what_is_given_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes("x;dose;été\n1,250;.;1\n2,500;3;2\n".encode("latin-1"))
    with pytest.raises(DataError, match="column `x` has `1,250`, whose comma may be a decimal mark or part thousands"):
        open_table(path)
    assert read_data(path, decimal=",")["x"].tolist() == [1.25, 2.5]
    assert read_data(path, decimal=",", na=".")["dose"].isna().tolist() == [True, False]
    assert read_data(path, decimal=".", encoding="latin-1").columns.tolist() == ["x", "dose", "été"]
    with pytest.raises(DataError, match="split by ',', its rows have more fields than the header has names"):
        read_data(path, sep=",")
    given = DataFile(path, decimal=",", na=(".",))
    assert open_table(given).read(["dose"])["dose"].missing.tolist() == [True, False]


def test_a_letter_beyond_ascii_that_comes_late(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    rows = "".join(f"{i},abcdefghij\n" for i in range(100_000))
    path.write_bytes(f"x,t\n{rows}0,Größe\n".encode("latin-1"))
    found = open_table(path).read(["t"])["t"]
    assert isinstance(found, Factor)
    assert found.levels == ("Größe", "abcdefghij")


def test_of_wide_files_only_the_columns_needed_are_read(tmp_path: Path) -> None:
    wide, n = 200_000, 5
    path = tmp_path / "wide.csv"
    lines = [",".join(["y", *(f"c{j}" for j in range(wide))])] + [f"{i}," + ",".join(["1"] * wide) for i in range(n)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    start = process_time()
    found = open_table(path).read(["y", "c199999"])
    assert (found["y"].values.tolist(), found["c199999"].values.tolist()) == ([0, 1, 2, 3, 4], [1.0] * 5)
    assert process_time() - start < 2.0


def test_a_bomb_of_parquet_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that compression makes of nothing: they are declared, and refused before they are read."""
    path = tmp_path / "bomb.parquet"
    rows = 1_000_000
    pq.write_table(pa.table({"y": np.zeros(rows), "t": np.zeros(rows), "g": pa.nulls(rows, pa.int8())}), path)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(memory, "_physical", lambda: 2e7)
    with pytest.raises(
        DataError, match=r"1000000 rows of 2 columns would take 16 MB of memory \(the limit here is 10 MB"
    ):
        open_table(path).read(["y", "g"])
    assert len(open_table(path).read(["g"])["g"].missing) == rows


LARGE: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    ".feather": lambda frame, path: frame.to_feather(path, chunksize=100),
    ".zsav": lambda frame, path: pytest.importorskip("pyreadstat").write_sav(frame, path, compress=True),
}


@pytest.mark.parametrize(
    ("most", "value", "message"), [("ROWS", 150, "more than 150 rows"), ("COLUMNS", 2, "3 columns")]
)
@pytest.mark.parametrize("ending", LARGE)
def test_packed_tables_are_counted_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, most: str, value: int, message: str
) -> None:
    path = tmp_path / f"d{ending}"
    LARGE[ending](pd.DataFrame({"y": np.zeros(1000), "x": np.zeros(1000), "g": ["a", "b"] * 500}), path)
    assert read_data(path).shape == (1000, 3)
    monkeypatch.setattr(f"bayesmix.data.table_limits.{most}", value)
    monkeypatch.setattr(feather, "read_table", None)
    monkeypatch.setattr(pd, "read_spss", None)
    with pytest.raises(DataError, match=message):
        read_data(path)


PROBLEMS: dict[str, tuple[str, bytes, str]] = {
    "empty": ("d.csv", b"", "cannot be read: it is empty"),
    "binary": ("d.csv", bytes(range(256)) * 10, "cannot be read: it is not text"),
    "more fields than names": ("d.csv", b"a,b\n" + b"1,2\n" * 50 + b"1,2,3,4\n", "cannot be read"),
    "no gzip": ("d.csv.gz", b"x,y\n1,2\n", "cannot be read"),
    "no zip": ("d.zip", b"x,y\n1,2\n", "cannot be read"),
    "no parquet": ("d.parquet", b"PAR1 and nothing else", "cannot be read"),
    "no excel": ("d.xlsx", b"x,y\n1,2\n", "cannot be read"),
    "no stata": ("d.dta", b"x,y\n1,2\n", "cannot be read"),
    "a file of R": ("d.rds", b"", 'write `write.csv(d, "d.csv", row.names = FALSE)` there'),
    "another kind": ("d.docx", b"", "`d.docx` is of no known kind; files end in one of .csv, .tsv"),
    "no ending": ("data", b"x,y\n1,2\n", "`data` is of no known kind"),
}


@pytest.mark.parametrize("kind", PROBLEMS)
def test_files_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    name, content, message = PROBLEMS[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_data(tmp_path / name)
    assert message in str(caught.value)
    assert name in str(caught.value)


ENDINGS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    ".dta": lambda frame, path: frame.to_stata(path, write_index=False),
    ".feather": lambda frame, path: frame.to_feather(path),
    ".parquet": lambda frame, path: frame.to_parquet(path),
    ".xlsx": lambda frame, path: frame.to_excel(path, index=False),
    ".sav": lambda frame, path: pytest.importorskip("pyreadstat").write_sav(frame, path),
    ".xpt": lambda frame, path: pytest.importorskip("pyreadstat").write_xport(frame, path),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_damaged_files_are_read_or_named(tmp_path: Path, ending: str) -> None:
    """Readers raise errors of their own, of struct, json, XML and SPSS, which no caller knows."""
    rng, whole, path = np.random.default_rng(1), tmp_path / f"whole{ending}", tmp_path / f"d{ending}"
    ENDINGS[ending](pd.DataFrame({"y": rng.normal(size=9), "g": list("abcabcabc")}), whole)
    sound = whole.read_bytes()
    messages = []
    for begin in range(16):
        changed = bytearray(sound[: len(sound) * begin // 8] if begin < 8 else sound)
        for place in rng.integers(0, len(sound), 0 if begin < 8 else 4 * begin):
            changed[place] = rng.integers(256)
        path.write_bytes(bytes(changed))
        try:
            read_data(path)
        except DataError as error:
            messages.append(str(error))
    assert messages
    assert all(path.name in message for message in messages)


def test_encodings_that_are_not(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes("x,y\né,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="there is no encoding `klingon`"):
        read_data(path, encoding="klingon")
    with pytest.raises(DataError, match="not text in encoding utf-8"):
        read_data(path, encoding="utf-8")


def test_a_zip_holds_one_file(tmp_path: Path) -> None:
    path = tmp_path / "d.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("d.csv", SEMICOLONS)
    check(open_table(path))
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("e.csv", SEMICOLONS)
    with pytest.raises(DataError, match="it holds 2 files instead of one"):
        open_table(path)


def test_a_spreadsheet_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "d.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("sheet.xml", b"0" * 2**20)
    monkeypatch.setattr(files, "UNPACKED", 1000)
    with pytest.raises(DataError, match="its parts unpack to"):
        open_table(path)


def test_a_reader_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    (tmp_path / "d.sav").touch()
    with pytest.raises(DataError, match=r"needs the package pyreadstat: pip install 'bayesmix\[spss\]'"):
        open_table(tmp_path / "d.sav")


@pytest.mark.parametrize("address", ["https://example.org/d.csv", "s3://bucket/d.parquet", "http://x.y/d"])
@pytest.mark.parametrize("kind", [str, Path])
def test_nothing_is_downloaded(address: str, kind: type) -> None:
    with pytest.raises(DataError, match=f"`{address}` is an address, and nothing is downloaded"):
        bmx.Model("y ~ x + (1 | g)", kind(address))
    with pytest.raises(DataError, match="nothing is downloaded"):
        read_data(kind(address))


def test_folders_and_pipes_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it is a folder"):
        open_table(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="it is a pipe or a device"):
        open_table(tmp_path / "pipe.csv")


def test_columns_of_one_name_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("y,note,note\n1,a,b\n2,c,d\n", encoding="utf-8")
    assert open_table(path).read(["y"])["y"].values.tolist() == [1.0, 2.0]
    assert read_data(path).columns.tolist() == ["y", "note", "note"]
    with pytest.raises(DataError, match="Two columns of the data are named `note`"):
        open_table(path).read(["note"])
