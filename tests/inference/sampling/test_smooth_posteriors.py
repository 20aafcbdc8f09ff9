"""Posteriors of models with smooths: both engines agree, and simulated data are calibrated."""

import json
from pathlib import Path

import numpy as np
import pytest
from smooths import data, estimate, model

import bayesmix as bmx


def test_the_posterior_is_around_the_estimate():
    fit, post = estimate("by_factor"), model("by_factor").sample(draws=250, seed=1)
    assert post.converged
    assert post.method == "marginal"
    table = post.parameters()
    shift = (table["mean"] - fit.parameters()["estimate"]) / table["sd"]
    assert np.abs(shift).max() < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["count ~ s(x, k = 6) + (1 | g)", 'count ~ x + s(x, g, bs = "fs", k = 4)'])
def test_both_engines_have_the_same_posterior(formula):
    fitted = bmx.Model(formula, data(), family="poisson")
    exact, nuts = (fitted.sample(method=method, seed=2) for method in ("marginal", "nuts"))
    assert exact.converged
    first, second = (fit.parameters() for fit in (exact, nuts))
    error = np.hypot(first["sd"] / np.sqrt(first["ess_bulk"]), second["sd"] / np.sqrt(second["ess_bulk"]))
    assert np.abs((first["mean"] - second["mean"]) / error).max() < 4.0
    curves = [fit.linear_predictor() for fit in (exact, nuts)]
    assert np.corrcoef(*curves)[0, 1] > 0.999


@pytest.mark.slow
def test_simulated_data_are_calibrated():
    few = data().iloc[::3]
    study = bmx.studies.calibrate(bmx.Model("y ~ s(x, k = 5) + (1 | g)", few), replicates=60, seed=3, progress=False)
    assert study.is_uniform


BRMS = json.loads((Path(__file__).parents[2] / "reference" / "smooths" / "brms.json").read_text())
PRIORS = {
    "Intercept": "Normal(2, 2)",
    "sx_1": "Normal(0, 2)",
    "sd(g)": "Exponential(1)",
    "sds(sx_1)": "Exponential(0.5)",
    "sigma": "Exponential(1)",
}


def test_the_posterior_is_that_of_brms():
    """With brms's priors written out: parameters, and the curve of the population."""
    fitted = bmx.Model("y ~ s(x, k = 6) + (1 | g)", data(), priors=PRIORS)
    post = fitted.sample(draws=2000, seed=3, method="marginal", progress=False)
    table, theirs = post.parameters(), BRMS["parameters"]
    for name, own in theirs.items():
        error = own["sd"] * np.hypot(1.0 / np.sqrt(BRMS["ess"]), 1.0 / np.sqrt(table.loc[name, "ess_bulk"]))
        assert abs(table.loc[name, "mean"] - own["mean"]) < 4.0 * error, name
        assert abs(table.loc[name, "sd"] / own["sd"] - 1.0) < 0.1, name
    curve = post.predict({"x": BRMS["new"]}, groups="zero")
    np.testing.assert_allclose(curve["mean"], BRMS["curve"]["mean"], atol=0.08 * np.mean(BRMS["curve"]["sd"]))
    np.testing.assert_allclose(curve["sd"], BRMS["curve"]["sd"], rtol=0.05)
