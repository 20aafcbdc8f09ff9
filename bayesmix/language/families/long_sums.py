"""Sums of a smooth term over many whole numbers, by few of its values.

Gauss's rule for the sum over ``m`` whole numbers, as Legendre's is for an integral: its polynomials are those of
Chebyshev (Gram), of recurrence ``b_k = k^2 (m^2 - k^2) / (4 (4 k^2 - 1))`` (Gautschi 2004, *Orthogonal Polynomials*,
table 1.2), and with ``q`` points it is exact up to degree ``2 q - 1``. Terms next to an end are added one by one, and
blocks double from there, so that a term may fall as it likes at one end, and be singular beyond the other. A tail that
is negligible at its far end has no other end, and its first block is as long as its terms are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.taylor import value_of

POINTS = 16  # of a block
SINGLE = 32  # terms from either end that are added one by one
LEAST = 5e-17  # of what is left beside a tail: rounding
NEGLIGIBLE = 45.0  # of the logarithm of a term
FAR = 6.0  # standard deviations
ALIKE = 8.0  # largest difference of the logarithms of terms of the first block


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
    sizes = _doubling(count // 2, 1)
    return _in_blocks([*sizes, *[1] * (count % 2), *sizes[::-1]])


@lru_cache(maxsize=4096)
def rule_from_one_end(count: int, first: int) -> tuple[Array, Array]:
    """The same where nothing is at the other end, of terms whose first ones are alike."""
    return _in_blocks(_doubling(count, first))


def _doubling(count: int, first: int) -> list[int]:
    sizes, begin = [], 0
    while begin < count:
        size = first if begin < max(first, SINGLE if first == 1 else 0) else begin
        sizes.append(min(size, count - begin))
        begin += sizes[-1]
    return sizes


def _in_blocks(sizes: list[int]) -> tuple[Array, Array]:
    begins = np.cumsum([0, *sizes])[:-1]
    parts = [block(size) for size in sizes]
    places = np.concatenate([begin + own for begin, (own, _) in zip(begins, parts, strict=True)] or [np.zeros(0)])
    return places, np.log(np.concatenate([weights for _, weights in parts] or [np.zeros(0)]))


def log_tails(
    log_density: Callable[[Any], Any],
    y: Array,
    beyond: Array,
    is_low: Array,
    spread: Array | None = None,
    base: Callable[[Array], Array] | None = None,
) -> tuple[Any, Any]:
    """Logarithms of ``P(up to y)`` and ``P(beyond y)``, on arrays and polynomials ``(..., n)``.

    The side is added up that has no peak of the density inside; the other one is what is left.

    Parameters
    ----------
    log_density : of counts ``(..., n)``, which need not be whole, but for ``base`` of them, which no parameter changes.
    y, beyond : counts, and how many there are beyond each: ``(..., n)``.
    is_low : whether the side up to ``y`` has no peak inside ``(..., n)``.
    spread : standard deviations ``(..., n)`` of a density whose logarithm falls ever faster from its peak down, and
        that is negligible where ``beyond`` ends. None: nothing is known of it.
    """
    lengths = np.maximum(np.where(is_low, y + 1.0, beyond), 1.0)
    towards = np.where(is_low, -1.0, 1.0)
    begin = np.where(is_low, y, y + 1.0)
    first = np.zeros(lengths.shape)  # of the first block; 0 where both ends count
    if spread is not None:

        def whole(k: Array) -> Array:
            return np.asarray(value_of(log_density(k)) + (0.0 if base is None else base(k)))

        first = _first_block(whole, begin, towards, lengths, spread)
    kinds, which = _kinds(lengths, first, begin, towards)
    found = [rule_from_one_end(int(n), int(m)) if m else rule(int(n)) for n, m, *_ in kinds]
    M = max(len(places) for places, _ in found)
    counts, log_weights = np.zeros((M, len(found))), np.full((M, len(found)), -np.inf)
    for j, ((own, weights), (_, _, start, sign)) in enumerate(zip(found, kinds, strict=True)):
        counts[:, j] = start
        counts[: len(own), j] += sign * own
        log_weights[: len(own), j] = weights if base is None else weights + base(start + sign * own)

    def term(k: Any) -> tuple[Any, Any]:
        rows = np.asarray(k, int).reshape(-1) if np.ndim(k) else int(k)
        weights = log_weights[rows][..., which]
        counted = weights > -np.inf
        return log_density(counts[rows][..., which]) + np.where(counted, weights, 0.0), counted

    one = NUMERIC.log_sum(term, M - 1)
    rest = NUMERIC.log1mexp(NUMERIC.minimum(one, -LEAST))
    return NUMERIC.where(is_low, one, rest), NUMERIC.where(is_low, rest, one)


def _kinds(*columns: Array) -> tuple[Array, Array]:
    """Rows of what differs in any of the columns ``(m, columns)``, and which of them each place has."""
    code = np.zeros(columns[0].size, np.int64)
    for column in columns:
        values, own = np.unique(column, return_inverse=True)
        _, code = np.unique(code * len(values) + own.ravel(), return_inverse=True)
    _, place = np.unique(code, return_index=True)
    return np.stack([column.ravel()[place] for column in columns], axis=-1), code.reshape(columns[0].shape)


def _first_block(
    log_density: Callable[[Any], Any], begin: Array, towards: Array, lengths: Array, spread: Array
) -> Array:
    """How many terms from the near end on are alike, a power of two; 0 where the far end is not negligible."""
    near, end = log_density(begin), log_density(begin + towards * (lengths - 1.0))
    with np.errstate(divide="ignore"):
        alike = ALIKE / np.abs(log_density(np.maximum(begin + towards, 0.0)) - near)
    size = np.exp2(np.floor(np.log2(np.clip(np.minimum(alike, 0.5 * spread), 1.0, 0.5 * lengths + 1.0))))
    is_far = (lengths > FAR * spread) & (end < near - NEGLIGIBLE)
    return np.where((size >= 1.0) & ((towards > 0.0) | is_far), size, 0.0)  # no number where a density has none
