"""Tweedie distributions with a power between 1 and 2: sums of a Poisson number of gamma variables, with zeros.

``var y = phi mu^power``. With ``a = (2 - power) / (power - 1)`` and ``z = y^a (power - 1)^-a phi^-(1 + a) / (2 -
power)`` the density of ``y > 0`` is ``W(z) / y`` times the exponential family's part, ``W(z)`` the sum over ``j >= 1``
of ``z^j / (j! Gamma(a j))``, Wright's Bessel function (Dunn and Smyth 2005, *Statistics and Computing* 15). SciPy has
its values, not its derivatives by the power: the terms that count, around the largest one, are added up here, and from
hundreds of variables on its expansion for large arguments (Wright 1935, *Journal of the London Mathematical Society*
10), to rounding there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.compound_poisson import BESIDE, DEVIATIONS
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.namespaces import Namespace, log_add

PRESETS = ("default", "flat", "brms", "bambi")
MANY = 1e6  # variables from which on the sum is its integral to rounding
LARGE = 100.0  # variables, and shapes of their sums, from which on the expansion is exact to rounding


def _kernel(xp: Namespace, y: Any, _: Any, mu: Any, phi: Any, power: Any) -> Any:
    up_to_one, up_to_two = power - 1.0, 2.0 - power
    none = xp.exp(up_to_two * xp.log(mu)) / (phi * up_to_two)  # expected number of gamma variables
    positive = xp.where(y > 0.0, y, 1.0)
    pull = positive * xp.exp(-up_to_one * xp.log(mu)) / (phi * up_to_one)
    return xp.where(y > 0.0, _log_series(xp, positive, y > 0.0, phi, power) - pull - none, -none)


def _log_series(xp: Namespace, y: Any, is_needed: Any, phi: Any, power: Any) -> Any:
    """``log(W(z) / y)``: the expansion, a sum, or its integral by Laplace's method; any number where none is needed."""
    up_to_one, up_to_two = power - 1.0, 2.0 - power
    a, log_y = up_to_two / up_to_one, xp.log(y)
    log_z = a * (log_y - xp.log(up_to_one)) - (1.0 + a) * xp.log(phi) - xp.log(up_to_two)
    largest = xp.exp(up_to_two * log_y) / (phi * up_to_two)  # the number of variables whose term is the largest
    variance = largest * up_to_one
    is_large = (largest > LARGE) & (a * largest > LARGE)
    is_added_up = (largest < MANY) & ~is_large & is_needed

    def log_term(j: Any) -> Any:
        return log_z * j - xp.gammaln(j + 1.0) - xp.gammaln(a * j)

    middle = xp.floor(xp.where(is_added_up, largest, 1.0))
    width = xp.floor(xp.where(is_added_up, DEVIATIONS * xp.sqrt(xp.minimum(variance, MANY)) + BESIDE, 0.0))
    first = xp.maximum(middle - width, 1.0)
    total = xp.log_sum(lambda k: (log_term(first + k), first + k <= middle + width), middle + width - first)
    integral = log_term(largest) + 0.5 * xp.log(2.0 * np.pi * variance)
    expansion = _expansion(xp, a, xp.where(is_large, largest, LARGE), xp.where(is_large, a * largest, LARGE))
    return xp.where(is_large, expansion, xp.where(is_added_up, total, integral)) - log_y


def _expansion(xp: Namespace, a: Any, number: Any, shape: Any) -> Any:
    """``log W`` for the number of variables of the largest term, and the shape of their sum, ``a`` times as large."""
    both = (a + 2.0) * (2.0 * a + 1.0)
    around = a * (36.0 + a * (58.0 + a * (-323.0 + a * (58.0 + a * 36.0))))
    inner = 517749.0 + a * (-124300.0 + a * (-79796.0 + a * (3888.0 + a * 1152.0)))
    outer = 1152.0 + a * (3888.0 + a * (-79796.0 + a * (-124300.0 + a * inner)))
    u = 1.0 / (shape * (1.0 + a))  # (a l)^-1, l = (1 + a) number
    terms = -both * outer / 2903040.0
    terms = both * around / 5760.0 + u * terms
    terms = both * (2.0 + a * (11.0 + a * 2.0)) * (4.0 + a * (-15.0 + a * 4.0)) / 5760.0 + u * terms
    terms = -both * a / 48.0 + u * terms
    terms = -both / 24.0 + u * terms
    leading = (1.0 + a) * number + 0.5 * xp.log(shape / (2.0 * np.pi * (1.0 + a)))
    return leading + u * terms


def _log_tails(xp: Namespace, y: Any, _: Any, mu: Any, phi: Any, power: Any) -> tuple[Any, Any]:
    """The tail on the other side of the mean than ``y``; the other is one less that, without loss."""
    up_to_one, up_to_two = power - 1.0, 2.0 - power
    positive = xp.where(y > 0.0, y, 1.0)
    log_mu = xp.log(mu)
    log_number = up_to_two * log_mu - xp.log(phi * up_to_two)
    above = positive * xp.exp(-up_to_one * log_mu) / (phi * up_to_one)
    none, is_below = -xp.exp(log_number), mu > y
    some = xp.log_compound_tail(above, log_number, up_to_two / up_to_one, is_below)
    small = xp.where(y > 0.0, xp.where(is_below, log_add(xp, some, none), some), none)
    rest = xp.log1mexp(small)
    return xp.where(is_below, small, rest), xp.where(is_below, rest, small)


def _number(mu: Array, phi: Array, power: Array) -> tuple[Array, Array, Array]:
    """Expected number of gamma variables, their shape and scale."""
    up_to_one, up_to_two = power - 1.0, 2.0 - power
    return mu**up_to_two / (phi * up_to_two), up_to_two / up_to_one, phi * up_to_one * mu**up_to_one


def _cdf(y: Array, _: Array, mu: Array, phi: Array, power: Array) -> Array:
    """Of none of the variables, and of each number of them."""
    from scipy.special import gammainc, gammaln, xlogy

    number, shape, scale = np.broadcast_arrays(*_number(mu, phi, power))
    width = DEVIATIONS * np.sqrt(number) + BESIDE
    first = np.floor(np.maximum(number - width, 0.0)) + 1.0
    total = np.exp(-number) * (y >= 0.0)
    above = np.maximum(y, 0.0) / scale
    for k in range(int(np.max(2.0 * width, initial=0.0)) + 2):
        j = first + k
        total = total + np.exp(xlogy(j, number) - number - gammaln(j + 1.0)) * gammainc(shape * j, above)
    return np.minimum(total, 1.0)


def _sample(rng: np.random.Generator, _: Array, mu: Array, phi: Array, power: Array) -> Array:
    number, shape, scale = _number(mu, phi, power)
    count = rng.poisson(np.broadcast_to(number, np.shape(mu)))
    return np.where(count > 0, rng.gamma(shape * np.maximum(count, 1)) * scale, 0.0)


def _crude(y: Array, _: Array) -> tuple[float, ...]:
    """One mean, and the dispersion that its variance has at a power of 3/2."""
    mean = max(float(np.mean(y)), 1e-8)
    return mean, max(float(np.var(y)) / mean**1.5, 1e-8), 1.5


TWEEDIE = Family(
    "tweedie",
    (
        Parameter("mu", ("log",)),
        Parameter("phi"),
        Parameter(
            "power", ("logit_power",), priors=dict.fromkeys(("default", "brms", "bambi", "flat"), "Uniform(1, 2)")
        ),
    ),
    "zero_or_positive",
    _kernel,
    _cdf,
    _sample,
    variance=lambda trials, mu, phi, power: phi * mu**power,
    log_tails=_log_tails,
    crude=_crude,
    words="Tweedie(mean mu[i], variance phi mu[i]^power)",
)
