"""The asymmetric Laplace distribution against SciPy's."""

from __future__ import annotations

import pickle

import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.errors import SpecError
from bayesmix.language.families.registry import FAMILIES, find_family, is_known

Y = np.array([-1.0, 0.2, 0.5, 1.9, 3.0, 20.0])
OWN = (np.array([0.0, 0.4, 1.0, 1.3, 2.0, 9.0]), np.array([0.1, 0.4, 1.5, 0.3, 0.8, 2.0]))
P = np.array([0.5, 0.1, 0.9, 0.25, 0.7, 0.98])


def log_density(y, _, mu, sigma, p=0.9):
    kappa = np.sqrt(p / (1.0 - p))
    return stats.laplace_asymmetric.logpdf(y, kappa, loc=mu, scale=kappa * sigma / p)


LAWS = [
    laws.Law(FAMILIES["asym_laplace"], Y, (*OWN, P), log_density),
    laws.Law(find_family("asym_laplace(0.9)"), Y, OWN, log_density),
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_mu_is_the_quantile():
    family, one = find_family("asym_laplace(quantile = 0.2)"), np.ones(3)
    np.testing.assert_allclose(family.cdf(one, one, one, np.array([0.1, 1.0, 30.0])), 0.2, rtol=1e-15)


@pytest.mark.parametrize("quantile", [0.5, 0.123456789012])
def test_a_fixed_quantile_is_part_of_the_name(quantile):
    family = find_family(f"asym_laplace({quantile})")
    assert [one.name for one in family.parameters] == ["mu", "sigma"]
    assert pickle.loads(pickle.dumps(family)) is family
    assert is_known(family)


@pytest.mark.parametrize("name", ["asym_laplace(2)", "asym_laplace(high)", "asym_laplace()"])
def test_what_is_no_quantile(name):
    with pytest.raises(SpecError, match="a quantile is a number between 0 and 1"):
        find_family(name)


def test_other_families_take_no_number():
    with pytest.raises(SpecError, match=r"Family `student\(3\)` does not exist"):
        find_family("student(3)")


def test_the_smooth_distribution_next_to_it():
    """The same far from mu, and without a kink there."""
    family = FAMILIES["asym_laplace"]
    y, own = np.array([-4.0, 6.0]), (np.ones(2), np.full(2, 0.3), np.full(2, 0.7))
    found = family.smooth.log_density(y, np.ones(2), *own)
    np.testing.assert_allclose(found, family.log_density(y, np.ones(2), *own), rtol=1e-12)
    assert family.smooth.smooth is None
