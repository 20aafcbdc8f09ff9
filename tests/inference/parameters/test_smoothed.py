"""Quantile regression: NUTS alone is right, and says so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.inference.parameters.smoothed import kinked, smoothed

RNG = np.random.default_rng(6)
DATA = {"y": RNG.gamma(2.0, 1.0, 80), "g": [f"g{j % 8}" for j in range(80)]}


def model(formula="y ~ 1", **options):
    return bmx.Model(formula, DATA, family="asym_laplace(0.8)", **options)


@pytest.mark.parametrize("method", ["laplace", bmx.Agq(points=5)], ids=str)
def test_no_estimate(method):
    with pytest.raises(bmx.SpecError, match=r"`asym_laplace\(0.8\)` has a kink at mu"):
        model("y ~ 1 + (1 | g)").estimate(method)


def test_no_marginal_sampler():
    with pytest.raises(bmx.SpecError, match="Sample with NUTS"):
        model("y ~ 1 + (1 | g)").sample(method="marginal", progress=False)


def test_smooth_models_stay_as_they_are():
    spec = bmx.Model("y ~ 1 + (1 | g)", DATA).spec
    assert smoothed(spec) is spec
    assert kinked(model().spec) is not None
    assert kinked(smoothed(model().spec)) is None


@pytest.mark.slow
def test_posterior_is_that_of_a_grid():
    fit = model(priors={"Intercept": "Normal(2, 2)", "sigma": "Exponential(1)"}).sample(seed=1, progress=False)
    assert fit.converged, fit.problems
    mu, sigma = np.meshgrid(np.linspace(1.0, 6.0, 801), np.linspace(0.1, 1.5, 401), indexing="ij")
    kappa = 2.0
    density = stats.norm.logpdf(mu, 2.0, 2.0) - sigma
    for y in DATA["y"]:
        density += stats.laplace_asymmetric.logpdf(y, kappa, mu, kappa * sigma / 0.8)
    weights = np.exp(density - density.max())
    weights /= weights.sum()
    table = fit.parameters()
    for name, values in {"Intercept": mu, "sigma": sigma}.items():
        mean = np.sum(weights * values)
        sd = np.sqrt(np.sum(weights * (values - mean) ** 2))
        assert abs(table.loc[name, "mean"] - mean) < 4.0 * sd / np.sqrt(table.loc[name, "ess_bulk"])
        assert table.loc[name, "sd"] == pytest.approx(sd, rel=0.1)


@pytest.mark.slow
def test_random_effects_are_sampled():
    fit = model("y ~ 1 + (1 | g)").sample(seed=2, progress=False)
    assert fit.converged, fit.problems
    assert "has a kink" in " ".join(str(fit.summary()).split())
    below = np.mean(DATA["y"] < fit.predict(parameter="mu")["mean"].to_numpy())
    assert below == pytest.approx(0.8, abs=0.08)
