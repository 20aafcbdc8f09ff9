"""Distributions of response times against SciPy's, and values of fifty digits where SciPy's are not exact."""

from __future__ import annotations

import exact_densities
import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.registry import FAMILIES

Y = np.array([0.31, 0.5, 0.45, 1.2, 3.0, 9.0])
SIGMA = np.array([0.1, 0.4, 1.5, 0.3, 0.8, 2.0])

LAWS = [
    laws.Law(
        FAMILIES["exgaussian"],
        np.array([-1.0, 0.2, 0.5, 1.9, 3.0, 20.0]),
        (np.array([0.0, 0.4, 1.0, 1.3, 2.0, 9.0]), SIGMA, np.array([0.3, 0.4, 0.5, 2.0, 0.6, 1.0])),
        lambda y, _, mu, sigma, beta: stats.exponnorm.logpdf(y, beta / sigma, loc=mu - beta, scale=sigma),
    ),
    laws.Law(
        FAMILIES["shifted_lognormal"],
        Y,
        (np.array([-2.0, -1.5, 0.0, -0.3, 1.0, 2.0]), SIGMA, np.array([0.2, 0.1, 0.3, 0.9, 1e-3, 4.0])),
        lambda y, _, mu, sigma, ndt: stats.lognorm.logpdf(y, sigma, loc=ndt, scale=np.exp(mu)),
    ),
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_density_of_exponential_parts_that_are_small_or_large():
    exact_densities.check("exgaussian")


def test_nothing_comes_before_the_shift():
    family, one = FAMILIES["shifted_lognormal"], np.ones(2)
    found = family.log_density(np.array([0.2, 0.3]), one, 0.0 * one, one, 0.3 * one)
    np.testing.assert_array_equal(found, -np.inf)
    np.testing.assert_array_equal(family.cdf(np.array([0.2, 0.3]), one, 0.0 * one, one, 0.3 * one), 0.0)
