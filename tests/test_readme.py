"""The README is true: its output is that of its command, examples run, figures are there, no verb is missing."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from conftest import around
from typer.testing import CliRunner

import bayesmix as bmx
from bayesmix.data.model_file import model_names
from bayesmix.fit import Posterior
from bayesmix.inference.sampling.draws import Draws
from bayesmix.language.families.registry import FAMILIES
from bayesmix.language.priors.presets import PRESETS
from bayesmix.present.cli import app
from bayesmix.results.criticism.diagnosis import Diagnosis

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
CLOSE = {"rel": 0.1, "abs": 0.05}  # of numbers that hang on draws: other versions of NumPy draw others


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_output_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command = next(text for text in blocks("sh") if "compare models/esoph_lmm.toml" in text)
    words = shlex.split(command.split("uv run bayesmix ")[1])
    printed = CliRunner().invoke(app, [*words, "--no-progress"])
    assert printed.exit_code == 0
    shown = blocks("text")[0]
    found = printed.stdout[printed.stdout.index(shown.splitlines()[0]) :]
    estimates = shown[: shown.index("Posterior\n")]  # these hang on nothing: they are equal to the letter
    assert found[: len(estimates)] == estimates
    verdict = shown[shown.index("Verdict\n") : shown.index("Posterior: ")]
    assert verdict in found
    assert NUMBER.sub("#", " ".join(shown.split())) == NUMBER.sub("#", " ".join(found.split()))
    ours, theirs = ([float(text) for text in NUMBER.findall(block)] for block in (shown, found))
    assert ours == pytest.approx(theirs, **CLOSE)


def test_the_output_of_an_estimate_is_that_of_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the letter, for nothing in it hangs on draws."""
    monkeypatch.chdir(ROOT)
    command = next(text for text in blocks("sh") if "--formula" in text and "sleepstudy" in text)
    printed = CliRunner().invoke(app, shlex.split(command.split("uv run bayesmix ")[1]))
    assert printed.exit_code == 0
    assert blocks("text")[1] in printed.stdout


def test_the_first_table_is_of_the_output() -> None:
    """Its figures are those of the tables that the command prints."""
    rows = [line.strip("| ").split(" | ") for line in README.splitlines() if line.startswith(("| ", "|-"))]
    table = {row[0]: row[1:4] for row in rows if len(row) == 5 and NUMBER.fullmatch(row[1])}
    assert len(table) == 6
    shown = blocks("text")[0]
    for name, figures in table.items():
        lines = " ".join(line for line in shown.splitlines() if line.startswith(f"{name} "))
        assert set(figures) <= set(lines.split()), name


@pytest.mark.slow
def test_python_example(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # it saves a fit and figures
    assert blocks("python")
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "REML criterion at convergence: 388.6" in printed
    assert "sd(agegp, ncontrols)" in printed
    assert {"forest.png", "curves.png", "fit.zarr"} <= {path.name for path in tmp_path.iterdir()}


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("bayesmix ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With draws made by hand, and what takes seconds left out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bmx.Model, "sample", few_draws)
    monkeypatch.setattr("bayesmix.comparison.decompositions", lambda *_: ((), ()))
    monkeypatch.setattr("bayesmix.present.report.report.illustrations", lambda *_: ())
    monkeypatch.setattr("bayesmix.fit.Posterior.diagnose", lambda _: Diagnosis(()))
    monkeypatch.setattr("bayesmix.data.model_file.model_names", lambda: ("dyestuff", "sleepstudy"))
    rng = np.random.default_rng(1)
    g = np.repeat(list("abcdefgh"), 10)
    x = rng.uniform(1.0, 2.0, 80)
    frame = bmx.load_dataset("gammasim").iloc[:80].assign(g=g, x=x, days=1.0 + x, count=rng.poisson(np.exp(x)))
    frame.assign(y=x + rng.normal(size=8).repeat(10) * x + rng.normal(size=80)).to_csv("my.csv", index=False)
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exit_code in {0, 1}, result.stderr  # such draws need not look converged
    assert result.stdout
    for name in re.findall(r"\S+\.(?:html|zarr)", line):
        assert Path(name).exists()


def few_draws(self: bmx.Model, **_: object) -> Posterior:
    """The estimate, repeated with a little noise."""
    good = around(self.estimate(), self, chains=4, draws=250, spread=0.05)
    stats = {"diverging": np.zeros((4, 250), bool)}
    return Posterior(self._fitted, Draws(good.values, stats, "nuts", ()), self.priors)


def test_figures_are_there_and_small() -> None:
    figures = re.findall(r"!\[(.+)\]\((.+\.png)\)", README)
    assert len(figures) == 2
    for _, path in figures:
        assert 10_000 < (ROOT / path).stat().st_size < 150_000


def public() -> set[str]:
    classes = (bmx.Model, bmx.Estimate, bmx.Posterior, bmx.Comparison)
    names = {name for name in bmx.__all__ if not name.endswith(("Error", "Warning"))} - RECORDS
    return names | {name for cls in classes for name in dir(cls) if not name.startswith("_")}


# what fits carry with them, and what a comparison was made of
RECORDS = {"Estimate", "Posterior", "Comparison", "Reml", "Ml", "Laplace", "Prior", "__version__"}
DETAILS = {
    "spec",
    "design",
    "names",
    "method",
    "centre",
    "fits",
    "formula",
    "labels",
    "notes",
    "decompositions",
    "posterior",
    "with_effects",
}


@pytest.mark.parametrize("name", sorted(public() - DETAILS))
def test_every_public_verb_is_mentioned(name: str) -> None:
    assert re.search(rf"\b{name}\b", README)


def test_families_and_presets_are_mentioned() -> None:
    assert all(name in README for name in FAMILIES)
    assert all(f'`"{name}"`' in README for name in PRESETS)


def test_model_files_of_the_readme_exist() -> None:
    assert set(re.findall(r"models/(\w+)\.toml", README)) <= set(model_names())


FILE = re.compile(r"[\w.]+/[\w./]+\.(?:py|md|toml|png)\b")
FOLDERS = ("", "bayesmix", "bayesmix/present")  # that paths are below


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_files_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    found = set(FILE.findall(text))
    assert len(found) > 5
    assert {path for path in found if not any((ROOT / folder / path).exists() for folder in FOLDERS)} == set()


def test_commands_are_those_of_ci() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pip install uv && uv run --group dev pytest" in README
    assert "\nuv run --group dev pytest\n" in ci
