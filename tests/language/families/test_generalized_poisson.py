"""The generalized Poisson distribution against fifty digits."""

from __future__ import annotations

from decimal import Decimal, localcontext

import laws
import numpy as np
import pytest
from count_densities import by_row, log_factorial

from bayesmix.language.families.registry import FAMILIES

Y = np.array([0.0, 0.0, 1.0, 2.0, 5.0, 12.0, 0.0, 40.0, 1.0, 300.0])
MU = np.array([0.2, 3.0, 0.5, 4.0, 5.0, 9.0, 30.0, 25.0, 1e-9, 250.0])
PHI = np.array([0.3, 1.0, 2.0, 0.1, 7.0, 1e-9, 0.5, 12.0, 2.0, 40.0])


@by_row
def density(y: float, _: float, mu: float, phi: float) -> float:
    """By fifty digits, in the parameters of Consul and Jain."""
    with localcontext(prec=50):
        rest = 1 - 1 / (1 + Decimal(phi)).sqrt()
        theta = Decimal(mu) * (1 - rest)
        rate = theta + rest * Decimal(y)
        return float(theta.ln() + (Decimal(y) - 1) * rate.ln() - rate - Decimal(log_factorial(y)))


LAW = laws.Law(FAMILIES["genpois"], Y, (MU, PHI), density, y_of_cdf=np.arange(400.0))


@pytest.mark.parametrize("check", laws.CHECKS)
def test_law(check):
    check(LAW)
