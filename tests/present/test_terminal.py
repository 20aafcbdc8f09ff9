"""What a terminal shows: lines no wider than 80 columns, help without types, completion, quiet, colours."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256

import pytest
import typer
from typer.testing import CliRunner

from bayesmix.present.cli import app, completion
from bayesmix.present.cli.output import folded

SLEEP = ("Reaction ~ Days + (Days | Subject)", "sleepstudy")
CAKE = ("angle ~ recipe * temperature + (1 | recipe:replicate)", "cake")
FEW = ("--draws", "100", "--chains", "2", "--seed", "1")
LISTS = [("models",), ("data",), ("models", "grouseticks"), ("data", "esoph"), ("data", "VerbAgg"), ("--help",)]
COMMANDS = ("fit", "resume", "anova", "compare", "power", "report", "code", "models", "data")
DEAR = [
    *((command, "--help") for command in COMMANDS),
    ("anova", *CAKE),
    ("fit", *CAKE),
    ("fit", "salamanders"),
    ("fit", "wine", "--posterior", *FEW),
    ("compare", "sleepstudy", "--groups", *FEW),
    ("code", *SLEEP),
    ("power", *SLEEP, "--effect", "Days=5", "--groups", "Subject=10,20", "--replicates", "10"),
]


def run(*arguments):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"})


def commands():
    return typer.main.get_command(app).commands


def wide(text):
    return [line for line in text.splitlines() if len(line) > 80]


@pytest.mark.parametrize(
    "command", [*LISTS, *(pytest.param(own, marks=pytest.mark.slow) for own in DEAR)], ids=lambda own: " ".join(own[:2])
)
def test_no_line_is_wider_than_a_terminal(command):
    printed = run(*command)
    assert printed.exit_code in {0, 1}, printed.stderr  # few draws are no converged posterior
    assert wide(printed.stdout) == []
    assert len(printed.stdout) > 100


def test_help_has_no_types_of_flags():
    page = run("compare", "--help").stdout
    assert "--json" in page
    assert "bool" not in page.lower()
    assert "<str>" not in page


ELSEWHERE = """\
formula = "y ~ x + (1 | g)"
[data]
file = "{}"
sha256 = "{}"
"""


@pytest.mark.parametrize("command", [("code",), ("power", "--effect", "x=1", "--replicates", "2"), ("fit",)])
def test_commands_take_data_that_are_elsewhere(command, tmp_path):
    """As the message says: every command that reads a model file has the option."""
    own, data = tmp_path / "own", tmp_path / "rows.csv"
    own.mkdir()
    data.write_text("y,x,g\n" + "".join(f"{i % 5 + i / 7},{i},{'abcd'[i % 4]}\n" for i in range(24)), encoding="utf-8")
    checksum = sha256(data.read_bytes()).hexdigest()
    (own / "model.toml").write_text(ELSEWHERE.format("../rows.csv", checksum), encoding="utf-8")
    name, *options = command
    refused = run(name, str(own / "model.toml"), *options)
    assert (refused.exit_code, "--outside" in refused.stderr) == (2, True)
    assert run(name, str(own / "model.toml"), *options, "--outside").exit_code == 0


def test_commands_of_models_have_the_options_of_models():
    """Records of options are taken apart: no command lacks one."""
    pages = {name: {option for one in command.params for option in one.opts} for name, command in commands().items()}
    shared = pages["fit"] & pages["compare"]
    assert {"--where", "--outside", "--family", "--data2", "--sep", "--na"} <= shared
    for name in ("anova", "report", "power", "code"):
        own = {"--draws", "--chains", "--seed", "--priors", "--json", "--csv", "--save", "--progress", "--checkpoint"}
        estimates = {"--method", "--reml", "--ml", "--agq"} if name == "code" else set()
        assert shared - own - estimates <= pages[name], name


def test_messages_are_folded_between_words_and_formulas_stay():
    message = f"FormulaError: {'word ' * 20}\n  {'y' * 90}\n  ^"
    lines = folded(message, 80).split("\n")
    assert max(map(len, lines[:-2])) <= 80
    assert lines[-2:] == [f"  {'y' * 90}", "  ^"]
    assert " ".join(lines[:-2]).split() == message.split("\n", maxsplit=1)[0].split()


def test_shells_complete_what_there_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "esoph_mine.toml").touch()
    (tmp_path / "cases.csv").touch()
    assert completion.model_files("esoph") == ["esoph_lmm", "esoph_poisson", "esoph_mine.toml"]
    assert completion.data("ca") == ["cake", "cases.csv"]
    assert completion.families("zero_inflated_p") == ["zero_inflated_poisson"]
    assert completion.methods("ma") == ["marginal"]
    assert completion.estimates("ma") == []
    assert completion.samplers("nu") == ["nuts"]
    assert completion.presets("b") == ["bambi", "brms"]


@pytest.mark.slow
def test_completion_through_a_shell():
    asked = {"_BAYESMIX_COMPLETE": "complete_bash", "COMP_WORDS": "bayesmix compare esoph_", "COMP_CWORD": "2"}
    command = [sys.executable, "-m", "bayesmix"]
    found = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["esoph_lmm", "esoph_poisson"]


@pytest.mark.parametrize("flag", ["--quiet", "-q", "--no-progress"])
def test_quiet_prints_results_alone(flag):
    printed = run("fit", "dyestuff", flag)
    assert printed.exit_code == 0
    assert printed.stderr == ""
    assert "REML criterion" in printed.stdout


@pytest.mark.slow
def test_no_colour_where_none_is_wanted():
    command = [sys.executable, "-m", "bayesmix", "compare", "--help"]
    coloured = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    plain = subprocess.run(command, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, check=True)
    assert "\x1b[3" not in plain.stdout
    own = subprocess.run(command, env={**os.environ, **coloured}, capture_output=True, text=True, check=True)
    assert "\x1b[" in own.stdout


@pytest.mark.slow
def test_both_fits_are_kept_and_the_documents_coefficients_stand_beside(tmp_path):
    folder = tmp_path / "fits"
    printed = run("compare", "esoph_lmm", "--groups", "--no-causes", "--save", str(folder), *FEW)
    row = next(line for line in printed.stdout.splitlines() if line.startswith("coef(agegp, 65-74, ncontrols)"))
    assert row.split()[-2:] == ["0.1719088", "0.1719"]
    assert sorted(path.name for path in folder.iterdir()) == ["estimate.zarr", "posterior.zarr"]
    again = run("compare", "esoph_lmm", "--save", str(folder), *FEW)
    assert (again.exit_code, "exists" in again.stderr) == (2, True)
    nowhere = run("compare", "esoph_lmm", "--save", str(tmp_path / "no" / "fits"), *FEW)
    assert "cannot be made one" in nowhere.stderr.replace("\n", " ")
