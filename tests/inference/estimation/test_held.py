"""Roots with a parameter held: their covariances have it, their free numbers go back, their slopes are differences."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from dense import central

from bayesmix.inference.estimation.held import Unheld, coordinate_of, held_number, held_sd, number_of, triangular
from bayesmix.inference.parameters.correlation import Autoregressive, Exchangeable, Free, Independent
from bayesmix.inference.parameters.covariance import Scaled, Structure, Unstructured

RNG = np.random.default_rng(3)
C = np.linalg.qr(RNG.normal(size=(3, 3)))[1] + 2.0 * np.eye(3)  # upper triangular, as whitening makes them
DIAGONAL = np.diag([0.5, 2.0, 3.0])
STRUCTURES: dict[str, tuple[Structure, np.ndarray]] = {
    "unstructured": (Unstructured(Free(3)), C),
    "independent": (Scaled(Independent(3)), DIAGONAL),
    "compound symmetry": (Scaled(Exchangeable(3)), DIAGONAL),
    "autoregression": (Scaled(Autoregressive(3)), DIAGONAL),
}
CORRELATED = ["unstructured", "compound symmetry", "autoregression"]


def covariance(name: str) -> np.ndarray:
    """One that the structure can have, in user's units."""
    structure, change = STRUCTURES[name]
    factor = structure.factor(0.4 + 0.5 * np.random.default_rng(4).uniform(size=structure.size))
    return change @ factor @ factor.T @ change.T


def relative_factor(name: str) -> np.ndarray:
    _, change = STRUCTURES[name]
    return np.linalg.solve(change, np.linalg.cholesky(covariance(name)))


def held_at(name: str, what: Any) -> tuple[Any, float, float]:
    """The root, the held number, and the standard deviation or correlation it stands for."""
    structure, change = STRUCTURES[name]
    matrix = covariance(name)
    sd = np.sqrt(np.diagonal(matrix))
    if isinstance(what, int):
        return held_sd(structure, change, what), float(sd[what]), float(sd[what])
    i, j = what
    rho = float(matrix[i, j] / (sd[i] * sd[j]))
    number = list(combinations(range(structure.k), 2)).index(what)
    held = coordinate_of(structure, number, rho if i + 1 == j else rho_next(name))
    return held_number(structure, change, number), held, rho


def rho_next(name: str) -> float:
    matrix = covariance(name)
    return float(matrix[1, 0] / np.sqrt(matrix[0, 0] * matrix[1, 1]))


CASES = [
    *((name, effect) for name in STRUCTURES for effect in range(3)),
    *(("unstructured", pair) for pair in [(0, 1), (1, 2)]),
    *((name, (0, 1)) for name in CORRELATED[1:]),
]


def parameter(matrix: np.ndarray, what: Any) -> float:
    if isinstance(what, int):
        return float(np.sqrt(matrix[what, what]))
    i, j = what
    return float(matrix[i, j] / np.sqrt(matrix[i, i] * matrix[j, j]))


@pytest.mark.parametrize(("name", "what"), CASES)
def test_free_numbers_go_back_to_the_covariance(name: str, what: Any) -> None:
    root, held, _ = held_at(name, what)
    free = root.free(relative_factor(name))
    assert len(free) == root.size == STRUCTURES[name][0].size - 1
    own = STRUCTURES[name][1] @ root.factor(free, held)
    np.testing.assert_allclose(own @ own.T, covariance(name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "what"), CASES)
def test_what_is_held_stays_wherever_the_free_numbers_go(name: str, what: Any) -> None:
    root, held, value = held_at(name, what)
    free = root.free(relative_factor(name))
    for seed in range(5):
        moved = free + 0.3 * np.random.default_rng(seed).normal(size=len(free))
        own = STRUCTURES[name][1] @ root.factor(moved, held)
        assert parameter(own @ own.T, what) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(("name", "what"), CASES)
def test_pulls_are_derivatives(name: str, what: Any) -> None:
    """Of a linear function of the factor's entries."""
    root, held, _ = held_at(name, what)
    free, weights = root.free(relative_factor(name)), np.random.default_rng(5).normal(size=(3, 3))

    def value(x: np.ndarray) -> float:
        return float(np.sum(weights * root.factor(x[:-1], x[-1])))

    by_free, by_held = root.pull(free, held, weights)
    np.testing.assert_allclose(np.append(by_free, by_held), central(value, np.append(free, held)), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_term_with_nothing_held(name: str) -> None:
    structure, change = STRUCTURES[name]
    root = Unheld(structure, change)
    free = root.free(relative_factor(name))
    assert root.size == structure.size
    own = root.factor(free, 9.9)
    np.testing.assert_allclose(own @ own.T, relative_factor(name) @ relative_factor(name).T, rtol=1e-9, atol=1e-12)
    weights = np.random.default_rng(5).normal(size=(3, 3))
    by_free, by_held = root.pull(free, 9.9, weights)
    np.testing.assert_allclose(
        by_free, central(lambda x: float(np.sum(weights * root.factor(x, 9.9))), free), rtol=1e-6, atol=1e-8
    )
    assert by_held == 0.0


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.7])
@pytest.mark.parametrize("name", CORRELATED)
def test_angles_and_correlations_are_inverses(name: str, rho: float) -> None:
    structure, _ = STRUCTURES[name]
    assert number_of(structure, 0, coordinate_of(structure, 0, rho)) == pytest.approx(rho, abs=1e-12)


def test_triangular_roots_are_of_the_same_matrix() -> None:
    root = RNG.normal(size=(3, 3))
    found = triangular(root)
    np.testing.assert_array_equal(found, np.tril(found))
    np.testing.assert_allclose(found @ found.T, root @ root.T, rtol=1e-9)
    assert triangular(found) is found
