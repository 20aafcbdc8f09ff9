"""Cholesky factors of correlation matrices from canonical partial correlations.

Under LKJ(eta) the partial correlations of the C-vine are independent, ``(1 + rho) / 2 ~ Beta(a, a)`` with
``a = eta + (k - 2 - j) / 2`` in column ``j`` (Lewandowski, Kurowicka, Joe 2009, J. Multivar. Anal. 100, section 2.4).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array


def positions(k: int) -> list[tuple[int, int]]:
    """Row and column of each partial correlation: below the diagonal, column by column."""
    return [(i, j) for j in range(k - 1) for i in range(j + 1, k)]


def beta_parameters(k: int, eta: float) -> Array:
    """Parameter of the symmetric Beta distribution of each partial correlation."""
    return np.array([eta + 0.5 * (k - 2 - j) for _, j in positions(k)])


def build_cholesky(partial: Any, k: int, *, sqrt: Any, one: Any) -> list[list[Any]]:
    """Rows of the Cholesky factor, from partial correlations that support arithmetic: arrays or symbols.

    ``partial[m]`` is the correlation at ``positions(k)[m]``.
    """
    index = {position: m for m, position in enumerate(positions(k))}
    rows = []
    for i in range(k):
        left, row = one, []
        for j in range(i):
            rho = partial[index[i, j]]
            row.append(rho * sqrt(left))
            left = left * (1.0 - rho**2)
        rows.append([*row, sqrt(left)])
    return rows


def to_cholesky(partial: Array, k: int) -> Array:
    """Cholesky factors ``(..., k, k)`` from partial correlations ``(..., k (k - 1) / 2)``."""
    moved = np.moveaxis(partial, -1, 0)
    rows = build_cholesky(moved, k, sqrt=np.sqrt, one=np.ones(partial.shape[:-1]))
    factor = np.zeros((*partial.shape[:-1], k, k))
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            factor[..., i, j] = value
    return factor


def to_partial(factor: Array) -> Array:
    """Partial correlations ``(..., k (k - 1) / 2)`` of Cholesky factors of correlation matrices ``(..., k, k)``."""
    k = factor.shape[-1]
    left = np.ones(factor.shape[:-1])  # per row, what the columns so far have not explained
    partial = []
    for j in range(k - 1):
        with np.errstate(divide="ignore", invalid="ignore"):
            column = np.where(left > 0.0, factor[..., :, j] / np.sqrt(left), 0.0)
        partial += [column[..., i] for i in range(j + 1, k)]
        left = left - factor[..., :, j] ** 2
    return np.clip(np.stack(partial, axis=-1), -1.0, 1.0) if partial else np.zeros((*factor.shape[:-2], 0))


def partial_autocorrelations(lags: Array) -> Array:
    """Partial autocorrelations ``(..., n)`` of correlations by lag ``(..., n)``, by Durbin and Levinson's recursion."""
    found = np.zeros(lags.shape)
    weights, left = lags[..., :0], np.ones(lags.shape[:-1])  # of the best prediction, and its variance
    for m in range(lags.shape[-1]):
        rest = lags[..., m] - np.sum(weights * lags[..., :m][..., ::-1], axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            phi = np.clip(np.where(left > 0.0, rest / left, 0.0), -1.0, 1.0)
        weights = np.concatenate([weights - phi[..., None] * weights[..., ::-1], phi[..., None]], axis=-1)
        left = left * (1.0 - phi**2)
        found[..., m] = phi
    return found
