"""Distributions of counts against sums of logarithms."""

from __future__ import annotations

import laws
import numpy as np
import pytest
from count_densities import geometric, nbinom1, negbinomial

from bayesmix.language.families.link import LINKS
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.registry import FAMILIES

Y = np.array([0.0, 0.0, 1.0, 2.0, 5.0, 12.0, 0.0, 40.0, 1.0, 300.0])
MU = np.array([0.2, 3.0, 0.5, 4.0, 5.0, 9.0, 30.0, 25.0, 1e-9, 250.0])
PHI = np.array([0.3, 1.0, 2.0, 0.1, 7.0, 1e-3, 0.5, 12.0, 2.0, 40.0])
SHAPE = np.array([0.3, 1.0, 20.0, 0.1, 7.0, 1e3, 0.5, 12.0, 2.0, 1e7])
COUNTS = np.arange(150.0)

LAWS = [
    laws.Law(FAMILIES["negbinomial"], Y, (MU, SHAPE), negbinomial, y_of_cdf=COUNTS),
    laws.Law(FAMILIES["nbinom1"], Y, (MU, PHI), nbinom1, y_of_cdf=COUNTS),
    laws.Law(FAMILIES["geometric"], Y, (MU,), geometric, y_of_cdf=COUNTS),
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_kernels_of_logarithms_of_means_are_those_of_means():
    """With means of 1e-9 to 1e9 and shapes of 1e-3 to 1e6."""
    own, link = FAMILIES["negbinomial"], LINKS["log"]
    eta, y = np.linspace(-20.0, 20.0, 41)[:, None], np.array([0.0, 1.0, 7.0, 300.0])
    shape = np.array([1e-3, 2.0, 1e6])[:, None, None]
    expected = own.kernel(NUMERIC, y, None, link.formula(NUMERIC, eta), shape)
    found = own.kernel_of(link)(NUMERIC, y, None, eta, shape)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
