"""Families with nonlinear means: the base's density, distribution function and draws at the value of the curve."""

from __future__ import annotations

import pickle

import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.link import LINKS
from bayesmix.language.families.registry import FAMILIES, is_known
from bayesmix.language.formula.model_spec import make_spec

Y = np.array([-20.0, -3.0, -0.2, 0.0, 0.7, 2.0, 15.0, 40.0])
COUNTS = np.array([0.0, 1.0, 2.0, 0.0, 5.0, 12.0, 7.0, 40.0])
ZERO, TIME = np.zeros(8), np.array([0.1, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
A = np.array([1.0, -2.5, 0.4, 0.3, 0.7, 1.2, 2.0, 0.8])
B = np.array([0.2, 0.7, 1.3, 1.0, 0.3, 0.1, 0.8, 0.5])
SIGMA = np.array([2.0, 0.7, 1.3, 1.0, 0.3, 0.1, 8.0, 0.5])


def family(name):
    return make_spec("bf(y ~ a * exp(-b * t), a ~ 1, b ~ x, nl = TRUE)", name, None, None).family


def curve(a, b, t):
    return a * np.exp(-b * t)


LAWS = [
    laws.Law(
        family("gaussian"),
        Y,
        (ZERO, SIGMA, A, B, TIME),
        lambda y, _, mu, sigma, a, b, t: stats.norm.logpdf(y, curve(a, b, t) + mu, sigma),
    ),
    laws.Law(
        family("poisson"),
        COUNTS,
        (ZERO, A, B, TIME),
        lambda y, _, mu, a, b, t: stats.poisson.logpmf(y, np.exp(curve(a, b, t) + mu)),
        y_of_cdf=np.arange(150.0),
    ),
]


@pytest.mark.parametrize("check", laws.CHECKS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.id)
def test_law(law, check):
    check(law)


def test_what_it_is_made_of():
    own = family("poisson")
    assert [one.name for one in own.parameters] == ["mu", "a", "b", "t"]
    assert own.curve.base is FAMILIES["poisson"]
    assert own.curve.link is LINKS["log"]
    assert is_known(own)
    assert not own.is_plain


def test_it_is_pickled_as_what_it_is_made_of():
    own = pickle.loads(pickle.dumps(family("gaussian")))
    one = np.ones(1)
    assert own.log_density(one, one, 0.0 * one, one, one, one, one) == pytest.approx(
        stats.norm.logpdf(1.0, np.exp(-1.0), 1.0)
    )
