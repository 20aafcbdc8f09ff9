"""Normal responses with the slopes of other responses among their parameters."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.imputed import predictors_of, with_slopes
from bayesmix.language.families.registry import FAMILIES, is_known

GAUSSIAN = FAMILIES["gaussian"]
FAMILY = with_slopes(GAUSSIAN, ("mi(z)", "mi(v)"))
RNG = np.random.default_rng(1)
MU, SIGMA, B, C, Z, V = RNG.uniform(0.5, 2.0, (6, 5))
GIVEN = (MU, SIGMA, B, C, Z, V, np.zeros(5), np.zeros(5))
MEAN = MU + B * Z + C * V


def test_parameters():
    assert [one.name for one in FAMILY.parameters][:4] == ["mu", "sigma", "mi(z)", "mi(v)"]
    assert [one.is_slope for one in FAMILY.parameters] == [False, False, True, True, False, False, False, False]
    assert [one.is_known for one in FAMILY.parameters] == [False] * 4 + [True] * 4
    assert predictors_of(FAMILY) == ("mi(z)", "mi(v)")
    assert predictors_of(GAUSSIAN) == ()
    assert FAMILY.slopes.places(1) == (3, 5, 7)
    assert not FAMILY.is_plain


def test_distribution():
    y, one = RNG.normal(size=5), np.ones(5)
    normal = stats.norm(MEAN, SIGMA)
    assert FAMILY.log_density(y, one, *GIVEN) == pytest.approx(normal.logpdf(y))
    assert FAMILY.cdf(y, one, *GIVEN) == pytest.approx(normal.cdf(y))
    assert FAMILY.mean(one, *GIVEN) == pytest.approx(MEAN)
    assert FAMILY.variance(one, *GIVEN) == pytest.approx(SIGMA**2)
    drawn = FAMILY.sample(np.random.default_rng(2), one, *(np.tile(part, (20_000, 1)) for part in GIVEN))
    assert drawn.mean(axis=0) == pytest.approx(MEAN, abs=0.06)
    assert drawn.std(axis=0) == pytest.approx(SIGMA, rel=0.03)


def test_one_record_for_the_same_family():
    assert with_slopes(GAUSSIAN, ("mi(z)", "mi(v)")) is FAMILY
    assert pickle.loads(pickle.dumps(FAMILY)) is FAMILY
    assert is_known(FAMILY)
