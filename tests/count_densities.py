"""Log densities of counts from products of as many factors as there are events: no cancellation.

Each is ``(y, trials, *parameters)`` on arrays of one shape, or that broadcast.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray
Density = Callable[..., Array]


def by_row(density: Callable[..., float]) -> Density:
    """A density of numbers as one of arrays."""

    def rows(*arguments: Array) -> Array:
        whole = np.broadcast_arrays(*arguments)
        values = [density(*map(float, row)) for row in zip(*(one.ravel() for one in whole), strict=True)]
        return np.array(values).reshape(whole[0].shape)

    return rows


def log_rising(shape: float, y: float) -> float:
    """``shape (shape + 1) ... (shape + y - 1) / shape^y``, its logarithm."""
    return math.fsum(math.log1p(j / shape) for j in range(int(y)))


def log_factorial(y: float) -> float:
    return math.fsum(math.log(j) for j in range(1, int(y) + 1))


def _poisson(y: float, _: float, mu: float) -> float:
    return y * math.log(mu) - mu - log_factorial(y)


def _negbinomial(y: float, _: float, mu: float, shape: float) -> float:
    odds = mu / shape
    return log_rising(shape, y) - log_factorial(y) - shape * math.log1p(odds) + y * (math.log(mu) - math.log1p(odds))


def _binomial(y: float, trials: float, mu: float) -> float:
    ways = log_factorial(trials) - log_factorial(y) - log_factorial(trials - y)
    return ways + y * math.log(mu) + (trials - y) * math.log1p(-mu)


def _betabinomial(y: float, trials: float, mu: float, phi: float) -> float:
    excess = log_rising(mu * phi, y) + log_rising((1.0 - mu) * phi, trials - y) - log_rising(phi, trials)
    return _binomial(y, trials, mu) + excess


poisson = by_row(_poisson)
negbinomial = by_row(_negbinomial)
nbinom1 = by_row(lambda y, trials, mu, phi: _negbinomial(y, trials, mu, mu / phi))
geometric = by_row(lambda y, trials, mu: _negbinomial(y, trials, mu, 1.0))
binomial = by_row(_binomial)
betabinomial = by_row(_betabinomial)


def zero_inflated(base: Density) -> Density:
    def density(y: Array, trials: Array, *parameters: Array) -> Array:
        *own, zi = parameters
        inside = np.log1p(-zi) + base(y, trials, *own)
        return np.where(y == 0.0, np.logaddexp(np.log(zi), inside), inside)

    return density


def truncated(base: Density) -> Density:
    def density(y: Array, trials: Array, *parameters: Array) -> Array:
        log_f0 = base(0.0 * np.asarray(y), trials, *parameters)
        return np.where(y == 0.0, -np.inf, base(y, trials, *parameters) - np.log(-np.expm1(log_f0)))

    return density


def hurdle(base: Density) -> Density:
    """Of a distribution without zeros."""

    def density(y: Array, trials: Array, *parameters: Array) -> Array:
        *own, hu = parameters
        return np.where(y == 0.0, np.log(hu), np.log1p(-hu) + base(np.maximum(y, 1.0), trials, *own))

    return density
