"""Families of correlation matrices: roots, ranges and densities, by dense matrices and quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from bayesmix.inference.parameters.correlation import (
    Autoregressive,
    Correlation,
    Exchangeable,
    Free,
    Independent,
    OneNumber,
)

FAMILIES: list[Correlation] = [
    family(k) for family in (Free, Independent, Exchangeable, Autoregressive) for k in (2, 3, 5)
]
RULED: list[OneNumber] = [family(k) for family in (Exchangeable, Autoregressive) for k in (2, 3, 5)]
NAMES = [f"{type(family).__name__}({family.k})" for family in FAMILIES]
RULED_NAMES = [f"{type(family).__name__}({family.k})" for family in RULED]


def by_definition(family: OneNumber, rho: float) -> np.ndarray:
    lag = np.abs(np.subtract.outer(np.arange(family.k), np.arange(family.k)))
    return rho ** (np.minimum(lag, 1) if isinstance(family, Exchangeable) else lag)


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_roots_are_of_correlation_matrices_and_go_back_to_their_numbers(family: Correlation) -> None:
    partial = np.random.default_rng(1).uniform(-0.9, 0.9, (4, family.size))
    root = family.root(partial)
    matrix = root @ np.swapaxes(root, -1, -2)
    np.testing.assert_allclose(np.diagonal(matrix, axis1=-2, axis2=-1), 1.0, rtol=1e-12)
    assert np.all(np.linalg.eigvalsh(matrix) > 0.0)
    np.testing.assert_allclose(family.partial(matrix), partial, atol=1e-10)
    np.testing.assert_allclose(family.matrix(family.numbers(matrix)), matrix, atol=1e-10)


@pytest.mark.parametrize("family", RULED, ids=RULED_NAMES)
@pytest.mark.parametrize("share", [0.02, 0.4, 0.97])
def test_one_number_rules_the_matrix(family: OneNumber, share: float) -> None:
    rho = family.lowest + share * (1.0 - family.lowest)
    right = by_definition(family, rho)
    np.testing.assert_allclose(family.matrix(np.array([rho])), right, atol=1e-12)
    root, slope = family.at_angle(family.angle(np.array(rho)))
    np.testing.assert_allclose(root @ root.T, right, atol=1e-12)
    h = 1e-6
    ahead, behind = (family.at_angle(family.angle(np.array(rho)) + step)[0] for step in (h, -h))
    np.testing.assert_allclose(slope, (ahead - behind) / (2.0 * h), atol=1e-8)


@pytest.mark.parametrize("family", RULED, ids=RULED_NAMES)
def test_ends_of_the_range_are_singular_matrices(family: OneNumber) -> None:
    for rho in (family.lowest, 1.0):
        assert np.linalg.eigvalsh(by_definition(family, rho))[0] == pytest.approx(0.0, abs=1e-12)
        angle = family.angle(np.array(rho))
        assert family.edges(angle).min() == pytest.approx(0.0, abs=1e-7)
        root, _ = family.at_angle(angle)
        np.testing.assert_allclose(root @ root.T, by_definition(family, rho), atol=1e-7)


@pytest.mark.parametrize("eta", [1.0, 2.5])
@pytest.mark.parametrize("family", RULED, ids=RULED_NAMES)
def test_the_prior_of_the_number_is_lkj_on_the_matrices_of_the_family(family: OneNumber, eta: float) -> None:
    """Its distribution function by quadrature of ``|R|^(eta - 1)``, at a third of the range."""

    def density(rho: float) -> float:
        return float(np.linalg.det(by_definition(family, rho)) ** (eta - 1.0))

    middle = family.lowest + (1.0 - family.lowest) / 3.0
    (below, _), (whole, _) = quad(density, family.lowest, middle), quad(density, family.lowest, 1.0)
    (a,), (b,) = family.beta(eta)
    assert beta(a, b).cdf(1.0 / 3.0) == pytest.approx(below / whole, rel=1e-7)


def test_numbers_of_free_matrices_are_their_entries_column_by_column() -> None:
    matrix = np.array([[1.0, 0.1, 0.2], [0.1, 1.0, 0.3], [0.2, 0.3, 1.0]])
    np.testing.assert_array_equal(Free(3).numbers(matrix), [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(Independent(3).numbers(matrix), np.zeros(0))
