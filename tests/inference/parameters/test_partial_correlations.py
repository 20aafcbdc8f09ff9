"""Partial correlations, Cholesky factors and the LKJ distribution."""

from __future__ import annotations

import numpy as np
import pytest
from dense import central
from scipy.stats import beta

from bayesmix.inference.parameters.partial_correlations import (
    beta_parameters,
    build_cholesky,
    positions,
    to_cholesky,
    to_partial,
)
from bayesmix.language.priors.joint import log_lkj

EXACT = {"rtol": 1e-12, "atol": 1e-12}  # products of at most ten numbers below one
DENSITY = 1e-7  # the Jacobian is differenced with step 1e-4
MOMENTS = 5.0  # standard errors that 200 000 draws with a fixed seed may be off


@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("lead", [(), (4, 3)])
def test_round_trip(k, lead):
    rng = np.random.default_rng(k)
    partial = rng.uniform(-1.0, 1.0, (*lead, k * (k - 1) // 2))
    factor = to_cholesky(partial, k)
    np.testing.assert_allclose(to_partial(factor), partial, rtol=1e-9, atol=1e-9)
    correlation = factor @ np.swapaxes(factor, -1, -2)
    np.testing.assert_allclose(np.diagonal(correlation, axis1=-2, axis2=-1), 1.0, **EXACT)
    assert np.all(np.linalg.eigvalsh(correlation) > 0.0)
    np.testing.assert_array_equal(factor, np.tril(factor))
    assert np.all(np.diagonal(factor, axis1=-2, axis2=-1) > 0.0)


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_any_correlation_matrix_has_partials(k):
    rng = np.random.default_rng(10 + k)
    sample = np.corrcoef(rng.normal(size=(k, 2 * k)))
    factor = np.linalg.cholesky(sample)
    partial = to_partial(factor)
    assert np.all(np.abs(partial) < 1.0)
    np.testing.assert_allclose(to_cholesky(partial, k), factor, **EXACT)


def test_the_partials_of_three_are_the_textbook_ones():
    r12, r13, r23 = 0.5, -0.3, 0.2
    R = np.array([[1.0, r12, r13], [r12, 1.0, r23], [r13, r23, 1.0]])
    partial = to_partial(np.linalg.cholesky(R))
    expected = (r23 - r12 * r13) / np.sqrt((1.0 - r12**2) * (1.0 - r13**2))  # of 2 and 3, given 1
    np.testing.assert_allclose(partial, [r12, r13, expected], **EXACT)
    assert positions(3) == [(1, 0), (2, 0), (2, 1)]


def test_a_singular_matrix_has_finite_partials():
    partial = to_partial(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(partial, [1.0, -1.0, 0.0])
    assert to_partial(np.ones((1, 1))).shape == (0,)


def test_the_recursion_needs_arithmetic_only():
    """Plain floats here, PyTensor's symbols in the PyMC model: rows of the factor, by hand."""
    rows = build_cholesky([0.5, -0.3, 0.1], 3, sqrt=np.sqrt, one=1.0)
    left = 1.0 - 0.3**2
    expected = [[1.0], [0.5, np.sqrt(0.75)], [-0.3, 0.1 * np.sqrt(left), np.sqrt(left * (1.0 - 0.1**2))]]
    assert [len(row) for row in rows] == [1, 2, 3]
    for row, numbers in zip(rows, expected, strict=True):
        np.testing.assert_allclose(row, numbers, **EXACT)


@pytest.mark.parametrize("eta", [1.0, 2.0, 0.6, 5.0])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_independent_betas_are_lkj(k, eta):
    """Log densities of the partials = log density of the matrix + log Jacobian of the matrix by the partials."""
    rng = np.random.default_rng(k)
    below = np.tril_indices(k, -1)
    a = beta_parameters(k, eta)

    def correlations(partial):
        factor = to_cholesky(partial, k)
        return (factor @ factor.T)[below]

    for partial in rng.uniform(-0.9, 0.9, (5, len(a))):
        by_partials = np.sum(beta.logpdf(0.5 * (1.0 + partial), a, a) - np.log(2.0))
        _, jacobian = np.linalg.slogdet(central(correlations, partial))
        factor = to_cholesky(partial, k)
        assert by_partials == pytest.approx(log_lkj(factor @ factor.T, eta) + jacobian, abs=DENSITY)


@pytest.mark.parametrize("eta", [1.0, 2.0])
@pytest.mark.parametrize("k", [2, 3, 4, pytest.param(5, marks=pytest.mark.slow)])
def test_every_correlation_has_the_same_beta_marginal(k, eta):
    """``(1 + r) / 2 ~ Beta(a, a)``, ``a = eta - 1 + k / 2``: second and fourth moments of 200 000 draws."""
    rng = np.random.default_rng(100 + k)
    parameters = beta_parameters(k, eta)
    partial = 2.0 * rng.beta(parameters, parameters, (200_000, len(parameters))) - 1.0
    factor = to_cholesky(partial, k)
    matrix = factor @ np.swapaxes(factor, -1, -2)
    a = eta - 1.0 + 0.5 * k
    for i, j in positions(k):
        r = matrix[:, i, j]
        for power in (1, 2, 4):
            expected = beta(a, a, loc=-1.0, scale=2.0).moment(power)
            error = np.std(r**power) / np.sqrt(len(r))
            assert abs(np.mean(r**power) - expected) < MOMENTS * error
