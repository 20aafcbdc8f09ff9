"""The verdict: a table of figures and outcomes, and both documented models."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.data.model_file import Figure, Known, load_model_file
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.estimation.optimise import Status
from bayesmix.inference.sampling.draws import Draws
from bayesmix.results.comparison.document_check import Outcome, Verdict, check_figure, check_figures, figures_of, judge

FITS = {"esoph_lmm": "esoph", "esoph_poisson": "esoph poisson"}
KNOWN = Known(1.5, 1e-3, "it was rounded")


@pytest.mark.parametrize(
    ("figure", "ours", "outcome"),
    [
        (Figure("x", 2.0, 0.0, 1e-3), 2.0019, Outcome.OK),
        (Figure("x", 2.0, 0.0, 1e-3), 2.0021, Outcome.DIFFERS),
        (Figure("x", -2.0, 0.0, 1e-3), -2.0019, Outcome.OK),
        (Figure("x", -2.0, 0.0, 1e-3), 2.0, Outcome.DIFFERS),
        (Figure("x", 0.26, 0.005, 1e-3), 0.2551, Outcome.OK),  # within the digits printed
        (Figure("x", 0.26, 0.005, 1e-3), 0.265, Outcome.OK),
        (Figure("x", 0.26, 0.005, 1e-3), 0.2549, Outcome.DIFFERS),
        (Figure("x", 0.0, 0.05, 1e-3), 0.04, Outcome.OK),
        (Figure("x", 0.0, 0.05, 1e-3), 0.06, Outcome.DIFFERS),
        (Figure("x", 88.0, 0.5, 0.0), 87.0, Outcome.DIFFERS),
        (Figure("x", 2.0, 0.0, 1e-3), None, Outcome.ABSENT),
        (Figure("x", 2.0, 0.0, 1e-3), float("nan"), Outcome.DIFFERS),
        (Figure("x", 2.0, 0.0, 1e-3, KNOWN), 1.5014, Outcome.KNOWN),
        (Figure("x", 2.0, 0.0, 1e-3, KNOWN), 1.5016, Outcome.DIFFERS),  # neither the printed nor the known value
        (Figure("x", 2.0, 0.0, 1e-3, KNOWN), 2.0, Outcome.OK),
    ],
)
def test_outcome_of_one_figure(figure, ours, outcome):
    check = check_figure(figure, ours)
    assert check.outcome is outcome
    assert check.reason == ("it was rounded" if outcome is Outcome.KNOWN else "")


def test_difference_is_relative():
    assert check_figure(Figure("x", -2.0, 0.0, 1e-3), -2.5).difference == pytest.approx(0.25)
    assert check_figure(Figure("x", 0.0, 0.0, 1e-3), -2.5).difference == 2.5


@pytest.mark.parametrize("name", FITS)
def test_the_document_is_reproduced(name, fitted):
    file = load_model_file(name)
    verdict = judge(file.figures, fitted(FITS[name]))
    outcomes = {check.name: check.outcome for check in verdict.checks}
    assert verdict.reproduced
    assert verdict.converged
    assert verdict.sampler_converged is None
    assert len(outcomes) == {"esoph_lmm": 34, "esoph_poisson": 38}[name]
    known = {figure for figure, outcome in outcomes.items() if outcome is Outcome.KNOWN}
    assert known == {figure.name for figure in file.figures if figure.known}


def test_another_fit_does_not_reproduce_it(fitted):
    file = load_model_file("esoph_lmm")
    verdict = judge(file.figures, fitted("esoph", "ml"))
    outcomes = {check.name: check.outcome for check in verdict.checks}
    assert not verdict.reproduced
    assert outcomes["sd(agegp, Intercept)"] is Outcome.DIFFERS
    assert outcomes["n_obs"] is Outcome.OK
    text = str(verdict)
    assert re.search(r"does not reproduce the document: \d+ of 34 figures agree, \d+ differ\nand should not", text)
    assert re.search(r"Not explained:\n +documented +ours difference\n  criterion +388\.6 +384\.415 +1\.1 %\n", text)
    assert re.search(r"\n +tolerance\n  criterion +rounding\n", text)


def test_every_kind_of_figure_has_a_name(fitted):
    figures = figures_of(fitted("esoph"))
    estimate = fitted("esoph")
    assert figures["df_resid"] == 82.0
    assert figures["var(Residual)"] == pytest.approx(figures["sigma"] ** 2)
    assert figures["std_error(ncontrols)"] == estimate.parameters().loc["ncontrols", "std_error"]
    assert figures["t_value(ncontrols)"] == pytest.approx(figures["ncontrols"] / figures["std_error(ncontrols)"])
    assert figures["corr_fixef(ncontrols, Intercept)"] == pytest.approx(figures["corr_fixef(Intercept, ncontrols)"])
    assert figures["coef(agegp, 75+, ncontrols)"] == estimate.coef()["agegp"].loc["75+", "ncontrols"]
    assert figures["scaled_residuals(Max)"] == pytest.approx(4.8056, rel=1e-4)
    assert "deviance" not in figures
    assert "z_value(ncontrols)" not in figures
    poisson = figures_of(fitted("esoph poisson"))
    assert poisson["deviance"] == fitted("esoph poisson").criterion
    assert {"z_value(ncontrols)", "p_value(ncontrols)"} <= set(poisson)
    assert "var(Residual)" not in poisson


def test_table_has_a_row_a_figure(fitted):
    table = judge(load_model_file("esoph_poisson").figures, fitted("esoph poisson")).table
    assert list(table.columns) == ["documented", "ours", "difference", "tolerance", "outcome", "reason"]
    assert table.loc["std_error(ncontrols)", "outcome"] == "known difference"
    assert table.loc["std_error(ncontrols)", "documented"] == 0.013945
    assert table.loc["std_error(ncontrols)", "ours"] == pytest.approx(0.014467, rel=1e-4)


def test_known_differences_are_explained_in_words(fitted):
    text = str(judge(load_model_file("esoph_poisson").figures, fitted("esoph poisson")))
    assert "reproduces the document: 25 of 38 figures agree, 13 differ for a\nknown reason." in text
    assert "Known: glmer's numerical error: its standard errors come from" in text
    assert re.search(r"\n  std_error\(ncontrols\) +0\.013945 0\.0144\d+ +3\.7 % +0\.1 %\n", text)


def test_a_figure_that_the_fit_does_not_have():
    checks = check_figures([Figure("sd(agegpp, x)", 2.0, 0.0, 1e-3)], {"sd(agegp, x)": 2.0})
    verdict = Verdict(checks, estimate_converged=True, estimate_status="Fine.")
    assert not verdict.reproduced
    assert re.search(r"sd\(agegpp, x\) +2 none +0\.1 %", str(verdict))


def test_no_figures_no_claim(fitted):
    text = str(judge((), fitted("esoph")))
    assert "document" not in text
    assert "Estimate: The optimiser converged" in text


def test_an_estimate_that_did_not_converge(fitted):
    good = fitted("esoph")
    stalled = replace(good.point, optimum=replace(good.point.optimum, status=Status.STALLED))
    verdict = judge((), Estimate(good.fitted_model, stalled))
    assert not verdict.converged
    assert "The optimiser did not converge" in str(verdict)


def test_the_sampler_has_its_sentence(fitted, posterior_of):
    good = posterior_of("esoph", chains=4, draws=250, spread=0.1)
    verdict = judge((), fitted("esoph"), good)
    assert verdict.sampler_converged
    assert verdict.converged
    assert "Posterior: The chains converged." in str(verdict)
    stats = {"diverging": np.ones((4, 250), bool)}
    diverging = Posterior(good.fitted_model, Draws(good.values, stats, "nuts", ()), good.priors)
    verdict = judge((), fitted("esoph"), diverging)
    assert not verdict.converged
    assert "Posterior: The chains did not converge. 1000 of the 1000 transitions" in str(verdict)


def test_a_fit_by_quadrature_has_a_deviance(model):
    figures = figures_of(model("cbpp").estimate(bmx.Agq(points=5)))
    assert "deviance" in figures
