"""Links between a parameter of a family and its linear predictor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.namespaces import NUMERIC, Namespace, cloglog_slopes, logistic_slopes, normal_slopes

Slopes = tuple[Array, Array, Array]  # a function's first three derivatives
Jet = tuple[Array, Array, Array, Any]  # its values before them; the last of several predictors may be a record


@dataclass(frozen=True, slots=True)
class Link:
    """A link ``eta = g(mu)``."""

    name: str
    of: Callable[[Array], Array]  # g
    formula: Callable[[Namespace, Any], Any]  # g^-1, on an array namespace
    slopes: Callable[[Array, Array], Slopes]  # (eta, mu): derivatives of the mean by eta, in closed form
    range: Literal["real", "positive", "unit", "one_to_two", "correlation", "angle"]  # of the mean
    is_open: bool = True  # a mean at the end of its range has its predictor at infinity
    latent_variance: float | None = None  # of the distribution that the link is the quantile function of
    is_symmetric: bool = False  # that distribution
    is_latent: bool = False  # the identity, of the mean of a latent variable, called by that distribution
    multiplies: str | None = None  # what exp of a coefficient multiplies, in words

    def mean(self, eta: Array) -> Array:
        """``mu = g^-1(eta)``."""
        return np.asarray(self.formula(NUMERIC, eta))

    def inverse(self, eta: Array) -> Jet:
        """The mean and its first three derivatives by the linear predictor."""
        mu = self.mean(eta)
        return (mu, *self.slopes(eta, mu))

    @property
    def is_identity(self) -> bool:
        """Whether the predictor is the mean of the response itself."""
        return self.range == "real" and not self.is_latent

    @property
    def is_logarithm(self) -> bool:
        """Whether it is the logarithm."""
        return self.range == "positive" and self.is_open

    def variance(self, mu: Array, variance: Array) -> Array:
        """Variance on the scale of the link of a response with a mean and a variance (Nakagawa et al. 2017).

        That of a logarithm as if it were lognormal, by the delta method elsewhere.
        """
        if self.is_logarithm:
            return np.asarray(np.log1p(variance / mu**2))
        return np.asarray(variance / self.inverse(self.of(mu))[1] ** 2)


def _identity_slopes(eta: Array, _: Array) -> Slopes:
    one, zero = np.ones_like(eta), np.zeros_like(eta)
    return one, zero, zero


def _inverse_slopes(eta: Array, _: Array) -> Slopes:
    return -1.0 / eta**2, 2.0 / eta**3, -6.0 / eta**4


def _inverse_squared_slopes(eta: Array, mu: Array) -> Slopes:
    return -0.5 * mu / eta, 0.75 * mu / eta**2, -1.875 * mu / eta**3


def _tan_half_slopes(eta: Array, _: Array) -> Slopes:
    first = 2.0 / (1.0 + eta**2)
    return first, -eta * first**2, (1.5 * eta**2 - 0.5) * first**3


def _square_slopes(eta: Array, _: Array) -> Slopes:
    return 2.0 * eta, np.full_like(eta, 2.0), np.zeros_like(eta)


def _logit(mu: Array) -> Array:
    return np.log(mu) - np.log1p(-mu)


def _probit(mu: Array) -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri(mu))


def _cloglog(mu: Array) -> Array:
    return np.log(-np.log1p(-mu))


def _logistic(eta: Array, mu: Array) -> Slopes:
    first, second, third = logistic_slopes(eta, mu)
    return first, second, third


def _normal(eta: Array, _: Array) -> Slopes:
    first, second, third = normal_slopes(eta)
    return first, second, third


def _rates(eta: Array, _: Array) -> Slopes:
    first, second, third = cloglog_slopes(eta)
    return first, second, third


def _correlations(eta: Array, rho: Array) -> Slopes:
    first, second, third = logistic_slopes(eta, 0.5 * (1.0 + rho))
    return 2.0 * first, 2.0 * second, 2.0 * third


# twice Fisher's transformation of a correlation: the logit of (1 + rho) / 2
CORRELATION = Link(
    "correlation",
    lambda rho: np.log1p(rho) - np.log1p(-rho),
    lambda xp, eta: 2.0 * xp.expit(eta) - 1.0,
    _correlations,
    "correlation",
)

LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link("identity", lambda mu: mu, lambda xp, eta: eta, _identity_slopes, "real", is_open=False),
        Link(
            "log",
            np.log,
            lambda xp, eta: xp.exp(eta),
            lambda eta, mu: (mu, mu, mu),
            "positive",
            multiplies="a factor of",
        ),
        Link("inverse", lambda mu: 1.0 / mu, lambda xp, eta: 1.0 / eta, _inverse_slopes, "positive", is_open=False),
        Link(
            "inverse_squared",
            lambda mu: mu**-2.0,
            lambda xp, eta: eta**-0.5,
            _inverse_squared_slopes,
            "positive",
            is_open=False,
        ),
        Link(
            "tan_half",
            lambda mu: np.tan(0.5 * mu),
            lambda xp, eta: 2.0 * xp.arctan(eta),
            _tan_half_slopes,
            "angle",
        ),
        Link("sqrt", np.sqrt, lambda xp, eta: eta**2, _square_slopes, "positive", is_open=False),
        Link(
            "logit",
            _logit,
            lambda xp, eta: xp.expit(eta),
            _logistic,
            "unit",
            latent_variance=np.pi**2 / 3.0,
            is_symmetric=True,
            multiplies="odds times",
        ),
        Link(
            "probit",
            _probit,
            lambda xp, eta: xp.ndtr(eta),
            _normal,
            "unit",
            latent_variance=1.0,
            is_symmetric=True,
        ),
        Link(
            "logit_power",
            lambda power: np.log(power - 1.0) - np.log(2.0 - power),
            lambda xp, eta: 1.0 + xp.expit(eta),
            lambda eta, power: _logistic(eta, power - 1.0),
            "one_to_two",
        ),
        Link("cloglog", _cloglog, lambda xp, eta: xp.cloglog(eta), _rates, "unit", latent_variance=np.pi**2 / 6.0),
    )
}
