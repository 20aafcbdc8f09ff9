"""Restriction matrices of nested column spaces."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.inference.estimation.restriction import restriction

RNG = np.random.default_rng(1)
X = RNG.normal(size=(30, 5))


@pytest.mark.parametrize(
    "B", [np.eye(5)[:, :3], RNG.normal(size=(5, 2)), np.tile(RNG.normal(size=(5, 1)), 2), np.eye(5)]
)
def test_the_smaller_model_is_where_restrictions_hold(B: np.ndarray) -> None:
    """``X beta`` is in the space of the smaller model's columns exactly where ``L beta = 0``."""
    L = restriction(X, X @ B)
    rank = np.linalg.matrix_rank(B)
    assert L.shape == (5 - rank, 5)
    np.testing.assert_allclose(L @ B, 0.0, atol=1e-12)
    np.testing.assert_allclose(L @ L.T, np.eye(5 - rank), atol=1e-12)


def test_without_columns_all_coefficients_are_zero() -> None:
    assert np.linalg.matrix_rank(restriction(X, np.zeros((30, 0)))) == 5
