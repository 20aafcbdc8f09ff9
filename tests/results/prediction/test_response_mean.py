"""Means of responses that are functions of several linear predictors, against adaptive quadrature and SciPy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from conftest import around
from scipy import integrate, stats

import bayesmix as bmx
from bayesmix.results.prediction.response_mean import mean_slopes

RNG = np.random.default_rng(5)


@cache
def fit():
    n, J = 240, 24
    g, x = np.arange(n) % J, RNG.normal(size=n)
    b = RNG.normal(size=(J, 2)) @ np.array([[0.6, 0.0], [0.5, 0.7]]).T
    zi = 1.0 / (1.0 + np.exp(1.0 - b[g, 1]))
    y = np.where(RNG.random(n) < zi, 0, RNG.poisson(np.exp(1.0 + 0.3 * x + b[g, 0])))
    data = pd.DataFrame({"y": y, "x": x, "g": [f"g{j}" for j in g]})
    formulas = ["y ~ x + (1 | p | g)", "zi ~ x + (1 | p | g)"]
    return bmx.Model(formulas, data, family="zero_inflated_poisson").estimate()


def parameters(x):
    """Location and covariance of both predictors of a new level."""
    found = fit()
    beta = dict(zip(found.design.fixed, found.values.beta, strict=True))
    (sd,), (corr,) = found.values.sd, found.values.corr
    eta = np.array([beta["Intercept"] + beta["x"] * x, beta["zi_Intercept"] + beta["zi_x"] * x])
    return eta, sd[:, None] * corr * sd


def mean(eta):
    return np.exp(eta[0]) / (1.0 + np.exp(eta[1]))


def test_average_over_levels_is_the_integral():
    """By adaptive quadrature of the two normal effects."""
    eta, covariance = parameters(0.4)
    density = stats.multivariate_normal(eta, covariance).pdf
    s, t = np.sqrt(np.diagonal(covariance))
    expected, _ = integrate.dblquad(
        lambda v, u: mean((u, v)) * density((u, v)),
        eta[0] - 8.0 * s,
        eta[0] + 8.0 * s,
        eta[1] - 8.0 * t,
        eta[1] + 8.0 * t,
        epsabs=1e-9,
    )
    found = fit().predict(pd.DataFrame({"x": [0.4]}), groups="average")["estimate"][0]
    assert found == pytest.approx(expected, rel=1e-6)


def test_error_is_the_delta_methods():
    """Gradient by hand, covariance of the four coefficients from the fit."""
    eta, _ = parameters(0.4)
    m, zi = mean(eta), 1.0 / (1.0 + np.exp(-eta[1]))
    row = np.array([m, 0.4 * m, -zi * m, -zi * 0.4 * m])
    expected = np.sqrt(row @ fit().point.beta_cov @ row)
    found = fit().predict(pd.DataFrame({"x": [0.4]}), groups="zero").iloc[0]
    assert found["std_error"] == pytest.approx(expected, rel=1e-6)
    factor = np.exp(stats.norm.ppf(0.975) * expected / m)
    np.testing.assert_allclose(found[["lower", "upper"]].to_numpy(float), [m / factor, m * factor], rtol=1e-6)


def test_contrasts_are_differences_of_means():
    table = fit().slopes("x", groups="zero")
    x = fit().design.X[: fit().design.n, 1]
    eta, _ = parameters(x)
    zi = 1.0 / (1.0 + np.exp(-eta[1]))
    beta = dict(zip(fit().design.fixed, fit().values.beta, strict=True))
    expected = np.mean(mean(eta) * (beta["x"] - zi * beta["zi_x"]))
    assert table["estimate"][0] == pytest.approx(expected, rel=1e-6)


def test_slopes_are_derivatives():
    eta = np.linspace(-1.0, 1.0, 12)
    found = mean_slopes(fit().spec, lambda at: mean(at.reshape(2, -1)), eta)
    u, v = eta.reshape(2, -1)
    expected = [mean((u, v)), -mean((u, v)) / (1.0 + np.exp(-v))]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_a_parameter_by_name_is_its_own_mean():
    found = fit().predict(pd.DataFrame({"x": [0.4]}), groups="zero", parameter="mu")["estimate"][0]
    assert found == pytest.approx(np.exp(parameters(0.4)[0][0]), rel=1e-12)


# ---- effects on what does not depend on a predictor ----------------------------------------------------------------


@cache
def hurdle(formulas):
    """Zeros are as frequent everywhere, whatever x is; or as frequent as their level of f."""
    n = 90
    rng = np.random.default_rng(2)
    data = pd.DataFrame(
        {"x": rng.normal(size=n), "f": np.array(["u", "v"])[np.arange(n) % 3 // 2], "g": np.arange(n) % 9}
    )
    zeros = rng.random(n) < 0.3 + 0.1 * (data["f"] == "v")
    data["y"] = np.where(zeros, 0, 1 + rng.poisson(np.exp(0.3 + 0.3 * data["x"])))
    model = bmx.Model(["y ~ x + f + (1 | g)", *formulas], data, family="hurdle_poisson")
    return model, model.estimate(), data


@pytest.mark.parametrize("groups", ["average", "fitted"])
@pytest.mark.parametrize("formulas", [(), pytest.param(("hu ~ f + (1 | g)",), marks=pytest.mark.slow)])
def test_slopes_of_what_is_constant_are_zero(formulas, groups):
    row = hurdle(formulas)[1].slopes("x", kind="zero", groups=groups).iloc[0]
    assert (row["estimate"], row["std_error"], row["lower"], row["upper"]) == (0.0, 0.0, 0.0, 0.0)
    assert np.isnan(row["z"])
    assert np.isnan(row["p_value"])


def test_slopes_of_what_is_small_are_not():
    """That of a predictor in other units, by the ratio of units."""
    _, fit, data = hurdle(())
    own = fit.slopes("x").iloc[0]
    other = bmx.Model("y ~ x + f + (1 | g)", data.assign(x=1e9 * data["x"]), family="hurdle_poisson").estimate()
    found = other.slopes("x").iloc[0]
    np.testing.assert_allclose([found["estimate"] * 1e9, found["z"]], [own["estimate"], own["z"]], rtol=1e-4)


def test_draws_of_what_is_constant_have_no_direction():
    model, fit, _ = hurdle(())
    row = around(fit, model, chains=2, draws=20, spread=0.1).slopes("x", kind="zero").iloc[0]
    assert (row["mean"], row["sd"]) == (0.0, 0.0)
    assert np.isnan(row["p_direction"])
