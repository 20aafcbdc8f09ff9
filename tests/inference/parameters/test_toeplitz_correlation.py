"""Correlations by lag: the lattice against Toeplitz matrices, Durbin and Levinson's recursion, prior densities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz, toeplitz
from scipy.stats import beta

from bayesmix.inference.parameters.toeplitz_correlation import Toeplitz

RNG = np.random.default_rng(5)
PARTIAL = RNG.uniform(-0.9, 0.9, (3, 5))
FAMILY = Toeplitz(6)


def test_roots_are_of_toeplitz_matrices_with_these_partial_autocorrelations():
    root = FAMILY.root(PARTIAL)
    np.testing.assert_allclose(root, np.tril(root))
    for L, partial in zip(root, PARTIAL, strict=True):
        R = L @ L.T
        np.testing.assert_allclose(R, toeplitz(R[0]), atol=1e-13)
        for m in range(5):  # the last weight of the best prediction from m + 1 values before
            assert solve_toeplitz(R[0, : m + 1], R[0, 1 : m + 2])[-1] == pytest.approx(partial[m], rel=1e-9)
        lags = FAMILY.numbers(R)
        np.testing.assert_allclose(FAMILY.matrix(lags), R, atol=1e-13)
        np.testing.assert_allclose(FAMILY.partial(R), partial, rtol=1e-9)


def test_turned_roots_and_their_slopes():
    lags = FAMILY.numbers(FAMILY.root(PARTIAL) @ np.swapaxes(FAMILY.root(PARTIAL), -1, -2))
    angles, h = FAMILY.coordinates(lags), 1e-6
    root, slopes = FAMILY.turned(angles)
    np.testing.assert_allclose(root, FAMILY.root(PARTIAL), atol=1e-9)
    for j, step in enumerate(h * np.eye(5)):
        difference = (FAMILY.turned(angles + step)[0] - FAMILY.turned(angles - step)[0]) / (2.0 * h)
        np.testing.assert_allclose(slopes[:, j], difference, atol=1e-8)


def test_singular_matrices_are_reached():
    angles = np.array([0.3, 0.5 * np.pi - 1e-6, 0.2, 0.1, 0.0])
    settled, moved = FAMILY.settled(angles, 1e-4)
    assert moved
    root, _ = FAMILY.turned(settled)
    assert np.linalg.matrix_rank(root, tol=1e-9) == 2


@pytest.mark.parametrize("eta", [1.0, 2.5])
def test_the_prior_is_the_determinant_on_the_correlations_by_lag(eta):
    """``|R|^(eta - 1)`` by the lags, up to one constant, is what independent Betas and their Jacobian say."""
    a, b = FAMILY.beta(eta)
    differences = []
    for partial in PARTIAL:
        L = FAMILY.root(partial)
        ours = beta(a, b).logpdf(0.5 * (1.0 + partial)).sum() - FAMILY.log_volume(partial)
        differences.append(ours - (eta - 1.0) * np.linalg.slogdet(L @ L.T)[1])
    np.testing.assert_allclose(differences, differences[0], rtol=1e-10)


def test_the_volume_is_that_of_the_change_to_lags():
    h, partial = 1e-6, PARTIAL[0]

    def lags(p):
        L = FAMILY.root(p)
        return FAMILY.numbers(L @ L.T)

    slope = np.array([(lags(partial + step) - lags(partial - step)) / (2.0 * h) for step in h * np.eye(5)])
    assert FAMILY.log_volume(partial) == pytest.approx(np.linalg.slogdet(slope)[1], rel=1e-8)
