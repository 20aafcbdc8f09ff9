"""Uniformity of ranks: the largest standardised distance of their distribution from uniform, and its exact law.

The counts of uniform ranks are multinomial: Poisson counts given their sum. The probability that all cumulative counts
stay within a band is therefore a convolution that is cut off at the band after every rank, divided by the probability
of the sum (Khmaladze and Shinjikashvili 2001, Adv. Appl. Probab. 33(3); Moscovich and Nadler 2017, Stat. Probab. Lett.
123). p-values are exact as far down as numbers go, where those of simulated ranks end at one over their number: many
parameters of many models can be judged together. The band is that of Saeilynoja, Buerkner and Vehtari (2022, Stat.
Comput. 32), with normal limits in place of binomial ones.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from bayesmix.arrays import Array

HALVINGS = 40  # of an interval that holds a quantile: 1e-10 of it are left
POWER = 0.8  # what is called found is found as often
FARTHEST = 8.0  # standard deviations that a posterior may lie off


def shares(ranks: Array, draws: int) -> Array:
    """Share of ranks up to ``0 ... draws - 1``: ``(draws,)``."""
    return np.asarray(np.cumsum(np.bincount(ranks, minlength=draws + 1))[:-1] / len(ranks))


def deviation(ranks: Array, draws: int) -> float:
    """Largest distance of the distribution of ranks ``0 ... draws`` from uniform, in its standard errors."""
    return float(np.max(np.abs(shares(ranks, draws) - _levels(draws)) / _errors(len(ranks), draws)))


@lru_cache(maxsize=4096)
def p_value(largest: float, n: int, draws: int) -> float:
    """Probability that ``n`` uniform ranks deviate by ``largest`` or more."""
    inside = _inside(largest * (1.0 - 1e-12), n, draws)
    return min(max(1.0 - inside, 0.0), 1.0)


@lru_cache(maxsize=64)
def limit(level: float, n: int, draws: int) -> float:
    """What ``n`` uniform ranks deviate by, or more, with probability ``level`` at most."""
    low, high = 0.0, math.sqrt(n * draws) + 1.0  # no rank deviates by more
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if 1.0 - _inside(middle, n, draws) > level else (low, middle)
    return high


@lru_cache(maxsize=64)
def detectable_shift(level: float, n: int, draws: int) -> float:
    """Standard deviations that normal posteriors lie off where a test of ``n`` ranks finds it with probability `POWER`.

    Infinite where so few ranks find nothing at this level.
    """
    bound = limit(level, n, draws)

    def is_missed(shift: float) -> bool:
        return _inside(bound, n, draws, shifted(shift, draws)) > 1.0 - POWER

    if is_missed(FARTHEST):
        return math.inf
    low, high = 0.0, FARTHEST
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if is_missed(middle) else (low, middle)
    return high


def shifted(shift: float, draws: int) -> Array:
    """Probabilities of ranks ``0 ... draws`` of truths among draws that lie ``shift`` standard deviations too low."""
    from scipy.stats import binom, norm

    z = np.linspace(-10.0, 10.0, 501)
    below = norm.cdf(z + shift)  # probability that a draw is below the truth, given where the truth lies
    found = norm.pdf(z) @ binom.pmf(np.arange(draws + 1), draws, below[:, None])
    return np.asarray(found / found.sum())


def _levels(draws: int) -> Array:
    return np.arange(1, draws + 1) / (draws + 1.0)


def _errors(n: int, draws: int) -> Array:
    z = _levels(draws)
    return np.asarray(np.sqrt(z * (1.0 - z) / n))


def _inside(largest: float, n: int, draws: int, probabilities: Array | None = None) -> float:
    """Probability that all deviations of ``n`` ranks are below ``largest``, uniform or with probabilities."""
    from scipy.stats import poisson

    z, half = _levels(draws), largest * _errors(n, draws)
    counts = np.arange(n + 1)
    each = np.full(draws + 1, 1.0 / (draws + 1.0)) if probabilities is None else probabilities
    steps = poisson.pmf(counts, n * each[:, None])
    found = np.zeros(n + 1)
    found[0] = 1.0
    for level, width, step in zip(z, half, steps[:-1], strict=True):
        found = np.convolve(found, step)[: n + 1]
        found[np.abs(counts / n - level) >= width] = 0.0
    return float(np.convolve(found, steps[-1])[n] / poisson.pmf(n, n))
