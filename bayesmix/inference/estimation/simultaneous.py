"""Distributions of the largest of several t statistics: the studentized range, and the multivariate t by directions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from bayesmix.arrays import Array

POINTS = 32768  # of the lattice over directions: probabilities are right to 1e-5 (few tests) to 3e-4 (thirty)
BINS = 1024  # of these points, of which the probability is a smooth function
RANK = 1e-10  # of a correlation matrix, relative to its largest eigenvalue
REACH = 8.5  # standard deviations to either side over which normal densities are integrated
STEPS = 100  # of a search, which takes about eight
CLOSE = 1e-9  # relative error of a probability at which it ends
WIDEST = 1e6  # statistic within which quantiles are searched


def studentized_range(q: float, means: int, df: float) -> float:
    """Probability that the studentized range of independent means is larger: ``P(Q > q)``.

    Two nested Gauss-Legendre rules: over the largest mean, and over the standard deviation.
    """
    if not math.isfinite(q):
        return 0.0 if q > 0.0 else math.nan
    if math.isinf(df):
        return float(1.0 - _range(np.array([q]), means)[0])
    from scipy.special import chdtri, gammaln

    tails = np.sqrt(chdtri(df, [1.0 - 1e-15, 1e-15]) / df)
    s, weight = _legendre(float(tails[0]), float(tails[1]), 128)
    log_density = (
        math.log(2.0) + 0.5 * df * math.log(0.5 * df) - gammaln(0.5 * df) + (df - 1.0) * np.log(s) - 0.5 * df * s**2
    )
    density = weight * np.exp(log_density)
    return float(np.clip(density @ (1.0 - _range(q * s, means)), 0.0, 1.0))


def _range(widths: Array, means: int) -> Array:
    """Probability that the range of standard normal means is at most each of ``widths (r,)``."""
    from scipy.special import ndtr

    z, weight = _legendre(-REACH, REACH, 128)
    weight = weight * np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    inside = np.maximum(ndtr(z) - ndtr(z - widths[:, None]), 0.0)
    return np.asarray(means * (inside ** (means - 1) @ weight))


def _legendre(low: float, high: float, points: int) -> tuple[Array, Array]:
    nodes, weights = _on_unit(points)
    half = 0.5 * (high - low)
    return low + half * (nodes + 1.0), half * weights


@cache
def _on_unit(points: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(points)


@dataclass(frozen=True, slots=True, eq=False)
class LargestOfSeveral:
    """The largest absolute value of correlated t statistics.

    They are ``r a_j'u``: u uniform on the sphere of as many dimensions as the correlation matrix ``a a'`` has ranks,
    and ``r^2 / rank`` an F. Given u the probability is that of F, which is averaged over the points of a lattice.
    """

    rank: int
    reach: Array  # (BINS,) largest of the |a_j'u|: means of the points in their order, as many in each

    @classmethod
    def of(cls, correlation: Array) -> LargestOfSeveral:
        """From a correlation matrix ``(m, m)``, singular or not."""
        values, vectors = np.linalg.eigh(correlation)
        kept = values > RANK * values.max()
        root = vectors[:, kept] * np.sqrt(values[kept])
        reach = np.sort(np.max(np.abs(_directions(root.shape[1]) @ root.T), axis=1))
        return cls(root.shape[1], reach.reshape(BINS, -1).mean(axis=1))

    def above(self, c: float, df: float) -> float:
        """``P(max_j |T_j| > c)``."""
        from scipy.special import chdtrc, fdtrc

        if math.isnan(c) or math.isnan(df):
            return math.nan
        squared = (c / self.reach) ** 2
        if math.isinf(df):
            return float(np.mean(chdtrc(self.rank, squared)))
        return float(np.mean(fdtrc(self.rank, df, squared / self.rank)))


@cache
def _directions(dimensions: int) -> Array:
    """Points of a lattice on the sphere, Gaussian by their coordinates: ``(POINTS, dimensions)``."""
    from scipy.special import ndtri

    roots = np.sqrt([number for number in range(2, 12 * dimensions + 20) if _is_prime(number)][:dimensions])
    unit = np.mod(np.arange(1, POINTS + 1)[:, None] * roots, 1.0)
    normal = ndtri(np.clip(unit, 1e-12, 1.0 - 1e-12))
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))


def _is_prime(number: int) -> bool:
    return all(number % other for other in range(2, math.isqrt(number) + 1))


def quantile_of(above: Callable[[float], float], level: float) -> float:
    """Where the probability of more falls to ``1 - level``: a secant on its logarithm, kept in its bracket."""

    def excess(c: float) -> float:
        return math.log(max(above(c), 1e-300) / (1.0 - level))

    low, high = 0.0, 4.0
    at_low, at_high = -math.log(1.0 - level), excess(high)
    while at_high > 0.0 and high < WIDEST:
        low, at_low, high = high, at_high, 2.0 * high
        at_high = excess(high)
    for _ in range(STEPS):
        middle = high - at_high * (high - low) / (at_high - at_low)
        value = excess(middle)
        if abs(value) < CLOSE or high - low < CLOSE * high:
            return middle
        if value > 0.0:
            low, at_low, at_high = middle, value, 0.5 * at_high  # Illinois: halved where an end stays
        else:
            high, at_high, at_low = middle, value, 0.5 * at_low
    return math.nan
