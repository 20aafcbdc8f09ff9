"""Families with errors of known size beside sigma, against SciPy's densities."""

from __future__ import annotations

import pickle

import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.registry import FAMILIES

Y = np.array([-20.0, -3.0, -0.2, 0.0, 0.7, 2.0, 15.0, 40.0])
MU = np.array([1.0, -2.5, 0.0, 0.3, 0.7, -4.0, 12.0, 5.0])
SIGMA = np.array([2.0, 0.7, 1.3, 1e-3, 0.3, 0.1, 8.0, 0.5])
SE = np.array([0.5, 1.7, 0.3, 1.0, 0.4, 2.1, 3.0, 6.0])
NU = np.array([3.0, 2.5, 4.0, 1.6, 30.0, 7.0, 90.0, 3.0])

LAWS = [
    laws.Law(
        FAMILIES["gaussian"].noisy,
        Y,
        (MU, SIGMA, SE),
        lambda y, _, mu, sigma, se: stats.norm.logpdf(y, mu, np.hypot(sigma, se)),
    ),
    laws.Law(
        FAMILIES["student"].noisy,
        Y,
        (MU, SIGMA, NU, SE),
        lambda y, _, mu, sigma, nu, se: stats.t.logpdf(y, nu, mu, np.hypot(sigma, se)),
    ),
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_they_are_pickled_by_name():
    for family in ("gaussian", "student"):
        noisy = FAMILIES[family].noisy
        assert pickle.loads(pickle.dumps(noisy)) is noisy
