"""Tweedie distributions against sums over the numbers of gamma variables."""

from __future__ import annotations

import laws
import numpy as np
import pytest
from count_densities import by_row
from scipy import stats
from scipy.special import logsumexp

from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.registry import FAMILIES

TERMS = np.arange(1.0, 20_001.0)
Y = np.array([0.0, 0.0, 1.0, 0.02, 5.0, 12.0, 3.0, 40.0, 1e-6, 300.0, 7.0, 2.0])
MU = np.array([0.2, 3.0, 0.5, 4.0, 5.0, 9.0, 2.5, 25.0, 2.0, 250.0, 2.0, 1.5])
PHI = np.array([0.3, 1.0, 2.0, 1.5, 0.05, 0.8, 0.5, 12.0, 2.0, 4.0, 3.0, 0.4])
POWER = np.array([1.5, 1.2, 1.5, 1.7, 1.6, 1.9, 1.05, 1.5, 1.98, 1.4, 1.3, 1.1])


@by_row
def density(y: float, _: float, mu: float, phi: float, power: float) -> float:
    number = mu ** (2.0 - power) / (phi * (2.0 - power))
    if y == 0.0:
        return -number
    shape, scale = (2.0 - power) / (power - 1.0), phi * (power - 1.0) * mu ** (power - 1.0)
    own = stats.gamma.logpdf(y, shape * TERMS, scale=scale)
    return float(logsumexp(stats.poisson.logpmf(TERMS, number) + own))


LAW = laws.Law(FAMILIES["tweedie"], Y, (MU, PHI, POWER), density)


MANY = laws.Law(  # gamma variables: as many as their sums, the reference, are exact for
    FAMILIES["tweedie"],
    np.array([3.0, 0.0, 2.0, 50.0, 4.0, 0.4, 9.0, 7.0, 6.0]),
    (
        np.array([2.8, 2.0, 2.1, 44.0, 4.0, 0.5, 9.2, 6.0, 6.5]),
        np.array([2e-4, 1e-3, 3e-3, 0.02, 0.02, 5e-3, 0.01, 0.05, 0.3]),
        np.array([1.5, 1.5, 1.2, 1.7, 1.05, 1.9, 1.4, 1.93, 1.98]),
    ),
    density,
)


@pytest.mark.parametrize("check", laws.CHECKS)
def test_law(check):
    check(LAW)


@pytest.mark.parametrize("check", [laws.check_density, laws.check_derivatives, laws.check_symbols, laws.check_tails])
def test_law_of_many_variables(check):
    check(MANY)


@pytest.mark.parametrize("power", [1.02, 1.1, 1.5, 1.9])
def test_the_expansion_is_the_sum_where_it_takes_over(power):
    """On both sides: of 100 variables, or of as many as have a sum of shape 100."""
    number = np.array([0.999, 1.001]) * max(100.0, 100.0 * (power - 1.0) / (2.0 - power))
    phi = 2.0 ** (2.0 - power) / (number * (2.0 - power))
    found = FAMILIES["tweedie"].log_density(2.0 + 0 * phi, 1.0 + 0 * phi, 2.1 + 0 * phi, phi, power + 0 * phi)
    wanted = density(2.0 + 0 * phi, 1.0 + 0 * phi, 2.1 + 0 * phi, phi, power + 0 * phi)
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("power", [1.001, 1.03, 1.5, 1.97])
def test_tails_are_sums_over_the_numbers_of_variables(power):
    """Also of narrow gamma variables, whose tails are all or nothing."""
    y = np.array([0.3, 4.0, 9.5, 10.5, 30.0])
    mu, phi = np.full(5, 10.0), np.full(5, 1.2)
    below, above = FAMILIES["tweedie"].log_tails(NUMERIC, y, np.ones(5), mu, phi, np.full(5, power))
    number = 10.0 ** (2.0 - power) / (1.2 * (2.0 - power))
    shape, scale = (2.0 - power) / (power - 1.0), 1.2 * (power - 1.0) * 10.0 ** (power - 1.0)
    some = stats.poisson.logpmf(TERMS, number)[:, None]
    gammas = stats.gamma(shape * TERMS[:, None], scale=scale)
    np.testing.assert_allclose(above, logsumexp(some + gammas.logsf(y), axis=0), rtol=1e-9, atol=1e-12)
    expected = np.logaddexp(-number, logsumexp(some + gammas.logcdf(y), axis=0))
    np.testing.assert_allclose(below, expected, rtol=1e-9, atol=1e-12)


def test_the_integral_of_many_terms_is_their_sum():
    """On both sides of where it takes over: the log density changes as the dispersion does."""
    phi = np.array([2.0004e-6, 2.0002e-6, 2.0e-6, 1.9998e-6, 1.9996e-6])  # two million divided by a million variables
    found = FAMILIES["tweedie"].log_density(np.ones(5), np.ones(5), 1.0001 * np.ones(5), phi, 1.5 * np.ones(5))
    np.testing.assert_allclose(np.diff(found, 2), 0.0, atol=1e-6)
