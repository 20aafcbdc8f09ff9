"""The notebooks: stripped, of public names only, and run from start to end."""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from public_names import check_public

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MODULES = {"bayesmix", "bayesmix.studies", "arviz", "pandas"}
SECONDS = 600  # of a cell, on a busy machine


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code(path: Path) -> ast.Module:
    cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    return ast.parse("\n".join("".join(cell["source"]) for cell in cells))


def test_chapters_in_their_order():
    assert [path.stem for path in NOTEBOOKS] == [
        "1_why_groups_matter",
        "2_linear_mixed_model",
        "3_poisson_model",
        "4_prediction_and_pooling",
        "5_posterior_against_reml",
        "6_priors",
        "7_diagnostics_with_arviz",
        "8_counts_with_many_zeros",
        "9_ratings",
    ]


def test_chapters_lead_to_their_neighbours():
    for place, path in enumerate(NOTEBOOKS):
        last = "".join(read(path)["cells"][-1]["source"])
        names = [other.name for other in NOTEBOOKS[max(place - 1, 0) : place + 2] if other != path]
        assert re.findall(r"\]\((\w+\.ipynb)\)", last) == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path):
    for cell in read(path)["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_public_names_are_used(path):
    for node in ast.walk(code(path)):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= MODULES
        if isinstance(node, ast.ImportFrom):
            assert node.module in MODULES
        check_public(node)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapters_are_to_be_read(path):
    cells = read(path)["cells"]
    assert "".join(cells[0]["source"]).startswith(f"# {path.stem[0]}. ")
    words = sum(len("".join(cell["source"]).split()) for cell in cells if cell["cell_type"] == "markdown")
    assert words > 150


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# the kernel's connection warns of encryption, and IPython of its own loops
@pytest.mark.filterwarnings("default")
def test_notebooks_run(path, tmp_path, monkeypatch):
    nbformat, client = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")

    monkeypatch.setitem(os.environ, "PYTHONWARNINGS", "default")
    notebook = nbformat.read(path, as_version=4)
    client.NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not any(output.get("name") == "stderr" for output in outputs), "a warning shows in the notebook"
