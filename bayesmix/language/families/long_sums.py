"""Sums of a smooth term over many whole numbers, by few of its values.

Gauss's rule for the sum over ``m`` whole numbers, as Legendre's is for an integral: its polynomials are those of
Chebyshev (Gram), of recurrence ``b_k = k^2 (m^2 - k^2) / (4 (4 k^2 - 1))`` (Gautschi 2004, *Orthogonal Polynomials*,
table 1.2), and with ``q`` points it is exact up to degree ``2 q - 1``. Terms next to an end are added one by one, and
blocks double from there, so that a term may fall as it likes at one end, and be singular beyond the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.namespaces import NUMERIC

POINTS = 16  # of a block
SINGLE = 32  # terms from either end that are added one by one
LEAST = 5e-17  # of what is left beside a tail: rounding


@lru_cache(maxsize=4096)
def block(size: int) -> tuple[Array, Array]:
    """Places in ``0 .. size - 1`` and their weights, which add up to ``size``."""
    if size <= POINTS:
        return np.arange(float(size)), np.ones(size)
    k = np.arange(1.0, POINTS)
    beside = np.sqrt(k**2 * (float(size) ** 2 - k**2) / (4.0 * (4.0 * k**2 - 1.0)))
    places, vectors = np.linalg.eigh(np.diag(beside, 1) + np.diag(beside, -1))
    return places + 0.5 * (size - 1.0), size * vectors[0] ** 2


@lru_cache(maxsize=4096)
def rule(count: int) -> tuple[Array, Array]:
    """Places and log weights of a sum over ``0 .. count - 1``: as many as its logarithm, from `SINGLE` on."""
    ends, begin, size = [], 0, 1
    while begin < count // 2:
        ends.append((begin, min(size, count // 2 - begin)))
        begin += ends[-1][1]
        size = 1 if begin < SINGLE else begin
    sizes = [size for _, size in ends]
    sizes += [1] * (count % 2) + sizes[::-1]
    begins = np.cumsum([0, *sizes])[:-1]
    parts = [block(size) for size in sizes]
    places = np.concatenate([begin + own for begin, (own, _) in zip(begins, parts, strict=True)] or [np.zeros(0)])
    return places, np.log(np.concatenate([weights for _, weights in parts] or [np.zeros(0)]))


def log_tails(log_density: Callable[[Any], Any], y: Array, beyond: Array, is_low: Array) -> tuple[Any, Any]:
    """Logarithms of ``P(up to y)`` and ``P(beyond y)``, on arrays and polynomials ``(..., n)``.

    The side is added up that has no peak of the density inside; the other one is what is left.

    Parameters
    ----------
    log_density : of counts ``(..., n)``, which need not be whole.
    y, beyond : counts, and how many there are beyond each: ``(..., n)``.
    is_low : whether the side up to ``y`` has no peak inside ``(..., n)``.
    """
    lengths = np.maximum(np.where(is_low, y + 1.0, beyond), 1.0)
    different, which = np.unique(lengths, return_inverse=True)
    which, first = which.reshape(lengths.shape), np.where(is_low, 0.0, y + 1.0)
    found = [rule(int(length)) for length in different]
    M = max(len(places) for places, _ in found)
    places, log_weights = np.zeros((M, len(found))), np.full((M, len(found)), -np.inf)
    for j, (own, weights) in enumerate(found):
        places[: len(own), j], log_weights[: len(own), j] = own, weights

    def term(k: Any) -> tuple[Any, Any]:
        rows = np.asarray(k, int).reshape(-1) if np.ndim(k) else int(k)
        weights = log_weights[rows][..., which]
        counts = weights > -np.inf
        return log_density(first + places[rows][..., which]) + np.where(counts, weights, 0.0), counts

    one = NUMERIC.log_sum(term, M - 1)
    rest = NUMERIC.log1mexp(NUMERIC.minimum(one, -LEAST))
    return NUMERIC.where(is_low, one, rest), NUMERIC.where(is_low, rest, one)
