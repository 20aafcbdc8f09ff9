"""The site: every code block of its pages runs, uses public names only, and every page is in the contents."""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import bayesmix as bmx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "hooks"))

import chapter  # noqa: E402
import execution  # noqa: E402

PAGES = {str(path.relative_to(ROOT / "docs")): path for path in sorted((ROOT / "docs").rglob("*.md"))}
QUICK = ("index.md",)  # that run in less than a third of a second; the others are slow tests
CASES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PAGES]


def text_of(name: str) -> str:
    return PAGES[name].read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Width of the terminal and the backend of matplotlib, which running a page sets."""
    monkeypatch.setitem(os.environ, "COLUMNS", "80")


@pytest.mark.parametrize("name", CASES)
def test_code_of_pages_runs(name: str) -> None:
    """What a run keeps is what the site shows: building it runs nothing again."""
    execution.kept_outputs(text_of(name))


@pytest.mark.parametrize("name", PAGES)
def test_code_of_pages_is_of_public_names(name: str) -> None:
    for block in execution.blocks(text_of(name)):
        if block.language != "python":
            continue
        for node in ast.walk(ast.parse(block.code)):
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_")
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "bmx":
                assert node.attr in bmx.__all__
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "bmx.plots":
                assert node.attr in bmx.plots.__all__


def test_every_page_and_notebook_is_in_the_contents() -> None:
    contents = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    listed = re.findall(r"[\w/.-]+\.md", contents)
    assert sorted(listed) == sorted(set(listed))
    chapters = {f"chapter/{path.stem}.md" for path in chapter.notebooks()}
    assert set(listed) == set(PAGES) | chapters | {"benchmarks.md", "changes.md"}


@pytest.mark.parametrize("name", PAGES)
def test_pages_have_one_title(name: str) -> None:
    text = re.sub(r"```.*?```", "", text_of(name), flags=re.DOTALL)
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1


def test_outputs_are_those_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "KEPT", tmp_path)
    page = "```python\nx = 2\nprint(x)\nx + 1\n```\n\n```sh\npip install x\n```\n\n```python\nx * 5\n```\n"
    found = execution.kept_outputs(page)
    assert [[one.content for one in own] for own in found] == [["2", "3"], [], ["10"]]
    (kept,) = tmp_path.iterdir()
    kept.write_text(kept.read_text().replace('"10"', '"11"'))
    assert execution.kept_outputs(page)[2][0].content == "11"  # of the earlier run
    assert execution.kept_outputs(page + " ")[2][0].content == "10"


def test_an_error_of_a_page_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "KEPT", tmp_path)
    with pytest.raises(ZeroDivisionError):
        execution.kept_outputs("```python\n1 / 0\n```\n")
    assert not list(tmp_path.iterdir())


def test_formulas_are_mathml() -> None:
    pytest.importorskip("latex2mathml")
    mathematics: Any = pytest.importorskip("mathematics")
    marked = r'<p>of <span class="arithmatex">\(\beta_0 &lt; 1\)</span></p>'
    shown = mathematics.with_mathematics(marked)
    assert 'alttext="\\beta_0 &lt; 1"' in shown
    assert "<msub>" in shown
    assert "arithmatex" not in shown
