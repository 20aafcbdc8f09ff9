"""What priors say, in words and numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.correlation import Correlation, Free, OneNumber
from bayesmix.inference.parameters.spectral_covariance import Spectral
from bayesmix.inference.parameters.toeplitz_correlation import Toeplitz
from bayesmix.language.families.link import Link
from bayesmix.language.priors.above import Above
from bayesmix.language.priors.prior import Prior
from bayesmix.language.priors.prior_quantiles import quantile

ROUNDING = 1e-12  # of the largest argument
NODES = 100  # of quadrature over each of the numbers that a Decov prior mixes


def short(prior: Prior) -> str:
    """Name and numbers, four digits; those that are rounding beside others are zero."""
    least = ROUNDING * max(map(abs, prior.arguments), default=0.0)
    return f"{prior.kind}({', '.join(f'{x if abs(x) > least else 0.0:.4g}' for x in prior.arguments)})"


def says(prior: Prior) -> str:
    """What a prior says, in the units of its parameter."""
    if prior.is_flat:
        return "flat: every value alike (improper)"
    low, high = quantiles(prior)
    return f"95 % below {high:.3g}" if prior.is_positive else f"95 % within {low:.3g} .. {high:.3g}"


def quantiles(prior: Prior) -> tuple[float, float]:
    """Bounds that hold 95 %: from zero for a positive parameter, central otherwise."""
    if prior.is_positive:
        return 0.0, float(quantile(prior, np.asarray(0.95)))
    low, high = quantile(prior, np.array([0.025, 0.975]))
    return float(low), float(high)


def central(prior: Above) -> tuple[float, float]:
    """Bounds that hold 95 % of a prior above a bound, with equal tails."""
    low, high = prior.quantile(np.array([0.025, 0.975]))
    return float(low), float(high)


def says_above(prior: Above) -> str:
    """What a prior above a bound says."""
    low, high = central(prior)
    return f"above {prior.bound:g}: 95 % within {low:.3g} .. {high:.3g}"


@dataclass(frozen=True, slots=True)
class OneOfDecov:
    """The prior of one of ``together`` standard deviations that have a Decov prior.

    ``unit`` is the prior of the dispersion parameter that they are relative to; None for them relative to it.
    """

    prior: Prior
    together: int
    unit: Prior | None

    @property
    def is_flat(self) -> bool:
        """Never: the dispersion parameter has a proper prior, too."""
        return False

    def log_density(self, x: Array) -> Array:
        """Log density at ``x (m,)`` above zero: gamma densities averaged over what they are multiplied by."""
        shape, scale = self.prior.arguments[1:]
        sizes = scale * self._sizes()
        ratio = np.asarray(x)[:, None] / sizes
        density = np.mean(ratio ** (shape - 1.0) * np.exp(-ratio) / sizes, axis=1) / math.gamma(shape)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(density))

    def upper(self) -> float:
        """Bound below which it is with probability 95 %."""
        from scipy import optimize, special

        shape, scale = self.prior.arguments[1:]
        sizes = scale * self._sizes()

        def beyond(log_x: float) -> float:
            return float(np.mean(special.gammainc(shape, np.exp(log_x) / sizes))) - 0.95

        middle = float(np.log(np.mean(sizes)))
        return float(np.exp(optimize.brentq(beyond, middle - 20.0, middle + 20.0)))

    def _sizes(self) -> Array:
        """What the gamma variable is multiplied by, at equally likely nodes."""
        from scipy import special

        concentration, k = self.prior.arguments[0], self.together
        middles = (np.arange(NODES) + 0.5) / NODES
        share = special.betaincinv(concentration, (k - 1) * concentration, middles) if k > 1 else np.ones(1)
        sizes = np.sqrt(k * share)
        if self.unit is not None:
            sizes = np.ravel(sizes[:, None] * quantile(self.unit, middles))
        return np.asarray(sizes[sizes > 0.0])


@cache
def decov_upper(prior: Prior, together: int, unit: Prior | None) -> float:
    """Bound of one of ``together`` standard deviations under a Decov prior, as `OneOfDecov.upper` has it."""
    return OneOfDecov(prior, together, unit).upper()


@dataclass(frozen=True, slots=True)
class Unit:
    """What the numbers of a coefficient, or of its standard deviation between levels, mean."""

    effect: str  # "Intercept", "Days"; empty of several effects
    response: str  # what the linear predictor under the identity link is counted in
    link: Link
    parameter: str = ""  # "sigma", where the linear predictor is not that of the mean
    place: str = ""  # where an intercept of a random-effects term is taken: "Days = 4.5"
    curve: float = 0.0  # of the standard deviation of a smooth: that of the curve over the data, when it is one

    @property
    def is_slope(self) -> bool:
        """Whether it is counted per unit of a column."""
        return bool(self.effect) and not self.effect.startswith("Intercept")

    @property
    def of_response(self) -> str:
        """The end of ``2 Reaction``."""
        return f" {self.response}" if self.response else ""

    @property
    def per(self) -> str:
        """The end of ``2 Reaction per Days``."""
        return f"{self.of_response}{f' per {self.effect}' if self.is_slope else ''}"


def says_of_number(prior: Prior, response: str) -> str:
    """What the prior of a parameter says that is one number for all rows; ``response`` if it is counted in that."""
    return says(prior) + (f" {response}" if response and not prior.is_flat else "")


def in_units(prior: Prior, unit: Unit) -> str:
    """What the prior of a coefficient or of its standard deviation says, in units of the response where it has any."""
    if prior.is_flat:
        return says(prior)
    link = unit.link
    if unit.curve:
        largest = quantiles(prior)[1] * unit.curve
        of = f" ({link.multiplies} {_largest(largest)})" if link.multiplies else unit.of_response
        return f"sd of the curve: 95 % below {largest:.3g}{of if link.multiplies or link.is_identity else ''}"
    if link.is_identity:
        return f"{says(prior)}{unit.per}"
    if link.multiplies and (prior.is_positive or unit.is_slope):
        return f"{says(prior)} ({link.multiplies} {_largest(quantiles(prior)[1])})"
    if unit.parameter:
        low, high = (float(link.mean(np.asarray(end))) for end in quantiles(prior))
        return f"{says(prior)} ({unit.parameter} {low:.3g} .. {high:.3g}{unit.of_response})"
    return says(prior)


def _largest(predictor: float) -> str:
    """The largest factor, as far as numbers reach."""
    return f"{np.exp(min(predictor, 700.0)):.3g}"


def share_of(prior: Prior, place: int) -> Prior:
    """The distribution of one share under a Dirichlet prior of all of them."""
    own = prior.arguments[place]
    return Prior("Beta", (own, sum(prior.arguments) - own))


def says_dirichlet(prior: Prior) -> str:
    """What a Dirichlet prior says of each share; where they differ, of the first."""
    low, high = quantiles(share_of(prior, 0))
    of = "each share" if len(set(prior.arguments)) == 1 else "the first share"
    return f"95 % of {of} of the steps within {low:.3g} .. {high:.3g}"


def says_decov(prior: Prior, together: int, dispersion: Prior | None, name: str | None, unit: Unit) -> str:
    """What a Decov prior says of one standard deviation: beside the dispersion parameter, and in the data's units."""
    relative = decov_upper(prior, together, None)
    if dispersion is None:
        size = f"95 % below {relative:.3g}"
        return f"{size} ({unit.link.multiplies} {_largest(relative)})" if unit.link.multiplies else size
    size = f"95 % below {relative:.3g} {name}"
    if dispersion.is_flat or not unit.link.is_identity:
        return size
    return f"{size}, that is {decov_upper(prior, together, dispersion):.3g}{unit.per}"


def says_of_family(prior: Prior, family: Correlation) -> str:
    """What the prior of correlations says, or of a number that they follow from."""
    if prior.kind == "LKJ":
        return says_lkj(prior.arguments[0], family)
    if isinstance(family, Spectral) and family.spectrum.unit > 0.0:
        return f"{says(prior)} times {family.spectrum.unit:.4g}, the largest distance"
    return says(prior)


def says_lkj(eta: float, family: Correlation) -> str:
    """What LKJ(eta) says of each correlation; of correlations by lag, of the first.

    Marginally ``(1 + r) / 2 ~ Beta(a, a)`` with ``a = eta - 1 + k / 2`` for each of a free matrix.
    """
    if isinstance(family, Toeplitz):
        first = quantiles(Prior("Beta", (float(family.beta(eta)[0][0]),) * 2))[1]
        return f"95 % of the correlation of lag 1 within +-{2.0 * first - 1.0:.2f}"
    if isinstance(family, OneNumber):
        a, b = (float(value[0]) for value in family.beta(eta))
        low, high = (family.rho(2.0 * bound - 1.0) for bound in quantiles(Prior("Beta", (a, b))))
        return f"95 % within {low:.2f} .. {high:.2f}"
    if not isinstance(family, Free):
        bound = 2.0 * quantiles(Prior("Beta", (eta, eta)))[1] - 1.0
        return f"95 % of each partial autocorrelation within +-{bound:.2f}"
    a = eta - 1.0 + 0.5 * family.k
    return f"95 % of each correlation within +-{2.0 * quantiles(Prior('Beta', (a, a)))[1] - 1.0:.2f}"
