"""What a model file names is looked at before it is read."""

from __future__ import annotations

import os
import time
from hashlib import sha256

import pytest
from typer.testing import CliRunner

import bayesmix as bmx
from bayesmix.data import named_files
from bayesmix.data.named_files import check_file
from bayesmix.errors import DataError, SpecError
from bayesmix.present.cli import app

CSV = "y,x,g\n" + "".join(f"{i * i % 7},{i % 5},{'abc'[i % 3]}\n" for i in range(30))
CHECKSUM = sha256(CSV.encode()).hexdigest()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "theirs" / "below").mkdir(parents=True)
    for place in ("mine.csv", "theirs/d.csv", "theirs/below/d.csv"):
        (tmp_path / place).write_text(CSV)
    (tmp_path / "theirs" / "link.csv").symlink_to(tmp_path / "mine.csv")
    os.mkfifo(tmp_path / "theirs" / "pipe.csv")
    return tmp_path / "theirs"


def model_file(folder, name, extra=""):
    path = folder / "m.toml"
    path.write_text(f'formula = "y ~ x + (1 | g)"\n{extra}[data]\nfile = "{name}"\nsha256 = "{CHECKSUM}"\n')
    return path


@pytest.mark.parametrize("name", ["d.csv", "below/d.csv", "below/../d.csv"])
def test_files_beside_and_below_are_read(name, folder):
    assert bmx.load_model(str(model_file(folder, name))).design.n == 30


@pytest.mark.parametrize("name", ["../mine.csv", "below/../../mine.csv", "link.csv", "ABSOLUTE"])
def test_files_elsewhere_are_read_when_asked(name, folder):
    name = str(folder.parent / "mine.csv") if name == "ABSOLUTE" else name
    path = model_file(folder, name)
    with pytest.raises(DataError, match=r"not beside or below the model file.*outside=True"):
        bmx.load_model(str(path))
    assert bmx.load_model(str(path), outside=True).design.n == 30


def test_relations_elsewhere_are_read_when_asked(folder):
    (folder.parent / "A.csv").write_text(",a,b,c\na,1,0,0\nb,0,1,0\nc,0,0,1\n")
    checksum = sha256((folder.parent / "A.csv").read_bytes()).hexdigest()
    path = model_file(folder, "d.csv")
    words = path.read_text().replace("(1 | g)", "(1 | gr(g, cov = A))")
    path.write_text(f'{words}[data2]\nA = {{ file = "../A.csv", sha256 = "{checksum}" }}\n')
    with pytest.raises(DataError, match="not beside or below"):
        bmx.load_model(str(path))
    assert bmx.load_model(str(path), outside=True).design.n == 30


@pytest.mark.parametrize("name", ["pipe.csv", "/dev/zero", "below", "none.csv"])
def test_what_is_no_file_is_named_at_once(name, folder):
    began = time.monotonic()
    with pytest.raises(DataError, match="There is no data file"):
        bmx.load_model(str(model_file(folder, name)), outside=True)
    assert time.monotonic() - began < 1.0


def test_files_too_large_are_not_read(folder, monkeypatch):
    monkeypatch.setattr(named_files, "LARGEST", 100)
    with pytest.raises(DataError, match=rf"has {len(CSV)} bytes; model files read at most 100"):
        check_file(folder / "d.csv", CHECKSUM, folder)


@pytest.mark.parametrize("letter", ["\\u202e", "\\u2066", "\\u001b"])
def test_text_that_hides_what_it_says_is_refused(letter, folder):
    with pytest.raises(SpecError, match="control characters"):
        bmx.load_model(str(model_file(folder, "d.csv", f'description = "good{letter}dab"\n')))


def test_the_command_line_is_asked_by_an_option(folder):
    path = str(model_file(folder, "../mine.csv"))
    refused = CliRunner().invoke(app, ["fit", path, "--no-progress"])
    assert refused.exit_code == 2
    assert "--outside" in refused.output
    assert CliRunner().invoke(app, ["fit", path, "--no-progress", "--outside"]).exit_code == 0
