"""Distributions of positive responses: gamma, exponential, Weibull, inverse Gaussian, lognormal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import ClosedForm, Family, Parameter
from bayesmix.language.families.log_gamma import HALF_LOG_2PI
from bayesmix.language.families.namespaces import Namespace

LINKS = ("log", "inverse", "identity")

# ---- gamma --------------------------------------------------------------------------------------------------------


def _kernel(xp: Namespace, y: Any, _: Any, mu: Any, shape: Any) -> Any:
    rate = shape / mu
    return shape * xp.log(rate * y) - rate * y - xp.gammaln(shape)


def _slopes(y: Array, _: Array, mu: Array, shape: Array) -> tuple[Array, Array, Array]:
    return (
        shape * (y - mu) / mu**2,
        shape * (mu - 2.0 * y) / mu**3,
        shape * (6.0 * y - 2.0 * mu) / mu**4,
    )


def _cdf(y: Array, _: Array, mu: Array, shape: Array) -> Array:
    from scipy.special import gammainc

    return np.asarray(gammainc(shape, shape * np.maximum(y, 0.0) / mu))


def _log_tails(xp: Namespace, y: Any, trials: Any, mu: Any, shape: Any) -> tuple[Any, Any]:
    """What stands before them is the density times ``y``."""
    return xp.gamma_tails(shape, shape / mu * y, _kernel(xp, y, trials, mu, shape))


GAMMA = Family(
    "gamma",
    (Parameter("mu", LINKS), Parameter("shape", exact="infinity")),
    "positive",
    _kernel,
    _cdf,
    sample=lambda rng, trials, mu, shape: rng.gamma(shape, mu / shape),
    variance=lambda trials, mu, shape: mu**2 / shape,
    base=lambda y, trials: -np.log(y),
    log_tails=_log_tails,
    printed="Gamma",
    words="Gamma(mean mu[i], shape)",
    deviance=lambda y, trials, mu, shape: -2.0 * (np.log(y / mu) - (y - mu) / mu),
    moments=lambda y, mu: (float(np.clip(1.0 / np.mean((y / mu - 1.0) ** 2), 1e-2, 1e6)),),
    pymc=lambda trials, mu, shape: ("Gamma", {"alpha": shape, "beta": shape / mu}),
    closed_form=ClosedForm(_slopes),
    has_scale=True,
)


# ---- exponential --------------------------------------------------------------------------------------------------


def _exponential_tails(xp: Namespace, y: Any, _: Any, mu: Any) -> tuple[Any, Any]:
    return xp.log1mexp(-y / mu), -y / mu


EXPONENTIAL = Family(
    "exponential",
    (Parameter("mu", LINKS),),
    "positive",
    lambda xp, y, trials, mu: -y / mu - xp.log(mu),
    cdf=lambda y, trials, mu: -np.expm1(-np.maximum(y, 0.0) / mu),
    sample=lambda rng, trials, mu: rng.exponential(mu),
    variance=lambda trials, mu: mu**2,
    log_tails=_exponential_tails,
    words="Exponential(mean mu[i])",
    deviance=lambda y, trials, mu: -2.0 * (np.log(y / mu) - (y - mu) / mu),
    pymc=lambda trials, mu: ("Exponential", {"scale": mu}),
)


# ---- Weibull of a mean: scale mu / Gamma(1 + 1 / shape) -----------------------------------------------------------


def _weibull(xp: Namespace, y: Any, _: Any, mu: Any, shape: Any) -> Any:
    power = shape * (xp.log(y / mu) + xp.gammaln(1.0 + 1.0 / shape))
    return xp.log(shape) + power - xp.exp(power)


def _weibull_tails(xp: Namespace, y: Any, _: Any, mu: Any, shape: Any) -> tuple[Any, Any]:
    above = -xp.exp(shape * (xp.log(y / mu) + xp.gammaln(1.0 + 1.0 / shape)))
    return xp.log1mexp(above), above


def _log_scale(mu: Array, shape: Array) -> Array:
    from scipy.special import gammaln

    return np.asarray(np.log(mu) - gammaln(1.0 + 1.0 / shape))


def _weibull_cdf(y: Array, _: Array, mu: Array, shape: Array) -> Array:
    with np.errstate(divide="ignore"):
        return -np.expm1(-np.exp(shape * (np.log(np.maximum(y, 0.0)) - _log_scale(mu, shape))))


def _weibull_variance(_: Array, mu: Array, shape: Array) -> Array:
    from scipy.special import gammaln

    return np.asarray(mu**2 * np.expm1(gammaln(1.0 + 2.0 / shape) - 2.0 * gammaln(1.0 + 1.0 / shape)))


def _weibull_moments(y: Array, mu: Array) -> tuple[float]:
    """By the spread of logarithms, which is ``pi / sqrt(6)`` over the shape."""
    return (float(np.clip(np.pi / np.sqrt(6.0) / max(float(np.std(np.log(y / mu))), 1e-6), 0.05, 1e4)),)


WEIBULL = Family(
    "weibull",
    (Parameter("mu", LINKS), Parameter("shape", priors={"default": "LogNormal(0, 1)"}, exact="infinity")),
    "positive",
    _weibull,
    _weibull_cdf,
    sample=lambda rng, trials, mu, shape: np.exp(_log_scale(mu, shape)) * rng.weibull(shape, np.shape(mu)),
    variance=_weibull_variance,
    base=lambda y, trials: -np.log(y),
    log_tails=_weibull_tails,
    words="Weibull(mean mu[i], shape)",
    moments=_weibull_moments,
)


# ---- inverse Gaussian, variance mu^3 / shape ----------------------------------------------------------------------


def _inverse_gaussian(xp: Namespace, y: Any, _: Any, mu: Any, shape: Any) -> Any:
    return 0.5 * xp.log(shape) - 0.5 * shape * (y / mu - 1.0) ** 2 / y


def _inverse_gaussian_cdf(y: Array, _: Array, mu: Array, shape: Array) -> Array:
    from scipy.special import log_ndtr, ndtr

    positive = np.where(y > 0.0, y, 1.0)
    root = np.sqrt(shape / positive)
    found = ndtr(root * (positive / mu - 1.0)) + np.exp(2.0 * shape / mu + log_ndtr(-root * (positive / mu + 1.0)))
    return np.where(y > 0.0, found, 0.0)


def _inverse_gaussian_tails(xp: Namespace, y: Any, _: Any, mu: Any, shape: Any) -> tuple[Any, Any]:
    root = xp.sqrt(shape / y)
    z, reflected = root * (y / mu - 1.0), 2.0 * shape / mu + xp.log_ndtr(-root * (y / mu + 1.0))
    below, above = xp.log_ndtr(z), xp.log_ndtr(-z)
    return below + xp.softplus(reflected - below), above + xp.log1mexp(reflected - above)


def _inverse_gaussian_moments(y: Array, mu: Array) -> tuple[float]:
    return (float(np.clip(1.0 / np.mean((y / mu - 1.0) ** 2 / y), 1e-8, 1e12)),)


def _relative(y: Array) -> str:
    """A prior of the shape over the mean, which is one over the squared coefficient of variation."""
    return f"Gamma(2, {0.1 / float(np.mean(y)):.12g})"


SHAPE: dict[str, str | Callable[[Array], str]] = {
    "default": _relative,
    "brms": "Gamma(0.01, 0.01)",
    "rstanarm": "Exponential(1)",
    "bambi": "HalfCauchy(1)",
}
INVERSE_GAUSSIAN = Family(
    "inverse_gaussian",
    (
        Parameter("mu", (*LINKS, "inverse_squared")),
        Parameter("shape", unit="response", priors=SHAPE, exact="infinity"),
    ),
    "positive",
    _inverse_gaussian,
    _inverse_gaussian_cdf,
    sample=lambda rng, trials, mu, shape: rng.wald(mu, shape),
    variance=lambda trials, mu, shape: mu**3 / shape,
    base=lambda y, trials: -1.5 * np.log(y) - HALF_LOG_2PI,
    log_tails=_inverse_gaussian_tails,
    printed="inverse.gaussian",
    words="InverseGaussian(mean mu[i], shape)",
    deviance=lambda y, trials, mu, shape: (y - mu) ** 2 / (mu**2 * y),
    crude=lambda y, trials: (float(np.mean(y)), *_inverse_gaussian_moments(y, np.mean(y))),  # at means by rows a
    # regression is led to where they have no end: the likelihood is nearly flat there
    moments=_inverse_gaussian_moments,
    pymc=lambda trials, mu, shape: ("Wald", {"mu": mu, "lam": shape}),
    has_scale=True,
)


# ---- lognormal: mu and sigma of the logarithm ----------------------------------------------------------------------


def _lognormal(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any) -> Any:
    return -0.5 * ((xp.log(y) - mu) / sigma) ** 2 - xp.log(sigma)


def _lognormal_cdf(y: Array, _: Array, mu: Array, sigma: Array) -> Array:
    from scipy.special import ndtr

    with np.errstate(divide="ignore"):
        return np.asarray(ndtr((np.log(np.maximum(y, 0.0)) - mu) / sigma))


def _lognormal_tails(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any) -> tuple[Any, Any]:
    z = (xp.log(y) - mu) / sigma
    return xp.log_ndtr(z), xp.log_ndtr(-z)


def _lognormal_mean(_: Array, mu: Array, sigma: Array) -> Array:
    return np.asarray(np.exp(mu + 0.5 * sigma**2))


def _of_logarithms(y: Array, _: Array) -> tuple[float, ...]:
    logarithms = np.log(y)
    return float(np.mean(logarithms)), float(np.std(logarithms)) or 1.0


LOGNORMAL = Family(
    "lognormal",
    (Parameter("mu", ("identity", "inverse")), Parameter("sigma", unit="response", exact="zero")),
    "positive",
    _lognormal,
    _lognormal_cdf,
    sample=lambda rng, trials, mu, sigma: rng.lognormal(mu, sigma),
    variance=lambda trials, mu, sigma: np.expm1(sigma**2) * np.exp(2.0 * mu + sigma**2),
    base=lambda y, trials: -np.log(y) - HALF_LOG_2PI,
    expected=_lognormal_mean,
    crude=_of_logarithms,
    scale="log",
    log_tails=_lognormal_tails,
    words="LogNormal(mu[i], sigma)",
    pymc=lambda trials, mu, sigma: ("LogNormal", {"mu": mu, "sigma": sigma}),
)
