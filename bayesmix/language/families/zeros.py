"""Families with zeros of their own beside those of a distribution: zero-inflated ones, hurdles."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.counts import POISSON
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.namespaces import Namespace

SHARE = {"default": "Beta(1, 1)", "flat": "Beta(1, 1)", "brms": "Beta(1, 1)", "bambi": "Beta(2, 2)"}
ZI = Parameter("zi", ("logit",), priors=SHARE)  # probability of a zero that is not of the distribution


def zero_inflated(base: Family) -> Family:
    """A distribution whose draws are turned into zeros with probability ``zi`` (Lambert 1992, Technometrics 34)."""

    def kernel(xp: Namespace, y: Any, trials: Any, mu: Any, *others: Any) -> Any:
        *own, zi = others
        at_zero = xp.log(zi + (1.0 - zi) * xp.exp(base.kernel(xp, 0.0 * y, trials, mu, *own)))
        return xp.where(y < 0.5, at_zero, xp.log1p(-zi) + base.kernel(xp, y, trials, mu, *own))

    def cdf(y: Array, trials: Array, mu: Array, *others: Array) -> Array:
        *own, zi = others
        return np.where(y < 0.0, 0.0, zi + (1.0 - zi) * base.cdf(y, trials, mu, *own))

    def sample(rng: np.random.Generator, trials: Array, mu: Array, *others: Array) -> Array:
        *own, zi = others
        drawn = base.sample(rng, trials, mu, *own)
        return np.where(rng.random(drawn.shape) < zi, 0.0, drawn)

    def variance(trials: Array, mu: Array, *others: Array) -> Array:
        *own, zi = others
        mean = base.mean(trials, mu, *own)
        return (1.0 - zi) * (base.variance(trials, mu, *own) + zi * mean**2)

    def expected(trials: Array, mu: Array, *others: Array) -> Array:
        *own, zi = others
        return (1.0 - zi) * base.mean(trials, mu, *own)

    def crude(y: Array, trials: Array) -> tuple[float, ...]:
        share = float(np.mean(y == 0.0))
        some = np.where(y > 0.0, y, np.mean(y[y > 0.0]) if np.any(y > 0.0) else 1.0)
        mu = max(float(np.mean(some / trials)), 1e-3)
        return (mu, *base.start(some, np.full(some.shape, mu)), float(np.clip(0.5 * share, 0.02, 0.9)))

    return Family(
        f"zero_inflated_{base.name}",
        (*base.parameters, ZI),
        base.support,
        kernel,
        cdf,
        sample,
        variance,
        base=base.base,
        expected=expected,
        crude=crude,
        words=f"zero with probability zi[i], else {base.words}",
    )


ZERO_INFLATED_POISSON = zero_inflated(POISSON)
