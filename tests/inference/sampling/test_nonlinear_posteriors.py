"""Posteriors of nonlinear means: both engines beside the posterior of R's orange trees on a grid."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

FILE = Path(__file__).parents[2] / "reference" / "nonlinear" / "orange.csv"
FORMULAS = ["circumference ~ SSlogis(age, asym, mid, scale)", "asym ~ 1 + (1 | Tree)", "mid ~ 1", "scale ~ 1"]
PRIORS = {
    "asym_Intercept": "Normal(200, 50)",
    "mid_Intercept": "Normal(700, 200)",
    "scale_Intercept": "Normal(350, 100)",
    "sd(Tree, asym_Intercept)": "HalfNormal(50)",
    "sigma": "HalfNormal(20)",
}
MCSE = 4.5  # Monte Carlo standard errors


@cache
def model() -> bmx.Model:
    return bmx.Model(FORMULAS, pd.read_csv(FILE, dtype={"Tree": str}), priors=PRIORS)


@cache
def on_a_grid(points: int = 28) -> pd.DataFrame:
    """Means and standard deviations by the trapezoidal rule in four parameters.

    Responses are jointly normal given these, and the mean of the asymptotes is integrated out as its prior is normal.
    """
    data = pd.read_csv(FILE, dtype={"Tree": str})
    mid, scale = np.linspace(520.0, 1060.0, points), np.linspace(210.0, 540.0, points)
    tau, sigma = np.exp(np.linspace(np.log(9.0), np.log(190.0), points)), np.exp(np.linspace(1.5, 3.0, points))
    curve = 1.0 / (1.0 + np.exp((mid[:, None, None] - data["age"].to_numpy()) / scale[:, None]))  # (mid, scale, row)
    log, linear, precision = 0.0, 200.0 / 50.0**2, 1.0 / 50.0**2
    tau2, sigma2 = tau[:, None] ** 2, sigma**2
    for _, rows in data.groupby("Tree"):
        own, y = curve[..., rows.index], rows["circumference"].to_numpy(float)
        square, product = (np.sum(own * x, axis=-1)[..., None, None] for x in (own, y))
        shrunk = sigma2 + tau2 * square
        log = log - 0.5 * (len(y) * np.log(sigma2) + np.log(shrunk / sigma2) + y @ y / sigma2)
        log = log + 0.5 * tau2 * product**2 / (sigma2 * shrunk)
        linear, precision = linear + product / shrunk, precision + square / shrunk
    log = log + 0.5 * linear**2 / precision - 0.5 * np.log(precision)
    log = log - 0.5 * ((mid[:, None, None, None] - 700.0) / 200.0) ** 2
    log = log - 0.5 * ((scale[:, None, None] - 350.0) / 100.0) ** 2
    log = log - 0.5 * (tau[:, None] / 50.0) ** 2 - 0.5 * (sigma / 20.0) ** 2 + np.log(tau)[:, None] + np.log(sigma)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    found = {"asym_Intercept": (np.sum(weight * linear / precision), 0.0)}
    spread = np.sum(weight * (1.0 / precision + (linear / precision - found["asym_Intercept"][0]) ** 2))
    found["asym_Intercept"] = (found["asym_Intercept"][0], np.sqrt(spread))
    axes = {"mid_Intercept": mid, "scale_Intercept": scale, "sd(Tree, asym_Intercept)": tau, "sigma": sigma}
    for axis, (name, values) in enumerate(axes.items()):
        share = weight.sum(axis=tuple(other for other in range(4) if other != axis))
        mean = share @ values
        found[name] = (mean, np.sqrt(share @ (values - mean) ** 2))
    return pd.DataFrame.from_dict(found, orient="index", columns=["mean", "sd"])


@pytest.mark.slow
def test_the_grid_is_fine_enough():
    np.testing.assert_allclose(on_a_grid(28), on_a_grid(20), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["marginal", "nuts"])
def test_draws_are_of_the_posterior(method):
    fit = model().sample(2000, 4, seed=3, method=method, progress=False)
    assert fit.converged
    found, exact = fit.parameters().loc[on_a_grid().index], on_a_grid()
    errors = exact["sd"] / np.sqrt(found["ess_bulk"])
    assert (np.abs(found["mean"] - exact["mean"]) / errors).max() < MCSE
    tails = exact["sd"] / np.sqrt(found["ess_tail"])  # of a standard deviation, tails as heavy as these parameters have
    assert (np.abs(found["sd"] - exact["sd"]) / tails).max() < MCSE


@pytest.mark.slow
def test_auto_is_the_marginal_sampler():
    fit = model().sample(50, 2, seed=1, progress=False)
    assert "by marginal" in str(fit)
