"""Weights of rows: numbers ``(..., N)`` where a row has one linear predictor, symmetric blocks ``(R, R, n)`` elsewhere.

Entries of rows are stacked predictor by predictor, ``N = R n``. Blocks need not be positive: the observed information
of a row seldom is, where a row has several predictors.
"""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.third_derivatives import LocalThird

BLOCKS = 3  # axes of blocks


def weigh(weights: Array, values: Array) -> Array:
    """``W v`` of each row: ``(..., N)``."""
    if weights.ndim < BLOCKS:
        return np.asarray(weights * values)
    R, _, n = weights.shape
    by_row = values.reshape(*values.shape[:-1], R, n)
    return np.asarray(np.einsum("rsn,...sn->...rn", weights, by_row)).reshape(values.shape)


def weigh_columns(weights: Array, columns: Array) -> Array:
    """``W c`` of columns ``(N, c)``."""
    if weights.ndim < BLOCKS:
        return np.asarray(columns * weights[..., None])
    return weigh(weights, columns.T).T


def contract(forms: Array, third: Array | LocalThird) -> Array:
    """Derivative ``(N,)`` of ``sum tr(S_i dW_i)`` by the predictors: ``forms`` as weights are, third derivatives."""
    if isinstance(third, LocalThird):
        return third.contract(forms)
    if forms.ndim < BLOCKS:
        return np.asarray(forms * third)
    return np.asarray(np.einsum("stn,rstn->rn", forms, third)).reshape(-1)
