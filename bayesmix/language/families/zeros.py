"""Families with zeros of their own: zero-inflated distributions, distributions without zeros, and hurdles before them.

Each is made from a distribution by a function. Where ``f(0)`` is needed, the logarithm of the probability of a zero has
a formula of its own, by which ``1 - f(0)`` is exact for small means, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.counts import (
    LEAST,
    NBINOM1,
    NEGBINOMIAL,
    POISSON,
    nbinom1_zero,
    negbinomial_draws,
    negbinomial_zero,
    poisson_zero,
)
from bayesmix.language.families.family import Family, Limit, Parameter
from bayesmix.language.families.namespaces import NUMERIC, Namespace, log_add
from bayesmix.language.families.positive import GAMMA, LOGNORMAL
from bayesmix.language.families.shares import BINOMIAL, binomial_zero

Zero = Callable[..., Any]  # (xp, trials, mu, *others): log probability of a zero

SHARE = {"default": "Beta(1, 1)", "flat": "Beta(1, 1)", "brms": "Beta(1, 1)", "bambi": "Beta(2, 2)"}
ROUNDS = 20  # of the search for the mean of which a truncated distribution has a mean
LOWEST = 0.05  # mean to start from
TINY = 1e-300


def _of_inflated(name: str) -> str:
    return f"zero_inflated_{name}"


def _of_truncated(name: str) -> str:
    return f"truncated_{name}"


def _of_hurdle(name: str) -> str:
    return f"hurdle_{name.removeprefix('truncated_')}"


def _made_from(base: Family, called: Callable[[str], str]) -> tuple[Parameter, ...]:
    """Parameters of a distribution as those of one made from it, whose limits are made from its limits."""
    limits = (one.limit and replace(one.limit, family=called(one.limit.family)) for one in base.parameters)
    return tuple(replace(one, limit=limit) for one, limit in zip(base.parameters, limits, strict=True))


def _with_zeros(base: Family) -> tuple[Callable[..., Array], ...]:
    """Draws, variance and mean of a distribution whose draws become zeros with a probability, the last argument."""

    def sample(rng: np.random.Generator, trials: Array, mu: Array, *others: Array) -> Array:
        *own, share = others
        drawn = base.sample(rng, trials, mu, *own)
        return np.where(rng.random(drawn.shape) < share, 0.0, drawn)

    def variance(trials: Array, mu: Array, *others: Array) -> Array:
        *own, share = others
        return (1.0 - share) * (base.variance(trials, mu, *own) + share * base.mean(trials, mu, *own) ** 2)

    def expected(trials: Array, mu: Array, *others: Array) -> Array:
        *own, share = others
        return (1.0 - share) * base.mean(trials, mu, *own)

    return sample, variance, expected


def _share_of_zeros(y: Array) -> float:
    return float(np.mean(y == 0.0))


def _positive(y: Array) -> Array:
    """Positive responses, one where there are none."""
    return y[y > 0.0] if np.any(y > 0.0) else np.ones(1)


# ---- zero inflation --------------------------------------------------------------------------------------------------


def zero_inflated(base: Family, log_zero: Zero) -> Family:
    """A distribution whose draws are turned into zeros with probability ``zi`` (Lambert 1992, Technometrics 34)."""

    def kernel(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> Any:
        *own, zi = others
        at_zero = log_add(xp, xp.log(zi), xp.log1p(-zi) + log_zero(xp, trials, mu, *own))
        return xp.where(y < 0.5, at_zero, xp.log1p(-zi) + base.kernel(xp, y, trials, mu, *own))

    def cdf(y: Array, trials: Array, mu: Array, *others: Array) -> Array:
        *own, zi = others
        return np.where(y < 0.0, 0.0, zi + (1.0 - zi) * base.cdf(y, trials, mu, *own))

    def log_tails(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> tuple[Any, Any]:
        *own, zi = others
        assert base.log_tails is not None
        below, above = base.log_tails(xp, y, trials, mu, *own)
        return log_add(xp, xp.log(zi), xp.log1p(-zi) + below), xp.log1p(-zi) + above

    def crude(y: Array, trials: Array) -> tuple[float, ...]:
        some = np.where(y > 0.0, y, np.mean(_positive(y)))
        mu = max(float(np.mean(some / trials)), 1e-3)
        return (mu, *base.start(some, np.full(some.shape, mu)), float(np.clip(0.5 * _share_of_zeros(y), 0.02, 0.9)))

    def apart(y: Array, trials: Array) -> tuple[float, ...]:
        """Hardly any zeros of their own: all are the distribution's, by its dispersion."""
        mu = max(float(np.mean(y / trials)), 1e-3)
        return (mu, *base.start(y, np.full(y.shape, mu)), 0.02)

    zi = Parameter("zi", ("logit",), priors=SHARE, limit=Limit(base.name, "zero"), at_one="zero")
    sample, variance, expected = _with_zeros(base)
    return Family(
        _of_inflated(base.name),
        (*_made_from(base, _of_inflated), zi),
        base.support,
        kernel,
        cdf,
        sample,
        variance,
        base=base.base,
        log_tails=None if base.log_tails is None else log_tails,
        expected=expected,
        crude=crude,
        apart=apart,
        words=f"zero with probability zi[i], else {base.words}",
    )


ZERO_INFLATED_POISSON = zero_inflated(POISSON, poisson_zero)
ZERO_INFLATED_NEGBINOMIAL = zero_inflated(NEGBINOMIAL, negbinomial_zero)
ZERO_INFLATED_NBINOM1 = zero_inflated(NBINOM1, nbinom1_zero)
ZERO_INFLATED_BINOMIAL = zero_inflated(BINOMIAL, binomial_zero)


# ---- counts without zeros ----------------------------------------------------------------------------------------


def truncated(base: Family, log_zero: Zero, after: Callable[..., Array]) -> Family:
    """A distribution of counts, given that they are positive.

    Parameters
    ----------
    after : ``(rng, share, mu, *others)``: counts whose first event comes when that share of the exposure has gone by.
    """

    def at_least_one(trials: Array, mu: Array, *others: Array) -> Array:
        return -np.expm1(log_zero(NUMERIC, trials, mu, *others))

    def kernel(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> Any:
        return base.kernel(xp, y, trials, mu, *others) - xp.log1mexp(log_zero(xp, trials, mu, *others))

    def log_tails(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> tuple[Any, Any]:
        assert base.log_tails is not None
        zero = log_zero(xp, trials, mu, *others)
        below, above = base.log_tails(xp, y, trials, mu, *others)
        some = xp.log1mexp(zero)
        return below + xp.log1mexp(zero - below) - some, above - some

    def cdf(y: Array, trials: Array, mu: Array, *others: Array) -> Array:
        with np.errstate(all="ignore"):
            up_to = np.exp(log_tails(NUMERIC, np.floor(np.maximum(y, 1.0)), trials, mu, *others)[0])
        return np.where(y < 1.0, 0.0, np.clip(up_to, 0.0, 1.0))

    def sample(rng: np.random.Generator, trials: Array, mu: Array, *others: Array) -> Array:
        """The events come at random in time: that of the first is exponential, below the exposure."""
        log_f0 = np.minimum(log_zero(NUMERIC, trials, mu, *others), -TINY)
        share = np.log1p(rng.random(np.shape(mu)) * np.expm1(log_f0)) / log_f0
        return after(rng, share, mu, *others)

    def variance(trials: Array, mu: Array, *others: Array) -> Array:
        p = at_least_one(trials, mu, *others)
        return (base.variance(trials, mu, *others) - (1.0 - p) * mu**2 / p) / p

    def expected(trials: Array, mu: Array, *others: Array) -> Array:
        return mu / at_least_one(trials, mu, *others)

    return Family(
        _of_truncated(base.name),
        _made_from(base, _of_truncated),
        "positive_counts",
        kernel,
        cdf,
        sample,
        variance,
        base=base.base,
        log_tails=None if base.log_tails is None else log_tails,
        expected=expected,
        crude=lambda y, trials: _start_of_truncated(base, at_least_one, y),
        words=f"{base.words}, given that it is positive",
    )


def _start_of_truncated(base: Family, at_least_one: Callable[..., Array], y: Array) -> tuple[float, ...]:
    """The parameter mu of which the mean is that of positive counts, others as if none had been left out."""
    some = _positive(y)
    mean = float(np.mean(some))
    others = base.start(some, np.full(some.shape, mean))
    mu = mean
    for _ in range(ROUNDS):
        mu = max(mean * float(at_least_one(np.ones(()), np.asarray(mu), *map(np.asarray, others))), LOWEST)
    return (mu, *others)


def _poisson_after(rng: np.random.Generator, share: Array, mu: Array) -> Array:
    return 1.0 + rng.poisson(mu * (1.0 - share))


def _negbinomial_after(rng: np.random.Generator, share: Array, mu: Array, shape: Array) -> Array:
    """Events are Poisson and bring counts with a logarithmic distribution (Quenouille 1949, Biometrics 5)."""
    shape = np.minimum(shape, 1.0 / LEAST)
    odds = mu / shape
    left = np.maximum(shape * (1.0 - share), TINY)
    rest = negbinomial_draws(rng, odds * left, left)
    return rng.logseries(odds / (1.0 + odds), rest.shape) + rest


TRUNCATED_POISSON = truncated(POISSON, poisson_zero, _poisson_after)
TRUNCATED_NEGBINOMIAL = truncated(NEGBINOMIAL, negbinomial_zero, _negbinomial_after)
TRUNCATED_NBINOM1 = truncated(
    NBINOM1, nbinom1_zero, lambda rng, share, mu, phi: _negbinomial_after(rng, share, mu, mu / np.maximum(phi, LEAST))
)


# ---- hurdles -----------------------------------------------------------------------------------------------------


def hurdle(base: Family) -> Family:
    """Zero with probability ``hu``, else a positive draw of a distribution (Mullahy 1986, J. Econometrics 33)."""
    some = 1.0 if base.values.is_discrete else 0.5  # stands for zeros in formulas of positive responses

    def kernel(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> Any:
        *own, hu = others
        positive = base.kernel(xp, xp.where(y > 0.0, y, some), trials, mu, *own)
        return xp.where(y > 0.0, xp.log1p(-hu) + positive, xp.log(hu))

    def constant(y: Array, trials: Array) -> Array:
        return np.where(y > 0.0, base.base(np.where(y > 0.0, y, some), trials), 0.0)

    def cdf(y: Array, trials: Array, mu: Array, *others: Array) -> Array:
        *own, hu = others
        above = base.cdf(np.where(y > 0.0, y, some), trials, mu, *own)
        return np.where(y < 0.0, 0.0, hu + (1.0 - hu) * np.where(y > 0.0, above, 0.0))

    def log_tails(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> tuple[Any, Any]:
        *own, hu = others
        assert base.log_tails is not None
        below, above = base.log_tails(xp, xp.where(y > 0.0, y, some), trials, mu, *own)
        at_most = xp.where(y > 0.0, log_add(xp, xp.log(hu), xp.log1p(-hu) + below), xp.log(hu))
        return at_most, xp.log1p(-hu) + xp.where(y > 0.0, above, 0.0)

    def crude(y: Array, trials: Array) -> tuple[float, ...]:
        positive, share = _positive(y), float(np.clip(_share_of_zeros(y), 0.01, 0.99))
        if base.crude is not None:
            return (*base.crude(positive, np.ones(positive.shape)), share)
        mu = float(np.mean(positive))
        return (mu, *base.start(positive, np.full(positive.shape, mu)), share)

    hu = Parameter("hu", ("logit",), priors=SHARE, limit=Limit(base.name, "zero"), at_one="zero")
    sample, variance, expected = _with_zeros(base)
    return Family(
        _of_hurdle(base.name),
        (*_made_from(base, _of_hurdle), hu),
        "zeros_and_counts" if base.values.is_discrete else "zeros_and_positive",
        kernel,
        cdf,
        sample,
        variance,
        base=constant,
        log_tails=None if base.log_tails is None else log_tails,
        expected=expected,
        crude=crude,
        scale=base.scale,
        words=f"zero with probability hu[i], else {base.words}",
    )


HURDLE_POISSON = hurdle(TRUNCATED_POISSON)
HURDLE_NEGBINOMIAL = hurdle(TRUNCATED_NEGBINOMIAL)
HURDLE_NBINOM1 = hurdle(TRUNCATED_NBINOM1)
HURDLE_GAMMA = hurdle(GAMMA)
HURDLE_LOGNORMAL = hurdle(LOGNORMAL)
