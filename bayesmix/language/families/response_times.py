"""Distributions of response times: normal plus exponential, lognormal after a shift."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family, Limit, Parameter
from bayesmix.language.families.log_gamma import HALF_LOG_2PI
from bayesmix.language.families.namespaces import NUMERIC, Namespace
from bayesmix.language.families.positive import LOGNORMAL

FAR = 30.0  # standard deviations from which on the tail of a normal distribution is its series
SERIES = (-1.0, 3.0, -15.0, 105.0, -945.0, 10395.0)  # of Mills' ratio, in powers of one over the square
SQRT_HALF = math.sqrt(0.5)

# ---- exponentially modified Gaussian: mu the mean of both, sigma of the normal, beta the mean of the exponential part


def _log_mills(xp: Namespace, t: Any) -> Any:
    """``log (P(Z > t) / phi(t))``, ``Z`` standard normal, of ``t`` not below zero."""
    square = 1.0 / xp.maximum(t, FAR) ** 2
    total: Any = 0.0
    for coefficient in reversed(SERIES):
        total = square * (coefficient + total)
    far = xp.log1p(total) - xp.log(xp.maximum(t, FAR))
    near = xp.log_erfcx(SQRT_HALF * xp.minimum(xp.maximum(t, 0.0), FAR)) + 0.5 * math.log(0.5 * math.pi)
    return xp.where(t < FAR, near, far)


def _exgaussian(xp: Namespace, y: Any, _: Any, mu: Any, *others: Any) -> Any:
    sigma, beta = others
    z, ratio = (y - mu + beta) / sigma, sigma / beta
    t = ratio - z
    above = xp.log_ndtr(-xp.minimum(t, 0.0)) + ratio * (0.5 * ratio - z) + HALF_LOG_2PI
    return xp.where(t < 0.0, above, -0.5 * z**2 + _log_mills(xp, t)) - xp.log(beta)


def _exgaussian_cdf(y: Array, trials: Array, mu: Array, sigma: Array, beta: Array) -> Array:
    from scipy.special import ndtr

    density = np.exp(_exgaussian(NUMERIC, y, trials, mu, sigma, beta) - HALF_LOG_2PI)
    return np.clip(ndtr((y - mu + beta) / sigma) - beta * density, 0.0, 1.0)


def _exgaussian_tails(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> tuple[Any, Any]:
    """By what the exponential part moves from below to above."""
    sigma, beta = others
    z = (y - mu + beta) / sigma
    moved = xp.log(beta) + _exgaussian(xp, y, trials, mu, sigma, beta) - HALF_LOG_2PI
    below, above = xp.log_ndtr(z), xp.log_ndtr(-z)
    return below + xp.log1mexp(moved - below), above + xp.softplus(moved - above)


def _skewed(y: Array, _: Array) -> tuple[float, ...]:
    """By the method of moments, the skewness kept where there is such a distribution."""
    mean, sd = float(np.mean(y)), float(np.std(y)) or 1.0
    skewness = float(np.clip(np.mean(((y - mean) / sd) ** 3), 0.1, 1.8))
    beta = sd * (0.5 * skewness) ** (1.0 / 3.0)
    return mean, math.sqrt(sd**2 - beta**2), beta


EXGAUSSIAN = Family(
    "exgaussian",
    (
        Parameter("mu", ("identity", "log", "inverse")),
        Parameter("sigma", unit="response"),
        Parameter(
            "beta", unit="response", priors={"brms": "Gamma(1, 0.1)"}, limit=Limit("gaussian", "zero", near=0.01)
        ),
    ),
    "real",
    _exgaussian,
    _exgaussian_cdf,
    sample=lambda rng, trials, mu, sigma, beta: rng.normal(mu - beta, sigma) + rng.exponential(beta),
    variance=lambda trials, mu, sigma, beta: np.broadcast_to(
        sigma**2 + beta**2, np.broadcast_shapes(np.shape(mu), np.shape(sigma), np.shape(beta))
    ),
    base=lambda y, trials: np.asarray(-HALF_LOG_2PI),
    crude=_skewed,
    log_tails=_exgaussian_tails,
    words="Normal(mu[i] - beta, sigma) + Exponential(mean beta)",
    pymc=lambda trials, mu, sigma, beta: ("ExGaussian", {"mu": mu - beta, "sigma": sigma, "nu": beta}),
)


# ---- shifted lognormal: y - ndt is lognormal -------------------------------------------------------------------------


def _shifted(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> Any:
    sigma, ndt = others
    rest = xp.where(ndt < y, y - ndt, 1.0)
    density = LOGNORMAL.kernel(xp, rest, trials, mu, sigma) - xp.log(rest)
    return xp.where(ndt < y, density, -np.inf)


def _shifted_tails(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> tuple[Any, Any]:
    sigma, ndt = others
    assert LOGNORMAL.log_tails is not None
    below, above = LOGNORMAL.log_tails(xp, xp.where(ndt < y, y - ndt, 1.0), trials, mu, sigma)
    return xp.where(ndt < y, below, -np.inf), xp.where(ndt < y, above, 0.0)


def _after(y: Array, ndt: Array) -> Array:
    return np.maximum(y - ndt, 0.0)


def _below_least(y: Array) -> str:
    return f"Uniform(0, {float(np.min(y)):.17g})"


def _half_way(y: Array, trials: Array) -> tuple[float, ...]:
    ndt = 0.5 * float(np.min(y))
    crude = LOGNORMAL.crude
    assert crude is not None
    return (*crude(y - ndt, trials), ndt)


SHIFTED_LOGNORMAL = Family(
    "shifted_lognormal",
    (
        *LOGNORMAL.parameters,
        Parameter(
            "ndt",
            priors=dict.fromkeys(("default", "flat", "brms", "bambi"), _below_least),
            limit=Limit("lognormal", "zero"),
        ),
    ),
    "positive",
    _shifted,
    lambda y, trials, mu, sigma, ndt: LOGNORMAL.cdf(_after(y, ndt), trials, mu, sigma),
    sample=lambda rng, trials, mu, sigma, ndt: ndt + rng.lognormal(mu, sigma),
    variance=lambda trials, mu, sigma, ndt: LOGNORMAL.variance(trials, mu, sigma),
    base=lambda y, trials: np.asarray(-HALF_LOG_2PI),
    expected=lambda trials, mu, sigma, ndt: ndt + LOGNORMAL.mean(trials, mu, sigma),
    crude=_half_way,
    scale="log",
    log_tails=_shifted_tails,
    words="ndt + LogNormal(mu[i], sigma)",
)
