"""Weights of rows against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag

from bayesmix.inference.least_squares.row_weights import (
    contract,
    quadratic,
    weigh,
    weigh_columns,
    with_eigenvalues,
)

N, RNG = 5, np.random.default_rng(8)
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def symmetric(R: int) -> np.ndarray:
    """Blocks of any sign."""
    blocks = RNG.normal(size=(R, R, N))
    return blocks + np.swapaxes(blocks, 0, 1)


def dense(blocks: np.ndarray) -> np.ndarray:
    """The whole matrix, entries stacked predictor by predictor."""
    R = len(blocks)
    by_row = block_diag(*np.moveaxis(blocks, -1, 0))
    order = np.arange(R * N).reshape(N, R).T.ravel()
    return by_row[np.ix_(order, order)]


@pytest.mark.parametrize("R", [2, 3])
def test_blocks_are_those_of_a_matrix(R: int) -> None:
    blocks = symmetric(R)
    W, v, columns = dense(blocks), RNG.normal(size=(2, R * N)), RNG.normal(size=(R * N, 4))
    np.testing.assert_allclose(weigh(blocks, v), v @ W, **CLOSE)
    np.testing.assert_allclose(weigh_columns(blocks, columns), W @ columns, **CLOSE)
    np.testing.assert_allclose(quadratic(blocks, v).sum(axis=-1), np.einsum("bi,ij,bj->b", v, W, v), **CLOSE)


def test_numbers_are_blocks_of_one() -> None:
    numbers, v, columns = RNG.normal(size=N), RNG.normal(size=(2, N)), RNG.normal(size=(N, 3))
    blocks, third = numbers[None, None], RNG.normal(size=N)
    np.testing.assert_allclose(weigh(numbers, v), weigh(blocks, v), **CLOSE)
    np.testing.assert_allclose(weigh_columns(numbers, columns), weigh_columns(blocks, columns), **CLOSE)
    np.testing.assert_allclose(quadratic(numbers, v), quadratic(blocks, v), **CLOSE)
    np.testing.assert_allclose(contract(numbers, third), contract(blocks, third[None, None, None]), **CLOSE)


def test_the_contraction_is_the_derivative_of_a_trace() -> None:
    """``sum tr(S_i W_i(eta))`` of weights that are linear in the predictors."""
    S, third = symmetric(2), RNG.normal(size=(2, 2, 2, N))
    found = contract(S, third).reshape(2, N)
    for i in range(N):
        for r in range(2):
            assert found[r, i] == pytest.approx(np.trace(S[:, :, i] @ third[r, :, :, i].T), rel=1e-12)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_changed_eigenvalues_do_not_know_units(unit: float) -> None:
    """Blocks of a mean and of a logarithm, the mean in other units: a floor was all there was of the mean's."""
    units = np.array([unit, 1.0])
    pairs = units[:, None, None] * units[None, :, None]
    blocks = symmetric(2)

    def positive(values: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(values), 1e-8)

    found = with_eigenvalues(blocks, positive)
    np.testing.assert_allclose(with_eigenvalues(blocks * pairs, positive) / pairs, found, rtol=1e-9)
    assert np.linalg.eigvalsh(np.moveaxis(found, -1, 0)).min() > 0.0


def test_eigenvalues_that_stay_leave_blocks_as_they_are() -> None:
    blocks = symmetric(3)
    blocks[0, 0] = 0.0
    np.testing.assert_allclose(with_eigenvalues(blocks, lambda values: values), blocks, **CLOSE)
    turned = with_eigenvalues(np.stack([blocks, 9.0 * blocks]), np.negative)
    np.testing.assert_allclose(turned, [-blocks, -9.0 * blocks], **CLOSE)
