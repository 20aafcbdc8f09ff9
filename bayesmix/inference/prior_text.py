"""What priors say, in words and numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.inference.correlation import Correlation, OneNumber
from bayesmix.language.prior import Prior

FACTORS = {"log": "a factor of", "logit": "odds times"}  # what exp of a coefficient does, by link


def short(prior: Prior) -> str:
    """Name and numbers, four digits."""
    return f"{prior.kind}({', '.join(f'{argument:.4g}' for argument in prior.arguments)})"


def says(prior: Prior) -> str:
    """What a prior says, in the units of its parameter."""
    if prior.is_flat:
        return "flat: every value alike (improper)"
    low, high = quantiles(prior)
    return f"95 % below {high:.3g}" if prior.is_positive else f"95 % within {low:.3g} .. {high:.3g}"


def quantiles(prior: Prior) -> tuple[float, float]:
    """Bounds that hold 95 %: from zero for a positive parameter, central otherwise."""
    from scipy import stats

    frozen: dict[str, Callable[..., Any]] = {
        "Normal": stats.norm,
        "StudentT": stats.t,
        "Cauchy": stats.cauchy,
        "Laplace": stats.laplace,
        "HalfNormal": lambda sigma: stats.halfnorm(0.0, sigma),
        "HalfStudentT": lambda nu, sigma: _HalfStudent(stats.t(nu, 0.0, sigma)),
        "HalfCauchy": lambda sigma: stats.halfcauchy(0.0, sigma),
        "Exponential": lambda rate: stats.expon(0.0, 1.0 / rate),
        "Gamma": lambda alpha, beta: stats.gamma(alpha, scale=1.0 / beta),
        "InverseGamma": lambda alpha, beta: stats.invgamma(alpha, scale=beta),
        "LogNormal": lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
        "Uniform": lambda lower, upper: stats.uniform(lower, upper - lower),
    }
    distribution = frozen[prior.kind](*prior.arguments)
    if prior.is_positive:
        return 0.0, float(distribution.ppf(0.95))
    return float(distribution.ppf(0.025)), float(distribution.ppf(0.975))


@dataclass(frozen=True, slots=True)
class _HalfStudent:
    """The positive half of a Student t distribution."""

    whole: Any

    def ppf(self, q: float) -> float:
        return float(self.whole.ppf(0.5 + 0.5 * q))


def in_units(prior: Prior, effect: str, response: str, link: str) -> str:
    """What the prior of a coefficient or of its standard deviation says, in units of the response where it has any."""
    if prior.is_flat:
        return says(prior)
    slope = bool(effect) and not effect.startswith("Intercept")
    if link == "identity":
        return f"{says(prior)} {response}{f' per {effect}' if slope else ''}"
    if link in FACTORS and (prior.is_positive or slope):
        return f"{says(prior)} ({FACTORS[link]} {np.exp(min(quantiles(prior)[1], 700.0)):.3g})"
    return says(prior)


def says_lkj(eta: float, family: Correlation) -> str:
    """What LKJ(eta) says of each correlation.

    Marginally ``(1 + r) / 2 ~ Beta(a, a)`` with ``a = eta - 1 + k / 2`` for each of a free matrix.
    """
    from scipy import stats

    if isinstance(family, OneNumber):
        a, b = (float(value[0]) for value in family.beta(eta))
        low, high = (family.rho(2.0 * float(stats.beta(a, b).ppf(p)) - 1.0) for p in (0.025, 0.975))
        return f"95 % within {low:.2f} .. {high:.2f}"
    a = eta - 1.0 + 0.5 * family.k
    return f"95 % of each correlation within +-{2.0 * float(stats.beta(a, a).ppf(0.975)) - 1.0:.2f}"
