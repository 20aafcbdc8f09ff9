"""Optima of Laplace's approximation that are none of the likelihood."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats

import bayesmix as bmx

pytestmark = pytest.mark.slow


def nearly_all(seed, levels=10):
    """49 successes of 50."""
    rng = np.random.default_rng(seed)
    y = np.ones(50)
    y[rng.integers(50)] = 0.0
    data = {"y": y, "x": rng.normal(size=50), "g": rng.integers(0, levels, 50).astype(str)}
    return data, bmx.Model("y ~ x + (1 | g)", data, "bernoulli")


def deviance(data, beta, sd):
    """By SciPy's quadrature, level by level."""

    def level(u, rows):
        eta = beta[0] + beta[1] * data["x"][rows] + sd * u
        sign = 2.0 * data["y"][rows] - 1.0
        return float(np.exp(special.log_expit(sign * eta).sum()) * stats.norm.pdf(u))

    parts = [integrate.quad(level, -12.0, 12.0, (data["g"] == g,), limit=200)[0] for g in np.unique(data["g"])]
    return -2.0 * float(np.log(parts).sum())


@pytest.mark.parametrize("seed", [6, 12])
def test_an_optimum_below_no_effects_is_named(seed):
    data, model = nearly_all(seed)
    with pytest.warns(bmx.ConvergenceWarning, match="The Laplace approximation fails: by quadrature"):
        fit = model.estimate()
    assert not fit.converged
    (problem,) = fit.problems
    here = deviance(data, fit.point.beta, float(fit.point.parameters.sd[0][0]))
    exact = model.estimate(bmx.Agq(points=15))
    there = deviance(data, exact.point.beta, float(exact.point.parameters.sd[0][0]))
    assert f"is {here:.2f} at this estimate" in problem
    assert f"{there:.2f} without random effects" in problem  # where quadrature's optimum is
    assert float(exact.point.parameters.sd[0][0]) == pytest.approx(0.0, abs=1e-6)
    assert exact.converged
    assert not exact.problems


def test_optima_that_are_the_likelihoods_are_not():
    fit = bmx.Model("y ~ x + (1 | g)", nearly_all(0)[0], "bernoulli").estimate()
    assert fit.converged  # a standard deviation of zero
    herds = bmx.Model("cbind(incidence, size - incidence) ~ period + (1 | herd)", bmx.load_dataset("cbpp"), "binomial")
    assert herds.estimate().converged
    g = np.repeat(np.arange(30), 4)
    rng = np.random.default_rng(1)
    y = rng.binomial(1, special.expit(3.0 * rng.normal(size=30)[g]))
    fit = bmx.Model("y ~ 1 + (1 | g)", {"y": y, "g": g.astype(str)}, "bernoulli").estimate()
    assert float(fit.point.parameters.sd[0][0]) > 1.0
    assert fit.converged
