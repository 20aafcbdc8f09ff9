"""Skewed distributions on the real line: skew normal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.log_gamma import HALF_LOG_2PI
from bayesmix.language.families.namespaces import NUMERIC, Namespace

STEP, FIRST, NODES = 0.1, 3.9, 78.0  # of the quadrature: exact to 1e-12 up to alpha = 20, to 1e-9 up to 100
SHARE = math.sqrt(2.0 / math.pi)  # mean of the absolute value of a standard normal variable
MOST_SKEWED = 0.9  # skewness to start from; that of a half-normal distribution is 0.995
WIDE = dict.fromkeys(("default", "flat", "brms", "bambi"), "Normal(0, 4)")  # far out alpha hardly matters


def _place(xp: Namespace, mu: Any, sigma: Any, alpha: Any) -> tuple[Any, Any]:
    """Location and scale of which mean and standard deviation are ``mu`` and ``sigma``."""
    delta = SHARE * alpha / xp.sqrt(1.0 + alpha**2)
    omega = sigma / xp.sqrt(1.0 - delta**2)
    return mu - omega * delta, omega


def _kernel(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any, alpha: Any) -> Any:
    xi, omega = _place(xp, mu, sigma, alpha)
    z = (y - xi) / omega
    return xp.log_ndtr(alpha * z) - 0.5 * z**2 - xp.log(omega)


def _cdf(y: Array, _: Array, mu: Array, sigma: Array, alpha: Array) -> Array:
    from scipy.special import ndtr, owens_t

    xi, omega = _place(NUMERIC, mu, sigma, alpha)
    z = (y - xi) / omega
    return np.clip(ndtr(z) - 2.0 * owens_t(z, alpha), 0.0, 1.0)


def _log_tails(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any, alpha: Any) -> tuple[Any, Any]:
    """The tail outwards of the location, by double exponential quadrature; the other is one less it.

    Of negative ``alpha`` by the mirror image. Distances are in units of about the length over which the density falls;
    no difference of two functions is left where the thin tail is next to nothing (Takahasi and Mori 1974, RIMS 9).
    """
    xi, omega = _place(xp, mu, sigma, alpha)
    mirror = xp.where(alpha < 0.0, -1.0, 1.0)
    z, a = mirror * (y - xi) / omega, mirror * alpha
    is_left = z < 0.0
    out, at = xp.where(is_left, -1.0, 1.0), xp.log_ndtr(a * z)
    rise = a * xp.exp(-0.5 * (a * z) ** 2 - HALF_LOG_2PI - xp.log_ndtr(a * xp.where(is_left, z, 0.0)))
    length = 1.0 / (1.0 + xp.where(is_left, rise - z, z))

    def term(k: Any) -> tuple[Any, Any]:
        t = STEP * k - FIRST
        away = length * np.exp(1.0) ** (t - np.exp(1.0) ** (-t))
        moved = xp.log_ndtr(a * (z + out * away)) - at - away * (out * z + 0.5 * away)
        return moved + t - np.exp(1.0) ** (-t) + xp.log1p(np.exp(1.0) ** (-t)), k >= 0.0

    tail = math.log(2.0 * STEP) - HALF_LOG_2PI - 0.5 * z**2 + at + xp.log(length) + xp.log_sum(term, NODES)
    rest = xp.log1mexp(tail)
    is_below = mirror * out < 0.0
    return xp.where(is_below, tail, rest), xp.where(is_below, rest, tail)


def _sample(rng: np.random.Generator, _: Array, mu: Array, sigma: Array, alpha: Array) -> Array:
    xi, omega = _place(NUMERIC, mu, sigma, alpha)
    first, second = rng.standard_normal((2, *np.shape(mu)))
    return xi + omega * (alpha * np.abs(first) + second) / np.sqrt(1.0 + alpha**2)


def _crude(y: Array, _: Array) -> tuple[float, ...]:
    """By the method of moments."""
    mean, sd = float(np.mean(y)), float(np.std(y)) or 1.0
    skewness = float(np.clip(np.mean(((y - mean) / sd) ** 3), -MOST_SKEWED, MOST_SKEWED))
    cubed = abs(skewness) ** (2.0 / 3.0)
    delta = math.sqrt(0.5 * math.pi * cubed / (cubed + (0.5 * (4.0 - math.pi)) ** (2.0 / 3.0)))
    return mean, sd, math.copysign(delta / math.sqrt(1.0 - delta**2), skewness)


SKEW_NORMAL = Family(
    "skew_normal",
    (
        Parameter("mu", ("identity", "log", "inverse")),
        Parameter("sigma", unit="response", exact="zero"),
        Parameter("alpha", ("identity",), priors=WIDE),
    ),
    "real",
    _kernel,
    _cdf,
    _sample,
    variance=lambda trials, mu, sigma, alpha: np.broadcast_to(
        sigma**2, np.broadcast_shapes(np.shape(mu), np.shape(sigma))
    ),
    base=lambda y, trials: np.asarray(math.log(2.0) - HALF_LOG_2PI),
    log_tails=_log_tails,
    crude=_crude,
    words="SkewNormal(mean mu[i], sd sigma, alpha)",
)
