"""Draws from Laplace's distribution at a point estimate: their moments by dense matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.inference.sampling.marginal.laplace_draws import around

N, DRAWS = 24, 20_000
RNG = np.random.default_rng(9)
DATA = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "y": RNG.normal(size=N) + np.repeat(RNG.normal(size=4), 6),
        "g": np.repeat(list("abcd"), 6),
    }
)


def test_moments_are_those_of_estimate_and_prior_together() -> None:
    fit = bmx.Model(["y ~ x + (1 | g)", "sigma ~ 1"], DATA).estimate()
    point, design = fit.point, fit.design
    fixed = [(0.5, 2.0), (0.0, 0.0), (1.0, 30.0)]  # one flat
    eta = around(point, design, np.eye(3), fixed, rng=np.random.default_rng(1), n=DRAWS)
    mean, precision = np.array(fixed).T
    covariance = np.linalg.inv(np.linalg.inv(point.beta_cov) + np.diag(precision))
    centre = covariance @ (np.linalg.solve(point.beta_cov, point.beta) + precision * mean)
    (term,) = design.terms
    expected = design.X @ centre + term.z[:, 0] * point.b[0][term.codes, 0]
    same = (term.codes[:, None] == term.codes) * np.outer(term.z[:, 0], term.z[:, 0])
    spread = design.X @ covariance @ design.X.T + same * point.b_cov[0][term.codes, 0, 0]
    np.testing.assert_allclose(eta.mean(axis=0), expected, atol=5.0 * np.sqrt(np.diagonal(spread).max() / DRAWS))
    np.testing.assert_allclose(np.cov(eta.T), spread, atol=6.0 * np.diagonal(spread).max() / np.sqrt(DRAWS))


@pytest.mark.filterwarnings("ignore::bayesmix.errors.ConvergenceWarning")
def test_parameters_that_run_off_stay_where_their_priors_are() -> None:
    """Counts without overdispersion: the shape's standard error is in the thousands."""
    counts = DATA.assign(count=np.tile([2.0, 1.0, 2.0, 3.0], 6))
    fit = bmx.Model(["count ~ 1 + (1 | g)", "shape ~ 1"], counts, family="negbinomial")
    point = fit.estimate().point
    fixed = [(0.0, 0.1), (2.0, 1.0)]
    eta = around(point, fit.design, np.eye(2), fixed, rng=np.random.default_rng(2), n=2000)
    shape = eta[:, N:]
    assert abs(shape.mean() - 2.0) < 0.2
    assert abs(shape.std() - 1.0) < 0.1
