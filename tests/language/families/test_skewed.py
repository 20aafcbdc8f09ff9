"""Skewed distributions against SciPy's, and values of fifty digits where SciPy's are not exact."""

from __future__ import annotations

import exact_densities
import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.registry import FAMILIES

ALPHA = np.array([-3.0, 0.2, 5.0, 0.0, 1.0, 20.0])


def skew_normal(y, _, mu, sigma, alpha):
    """Of a mean and a standard deviation, by those that SciPy has of location 0 and scale 1."""
    mean, variance = stats.skewnorm.stats(alpha, moments="mv")
    scale = sigma / np.sqrt(variance)
    return stats.skewnorm.logpdf(y, alpha, loc=mu - scale * mean, scale=scale)


LAWS = [
    laws.Law(
        FAMILIES["skew_normal"],
        np.array([-1.0, 0.2, 0.5, 1.9, 3.0, 9.5]),
        (np.array([0.0, 0.4, 1.0, 1.3, 2.0, 9.0]), np.array([0.9, 0.4, 1.5, 0.3, 0.8, 2.0]), ALPHA),
        skew_normal,
    )
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_density_far_out():
    exact_densities.check("skew_normal")
