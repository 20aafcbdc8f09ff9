"""Derivatives of covariance matrices against differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import toeplitz

from bayesmix.inference.parameters.correlation import Autoregressive, Exchangeable, Free, Independent
from bayesmix.inference.parameters.covariance import Scaled, Unstructured
from bayesmix.inference.parameters.covariance_derivatives import covariance_derivatives
from bayesmix.inference.parameters.distance_correlation import Exponential, Gaussian
from bayesmix.inference.parameters.toeplitz_correlation import Toeplitz


def exchangeable(v, rho):
    return np.sqrt(np.outer(v, v)) * (rho + (1.0 - rho) * np.eye(len(v)))


def autoregressive(v, rho):
    return np.sqrt(np.outer(v, v)) * rho ** np.abs(np.subtract.outer(np.arange(len(v)), np.arange(len(v))))


def decaying(v, length, kernel):
    distance = np.abs(np.subtract.outer([0.0, 1.0, 2.5, 4.0], [0.0, 1.0, 2.5, 4.0]))
    return v * kernel(distance / length)


TIMES = ((0.0,), (1.0,), (2.5,), (4.0,))
CURVED = {
    "toep": (
        Scaled(Toeplitz(3)),
        lambda x: np.sqrt(np.outer(x[:3], x[:3])) * toeplitz([1.0, x[3], x[4]]),
        [0.5, 2.0, 1.2, 0.4, -0.2],
    ),
    "ou": (Scaled(Exponential(4, TIMES), True), lambda x: decaying(*x, lambda u: np.exp(-u)), [1.7, 2.0]),
    "gau": (Scaled(Gaussian(4, TIMES), True), lambda x: decaying(*x, lambda u: np.exp(-(u**2))), [1.7, 1.4]),
    "cs": (Scaled(Exchangeable(3)), lambda x: exchangeable(x[:3], x[3]), [0.5, 2.0, 1.2, -0.3]),
    "hetar1": (Scaled(Autoregressive(3)), lambda x: autoregressive(x[:3], x[3]), [0.5, 2.0, 1.2, 0.6]),
    "ar1": (Scaled(Autoregressive(4), True), lambda x: autoregressive(np.full(4, x[0]), x[1]), [1.7, -0.6]),
}


@pytest.mark.parametrize("name", CURVED)
def test_variances_and_the_correlation_where_the_matrix_is_not_linear(name) -> None:
    structure, matrix, at = CURVED[name]
    at, h = np.array(at), 1e-4
    found = covariance_derivatives(structure, matrix(at))
    steps = h * np.eye(len(at))
    first = np.array([(matrix(at + step) - matrix(at - step)) / (2 * h) for step in steps])
    change = np.linalg.lstsq(first.reshape(len(at), -1).T, found.first.reshape(len(at), -1).T, rcond=None)[0].T
    np.testing.assert_allclose(found.first, np.einsum("ab,bij->aij", change, first), atol=1e-6)
    assert np.linalg.eigvalsh(found.first).min() > -1e-12
    four = [[matrix(at + s + t) - matrix(at + s - t) - matrix(at - s + t) + matrix(at - s - t) for t in steps]
            for s in steps]  # fmt: skip
    second = np.einsum("ab,cd,bdij->acij", change, change, np.array(four) / (4 * h * h))
    np.testing.assert_allclose(found.second, second, atol=1e-4)


@pytest.mark.parametrize(
    "structure",
    [
        Unstructured(Free(3)),
        Scaled(Independent(3)),
        Scaled(Independent(3), True),
        Scaled(Exchangeable(3), True),
        Scaled(Toeplitz(3), True),
    ],
)
def test_linear_structures_are_sums_of_their_derivatives(structure) -> None:
    theta = np.array([0.7, 0.3, -0.2, 1.1, 0.4, 0.6])[: structure.size]
    root = structure.factor(theta)
    found = covariance_derivatives(structure, root @ root.T)
    assert found.first.shape == (structure.size, 3, 3)
    assert not found.second.any()
    rest = np.linalg.lstsq(found.first.reshape(structure.size, -1).T, (root @ root.T).ravel(), rcond=None)[1]
    assert np.all(rest < 1e-20)


def test_edges_of_curved_structures_have_no_derivatives() -> None:
    found = covariance_derivatives(Scaled(Exchangeable(2)), np.array([[0.0, 0.0], [0.0, 1.0]]))
    assert np.isnan(found.first).any() or np.isnan(found.second).any()
