"""Eigenvalues of the information ``(..., R, R, n)`` of rows, each predictor in a unit of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesmix.arrays import Array


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
