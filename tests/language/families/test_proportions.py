"""Distributions of proportions against SciPy's and values of fifty digits."""

from __future__ import annotations

import exact_densities
import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.registry import FAMILIES

Y = np.array([1e-9, 0.02, 0.3, 0.5, 0.72, 0.9, 0.999, 1.0 - 1e-9])
MU = np.array([0.1, 0.3, 0.2, 0.5, 0.7, 0.95, 0.6, 0.97])
PHI = np.array([4.0, 2.0, 12.0, 1.0, 150.0, 30.0, 1.5, 12.0])


def beta(y, _, mu, phi):
    return stats.beta.logpdf(y, mu * phi, (1.0 - mu) * phi)


LAWS = [laws.Law(FAMILIES["beta"], Y, (MU, PHI), beta)]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_density_of_great_precision():
    exact_densities.check("beta")


def test_draws_are_never_zero_or_one():
    """Though those of shapes next to zero round to them."""
    mu = np.array([0.02, 0.98])
    drawn = FAMILIES["beta"].sample(np.random.default_rng(0), 1.0, np.tile(mu, (500, 1)), np.full((500, 2), 0.1))
    assert np.all((drawn > 0.0) & (drawn < 1.0))
    assert np.min(drawn) < 1e-100
