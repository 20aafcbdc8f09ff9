"""Logarithms of factorials of counts, which densities of many responses ask for again and again."""

from __future__ import annotations

from functools import cache

import numpy as np

from bayesmix.arrays import Array

LARGEST = 4096  # of the counts that are looked up


def log_factorial(counts: Array) -> Array:
    """``log k!``, and ``log Gamma(k + 1)`` of what is no whole number."""
    from scipy.special import gammaln

    if counts.size > LARGEST and counts.min() >= 0.0 and counts.max() < LARGEST:
        whole = counts.astype(np.int16)
        if np.array_equal(whole, counts):
            return np.asarray(_table()[whole])
    return np.asarray(gammaln(counts + 1.0))


@cache
def _table() -> Array:
    from scipy.special import gammaln

    return np.asarray(gammaln(np.arange(LARGEST) + 1.0))
