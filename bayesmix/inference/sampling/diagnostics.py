"""Convergence of chains, parameter by parameter, and the tail of importance weights.

ArviZ's estimators (Vehtari, Gelman, Simpson, Carpenter, Buerkner 2021, Bayesian Anal. 16(2); Vehtari, Simpson, Gelman,
Yao, Gabry 2024, JMLR 25), number for number, for many parameters at once and without ArviZ's second of start-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from bayesmix.arrays import Array

R_HAT_LIMIT = 1.01  # Vehtari, Gelman, Simpson, Carpenter, Buerkner 2021
ESS_LIMIT = 400.0
ESS_SHARE = 0.1  # of the draws that must be effective, where fewer are drawn than the limit supposes
K_LIMIT = 0.7  # Pareto k above which means of importance weights correct nothing
PROPOSAL_K_LIMIT = 0.5  # of the proposals of a chain: weights of finite variance, or its tail quantiles are not right
TAIL = (0.05, 0.95)  # quantiles whose indicators give the tail effective sample size
LIMITS = (0.025, 0.975)  # of the intervals that tables print
ONE_SD = (
    0.1586553,
    0.8413447,
)  # probabilities of a normal variable below minus, and plus, one standard deviation
BLOCK = 2_000_000  # numbers worked on at once
FEWEST = 100  # importance weights below which their tail is not fitted


@dataclass(frozen=True, slots=True, eq=False)
class Convergence:
    """Diagnostics of scalar parameters, each ``(m,)``; NaN for parameters that are constant by construction."""

    r_hat: Array
    ess_bulk: Array
    ess_tail: Array

    @property
    def worst_r_hat(self) -> float:
        """Largest R-hat."""
        return float(np.nanmax(self.r_hat, initial=1.0))

    @property
    def smallest_ess(self) -> float:
        """Smallest bulk or tail effective sample size."""
        return float(np.nanmin(np.minimum(self.ess_bulk, self.ess_tail), initial=np.inf))

    @property
    def is_good(self) -> bool:
        """R-hat at most 1.01 and bulk and tail effective sample sizes of at least 400, for every parameter."""
        return self.worst_r_hat <= R_HAT_LIMIT and self.smallest_ess >= ESS_LIMIT


def enough(draws: int) -> float:
    """Effective sample size asked of so many draws: what 4 chains of 1000 are asked for, or its share."""
    return min(ESS_LIMIT, ESS_SHARE * draws)


def convergence(draws: Array) -> Convergence:
    """Rank-normalised split R-hat, bulk and tail effective sample size of ``draws (chain, draw, m)``."""
    chains, n, m = draws.shape
    size = max(1, BLOCK // max(chains * n, 1))
    blocks = [_diagnose(np.moveaxis(draws[..., begin : begin + size], 2, 0)) for begin in range(0, m, size)]
    found = np.concatenate(blocks, axis=1) if blocks else np.zeros((3, 0))
    return Convergence(*found)


def limits_ess(draws: Array) -> Array:
    """Effective sample size of the less certain limit of each 95 % interval ``(m,)``, of ``draws (chain, draw, m)``."""
    return np.minimum(*(quantile_ess(draws, level) for level in LIMITS))


def quantile_ess(draws: Array, level: float) -> Array:
    """Effective sample size of a quantile ``(m,)`` of ``draws (chain, draw, m)``, which gives its Monte Carlo error.

    That of the indicator of lying below it; NaN for parameters that are constant by construction.
    """
    if draws.shape[1] < 4:
        return np.full(draws.shape[2], np.nan)
    by_parameter = np.moveaxis(draws, 2, 0)
    quantile = np.quantile(by_parameter, level, axis=(1, 2))[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = _effective(_split(by_parameter <= quantile))
    found[np.isnan(draws).any(axis=(0, 1)) | (np.ptp(draws, axis=(0, 1)) == 0.0)] = np.nan
    return found


def mean_ess(draws: Array) -> Array:
    """Effective sample sizes of the means ``(m,)`` of ``draws (chain, draw, m)``."""
    if draws.shape[1] < 4:
        return np.full(draws.shape[2], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _effective(_split(np.moveaxis(draws, 2, 0)))


def mcse(draws: Array, centre: str) -> Array:
    """Monte Carlo standard errors ``(m,)`` of ``"mean"`` or ``"median"`` of ``draws (chain, draw, m)``; NaN of too few.

    That of the median is half the distance between the quantiles that its order statistic reaches with one standard
    deviation.
    """
    if draws.shape[1] < 4:
        return np.full(draws.shape[2], np.nan)
    by_parameter = np.moveaxis(draws, 2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        if centre == "mean":
            return by_parameter.std(axis=(1, 2), ddof=1) / np.sqrt(mean_ess(draws))
        median = np.median(by_parameter, axis=(1, 2))[:, None, None]
        return _order_statistic_error(
            np.sort(by_parameter.reshape(len(by_parameter), -1), axis=1), _effective(_split(by_parameter <= median))
        )


def _order_statistic_error(ordered: Array, size: Array) -> Array:
    """Standard error ``(m,)`` of medians of ``ordered (m, n)`` draws that are worth ``size (m,)`` independent ones."""
    from scipy.special import betaincinv

    n = ordered.shape[1]
    low, high = (betaincinv(0.5 * size + 1.0, 0.5 * size + 1.0, p) * n - 1.0 for p in ONE_SD)
    below = np.floor(np.fmax(low, 0.0)).astype(int)[:, None]
    above = np.ceil(np.fmin(high, n - 1.0)).astype(int)[:, None]
    spread = np.take_along_axis(ordered, above, axis=1) - np.take_along_axis(ordered, below, axis=1)
    return np.asarray(0.5 * spread[:, 0])


def _diagnose(draws: Array) -> Array:
    """R-hat, bulk and tail effective sample size ``(3, m)`` of ``draws (m, chain, draw)``."""
    m, chains, n = draws.shape
    if n < 4:
        return np.full((3, m), np.nan)
    split = _split(draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = _normal_scores(split)
        folded = _normal_scores(np.abs(split - np.median(split, axis=(1, 2), keepdims=True)))
        r_hat = np.maximum(_r_hat(scores), _r_hat(folded)) if chains > 1 else np.full(m, np.nan)
        low, high = np.quantile(draws, TAIL, axis=(1, 2))[..., None, None]
        tail = np.minimum(_effective(_split(draws <= low)), _effective(_split(draws <= high)))
        found = np.stack([r_hat, _effective(scores), tail])
    found[:, np.isnan(draws).any(axis=(1, 2))] = np.nan
    return found


def _split(draws: Array) -> Array:
    """Halves of chains as chains of their own: ``(m, 2 chain, draw // 2)``."""
    half = draws.shape[2] // 2
    return np.concatenate([draws[..., :half], draws[..., -half:]], axis=1).astype(float, copy=False)


def _normal_scores(draws: Array) -> Array:
    """Normal quantiles of the ranks among all draws of a parameter, ties sharing their mean rank."""
    m, n = len(draws), draws[0].size
    flat = draws.reshape(m, n)
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    fresh = np.ones((m, n + 1), bool)
    fresh[:, 1:-1] = ordered[:, 1:] != ordered[:, :-1]
    place = np.arange(n)
    first = np.maximum.accumulate(np.where(fresh[:, :-1], place, 0), axis=1)
    last = np.minimum.accumulate(np.where(fresh[:, 1:], place, n)[:, ::-1], axis=1)[:, ::-1]
    scores = np.empty((m, n))
    np.put_along_axis(scores, order, _quantiles(n)[first + last], axis=1)
    return scores.reshape(draws.shape)


@lru_cache(maxsize=8)
def _quantiles(n: int) -> Array:
    """Normal quantiles of the mean ranks ``1, 1.5, 2, ..., n``, after Blom's (r - 3/8) / (n + 1/4)."""
    standard = NormalDist()
    lower = [standard.inv_cdf((0.5 * i + 0.625) / (n + 0.25)) for i in range(n - 1)]
    return np.array([*lower, 0.0, *(-value for value in reversed(lower))])


def _r_hat(draws: Array) -> Array:
    """Root of the total over the within-chain variance, ``(m,)``."""
    n = draws.shape[2]
    between = n * draws.mean(axis=2).var(axis=1, ddof=1)
    within = draws.var(axis=2, ddof=1).mean(axis=1)
    return np.asarray(np.sqrt((between / within + n - 1.0) / n))


def _effective(draws: Array) -> Array:
    """Effective sample size ``(m,)`` by Geyer's initial monotone sequence of autocorrelations."""
    m, chains, n = draws.shape
    total = chains * n
    covariance = _autocovariance(draws)
    within = covariance[:, 0] * n / (n - 1.0)
    plus = covariance[:, 0] + draws.mean(axis=2).var(axis=1, ddof=1)
    rho = 1.0 - (within[:, None] - covariance) / plus[:, None]
    rho[:, 0] = 1.0
    pairs = rho[:, : n // 2 * 2].reshape(m, n // 2, 2)
    sums = pairs.sum(axis=2)
    last = max((n - 1) // 2 - 1, 0)  # pair that the search ends at if all before are positive
    ends = sums[:, : last + 1] <= 0.0
    end = np.where(ends.any(axis=1), np.argmax(ends, axis=1), last)
    before = np.arange(n // 2) < end[:, None]
    even = pairs[np.arange(m), end, 0]
    even = np.where((even > 0.0) | (sums[np.arange(m), end] >= 0.0), even, 0.0)
    tau = 2.0 * np.sum(np.minimum.accumulate(sums, axis=1), axis=1, where=before) + even - 1.0
    size = total / np.maximum(tau, 1.0 / np.log10(total))
    constant = draws.max(axis=(1, 2)) - draws.min(axis=(1, 2)) < np.finfo(float).resolution
    return np.where(constant, float(total), size)


def _autocovariance(draws: Array) -> Array:
    """Mean over the chains of their autocovariances at all lags: ``(m, n)``."""
    n = draws.shape[2]
    length = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(draws - draws.mean(axis=2, keepdims=True), length, axis=2)
    power = np.mean(spectrum.real**2 + spectrum.imag**2, axis=1)
    return np.asarray(np.fft.irfft(power, length, axis=1)[:, :n] / n)


# ---- importance weights -----------------------------------------------------------------------------------------


def pareto_shape(log_weights: Array) -> float:
    """Shape k of the generalised Pareto tail of importance weights ``(n,)``; infinite if too few are finite."""
    finite = log_weights[np.isfinite(log_weights)]
    n = len(finite)
    if n < FEWEST:
        return float("inf")
    tail = int(3.0 * np.sqrt(n) if n > 225 else n / 5)
    largest = np.exp(np.sort(np.partition(finite, n - tail - 1)[n - tail - 1 :]) - finite.max())
    return tail_of(largest[1:] - largest[0])[0]


def tail_of(excess: Array) -> tuple[float, float]:
    """Shape and scale of the generalised Pareto distribution of sorted ``excess (n,)``.

    By the posterior mean of Zhang and Stephens (2009), the shape drawn towards 1/2 as if by ten more observations. It
    is infinite where a quarter of them cannot be told from the least: a few weights beside which all others are zero.
    """
    n = len(excess)
    quartile = excess[int(n / 4 + 0.5) - 1]
    if quartile <= excess[0]:
        return float("inf"), float("nan")
    points = 30 + int(np.sqrt(n))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        b = 1.0 / excess[-1] + (1.0 - np.sqrt(points / (np.arange(points) + 0.5))) / (3.0 * quartile)
        k = np.mean(np.log1p(-b[:, None] * excess), axis=1)
        profile = n * (np.log(-b / k) - k - 1.0)
        weights = np.exp(profile - profile.max())
    mean = float(np.sum(b * weights) / np.sum(weights))
    raw = float(np.mean(np.log1p(-mean * excess)))
    shape = (n * raw + 5.0) / (n + 10.0)
    return (float("inf"), float("nan")) if np.isnan(shape) else (shape, -raw / mean)
