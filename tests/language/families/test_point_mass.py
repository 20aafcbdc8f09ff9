"""Proportions with zeros and ones of their own against SciPy's beta distribution."""

from __future__ import annotations

import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.registry import FAMILIES

Y = np.array([0.0, 0.02, 0.3, 0.0, 0.72, 0.9, 0.999, 0.0])
MU = np.array([0.1, 0.3, 0.2, 0.5, 0.7, 0.95, 0.6, 0.97])
PHI = np.array([4.0, 2.0, 12.0, 1.0, 150.0, 30.0, 1.5, 12.0])
SHARE = np.array([0.3, 0.1, 0.9, 1e-6, 0.5, 0.02, 0.6, 0.95])
UPPER = np.array([0.2, 0.7, 0.5, 0.5, 0.01, 1e-6, 0.9, 0.4])


def inside(y, mu, phi):
    return stats.beta.logpdf(np.where((y > 0.0) & (y < 1.0), y, 0.5), mu * phi, (1.0 - mu) * phi)


def with_zeros(y, _, mu, phi, zi):
    return np.where(y == 0.0, np.log(zi), np.log1p(-zi) + inside(y, mu, phi))


def with_both(y, _, mu, phi, zoi, coi):
    at_end = np.log(zoi) + np.where(y == 0.0, np.log1p(-coi), np.log(coi))
    return np.where((y == 0.0) | (y == 1.0), at_end, np.log1p(-zoi) + inside(y, mu, phi))


LAWS = [
    laws.Law(FAMILIES["zero_inflated_beta"], Y, (MU, PHI, SHARE), with_zeros),
    laws.Law(
        FAMILIES["zero_one_inflated_beta"],
        np.where(np.arange(8) % 5 == 3, 1.0, Y),
        (MU, PHI, SHARE, UPPER),
        with_both,
    ),
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)
