"""The site: every code block of its pages runs, uses public names only, and every page is in the contents."""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from public_names import check_public

import bayesmix as bmx
from bayesmix.present.cli import app

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "hooks"))

import chapter  # noqa: E402
import execution  # noqa: E402
import migration  # noqa: E402

PAGES = {str(path.relative_to(ROOT / "docs")): path for path in sorted((ROOT / "docs").rglob("*.md"))}
QUICK = ("reference/errors.md",)  # that run in less than a third of a second; the others are slow tests
CASES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PAGES]


def text_of(name: str) -> str:
    return PAGES[name].read_text(encoding="utf-8")


def imported(name: str) -> set[str]:
    """Packages that the code of a page imports."""
    code = [block.code for block in execution.blocks(text_of(name)) if block.language == "python"]
    nodes = [node for text in code for node in ast.walk(ast.parse(text))]
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {module.partition(".")[0] for module in found}


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Width of the terminal and the backend of matplotlib, which running a page sets."""
    monkeypatch.setitem(os.environ, "COLUMNS", "80")


@pytest.mark.parametrize("name", CASES)
def test_code_of_pages_runs(name: str) -> None:
    """What a run keeps is what the site shows: building it runs nothing again."""
    for module in imported(name):
        pytest.importorskip(module)  # DuckDB and others are there with the developers' group alone
    execution.kept_outputs(text_of(name))


@pytest.mark.parametrize("name", PAGES)
def test_code_of_pages_is_of_public_names(name: str) -> None:
    for block in execution.blocks(text_of(name)):
        if block.language != "python":
            continue
        for node in ast.walk(ast.parse(block.code)):
            check_public(node)


def test_tests_that_pages_name_exist() -> None:
    """`folder/test_module.py::test_name` below the folder of tests."""
    named = {pair for name in PAGES for pair in re.findall(r"`(?:tests/)?([\w/]+\.py)::(\w+)`", text_of(name))}
    assert len(named) > 60
    texts = {module: (ROOT / "tests" / module).read_text(encoding="utf-8") for module, _ in named}
    assert [pair for pair in sorted(named) if f"\ndef {pair[1]}(" not in texts[pair[0]]] == []


@pytest.mark.slow  # loads MkDocs
def test_names_of_tests_fold_between_their_words() -> None:
    pytest.importorskip("mkdocs")
    from events import with_folds

    shown = with_folds("<code>a_b/test_c.py::test_d</code> <code>x_y</code> <pre>a/b.py</pre>")
    assert shown.replace("<wbr>", "|") == "<code>a_|b/|test_|c.py::|test_|d</code> <code>x_y</code> <pre>a/b.py</pre>"


def test_every_page_and_notebook_is_in_the_contents() -> None:
    contents = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    listed = re.findall(r"[\w/.-]+\.md", contents)
    assert sorted(listed) == sorted(set(listed))
    chapters = {f"chapter/{path.stem}.md" for path in chapter.notebooks()}
    assert set(listed) == set(PAGES) | chapters | {"benchmarks.md", "changes.md", "simulations.md"}


# ---- tables for those who come from another package -----------------------------------------------------------------


@pytest.mark.parametrize("package", migration.packages())
def test_rows_of_models_are_models_here_and_there(package: str) -> None:
    for row in migration.rows(package, "models"):
        if "there" in row or package == "bambi":  # which takes two seconds to load
            assert str(eval(row["ours"], {}, migration.Names()))
        else:
            assert migration.there(row, package)


@pytest.mark.slow
@pytest.mark.parametrize("package", migration.packages())
@pytest.mark.filterwarnings("default")
def test_rows_of_verbs_run(package: str) -> None:
    names = migration.Names()
    for row in migration.rows(package, "verbs"):
        eval(row["ours"], {}, names)
    if package == "bambi":
        assert all("bambi.Model" in migration.there(row, package) for row in migration.rows(package, "models"))


# ---- the reference --------------------------------------------------------------------------------------------------

LISTED = set(re.findall(r"^::: (\S+)$", "\n".join(map(text_of, PAGES)), flags=re.MULTILINE))


def home(thing: Any) -> str:
    thing = inspect.unwrap(thing)
    return f"{thing.__module__}.{thing.__qualname__}"


def things() -> dict[str, Any]:
    """Public functions and classes, those of figures and studies included."""
    found = {name: getattr(bmx, name) for name in bmx.__all__ if name not in {"plots", "studies", "__version__"}}
    for module in (bmx.plots, bmx.studies):
        own = {name: getattr(module, name) for name in module.__all__}
        found |= {f"{module.__name__}.{name}": value for name, value in own.items() if callable(value)}
    return found


@pytest.mark.parametrize("name", things())
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert home(things()[name]) in LISTED
    assert inspect.getdoc(things()[name])


def test_the_reference_lists_nothing_else() -> None:
    assert {home(thing) for thing in things().values()} == LISTED


@pytest.mark.parametrize("name", [name for name, thing in things().items() if inspect.isclass(thing)])
def test_every_public_method_has_a_docstring(name: str) -> None:
    cls = things()[name]
    public = [attribute for attribute in vars(cls) if not attribute.startswith("_")]
    fields = set(getattr(cls, "__dataclass_fields__", ()))
    without = [one for one in public if one not in fields and not inspect.getdoc(getattr(cls, one))]
    assert without == []


@pytest.mark.parametrize("name", bmx.plots.__all__)
def test_every_figure_is_in_the_gallery(name: str) -> None:
    blocks = [block for block in execution.blocks(text_of("gallery.md")) if f"bmx.plots.{name}(" in block.code]
    assert blocks
    assert all(block.alt for block in blocks)


def test_every_command_is_in_the_reference() -> None:
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert set(re.findall(r"^## bayesmix (\w+)$", text_of("reference/command-line.md"), flags=re.MULTILINE)) == names


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


def test_figures_are_described_by_their_panels_axes_and_legends() -> None:
    study = bmx.studies.standard_errors(groups=3, rows=4, replicates=2, estimators=["common"], progress=False)
    words = execution.described(bmx.plots.sample(study))
    for part in ("Figure of 3 panels", "y against x", "the last sample, by group", "least squares in the group"):
        assert part in words


def test_formulas_are_mathml() -> None:
    pytest.importorskip("latex2mathml")
    mathematics: Any = pytest.importorskip("mathematics")
    marked = r'<p>of <span class="arithmatex">\(\beta_0 &lt; 1\)</span></p>'
    shown = mathematics.with_mathematics(marked)
    assert 'alttext="\\beta_0 &lt; 1"' in shown
    assert "<msub>" in shown
    assert "arithmatex" not in shown


def test_words_behind_a_colon_are_no_type() -> None:
    pytest.importorskip("griffe")
    docstrings: Any = pytest.importorskip("docstrings")
    text = "Verb : not one.\n\nParameters\n----------\nx, y : where it\n    is : there.\nz\n    Else.\n"
    text += "\nRaises\n------\nA : b\n"
    found = docstrings.described(text).splitlines()
    assert found[4:9] == ["x, y", "    where it", "    is : there.", "z", "    Else."]
    assert (found[0], found[-1]) == ("Verb : not one.", "A : b")


# ---- beside the site ------------------------------------------------------------------------------------------------


def test_changes_are_by_version_in_short_entries() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (\d+\.\d+\.\d+) \((unreleased|\d{4}-\d\d-\d\d)\)$", text, flags=re.MULTILINE)
    assert len(sections) == text.count("\n## ")
    versions = [tuple(map(int, version.split("."))) for version, _ in sections]
    assert versions == sorted(versions, reverse=True)
    assert "unreleased" not in [date for _, date in sections[1:]]
    assert bmx.__version__ == next(version for version, date in sections if date != "unreleased")
    assert set(re.findall(r"^### (\w+)", text, flags=re.MULTILINE)) == {"Added", "Changed", "Fixed", "Faster"}
    entries = re.split(r"^- |\n\n", text, flags=re.MULTILINE)[1:]
    assert [entry for entry in entries if len(entry.splitlines()) > 3 or entry.count("\n  ") > 1] == []
    assert max(map(len, text.splitlines())) <= 120


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {bmx.__version__}\n" in citation


def test_citation_and_issue_templates_can_be_read() -> None:
    yaml = pytest.importorskip("yaml")
    templates = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(templates) >= 3
    for path in (ROOT / "CITATION.cff", *templates):
        assert yaml.safe_load(path.read_text(encoding="utf-8"))
