"""Degrees of freedom of every table of a linear estimate against emmeans and lmerTest (tests/reference/emmeans)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.fixed_inference import fixed_inference

FOLDER = Path(__file__).parents[2] / "reference" / "emmeans"
FIGURES = json.loads((FOLDER / "emmeans.json").read_text(encoding="utf-8"))
# R optimises to about 1e-6 of a standard error, lmerTest differentiates numerically to about four digits
CLOSE = {"estimate": 1e-5, "std_error": 1e-5, "df": 1e-4, "lower": 1e-4, "upper": 1e-4, "t": 1e-4, "p_value": 1e-3}


@pytest.fixture(scope="module")
def fits():
    clinics, cells = pd.read_csv(FOLDER / "clinics.csv"), pd.read_csv(FOLDER / "cells.csv")
    made = {
        "clinics": bmx.Model("y ~ t + (1 | clinic)", clinics.rename(columns={"g": "clinic"})),
        "slopes": bmx.Model("y ~ a * x + (1 | g)", cells),
    }
    with pytest.warns(bmx.DroppedWarning):
        made["empty"] = bmx.Model("y ~ a * b + (1 | g)", cells)
    return {(name, method): model.estimate(method) for name, model in made.items() for method in ("reml", "ml")}


QUESTIONS = {
    ("clinics", "means"): lambda fit: fit.marginal_means("t"),
    ("clinics", "contrasts"): lambda fit: fit.contrasts("t"),
    ("slopes", "means"): lambda fit: fit.marginal_means("a"),
    ("slopes", "contrasts"): lambda fit: fit.contrasts("a"),
    ("slopes", "trends"): lambda fit: fit.slopes("x", "a"),
    ("slopes", "hypotheses"): lambda fit: fit.hypothesis("ab = ac", "Intercept + 2 * x = 0"),
    ("empty", "cells"): lambda fit: fit.marginal_means("a", "b").sort_values(["b", "a"]),
    ("empty", "means"): lambda fit: fit.marginal_means("a"),
    ("empty", "means_b"): lambda fit: fit.marginal_means("b"),
    ("empty", "contrasts"): lambda fit: fit.contrasts("a"),
    ("empty", "within"): lambda fit: fit.contrasts("a", "b").sort_values("b", kind="stable"),
}


def expected(case, name, method):
    figures = dict(FIGURES[method][case][name])
    figures["t"] = figures.pop("statistic")
    return {key: np.array(figures[key], float).reshape(-1) for key in CLOSE}


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize(("case", "name"), QUESTIONS)
@pytest.mark.filterwarnings("ignore::bayesmix.PredictionWarning")
def test_tables_are_emmeans(fits, case, name, method):
    """Of cells without rows, too: NaN where emmeans says nonEst."""
    found = QUESTIONS[case, name](fits[case, method])
    if "t value" in found:  # beside a predictor named t
        found = found.drop(columns="t").rename(columns={"t value": "t"})
    for column, figures in expected(case, name, method).items():
        np.testing.assert_allclose(found[column], figures, rtol=CLOSE[column], err_msg=column)
    assert "Satterthwaite" in found.attrs["intervals"]


def test_one_question_has_one_answer(fits):
    """The coefficient of the summary is the contrast, the hypothesis, and the difference of predictions."""
    fit = fits["clinics", "reml"]
    row = fit.satterthwaite().loc["ttrt"]
    tidy = fit.tidy().set_index("term").loc["ttrt"]
    for table in (fit.contrasts("t").drop(columns="contrast").iloc[0], fit.hypothesis("ttrt = 0").iloc[0]):
        np.testing.assert_allclose(
            [table["df"], table["t"], table["p_value"]], row[["df", "t", "p"]].astype(float), rtol=1e-6
        )
        np.testing.assert_allclose(
            [table["lower"], table["upper"]], tidy[["conf.low", "conf.high"]].astype(float), rtol=1e-6
        )
    one_sided = fit.hypothesis("ttrt > 0", "ttrt < 0")["p_value"]
    np.testing.assert_allclose(one_sided, [row["p"] / 2, 1.0 - row["p"] / 2], rtol=1e-6)
    means, predicted = fit.marginal_means("t"), fit.conditional_effects("t")
    numbers = ["estimate", "std_error", "df", "lower", "upper"]
    pd.testing.assert_frame_equal(means[numbers], predicted[numbers])


def test_normal_intervals_are_had_by_asking(fits, fitted):
    fit = fits["clinics", "reml"]
    table = fit.contrasts("t", df="asymptotic")
    assert list(table.columns[-2:]) == ["z", "p_value"]
    assert np.isinf(table["df"]).all()
    np.testing.assert_allclose(table["p_value"], 2 * stats.norm.sf(table["z"]), rtol=1e-10)
    assert table.attrs["intervals"] == "normal distribution (z)"
    counts = fitted("cbpp").contrasts("period")
    assert np.isinf(counts["df"]).all()
    assert "z" in counts


def test_predictions_of_fixed_effects_have_their_degrees_of_freedom(fits):
    """emmeans' of a row, whatever the rows beside it."""
    fit, means = fits["clinics", "reml"], FIGURES["reml"]["clinics"]["means"]
    for groups in ("zero", "average"):
        found = fit.predict(pd.DataFrame({"t": ["ctl", "trt"]}), groups=groups)
        np.testing.assert_allclose(found["df"], means["df"], rtol=1e-4)
        np.testing.assert_allclose(found[["lower", "upper"]].T, [means["lower"], means["upper"]], rtol=1e-4)


def test_predictions_of_known_levels_differentiate_hendersons_variance(fits):
    """SAS's degrees of freedom, from first principles: balanced one-way means in closed form.

    Within clinics of n rows, the error of a clinic's mean has variance s^2 (g / J + (1 - g) / J' ...): differentiated
    densely here, with the dense inverse information of REML.
    """
    fit = fits["clinics", "reml"]
    row = fit.predict(kind="linear").iloc[0]
    design = fit.design

    def pieces(tau2, s2):
        Z = (design.terms[0].codes[:, None] == np.arange(6)).astype(float)
        return s2 * np.eye(len(design.y)) + tau2 * Z @ Z.T, Z

    def variance(tau2, s2):
        V, Z = pieces(tau2, s2)
        inverse, x, z = np.linalg.inv(V), design.X[0], Z[0]
        W = np.linalg.inv(design.X.T @ inverse @ design.X)
        P = inverse - inverse @ design.X @ W @ design.X.T @ inverse
        c = tau2 * Z @ z  # Cov(y, z'b)
        return x @ W @ x - 2 * x @ W @ design.X.T @ inverse @ c + tau2 - c @ P @ c

    def criterion(tau2, s2):
        V, _ = pieces(tau2, s2)
        inverse = np.linalg.inv(V)
        A = design.X.T @ inverse @ design.X
        r = design.y - design.X @ np.linalg.solve(A, design.X.T @ inverse @ design.y)
        return np.linalg.slogdet(V)[1] + np.linalg.slogdet(A)[1] + r @ inverse @ r

    at = np.array([fit.values.sd[0][0] ** 2, float(fit.values.dispersion) ** 2])
    h = 1e-3 * np.diag(at)
    gradient = np.array([variance(*(at + s)) - variance(*(at - s)) for s in h]) / (2e-3 * at)
    H = [[criterion(*(at + s + t)) - criterion(*(at + s - t)) - criterion(*(at - s + t)) + criterion(*(at - s - t))
          for t in h] for s in h]  # fmt: skip
    A = 2.0 * np.linalg.inv(np.array(H) / (4e-6 * np.outer(at, at)))
    np.testing.assert_allclose(row["std_error"] ** 2, variance(*at), rtol=1e-6)
    np.testing.assert_allclose(row["df"], 2 * variance(*at) ** 2 / (gradient @ A @ gradient), rtol=1e-3)


@pytest.mark.parametrize("df", ["kenward", "satterthwait", 4, None])
def test_degrees_of_freedom_that_do_not_exist(fitted, posterior_of, df):
    if df is None:
        with pytest.raises(SpecError, match="z tests hold"):
            fitted("cbpp").contrasts("period", df="satterthwaite")
        with pytest.raises(SpecError, match="Kenward and Roger's degrees of freedom are for linear mixed models"):
            fitted("cbpp").contrasts("period", df="kenward-roger")
        with pytest.raises(SpecError, match="quantiles of its draws"):
            posterior_of("sleepstudy").predict(df="satterthwaite")
        return
    with pytest.raises(SpecError, match="Choices: satterthwaite, kenward-roger, asymptotic"):
        fitted("sleepstudy").predict(df=df)


def test_the_forest_draws_the_intervals_of_the_summary(fitted):
    figure = bmx.plots.forest(fitted("dyestuff"), parameters=["Intercept"])
    line = next(line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 1.4)
    np.testing.assert_allclose(line.get_xdata(), fitted("dyestuff").confint(method="satterthwaite").iloc[0], rtol=1e-10)
    assert "Satterthwaite interval" in figure.legends[0].get_texts()[0].get_text()


def test_variances_that_are_hardly_known_do_not_blow_intervals_up():
    """A group variance small beside its error has Satterthwaite's df of 1e-2, t quantiles of 1e11: at least J - 1."""
    rng = np.random.default_rng(2)
    worst, raw = 0.0, []
    for _ in range(12):
        frame = {"g": np.repeat(list("abcdef"), 5), "x": rng.normal(size=30)}
        frame["y"] = rng.normal(size=30) + np.repeat(0.3 * rng.normal(size=6), 5)
        fit = bmx.Model("y ~ x + (1 | g)", frame).estimate()
        for groups in ("new", "fitted", "known"):
            table = fit.predict(groups=groups)
            assert (table["df"] >= 5.0 - 1e-9).all()
            worst = max(worst, float(((table["upper"] - table["estimate"]) / table["std_error"]).max()))
        raw.append(fixed_inference(fit).of_variance(lambda at: at.covariances[0][0], fit.point.covariances[0][0])[0])
    assert worst == pytest.approx(stats.t.ppf(0.975, 5), rel=1e-3)
    assert min(raw) < 1.0
