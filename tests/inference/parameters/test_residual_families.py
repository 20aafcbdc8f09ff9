import numpy as np
import pytest

from bayesmix.inference.parameters.correlation import Autoregressive, Exchangeable, Free
from bayesmix.inference.parameters.residual_families import (
    Arma,
    correlation_matrix,
    matrix_slopes,
    reported_slopes,
)

FAMILIES = [Free(4), Autoregressive(4), Exchangeable(5), Arma(6, 2, 1), Arma(5, 0, 2), Arma(4, 3, 0), Arma(4, 1, 1)]


def partial_of(family):
    return 0.6 * np.cos(1.0 + np.arange(family.size))


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_matrix_is_that_of_its_root(family):
    partial = partial_of(family)
    root = family.root(partial)
    np.testing.assert_allclose(correlation_matrix(family, partial), root @ root.T, atol=1e-14)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_reported_numbers_are_turned_back(family):
    partial = partial_of(family)
    np.testing.assert_allclose(family.partial_of(family.reported(partial)), partial, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_slopes_are_those_of_differences(family):
    partial, h = partial_of(family), 1e-6
    units = h * np.eye(family.size)
    matrix = [
        (correlation_matrix(family, partial + u) - correlation_matrix(family, partial - u)) / (2 * h) for u in units
    ]
    numbers = [(family.reported(partial + u) - family.reported(partial - u)) / (2 * h) for u in units]
    np.testing.assert_allclose(matrix_slopes(family, partial), matrix, atol=1e-8)
    np.testing.assert_allclose(reported_slopes(family, partial), np.transpose(numbers), atol=1e-8)


@pytest.mark.parametrize(("p", "q"), [(2, 1), (0, 2), (3, 0), (1, 1), (2, 2)])
def test_autocorrelations_are_those_of_the_infinite_moving_average(p, q):
    from scipy.signal import lfilter

    family = Arma(6, p, q)
    partial = partial_of(family)
    ar, ma = np.split(family.reported(partial), [p])
    psi = lfilter([1.0, *ma], [1.0, *-ar], np.eye(1, 2000)[0])
    expected = [psi[: 2000 - k] @ psi[k:] / (psi @ psi) for k in range(6)]
    np.testing.assert_allclose(correlation_matrix(family, partial)[0], expected, atol=1e-10)


def test_partial_autocorrelations_are_stationary_and_invertible():
    rng = np.random.default_rng(1)
    for partial in np.tanh(2.0 * rng.standard_normal((50, 4))):
        ar, ma = np.split(Arma(4, 2, 2).reported(partial), [2])
        assert np.abs(np.roots([1.0, *-ar])).max() < 1.0
        assert np.abs(np.roots([1.0, *ma])).max() < 1.0
