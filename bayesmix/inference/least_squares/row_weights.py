"""Weights of rows: numbers ``(..., N)`` where a row has one linear predictor, symmetric blocks ``(R, R, n)`` elsewhere.

Entries of rows are stacked predictor by predictor, ``N = R n``. Blocks need not be positive: the observed information
of a row seldom is, where a row has several predictors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesmix.arrays import Array

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


def contract(forms: Array, third: Array) -> Array:
    """Derivative ``(N,)`` of ``sum tr(S_i dW_i)`` by the predictors: ``forms`` as weights are, third derivatives."""
    if forms.ndim < BLOCKS:
        return np.asarray(forms * third)
    return np.asarray(np.einsum("stn,rstn->rn", forms, third)).reshape(-1)


def quadratic(weights: Array, values: Array) -> Array:
    """``v_i' W_i v_i`` of each row: ``(..., n)``."""
    if weights.ndim < BLOCKS:
        return np.asarray(weights * values * values)
    R, _, n = weights.shape
    by_row = values.reshape(*values.shape[:-1], R, n)
    return np.asarray(np.einsum("...rn,rsn,...sn->...n", by_row, weights, by_row))


def with_eigenvalues(weights: Array, change: Callable[[Array], Array]) -> Array:
    """Blocks ``(..., R, R, n)`` whose eigenvalues ``(..., R)`` have been changed, each predictor in a unit of its own.

    That is its root mean information over the rows: beside a mean in thousands a logarithm has eigenvalues that are
    millions of times as large, and what is little of these is not little of that.
    """
    unit = np.sqrt(np.mean(np.abs(np.diagonal(weights, axis1=-3, axis2=-2)), axis=-2))  # (..., R)
    unit = np.where(unit > 0.0, unit, 1.0)
    pairs = unit[..., :, None] * unit[..., None, :]
    values, vectors = np.linalg.eigh(np.moveaxis(weights / pairs[..., None], -1, 0))
    changed = (vectors * change(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return np.moveaxis(changed * pairs, 0, -1)
