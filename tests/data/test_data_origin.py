"""Files are known again by their number, size and age."""

from __future__ import annotations

import os
from pathlib import Path

from bayesmix.data.data_origin import Origin, origin_of_files


def test_tables_that_are_no_files_do_not_change() -> None:
    origin = Origin("the duckdb table")
    assert origin.changed() == ""
    assert not Origin("a table").takes(Path("a.parquet"))


def test_files_of_a_pattern(tmp_path: Path) -> None:
    for name in ("part-1.csv", "part-2.csv"):
        (tmp_path / name).write_text("x\n1\n")
    os.utime(tmp_path / "part-2.csv", (0.0, 2e9))
    origin = origin_of_files(tmp_path / "part-*.csv")
    assert (origin.files, origin.size, origin.modified) == (2, 8, 2e9)
    taken = {
        name for name in ("part-1.csv", "part-9.csv", "whole.csv", "more/part-1.csv") if origin.takes(tmp_path / name)
    }
    assert taken == {"part-1.csv", "part-9.csv"}
    deep = origin_of_files(tmp_path / "**" / "part-*.csv")
    assert deep.takes(tmp_path / "more" / "part-1.csv")
    assert not deep.takes(tmp_path / "more" / "whole.csv")
    assert origin.changed() == ""


def test_what_has_changed_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("x\n1\n")
    origin = origin_of_files(file)
    file.write_text("x\n1\n2\n")
    assert "has changed: it was 1 file of 4 bytes" in origin.changed()
    assert "and is 1 file of 6 bytes" in origin.changed()
    file.unlink()
    assert origin.changed() == f"`{file}` is not there any more."


def test_paths_are_found_from_other_folders(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "data.csv").write_text("x\n1\n")
    monkeypatch.chdir(tmp_path)
    origin = origin_of_files("data.csv")
    monkeypatch.chdir(tmp_path.parent)
    assert origin.label == "`data.csv`"
    assert origin.changed() == ""
