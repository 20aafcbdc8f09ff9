"""Distributions of a latent variable, by the name of the link whose inverse is their distribution function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.link import LINKS, Link
from bayesmix.language.families.namespaces import Namespace


@dataclass(frozen=True, slots=True)
class Latent:
    """A distribution ``F`` on the real line, its logarithms on an array namespace."""

    link: Link  # the identity, under the name of the link
    log_cdf: Callable[[Namespace, Any], Any]  # log F(x)
    log_survival: Callable[[Namespace, Any], Any]  # log(1 - F(x))
    log_between: Callable[[Namespace, Any, Any, Any], Any]  # log(F(u) - F(l)), l < u, from log F(u) + log(1 - F(l))

    def cdf(self, x: Array) -> Array:
        """``F(x)``."""
        return LINKS[self.link.name].mean(x)

    def log_odds(self, xp: Namespace, x: Any) -> Any:
        """``log(F(x) / (1 - F(x)))``."""
        return x if self.link.name == "logit" else self.log_cdf(xp, x) - self.log_survival(xp, x)

    def quantile(self, probability: Array) -> Array:
        """``F^-1``."""
        return np.asarray(LINKS[self.link.name].of(probability))


def _logistic_between(xp: Namespace, low: Any, high: Any, both: Any) -> Any:
    return xp.log1mexp(low - high) + both


def _normal_between(xp: Namespace, low: Any, high: Any, _: Any) -> Any:
    """On the side where both tails are small, so that the difference is one of small numbers."""
    is_upper = low + high > 0.0
    a, b = xp.where(is_upper, -high, low), xp.where(is_upper, -low, high)
    whole = xp.log_ndtr(b)
    return whole + xp.log1mexp(xp.log_ndtr(a) - whole)


def _extreme_between(xp: Namespace, low: Any, high: Any, _: Any) -> Any:
    hazard = xp.exp(low)
    return -hazard + xp.log1mexp(hazard - xp.exp(high))


def _latent_link(name: str) -> Link:
    """The link of a latent mean: the predictor itself, by the name of what it is the quantile function of."""
    identity, named = LINKS["identity"], LINKS[name]
    return replace(
        identity,
        name=name,
        latent_variance=named.latent_variance,
        is_symmetric=named.is_symmetric,
        multiplies=named.multiplies,
        is_latent=True,
    )


LATENT: dict[str, Latent] = {
    "logit": Latent(
        _latent_link("logit"),
        lambda xp, x: -xp.softplus(-x),
        lambda xp, x: -xp.softplus(x),
        _logistic_between,
    ),
    "probit": Latent(
        _latent_link("probit"),
        lambda xp, x: xp.log_ndtr(x),
        lambda xp, x: xp.log_ndtr(-x),
        _normal_between,
    ),
    "cloglog": Latent(
        _latent_link("cloglog"),
        lambda xp, x: xp.log1mexp(-xp.exp(x)),
        lambda xp, x: -xp.exp(x),
        _extreme_between,
    ),
}
