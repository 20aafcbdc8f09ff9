"""Distributions of angles in radians: von Mises.

Angles are between -pi and pi. What is called the mean is the mean direction; the variance is that of the angle between
a response and it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.namespaces import Namespace

TERMS = 200  # of the Fourier series of the variance
REACH = 3.15  # of the variable of the quadrature, beyond which weights are below 1e-15
POINTS, PER_WIDTH = 80.0, 15.0  # at least, and per half width in units of a peak's
MOST = 1e6  # concentration for which there are points
CONCENTRATED = 1e3  # from which on the distribution is normal but for one part in a thousand of its variance


def _kernel(xp: Namespace, y: Any, _: Any, mu: Any, kappa: Any) -> Any:
    return _height(xp, y, mu, kappa) - xp.log_i0e(kappa)


def _height(xp: Namespace, y: Any, mu: Any, kappa: Any) -> Any:
    """Logarithm of the density over that at the mean direction."""
    return -2.0 * kappa * xp.sin(0.5 * (y - mu)) ** 2


def _cdf(y: Array, _: Array, mu: Array, kappa: Array) -> Array:
    """From minus pi on."""
    from scipy.stats import vonmises

    return np.clip(vonmises.cdf(y - mu, kappa) - vonmises.cdf(-np.pi - mu, kappa), 0.0, 1.0)


def _log_tails(xp: Namespace, y: Any, _: Any, mu: Any, kappa: Any) -> tuple[Any, Any]:
    return _log_integral(xp, (-np.pi, y), mu, kappa), _log_integral(xp, (y, np.pi), mu, kappa)


def _log_integral(xp: Namespace, ends: tuple[Any, Any], mu: Any, kappa: Any) -> Any:
    """Logarithm of the probability between two angles, by double exponential quadrature (Takahasi and Mori 1974).

    As many points as a peak of that concentration needs; all terms are positive, so that small ones keep their digits.
    """
    low, high = ends
    half = 0.5 * (high - low)
    count = xp.floor(POINTS + PER_WIDTH * half * xp.sqrt(xp.minimum(kappa, MOST)))
    step = 2.0 * REACH / count

    def log_term(k: Any) -> tuple[Any, Any]:
        s = step * k - REACH
        arc = 0.25 * np.pi * (xp.exp(s) - xp.exp(-s))  # half pi times the hyperbolic sine
        share = xp.expit(2.0 * arc)
        weight = xp.softplus(2.0 * s) - s - 2.0 * (xp.softplus(2.0 * arc) - arc)
        angle = low + 2.0 * half * share
        return _height(xp, angle, mu, kappa) + weight, k <= count

    return xp.log_sum(log_term, count) - xp.log_i0e(kappa) + xp.log(0.5 * half * step)  # over two pi


def _variance(_: Array, mu: Array, kappa: Array) -> Array:
    from scipy.special import ive

    k = np.arange(1, TERMS + 1)
    wide = np.minimum(kappa, CONCENTRATED)[..., None]
    series = np.pi**2 / 3.0 + 4.0 * np.sum((-1.0) ** k * ive(k, wide) / ive(0, wide) / k**2, axis=-1)
    return 0.0 * mu + np.where(kappa < CONCENTRATED, series, 1.0 / np.maximum(kappa, CONCENTRATED))


def _crude(y: Array, _: Array) -> tuple[float, ...]:
    """Mean direction, and the concentration by the mean resultant length (Banerjee et al. 2005, JMLR 6)."""
    sine, cosine = float(np.mean(np.sin(y))), float(np.mean(np.cos(y)))
    length = min(math.hypot(sine, cosine), 0.999)
    return math.atan2(sine, cosine), max(length * (2.0 - length**2) / (1.0 - length**2), 0.05)


VON_MISES = Family(
    "von_mises",
    (
        Parameter("mu", ("tan_half", "identity")),
        Parameter("kappa", priors={"brms": "Gamma(2, 0.01)"}, exact="infinity"),
    ),
    "angle",
    _kernel,
    _cdf,
    sample=lambda rng, trials, mu, kappa: rng.vonmises(mu, kappa),
    variance=_variance,
    base=lambda y, trials: np.asarray(-math.log(2.0 * math.pi)),
    expected=lambda trials, mu, kappa: 0.0 * kappa + mu,  # mu; regressions begin at directions, not at means
    log_tails=_log_tails,
    crude=_crude,
    words="VonMises(direction mu[i], concentration kappa)",
    pymc=lambda trials, mu, kappa: ("VonMises", {"mu": mu, "kappa": kappa}),
)
