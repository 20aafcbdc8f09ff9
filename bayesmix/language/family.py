"""Links and families as records of functions of arrays.

A family's ``slopes`` are the first three derivatives of the log density with respect to the mean; a link's are those of
the mean with respect to the linear predictor. Three are what an exact gradient of the Laplace approximation needs.
SciPy is imported where it is used, to keep ``import bayesmix`` light.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayesmix.errors import DataError, SpecError, nearest
from bayesmix.language.spellings import FAMILIES as OTHERS

Array = np.ndarray
Slopes = tuple[Array, Array, Array]  # a function's first three derivatives
Jet = tuple[Array, Array, Array, Array]  # its values before them

EPSILON = float(np.finfo(float).eps)
COUNTABLE = 2.0**53  # larger whole numbers are not all different as floats
STIRLING = 100.0  # from which on the series is exact to rounding


@dataclass(frozen=True, slots=True)
class Link:
    """A link ``eta = g(mu)``."""

    name: str
    of: Callable[[Array], Array]  # g
    mean: Callable[[Array], Array]  # mu = g^-1(eta)
    slopes: Callable[[Array, Array], Slopes]  # (eta, mu): derivatives of the mean by eta

    def inverse(self, eta: Array) -> Jet:
        """The mean and its first three derivatives by the linear predictor."""
        mu = self.mean(eta)
        return (mu, *self.slopes(eta, mu))

    def __reduce__(self) -> tuple[Callable[[str], Link], tuple[str]]:
        """Pickle by name: the functions stay where they are."""
        return _link, (self.name,)


@dataclass(frozen=True, slots=True)
class Family:
    """A response distribution with its links."""

    name: str
    title: str  # as R prints it: "Gamma", "Negative Binomial"
    links: tuple[str, ...]  # the first is the default
    response: Literal["numeric", "binomial"]  # kind of response the data stage reads
    dispersion: str | None  # name of the parameter beside the mean: "sigma", "shape"
    log_density: Callable[[Array, Array, Array, Array], Array]  # (y, mu, dispersion, trials)
    slopes: Callable[[Array, Array, Array, Array], Slopes]  # its derivatives by mu
    variance: Callable[[Array, Array, Array], Array]  # variance of y / trials: (mu, dispersion, trials)
    deviance: Callable[[Array, Array, Array, Array], Array]  # unit deviances: (y, mu, dispersion, trials)
    sample: Callable[[np.random.Generator, Array, Array, Array], Array]  # draws of y: (rng, mu, dispersion, trials)
    support: Callable[[Array, Array], str | None]  # what is wrong with (y, trials), None if nothing
    canonical: Callable[[Array, Array, Array], Array] | None = None  # (y, eta, trials): log density under links[0]

    def __reduce__(self) -> tuple[Callable[[str], Family], tuple[str]]:
        """Pickle by name: the functions stay where they are."""
        return find_family, (self.name,)


# ---- links ------------------------------------------------------------------------------------------------------


def _identity_slopes(eta: Array, _: Array) -> Slopes:
    one, zero = np.ones_like(eta), np.zeros_like(eta)
    return one, zero, zero


def _exp(eta: Array) -> Array:
    return np.asarray(np.exp(np.minimum(eta, 700.0)))


def _inverse_slopes(eta: Array, _: Array) -> Slopes:
    return -1.0 / eta**2, 2.0 / eta**3, -6.0 / eta**4


def _square_slopes(eta: Array, _: Array) -> Slopes:
    return 2.0 * eta, np.full_like(eta, 2.0), np.zeros_like(eta)


def _logistic(eta: Array) -> Array:
    from scipy.special import expit

    return np.asarray(np.clip(expit(eta), EPSILON, 1.0 - EPSILON))


def _logistic_slopes(eta: Array, mu: Array) -> Slopes:
    from scipy.special import expit

    first = mu * expit(-eta)
    return first, first * (1.0 - 2.0 * mu), first * (1.0 - 6.0 * mu + 6.0 * mu**2)


def _normal_cdf(eta: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(np.clip(ndtr(eta), EPSILON, 1.0 - EPSILON))


def _normal_cdf_slopes(eta: Array, _: Array) -> Slopes:
    density = np.exp(-0.5 * eta**2) / math.sqrt(2.0 * math.pi)
    return density, -eta * density, (eta**2 - 1.0) * density


def _rate(eta: Array) -> Array:
    return np.asarray(np.exp(np.clip(eta, -340.0, 340.0)))  # the square of the rate must not overflow


def _complementary_log_log(eta: Array) -> Array:
    return np.asarray(np.clip(-np.expm1(-_rate(eta)), EPSILON, 1.0 - EPSILON))


def _complementary_log_log_slopes(eta: Array, _: Array) -> Slopes:
    rate = _rate(eta)
    first = np.exp(np.clip(eta, -340.0, 340.0) - rate)
    return first, first * (1.0 - rate), first * (1.0 - 3.0 * rate + rate**2)


def _logit(mu: Array) -> Array:
    return np.log(mu) - np.log1p(-mu)


def _probit(mu: Array) -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri(mu))


def _cloglog(mu: Array) -> Array:
    return np.log(-np.log1p(-mu))


LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link("identity", lambda mu: mu, lambda eta: eta, _identity_slopes),
        Link("log", np.log, _exp, lambda eta, mu: (mu, mu, mu)),
        Link("inverse", lambda mu: 1.0 / mu, lambda eta: 1.0 / eta, _inverse_slopes),
        Link("sqrt", np.sqrt, lambda eta: eta**2, _square_slopes),
        Link("logit", _logit, _logistic, _logistic_slopes),
        Link("probit", _probit, _normal_cdf, _normal_cdf_slopes),
        Link("cloglog", _cloglog, _complementary_log_log, _complementary_log_log_slopes),
    )
}


# ---- families ---------------------------------------------------------------------------------------------------


def _gaussian(y: Array, mu: Array, sigma: Array, _: Array) -> Array:
    precision = sigma**-2.0
    return np.asarray(-0.5 * precision * (y - mu) ** 2 + 0.5 * np.log(precision) - 0.5 * math.log(2.0 * math.pi))


def _gaussian_slopes(y: Array, mu: Array, sigma: Array, _: Array) -> Slopes:
    precision = sigma**-2.0
    first = precision * (y - mu)
    return first, np.broadcast_to(-precision, first.shape), np.zeros_like(first)


def _poisson(y: Array, mu: Array, _: Array, __: Array) -> Array:
    from scipy.special import gammaln, xlogy

    return np.asarray(xlogy(y, mu) - mu - gammaln(y + 1.0))


def _poisson_log(y: Array, eta: Array, _: Array) -> Array:
    from scipy.special import gammaln

    value = y * eta
    value -= np.exp(eta)
    value -= gammaln(y + 1.0)
    return np.asarray(value)


def _poisson_slopes(y: Array, mu: Array, _: Array, __: Array) -> Slopes:
    return y / mu - 1.0, -y / mu**2, 2.0 * y / mu**3


def _binomial(y: Array, mu: Array, _: Array, trials: Array) -> Array:
    failures = trials - y  # links keep means inside (0, 1)
    return np.asarray(_log_choose(trials, y) + y * np.log(mu) + failures * np.log1p(-mu))


def _binomial_logit(y: Array, eta: Array, trials: Array) -> Array:
    losses = np.exp(eta)
    np.log1p(losses, out=losses)
    if np.isinf(losses.max(initial=0.0)):
        np.copyto(losses, eta, where=np.isinf(losses))
    value = y * eta
    if np.all(trials == 1.0):
        value -= losses
        return np.asarray(value)
    losses *= trials
    value -= losses
    value += _log_choose(trials, y)
    return np.asarray(value)


def _log_choose(trials: Array, y: Array) -> Array:
    from scipy.special import gammaln

    return np.asarray(gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(trials - y + 1.0))


def _binomial_slopes(y: Array, mu: Array, _: Array, trials: Array) -> Slopes:
    failures, nu = trials - y, 1.0 - mu
    return (
        y / mu - failures / nu,
        -y / mu**2 - failures / nu**2,
        2.0 * y / mu**3 - 2.0 * failures / nu**3,
    )


def _gamma(y: Array, mu: Array, shape: Array, _: Array) -> Array:
    from scipy.special import gammaln

    return np.asarray(shape * np.log(shape * y / mu) - shape * y / mu - np.log(y) - gammaln(shape))


def _gamma_slopes(y: Array, mu: Array, shape: Array, _: Array) -> Slopes:
    return (
        shape * (y - mu) / mu**2,
        shape * (mu - 2.0 * y) / mu**3,
        shape * (6.0 * y - 2.0 * mu) / mu**4,
    )


def _negative_binomial(y: Array, mu: Array, shape: Array, _: Array) -> Array:
    from scipy.special import gammaln, xlogy

    ratio = mu / shape
    constant = _log_rising(shape, y) - gammaln(y + 1.0)
    return np.asarray(constant - shape * np.log1p(ratio) + xlogy(y, mu / (1.0 + ratio)))


def _log_rising(shape: Array, y: Array) -> Array:
    """``log Gamma(shape + y) - log Gamma(shape) - y log shape``, which goes to zero for large shapes.

    Those differences of large numbers would be noise in which no optimum is found: there, Stirling's series.
    """
    from scipy.special import gammaln

    small, large = np.minimum(shape, STIRLING), np.maximum(shape, STIRLING)
    total = large + y
    series = (total - 0.5) * np.log1p(y / large) - y + _stirling(total) - _stirling(large)
    if np.all(shape >= STIRLING):
        return np.asarray(series)
    return np.where(shape < STIRLING, gammaln(small + y) - gammaln(small) - y * np.log(small), series)


def _stirling(x: Array) -> Array:
    """What ``log Gamma(x)`` is more than ``(x - 1/2) log x - x + log(2 pi) / 2``."""
    return 1.0 / (12.0 * x) - 1.0 / (360.0 * x**3) + 1.0 / (1260.0 * x**5)


def _negative_binomial_slopes(y: Array, mu: Array, shape: Array, _: Array) -> Slopes:
    total = mu + shape
    return (
        y / mu - (y + shape) / total,
        -y / mu**2 + (y + shape) / total**2,
        2.0 * y / mu**3 - 2.0 * (y + shape) / total**3,
    )


def _deviance_poisson(y: Array, mu: Array, _: Array, __: Array) -> Array:
    from scipy.special import xlogy

    return np.asarray(2.0 * (xlogy(y, y / mu) - (y - mu)))


def _deviance_binomial(y: Array, mu: Array, _: Array, trials: Array) -> Array:
    from scipy.special import xlogy

    failures = trials - y
    return np.asarray(2.0 * (xlogy(y, y / (trials * mu)) + xlogy(failures, failures / (trials * (1.0 - mu)))))


def _deviance_gamma(y: Array, mu: Array, _: Array, __: Array) -> Array:
    return np.asarray(-2.0 * (np.log(y / mu) - (y - mu) / mu))


def _deviance_negative_binomial(y: Array, mu: Array, shape: Array, _: Array) -> Array:
    from scipy.special import xlogy

    return np.asarray(2.0 * (xlogy(y, y / mu) - (y + shape) * np.log((y + shape) / (mu + shape))))


def _counts(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero((y < 0) | (y != np.round(y)))
    if len(bad):
        return f"counts 0, 1, 2, ...; row {bad[0]} has {y[bad[0]]:g}"
    bad = np.flatnonzero(y > COUNTABLE)
    return f"counts that can be told apart, up to 2^53; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _shares(y: Array, trials: Array) -> str | None:
    bad = np.flatnonzero((y < 0) | (y > trials) | (np.abs(y - np.round(y)) > 1e-8))
    if not len(bad):
        return None
    return f"whole successes between 0 and the number of trials; row {bad[0]} has {y[bad[0]]:g} of {trials[bad[0]]:g}"


def _zero_one(y: Array, trials: Array) -> str | None:
    bad = np.flatnonzero(((y != 0) & (y != 1)) | (trials != 1))
    return f"0 or 1 (or two categories); row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


def _positive(y: Array, _: Array) -> str | None:
    bad = np.flatnonzero(~(y > 0))
    return f"positive numbers; row {bad[0]} has {y[bad[0]]:g}" if len(bad) else None


_GAUSSIAN = Family(
    "gaussian",
    "gaussian",
    ("identity", "log", "inverse"),
    "numeric",
    "sigma",
    _gaussian,
    _gaussian_slopes,
    lambda mu, sigma, trials: np.broadcast_to(sigma**2, mu.shape),
    lambda y, mu, sigma, trials: (y - mu) ** 2,
    lambda rng, mu, sigma, trials: rng.normal(mu, sigma),
    lambda y, trials: None,
)
_POISSON = Family(
    "poisson",
    "poisson",
    ("log", "identity", "sqrt"),
    "numeric",
    None,
    _poisson,
    _poisson_slopes,
    lambda mu, dispersion, trials: mu,
    _deviance_poisson,
    lambda rng, mu, dispersion, trials: rng.poisson(mu).astype(float),
    _counts,
    _poisson_log,
)
_BINOMIAL = Family(
    "binomial",
    "binomial",
    ("logit", "probit", "cloglog"),
    "binomial",
    None,
    _binomial,
    _binomial_slopes,
    lambda mu, dispersion, trials: mu * (1.0 - mu) / trials,
    _deviance_binomial,
    lambda rng, mu, dispersion, trials: rng.binomial(trials.astype(np.int64), mu).astype(float),
    _shares,
    _binomial_logit,
)
_BERNOULLI = Family(
    "bernoulli",
    "bernoulli",
    _BINOMIAL.links,
    "binomial",
    None,
    _binomial,
    _binomial_slopes,
    _BINOMIAL.variance,
    _deviance_binomial,
    _BINOMIAL.sample,
    _zero_one,
    _binomial_logit,
)
_GAMMA = Family(
    "gamma",
    "Gamma",
    ("log", "inverse", "identity"),
    "numeric",
    "shape",
    _gamma,
    _gamma_slopes,
    lambda mu, shape, trials: mu**2 / shape,
    _deviance_gamma,
    lambda rng, mu, shape, trials: rng.gamma(shape, mu / shape),
    _positive,
)
_NEGATIVE_BINOMIAL = Family(
    "negbinomial",
    "Negative Binomial",
    ("log", "identity", "sqrt"),
    "numeric",
    "shape",
    _negative_binomial,
    _negative_binomial_slopes,
    lambda mu, shape, trials: mu + mu**2 / shape,
    _deviance_negative_binomial,
    lambda rng, mu, shape, trials: rng.negative_binomial(shape, shape / (shape + mu)).astype(float),
    _counts,
)

FAMILIES: dict[str, Family] = {
    family.name: family for family in (_GAUSSIAN, _POISSON, _BINOMIAL, _BERNOULLI, _GAMMA, _NEGATIVE_BINOMIAL)
}
_ALIASES = {
    "normal": "gaussian",
    "negativebinomial": "negbinomial",
    "negative_binomial": "negbinomial",
    "negative binomial": "negbinomial",
    "nbinom2": "negbinomial",
}


def find_family(name: str) -> Family:
    """Return the family called ``name``, in any case; `SpecError` with what to write instead otherwise."""
    known = ", ".join(FAMILIES)
    if not isinstance(name, str):
        raise SpecError(f"A family is one of the names {known}, not {type(name).__name__} {name!r}.")
    key = _ALIASES.get(name.lower(), name.lower())
    if key not in FAMILIES:
        advice = f" {OTHERS[key]}" if key in OTHERS else nearest(key, FAMILIES)
        raise SpecError(f"Family `{name}` does not exist.{advice} Families: {known}.")
    return FAMILIES[key]


def find_link(family: Family, name: str | None) -> Link:
    """Return the family's link called ``name`` (its default for None); `SpecError` if it has none such."""
    if not isinstance(name, str | None):
        raise SpecError(f"A link is one of the names {', '.join(family.links)}, not {type(name).__name__} {name!r}.")
    chosen = family.links[0] if name is None else name.lower()
    if chosen not in family.links:
        known = ", ".join(family.links)
        raise SpecError(
            f"Family `{family.name}` has no link `{name}`.{nearest(chosen, family.links)} Its links: {known}."
        )
    return LINKS[chosen]


def _link(name: str) -> Link:
    return LINKS[name]


def check_response(family: Family, label: str, y: Array, trials: Array | None) -> None:
    """Raise `DataError` where the response does not fit the family."""
    problem = family.support(y, np.ones_like(y) if trials is None else trials)
    if problem is not None:
        hint = (
            ' Counts are for family="poisson", other numbers for family="gaussian".' if family.name != "gamma" else ""
        )
        raise DataError(f"Response `{label}` does not fit family `{family.name}`, which needs {problem}.{hint}")


def by_predictor(
    family: Family, link: Link, y: Array, eta: Array, *, dispersion: Array, trials: Array, weights: Array
) -> Jet:
    """Log density of each row and its first three derivatives with respect to the linear predictor ``eta``.

    Prior ``weights`` divide the variance of a gaussian response and multiply the log density of any other.
    """
    with np.errstate(all="ignore"):  # a search may step where a mean overflows: the value there is inf or NaN
        mu, h1, h2, h3 = link.inverse(eta)
        dispersion, weights = _weighted(family, dispersion, weights)
        value = _log_density(family, link, y, eta, dispersion, trials)
        l1, l2, l3 = family.slopes(y, mu, dispersion, trials)
        first = l1 * h1
        second = l2 * h1**2 + l1 * h2
        third = l3 * h1**3 + 3.0 * l2 * h1 * h2 + l1 * h3
        return weights * value, weights * first, weights * second, weights * third


def slopes_by_predictor(
    family: Family, link: Link, y: Array, eta: Array, *, dispersion: Array, trials: Array, weights: Array
) -> tuple[Array, Array]:
    """The first two derivatives of what `by_predictor` returns, by themselves.

    Under canonical links: residual, and minus the variance of the response.
    """
    if _canonical(family, link) is None:
        return by_predictor(family, link, y, eta, dispersion=dispersion, trials=trials, weights=weights)[1:3]
    with np.errstate(all="ignore"):
        mu = link.mean(eta)
        return weights * (y - trials * mu), -weights * trials**2 * family.variance(mu, dispersion, trials)


def density_by_predictor(
    family: Family, link: Link, y: Array, eta: Array, *, dispersion: Array, trials: Array, weights: Array
) -> Array:
    """The first of what `by_predictor` returns, by itself."""
    with np.errstate(all="ignore"):
        dispersion, weights = _weighted(family, dispersion, weights)
        value = _log_density(family, link, y, eta, dispersion, trials)
        return value if np.all(weights == 1.0) else weights * value


def _log_density(family: Family, link: Link, y: Array, eta: Array, dispersion: Array, trials: Array) -> Array:
    """By the shorter formula of the canonical link where there is one: exact, too, where means round to 0 or 1."""
    canonical = _canonical(family, link)
    return family.log_density(y, link.mean(eta), dispersion, trials) if canonical is None else canonical(y, eta, trials)


def _canonical(family: Family, link: Link) -> Callable[[Array, Array, Array], Array] | None:
    return family.canonical if link.name == family.links[0] else None


def _weighted(family: Family, dispersion: Array, weights: Array) -> tuple[Array, Array]:
    """Dispersion of each row, and by what its log density is multiplied."""
    if family.name == "gaussian":
        return dispersion / np.sqrt(weights), np.ones(())
    return dispersion, weights
