"""Comparisons of models with several linear predictors: tables, causes that add up, pooling, singular fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from breadth import frame
from conftest import around
from distributional import estimate_of, model_of, posterior_of
from scipy import optimize, stats
from scipy.special import logsumexp

import bayesmix as bmx
from bayesmix.results.comparison.decomposition import _without_approximation
from bayesmix.results.comparison.document_check import figures_of
from bayesmix.results.comparison.singular_fit import explain_singular

REML = "sleepstudy_sigma_days_reml"
CASES = ("sleepstudy_locscale", "two_gaussian_rescor")


@pytest.mark.parametrize("name", CASES)
def test_comparisons_have_a_row_for_each_parameter(name):
    estimate, posterior = estimate_of(name), posterior_of(name)
    table = bmx.compare(posterior, estimate, causes=False).table
    assert list(table.index) == estimate.names
    np.testing.assert_array_equal(table["Laplace"], estimate.parameters()["estimate"])
    np.testing.assert_array_equal(table["mean"], posterior.parameters()["mean"])
    numbers = [one.name for one in estimate.spec.auxiliaries]
    assert np.isfinite(table.loc[numbers, "mode"]).all()


def test_two_posteriors_differ_by_monte_carlo_error():
    first, second = posterior_of("two_gaussian"), posterior_of("two_gaussian", spread=0.1)
    (way,) = bmx.compare(first, second, labels=["first", "second"], causes=True).decompositions
    assert list(way.steps.columns) == ["Monte Carlo"]
    np.testing.assert_allclose(way.steps.sum(axis=1), way.difference, rtol=1e-12, atol=1e-15)


STEPS = ["fixed effects", "other parameters", "skewness", "prior", "Monte Carlo"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CASES, "epilepsy_shape", "crossed_sigma", REML])
def test_causes_add_up(name):
    """With the error of Laplace's approximation wherever quadrature has one grouping factor to go over."""
    model = model_of(name)
    comparison = bmx.compare(model.sample(draws=500, chains=2, seed=1, progress=False), estimate_of(name), causes=True)
    (way,) = comparison.decompositions
    applies, is_reml = name not in {"crossed_sigma", REML}, name == REML
    assert list(way.steps.columns) == ["Laplace"] * applies + STEPS[is_reml:]
    np.testing.assert_allclose(way.steps.sum(axis=1), way.difference, rtol=1e-10, atol=1e-12)
    assert way.stages["REML" if is_reml else "Laplace"].to_numpy() == pytest.approx(
        estimate_of(name).parameters()["estimate"].to_numpy()
    )
    assert np.isfinite(way.steps.to_numpy()).all()
    assert any("Quadrature does not apply" in note for note in comparison.notes) == (name == "crossed_sigma")


def test_the_error_of_laplace_s_approximation_is_that_of_its_estimate():
    """The estimate that the step leads to, against SciPy's minimiser of one integral a level on a dense grid."""
    found, cause = _without_approximation(estimate_of("spread"))
    assert cause == "Laplace"
    data = frame("spread")
    X, y, codes = data["x"].to_numpy(), data["y"].to_numpy(), data["g"].cat.codes.to_numpy()
    b = np.linspace(-9.0, 9.0, 601)
    log_weight = stats.norm.logpdf(b) + np.log(b[1] - b[0])

    def loss(at):
        logs = stats.norm.logpdf(y[:, None], (at[0] + at[1] * X)[:, None], np.exp(at[2] + at[3] * b))
        return -sum(logsumexp(logs[codes == j].sum(axis=0) + log_weight) for j in range(codes.max() + 1))

    start = estimate_of("spread").parameters()["estimate"].to_numpy()
    exact = optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-6}).x
    np.testing.assert_allclose(found.parameters()["estimate"], exact, rtol=1e-4)
    assert np.abs(start / exact - 1.0).max() > 1e-3  # the test can tell quadrature from Laplace


def test_maximum_likelihood_and_reml_differ_by_the_fixed_effects():
    text = str(bmx.compare(estimate_of(REML), model_of(REML).estimate("ml")))
    assert "All of it comes from the fixed effects: REML integrates them out" in text


def test_documents_have_figures_of_every_parameter():
    found, fit = figures_of(estimate_of("sleepstudy_locscale")), estimate_of("sleepstudy_locscale")
    assert found["sigma_Days"] == fit.parameters().loc["sigma_Days", "estimate"]
    assert found["z_value(sigma_Days)"] == pytest.approx(2.4848, abs=1e-3)  # TMB's estimate over its standard error
    assert found["coef(Subject, 308, sigma_Intercept)"] == fit.coef()["Subject"].loc["308", "sigma_Intercept"]
    assert not any(name.startswith("scaled_residuals") for name in found)


def test_pooling_of_every_parameter():
    """Complete pooling and none against SciPy's minimiser of the likelihoods without random effects."""
    fit = estimate_of("sleepstudy_locscale")
    table = bmx.pooling(fit)
    data = bmx.load_dataset("sleepstudy")
    x, y = data["Days"].to_numpy(), data["Reaction"].to_numpy()

    def loss(beta):
        return -np.sum(stats.norm.logpdf(y, beta[0] + beta[1] * x, np.exp(beta[2] + beta[3] * x)))

    found = optimize.minimize(loss, [250.0, 10.0, 3.4, 0.1], method="Nelder-Mead", options={"maxfev": 4000}).x
    names = ["Intercept", "Days", "sigma_Intercept", "sigma_Days"]
    np.testing.assert_allclose(table.loc["308"].loc[names, "complete"], found, rtol=1e-3)
    np.testing.assert_allclose(table["Laplace"].unstack()[names], fit.coef()["Subject"][names], rtol=1e-12)
    own = table.xs("sigma_Days", level="effect")
    assert own["none std_error"].median() > own["complete std_error"].iloc[0]
    none = table["none"].unstack()
    assert none["Days"].nunique() == none["sigma_Days"].nunique() == 1  # they do not vary between subjects
    codes, levels = data["Subject"].astype("category").cat.codes.to_numpy(), len(none)

    def loss_of_all(beta):
        log_sigma = beta[levels + 1 :][codes] + beta[-1] * x
        return -np.sum(stats.norm.logpdf(y, beta[:levels][codes] + beta[levels] * x, np.exp(log_sigma)))

    ours = np.concatenate(
        [none["Intercept"], none["Days"].iloc[:1], none["sigma_Intercept"], none["sigma_Days"].iloc[:1]]
    )
    least = optimize.minimize(loss_of_all, ours, method="BFGS").fun
    assert least == pytest.approx(loss_of_all(ours), abs=1e-6)


def test_singular_fits_are_measured_by_the_mean_sigma():
    """The sd of effects on a normal mean is held against sigma, that of effects on log sigma against one."""
    data = pd.DataFrame({"g": np.repeat(np.arange(8), 6).astype(str), "y": np.random.default_rng(5).normal(size=48)})
    model = bmx.Model(["y ~ 1 + (1 | g)", "sigma ~ 1 + (1 | g)"], data)
    estimate = model.estimate()
    assert estimate.point.singular == (0, 1)
    words = " ".join(explain_singular(estimate, around(estimate, model, chains=2, draws=50, spread=0.1)))
    assert "Laplace estimates sd(g, Intercept) = 0; sd(g, sigma_Intercept) = 0, on the boundary" in words
    assert "P(sd(g, Intercept) < 0.1 sigma (the mean of all rows)) = 1.00" in words
    assert "P(sd(g, sigma_Intercept) < 0.1) = 1.00" in words


def test_a_later_effect_of_a_term_may_be_the_one_that_is_zero():
    """Of a single predictor: it was an IndexError, and no comparison was printed."""
    rng, g, x = np.random.default_rng(2), np.arange(60) % 6, np.repeat([-1.0, 0.0, 1.0], 20)
    data = pd.DataFrame({"g": g, "x": x, "y": 2.0 * rng.normal(size=6)[g] + rng.normal(size=60)})
    model = bmx.Model("y ~ x + diag(1 + x | g)", data)
    estimate = model.estimate()
    assert estimate.values.sd[0][0] > 0.0 == estimate.values.sd[0][1]
    words = " ".join(explain_singular(estimate, around(estimate, model, chains=2, draws=50, spread=0.1)))
    assert "The posterior of sd(g, x): mode" in words
