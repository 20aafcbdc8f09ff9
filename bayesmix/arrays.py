"""The array type of every stage."""

from __future__ import annotations

from functools import cache

import numpy as np

Array = np.ndarray


@cache
def upper_triangle(k: int) -> tuple[Array, Array]:
    """Rows and columns of the upper triangle of a ``(k, k)`` matrix, row by row."""
    return np.triu_indices(k)
