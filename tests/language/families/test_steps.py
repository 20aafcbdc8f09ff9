"""Families with monotonic effects: the base's density, distribution function and draws at the mean with its steps."""

from __future__ import annotations

import pickle

import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.link import LINKS
from bayesmix.language.families.registry import FAMILIES, is_known
from bayesmix.language.families.steps import MonotonicEffect, Steps, with_steps

MAIN = MonotonicEffect("mox", ("a", "b", "c", "d"), "mo(x)")
OTHER = MonotonicEffect("mow:z", ("0", "1"), "mo(w)", "(z)", 2.0)
X, W = np.array([0.0, 1, 2, 3, 3, 2, 1, 0]), np.array([0.0, 1, 1, 0, 1, 0, 1, 0])
Z = np.array([0.5, -1.0, 2.0, 0.3, 1.0, 0.0, -0.4, 1.0])
MU, SIGMA = np.array([0.3, -0.5, 1.0, 0.0, 0.2, 0.8, -1.0, 0.4]), np.array([2.0, 0.7, 1.3, 1.0, 0.3, 0.1, 8.0, 0.5])
SLOPE, FIRST, SECOND = np.array([0.5, -0.3, 0.2, 0.4, -0.6, 0.1, 0.3, 0.2]), np.full(8, 0.4), np.full(8, 0.3)
OWN = (SLOPE, FIRST, SECOND, -SLOPE, X, W, Z)  # in the order of parameters: slopes with their shares, numbers of rows
Y = np.array([-20.0, -3.0, -0.2, 0.0, 0.7, 2.0, 15.0, 40.0])
COUNTS = np.array([0.0, 1.0, 2.0, 0.0, 5.0, 12.0, 7.0, 40.0])


def family(name, link):
    return with_steps(Steps((MAIN, OTHER), FAMILIES[name], LINKS[link]))


def predictor(mu, b, v1, v2, c, x, w, z):
    """By the definition: shares of three steps, ``v2`` of what ``v1`` leaves."""
    shares = np.array([v1, (1 - v1) * v2, (1 - v1) * (1 - v2)])
    reached = np.array([(shares[:, i] * (np.arange(3) < x[i])).sum() for i in range(len(x))])
    return mu + 3.0 * b * reached + c * w * z


LAWS = [
    laws.Law(
        family("gaussian", "identity"),
        Y,
        (MU, SIGMA, *OWN),
        lambda y, _, mu, sigma, *own: stats.norm.logpdf(y, predictor(mu, *own), sigma),
    ),
    laws.Law(
        family("poisson", "log"),
        COUNTS,
        (MU, *OWN),
        lambda y, _, mu, *own: stats.poisson.logpmf(y, np.exp(predictor(mu, *own))),
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
@pytest.mark.parametrize("check", [laws.check_density, laws.check_derivatives])
def test_laws(law, check):
    check(law)


def test_the_mean_is_the_response_that_is_expected():
    own = family("poisson", "log")
    np.testing.assert_allclose(own.mean(np.ones(8), MU, *OWN), np.exp(predictor(MU, *OWN)), rtol=1e-13)


def test_without_a_category_there_is_no_value():
    found = family("poisson", "log").mean(np.ones(8), MU, *OWN[:4], np.full(8, np.nan), W, Z)
    assert np.isnan(found).all()


@pytest.mark.parametrize("name", ["gaussian", "zero_inflated_poisson"])
def test_starts_are_of_every_parameter(name):
    own = family(name, "identity" if name == "gaussian" else "log")
    up, down = (start(COUNTS, np.ones(8)) for start in (own.crude, own.apart))
    assert len(up) == len(own.parameters)
    places = [j for j, one in enumerate(own.parameters) if one.is_monotonic]
    assert [up[j] for j in places] == [-down[j] for j in places]
    np.testing.assert_allclose([up[j] for j, one in enumerate(own.parameters) if one.simplex], [1 / 3, 1 / 2])


def test_they_pickle_by_what_they_are_made_of():
    own = family("gaussian", "identity")
    again = pickle.loads(pickle.dumps(own))
    assert is_known(own)
    assert is_known(again)
    assert again.steps.effects == own.steps.effects
    assert MAIN.shares == ("simo_mox1[1]", "simo_mox1[2]")
    assert OTHER.shares == ()
