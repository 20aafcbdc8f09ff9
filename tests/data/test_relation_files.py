"""Relations of levels in files, named on the command line and in model files."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import bayesmix as bmx
from bayesmix.data.model_file import load_model_file
from bayesmix.data.relation_files import read_relation
from bayesmix.errors import DataError, SpecError
from bayesmix.present.cli import app

LEVELS = ["a", "b", "c"]
MATRIX = pd.DataFrame([[1.0, 0.5, 0.1], [0.5, 1.0, 0.1], [0.1, 0.1, 2.0]], LEVELS, LEVELS)
TREE = "((a:1,b:1):1,c:2);"
PEDIGREE = "id,sire,dam\nc,a,b\nd,a,c\n"
KINDS = {
    "matrix": ("A.csv", MATRIX.to_csv(), MATRIX),
    "matrix without names of rows": ("A.csv", MATRIX.to_csv(index=False), MATRIX),
    "tree": ("A.nwk", TREE, pd.DataFrame([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 2.0]], LEVELS, LEVELS)),
    "pedigree": (
        "A.csv",
        PEDIGREE,
        pd.DataFrame(
            [[1, 0, 0.5, 0.75], [0, 1, 0.5, 0.25], [0.5, 0.5, 1, 0.75], [0.75, 0.25, 0.75, 1.25]],
            list("abcd"),
            list("abcd"),
        ),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_what_it_looks_like(kind, tmp_path):
    name, text, expected = KINDS[kind]
    (tmp_path / name).write_text(text)
    found = read_relation(tmp_path / name, "A")
    table = pd.DataFrame(found.covariance(), found.labels, found.labels)
    np.testing.assert_allclose(table.loc[expected.index, expected.columns], expected, atol=1e-12)


def test_other_tables_are_refused(tmp_path):
    (tmp_path / "A.csv").write_text("x,y\n1,2\n3,4\n5,6\n")
    with pytest.raises(DataError, match="has 3 rows and 2 columns: a covariance has a row and a column for each level"):
        read_relation(tmp_path / "A.csv", "A")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(2)
    g = np.repeat(LEVELS, 4)
    pd.DataFrame({"y": rng.normal(size=12).round(2), "g": g}).to_csv(tmp_path / "d.csv", index=False)
    MATRIX.to_csv(tmp_path / "A.csv")
    digest = {name: sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("d.csv", "A.csv")}
    (tmp_path / "m.toml").write_text(
        f'formula = "y ~ 1 + (1 | gr(g, cov = A))"\n[data]\nfile = "d.csv"\nsha256 = "{digest["d.csv"]}"\n'
        f'[data2]\nA = {{ file = "A.csv", sha256 = "{digest["A.csv"]}" }}\n'
    )
    return tmp_path


def test_model_files_name_them(folder):
    fit = bmx.load_model(str(folder / "m.toml")).estimate()
    data = pd.read_csv(folder / "d.csv")
    own = bmx.Model("y ~ 1 + (1 | gr(g, cov = A))", data, data2={"A": MATRIX}).estimate()
    assert fit.criterion == pytest.approx(own.criterion, abs=1e-10)
    shown = CliRunner().invoke(app, ["models", str(folder / "m.toml")])
    assert "data2     A = A.csv" in shown.stdout
    assert CliRunner().invoke(app, ["models", str(folder / "m.toml"), "--json"]).exit_code == 0


def test_a_relation_that_was_changed_is_not_that_of_the_model_file(folder):
    (folder / "A.csv").write_text((2.0 * MATRIX).to_csv())
    with pytest.raises(DataError, match=r"`A\.csv` are not those of the model file"):
        load_model_file(folder / "m.toml").load_relations()
    (folder / "A.csv").unlink()
    with pytest.raises(DataError, match="relative to the model file"):
        load_model_file(folder / "m.toml").load_relations()


@pytest.mark.parametrize("entry", ['"A.csv"', '{ file = "A.csv" }', '{ file = "A.csv", sha256 = "12" }'])
def test_an_entry_is_a_file_and_its_checksum(folder, entry):
    text = (folder / "m.toml").read_text()
    (folder / "m.toml").write_text(text[: text.index("A = {")] + f"A = {entry}\n")
    with pytest.raises(SpecError, match=r"\[data2\]: `(A|sha256)`"):
        load_model_file(folder / "m.toml")


def test_the_command_line_names_them(folder):
    formula = "y ~ 1 + (1 | gr(g, cov = A))"
    typed = ["fit", formula, str(folder / "d.csv"), "--data2", f"A={folder / 'A.csv'}"]
    result = CliRunner().invoke(app, typed)
    assert result.exit_code == 0, result.stderr
    assert "g        (Intercept)" in result.stdout
    missing = CliRunner().invoke(app, typed[:3])
    assert "data2" in missing.stderr
