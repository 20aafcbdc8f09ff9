"""Priors of numbers that have a lower bound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.priors.prior import Prior
from bayesmix.language.priors.prior_quantiles import quantile

CLOSE = 1e-12  # to which the probability below the bound is known


@dataclass(frozen=True, slots=True)
class Above:
    """The distribution of ``X`` given that it is above a bound; printed as that of ``X``."""

    prior: Prior
    bound: float

    def __str__(self) -> str:
        return str(self.prior)

    @property
    def is_flat(self) -> bool:
        """Never: there is no other than a proper prior of such a number."""
        return False

    @property
    def log_share(self) -> float:
        """Logarithm of the probability that ``X`` is above the bound."""
        return float(np.log1p(-_below(self.prior, self.bound)))

    def log_density(self, x: Array) -> Array:
        """Log density at ``x``, elementwise; -inf below the bound."""
        value = self.prior.log_density(x) - self.log_share
        return np.where(np.asarray(x) < self.bound, -np.inf, value)

    def quantile(self, probability: Array) -> Array:
        """Quantiles ``(...)`` at probabilities ``(...)`` between 0 and 1."""
        below = _below(self.prior, self.bound)
        return quantile(self.prior, below + (1.0 - below) * np.asarray(probability))


@lru_cache(maxsize=64)
def _below(prior: Prior, bound: float) -> float:
    """Probability that ``X`` is below a bound."""
    from scipy import optimize

    ends = (CLOSE, 1.0 - CLOSE)
    low, high = (float(quantile(prior, np.asarray(end))) for end in ends)
    if not low < bound < high:
        return 0.0 if bound <= low else 1.0
    return float(optimize.brentq(lambda p: float(quantile(prior, np.asarray(p))) - bound, *ends, xtol=CLOSE))
