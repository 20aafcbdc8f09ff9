"""Distributions of counts: Poisson, negative binomial with variances of two forms, geometric."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import ClosedForm, Family, Limit, Parameter, Split
from bayesmix.language.families.log_factorial import log_factorial
from bayesmix.language.families.namespaces import Namespace

LINKS = ("log", "identity", "sqrt")
LEAST = 1e-30  # overdispersion from which on shapes are computed with: less is none
SHORT = 20.0  # counts up to which a distribution function is a sum
NEAR = 1e-9  # overdispersion up to which a probability of one success is one but for rounding


def _minus_log_factorial(y: Array, _: Array) -> Array:
    return -log_factorial(y)


def _whole(y: Array, probability: Array) -> Array:
    """A distribution function on counts: zero below them."""
    return np.where(y >= 0.0, probability, 0.0)


# ---- Poisson ----------------------------------------------------------------------------------------------------


def _poisson(xp: Namespace, y: Any, _: Any, mu: Any) -> Any:
    return xp.xlogy(y, mu) - mu


def _poisson_canonical(y: Array, eta: Array, _: Array) -> Array:
    value = y * eta
    value -= np.exp(eta)
    value -= log_factorial(y)
    return np.asarray(value)


def _poisson_slopes(y: Array, _: Array, mu: Array) -> tuple[Array, Array, Array]:
    return y / mu - 1.0, -y / mu**2, 2.0 * y / mu**3


def _poisson_cdf(y: Array, _: Array, mu: Array) -> Array:
    from scipy.special import pdtr

    return _whole(y, pdtr(np.maximum(y, 0.0), mu))


def _poisson_tails(xp: Namespace, y: Any, trials: Any, mu: Any) -> tuple[Any, Any]:
    front = _poisson(xp, y, trials, mu) - xp.gammaln(y + 1.0) + xp.log(mu)
    above, below = xp.gamma_tails(y + 1.0, mu, front)
    return below, above


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
    log_tails=_poisson_tails,
    words="Poisson(mu[i])",
    deviance=_poisson_deviance,
    sums="exposure",
    exposed=(),
    pymc=lambda trials, mu: ("Poisson", {"mu": mu}),
    closed_form=ClosedForm(_poisson_slopes, _poisson_canonical),
)


def poisson_zero(xp: Namespace, _: Any, mu: Any) -> Any:
    """Log probability of a zero."""
    return -mu


# ---- negative binomial, variance mu + mu^2 / shape -----------------------------------------------------------------


def _negbinomial(xp: Namespace, y: Any, _: Any, mu: Any, shape: Any) -> Any:
    shape = xp.minimum(shape, 1.0 / LEAST)
    ratio = mu / shape
    return xp.log_rising(shape, y) - shape * xp.log1p(ratio) + xp.xlogy(y, mu / (1.0 + ratio))


def _negbinomial_log_mean(xp: Namespace, y: Any, trials: Any, eta: Any, shape: Any) -> Any:
    """The same of the logarithm of the mean, which is not taken again: also where the mean would overflow."""
    return _negbinomial_curved(xp, y, trials, shape) + _negbinomial_linear(xp, y, trials, eta, shape)


def _negbinomial_linear(xp: Namespace, y: Any, _: Any, eta: Any, shape: Any) -> Any:
    return y * eta - (y + shape) * xp.softplus(eta - xp.log(shape))


def _negbinomial_curved(xp: Namespace, y: Any, _: Any, shape: Any) -> Any:
    return xp.log_rising(shape, y)


def _negbinomial_slopes(y: Array, _: Array, mu: Array, shape: Array) -> tuple[Array, Array, Array]:
    total = mu + shape
    return (
        y / mu - (y + shape) / total,
        -y / mu**2 + (y + shape) / total**2,
        2.0 * y / mu**3 - 2.0 * (y + shape) / total**3,
    )


def _negbinomial_cdf(y: Array, _: Array, mu: Array, shape: Array) -> Array:
    """An incomplete beta function; of few counts a sum of probabilities, each from the one before."""
    from scipy.special import betaincc

    y, mu, shape = np.broadcast_arrays(np.floor(y), mu, np.minimum(shape, 1.0 / LEAST))
    found, is_short = np.empty(y.shape), y <= SHORT
    short, long = ([one[some] for one in (y, mu, shape)] for some in (is_short, ~is_short))
    found[is_short] = _negbinomial_sum(*short)
    found[~is_short] = betaincc(long[0] + 1.0, long[2], long[1] / (long[2] + long[1]))
    return _whole(y, found)


def _negbinomial_sum(y: Array, mu: Array, shape: Array) -> Array:
    """``P(0) + ... + P(y)``: ``(m,)``."""
    chance = mu / (shape + mu)
    term = np.exp(-shape * np.log1p(mu / shape))
    total = term.copy()
    for k in range(1, int(np.max(y, initial=0.0)) + 1):
        term *= (k - 1.0 + shape) / k * chance
        total += np.where(k <= y, term, 0.0)
    return np.minimum(total, 1.0)


def negbinomial_draws(rng: np.random.Generator, mu: Array, shape: Array) -> Array:
    """Where the shape is so large that a probability is one but for rounding, those of Poisson's mean by themselves."""
    is_large = mu < NEAR * shape
    some = np.where(is_large, 1.0, shape)
    drawn = rng.negative_binomial(some, some / (some + mu)).astype(float)
    if not np.any(is_large):
        return drawn
    shape = np.minimum(np.maximum(shape, 1.0), 1.0 / LEAST)
    return np.where(is_large, rng.poisson(mu * (rng.standard_gamma(shape, drawn.shape) / shape)), drawn)


def _negbinomial_tails(xp: Namespace, y: Any, trials: Any, mu: Any, shape: Any) -> tuple[Any, Any]:
    return _tails_beside(xp, y, mu, xp.minimum(shape, 1.0 / LEAST), _negbinomial(xp, y, trials, mu, shape))


def _tails_beside(xp: Namespace, y: Any, mu: Any, shape: Any, kernel: Any) -> tuple[Any, Any]:
    total, density = mu + shape, kernel - xp.gammaln(y + 1.0)
    return xp.beta_tails(shape, y + 1.0, shape / total, mu / total, density + xp.log(mu * ((shape + y) / total)))


def _negbinomial_deviance(y: Array, _: Array, mu: Array, shape: Array) -> Array:
    from scipy.special import xlogy

    return np.asarray(2.0 * (xlogy(y, y / mu) - (y + shape) * np.log((y + shape) / (mu + shape))))


def negbinomial_zero(xp: Namespace, _: Any, mu: Any, shape: Any) -> Any:
    """Log probability of a zero."""
    return -mu * xp.log1p_over(mu / xp.minimum(shape, 1.0 / LEAST))


def _negbinomial_moments(y: Array, mu: Array) -> tuple[float]:
    excess = float(np.mean((y - mu) ** 2 - mu)) / float(np.mean(mu**2))
    return (float(np.clip(1.0 / max(excess, 1e-3), 1e-2, 1e3)),)


SHAPE = Parameter("shape", priors={"brms": "InverseGamma(0.4, 0.3)"}, limit=Limit("poisson"))

NEGBINOMIAL = Family(
    "negbinomial",
    (Parameter("mu", LINKS), SHAPE),
    "counts",
    _negbinomial,
    _negbinomial_cdf,
    sample=lambda rng, trials, mu, shape: negbinomial_draws(rng, mu, shape),
    variance=lambda trials, mu, shape: mu + mu**2 / shape,
    base=_minus_log_factorial,
    log_tails=_negbinomial_tails,
    printed="Negative Binomial",
    words="NegativeBinomial(mean mu[i], shape)",
    deviance=_negbinomial_deviance,
    moments=_negbinomial_moments,
    exposed=("shape",),
    pymc=lambda trials, mu, shape: ("NegativeBinomial", {"mu": mu, "alpha": shape}),
    closed_form=ClosedForm(
        _negbinomial_slopes, predictor=_negbinomial_log_mean, split=Split(_negbinomial_linear, _negbinomial_curved)
    ),
)


# ---- geometric: negative binomial with shape 1 ---------------------------------------------------------------------


def _geometric_slopes(y: Array, trials: Array, mu: Array) -> tuple[Array, Array, Array]:
    return _negbinomial_slopes(y, trials, mu, np.ones(()))


def _geometric_tails(xp: Namespace, y: Any, _: Any, mu: Any) -> tuple[Any, Any]:
    above = -(y + 1.0) * xp.log1p(1.0 / mu)
    return xp.log1mexp(above), above


GEOMETRIC = Family(
    "geometric",
    (Parameter("mu", LINKS),),
    "counts",
    lambda xp, y, trials, mu: xp.xlogy(y, mu / (1.0 + mu)) - xp.log1p(mu),
    lambda y, trials, mu: _whole(y, -np.expm1((np.maximum(y, 0.0) + 1.0) * np.log(mu / (1.0 + mu)))),
    sample=lambda rng, trials, mu: rng.negative_binomial(1, 1.0 / (1.0 + mu)).astype(float),
    variance=lambda trials, mu: mu + mu**2,
    log_tails=_geometric_tails,
    process=NEGBINOMIAL,
    words="Geometric(mean mu[i])",
    deviance=lambda y, trials, mu: _negbinomial_deviance(y, trials, mu, np.ones(())),
    pymc=lambda trials, mu: ("NegativeBinomial", {"mu": mu, "alpha": 1.0}),
    closed_form=ClosedForm(_geometric_slopes),
)


# ---- negative binomial, variance mu (1 + phi) ------------------------------------------------------------------------
# Of shape mu / phi, and so with the same probability 1 / (1 + phi) in all rows. glmmTMB's nbinom1.


def _nbinom1(xp: Namespace, y: Any, _: Any, mu: Any, phi: Any) -> Any:
    """Without the shape, which is infinite where ``phi`` is zero: what differs from Poisson's is proportional to it."""
    return xp.log_factors(phi / mu, y) - mu * xp.log1p_over(phi) + xp.xlogy(y, mu / (1.0 + phi))


def _nbinom1_tails(xp: Namespace, y: Any, trials: Any, mu: Any, phi: Any) -> tuple[Any, Any]:
    return _tails_beside(xp, y, mu, mu / xp.maximum(phi, LEAST), _nbinom1(xp, y, trials, mu, phi))


def nbinom1_zero(xp: Namespace, _: Any, mu: Any, phi: Any) -> Any:
    """Log probability of a zero."""
    return -mu * xp.log1p_over(phi)


def nbinom1_moments(y: Array, mu: Array) -> tuple[float]:
    """Start of ``phi`` where the variance is ``mu (1 + phi)``."""
    return (float(np.clip(np.mean((y - mu) ** 2) / np.mean(mu) - 1.0, 0.05, 1e3)),)


NBINOM1 = Family(
    "nbinom1",
    (Parameter("mu", LINKS), Parameter("phi", limit=Limit("poisson", "zero"))),
    "counts",
    _nbinom1,
    lambda y, trials, mu, phi: _negbinomial_cdf(y, trials, mu, mu / np.maximum(phi, LEAST)),
    sample=lambda rng, trials, mu, phi: negbinomial_draws(rng, mu, mu / np.maximum(phi, LEAST)),
    variance=lambda trials, mu, phi: mu * (1.0 + phi),
    base=_minus_log_factorial,
    log_tails=_nbinom1_tails,
    words="NegativeBinomial(mean mu[i], variance mu[i] (1 + phi))",
    exposed=(),
    moments=nbinom1_moments,
    pymc=lambda trials, mu, phi: ("NegativeBinomial", {"mu": mu, "alpha": mu / phi}),
)
