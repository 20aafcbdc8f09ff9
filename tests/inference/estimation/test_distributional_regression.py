"""Regressions of several linear predictors, against SciPy's minimiser of the dense likelihood."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import bayesmix as bmx
from bayesmix.inference.estimation.distributional_regression import fit_regression
from bayesmix.inference.parameters.likelihood import likelihood_of

RNG = np.random.default_rng(5)
X = RNG.normal(size=40)
DATA = pd.DataFrame({"x": X, "y": 1.0 + 0.5 * X + np.exp(0.3 + 0.4 * X) * RNG.normal(size=40), "z": np.repeat(1.0, 40)})


def fitted(data):
    model = bmx.Model(["y ~ x", "sigma ~ x"], data)
    design = model.design
    return fit_regression(likelihood_of(design, model.spec), design.X, design.offset, np.zeros(4))


def covariance(loss, at):
    """Inverse of the second differences of a loss."""
    steps = 1e-4 * np.eye(len(at))
    return np.linalg.inv(
        [
            [(loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b)) / 4e-8 for b in steps]
            for a in steps
        ]
    )


def test_coefficients_and_errors_are_those_of_the_likelihood():
    def loss(beta):
        return -np.sum(stats.norm.logpdf(DATA["y"], beta[0] + beta[1] * X, np.exp(beta[2] + beta[3] * X)))

    found = fitted(DATA)
    wanted = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8})
    assert found.converged
    np.testing.assert_allclose(found.beta, wanted.x, atol=1e-5)
    np.testing.assert_allclose(found.beta_cov, covariance(loss, wanted.x), rtol=1e-3, atol=1e-6)


def test_a_normal_prior_is_multiplied_by_the_likelihood():
    """Of two rows, which by themselves have no maximum: see below."""
    model = bmx.Model(["y ~ x", "sigma ~ x"], DATA)
    part = model.design.take(np.arange(2), ())
    mean, precision = np.array([0.5, 0.0, 0.2, -0.1]), np.diag([1.0, 2.0, 3.0, 4.0]) + 0.2
    prior = stats.multivariate_normal(mean, np.linalg.inv(precision))

    def loss(beta):
        rows = stats.norm.logpdf(DATA["y"][:2], beta[0] + beta[1] * X[:2], np.exp(beta[2] + beta[3] * X[:2]))
        return -np.sum(rows) - prior.logpdf(beta)

    likelihood = likelihood_of(part, model.spec)
    found = fit_regression(likelihood, part.X, part.offset, np.zeros(4), prior=(mean, precision))
    wanted = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8})
    assert found.converged
    np.testing.assert_allclose(found.beta, wanted.x, atol=1e-5)
    np.testing.assert_allclose(found.beta_cov, covariance(loss, wanted.x), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("rows", [2, 3])
def test_an_exact_fit_is_no_maximum(rows):
    """The likelihood of as many rows as coefficients of the mean rises for ever."""
    model = bmx.Model(["y ~ x", "sigma ~ x"], DATA)
    part = model.design.take(np.arange(rows), ())
    assert not fit_regression(likelihood_of(part, model.spec), part.X, part.offset, np.zeros(4)).converged


def test_coefficients_that_ran_off_end_the_search():
    """Where rows have no derivatives any more, a LinAlgError said that the criterion could not be computed."""
    model = bmx.Model(["y ~ x", "sigma ~ x"], DATA)
    start = np.array([0.0, 0.0, -800.0, 0.0])
    found = fit_regression(likelihood_of(model.design, model.spec), model.design.X, model.design.offset, start)
    assert not found.converged
    np.testing.assert_array_equal(found.beta, start)
