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


def test_coefficients_and_errors_are_those_of_the_likelihood():
    def loss(beta):
        return -np.sum(stats.norm.logpdf(DATA["y"], beta[0] + beta[1] * X, np.exp(beta[2] + beta[3] * X)))

    found = fitted(DATA)
    wanted = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8})
    assert found.converged
    np.testing.assert_allclose(found.beta, wanted.x, atol=1e-5)
    steps = 1e-4 * np.eye(4)
    hessian = [
        [
            (loss(wanted.x + a + b) - loss(wanted.x + a - b) - loss(wanted.x - a + b) + loss(wanted.x - a - b)) / 4e-8
            for b in steps
        ]
        for a in steps
    ]
    np.testing.assert_allclose(found.beta_cov, np.linalg.inv(hessian), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("rows", [2, 3])
def test_an_exact_fit_is_no_maximum(rows):
    """The likelihood of as many rows as coefficients of the mean rises for ever."""
    model = bmx.Model(["y ~ x", "sigma ~ x"], DATA)
    part = model.design.take(np.arange(rows), ())
    assert not fit_regression(likelihood_of(part, model.spec), part.X, part.offset, np.zeros(4)).converged
