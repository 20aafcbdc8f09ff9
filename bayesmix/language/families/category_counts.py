"""Counts of several categories in a row, as one number.

With ``n`` in all, the counts ``c_1 .. c_(K-1)`` of the categories after the first are the digits of a number to the
base ``n + 1``, the lowest first; the count of the first category is what they leave of ``n``. As such numbers they are
a response like any other: taken by rows, drawn, stored, fitted again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family
from bayesmix.language.families.support import COUNTABLE


def coded(counts: Array) -> Array:
    """Numbers ``(...,)`` of counts ``(..., K)``."""
    base = counts.sum(axis=-1) + 1.0
    total = np.zeros(counts.shape[:-1])
    for k in reversed(range(1, counts.shape[-1])):
        total = total * base + counts[..., k]
    return total


def digits(y: Any, trials: Any, K: int) -> list[Any]:
    """The counts of each of ``K`` categories, of arrays and symbols alike."""
    found: list[Any] = []
    for _ in range(K - 2):
        rest = y // (trials + 1.0)
        found.append(y - rest * (trials + 1.0))
        y = rest
    found.append(y)
    return [trials - sum(found[1:], start=found[0]), *found]


def counts_of(y: Array, trials: Array, K: int) -> Array:
    """Counts ``(..., K)`` of numbers ``(...,)``."""
    return np.stack(np.broadcast_arrays(*digits(y, trials, K)), axis=-1)


def units(trials: Array, K: int) -> Array:
    """What one of each category is in the number of a row ``(K, ...)``."""
    powers = [(np.asarray(trials) + 1.0) ** k for k in range(K - 1)]
    return np.stack([np.zeros(np.shape(trials)), *powers])


def most_trials(K: int) -> int:
    """The largest number of trials at which all sets of counts are different numbers as floats."""
    found = int(COUNTABLE ** (1.0 / (K - 1))) + 1
    while (found + 1) ** (K - 1) > COUNTABLE:
        found -= 1
    return found


def by_category(family: Family, y: Array, trials: Array) -> Array:
    """How often each category occurs in each row ``(..., K)``: once, where a row is of one category."""
    K = len(family.levels)
    if family.has_category_counts:
        return counts_of(y, trials, K)
    return np.asarray(y[..., None] == np.arange(K), float)
