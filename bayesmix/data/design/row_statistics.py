"""Means and standard deviations of columns, over the rows of the data that each row stands for."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array


def mean(values: Array, counts: Array | None, *, axis: int = 0) -> Array:
    """Means over rows, which lie along an axis of the values.

    Parameters
    ----------
    counts : (n,) rows that each stands for; None where each is one.
    """
    if counts is None or values.shape[axis] == 1:  # a single value is that of all
        return np.asarray(values.mean(axis=axis))
    return np.asarray(np.average(values, axis=axis, weights=counts))


def spread(values: Array, counts: Array | None, *, ddof: int = 0, axis: int = 0) -> Array:
    """Standard deviations over rows, ``ddof`` less than their number in the denominator."""
    if counts is None:
        return np.asarray(values.std(axis=axis, ddof=ddof))
    centred = values - np.expand_dims(mean(values, counts, axis=axis), axis)
    n = counts.sum()
    return np.sqrt(mean(centred**2, counts, axis=axis) * n / (n - ddof))


def variance(values: Array, counts: Array | None) -> Array:
    """Variances over rows ``(..., n)``, one less than their number in the denominator."""
    return np.asarray(values.var(axis=-1, ddof=1)) if counts is None else spread(values, counts, ddof=1, axis=-1) ** 2
