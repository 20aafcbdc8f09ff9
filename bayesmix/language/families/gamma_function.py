"""The logarithm of the gamma function of positive numbers, differences of it, and their derivatives.

SciPy's polygamma functions of any order take ten times as long as the two that derivatives to third order need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesmix.arrays import Array

STIRLING = 100.0  # from which on the series of the gamma function's logarithm is exact to rounding
SHIFT = 10  # steps up by one after which those of its derivatives are
TINY = 1e-100  # whose inverse cube does not overflow
FEW = 1e-4  # products up to which four terms of a series are exact to rounding
SMALL = 1e-3  # numbers up to which six are
COUNTS = 24.0  # whole numbers up to which sums of their terms take less than functions do ...
POINTS = 8  # ... where each is in so many places ...
LEAST_OF_COUNTS = 1e-10  # ... beside numbers whose products with so many factors do not overflow


def log_gamma(x: Array, order: int) -> list[Array]:
    """``log Gamma(x)`` and its derivatives up to an order, at most the third."""
    from scipy.special import gammaln

    return [gammaln(x), *(polygamma(k, x) for k in range(order))]


def polygamma(k: int, x: Array) -> Array:
    """The digamma function, or its first or second derivative.

    By recurrence to where the asymptotic series is exact (Abramowitz, Stegun 1964, 6.4.6, 6.4.12 and 6.4.13).
    """
    if k == 0:
        from scipy.special import psi

        return np.asarray(psi(x))
    at, total = np.array(x, float), np.zeros(np.shape(x))
    inverse, term = np.empty_like(at), np.empty_like(at)
    for _ in range(SHIFT):
        np.divide(1.0, at, out=inverse)
        np.multiply(inverse, inverse, out=term)
        if k > 1:
            term *= inverse
        total += term
        at += 1.0
    i, q = 1.0 / at, 1.0 / (at * at)
    if k == 1:
        tail = 1 / 6 - q * (1 / 30 - q * (1 / 42 - q * (1 / 30 - q * (5 / 66 - q * (691 / 2730)))))
        return np.asarray(total + i * (1.0 + i * (0.5 + i * tail)))
    tail = 0.5 - q * (1 / 6 - q * (1 / 6 - q * (3 / 10 - q * (5 / 6 - q * (691 / 210)))))
    return np.asarray(-2.0 * total - q * (1.0 + i * (1.0 + i * tail)))


def log_rising(x: Array, y: Array, order: int) -> list[Array]:
    """``log Gamma(x + y) - log Gamma(x) - y log x`` and its derivatives by x up to an order.

    Zero where y is zero or one, as half of all counts may be; by its terms where counts are small; and the same where x
    and y are: of rows with one shape, or one in each group, few are computed.
    """
    if y.ndim != 1 or np.shape(x)[-1:] != y.shape:
        return _rising(x, y, order)
    told = np.flatnonzero((y != 0.0) & (y != 1.0))
    found = np.zeros((order + 1, *x.shape))
    if len(told):
        own, y = np.take(x, told, axis=-1), y[told]
        first, alike = _alike(own, y)
        parts = _of_columns(own[..., first], y[first], order)
        for one, part in zip(found, parts, strict=True):
            one[..., told] = part[..., alike]
    return list(found)


def _of_columns(x: Array, y: Array, order: int) -> Sequence[Array]:
    """The same of columns ``x (..., n)``, those of small counts by their terms."""
    is_small = (y <= COUNTS) & (y == np.floor(y))
    if x.size < POINTS * len(y) or not is_small.any() or not np.min(x) > LEAST_OF_COUNTS:
        return _rising(x, y, order)
    found, others = np.empty((order + 1, *x.shape)), np.flatnonzero(~is_small)
    _put_terms(found, x, y, np.flatnonzero(is_small))
    if len(others):
        for one, part in zip(found, _rising(x[..., others], y[others], order), strict=True):
            one[..., others] = part
    return list(found)


def _put_terms(found: Array, x: Array, y: Array, at: Array) -> None:
    """Put the sums of ``log(1 + j / x)``, j from 1 to y - 1, and their derivatives into columns ``at`` of ``found``.

    A product less one for the logarithms, so that none of what is added is negative; by ``j / (x + j)`` for the others.
    """
    at = at[np.argsort(-y[at], kind="stable")]
    n, order = len(y), len(found) - 1
    inverse = 1.0 / x.reshape(-1, n).T[at]  # columns one below the other: those of larger counts come first
    product, sums = np.zeros_like(inverse), np.zeros((order, *inverse.shape))
    for j in range(1, int(y[at[0]])):
        some = slice(np.count_nonzero(y[at] > j))
        scaled = j * inverse[some]
        product[some] += scaled * (1.0 + product[some])
        if order:
            share = scaled / (1.0 + scaled)
            terms = share, share * (2.0 - share), share * (3.0 - share * (3.0 - share))
            for total, term in zip(sums, terms, strict=False):
                total[some] += term
    factors = (1.0, -inverse, inverse**2, -2.0 * inverse**3)[: order + 1]
    for one, factor, total in zip(found, factors, (np.log1p(product), *sums), strict=True):
        one.reshape(-1, n).T[at] = factor * total


def _alike(x: Array, y: Array) -> tuple[Array | slice, Array | slice]:
    """The first of each kind of columns of ``x (..., n)`` and ``y (n,)``, and the kind of each; all where few agree."""
    _, first, alike = np.unique(x.reshape(-1, len(y))[0] + 1j * y, return_index=True, return_inverse=True)
    if 2 * len(first) > len(y) or not np.array_equal(x, x[..., first[alike]]):
        return slice(None), slice(None)
    return first, alike


def _rising(x: Array, y: Array, order: int) -> list[Array]:
    """The same; differences of large numbers would be noise where x is large: there by Stirling's series."""
    is_large = x >= STIRLING
    if np.all(is_large):
        return _of_large(x, y, order)
    if not np.any(is_large):
        return _of_small(x, y, order)
    if np.broadcast_shapes(x.shape, y.shape) != x.shape:  # one number for many rows, of which both cost little
        small = _of_small(np.minimum(x, STIRLING), y, order)
        large = _of_large(np.maximum(x, STIRLING), y, order)
        return [np.where(is_large, one, other) for one, other in zip(large, small, strict=True)]
    found, at = _of_small(np.minimum(x, STIRLING), y, order), np.nonzero(is_large)
    for one, part in zip(found, _of_large(x[at], np.broadcast_to(y, x.shape)[at], order), strict=True):
        one[at] = part
    return found


def _of_small(x: Array, y: Array, order: int) -> list[Array]:
    from scipy.special import gammaln

    value = gammaln(x + y) - gammaln(x) - y * np.log(x)
    x = np.maximum(x, TINY)
    powers = [y / x, -y / x**2, 2.0 * y / x**3][:order]
    return [value, *(polygamma(k, x + y) - polygamma(k, x) - power for k, power in enumerate(powers))]


def _of_large(x: Array, y: Array, order: int) -> list[Array]:
    total, ratio = x + y, y / x
    logarithm = np.log1p(ratio)
    below, above = stirling(x, order), stirling(total, order)
    first = logarithm - ratio - 0.5 * (1.0 / total - 1.0 / x) if order else ratio
    second = ratio**2 / total + 0.5 * (1.0 / total**2 - 1.0 / x**2)
    third = -(ratio**2) / total * (2.0 / x + 1.0 / total) - (1.0 / total**3 - 1.0 / x**3)
    leading = [(total - 0.5) * logarithm - y, first, second, third][: order + 1]
    return [one + a - b for one, a, b in zip(leading, above, below, strict=True)]


def log_factors(x: Array, y: Array, order: int) -> list[Array]:
    """``log(1 + x) + log(1 + 2 x) + ... + log(1 + (y - 1) x)`` and its derivatives by x up to an order.

    What `log_rising` is of ``1 / x``: also where that is infinite, and where differences of it would be noise.
    """
    is_small = y * x < FEW
    if np.all(is_small):
        return factors_of_small(x, y, order)
    own = np.where(is_small, 1.0, x)
    inverse = 1.0 / own
    value, *slopes = log_rising(inverse, np.asarray(y), order)
    first, second, third = slopes + [np.zeros(())] * (3 - order)
    scaled = inverse * first, inverse**2 * second, inverse**3 * third  # derivatives by the logarithm, but for others
    found = [
        value,
        -inverse * scaled[0],
        inverse**2 * (scaled[1] + 2.0 * scaled[0]),
        -(inverse**3) * (scaled[2] + 6.0 * (scaled[1] + scaled[0])),
    ][: order + 1]
    if not np.any(is_small):
        return found
    small = factors_of_small(np.where(is_small, x, 0.0), y, order)
    return [np.where(is_small, one, other) for one, other in zip(small, found, strict=True)]


def factors_of_small(x: Any, y: Any, order: int) -> list[Any]:
    """By sums of powers of the whole numbers below y."""
    one = 0.5 * y * (y - 1.0)
    two = one * (2.0 * y - 1.0) / 3.0
    three, four = one**2, two * (3.0 * y * (y - 1.0) - 1.0) / 5.0
    return [
        x * (one - x * (two / 2.0 - x * (three / 3.0 - x * (four / 4.0)))),
        one - x * (two - x * (three - x * four)),
        -two + x * (2.0 * three - x * (3.0 * four)),
        2.0 * three - x * (6.0 * four) + 0.0 * x,
    ][: order + 1]


def log1p_over(x: Array, order: int) -> list[Array]:
    """``log(1 + x) / x`` of positive x, and its derivatives up to an order."""
    is_small = x < SMALL
    own = np.where(is_small, 1.0, x)
    inverse = 1.0 / (1.0 + own)
    value = np.log1p(own) / own
    first = (inverse - value) / own
    second = -(inverse**2 + 2.0 * first) / own
    third = (2.0 * inverse**3 - 3.0 * second) / own
    series = log1p_over_small(np.where(is_small, x, 0.0))
    return [np.where(is_small, one, other) for one, other in zip(series, (value, first, second, third), strict=True)][
        : order + 1
    ]


def log1p_over_small(x: Any) -> list[Any]:
    """By its series."""
    return [
        1.0 - x * (1 / 2 - x * (1 / 3 - x * (1 / 4 - x * (1 / 5 - x / 6)))),
        -1 / 2 + x * (2 / 3 - x * (3 / 4 - x * (4 / 5 - x * (5 / 6)))),
        2 / 3 - x * (3 / 2 - x * (12 / 5 - x * (10 / 3))),
        -3 / 2 + x * (24 / 5 - x * 10.0),
    ]


def stirling(x: Any, order: int = 0) -> list[Any]:
    """What ``log Gamma(x)`` is more than ``(x - 1/2) log x - x + log(2 pi) / 2``, and derivatives."""
    inverse = 1.0 / x
    square = inverse * inverse
    value = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0)))
    first = -square * (1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0)))
    second = inverse * square * (1.0 / 6.0 - square * (1.0 / 30.0 - square * (1.0 / 42.0)))
    third = -square * square * (0.5 - square * (1.0 / 6.0 - square * (1.0 / 6.0)))
    return [value, first, second, third][: order + 1]
