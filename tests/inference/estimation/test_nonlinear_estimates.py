"""Nonlinear mixed models: a dense normal likelihood where effects are linear, lme4's nlmer, quadrature elsewhere."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

FOLDER = Path(__file__).parents[2] / "reference" / "nonlinear"
NLMER = json.loads((FOLDER / "nlmer.json").read_text(encoding="utf-8"))
LOGISTIC = [
    "circumference ~ asym / (1 + exp(-(age - mid) / scale))",
    "asym ~ 1 + (1 | Tree)",
    "mid ~ 1",
    "scale ~ 1",
]
START = {"asym": 200.0, "mid": 725.0, "scale": 350.0}


@cache
def orange():
    return pd.read_csv(FOLDER / "orange.csv", dtype={"Tree": str})


@cache
def fitted():
    return bmx.Model(LOGISTIC, orange(), start=START).estimate()


def dense(asym, mid, scale, sd, sigma):
    """Minus twice the log-likelihood: asym is linear in the effects, so that responses are jointly normal."""
    data = orange()
    curve = 1.0 / (1.0 + np.exp(-(data.age - mid) / scale))
    Z = curve.to_numpy()[:, None] * pd.get_dummies(data.Tree).to_numpy(float)
    V = sd**2 * Z @ Z.T + sigma**2 * np.eye(len(data))
    r = data.circumference - asym * curve
    return np.linalg.slogdet(2.0 * np.pi * V)[1] + r @ np.linalg.solve(V, r)


def parameters(fit):
    names = ["asym_Intercept", "mid_Intercept", "scale_Intercept", "sd(Tree, asym_Intercept)", "sigma"]
    return fit.parameters()["estimate"][names].to_numpy()


def test_orange_trees_are_at_the_maximum_of_the_dense_likelihood():
    fit = fitted()
    assert fit.converged
    x = parameters(fit)
    np.testing.assert_allclose(fit.criterion, dense(*x), rtol=1e-10)
    for j in range(len(x)):
        h = 1e-4 * x[j] * np.eye(len(x))[j]
        assert abs(dense(*(x + h)) - dense(*(x - h))) / 2e-4 < 1e-3  # slope by the logarithm


def test_orange_trees_are_nlmers():
    """Whose inner iterations end early: its log-likelihood is 7e-6 above that at its own estimates."""
    fit, nlmer = fitted(), NLMER["orange"]
    np.testing.assert_allclose(fit.loglik, nlmer["loglik"], atol=1e-4)
    np.testing.assert_allclose(parameters(fit), [*nlmer["fixef"], nlmer["sd"], nlmer["sigma"]], rtol=1e-5)
    found = fit.ranef()["Tree"]["asym_Intercept"]
    np.testing.assert_allclose(found[nlmer["levels"]], nlmer["ranef"], rtol=1e-3)


@pytest.mark.slow
def test_pines_are_nlmers_without_starts():
    data = pd.read_csv(FOLDER / "loblolly.csv", dtype={"Seed": str})
    formulas = ["height ~ SSasymp(age, Asym, R0, lrc)", "Asym ~ 1 + (1 | Seed)", "R0 ~ 1", "lrc ~ 1"]
    fit, nlmer = bmx.Model(formulas, data).estimate(), NLMER["loblolly"]
    np.testing.assert_allclose(fit.loglik, nlmer["loglik"], atol=1e-4)
    table = fit.parameters()
    names = ["Asym_Intercept", "R0_Intercept", "lrc_Intercept", "sd(Seed, Asym_Intercept)", "sigma"]
    np.testing.assert_allclose(table["estimate"][names], [*nlmer["fixef"], nlmer["sd"], nlmer["sigma"]], rtol=1e-4)
    found = fit.ranef()["Seed"]["Asym_Intercept"]
    np.testing.assert_allclose(found[nlmer["levels"]], nlmer["ranef"], atol=2e-3)


def concentrations(fit, points=201):
    """Minus twice the log-likelihood at an estimate: rates and clearances of subjects integrated on a grid."""
    data, x = pd.read_csv(FOLDER / "theoph.csv"), fit.parameters()["estimate"]
    out, sigma = x["lKe_Intercept"], x["sigma"]
    spread = x["sd(Subject, lKa_Intercept)"], x["sd(Subject, lCl_Intercept)"]
    u = np.linspace(-5.0, 5.0, points)
    into = x["lKa_Intercept"] + spread[0] * u[:, None, None]
    clearance = x["lCl_Intercept"] + spread[1] * u[:, None]
    weight = -0.5 * (u[:, None] ** 2 + u**2) - np.log(2.0 * np.pi) + 2.0 * np.log(u[1] - u[0])
    total = 0.0
    for _, own in data.groupby("Subject"):
        dose, time, y = (own[name].to_numpy() for name in ("Dose", "Time", "conc"))
        size = dose * np.exp(out + into - clearance) / (np.exp(into) - np.exp(out))
        mean = size * (np.exp(-np.exp(out) * time) - np.exp(-np.exp(into) * time))
        log = -0.5 * ((y - mean) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2.0 * np.pi)
        total += np.logaddexp.reduce((log.sum(axis=-1) + weight).ravel())
    return -2.0 * total


@pytest.mark.slow
def test_absorption_has_two_valleys():
    """Absorption and elimination may change places: of all rows together both are as good, of subjects one is.

    nlmer, which linearises the curve at the modes, has -2 log L = 353.98, nlme, which does so earlier, 354.04.
    """
    formulas = [
        "conc ~ SSfol(Dose, Time, lKe, lKa, lCl)",
        "lKe ~ 1",
        "lKa ~ 1 + (1 | Subject)",
        "lCl ~ 1 + (1 | Subject)",
    ]
    model = bmx.Model(formulas, pd.read_csv(FOLDER / "theoph.csv", dtype={"Subject": str}))
    by_quadrature = model.estimate(bmx.Agq(9))
    assert by_quadrature.criterion == pytest.approx(concentrations(by_quadrature), abs=2e-3)
    fit = model.estimate()
    assert fit.converged
    assert fit.criterion == pytest.approx(concentrations(fit), abs=0.3)
    nlmer, found = NLMER["theoph"], fit.parameters()
    names = ["lKe_Intercept", "lKa_Intercept", "lCl_Intercept"]
    assert np.all(np.abs(found["estimate"][names] - nlmer["fixef"]) < 0.2 * found["std_error"][names])


def test_the_mean_is_the_curve():
    fit = fitted()
    asym, mid, scale, *_ = parameters(fit)
    new = pd.DataFrame({"age": [100.0, 700.0, 1500.0], "Tree": ["1", "2", "3"]})
    b = fit.ranef()["Tree"]["asym_Intercept"][["1", "2", "3"]].to_numpy()
    curve = 1.0 / (1.0 + np.exp(-(new.age - mid) / scale))
    np.testing.assert_allclose(fit.predict(new)["estimate"], (asym + b) * curve, rtol=1e-10)
    np.testing.assert_allclose(fit.predict(new, groups="average")["estimate"], asym * curve, rtol=1e-10)
    assert fit.predict(new, parameter="asym")["estimate"].to_numpy() == pytest.approx(asym + b)
    with pytest.raises(bmx.SpecError, match="nonlinear and has no linear predictor"):
        fit.predict(new, kind="linear")
    with pytest.raises(bmx.SpecError, match="nonlinear and has no linear predictor"):
        fit.linear_predictor()


def test_every_name_of_the_curve_is_of_a_row():
    text = str(bmx.Model(LOGISTIC, orange(), start=START))
    assert "  curve[i] = asym[i]/(1 + exp(-(age[i] - mid[i])/scale[i]))\n" in text
    text = str(bmx.Model(["y ~ 1e3 * `a b` + log10(a)^2", "a ~ 1"], {"y": [1.0, 3.0, 2.0], "a b": [1.0, 2.0, 4.0]}))
    assert "curve[i] = 1000 * `a b`[i] + log10(a[i])^2\n" in text


def test_slopes_are_those_of_the_curve():
    asym, mid, scale, *_ = parameters(fitted())
    grid = fitted().conditional_effects("age")
    share = 1.0 / (1.0 + np.exp(-(grid["age"] - mid) / scale))
    np.testing.assert_allclose(grid["estimate"], asym * share, rtol=1e-8)
    share = 1.0 / (1.0 + np.exp(-(orange()["age"] - mid) / scale))
    slopes = asym * share * (1.0 - share) / scale
    np.testing.assert_allclose(fitted().slopes("age")["estimate"], slopes.mean(), rtol=1e-5)
    with pytest.raises(bmx.DataError, match="Did you mean `age`"):
        fitted().slopes("ages")


@pytest.mark.slow
def test_parameters_change_and_the_curve_does_not():
    fit = fitted().update({"mid": "~ . + (1 | Tree)"})
    assert "sd(Tree, mid_Intercept)" in fit.names
    assert 0.0 < fit.loglik - fitted().loglik < 2.0
    assert fit.spec.family.curve.starts == START
    with pytest.raises(bmx.FormulaError, match="is no sum of terms"):
        fitted().update("~ . + age")


@pytest.mark.slow
def test_saved_fits_come_back(tmp_path):
    """With starts that the user gave, and with those that were found in the data."""
    for name, fit in {"given": fitted(), "found": bmx.Model(LOGISTIC, orange()).estimate()}.items():
        fit.save(tmp_path / name)
        again = bmx.load(tmp_path / name)
        assert again.spec.family.curve.starts == fit.spec.family.curve.starts
        assert again.spec.family.curve.found == fit.spec.family.curve.found
        np.testing.assert_allclose(again.fitted(), fit.fitted(), rtol=1e-12)


def exponential():
    """Rates of decay that differ between groups: effects in which the mean is not linear."""
    rng = np.random.default_rng(5)
    g, t = np.repeat(np.arange(8), 6), np.tile(np.linspace(0.2, 3.0, 6), 8)
    y = 10.0 * np.exp(-(0.8 + 0.25 * rng.standard_normal(8)[g]) * t) + 0.3 * rng.standard_normal(len(t))
    return y, t, g


def integrated(fit):
    """Minus twice the log-likelihood at an estimate, each group's rate integrated on a grid."""
    y, t, g = exponential()
    x = fit.parameters()["estimate"]
    a, k, sd, sigma = (x[name] for name in ("a_Intercept", "k_Intercept", "sd(g, k_Intercept)", "sigma"))
    rate, total = np.linspace(k - 8.0 * sd, k + 8.0 * sd, 40_001), 0.0
    for j in range(8):
        own = g == j
        log = -0.5 * ((y[own] - a * np.exp(-rate[:, None] * t[own])) / sigma) ** 2
        log = (log - np.log(sigma) - 0.5 * np.log(2.0 * np.pi)).sum(axis=1)
        density = np.exp(log - 0.5 * ((rate - k) / sd) ** 2) / (sd * np.sqrt(2.0 * np.pi))
        total += np.log(np.trapezoid(density, rate))
    return -2.0 * total


@pytest.mark.slow
@pytest.mark.parametrize(("method", "within"), [("laplace", 0.1), (bmx.Agq(25), 1e-6)])
def test_criteria_beside_brute_force(method, within):
    y, t, g = exponential()
    data = {"y": y, "t": t, "g": [f"g{j}" for j in g]}
    fit = bmx.Model(["y ~ a * exp(-k * t)", "a ~ 1", "k ~ 1 + (1 | g)"], data, start={"a": 8.0, "k": 1.0}).estimate(
        method
    )
    assert fit.converged
    assert fit.criterion == pytest.approx(integrated(fit), abs=within)


@pytest.mark.slow
def test_counts_have_curves_through_their_link():
    rng = np.random.default_rng(2)
    dose = np.linspace(0.0, 4.0, 60)
    y = rng.poisson(np.exp(2.0 * dose / (1.0 + dose)))
    formulas = ["y ~ top * dose / (half + dose)", "top ~ 1", "half ~ 1"]
    fit = bmx.Model(formulas, {"y": y, "dose": dose}, family="poisson", start={"top": 1.0, "half": 2.0}).estimate()
    from scipy.optimize import minimize
    from scipy.stats import poisson

    found = minimize(lambda x: -poisson.logpmf(y, np.exp(x[0] * dose / (x[1] + dose))).sum(), [1.0, 2.0], tol=1e-10)
    np.testing.assert_allclose(fit.loglik, -found.fun, rtol=1e-8)
    np.testing.assert_allclose(fit.parameters()["estimate"], found.x, rtol=1e-4)


def test_a_search_is_told_where_to_begin():
    """Where no point has a finite curve."""
    model = bmx.Model(["circumference ~ log(asym - age^4 * mid^2 - 1e20)", "asym ~ 1", "mid ~ 1"], orange())
    with pytest.raises(bmx.SpecError, match=r"not linear in `asym`, `mid`.*start=\{\"asym\": ..., \"mid\": ...\}"):
        model.estimate()
    with pytest.raises(bmx.SpecError, match="state them, as in brms"):
        bmx.Model(LOGISTIC, orange(), start=START).sample()


@pytest.mark.slow
@pytest.mark.parametrize(("centre", "advice"), [(-13407.0, "(x + 13407)"), (1e6, "(x - 1000000)")])
def test_a_column_of_a_curve_far_from_zero_is_told_to_be_centred(centre, advice):
    """It said that there is no conditional mode; the line by itself, which is centred inside, is the other way."""
    rng = np.random.default_rng(0)
    g, x = rng.integers(0, 6, 60), centre + rng.normal(size=60)
    y = 2.0 + 0.5 * (x - centre) + rng.normal(size=6)[g] + 0.3 * rng.normal(size=60)
    data, rest = {"x": x, "y": y, "g": [f"g{j}" for j in g]}, ["a ~ 1 + (1 | g)", "b ~ 1"]
    with pytest.warns(bmx.ConvergenceWarning, match="`x` is far from zero"):
        far = bmx.Model(["y ~ a + b * x", *rest], data).estimate("ml")
    assert len(far.problems) == 1
    assert f"Write `{advice}` in its place, if other values" in far.problems[0]
    near = bmx.Model([f"y ~ a + b * {advice}", *rest], data).estimate("ml")
    line = bmx.Model("y ~ x + (1 | g)", data | {"x": x - centre}).estimate("ml")
    assert near.converged
    assert near.criterion == pytest.approx(line.criterion, abs=1e-6)
    assert near.fixef()["estimate"]["b_Intercept"] == pytest.approx(line.fixef()["estimate"]["x"], rel=1e-4)


@pytest.mark.slow
def test_a_column_of_a_curve_in_which_powers_hardly_differ_is_told_to_be_centred():
    """A ridge was all that was said where a hundred had been added to x."""
    rng = np.random.default_rng(7)
    g, x = np.repeat(np.arange(12), 10), np.tile(np.arange(10.0), 12)
    y = 5.0 + rng.normal(size=12)[g] - 0.3 * (x - 4.0) ** 2 + 0.5 * rng.normal(size=120)
    data, rest = {"x": x + 100.0, "y": y, "g": [f"g{j:02d}" for j in g]}, ["a ~ 1 + (1 | g)", "b ~ 1", "q ~ 1"]
    with pytest.warns(bmx.ConvergenceWarning, match=r"`x` is far from zero.*Write `\(x - 104\)` in its place"):
        far = bmx.Model(["y ~ a + b * x + q * x^2", *rest], data).estimate("ml")
    near = bmx.Model(["y ~ a + b * (x - 104) + q * (x - 104)^2", *rest], data).estimate("ml")
    line = bmx.Model("y ~ poly(x, 2) + (1 | g)", data).estimate("ml")
    assert not far.converged
    assert near.converged
    assert near.criterion == pytest.approx(line.criterion, abs=1e-6)
