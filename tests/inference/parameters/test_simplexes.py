"""Shares of a simplex and what each takes of the rest: each from the other, slopes, and Dirichlet as Beta priors."""

from __future__ import annotations

import numpy as np
from scipy import stats

from bayesmix.inference.parameters.simplexes import independent_betas, share_slopes, shares_of, taken_of

TAKEN = np.array([0.3, 0.6, 0.1, 0.9])
SHARES = np.array([0.3, 0.7 * 0.6, 0.7 * 0.4 * 0.1, 0.7 * 0.4 * 0.9 * 0.9])


def test_shares_and_back():
    np.testing.assert_allclose(shares_of(TAKEN), SHARES, rtol=1e-14)
    np.testing.assert_allclose(taken_of(SHARES), TAKEN, rtol=1e-13)
    np.testing.assert_allclose(shares_of(np.stack([TAKEN, TAKEN])), np.stack([SHARES, SHARES]), rtol=1e-14)


def test_slopes_are_those_of_differences():
    step = 1e-6 * np.eye(4)
    found = (shares_of(TAKEN + step) - shares_of(TAKEN - step)).T / 2e-6
    np.testing.assert_allclose(share_slopes(TAKEN), found, atol=1e-9)


def test_independent_betas_are_a_dirichlet_distribution():
    """SciPy's density of the shares, and that of the takings with the Jacobian of the change."""
    a = (2.0, 0.7, 1.5, 3.0, 1.2)
    betas = sum(stats.beta.logpdf(v, *own) for v, own in zip(TAKEN, independent_betas(a), strict=True))
    jacobian = np.linalg.slogdet(share_slopes(TAKEN))[1]
    np.testing.assert_allclose(betas - jacobian, stats.dirichlet.logpdf([*SHARES, 1.0 - SHARES.sum()], a), rtol=1e-12)
