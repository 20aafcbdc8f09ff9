"""Draws from priors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesmix.errors import SpecError
from bayesmix.language.priors.prior import Prior

Generator = np.random.Generator


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
