"""The von Mises distribution against SciPy's and values of fifty digits."""

from __future__ import annotations

import exact_densities
import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.errors import DataError
from bayesmix.language.families.registry import FAMILIES, check_response

LAWS = [
    laws.Law(
        FAMILIES["von_mises"],
        np.array([-3.0, -0.5, 0.0, 0.4, 1.0, 3.1]),
        (np.array([0.2, -0.7, 0.1, 0.3, 1.4, 2.9]), np.array([9.0, 0.6, 12.0, 40.0, 2.0, 4.0])),
        lambda y, _, mu, kappa: stats.vonmises.logpdf(y, kappa, loc=mu),
    )
]


# angles on the other side of pi have no mean near the mean direction: draws have a test of their own
@pytest.mark.parametrize("check", [check for check in laws.CHECKS if check is not laws.check_draws])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_draws():
    mu, kappa = np.full(20_000, 2.5), np.full(20_000, 1.7)
    drawn = FAMILIES["von_mises"].sample(np.random.default_rng(0), 1.0, mu, kappa)
    assert np.all(np.abs(drawn) <= np.pi)
    assert stats.kstest(FAMILIES["von_mises"].cdf(drawn, 1.0, mu, kappa), "uniform").pvalue > 1e-3
    away = np.angle(np.exp(1j * (drawn - mu)))
    assert np.var(away) == pytest.approx(float(FAMILIES["von_mises"].variance(1.0, mu, kappa)[0]), rel=0.03)


def test_density_of_small_and_great_concentration():
    exact_densities.check("von_mises")


def test_degrees_are_refused():
    with pytest.raises(DataError, match=r"radians, from -pi to pi; row 1 has 90\. Of degrees"):
        check_response(FAMILIES["von_mises"], "angle", np.array([1.0, 90.0]), np.ones(2))
