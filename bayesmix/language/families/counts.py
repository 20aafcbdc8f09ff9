"""Distributions of counts: Poisson, negative binomial."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import ClosedForm, Family, Parameter
from bayesmix.language.families.namespaces import Namespace

STIRLING = 100.0  # from which on the series is exact to rounding
LINKS = ("log", "identity", "sqrt")


def _minus_log_factorial(y: Array, _: Array) -> Array:
    from scipy.special import gammaln

    return np.asarray(-gammaln(y + 1.0))


def _whole(y: Array, probability: Array) -> Array:
    """A distribution function on counts: zero below them."""
    return np.where(y >= 0.0, probability, 0.0)


# ---- Poisson ----------------------------------------------------------------------------------------------------


def _poisson(xp: Namespace, y: Any, _: Any, mu: Any) -> Any:
    return xp.xlogy(y, mu) - mu


def _poisson_canonical(y: Array, eta: Array, _: Array) -> Array:
    from scipy.special import gammaln

    value = y * eta
    value -= np.exp(eta)
    value -= gammaln(y + 1.0)
    return np.asarray(value)


def _poisson_slopes(y: Array, _: Array, mu: Array) -> tuple[Array, Array, Array]:
    return y / mu - 1.0, -y / mu**2, 2.0 * y / mu**3


def _poisson_cdf(y: Array, _: Array, mu: Array) -> Array:
    from scipy.special import pdtr

    return _whole(y, pdtr(np.maximum(y, 0.0), mu))


def _poisson_deviance(y: Array, _: Array, mu: Array) -> Array:
    from scipy.special import xlogy

    return np.asarray(2.0 * (xlogy(y, y / mu) - (y - mu)))


POISSON = Family(
    "poisson",
    (Parameter("mu", LINKS),),
    "counts",
    _poisson,
    _poisson_cdf,
    sample=lambda rng, trials, mu: rng.poisson(mu).astype(float),
    variance=lambda trials, mu: mu,
    base=_minus_log_factorial,
    words="Poisson(mu[i])",
    deviance=_poisson_deviance,
    pymc=lambda trials, mu: ("Poisson", {"mu": mu}),
    closed_form=ClosedForm(_poisson_slopes, _poisson_canonical),
)


# ---- negative binomial, variance mu + mu^2 / shape -----------------------------------------------------------------


def _negbinomial(xp: Namespace, y: Any, _: Any, mu: Any, shape: Any) -> Any:
    ratio = mu / shape
    return _log_rising(xp, shape, y) - shape * xp.log1p(ratio) + xp.xlogy(y, mu / (1.0 + ratio))


def _log_rising(xp: Namespace, shape: Any, y: Any) -> Any:
    """``log Gamma(shape + y) - log Gamma(shape) - y log shape``, which goes to zero for large shapes.

    Those differences of large numbers would be noise in which no optimum is found: there, Stirling's series.
    """
    small, large = xp.minimum(shape, STIRLING), xp.maximum(shape, STIRLING)
    total = large + y
    series = (total - 0.5) * xp.log1p(y / large) - y + _stirling(total) - _stirling(large)
    return xp.where(shape < STIRLING, xp.gammaln(small + y) - xp.gammaln(small) - y * xp.log(small), series)


def _stirling(x: Any) -> Any:
    """What ``log Gamma(x)`` is more than ``(x - 1/2) log x - x + log(2 pi) / 2``."""
    inverse = 1.0 / x
    square = inverse * inverse
    return inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0)))


def _negbinomial_slopes(y: Array, _: Array, mu: Array, shape: Array) -> tuple[Array, Array, Array]:
    total = mu + shape
    return (
        y / mu - (y + shape) / total,
        -y / mu**2 + (y + shape) / total**2,
        2.0 * y / mu**3 - 2.0 * (y + shape) / total**3,
    )


def _negbinomial_cdf(y: Array, _: Array, mu: Array, shape: Array) -> Array:
    from scipy.special import betainc

    return _whole(y, betainc(shape, np.maximum(y, 0.0) + 1.0, shape / (shape + mu)))


def _negbinomial_deviance(y: Array, _: Array, mu: Array, shape: Array) -> Array:
    from scipy.special import xlogy

    return np.asarray(2.0 * (xlogy(y, y / mu) - (y + shape) * np.log((y + shape) / (mu + shape))))


def _negbinomial_moments(y: Array, mu: Array) -> tuple[float]:
    excess = float(np.mean((y - mu) ** 2 - mu)) / float(np.mean(mu**2))
    return (float(np.clip(1.0 / max(excess, 1e-3), 1e-2, 1e3)),)


NEGBINOMIAL = Family(
    "negbinomial",
    (Parameter("mu", LINKS), Parameter("shape", priors={"brms": "InverseGamma(0.4, 0.3)"})),
    "counts",
    _negbinomial,
    _negbinomial_cdf,
    sample=lambda rng, trials, mu, shape: rng.negative_binomial(shape, shape / (shape + mu)).astype(float),
    variance=lambda trials, mu, shape: mu + mu**2 / shape,
    base=_minus_log_factorial,
    printed="Negative Binomial",
    words="NegativeBinomial(mean mu[i], shape)",
    deviance=_negbinomial_deviance,
    moments=_negbinomial_moments,
    pymc=lambda trials, mu, shape: ("NegativeBinomial", {"mu": mu, "alpha": shape}),
    closed_form=ClosedForm(_negbinomial_slopes),
    limit="poisson",
)
