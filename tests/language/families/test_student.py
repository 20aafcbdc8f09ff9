"""Student's t distribution against SciPy's and values of fifty digits."""

from __future__ import annotations

import exact_densities
import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.registry import FAMILIES

Y = np.array([-200.0, -3.0, -0.2, 0.0, 0.7, 2.0, 15.0, 4e4])
MU = np.array([1.0, -2.5, 0.0, 0.3, 0.7, -4.0, 12.0, 5.0])
SIGMA = np.array([2.0, 0.7, 1.3, 1.0, 0.3, 0.1, 8.0, 0.5])
NU = np.array([1.0, 2.5, 4.0, 0.6, 30.0, 7.0, 90.0, 3.0])

LAWS = [
    laws.Law(
        FAMILIES["student"],
        Y,
        (MU, SIGMA, NU),
        lambda y, _, mu, sigma, nu: stats.t.logpdf(y, nu, loc=mu, scale=sigma),
    )
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_density_of_many_degrees_of_freedom():
    exact_densities.check("student")
