"""Coefficients of a normal likelihood under normal priors: by least squares on whitened rows, as NumPy solves them."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.inference.sampling.normal_posterior import normal_posterior

RNG = np.random.default_rng(3)
ROOT = RNG.normal(size=(3, 3))
ESTIMATE, K = RNG.normal(size=3), RNG.normal(size=(2, 3))
PRIOR = np.array([0.5, -1.0]), np.array([2.0, 0.3])


def test_mean_and_covariance_are_those_of_least_squares() -> None:
    rows = np.vstack([np.linalg.inv(ROOT), np.sqrt(PRIOR[1])[:, None] * K])
    values = np.concatenate([np.linalg.solve(ROOT, ESTIMATE), np.sqrt(PRIOR[1]) * PRIOR[0]])
    mean, covariance = normal_posterior(ESTIMATE, ROOT @ ROOT.T, K, PRIOR)
    np.testing.assert_allclose(mean, np.linalg.lstsq(rows, values)[0], rtol=1e-9)
    np.testing.assert_allclose(covariance, np.linalg.inv(rows.T @ rows), rtol=1e-9)


@pytest.mark.parametrize(("variance", "told"), [(0.0, 0.0), (1e-14, 1e-12)])
def test_a_direction_without_variance_is_that_of_its_prior(variance: float, told: float) -> None:
    both = np.eye(2)
    found = normal_posterior(np.array([7.0, 1.0]), np.diag([variance, 4.0]), both, PRIOR, told=told)
    np.testing.assert_allclose(found[0], [0.5, (0.25 * 1.0 - 0.3) / 0.55], rtol=1e-9)
    np.testing.assert_allclose(found[1], np.diag([0.5, 1.0 / 0.55]), rtol=1e-9, atol=1e-12)
