"""The asymmetric Laplace distribution, whose mu is a quantile of the response.

Yu and Moyeed (2001), Statistics and Probability Letters 54.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.namespaces import Namespace
from bayesmix.language.families.zeros import SHARE

ROUND = 0.2  # width, in sigma, over which the smooth distribution next to it rounds the kink off

Loss = Callable[[Namespace, Any, Any], Any]  # (xp, u, quantile): of residuals in units of sigma


def _loss(xp: Namespace, u: Any, quantile: Any) -> Any:
    return xp.where(u < 0.0, (quantile - 1.0) * u, quantile * u)


def _round_loss(xp: Namespace, u: Any, quantile: Any) -> Any:
    return quantile * u + ROUND * xp.softplus(u * (-1.0 / ROUND))


def _kernel(loss: Loss, fixed: float | None) -> Callable[..., Any]:
    def kernel(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any, *rest: Any) -> Any:
        p = _quantile(fixed, rest)
        return xp.log(p) + xp.log1p(-p) - xp.log(sigma) - loss(xp, (y - mu) / sigma, p)

    return kernel


def _quantile(fixed: float | None, rest: tuple[Any, ...]) -> Any:
    return rest[0] if fixed is None else np.asarray(fixed)


def _made(fixed: float | None) -> Family:
    """With a quantile that is fixed, or a parameter."""

    def cdf(y: Array, _: Array, mu: Array, sigma: Array, *rest: Array) -> Array:
        p, u = _quantile(fixed, rest), (y - mu) / sigma
        below, above = p * np.exp((1.0 - p) * np.minimum(u, 0.0)), (1.0 - p) * np.exp(-p * np.maximum(u, 0.0))
        return np.where(u < 0.0, below, 1.0 - above)

    def log_tails(xp: Namespace, y: Any, _: Any, mu: Any, sigma: Any, *rest: Any) -> tuple[Any, Any]:
        """Each side of mu has a tail in one term; the other is one less it."""
        p, u = _quantile(fixed, rest), (y - mu) / sigma
        is_below = u < 0.0
        inner = xp.where(is_below, xp.log(p) + (1.0 - p) * u, xp.log1p(-p) - p * u)
        outer = xp.log1mexp(inner)
        return xp.where(is_below, inner, outer), xp.where(is_below, outer, inner)

    def sample(rng: np.random.Generator, _: Array, mu: Array, sigma: Array, *rest: Array) -> Array:
        p = _quantile(fixed, rest)
        up, down = rng.standard_exponential((2, *np.shape(mu)))
        return mu + sigma * (up / p - down / (1.0 - p))

    def variance(_: Array, mu: Array, sigma: Array, *rest: Array) -> Array:
        p = _quantile(fixed, rest)
        return 0.0 * mu + sigma**2 * (p**-2.0 + (1.0 - p) ** -2.0)

    def expected(_: Array, mu: Array, sigma: Array, *rest: Array) -> Array:
        p = _quantile(fixed, rest)
        return mu + sigma * (1.0 / p - 1.0 / (1.0 - p))

    def crude(y: Array, _: Array) -> tuple[float, ...]:
        p = 0.5 if fixed is None else fixed
        mu = float(np.quantile(y, p))
        sigma = float(np.mean(np.where(y < mu, (p - 1.0) * (y - mu), p * (y - mu)))) or 1.0
        return (mu, sigma) if fixed is not None else (mu, sigma, p)

    own = () if fixed is not None else (Parameter("quantile", ("logit",), priors=SHARE),)
    family = Family(
        "asym_laplace" if fixed is None else f"asym_laplace({fixed!r})",
        (
            Parameter("mu", ("identity", "log", "inverse")),
            Parameter("sigma", unit="response", exact="zero"),
            *own,
        ),
        "real",
        _kernel(_loss, fixed),
        cdf,
        sample,
        variance,
        log_tails=log_tails,
        expected=expected,
        crude=crude,
        words=f"AsymmetricLaplace(mu[i], sigma, {'quantile' if fixed is None else f'{fixed!r}'})",
    )
    return replace(family, smooth=replace(family, kernel=_kernel(_round_loss, fixed)))


ASYM_LAPLACE = _made(None)


@cache
def of_quantile(quantile: float) -> Family:
    """The distribution with a quantile that is no parameter: regression on that quantile."""
    return _made(quantile)
