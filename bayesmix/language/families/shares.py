"""Distributions of successes among trials: binomial, Bernoulli, beta-binomial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import ClosedForm, Family, Limit, Parameter
from bayesmix.language.families.gamma_function import STIRLING, stirling
from bayesmix.language.families.log_factorial import log_factorial
from bayesmix.language.families.long_sums import log_tails
from bayesmix.language.families.namespaces import NUMERIC, Namespace
from bayesmix.language.families.taylor import value_of

TINY = 1e-300
MANY = 1e5  # trials of which the density is written otherwise
SUMMED = 500.0  # successes up to which a distribution function is a sum
NODES = 300  # of an average over a beta variable's logit
BULK, TAIL = 9.0, 40.0  # standard deviations, and exponents, beyond which its density is below rounding


def _kernel(xp: Namespace, y: Any, trials: Any, mu: Any) -> Any:
    return xp.xlogy(y, mu) + xp.xlog1py(trials - y, -mu)


def _canonical(y: Array, eta: Array, trials: Array) -> Array:
    losses = np.exp(eta)
    np.log1p(losses, out=losses)
    if np.isinf(losses.max(initial=0.0)):
        np.copyto(losses, eta, where=np.isinf(losses))
    value = y * eta
    if np.all(trials == 1.0):
        value -= losses
        return np.asarray(value)
    losses *= trials
    value -= losses
    value += _log_choose(y, trials)
    return np.asarray(value)


def _log_choose(y: Array, trials: Array) -> Array:
    return log_factorial(trials) - log_factorial(y) - log_factorial(trials - y)


def _slopes(y: Array, trials: Array, mu: Array) -> tuple[Array, Array, Array]:
    failures, nu = trials - y, 1.0 - mu
    return (
        y / mu - failures / nu,
        -y / mu**2 - failures / nu**2,
        2.0 * y / mu**3 - 2.0 * failures / nu**3,
    )


def _cdf(y: Array, trials: Array, mu: Array) -> Array:
    from scipy.special import betainc

    inside = betainc(np.maximum(trials - y, 1.0), np.maximum(y, 0.0) + 1.0, 1.0 - mu)
    return np.where(y < 0.0, 0.0, np.where(y < trials, inside, 1.0))


def _log_tails(xp: Namespace, y: Any, trials: Any, mu: Any) -> tuple[Any, Any]:
    is_below = y < trials
    failures = xp.where(is_below, trials - y, 1.0)
    ways = xp.gammaln(trials + 1.0) - xp.gammaln(y + 1.0) - xp.gammaln(failures)
    front = ways + _kernel(xp, y, trials, mu) + xp.log(mu)
    below, above = xp.beta_tails(failures, y + 1.0, 1.0 - mu, mu, front)
    return xp.where(is_below, below, 0.0), xp.where(is_below, above, -np.inf)


def _deviance(y: Array, trials: Array, mu: Array) -> Array:
    from scipy.special import xlogy

    failures = trials - y
    return np.asarray(2.0 * (xlogy(y, y / (trials * mu)) + xlogy(failures, failures / (trials * (1.0 - mu)))))


def binomial_zero(xp: Namespace, trials: Any, mu: Any) -> Any:
    """Log probability of a zero."""
    return xp.xlog1py(trials, -mu)


BINOMIAL = Family(
    "binomial",
    (Parameter("mu", ("logit", "probit", "cloglog")),),
    "trials",
    _kernel,
    _cdf,
    sample=lambda rng, trials, mu: rng.binomial(trials.astype(np.int64), mu).astype(float),
    variance=lambda trials, mu: mu * (1.0 - mu) / trials,
    base=_log_choose,
    log_tails=_log_tails,
    words="Binomial(trials[i], mu[i])",
    deviance=_deviance,
    sums="trials",
    pymc=lambda trials, mu: ("Binomial", {"n": trials.astype(np.int64), "p": mu}),
    closed_form=ClosedForm(_slopes, _canonical, lambda xp, y, trials, eta: y * eta - trials * xp.softplus(eta)),
)
BERNOULLI = replace(BINOMIAL, name="bernoulli", support="binary", words="Bernoulli(mu[i])")


# ---- beta-binomial: binomial, its probability drawn from a beta distribution of precision phi ------------------------


def _betabinomial(xp: Namespace, y: Any, trials: Any, mu: Any, phi: Any) -> Any:
    """The binomial density and what goes to zero with large phi; of many trials all of the log density.

    There its parts are so large that rounding hides which way the likelihood rises.
    """
    if isinstance(trials, np.ndarray | float) and np.max(trials, initial=0.0) <= MANY:
        return _beside_binomial(xp, y, trials, mu, phi)
    is_overdispersed = (trials > MANY) & (phi < trials)
    usual = _beside_binomial(xp, y, trials, mu, xp.where(is_overdispersed, trials, phi))
    usual = usual + xp.where(trials > MANY, _log_ways(xp, y, trials), 0.0)
    return xp.where(is_overdispersed, _of_many(xp, y, trials, mu, xp.where(is_overdispersed, phi, 1.0)), usual)


def _log_ways(xp: Namespace, y: Any, trials: Any) -> Any:
    """What `_log_choose` is of data, of symbols and polynomials, too."""
    return xp.gammaln(trials + 1.0) - xp.gammaln(y + 1.0) - xp.gammaln(trials - y + 1.0)


def _beside_binomial(xp: Namespace, y: Any, trials: Any, mu: Any, phi: Any) -> Any:
    a, b = mu * phi, (1.0 - mu) * phi
    excess = xp.log_rising(a, y) + xp.log_rising(b, trials - y) - xp.log_rising(phi, trials)
    return _kernel(xp, y, trials, mu) + excess


def _of_many(xp: Namespace, y: Any, trials: Any, mu: Any, phi: Any) -> Any:
    """By ratios of gamma functions whose arguments differ by the shapes alone, none larger than logs of trials."""
    a, b = mu * phi, (1.0 - mu) * phi
    rest = xp.gammaln(phi) - xp.gammaln(a) - xp.gammaln(b)
    return _log_ratio(xp, y, a) + _log_ratio(xp, trials - y, b) - _log_ratio(xp, trials, phi) + rest


def _log_ratio(xp: Namespace, count: Any, shape: Any) -> Any:
    """``log Gamma(count + shape) - log Gamma(count + 1)``, of large counts by Stirling's formula."""
    small, large = xp.minimum(count, STIRLING), xp.maximum(count, STIRLING)
    direct = xp.gammaln(small + shape) - xp.gammaln(small + 1.0)
    total, excess = large + shape, stirling(large + shape)[0] - stirling(large)[0]
    series = (shape - 1.0) * xp.log(large) + (total - 0.5) * xp.log1p(shape / large) - shape + excess
    return xp.where(count < STIRLING, direct, series)


def _betabinomial_base(y: Array, trials: Array) -> Array:
    return np.where(trials > MANY, 0.0, _log_choose(y, trials))


def _betabinomial_cdf(y: Array, trials: Array, mu: Array, phi: Array) -> Array:
    """Sum of the density, of which there is no shorter formula; of many successes the chance of an order of shares."""
    y, trials, mu, phi = np.broadcast_arrays(np.floor(y), trials, mu, phi)
    is_inside = y < trials
    is_long = is_inside & (y > SUMMED)
    total = np.zeros(y.shape)
    for k in range(int(np.max(np.where(is_inside & ~is_long, y, -1.0), initial=-1.0)) + 1):
        counted = np.minimum(float(k), trials)
        density = _betabinomial(NUMERIC, counted, trials, mu, phi) + _betabinomial_base(counted, trials)
        total += np.where(k <= y, np.exp(density), 0.0)
    total[is_long] = _of_long_sums(y[is_long], trials[is_long], mu[is_long], phi[is_long])
    return np.where(is_inside, np.minimum(total, 1.0), 1.0)


def _of_long_sums(y: Array, trials: Array, mu: Array, phi: Array) -> Array:
    """Probability ``(m,)`` of at most ``y`` successes: that a beta variable is below another, independent one.

    Trials are uniform numbers below the share, so that there are no more than ``y`` successes where the share is below
    the number of rank ``y + 1``, whose distribution is beta, too.
    """
    share, rank = (mu * phi, (1.0 - mu) * phi), (y + 1.0, trials - y)
    is_rank_narrow = _spread(*rank) <= _spread(*share)
    narrow = [np.where(is_rank_narrow, a, b) for a, b in zip(rank, share, strict=True)]
    wide = [np.where(is_rank_narrow, a, b) for a, b in zip(share, rank, strict=True)]
    below, above = _orders(narrow, wide)
    return np.where(is_rank_narrow, below, above)


def _spread(a: Array, b: Array) -> Array:
    """Variance of the logit of a beta variable."""
    from scipy.special import polygamma

    return np.asarray(polygamma(1, a) + polygamma(1, b))


def _orders(narrow: list[Array], wide: list[Array]) -> tuple[Array, Array]:
    """Probabilities ``(m,)`` that a wide beta variable is below a narrow one, and above, neither a difference.

    The distribution function of the wide one, averaged over the logit of the narrow one by the trapezoidal rule, which
    is exact to rounding for densities that fall exponentially.
    """
    from scipy.special import betainc, expit

    a, b = (one[:, None] for one in narrow)
    u, v = (one[:, None] for one in wide)
    bulk = BULK * np.sqrt(1.0 / a + 1.0 / b)
    low, high = -bulk - TAIL / a, bulk + TAIL / b
    from_mode = low + (high - low) * np.linspace(0.0, 1.0, NODES)
    log_weight = a * from_mode - (a + b) * np.log1p(a / (a + b) * np.expm1(from_mode))
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    logit = np.log(a / b) + from_mode
    is_low = logit < 0.0
    lower = betainc(u, v, expit(np.minimum(logit, 0.0)))
    upper = betainc(v, u, expit(-np.maximum(logit, 0.0)))
    below, above = np.where(is_low, lower, 1.0 - upper), np.where(is_low, 1.0 - lower, upper)
    return np.sum(weight * below, axis=1), np.sum(weight * above, axis=1)


def _betabinomial_tails(xp: Namespace, y: Any, trials: Any, mu: Any, phi: Any) -> tuple[Any, Any]:
    """Sums of the density on either side: of symbols a term a count, of arrays as many as its logarithm."""

    def density(k: Any) -> Any:
        return xp.where(trials > MANY, 0.0, _log_ways(xp, k, trials)) + _betabinomial(xp, k, trials, mu, phi)

    is_below = y < trials
    if xp is NUMERIC:
        mean = value_of(mu)
        shape = np.broadcast_shapes(np.shape(y), np.shape(trials), np.shape(mean), np.shape(value_of(phi)))
        inside = np.where(is_below, y, trials - 1.0)
        below, above = log_tails(density, inside, trials - inside, np.broadcast_to(inside < trials * mean, shape))
        return xp.where(is_below, below, 0.0), xp.where(is_below, above, -np.inf)

    def up_to(k: Any) -> tuple[Any, Any]:
        counts = (k <= y) & (k <= trials)
        return density(xp.where(counts, k, 0.0)), counts

    def from_above(k: Any) -> tuple[Any, Any]:
        counts = k < trials - y
        return density(trials - xp.where(counts, k, 0.0)), counts

    below, above = xp.log_sum(up_to, y), xp.log_sum(from_above, trials - y)
    return xp.where(is_below, below, 0.0), xp.where(is_below, above, -np.inf)


def _betabinomial_sample(rng: np.random.Generator, trials: Array, mu: Array, phi: Array) -> Array:
    share = rng.beta(np.maximum(mu * phi, TINY), np.maximum((1.0 - mu) * phi, TINY))
    return rng.binomial(trials.astype(np.int64), share).astype(float)


BETABINOMIAL = Family(
    "betabinomial",
    (Parameter("mu", ("logit", "probit", "cloglog")), Parameter("phi", limit=Limit("binomial"))),
    "trials",
    _betabinomial,
    _betabinomial_cdf,
    _betabinomial_sample,
    variance=lambda trials, mu, phi: mu * (1.0 - mu) / trials * (phi + trials) / (phi + 1.0),
    base=_betabinomial_base,
    log_tails=_betabinomial_tails,
    adds_up=True,
    words="BetaBinomial(trials[i], mean mu[i], precision phi)",
    pymc=lambda trials, mu, phi: (
        "BetaBinomial",
        {"n": trials.astype(np.int64), "alpha": mu * phi, "beta": (1.0 - mu) * phi},
    ),
)
