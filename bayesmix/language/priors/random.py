"""Draws from priors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.language.priors.prior import Prior

Generator = np.random.Generator

POINTS = 3000  # of a grid, evenly, and about as many where the priors lie
CENTRAL = (0.1, 99.9)  # per cent of all priors together; evenly spaced points reach as far again to either side


DRAW: dict[str, Callable[..., float]] = {  # by the kind of the prior, arguments as `Prior` has them
    "Normal": lambda rng, mu, sigma: rng.normal(mu, sigma),
    "StudentT": lambda rng, nu, mu, sigma: mu + sigma * rng.standard_t(nu),
    "Cauchy": lambda rng, mu, sigma: mu + sigma * rng.standard_cauchy(),
    "Laplace": lambda rng, mu, b: rng.laplace(mu, b),
    "HalfNormal": lambda rng, sigma: abs(rng.normal(0.0, sigma)),
    "HalfStudentT": lambda rng, nu, sigma: abs(sigma * rng.standard_t(nu)),
    "HalfCauchy": lambda rng, sigma: abs(sigma * rng.standard_cauchy()),
    "Exponential": lambda rng, rate: rng.exponential(1.0 / rate),
    "Gamma": lambda rng, alpha, beta: rng.gamma(alpha, 1.0 / beta),
    "InverseGamma": lambda rng, alpha, beta: beta / rng.gamma(alpha),
    "LogNormal": lambda rng, mu, sigma: rng.lognormal(mu, sigma),
    "Beta": lambda rng, alpha, beta: rng.beta(alpha, beta),
    "Uniform": lambda rng, lower, upper: rng.uniform(lower, upper),
}


def draw_prior(prior: Prior, rng: Generator) -> float:
    """One draw.

    Raises
    ------
    SpecError
        If the prior is flat: there is nothing to draw from.
    """
    if prior.kind not in DRAW:
        raise SpecError(f'{prior} cannot be drawn from. Give a proper prior, such as priors={{"sd": "HalfNormal(1)"}}.')
    return float(DRAW[prior.kind](rng, *prior.arguments))


def draw_in_order(priors: Sequence[Prior], count: int, rng: Generator) -> Array:
    """Draws ``(count, k)`` of independent parameters given that each is larger than the one before.

    From the last to the first, by inverse distribution functions on a grid: rejection takes millions of attempts where
    the parameters are more than a few.
    """
    grid, below, tables = _grid(priors, rng), np.ones(()), list[Array]()
    for prior in priors:
        log_density = prior.log_density(grid)
        weight = np.exp(log_density - log_density.max()) * below
        mass = np.cumsum(0.5 * (weight[1:] + weight[:-1]) * np.diff(grid))
        below = np.concatenate([[0.0], mass]) / mass[-1]
        tables.append(below)
    found, top = np.empty((count, len(priors))), np.ones(count)
    for j in reversed(range(len(priors))):
        found[:, j] = np.interp(top * rng.random(count), tables[j], grid)
        if j:
            top = np.interp(found[:, j], grid, tables[j - 1])
    return found


def _grid(priors: Sequence[Prior], rng: Generator) -> Array:
    """Points that are dense where any of the priors is, and nowhere between them far apart."""
    pooled = np.array([draw_prior(prior, rng) for prior in priors for _ in range(POINTS // len(priors))])
    low, high = np.percentile(pooled, CENTRAL)
    return np.unique(np.concatenate([pooled, np.linspace(2.0 * low - high, 2.0 * high - low, POINTS)]))
