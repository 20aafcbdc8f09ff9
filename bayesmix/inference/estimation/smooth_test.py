"""Tests of whole smooths: that a curve is zero, by its Bayesian covariance, or by the spread of its coefficients.

References
----------
Wood (2013), On p-values for smooth components of an extended generalized additive model, Biometrika 100, 221-228.
Wood (2013), A simple test for random effects in regression models, Biometrika 100, 1005-1010.
Imhof (1961), Computing the distribution of quadratic forms in normal variables, Biometrika 48, 419-426.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array

POINTS = 48  # of the quadrature over directions, in each of two
RANK = 1e-14  # of a covariance, relative to its largest eigenvalue
NONE = 1e-12  # eigenvalues of a spread that are rounding, relative to the largest one


@dataclass(frozen=True, slots=True)
class SmoothTest:
    """Statistic of a test, its reference degrees of freedom and p-value."""

    statistic: float  # of a chi-squared distribution; over the degrees of freedom an F
    df: float
    p_value: float


def wald_test(
    mean: Array, information: Array, covariance: Array, *, rank: float, df: float, first: Array
) -> SmoothTest:
    """Test that a smooth is zero: its coefficients in the directions that the data tell of, ``rank`` of them.

    Parameters
    ----------
    mean, information, covariance : of the coefficients: ``(k,)``, what the data say of them and posterior ``(k, k)``.
    rank : reference degrees of freedom, not whole: the last direction counts in part.
    df : of the residual standard deviation; infinite where there is none.
    first : direction ``(k,)`` that gives eigenvectors a sign, on which the share of the last direction depends.
    """
    values, vectors = np.linalg.eigh(information)
    R = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    spread, directions = np.linalg.eigh(R @ covariance @ R.T)
    spread, directions = spread[::-1], directions[:, ::-1]
    directions = directions * np.where(directions.T @ (R @ first) < 0.0, -1.0, 1.0)
    whole, share = max(0, math.floor(rank)), rank - max(0, math.floor(rank))
    known = int(np.sum(spread > spread[0] * RANK))
    if known < whole + (share > 0.0):
        whole, share, rank = known, 0.0, float(known)
    scores = directions.T @ (R @ mean)
    if share == 0.0 or whole == 0:
        used = max(whole, 1)
        statistic = float(np.sum(scores[:used] ** 2 / spread[: used if whole else 1]))
        rank = 1.0 if whole <= 1 and share == 0.0 else rank
        return SmoothTest(statistic, rank, _upper(statistic, np.ones(1), rank, df))
    usual = float(np.sum(scores[: whole - 1] ** 2 / spread[: whole - 1]))
    last, scales = scores[whole - 1 : whole + 1], spread[whole - 1 : whole + 1]
    statistics = [usual + _shared(last * np.array([sign, 1.0]), scales, share) for sign in (1.0, -1.0)]
    weights = np.concatenate([np.ones(whole - 1), _weights(share)])
    p_values = [_upper(one, weights, whole + 1.0, df) for one in statistics]
    return SmoothTest(statistics[0], rank, float(np.mean(p_values)))


def _shared(scores: Array, scales: Array, share: float) -> float:
    """The part of two directions, the second of which counts in part."""
    root = math.sqrt(0.5 * share * (1.0 - share))
    scaled = scores / np.sqrt(scales)
    return float(scaled @ np.array([[1.0, root], [root, share]]) @ scaled)


def _weights(share: float) -> Array:
    """Weights of two chi-squared variables whose sum has the mean ``1 + share``."""
    total = 1.0 + share
    larger = 0.5 * (total + math.sqrt(total * (2.0 - total)))
    return np.array([larger, total - larger])


def _upper(statistic: float, weights: Array, rank: float, df: float) -> float:
    """Probability of a larger weighted sum of chi-squared variables, over that of the residuals where these have df.

    The weights are ones apart from the last two. A normal vector has its length and its direction independently, so
    that the probability is an F's, or a chi-squared's, averaged over directions.
    """
    from scipy.special import chdtrc, fdtrc

    def tail(x: Array) -> Array:
        return np.asarray(chdtrc(rank, x) if math.isinf(df) else fdtrc(rank, df, x / rank))

    if len(weights) < 2:
        return float(tail(np.array([statistic]))[0])
    nodes, mass = np.polynomial.legendre.leggauss(POINTS)
    nodes, mass = 0.5 * (nodes + 1.0), 0.5 * mass
    rest = len(weights) - 2
    part = 1.0 - (1.0 - nodes) ** (2.0 / rest) if rest else np.ones(1)  # a Beta(1, rest / 2) variable by its quantiles
    mass = mass if rest else np.ones(1)
    angle = 0.5 * np.pi * (np.arange(POINTS) + 0.5) / POINTS
    mixed = (weights[-2] - 1.0) * np.cos(angle) ** 2 + (weights[-1] - 1.0) * np.sin(angle) ** 2
    size = 1.0 + part[:, None] * mixed
    return float(mass @ tail(statistic / size).mean(axis=1))


def spread_test(mean: Array, covariance: Array, sampling: Array, *, df: float) -> SmoothTest:
    """Test that coefficients without a fixed part are zero: their spread against that of data without them.

    Parameters
    ----------
    mean, covariance, sampling : coefficients ``(k,)``, their posterior covariance and that over data sets ``(k, k)``.
    """
    has = np.diagonal(covariance) > 0.0
    if not has.any():
        return SmoothTest(0.0, float(len(mean)), 1.0)
    mean, covariance, sampling = mean[has], covariance[has][:, has], sampling[has][:, has]
    precision = np.linalg.inv(covariance)
    statistic = float(mean @ precision @ mean)
    root = np.linalg.cholesky(precision)
    weights = np.linalg.eigvalsh(root.T @ sampling @ root)
    weights = weights[weights > NONE * weights.max()]
    if math.isinf(df):
        p_value = mixture_tail(statistic, weights, np.ones(len(weights)))
    else:
        k = max(1, round(df))
        p_value = mixture_tail(0.0, np.append(weights, -statistic / k), np.append(np.ones(len(weights)), k))
    return SmoothTest(statistic, float(len(weights)), p_value)


def mixture_tail(x: float, weights: Array, df: Array) -> float:
    """Probability that a sum of chi-squared variables with weights ``(r,)`` of either sign is larger than ``x``."""
    from scipy.integrate import quad

    scale = np.abs(weights).max()
    weights, x = weights / scale, x / scale

    def part(u: float, shift: float) -> float:
        angle = 0.5 * float(df @ np.arctan(weights * u)) + shift
        return math.sin(angle) / u * math.exp(-0.25 * float(df @ np.log1p((weights * u) ** 2)))

    total = quad(lambda u: part(u, -0.5 * x * u), 0.0, 1.0, limit=200)[0]
    if x == 0.0:
        total += quad(part, 1.0, np.inf, args=(0.0,), limit=400)[0]
    else:  # sin(a - x u / 2): its oscillation apart
        total += quad(part, 1.0, np.inf, args=(0.0,), weight="cos", wvar=0.5 * x, limit=400)[0]
        total += quad(part, 1.0, np.inf, args=(-0.5 * math.pi,), weight="sin", wvar=0.5 * x, limit=400)[0]
    return float(np.clip(0.5 + total / math.pi, 0.0, 1.0))
