"""Quantiles of priors, by SciPy's special functions: its distributions take half a second to load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.priors.prior import Prior

QUANTILE: dict[str, Callable[..., Any]] = {  # of SciPy's functions and a probability; arguments as `Prior` has them
    "Normal": lambda sp, q, mu, sigma: mu + sigma * sp.ndtri(q),
    "StudentT": lambda sp, q, nu, mu, sigma: mu + sigma * sp.stdtrit(nu, q),
    "Cauchy": lambda sp, q, mu, sigma: mu - sigma / np.tan(np.pi * q),
    "Laplace": lambda sp, q, mu, b: mu - b * np.sign(q - 0.5) * np.log1p(-2.0 * np.abs(q - 0.5)),
    "HalfNormal": lambda sp, q, sigma: sigma * sp.ndtri(0.5 + 0.5 * q),
    "HalfStudentT": lambda sp, q, nu, sigma: sigma * sp.stdtrit(nu, 0.5 + 0.5 * q),
    "HalfCauchy": lambda sp, q, sigma: sigma * np.tan(0.5 * np.pi * q),
    "Exponential": lambda sp, q, rate: -np.log1p(-q) / rate,
    "Gamma": lambda sp, q, alpha, beta: sp.gammaincinv(alpha, q) / beta,
    "InverseGamma": lambda sp, q, alpha, beta: beta / sp.gammainccinv(alpha, q),
    "LogNormal": lambda sp, q, mu, sigma: np.exp(mu + sigma * sp.ndtri(q)),
    "Beta": lambda sp, q, alpha, beta: sp.betaincinv(alpha, beta, q),
    "Uniform": lambda sp, q, lower, upper: lower + (upper - lower) * q,
}


def median(prior: Prior) -> float:
    """The median of a proper prior of a single parameter."""
    return float(quantile(prior, np.asarray(0.5)))


def quantile(prior: Prior, probability: Array) -> Array:
    """Quantiles ``(...)`` of a proper prior of a single parameter at probabilities ``(...)`` between 0 and 1."""
    from scipy import special

    return np.asarray(QUANTILE[prior.kind](special, probability, *prior.arguments))
