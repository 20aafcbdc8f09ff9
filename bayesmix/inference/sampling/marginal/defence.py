"""Heavy-tailed noise in place of the normal noise of Gaussian approximations, with its importance weights.

A Gaussian approximation whose tails are lighter than those of what it stands for has importance weights without bound.
A mixture with a small share of a heavy-tailed or prior component bounds them (defensive importance sampling: Hesterberg
1995, Technometrics 37), at the price of little more than that share of the draws.
"""

from __future__ import annotations

import math

import numpy as np

from bayesmix.arrays import Array

SHARE = 0.1  # of the heavy-tailed component
FREEDOM, SCALE = 4.0, 1.5  # of the multivariate t distribution that it is
FARTHEST = 1e11  # squared noise beyond which rounding is all that is left of differences of log densities


def defended_noise(n: int, m: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Noise ``(n, m)``, normal but for a share of multivariate t, and log of standard normal over its density."""
    noise = rng.standard_normal((n, m))
    if not m:
        return noise, np.zeros(n)
    tails = SCALE * np.sqrt(FREEDOM / rng.chisquare(FREEDOM, n))
    noise *= np.where(rng.random(n) < SHARE, tails, 1.0)[:, None]
    square: Array = np.sum(noise**2, axis=1)
    constant = math.lgamma(0.5 * (FREEDOM + m)) - math.lgamma(0.5 * FREEDOM) + 0.5 * m * math.log(2.0 / FREEDOM)
    log_t: Array = constant - m * math.log(SCALE) - 0.5 * (FREEDOM + m) * np.log1p(square / (FREEDOM * SCALE**2))
    return noise, -np.logaddexp(math.log(1.0 - SHARE), math.log(SHARE) + log_t + 0.5 * square)


def log_share(square: Array, log_bent: Array, log_prior: Array, share: float) -> Array:
    """Log of standard normal density over that of a mixture of two, at noise of squared length ``square (...)``.

    Parameters
    ----------
    log_bent, log_prior : log densities of the two at the noise, over the constant of the normal density.
    share : weight of the second.
    """
    normal = np.where(square < FARTHEST, -0.5 * square, -np.inf)
    top = np.maximum(log_bent, log_prior)
    # half of all the time is logarithms: NumPy's `logaddexp` takes several times that of these three functions
    mixture = (1.0 - share) * np.exp(log_bent - top) + share * np.exp(log_prior - top)
    return np.asarray(normal - top - np.log(mixture))


def log_bent(noise: Array, cube: float) -> Array:
    """Log density of ``z + cube z^3``, z standard normal, at ``noise (..., k)``, over the normal constant."""
    if cube == 0.0:
        return np.asarray(-0.5 * np.sum(noise**2, axis=-1))
    root = math.sqrt(3.0 * cube)
    z = 2.0 / root * np.sinh(np.arcsinh(1.5 * root * noise) / 3.0)
    return np.asarray(-np.sum(0.5 * z**2 + np.log1p(3.0 * cube * z**2), axis=-1))
