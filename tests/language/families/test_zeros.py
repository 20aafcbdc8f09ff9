"""Zero-inflated and hurdle families against SciPy's distributions."""

from __future__ import annotations

import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.registry import FAMILIES

Y = np.array([0.0, 0.0, 1.0, 2.0, 5.0, 12.0, 0.0, 40.0])
MU = np.array([0.2, 3.0, 0.5, 4.0, 5.0, 9.0, 30.0, 25.0])
ZI = np.array([0.3, 0.01, 0.5, 0.2, 0.9, 0.05, 1e-4, 0.6])
COUNTS = np.arange(0.0, 90.0)


def inflated(log_mass):
    def log_density(y, trials, *parameters):
        *own, zi = parameters
        mass = np.exp(log_mass(y, trials, *own))
        return np.log(np.where(y == 0.0, zi, 0.0) + (1.0 - zi) * mass)

    return log_density


LAWS = [
    laws.Law(
        FAMILIES["zero_inflated_poisson"],
        Y,
        (MU, ZI),
        inflated(lambda y, trials, mu: stats.poisson.logpmf(y, mu)),
        y_of_cdf=COUNTS,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
class TestLaws:
    def test_density(self, law):
        laws.check_density(law)

    def test_derivatives(self, law):
        laws.check_derivatives(law)

    def test_distribution_function(self, law):
        laws.check_cdf(law)

    def test_draws(self, law):
        laws.check_draws(law)

    @pytest.mark.slow
    def test_symbols(self, law):
        laws.check_symbols(law)
