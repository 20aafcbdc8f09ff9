"""Prior of a parameter, as one of its value on the scale of its link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.link import Link
from bayesmix.language.priors.prior import Prior


@dataclass(frozen=True, slots=True)
class OnLink:
    """The distribution of ``gamma = g(X)``, where ``X`` has a prior and ``g`` is a link; printed as that of ``X``."""

    prior: Prior
    link: Link

    def __str__(self) -> str:
        return str(self.prior)

    @property
    def kind(self) -> str:
        """Kind of the distribution: ``LogExponential`` is that of the logarithm of an exponential variable."""
        return f"{self.link.name.capitalize()}{self.prior.kind}"

    @property
    def arguments(self) -> tuple[float, ...]:
        """Numbers of the distribution of ``X``."""
        return self.prior.arguments

    @property
    def is_flat(self) -> bool:
        """Never: what is constant in ``X`` is not in ``gamma``."""
        return False

    @property
    def is_positive(self) -> bool:
        """Never: a link takes the parameter's range to the real line."""
        return False

    def log_density(self, x: Array) -> Array:
        """Log density at ``x``, elementwise; where the parameter is beyond what numbers hold, -inf."""
        with np.errstate(all="ignore"):
            value, slope, _, _ = self.link.inverse(np.asarray(x, float))
            total = np.asarray(self.prior.log_density(value) + np.log(np.abs(slope)))
        return np.where(np.isnan(total), -np.inf, total)


type CoefficientPrior = Prior | OnLink


def natural(prior: CoefficientPrior) -> Prior:
    """The prior on the natural scale of its parameter."""
    return prior.prior if isinstance(prior, OnLink) else prior
