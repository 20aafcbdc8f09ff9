"""Censored and truncated responses: densities by SciPy's distribution functions, draws, refusals."""

from __future__ import annotations

import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.errors import DataError
from bayesmix.language.families.bounds import Bounds, check_bounds, observed, truncated
from bayesmix.language.families.registry import FAMILIES

INF = np.inf


# family: SciPy's distribution; rows of y, low, high, lower, upper; parameters of the rows
CASES = {
    "gaussian": (
        stats.norm,
        [
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
        ],
        (np.linspace(-0.5, 1.0, 14), np.linspace(0.7, 2.0, 14)),
    ),
}


def bounds_of(rows):
    y, low, high, lower, upper = (np.array([row[j] for row in rows], dtype=object) for j in range(5))
    is_censored = np.array([end is not None for end in low])
    own = [np.where(is_censored, end, y).astype(float) for end in (low, high)]
    return y.astype(float), Bounds(*own, is_censored, lower.astype(float), upper.astype(float))


def log_mass(own, low, high):
    """Of an interval ``(low, high]``, in the tail in which it is."""
    above, below = own.logsf(low), own.logcdf(high)
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
            found.append(value - log_mass(own, lower, upper))
        return np.array(found)

    return function


def law(name):
    *_, rows, parameters = CASES[name]
    y, bounds = bounds_of(rows)
    return laws.Law(observed(FAMILIES[name], bounds, np.ones(len(y))), y, parameters, log_density(name))


@pytest.mark.parametrize("name", CASES)
class TestLaws:
    def test_density(self, name):
        laws.check_density(law(name))

    def test_derivatives(self, name):
        laws.check_derivatives(law(name))

    @pytest.mark.slow
    def test_symbols(self, name):
        laws.check_symbols(law(name))


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
