"""Sums over many counts by few terms, against all of them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

import bayesmix as bmx
from bayesmix.language.families.bounds import Bounds, observed
from bayesmix.language.families.derivatives import by_predictors
from bayesmix.language.families.link import LINKS
from bayesmix.language.families.long_sums import log_tails, rule
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.registry import FAMILIES


@pytest.mark.parametrize("count", [1, 2, 3, 127, 128, 129, 5000, 10**12])
def test_a_rule_adds_up_powers(count: int) -> None:
    """Faulhaber's formulas."""
    places, log_weights = rule(count)
    n = float(count - 1)
    sums = [n + 1.0, n * (n + 1.0) / 2.0, n * (n + 1.0) * (2.0 * n + 1.0) / 6.0]
    found = [float(np.sum(np.exp(log_weights) * places**power)) for power in range(3)]
    np.testing.assert_allclose(found, sums, rtol=1e-12)
    assert len(places) < 1500


@pytest.mark.parametrize("mean", [700.0, 1000.0, 1.0e5])
def test_tails_of_poisson_counts(mean: float) -> None:
    y = np.floor(mean + np.sqrt(mean) * np.array([-20.0, -5.0, -1.0, 0.0, 1.0, 5.0, 20.0]))
    density = stats.poisson(mean)
    found = log_tails(density_of(mean), y, np.full(7, 2.0**20), y < mean)
    np.testing.assert_allclose(found[0], density.logcdf(y), rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(found[1], density.logsf(y), rtol=1e-9, atol=1e-16)


def density_of(mean: float):
    return lambda k: k * np.log(mean) - mean - gammaln(k + 1.0)


def every_term(mu: float, phi: float, y: float, end: int) -> tuple[float, float]:
    k = np.arange(float(end))
    rest = 1.0 - (1.0 + phi) ** -0.5
    rate = mu * (1.0 - rest) + rest * k
    density = np.exp(np.log(mu * (1.0 - rest) / rate) + k * np.log(rate) - rate - gammaln(k + 1.0))
    return float(density[: int(y) + 1].sum()), float(density[int(y) + 1 :].sum())


@pytest.mark.parametrize(
    ("mu", "phi", "y"),
    [
        (1e4, 1e-9, 1e4 + 300.0),  # of which two terms beyond y were taken
        (1e4, 1e-9, 1e4 - 300.0),
        (0.001, 3e4, 400.0),  # of which the sum ended at 20 000 terms
        (2e5, 3.0, 2e5),
        (2e5, 3.0, 2e5 + 5000.0),
        (1e5, 3000.0, 1e5 + 3.0),  # whose lower end is negligible
        (1e5, 3000.0, 1e5 - 3.0),
        (2e4, 1e5, 15_527.0),  # whose lower end is small and not far
        (2e4, 1e-6, 23_535.0),  # 25 standard deviations out
        (2e4, 1e-6, 16_465.0),
    ],
)
def test_tails_of_generalized_poisson_counts(mu: float, phi: float, y: float) -> None:
    family, at = FAMILIES["genpois"], (np.array([mu]), np.array([phi]))
    expected = every_term(mu, phi, y, 400_000 if phi < 100.0 else 1_000_000)
    if phi > 3e4:  # a million are a thousandth short
        expected = expected[0], 1.0 - expected[0]
    found = np.exp(family.log_tails(NUMERIC, np.array([y]), np.ones(1), *at))[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-6 if phi > 100.0 else 1e-8)  # without what is beyond a million
    np.testing.assert_allclose(family.cdf(np.array([y]), 1.0, *at), expected[0], rtol=1e-8)


@pytest.mark.parametrize("phi", [0.0, 1e300, np.inf])
@pytest.mark.parametrize("mu", [0.0, 1e-320, 1e300, np.inf])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_tails_of_parameters_that_overflow_are_no_error(mu: float, phi: float) -> None:
    """A search and proposals may come by; a place without a number is then left, but not an exception."""
    found = FAMILIES["genpois"].log_tails(NUMERIC, np.array([1000.0]), np.ones(1), np.array([mu]), np.array([phi]))
    assert all(one.shape == (1,) and not one[0] > 0.0 for one in found)


def test_counts_of_a_million_do_not_hang() -> None:
    """A term a count took 18 seconds of a hundred distribution functions, and as long again for derivatives."""
    genpois, betabinomial = FAMILIES["genpois"], FAMILIES["betabinomial"]
    million, half = np.full(50, 1e6), np.full(50, 0.5)
    begin = time.process_time()
    assert genpois.cdf(million, 1.0, million, half) == pytest.approx(half, abs=3e-4)
    for family, trials in ((genpois, np.ones(50)), (betabinomial, 2.0 * million)):
        mean = million / trials
        below, above = family.log_tails(NUMERIC, million, trials, mean, np.full(50, 3.0))
        np.testing.assert_allclose(np.logaddexp(below, above), 0.0, atol=1e-12)
    assert time.process_time() - begin < 0.5


def test_tails_have_their_derivatives() -> None:
    """Of censored counts, by central differences."""
    low, none = np.array([30_000.0, 900.0]), np.full(2, np.inf)
    bounds = Bounds(low, none, np.ones(2, bool), -none, none)
    family = observed(FAMILIES["genpois"], bounds, np.ones(2))
    eta = [np.log(np.array([29_000.0, 950.0])), np.log(np.array([4.0, 0.5]))]
    links = [LINKS["log"]] * 2
    rest = {"trials": np.ones(2), "weights": np.ones(2)}
    found = by_predictors(family, links, low, eta, order=1, **rest)
    for r in range(2):
        ends = []
        for step in (-1e-5, 1e-5):
            moved = [one + (step if s == r else 0.0) for s, one in enumerate(eta)]
            ends.append(by_predictors(family, links, low, moved, order=1, **rest).value)
        np.testing.assert_allclose(found.partial[(r,)], (ends[1] - ends[0]) / 2e-5, rtol=1e-5)


@pytest.mark.slow
def test_nuts_does_not_add_up_a_term_for_each_of_a_million() -> None:
    data = {"y": [900_000.0, 1_000_000.0, 800_000.0, 950_000.0], "c": ["none", "right", "none", "none"]}
    model = bmx.Model("y | cens(c) ~ 1", data, family="genpois")
    with pytest.raises(bmx.FitError, match="as large as 1e\\+06: it adds up a term a count"):
        model.to_pymc()
    with pytest.raises(bmx.FitError, match="as large as 1e\\+06: it adds up a term a count"):
        model.sample(method="nuts", progress=False)  # which has a model of its own
