"""Weights of rows against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag

from bayesmix.inference.least_squares.row_weights import (
    contract,
    weigh,
    weigh_columns,
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


def test_numbers_are_blocks_of_one() -> None:
    numbers, v, columns = RNG.normal(size=N), RNG.normal(size=(2, N)), RNG.normal(size=(N, 3))
    blocks, third = numbers[None, None], RNG.normal(size=N)
    np.testing.assert_allclose(weigh(numbers, v), weigh(blocks, v), **CLOSE)
    np.testing.assert_allclose(weigh_columns(numbers, columns), weigh_columns(blocks, columns), **CLOSE)
    np.testing.assert_allclose(contract(numbers, third), contract(blocks, third[None, None, None]), **CLOSE)


def test_the_contraction_is_the_derivative_of_a_trace() -> None:
    """``sum tr(S_i W_i(eta))`` of weights that are linear in the predictors."""
    S, third = symmetric(2), RNG.normal(size=(2, 2, 2, N))
    found = contract(S, third).reshape(2, N)
    for i in range(N):
        for r in range(2):
            assert found[r, i] == pytest.approx(np.trace(S[:, :, i] @ third[r, :, :, i].T), rel=1e-12)
