"""The command line: output, exit statuses, errors; sampling is replaced, except in the test marked slow."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import bayesmix as bmx
from bayesmix.data.model_file import model_names
from bayesmix.fit import Posterior
from bayesmix.inference.sampling.draws import Draws
from bayesmix.language.families.registry import FAMILIES
from bayesmix.language.priors.presets import PRESETS
from bayesmix.present.cli import app, main
from bayesmix.present.cli.request import Options, read
from bayesmix.results.comparison.table import decompositions
from bayesmix.results.criticism.diagnosis import Diagnosis

ROOT = Path(__file__).parents[2]
SLEEP = ("fit", "Reaction ~ Days + (Days | Subject)", "sleepstudy")
PRIORS = ("--priors", "sd(Subject)=HalfNormal(2)")


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def decomposed():
    """Decompositions of the draws made by hand, computed once: they are the same in every test."""
    known, compute = {}, decompositions

    def remembered(by_label, *options):
        key = *((label, fit.spec.text, fit.spec.preset) for label, fit in by_label.items()), *options
        if key not in known:
            known[key] = compute(by_label, *options)
        return known[key]

    return remembered


@pytest.fixture
def sampled(monkeypatch, posterior_of, decomposed):
    """Let `Model.sample` return draws made by hand, and hold what it was asked for."""
    asked = {}
    good = posterior_of("esoph", chains=4, draws=250, spread=0.1)

    def install(*, diverging=False):
        stats = {"diverging": np.full((4, 250), diverging)}

        def sample(self, **options):
            asked.update(options, priors=dict(self.spec.priors), preset=self.spec.preset)
            return Posterior(self._fitted, Draws(good.values, stats, "nuts", ()), self.priors)

        monkeypatch.setattr(bmx.Model, "sample", sample)
        monkeypatch.setattr("bayesmix.comparison.decompositions", decomposed)
        # what takes seconds in a report, and is tested with it
        monkeypatch.setattr("bayesmix.present.report.report.illustrations", lambda *_: ())
        monkeypatch.setattr("bayesmix.fit.Posterior.diagnose", lambda _: Diagnosis(()))
        return asked

    return install


# ---- anova --------------------------------------------------------------------------------------------------------


def test_anova_prints_tests_of_terms():
    arguments = ("anova", "Reaction ~ Days + (1 | Subject)", "sleepstudy", "--type", "2")
    printed = run(*arguments)
    assert printed.exit_code == 0
    assert printed.stdout.startswith("Type II tests of terms, by Satterthwaite's method\n\n     Sum Sq Mean Sq")
    found = json.loads(run(*arguments, "--df", "asymptotic", "--json").stdout)
    assert found["anova"]["Days"]["chisq"] == pytest.approx(169.4014, rel=1e-4)
    assert run(*arguments, "--csv").stdout.splitlines()[0] == "term,sum_sq,mean_sq,num_df,den_df,F,p_value"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--type", "4"), "of type 1, 2 or 3, not 4"),
        (("--df", "welch"), "no degrees of freedom df=`welch`"),
        (("--method", "nuts"), "anova tests the terms of an estimate"),
    ],
)
def test_anova_refuses_what_is_no_test(options, message):
    refused = run("anova", "Reaction ~ Days + (1 | Subject)", "sleepstudy", *options)
    assert refused.exit_code == 2
    assert message in refused.stderr


# ---- fit --------------------------------------------------------------------------------------------------------


def test_fit_prints_the_summary():
    result = run(*SLEEP)
    assert result.exit_code == 0
    assert result.stdout.startswith("Linear mixed model fit by REML")
    assert "   Data: sleepstudy\n" in result.stdout
    assert "REML criterion at convergence: 1743.6\n" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--method", "ml"), "Linear mixed model fit by maximum likelihood"),
        (("--method", "REML"), "Linear mixed model fit by REML"),
        (("--ml",), "Linear mixed model fit by maximum likelihood"),
        (("--reml",), "Linear mixed model fit by REML"),
        (("--family", "gamma", "--link", "log"), " Family: Gamma  ( log )"),
        (("--offset", "Days"), " Offset: Days"),
        (("--weights", "Days + 1"), "Weights: Days + 1"),
    ],
)
def test_options_of_fit_reach_the_model(options, line):
    result = run("fit", "Reaction ~ Days + (1 | Subject)", "sleepstudy", *options)
    assert result.exit_code == 0, result.stderr
    assert any(printed.startswith(line) for printed in result.stdout.splitlines())


MODELS = {  # what is typed, and what `Model` is given by position and by name
    "one formula": (("y ~ x",), {"formula": "y ~ x", "family": "gaussian", "link": None, "rescor": False}),
    "one text": (("y ~ x; sigma ~ z",), {"formula": "y ~ x; sigma ~ z"}),
    "several": (
        ("y ~ x", "--formula", "sigma ~ z", "--formula", "b ~ x"),
        {"formula": ["y ~ x", "sigma ~ z", "b ~ x"]},
    ),
    "families": (
        ("y ~ x", "--formula", "b ~ x", "--family", "y=gaussian", "--family", "I(b == 1)=bernoulli"),
        {"family": {"y": "gaussian", "I(b == 1)": "bernoulli"}},
    ),
    "links": (("y ~ x", "--link", "sigma=log"), {"link": {"sigma": "log"}}),
    "residual correlation": (("mvbind(a, b) ~ x", "--rescor"), {"formula": "mvbind(a, b) ~ x", "rescor": True}),
}


@pytest.mark.parametrize("case", MODELS)
def test_formulas_families_and_links_reach_the_model(case, monkeypatch):
    typed, expected = MODELS[case]
    asked = {}

    def model(formula, data, family, link, *_, **options):
        asked.update(formula=formula, family=family, link=link, **options)
        raise bmx.SpecError("That is enough.")

    monkeypatch.setattr("bayesmix.model.Model", model)
    assert "That is enough." in run("fit", typed[0], "sleepstudy", *typed[1:]).stderr
    assert {name: asked[name] for name in expected} == expected


def test_quadrature_with_points():
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    result = run("fit", formula, "cbpp", "--family", "binomial", "--agq", "5")
    assert "nAGQ = 5)" in result.stdout


def test_censored_responses():
    result = run("fit", "time | cens(censored) ~ sex + (1 | patient)", "kidney", "--family", "weibull")
    assert result.exit_code == 0, result.stderr
    assert "Quantile residuals:" in result.stdout


def test_fit_reads_a_file(tmp_path):
    path = tmp_path / "mine.csv"
    bmx.load_dataset("sleepstudy").to_csv(path, index=False)
    result = run("fit", SLEEP[1], str(path))
    assert "   Data: mine.csv\n" in result.stdout


def test_fit_as_json():
    content = json.loads(run(*SLEEP, "--json").stdout)
    assert content["formula"] == SLEEP[1]
    assert content["n_obs"] == 180
    assert content["fit"]["method"] == "REML"
    assert content["fit"]["converged"] is True
    assert content["fit"]["criterion"] == pytest.approx(1743.628, rel=1e-6)
    assert content["fit"]["parameters"]["Days"]["estimate"] == pytest.approx(10.467286)
    assert content["fit"]["parameters"]["sigma"]["std_error"] is None
    assert content["fit"]["coef"]["Subject"]["308"]["Days"] == pytest.approx(19.666, rel=1e-4)


def test_fit_as_csv():
    rows = list(csv.DictReader(io.StringIO(run(*SLEEP, "--csv").stdout)))
    assert [row["parameter"] for row in rows][-2:] == ["corr(Subject, Intercept, Days)", "sigma"]
    assert float(rows[1]["estimate"]) == pytest.approx(10.467286)


def test_fit_by_nuts_with_priors(sampled):
    asked = sampled()
    formula = "ncases ~ ncontrols + (ncontrols | agegp)"
    options = ("--priors", "sd(agegp)=HalfNormal(sigma=2)", "--priors", "sigma = Exponential(1)", "--draws", "50")
    result = run("fit", formula, "esoph", "--method", "NUTS", *options, "--chains", "3", "--seed", "7", "--no-progress")
    assert result.exit_code == 0, result.stderr
    assert {name: str(prior) for name, prior in asked["priors"].items()} == {
        "sd(agegp)": "HalfNormal(2)",
        "sigma": "Exponential(1)",
    }
    assert (asked["draws"], asked["chains"], asked["seed"], asked["progress"]) == (50, 3, 7, False)
    assert asked["method"] == "nuts"
    assert result.stdout.startswith("Linear mixed model, posterior by NUTS\n")
    assert result.stderr == ""


def test_marginal_sampling_is_a_method(sampled):
    asked = sampled()
    result = run("fit", "ncases ~ ncontrols + (ncontrols | agegp)", "esoph", "--method", "marginal")
    assert result.exit_code == 0
    assert asked["method"] == "marginal"


def test_a_preset_of_priors(sampled):
    asked = sampled()
    result = run("fit", "ncases ~ ncontrols + (ncontrols | agegp)", "esoph", "--method", "nuts", "--priors", "flat")
    assert asked["preset"] == "flat"
    assert asked["progress"] is True
    assert result.stderr == "Sampling ...\n"


def test_a_preset_and_a_name(sampled):
    asked = sampled()
    options = ("--posterior", "--priors", "brms", "--priors", "sigma=Exponential(1)")
    assert run("fit", "ncases ~ ncontrols + (ncontrols | agegp)", "esoph", *options).exit_code == 0
    assert (asked["preset"], list(asked["priors"]), asked["method"]) == ("brms", ["sigma"], "auto")


def test_fit_of_a_model_file():
    result = run("fit", "dyestuff")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "REML criterion at convergence: 319.7\n" in result.stdout
    assert "Linear mixed model fit by maximum likelihood" in run("fit", "dyestuff", "--ml").stdout


def test_contrasts_reach_the_model():
    formula = "angle ~ recipe + (1 | recipe:replicate)"
    fit = json.loads(run("fit", formula, "cake", "--contrasts", "recipe=sum", "--json").stdout)["fit"]
    model = bmx.Model(formula, bmx.load_dataset("cake"), contrasts={"recipe": "sum"})
    assert list(fit["fixef"]) == list(model.design.fixed)


def test_starts_reach_the_model():
    options = Options(formula=["a ~ 1 + (1 | Subject)", "b ~ 1"], start=["a=240, b=1e-2"])
    model = read("Reaction ~ a * exp(b * Days)", "sleepstudy", options).model
    assert dict(model.spec.family.curve.starts) == {"a": 240.0, "b": 0.01}


def test_a_fit_is_saved(tmp_path):
    path = str(tmp_path / "fit.zarr")
    assert run(*SLEEP, "--save", path).exit_code == 0
    assert bmx.load(path).criterion == pytest.approx(1743.628, rel=1e-6)
    again = run(*SLEEP, "--ml", "--save", path)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "--overwrite" in again.stderr
    assert run(*SLEEP, "--ml", "--save", path, "--overwrite").exit_code == 0
    assert bmx.load(path).method == "ML"


def test_posterior_as_json(sampled):
    sampled()
    formula = "ncases ~ ncontrols + (ncontrols | agegp)"
    fit = json.loads(run("fit", formula, "esoph", "--method", "nuts", "--json").stdout)["fit"]
    assert (fit["method"], fit["chains"], fit["draws"], fit["divergences"]) == ("nuts", 4, 250, 0)
    assert fit["parameters"]["ncontrols"]["mode"] is None
    assert fit["parameters"]["sigma"]["r_hat"] == pytest.approx(1.0, abs=0.02)


def test_divergences_are_exit_status_1(sampled):
    sampled(diverging=True)
    result = run("fit", "ncases ~ ncontrols + (ncontrols | agegp)", "esoph", "--method", "nuts")
    assert result.exit_code == 1
    assert "The chains did not converge." in result.stdout


# ---- errors -----------------------------------------------------------------------------------------------------

ERRORS = {
    "column": (("fit", "Reaction ~ Dayz + (1 | Subject)", "sleepstudy"), "DataError: Column `Dayz`"),
    "formula": (("fit", "Reaction ~ Days + (1 | Subject", "sleepstudy"), "FormulaError: Unmatched opening bracket."),
    "response": ((*SLEEP, "--family", "poisson"), "DataError: Response `Reaction` does not fit family `poisson`"),
    "family": ((*SLEEP, "--family", "poison"), "SpecError: Family `poison` does not exist. Did you mean `poisson`?"),
    "parameter": ((*SLEEP, "--formula", "zi ~ 1"), "SpecError: There is no parameter `zi` for `zi ~ 1`"),
    "family of none": (
        (*SLEEP, "--family", "a=gaussian", "--family", "poisson"),
        "SpecError: --family `poisson` has no response",
    ),
    "family of another": ((*SLEEP, "--family", "a=gaussian"), "SpecError: family has a key `a`. Known: Reaction"),
    "residuals of one": ((*SLEEP, "--rescor"), "SpecError: rescor=True correlates residuals of several responses"),
    "method": ((*SLEEP, "--method", "reml2"), "SpecError: Method `reml2` does not exist. Did you mean `reml`?"),
    "data set": (("fit", SLEEP[1], "sleepstud"), "SpecError: There is no data set `sleepstud`. Did you mean"),
    "file": (("fit", SLEEP[1], "sleep.csv"), "DataError: There is no file `sleep.csv`."),
    "model file": (("compare", "esoph"), "SpecError: There is no model file `esoph`. Did you mean `esoph_lmm`?"),
    "priors of an estimate": ((*SLEEP, *PRIORS), "SpecError: --priors belongs to a posterior: add --posterior"),
    "draws of an estimate": ((*SLEEP, "--ml", "--seed", "0"), "SpecError: --seed belongs to a posterior"),
    "two methods": ((*SLEEP, "--ml", "--posterior"), "SpecError: --ml and --posterior both name a method"),
    "a sampler for an estimate": (
        ("compare", "dyestuff", "--method", "nuts"),
        "SpecError: --method is that of the estim",
    ),
    "contrasts without a value": ((*SLEEP, "--contrasts", "Subject"), "SpecError: `Subject` is not a name and a value"),
    "start that is no number": ((*SLEEP, "--start", "a=big"), "SpecError: `a=big` is not a name and a number: write"),
    "start without a value": (
        (*SLEEP, "--start", "a"),
        "SpecError: `a` is not a name and a value: write --start asym=",
    ),
    "start of a linear model": ((*SLEEP, "--start", "a=2"), "SpecError: "),
    "no data": (SLEEP[:2], "SpecError: A formula needs data"),
    "data of a model file": (("fit", "dyestuff", "Dyestuff"), "SpecError: `dyestuff` is not a formula"),
    "family of a model file": (("fit", "dyestuff", "--family", "gamma"), "SpecError: A model file says its own family"),
    "no model": (("compare",), "SpecError: Which model?"),
    "all and one": (
        ("compare", "dyestuff", "--all"),
        "SpecError: --all compares every model file as it is: leave MODEL",
    ),
    "a checkpoint of one comparison": (
        ("compare", "dyestuff", "--checkpoint", "a.jsonl"),
        "SpecError: --checkpoint of compare goes with --all",
    ),
    "all with priors": (("compare", "--all", *PRIORS), "SpecError: --all compares every model file as it is"),
    "a fit that cannot be saved": (
        (*SLEEP, "--save", "nowhere/fit.zarr"),
        "DataError: There is no folder `nowhere` to save `fit.zarr` in.",
    ),
    "prior without name": (
        (*SLEEP, "--method", "nuts", "--priors", "HalfNormal(2)", *PRIORS),
        "SpecError: Prior `HalfNormal(2)` has no name",
    ),
    "prior of nothing": (
        (*SLEEP, "--method", "nuts", "--priors", "sd(Subjekt)=HalfNormal(2)"),
        "SpecError: No parameter is called `sd(Subjekt)`. Did you mean `sd(Subject)`?",
    ),
    "two formats": ((*SLEEP, "--json", "--csv"), "SpecError: Give either --json or --csv"),
    "data to show": (("data", "esof"), "SpecError: There is no data set `esof`. Did you mean `esoph`?"),
}


@pytest.mark.parametrize("wrong", ERRORS)
def test_bad_input_is_one_message_and_exit_status_2(wrong):
    arguments, message = ERRORS[wrong]
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(message)
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_terminals_are_not_spoken_to_by_data(tmp_path):
    frame = bmx.load_dataset("sleepstudy").rename(columns={"Subject": "Sub\x1b[2Jject"})
    frame.to_csv(tmp_path / "d.csv", index=False)
    formula = "Reaction ~ Days + (1 | `Sub\x1b[2Jject`)"
    for result in (
        run("fit", formula, str(tmp_path / "d.csv")),
        run("fit", "y ~ x + (1 | g)", str(tmp_path / "d.csv")),
    ):
        assert "Sub\\x1b[2Jject" in result.output
        assert "\x1b" not in result.output


DAMAGED = {
    "empty": ("d.csv", b""),
    "binary": ("d.csv", bytes(range(128, 256))),
    "open quote": ("d.csv", b'y,x,g\n1,2,3,4\n"x\n'),
    "no zip": ("d.zip", b"PK"),
    "no gzip": ("d.csv.gz", b"\x1f\x8b\x08\x00"),
    "no Parquet": ("d.parquet", b"PAR1"),
    "folder": ("d.csv", None),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_data_that_cannot_be_read_are_exit_status_2(kind, tmp_path):
    name, content = DAMAGED[kind]
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    result = run("fit", "y ~ x + (1 | g)", str(tmp_path / name))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"DataError: `{tmp_path / name}` cannot be read: ")
    assert result.stderr.count("\n") == 1


def test_usage_errors_are_exit_status_2():
    assert run("fit").exit_code == 2
    assert run("compare", "esoph_lmm", "--draws", "two").exit_code == 2


def test_warnings_are_one_line_on_standard_error(tmp_path):
    data = bmx.load_dataset("sleepstudy").assign(Hours=lambda frame: 24 * frame["Days"])
    data.to_csv(tmp_path / "d.csv", index=False)
    result = run("fit", "Reaction ~ Days + Hours + (1 | Subject)", str(tmp_path / "d.csv"))
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: Columns that depend linearly on others are left out: Hours.")
    assert result.stderr.count("\n") == 1


def test_interruption_is_quiet(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(bmx.Model, "estimate", interrupted)
    result = run(*SLEEP)
    assert result.exit_code == 130
    assert result.output == ""


# ---- output that nobody reads, or that there is no room for -----------------------------------------------------

OUTPUTS = {
    "summary": SLEEP,
    "JSON": (*SLEEP, "--json"),
    "CSV": ("data", "sleepstudy", "--csv"),
    "help": ("--help",),
    "help of a command": ("fit", "--help"),
    "version": ("--version",),
}


def leaves_with(arguments, descriptor, monkeypatch):
    """Exit status of the command line where standard output is a file descriptor."""
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        patched.setattr(sys, "argv", ["bayesmix", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
    return left.value.code


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_closed_pipe_is_left_quietly(kind, monkeypatch, capfd):
    read, write = os.pipe()
    os.close(read)
    assert leaves_with(OUTPUTS[kind], write, monkeypatch) == 141
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="of Linux")
@pytest.mark.parametrize("kind", [kind for kind in OUTPUTS if "help" not in kind])  # Rich swallows the error of these
def test_a_full_disk_is_one_message(kind, monkeypatch, capfd):
    assert leaves_with(OUTPUTS[kind], os.open("/dev/full", os.O_WRONLY), monkeypatch) == 2
    assert capfd.readouterr().err == "The output cannot be written: No space left on device.\n"


LIMITED = """
import resource, sys
from bayesmix.present.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", [(*SLEEP, "--save", "fit.zarr"), ("report", "dyestuff", "-o", "out.html")])
def test_no_room_for_files_is_one_message_and_nothing_is_left(command, tmp_path):
    arguments = [sys.executable, "-c", LIMITED, *command, *(["--draws", "100"] if command[0] == "report" else [])]
    environment = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={tmp_path / 'compiled'}"}
    (tmp_path / "here").mkdir()
    result = subprocess.run(
        arguments, capture_output=True, text=True, check=False, cwd=tmp_path / "here", env=environment
    )
    assert result.returncode == 2, result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("DataError: ")
    assert last.endswith("cannot be written: File too large.")
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "here").iterdir())


# ---- compare ----------------------------------------------------------------------------------------------------


def test_compare_prints_both_fits_the_table_and_the_verdict(sampled):
    asked = sampled()
    result = run("compare", str(ROOT / "models" / "esoph_lmm.toml"), "--seed", "3")
    assert result.exit_code == 0, result.stderr
    parts = ["Linear mixed model fit by REML", "Linear mixed model, posterior by NUTS", "Comparison of", "Verdict"]
    places = [result.stdout.index(part) for part in parts]
    assert places == sorted(places)
    assert "documented" in result.stdout
    assert "32 of 34 figures agree" in result.stdout
    assert "The chains converged." in result.stdout
    assert "Why they differ: from REML to the mean of the posterior" in result.stdout
    assert asked["seed"] == 3
    assert asked["method"] == "auto"
    assert asked["draws"] == 1000


def test_compare_as_json(sampled):
    sampled()
    content = json.loads(run("compare", "esoph_lmm", "--json").stdout)
    assert content["model"] == "esoph_lmm"
    assert content["estimate"]["method"] == "REML"
    assert content["posterior"]["chains"] == 4
    assert {"flat mode", "share skewness"} <= content["comparison"]["sigma"].keys()
    assert content["verdict"]["reproduced"] is True
    figure = content["verdict"]["figures"]["criterion"]
    assert (figure["documented"], figure["outcome"]) == (388.6, "ok")


def test_compare_of_a_formula_on_data(sampled, tmp_path):
    sampled()
    bmx.load_dataset("esoph").to_csv(tmp_path / "mine.csv", index=False)
    formula = "ncases ~ ncontrols + (ncontrols | agegp)"
    result = run("compare", formula, str(tmp_path / "mine.csv"), "--ml")
    assert result.exit_code == 0, result.stderr
    assert "   Data: mine.csv\n" in result.stdout
    assert "Comparison of ML and posterior" in result.stdout
    assert "documented" not in result.stdout


def test_compare_with_other_priors(sampled):
    asked = sampled()
    assert run("compare", "esoph_lmm", "--priors", "brms", "--no-causes", "--sampler", "nuts").exit_code == 0
    assert (asked["preset"], asked["method"]) == ("brms", "nuts")


def test_compare_without_causes(sampled):
    sampled()
    assert "Why they differ" not in run("compare", "esoph_lmm", "--no-causes").stdout


def test_compare_as_csv(sampled):
    sampled()
    rows = list(csv.DictReader(io.StringIO(run("compare", "esoph_lmm", "--csv").stdout)))
    assert rows[0]["parameter"] == "Intercept"
    assert float(rows[0]["documented"]) == 1.63377


def test_compare_that_did_not_converge_is_exit_status_1(sampled):
    sampled(diverging=True)
    result = run("compare", "esoph_lmm")
    assert result.exit_code == 1
    assert "Posterior: The chains did not converge." in result.stdout


@pytest.mark.slow
def test_compare_writes_a_report_too(sampled, tmp_path):
    sampled()
    result = run("compare", "esoph_lmm", "--report", str(tmp_path / "out.html"))
    assert result.exit_code == 0, result.stderr
    assert "Verdict" in result.stdout
    assert "32 of 34 printed figures agree" in (tmp_path / "out.html").read_text(encoding="utf-8")


# ---- compare --all ----------------------------------------------------------------------------------------------


@pytest.fixture
def everything(sampled, monkeypatch, tmp_path):
    """Three model files: one good, one whose figures are wrong, one that is broken."""
    folder = ROOT / "models"
    good = (folder / "esoph_lmm.toml").read_text(encoding="utf-8")
    texts = {
        "a_good": good,
        "b_wrong": good.replace("criterion = 388.6", "criterion = 387.1"),
        "c_broken": good.replace("agegp)", "agegroup)"),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(text.replace('name = "esoph_lmm"', f'name = "{name}"'), encoding="utf-8")
    monkeypatch.setattr("bayesmix.data.model_file._folders", lambda: [tmp_path])
    return sampled


def test_compare_all_prints_one_line_each(everything):
    everything()
    result = run("compare", "--all", "--no-progress")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["reproduced", "estimate", "posterior", "seconds"]
    assert " ".join(lines[1].split()[:-1]) == "a_good yes, 32 of 34 (2 known) REML converged nuts converged"
    assert " ".join(lines[2].split()[:-1]) == "b_wrong NO, 31 of 34 (2 known) REML converged nuts converged"
    assert lines[3].startswith("c_broken  DataError: Column `agegroup` of the formula is not in the data.")
    assert lines[4:] == ["", "1 of 3 reproduced, 2 of 3 converged."]
    assert (result.exit_code, result.stderr) == (1, "")


def test_compare_all_as_json_and_csv(everything):
    everything(diverging=True)
    good, wrong, broken = json.loads(run("compare", "--all", "--json").stdout)
    assert (good["model"], good["reproduced"], good["agree"], good["known"]) == ("a_good", True, 32, 2)
    assert (good["estimate_converged"], good["posterior_converged"], good["converged"]) == (True, False, False)
    assert (wrong["reproduced"], broken["reproduced"], broken["error"][:9]) == (False, None, "DataError")
    rows = list(csv.DictReader(io.StringIO(run("compare", "--all", "--csv").stdout)))
    assert [row["model"] for row in rows] == ["a_good", "b_wrong", "c_broken"]
    assert rows[0]["divergences"] == "1000"


def test_compare_all_that_was_stopped_goes_on(everything, tmp_path):
    everything()
    path, draws = tmp_path / "lines.jsonl", ("--draws", "250")
    keeping = ("compare", "--all", "--json", "--seed", "3", "--checkpoint", str(path))
    run(*keeping)
    assert not path.exists()  # draws that are too few were interrupted
    first = json.loads(run(*keeping, *draws).stdout)
    (tmp_path / "b_wrong.toml").write_text((tmp_path / "a_good.toml").read_text().replace('"a_good"', '"b_wrong"'))
    again = json.loads(run(*keeping, *draws).stdout)
    assert again[0] == first[0]  # with the seconds that it took
    assert (first[1]["reproduced"], again[1]["reproduced"], again[2]["error"][:9]) == (False, True, "DataError")
    assert [json.loads(line)["job"].split()[0] for line in path.read_text().splitlines()[1:]] == [
        "a_good", "b_wrong", "b_wrong"
    ]  # fmt: skip
    assert "is not a checkpoint of this study" in run(*keeping, "--draws", "300").stderr


# ---- report -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_report_writes_a_file_of_the_models_name(sampled, tmp_path, monkeypatch):
    asked = sampled()
    monkeypatch.chdir(tmp_path)
    result = run("report", "esoph_lmm", "--seed", "3", "--no-progress")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "esoph_lmm.html\n", "")
    assert asked["seed"] == 3
    text = (tmp_path / "esoph_lmm.html").read_text(encoding="utf-8")
    assert "<h1>Cases of oesophageal cancer on controls" in text
    assert ">controls</td>" in text  # units


@pytest.mark.slow
def test_report_that_did_not_converge_is_written_with_exit_status_1(sampled, tmp_path):
    sampled(diverging=True)
    result = run("report", "esoph_lmm", "-o", str(tmp_path / "out.html"))
    assert result.exit_code == 1
    assert '<li class="bad">posterior: did not converge.</li>' in (tmp_path / "out.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [("compare", "--report"), ("report", "--output")])
def test_a_report_that_cannot_be_written_is_said_before_the_long_part(command, tmp_path, sampled):
    asked = sampled()
    for path, why in ((tmp_path, "is a folder"), (tmp_path / "no" / "r.html", "is in a folder that does not exist")):
        result = run(command[0], "esoph_lmm", command[1], str(path))
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"SpecError: The report cannot be written: `{path}` {why}.\n"
    assert not asked


@pytest.mark.slow
def test_the_main_job():
    command = [sys.executable, "-m", "bayesmix", "compare", "esoph_lmm", "--seed", "1", "--no-progress"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "The estimate reproduces the document: 32 of 34 figures agree" in result.stdout
    assert "The chains converged." in result.stdout


# ---- lists and help ---------------------------------------------------------------------------------------------


def test_models_are_listed():
    lines = run("models").stdout.splitlines()
    assert lines[0].split() == ["name", "formula;", "family;", "data;", "figures"]
    assert [line.split()[0] for line in lines[1:] if not line.startswith(" ")] == list(model_names())
    place = next(place for place, line in enumerate(lines) if line.startswith("esoph_poisson"))
    assert "".join(lines[place : place + 2]).split()[-3:] == ["poisson;", "esoph;", "38"]


def test_data_sets_are_listed():
    lines = run("data").stdout.splitlines()
    assert "esoph           88      agegp, alcgp, tobgp, ncases, ncontrols" in lines


def test_a_data_set_is_shown():
    text = run("data", "esoph").stdout
    assert text.startswith("esoph: 88 rows\n")
    assert "  agegp  ordered factor: 25-34, 35-44, 45-54, 55-64, 65-74, 75+\n" in text
    assert "licence: " in text
    assert "25-34 0-39g/day 0-9g/day       0         40" in text
    assert "factor: 1, 2, 3, 4, 5, 6, 7, 8, ... (2972 levels)" in run("data", "InstEval").stdout


def test_lists_are_machine_readable():
    files = json.loads(run("models", "--json").stdout)
    assert [file["name"] for file in files] == list(model_names())
    rows = list(csv.DictReader(io.StringIO(run("data", "--csv").stdout)))
    assert {"name": "esoph", "rows": "88", "columns": "agegp, alcgp, tobgp, ncases, ncontrols"} in rows


def test_a_model_file_is_shown():
    text = run("models", "esoph_lmm").stdout
    assert text.startswith("esoph_lmm: Cases of oesophageal cancer on controls")
    for line in (
        "  formula   ncases ~ ncontrols + (ncontrols | agegp)",
        "  ncontrols controls",
        "  licence   GPL-2 | GPL-3",
    ):
        assert line in text
    file = json.loads(run("models", "esoph_lmm", "--json").stdout)
    assert (file["data"]["units"]["ncases"], len(file["figures"])) == ("cases", 34)
    figures = {
        row["figure"]: row["value"] for row in csv.DictReader(io.StringIO(run("models", "esoph_lmm", "--csv").stdout))
    }
    assert float(figures["sd(agegp, ncontrols)"]) == 0.07569


def test_rows_of_a_data_set_are_printed():
    rows = list(csv.DictReader(io.StringIO(run("data", "esoph", "--csv").stdout)))
    assert (len(rows), rows[0]["ncontrols"]) == (88, "40")
    content = json.loads(run("data", "esoph", "--json").stdout)
    assert content["rows"][0] == {
        "agegp": "25-34",
        "alcgp": "0-39g/day",
        "tobgp": "0-9g/day",
        "ncases": 0,
        "ncontrols": 40,
    }
    assert content["licence"]


def test_versions_of_what_results_depend_on_are_printed():
    lines = run("--version").stdout.splitlines()
    assert lines[0] == f"bayesmix {bmx.__version__}"
    assert {f"numpy {np.__version__}", f"pandas {pd.__version__}"} <= set(lines)
    assert {"Python", "pymc", "nutpie", "arviz", "zarr"} <= {line.split()[0] for line in lines}


def test_a_bug_is_exit_status_3(monkeypatch, capsys):
    def broken(*_, **__):
        raise ZeroDivisionError("never")

    monkeypatch.setattr(bmx.Model, "estimate", broken)
    monkeypatch.setattr(sys, "argv", ["bayesmix", *SLEEP])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "ZeroDivisionError: never\n\nThis is a bug in bayesmix." in printed.err


def test_what_a_method_cannot_finish_is_exit_status_1(monkeypatch):
    def failing(*_, **__):
        raise bmx.FitError("No way down.")

    monkeypatch.setattr(bmx.Model, "estimate", failing)
    result = run(*SLEEP)
    assert (result.exit_code, result.stderr) == (1, "FitError: No way down.\n")


@pytest.mark.parametrize("command", ["compare", "fit", "power", "report", "data", "models"])
def test_help_shows_examples(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.stdout
    assert f" bayesmix {command} " in result.stdout.split("Examples:")[1]


def test_help_names_every_preset_and_family():
    words = run("fit", "--help").stdout.replace(",", " ").replace(".", " ").replace(";", " ").split()
    assert {*PRESETS, *FAMILIES} <= set(words)


def test_help_is_light():
    heavy = {"pandas", "scipy", "pymc", "arviz", "numpy"}
    code = f"import sys, bayesmix.present.cli; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.slow  # two seconds, in a process of its own
def test_the_main_job_loads_no_more_than_it_needs():
    """ArviZ's statistics and SciPy's distributions take half a second each to load, SciPy's optimisers a fifth.

    xarray, a tenth, is loaded: by it ArviZ's functions know a posterior.
    """
    dear = {"arviz_stats", "arviz_base", "scipy.stats", "scipy.optimize", "pymc", "matplotlib"}
    code = f"""
import sys
from bayesmix.present.cli import app
try:
    app(["compare", "esoph_lmm", "--draws", "200"])
finally:
    print(sorted({dear} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.strip().splitlines()[-1] == "[]"


# ---- files of data ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def german(tmp_path_factory):
    """sleepstudy as a German Excel writes it, with a dot for a missing value and an umlaut."""
    frame = bmx.load_dataset("sleepstudy").rename(columns={"Days": "Tage", "Reaction": "Länge"})
    text = frame.assign(Tage=frame["Tage"] / 2).to_csv(index=False, sep=";", decimal=",").splitlines()
    fields = text[5].split(";")
    fields[list(frame.columns).index("Tage")] = "."
    path = tmp_path_factory.mktemp("data") / "größe.csv"
    path.write_text("\n".join([*text[:5], ";".join(fields), *text[6:]]), encoding="latin-1")
    return path


def test_files_are_sniffed_and_options_say_what_cannot_be_known(german):
    formula = "Länge ~ Tage + (1 | Subject)"
    refused = run("fit", formula, str(german))
    assert refused.exit_code == 2
    assert "`Tage` is text because of `.` in row 4" in refused.stderr.replace("\n", " ")
    result = run("fit", formula, str(german), "--na", ".")
    assert result.exit_code == 0
    assert "1 of 180 rows was left out: missing values in `Tage` (1)" in result.stderr.replace("\n", " ")
    given = ("--sep", ";", "--decimal", ",", "--encoding", "latin-1", "--na", ".")
    assert run("fit", formula, str(german), *given).stdout == result.stdout
    assert run("fit", formula, str(german), "--sep", ",").exit_code == 2
    assert "says its own sep" in run("fit", "esoph_lmm", "--sep", ",").stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("y = x + (1|g)", "my.csv"), '`~` where `y = x + (1|g)` has `=`: write "y ~ x + (1|g)".'),
        (("y == x + (1|g)",), 'write "y ~ x + (1|g)".'),
        (("y ~ x + (1|g)", "https://example.org/my.csv"), "`https://example.org/my.csv` is an address, and nothing is"),
    ],
)
def test_what_people_type(arguments, message):
    result = run("fit", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_other_letters_than_ascii_where_the_locale_knows_none(german):
    command = [sys.executable, "-m", "bayesmix", "fit", "Länge ~ Tage + (1 | Subject)", str(german)]
    command += ["--na", ".", "--weights", "I(Länge / Länge)"]
    found = subprocess.run(
        [part.encode() for part in command],
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""},
    )
    assert found.returncode == 0, found.stderr.decode()
    assert "Länge ~ Tage + (1 | Subject)" in found.stdout.decode()
    assert "größe.csv" in found.stdout.decode()


POWER = ("power", "Reaction ~ Days + (1 | Subject)", "sleepstudy", "--effect", "Days=1.5", "--replicates", "20")
SIZES = ("--groups", "Subject=6,12", "--rows", "5")


def test_power(tmp_path):
    """The table of `studies.power`, as text, CSV and JSON, with a figure; a checkpoint is taken over."""
    kept = ("--checkpoint", str(tmp_path / "power.jsonl"))
    shown = run(*POWER, *SIZES, *kept, "--figure", str(tmp_path / "power.png"))
    assert shown.exit_code == 0, shown.stderr
    fit = bmx.Model("Reaction ~ Days + (1 | Subject)", bmx.load_dataset("sleepstudy")).estimate()
    study = bmx.studies.power(fit, effect={"Days": 1.5}, n={"Subject": [6, 12]}, rows=5, replicates=20, progress=False)
    assert shown.stdout == f"{study}\n"
    assert (tmp_path / "power.png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(io.StringIO(run(*POWER, *SIZES, *kept, "--csv").stdout))
    pd.testing.assert_frame_equal(table, study.table.reset_index(), check_dtype=False)
    content = json.loads(run(*POWER, *SIZES, *kept, "--json", "--power", "0.3").stdout)
    assert content["table"][1]["power"] == study.table["power"].iloc[1]
    assert content["hypothesis"] == "Days"


POWERLESS = {
    "no number": (("--effect", "Days=five"), "--effect `Days=five` is not a name and a number"),
    "no name": (("--effect", "5"), "--effect `5` is not a name and a number"),
    "no factor": (("--groups", "10,20"), "--groups `10,20` has no grouping factor"),
    "no whole numbers": (("--groups", "Subject=10,x"), "--groups Subject=10,x: whole numbers"),
    "no folder": (("--figure", "nowhere/power.png"), "The figure cannot be written"),
    "unknown": (("--test", "Dayz"), "Did you mean `Days`"),
}


@pytest.mark.parametrize("name", POWERLESS)
def test_bad_requests_of_power(name):
    options, words = POWERLESS[name]
    result = run(*POWER, *options)
    assert result.exit_code == 2
    assert words in result.stderr


# ---- resume -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_resume_prints_what_a_finished_run_is(tmp_path):
    path = str(tmp_path / "run.zarr")
    drawn = run(
        "fit", "Yield ~ 1 + (1 | Batch)", "Dyestuff", "--posterior", "--seed", "1", "--checkpoint", path, "--csv"
    )
    again = run("resume", path, "--csv")
    assert again.exit_code == drawn.exit_code == 0
    assert again.stdout == drawn.stdout
    assert json.loads(run("resume", path, "--json").stdout)["formula"] == "Yield ~ 1 + (1 | Batch)"


def test_resume_says_what_is_not_there(tmp_path):
    refused = run("resume", str(tmp_path / "none.zarr"))
    assert refused.exit_code == 2
    assert "There is no run to go on with" in refused.stderr


def test_draws_of_an_estimate_are_not_kept(tmp_path):
    refused = run("fit", "Yield ~ 1 + (1 | Batch)", "Dyestuff", "--checkpoint", str(tmp_path / "run.zarr"))
    assert refused.exit_code == 2
    assert "--checkpoint belongs to a posterior" in refused.stderr


SLEEP_PARTS = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture
def parts(tmp_path):
    data = bmx.load_dataset("sleepstudy")
    for number in range(2):
        data.iloc[number::2].to_csv(tmp_path / f"part-{number}.csv", index=False)
    return str(tmp_path / "part-*.csv")


@pytest.mark.parametrize("command", ["fit", pytest.param("anova", marks=pytest.mark.slow)])
def test_data_that_stay_where_they_are(command, parts):
    pytest.importorskip("duckdb")
    there = run(command, SLEEP_PARTS, parts, "--where", "source", "--csv")
    here = run(command, SLEEP_PARTS, "sleepstudy", "--csv")
    assert there.exit_code == here.exit_code == 0
    tables = [pd.read_csv(io.StringIO(found.stdout)).select_dtypes("number") for found in (there, here)]
    np.testing.assert_allclose(*tables, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--where", "source", "--sep", ";"), "--sep is for text that is read into memory: leave it or --where source"),
        (("--where", "there"), "data are in one of memory, source, auto"),
        (("--where", "source", "--family", "poisson"), "needs counts 0, 1, 2, ...; row 0 has"),
    ],
)
def test_places_that_do_not_suit(options, message, parts):
    pytest.importorskip("duckdb")
    found = run("fit", SLEEP_PARTS, parts, *options)
    assert found.exit_code != 0
    assert message in " ".join(found.stderr.split())
