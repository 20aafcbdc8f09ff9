"""The generalized Poisson distribution of counts (Consul and Jain 1973, *Technometrics* 15).

With ``s = (1 + phi)^(-1/2)`` and ``w = mu s + (1 - s) y``, ``P(y) = mu s w^(y - 1) exp(-w) / y!``, of mean ``mu`` and
variance ``mu (1 + phi)``: glmmTMB's genpois, whose dispersion is ``1 + phi``, where counts vary more than Poisson ones.
Where they vary less its probabilities do not add up to one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.counts import LINKS, nbinom1_moments
from bayesmix.language.families.family import Family, Limit, Parameter
from bayesmix.language.families.log_factorial import log_factorial
from bayesmix.language.families.long_sums import log_tails
from bayesmix.language.families.namespaces import NUMERIC, Namespace
from bayesmix.language.families.taylor import value_of

NEARLY_ALL = -0.01  # logarithm of a lower tail from which on the upper one is small
NEGLIGIBLE = 40.0  # of the logarithm of a term that is left out
SPREADS = 10.0  # standard deviations beyond which a normal density is negligible
MANY = 20_000.0  # terms at most, of symbols
LONGEST = 2.0**50  # the same of arrays
SUMMED = 500.0  # counts up to which a distribution function is a plain sum


def _kernel(xp: Namespace, y: Any, _: Any, mu: Any, phi: Any) -> Any:
    own, rest = _shares(xp, phi)
    rate = mu * own + rest * y
    return xp.log(mu * own) + (y - 1.0) * xp.log(rate) - rate


def _shares(xp: Namespace, phi: Any) -> tuple[Any, Any]:
    """``s``, and ``1 - s`` without a difference."""
    root = xp.sqrt(1.0 + phi)
    return 1.0 / root, phi / (root * (1.0 + root))


def _cdf(y: Array, trials: Array, mu: Array, phi: Array) -> Array:
    """Sum of the density, of which there is no shorter formula; of large counts by few of its terms."""
    y, mu, phi = np.broadcast_arrays(np.floor(y), mu, phi)
    is_long = y > SUMMED
    total = np.zeros(y.shape)
    for k in range(int(np.max(np.where(is_long, -1.0, y), initial=-1.0)) + 1):
        density = _kernel(NUMERIC, float(k), trials, mu, phi) - log_factorial(np.array(float(k)))
        total += np.where(k <= y, np.exp(density), 0.0)
    if np.any(is_long):
        total[is_long] = np.exp(_long_tails(y[is_long], mu[is_long], phi[is_long])[0])
    return np.minimum(total, 1.0)


def _log_tails(xp: Namespace, y: Any, trials: Any, mu: Any, phi: Any) -> tuple[Any, Any]:
    """Sums of the density on either side, of which the upper one ends where what is left is below rounding.

    Of symbols the upper one is only added up where it is small: elsewhere it is one less the lower one, without loss.
    """
    if xp is NUMERIC:
        return _long_tails(np.asarray(y), mu, phi)

    def log_density(k: Any) -> Any:
        return _kernel(xp, k, trials, mu, phi) - xp.gammaln(k + 1.0)

    below = xp.log_sum(lambda k: (log_density(k), k <= y), y)
    is_far = below > NEARLY_ALL
    count = xp.where(is_far, xp.floor(xp.minimum(_length(xp, mu, phi), MANY)), 0.0)
    above = xp.log_sum(lambda k: (log_density(y + 1.0 + k), k <= count), count)
    return below, xp.where(is_far, above, xp.log1mexp(xp.minimum(below, NEARLY_ALL)))


def _long_tails(y: Array, mu: Any, phi: Any) -> tuple[Any, Any]:
    """The same of arrays and polynomials: of as many terms as the logarithm of a count."""
    at = value_of(mu), value_of(phi)
    length = 2.0 ** np.ceil(np.log2(np.fmin(_length(NUMERIC, *at), LONGEST)))

    def log_density(k: Any) -> Any:
        return _kernel(NUMERIC, k, 1.0, mu, phi)

    y, length, is_low, spread = np.broadcast_arrays(y, length, y < at[0], np.sqrt(at[0] * (1.0 + at[1])))
    return log_tails(log_density, y, length, is_low, spread, lambda k: -log_factorial(k))


def _length(xp: Namespace, mu: Any, phi: Any) -> Any:
    """Counts beyond a mean up to where the density is negligible: a normal's, then falling as ``exp(-decay k)``."""
    _, rest = _shares(xp, phi)
    return NEGLIGIBLE * (1.0 + 1.0 / (rest - 1.0 - xp.log(rest))) + SPREADS * xp.sqrt(mu * (1.0 + phi))


def _sample(rng: np.random.Generator, trials: Array, mu: Array, phi: Array) -> Array:
    """All descendants of a Poisson number of ancestors, each with a Poisson number of children."""
    own, rest = _shares(NUMERIC, phi)
    born = rng.poisson(mu * own)
    total = born.astype(float)
    while born.any():
        born = rng.poisson(rest * born)
        total += born
    return total


GENPOIS = Family(
    "genpois",
    (Parameter("mu", LINKS), Parameter("phi", limit=Limit("poisson", "zero"))),
    "counts",
    _kernel,
    _cdf,
    _sample,
    variance=lambda trials, mu, phi: mu * (1.0 + phi),
    base=lambda y, trials: -log_factorial(y),
    words="GeneralizedPoisson(mean mu[i], variance mu[i] (1 + phi))",
    log_tails=_log_tails,
    adds_up=True,
    exposed=(),
    moments=nbinom1_moments,
)
