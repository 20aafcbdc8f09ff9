"""Censored and truncated responses: densities by SciPy's distribution functions, draws, refusals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import laws
import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import gamma, gammaln, logsumexp

from bayesmix.errors import DataError
from bayesmix.language.families.bounds import Bounds, check_bounds, observed, truncated
from bayesmix.language.families.namespaces import NUMERIC, symbolic
from bayesmix.language.families.registry import FAMILIES

INF = np.inf


REAL = [
    (0.3, None, None, -INF, INF),
    (0.3, 0.3, INF, -INF, INF),
    (9.0, 9.0, INF, -INF, INF),
    (-20.0, -INF, -20.0, -INF, INF),
    (0.3, 0.3, 0.9, -INF, INF),
    (7.0, 7.0, 7.5, -INF, INF),
    (-8.5, -8.5, -8.0, -INF, INF),
    (0.3, None, None, 0.0, INF),
    (0.3, None, None, -INF, 1.0),
    (0.3, None, None, 0.1, 4.0),
    (9.0, None, None, 8.0, 11.0),
    (2.0, 2.0, INF, 1.0, 5.0),
    (2.0, -INF, 2.0, 1.0, INF),
    (2.0, 2.0, 3.0, -4.0, 2.5),
]
POSITIVE = [
    (0.3, None, None, -INF, INF),
    (2.3, 2.3, INF, -INF, INF),
    (40.0, 40.0, INF, -INF, INF),
    (0.2, -INF, 0.2, -INF, INF),
    (1e-3, -INF, 1e-3, -INF, INF),
    (1.3, 1.3, 1.9, -INF, INF),
    (12.0, 12.0, 14.0, -INF, INF),
    (2.0, None, None, 0.5, INF),
    (2.0, None, None, -1.0, 3.0),
    (2.0, None, None, 0.5, 3.0),
    (6.0, 6.0, INF, 0.5, 20.0),
]
ZEROS = [
    *POSITIVE,
    (0.0, None, None, -INF, INF),
    (0.0, -INF, 0.0, -INF, INF),
    (0.0, 0.0, INF, -INF, INF),
    (0.5, -INF, 0.5, -INF, 3.0),
    (1.0, 0.0, 1.0, -INF, INF),
]
UNIT = [(y / 50.0, *(end and end / 50.0 for end in (low, high)), lower / 50.0, upper / 50.0)
        for y, low, high, lower, upper in POSITIVE]  # fmt: skip
COUNTS = [
    (0.0, None, None, -INF, INF),
    (0.0, -INF, 0.0, -INF, INF),
    (0.0, 0.0, INF, -INF, INF),
    (3.0, 3.0, INF, -INF, INF),
    (30.0, 30.0, INF, -INF, INF),
    (5.0, -INF, 5.0, -INF, INF),
    (1.0, 1.0, 4.0, -INF, INF),
    (1.0, None, None, 1.0, INF),
    (3.0, None, None, 1.0, 6.0),
    (3.0, None, None, -INF, 9.0),
    (3.0, 3.0, INF, 1.0, 8.0),
    (2.0, -INF, 2.0, 1.0, INF),
]
MANY = [row for row in COUNTS if row[0] > 0.0]


@dataclass(frozen=True, slots=True)
class WithZeros:
    """Counts or positive numbers of which some are zero, or none, as a distribution of SciPy's."""

    own: object
    zero: float  # probability
    is_hurdle: bool = True  # whether the rest is given to be positive

    @property
    def above(self):
        return self.own.sf(0) if self.is_hurdle else 1.0

    def logpdf(self, y):
        return self.logpmf(y)

    def logpmf(self, y):
        density = (self.own.logpmf if hasattr(self.own, "logpmf") else self.own.logpdf)(y)
        rest = np.log1p(-self.zero) + density - np.log(self.above)
        with np.errstate(divide="ignore"):
            at_zero = np.log(self.zero) if self.is_hurdle else np.logaddexp(np.log(self.zero), rest)
        return np.where(np.asarray(y) == 0, at_zero, rest)

    def logsf(self, y):
        return np.where(np.asarray(y) < 0, 0.0, np.log1p(-self.zero) + self.own.logsf(y) - np.log(self.above))

    def logcdf(self, y):
        below = np.maximum(self.own.cdf(y) - (1.0 - self.above), 0.0)
        with np.errstate(divide="ignore"):
            return np.where(np.asarray(y) < 0, -INF, np.log(self.zero + (1.0 - self.zero) * below / self.above))


class SkewNormal:
    """Of a mean and a standard deviation; tails by adaptive quadrature of the density over that at their ends."""

    def __init__(self, mu, sigma, alpha):
        mean, variance = stats.skewnorm.stats(alpha, moments="mv")
        scale = sigma / np.sqrt(variance)
        self.own = stats.skewnorm(alpha, loc=mu - scale * mean, scale=scale)
        self.reach = 12.0 * scale

    def logpdf(self, y):
        return self.own.logpdf(y)

    def _tail(self, y, out):
        def ratio(u):
            return float(np.exp(self.logpdf(y + out * u) - self.logpdf(y)))

        ends = np.linspace(0.0, self.reach, 9)
        area = sum(integrate.quad(ratio, a, b, epsabs=0.0, epsrel=1e-13)[0] for a, b in pairwise(ends))
        return float(self.logpdf(y)) + np.log(area)

    def logsf(self, y):
        return self._either(y, 1.0)

    def logcdf(self, y):
        return self._either(y, -1.0)

    def _either(self, y, out):
        """The smaller tail by itself; the other is one less it."""
        if np.isinf(y):
            return -INF if y * out > 0.0 else 0.0
        is_small = out * (y - float(self.own.median())) > 0.0
        return self._tail(y, out) if is_small else float(np.log(-np.expm1(self._tail(y, -out))))


class Tweedie:
    """Tails are sums over the numbers of gamma variables."""

    numbers = np.arange(1.0, 400.0)

    def __init__(self, mu, phi, power):
        self.mean = mu ** (2.0 - power) / (phi * (2.0 - power))
        shape, scale = (2.0 - power) / (power - 1.0), phi * (power - 1.0) * mu ** (power - 1.0)
        self.own = stats.gamma(shape * self.numbers, scale=scale)

    def _sum(self, logs):
        return float(logsumexp(stats.poisson.logpmf(self.numbers, self.mean) + logs))

    def logpdf(self, y):
        return -self.mean if y == 0.0 else self._sum(self.own.logpdf(y))

    def logsf(self, y):
        return 0.0 if y < 0.0 else self._sum(self.own.logsf(y))

    def logcdf(self, y):
        return -INF if y < 0.0 else float(np.logaddexp(-self.mean, self._sum(self.own.logcdf(y)))) if y else -self.mean


class BetaBinomial:
    """Of 31 trials; tails by sums."""

    def __init__(self, mu, phi):
        self.own = stats.betabinom(31, mu * phi, (1.0 - mu) * phi)

    def logpmf(self, y):
        return self.own.logpmf(y)

    def logsf(self, y):
        return 0.0 if y < 0.0 else logsumexp(self.logpmf(np.arange(y + 1.0, 32.0))) if y < 31.0 else -INF

    def logcdf(self, y):
        return -INF if y < 0.0 else logsumexp(self.logpmf(np.arange(0.0, min(y, 31.0) + 1.0)))


class VonMises:
    """Tails by adaptive quadrature of the density over its largest value there."""

    def __init__(self, mu, kappa):
        self.mu, self.own = mu, stats.vonmises(kappa, loc=mu)

    def logpdf(self, y):
        return self.own.logpdf(y)

    def _area(self, low, high):
        cuts = [self.mu + shift for shift in (-2.0 * np.pi, -np.pi, 0.0, np.pi, 2.0 * np.pi)]
        ends = np.unique([low, high, *np.linspace(low, high, 9), *(one for one in cuts if low < one < high)])
        top = max(float(self.logpdf(one)) for one in ends)
        parts = (
            integrate.quad(lambda t: float(np.exp(self.logpdf(t) - top)), a, b, epsabs=0.0, epsrel=1e-13)[0]
            for a, b in pairwise(ends)
        )
        return top + np.log(sum(parts))

    def logsf(self, y):
        return 0.0 if y <= -np.pi else -INF if y >= np.pi else self._area(y, np.pi)

    def logcdf(self, y):
        return -INF if y <= -np.pi else 0.0 if y >= np.pi else self._area(-np.pi, y)


class AsymmetricLaplace:
    """Its density is one exponential function on either side of mu, and so are its tails."""

    def __init__(self, mu, sigma, p):
        self.mu, self.sigma, self.p = mu, sigma, p

    def logpdf(self, y):
        u = (y - self.mu) / self.sigma
        return np.log(self.p * (1.0 - self.p) / self.sigma) - u * (self.p - (u < 0.0))

    def _own(self, y):
        """Whether a response is below mu, and the logarithm of the tail on its side."""
        u = (y - self.mu) / self.sigma
        return u < 0.0, np.log(self.p) + (1.0 - self.p) * u if u < 0.0 else np.log1p(-self.p) - self.p * u

    def logcdf(self, y):
        is_below, tail = self._own(y)
        return tail if is_below else np.log1p(-np.exp(tail))

    def logsf(self, y):
        is_below, tail = self._own(y)
        return np.log1p(-np.exp(tail)) if is_below else tail


class GeneralizedPoisson:
    """Consul and Jain's formula; tails by sums."""

    def __init__(self, mu, phi):
        self.rest = 1.0 - (1.0 + phi) ** -0.5
        self.theta = mu * (1.0 + phi) ** -0.5

    def logpmf(self, y):
        rate = self.theta + self.rest * y
        return np.log(self.theta) + (y - 1.0) * np.log(rate) - rate - gammaln(y + 1.0)

    def logsf(self, y):
        return 0.0 if y < 0.0 else -INF if y == INF else logsumexp(self.logpmf(y + np.arange(1.0, 3000.0)))

    def logcdf(self, y):
        return -INF if y < 0.0 else 0.0 if y == INF else logsumexp(self.logpmf(np.arange(0.0, y + 1.0)))


def negbinomial(mu, shape):
    return stats.nbinom(shape, shape / (shape + mu))


def weibull(mu, shape):
    return stats.weibull_min(shape, scale=mu / gamma(1.0 + 1.0 / shape))


def between(low, high):
    return lambda rows: np.linspace(low, high, len(rows))


ANGLES = [
    (0.3, None, None, -INF, INF),
    (0.3, 0.3, INF, -INF, INF),
    (-0.4, -INF, -0.4, -INF, INF),
    (0.3, 0.3, 0.9, -INF, INF),
    (3.0, 3.0, INF, -INF, INF),
    (-3.0, -INF, -3.0, -INF, INF),
    (0.3, None, None, 0.0, INF),
    (0.3, None, None, -INF, 1.0),
    (0.3, None, None, -5.0, 2.0),
    (2.0, 2.0, INF, 1.0, 9.0),
    (2.0, 2.0, 3.0, -1.0, 2.5),
]
MEANS = between(0.4, 5.0)  # of counts
# family: SciPy's distribution; rows of y, low, high, lower, upper; parameters of the rows
CASES = {
    "gaussian": (stats.norm, REAL, [between(-0.5, 1.0), between(0.7, 2.0)]),
    "student": (
        lambda mu, sigma, nu: stats.t(nu, mu, sigma),
        REAL,
        [between(0.0, 0.6), between(0.7, 2.0), between(30.0, 1.5)],
    ),
    "skew_normal": (SkewNormal, REAL, [between(0.0, 0.6), between(1.4, 2.0), between(-3.0, 6.0)]),
    "asym_laplace": (AsymmetricLaplace, REAL, [between(-0.5, 1.0), between(0.7, 2.0), between(0.2, 0.9)]),
    "von_mises": (VonMises, ANGLES, [between(-0.5, 2.8), between(0.3, 60.0)]),
    "lognormal": (
        lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
        POSITIVE,
        [between(0.0, 1.0), between(0.6, 1.2)],
    ),
    "tweedie": (Tweedie, ZEROS, [between(0.5, 3.0), between(0.6, 1.6), between(1.2, 1.8)]),
    "gamma": (
        lambda mu, shape: stats.gamma(shape, scale=mu / shape),
        POSITIVE,
        [between(1.0, 4.0), between(0.5, 6.0)],
    ),
    "weibull": (weibull, POSITIVE, [between(1.0, 4.0), between(0.7, 1.6)]),
    "exponential": (lambda mu: stats.expon(scale=mu), POSITIVE, [between(1.0, 4.0)]),
    "inverse_gaussian": (
        lambda mu, shape: stats.invgauss(mu / shape, scale=shape),
        POSITIVE,
        [between(1.0, 4.0), between(2.0, 1.0)],
    ),
    "exgaussian": (
        lambda mu, sigma, beta: stats.exponnorm(beta / sigma, mu - beta, sigma),
        REAL,
        [between(0.0, 0.6), between(1.4, 2.0), between(1.5, 0.4)],
    ),
    "shifted_lognormal": (
        lambda mu, sigma, ndt: stats.lognorm(sigma, ndt, np.exp(mu)),
        [row for row in POSITIVE if row[0] > 0.1],
        [between(0.0, 1.0), between(0.6, 1.2), between(0.05, 0.1)],
    ),
    "hurdle_gamma": (
        lambda mu, shape, hu: WithZeros(stats.gamma(shape, scale=mu / shape), hu),
        [*POSITIVE, (0.0, 0.0, INF, -INF, INF), (0.0, -INF, 0.0, -INF, INF), (0.0, None, None, -INF, 3.0)],
        [between(1.0, 4.0), between(0.5, 6.0), between(0.1, 0.7)],
    ),
    "beta": (
        lambda mu, phi: stats.beta(mu * phi, (1.0 - mu) * phi),
        UNIT,
        [between(0.1, 0.4), between(2.0, 9.0)],
    ),
    "poisson": (stats.poisson, COUNTS, [MEANS]),
    "negbinomial": (negbinomial, COUNTS, [MEANS, between(0.6, 200.0)]),
    "nbinom1": (lambda mu, phi: negbinomial(mu, mu / phi), COUNTS, [MEANS, between(3.0, 0.2)]),
    "genpois": (GeneralizedPoisson, COUNTS, [MEANS, between(3.0, 0.05)]),
    "geometric": (lambda mu: negbinomial(mu, 1.0), COUNTS, [MEANS]),
    "binomial": (lambda mu: stats.binom(31, mu), COUNTS, [between(0.05, 0.4)]),
    "betabinomial": (BetaBinomial, COUNTS, [between(0.05, 0.4), between(2.0, 30.0)]),
    "zero_inflated_poisson": (
        lambda mu, zi: WithZeros(stats.poisson(mu), zi, False),
        COUNTS,
        [MEANS, between(0.1, 0.7)],
    ),
    "hurdle_poisson": (lambda mu, hu: WithZeros(stats.poisson(mu), hu), COUNTS, [MEANS, between(0.1, 0.7)]),
    "hurdle_negbinomial": (
        lambda mu, shape, hu: WithZeros(negbinomial(mu, shape), hu),
        COUNTS,
        [MEANS, between(0.5, 3.0), between(0.1, 0.7)],
    ),
    "truncated_poisson": (lambda mu: WithZeros(stats.poisson(mu), 0.0), MANY, [MEANS]),
    "truncated_nbinom1": (
        lambda mu, phi: WithZeros(negbinomial(mu, mu / phi), 0.0),
        MANY,
        [MEANS, between(3.0, 0.2)],
    ),
}
TRIALS = 31.0
QUICK = {"gaussian", "lognormal", "weibull", "poisson", "truncated_poisson"}  # others take seconds by differences


def bounds_of(rows):
    y, low, high, lower, upper = (np.array([row[j] for row in rows], dtype=object) for j in range(5))
    is_censored = np.array([end is not None for end in low])
    own = [np.where(is_censored, end, y).astype(float) for end in (low, high)]
    return y.astype(float), Bounds(*own, is_censored, lower.astype(float), upper.astype(float))


def log_mass(own, low, high):
    """Of an interval ``(low, high]``, in the tail in which it is."""
    above, below = own.logsf(low), own.logcdf(high)
    with np.errstate(divide="ignore"):
        if above < below:
            return above + np.log(-np.expm1(own.logsf(high) - above))
        return below + np.log(-np.expm1(own.logcdf(low) - below))


def log_density(name):
    """By its definition, row by row."""
    distribution, rows, _ = CASES[name]
    is_discrete = FAMILIES[name].values.is_discrete
    y, bounds = bounds_of(rows)

    def function(values, trials, *parameters):
        found = []
        for i, one in enumerate(zip(*parameters, strict=True)):
            own = distribution(*one)
            lower, upper = bounds.lower[i] - (1.0 if is_discrete else 0.0), bounds.upper[i]
            if bounds.is_censored[i]:
                value = log_mass(own, max(bounds.low[i], lower), min(bounds.high[i], upper))
            else:
                value = (own.logpmf if is_discrete else own.logpdf)(y[i])
            found.append(float(value - log_mass(own, lower, upper)))
        return np.array(found)

    return function


def law(name):
    _, rows, parameters = CASES[name]
    y, bounds = bounds_of(rows)
    trials = np.full(len(y), TRIALS)
    own = [one(rows) for one in parameters]
    return laws.Law(observed(FAMILIES[name], bounds, trials), y, own, log_density(name), trials)


class TestLaws:
    @pytest.mark.parametrize("name", CASES)
    def test_density(self, name):
        laws.check_density(law(name))

    @pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in CASES])
    def test_derivatives(self, name):
        laws.check_derivatives(law(name))

    @pytest.mark.slow
    @pytest.mark.parametrize("name", CASES)
    def test_symbols(self, name):
        laws.check_symbols(law(name))

    @pytest.mark.slow
    @pytest.mark.parametrize("name", CASES)
    def test_gradients_of_symbols(self, name):
        """Branches that do not hold in a row leave no NaN behind."""
        import pytensor
        import pytensor.tensor as pt
        from graphs import AS_WRITTEN

        one = law(name)
        y, trials, own = one.rows
        symbols = [pt.dvector(f"p{j}") for j in range(len(own))]
        _, bounds = bounds_of(CASES[name][1])
        family = observed(FAMILIES[name], bounds, trials, column=pt.as_tensor_variable)
        graph = family.kernel(symbolic(), pt.as_tensor_variable(y), trials, *symbols).sum()
        found = pytensor.function(symbols, pt.grad(graph, symbols), mode=AS_WRITTEN, on_unused_input="ignore")(*own)
        for j, gradient in enumerate(found):
            step = 1e-6 * np.eye(len(own))[j][:, None]
            ends = [one.family.log_density(y, trials, *(np.array(own) + side * step)) for side in (-1.0, 1.0)]
            np.testing.assert_allclose(gradient, (ends[1] - ends[0]) / 2e-6, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["zero_inflated_beta", "zero_one_inflated_beta", "hurdle_gamma", "tweedie"])
def test_zeros_are_outside_of_intervals_above_zero(name):
    """What lies in ``(0, 0.4]`` is no zero, though zeros have a probability."""
    family = FAMILIES[name]
    own = [np.full(2, VALUES.get(one.name, 0.45)) for one in family.parameters]
    ends = np.zeros(2), np.array([0.4, INF])
    bounds = Bounds(*ends, np.ones(2, bool), np.full(2, -INF), np.full(2, INF))
    found = np.exp(observed(family, bounds, np.ones(2)).log_density(np.zeros(2), np.ones(2), *own))
    below = family.cdf(np.array([0.0, 0.0]), np.ones(2), *own)
    upto = np.array([family.cdf(np.array([0.4]), np.ones(1), *(one[:1] for one in own))[0], 1.0])
    np.testing.assert_allclose(found, upto - below, rtol=1e-9)


def test_nothing_is_changed_without_bounds():
    family = FAMILIES["gaussian"]
    assert observed(family, None, np.ones(3)) is family
    assert truncated(family, None, np.ones(3)) is family
    censored = Bounds(np.ones(1), np.full(1, INF), np.ones(1, bool), np.full(1, -INF), np.full(1, INF))
    assert truncated(family, censored, np.ones(1)) is family


@pytest.mark.parametrize(
    ("lower", "upper"), [(-INF, -0.5), (0.5, 2.0), (3.0, INF), (6.0, 6.1)], ids=["below", "between", "above", "far"]
)
def test_truncated_draws_and_their_distribution_function(lower, upper):
    n = 4000
    bounds = Bounds(np.zeros(n), np.zeros(n), np.zeros(n, bool), np.full(n, lower), np.full(n, upper))
    family = truncated(FAMILIES["gaussian"], bounds, np.ones(n))
    mu, sigma, trials = np.full(n, 0.2), np.full(n, 1.1), np.ones(n)
    drawn = family.sample(np.random.default_rng(1), trials, mu, sigma)
    assert drawn.min() >= lower
    assert drawn.max() <= upper
    expected = stats.truncnorm((lower - 0.2) / 1.1, (upper - 0.2) / 1.1, 0.2, 1.1)
    assert stats.kstest(drawn, expected.cdf).pvalue > 1e-3
    np.testing.assert_allclose(family.cdf(drawn, trials, mu, sigma), expected.cdf(drawn), rtol=1e-8, atol=1e-12)
    outside = family.cdf(np.where(np.arange(n) % 2, lower - 1.0, upper + 1.0), trials, mu, sigma)
    np.testing.assert_array_equal(outside, np.where(np.arange(n) % 2, 0.0, 1.0))


@pytest.mark.parametrize(
    ("family", "row", "message"),
    [
        ("gaussian", (2.0, 2.0, INF, -INF, 2.0), "is censored where it could not have been observed"),
        ("gaussian", (2.0, -INF, 2.0, 2.0, INF), "is censored where it could not have been observed"),
        ("poisson", (0.0, None, None, -INF, -1.0), "could not be observed at all"),
        ("poisson", (1.0, None, None, 0.2, 0.8), "could not be observed at all"),
        ("gamma", (1.0, None, None, -INF, 0.0), "could not be observed at all"),
    ],
)
def test_bounds_without_a_value_between_are_refused(family, row, message):
    _, bounds = bounds_of([row])
    with pytest.raises(DataError, match=message):
        check_bounds(FAMILIES[family], "y", bounds, np.ones(1))


VALUES = {"kappa": 3.0, "alpha": 1.5, "sigma": 0.8, "shape": 1.7, "phi": 2.5, "nu": 5.0, "beta": 0.6, "ndt": 0.1}
VALUES["power"] = 1.45
WITH_TAILS = [name for name, family in FAMILIES.items() if family.log_tails is not None]


@pytest.mark.parametrize("name", WITH_TAILS)
def test_tails_are_those_of_the_distribution_function(name):
    family = FAMILIES[name]
    y = np.arange(1.0, 7.0) if family.values.is_discrete else np.linspace(0.15, 0.95, 6)
    y = np.zeros(6) if name == "bernoulli" else y
    trials = np.ones(6) if name == "bernoulli" else np.full(6, 9.0)
    own = [np.full(6, VALUES.get(one.name, 0.45)) for one in family.parameters]
    below, above = family.log_tails(NUMERIC, y, trials, *own)
    expected = family.cdf(y, trials, *own)
    np.testing.assert_allclose(np.exp(below), expected, rtol=1e-10)
    np.testing.assert_allclose(np.exp(above), 1.0 - expected, rtol=1e-9)


def test_families_with_a_distribution_function_are_all_tried():
    """Others are made by the same functions."""
    alike = {
        "bernoulli",
        "zero_inflated_negbinomial",
        "zero_inflated_nbinom1",
        "zero_inflated_binomial",
        "hurdle_nbinom1",
        "truncated_negbinomial",
        "hurdle_lognormal",
        "zero_inflated_beta",
        "zero_one_inflated_beta",
    }
    assert set(WITH_TAILS) - alike == set(CASES)


# ---- simulated responses --------------------------------------------------------------------------------

OWN = ([1.0, 2.0, -INF, 4.0], [INF, 2.0, 3.0, 6.0], [True, False, True, True])  # low, high, whether it is censored
LIMIT = ([5.0, 2.0, 3.0, 5.0], [INF, 2.0, 3.0, INF], [True, False, False, True])  # what is above 5 is not seen
NEW = {  # what is known, new values: what is seen of them, which are censored
    "in their own intervals": (OWN, [2.0, 9.0, 2.5, 5.0], [1.0, 9.0, 3.0, 4.0], [True, False, True, True]),
    "outside": (OWN, [0.5, 9.0, 3.5, 7.0], [0.5, 9.0, 3.5, 7.0], [False] * 4),
    "at the ends": (OWN, [1.0, 2.0, 3.0, 6.0], [1.0, 2.0, 3.0, 4.0], [False, False, True, True]),
    "beyond a limit": (LIMIT, [9.0, 9.0, 1.0, 5.0], [5.0, 5.0, 1.0, 5.0], [True, True, False, False]),
}


def known(low, high, is_censored):
    n = len(low)
    return Bounds(*map(np.array, (low, high, is_censored)), np.full(n, -INF), np.full(n, INF))


@pytest.mark.parametrize("name", NEW)
def test_new_values_are_censored_where_those_of_the_data_are(name):
    own, values, expected, is_censored = NEW[name]
    bounds = known(*own)
    seen, found = bounds.of_new(np.array(values))
    np.testing.assert_array_equal(seen, expected)
    np.testing.assert_array_equal(found.is_censored, is_censored)
    again, both = found.of_new(np.array(values))  # what was seen of others does not matter
    np.testing.assert_array_equal(again, expected)
    np.testing.assert_array_equal(both.is_censored, is_censored)


def test_the_rule_is_said():
    assert "rows that are seen stay seen" in known(*OWN).rule
    assert "would be" in known(*LIMIT).rule
    assert not known([1.0, 2.0], [1.0, 2.0], [False, False]).rule


def test_values_far_out_are_drawn_of_sums_of_a_density():
    """By its distribution function, at no value much farther out than the draw: a sum to there has no end in time."""
    family, n = FAMILIES["genpois"], 200
    bounds = Bounds(*(np.full(n, one) for one in (30.0, INF, True, 31.0, INF))).whole()
    drawn = observed(family, bounds, np.ones(n)).sample(np.random.default_rng(1), np.ones(n), np.ones(n), np.ones(n))
    k = np.arange(31.0, 80.0)
    mass = np.exp(family.log_density(k, np.ones(()), np.ones(()), np.ones(())))
    assert drawn.min() >= 31.0
    assert drawn.mean() == pytest.approx(mass @ k / mass.sum(), abs=4.0 * drawn.std() / np.sqrt(n))


@pytest.mark.parametrize(("family", "least"), [("poisson", 3.0), ("gaussian", 2.0)])
def test_values_behind_censored_ones_are_in_their_intervals(family, least):
    bounds = Bounds(*map(np.array, ([2.0, 4.0], [INF, 4.0], [True, False], [0.0, 1.0], [9.0, 8.0])))
    inside = bounds.inside(FAMILIES[family])
    np.testing.assert_array_equal(inside.lower, [least, 1.0])
    np.testing.assert_array_equal(inside.upper, [9.0, 8.0])
    assert not inside.is_censored.any()
