"""Distributions of positive responses against SciPy's."""

from __future__ import annotations

import laws
import numpy as np
import pytest
from scipy import special, stats

from bayesmix.language.families.registry import FAMILIES

Y = np.array([1e-6, 0.02, 0.3, 1.0, 1.7, 4.0, 9.0, 40.0])
MU = np.array([0.01, 0.5, 0.2, 1.0, 3.0, 4.0, 12.0, 25.0])
SHAPE = np.array([0.4, 2.0, 0.7, 1.0, 5.0, 30.0, 1.5, 12.0])
SIGMA = np.array([2.0, 0.7, 1.3, 1.0, 0.3, 0.1, 0.8, 0.5])


def weibull(y, _, mu, shape):
    return stats.weibull_min.logpdf(y, shape, scale=mu / special.gamma(1.0 + 1.0 / shape))


LAWS = [
    laws.Law(FAMILIES["exponential"], Y, (MU,), lambda y, _, mu: stats.expon.logpdf(y, scale=mu)),
    laws.Law(FAMILIES["weibull"], Y, (MU, SHAPE), weibull),
    laws.Law(
        FAMILIES["inverse_gaussian"],
        Y[1:],
        (MU[1:], SHAPE[1:]),
        lambda y, _, mu, shape: stats.invgauss.logpdf(y, mu / shape, scale=shape),
    ),
    laws.Law(
        FAMILIES["lognormal"],
        Y,
        (np.log(MU), SIGMA),
        lambda y, _, mu, sigma: stats.lognorm.logpdf(y, sigma, scale=np.exp(mu)),
    ),
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_density_of_an_inverse_gaussian_next_to_zero():
    """Where SciPy's ``x / scale`` underflows: by the formula, the exponent alone."""
    found = FAMILIES["inverse_gaussian"].log_density(np.array([1e-5]), np.ones(1), np.array([2.0]), np.array([3.0]))
    expected = 0.5 * np.log(3.0 / (2.0 * np.pi)) - 1.5 * np.log(1e-5) - 3.0 * (1e-5 - 2.0) ** 2 / (2.0 * 4.0 * 1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
