"""Counts of several categories: density by SciPy, derivatives, draws, moments of the number that stands for them."""

from __future__ import annotations

import pickle

import laws
import numpy as np
import pytest
from scipy import stats

from bayesmix.language.families.category_counts import coded, counts_of
from bayesmix.language.families.registry import FAMILIES

LEVELS = ("a", "b", "c", "d")
FAMILY = FAMILIES["multinomial"].with_levels(LEVELS, "logit", frozenset())
COUNTS = np.array([[0, 0, 0, 7], [7, 0, 0, 0], [1, 2, 3, 4], [0, 5, 0, 1], [1, 0, 0, 0], [90, 4, 0, 300]], float)
SCORES = np.random.default_rng(1).normal(size=(3, 6))


def shares(mu):
    parts = np.exp(np.array([0.0 * mu[0], *mu]))
    return parts / parts.sum(axis=0)


def log_density(y, trials, *mu):
    counts, p = counts_of(y, trials, 4), shares(mu)
    return np.array([stats.multinomial.logpmf(own, own.sum(), p[:, i]) for i, own in enumerate(counts)])


LAW = laws.Law(FAMILY, coded(COUNTS), tuple(SCORES), log_density, trials=COUNTS.sum(axis=1))


def test_density():
    laws.check_density(LAW)


def test_derivatives():
    laws.check_derivatives(LAW)


@pytest.mark.slow
def test_symbols():
    laws.check_symbols(LAW)


def test_draws():
    """Means and covariances of counts, SciPy's."""
    n, draws = 11, 40_000
    mu = [np.full(draws, value) for value in (0.5, -1.0, 0.2)]
    p = shares([one[:1] for one in mu])[:, 0]
    counts = counts_of(FAMILY.sample(np.random.default_rng(2), np.full(draws, float(n)), *mu), np.full(draws, n), 4)
    np.testing.assert_array_equal(counts.sum(axis=1), n)
    expected = stats.multinomial(n, p)
    np.testing.assert_allclose(counts.mean(axis=0), n * p, atol=5.0 * np.sqrt(n * p.max() / draws))
    np.testing.assert_allclose(np.cov(counts.T), expected.cov(), atol=0.1)


def test_moments_are_those_of_the_numbers():
    n, mu = 3.0, [np.array([value]) for value in (0.5, -1.0, 0.2)]
    every = np.array([c for c in np.ndindex(4, 4, 4, 4) if sum(c) == n], float)
    p, y = stats.multinomial.pmf(every, 3, shares(mu)[:, 0]), coded(every) / n
    assert FAMILY.mean(np.array([n]), *mu)[0] == pytest.approx(p @ y, rel=1e-12)
    assert FAMILY.variance(np.array([n]), *mu)[0] == pytest.approx(p @ y**2 - (p @ y) ** 2, rel=1e-12)


def test_a_single_trial_is_a_category():
    categorical = FAMILIES["categorical"].with_levels(LEVELS, "logit", frozenset())
    y, ones = np.arange(4.0), np.ones(4)
    found = FAMILY.log_density(coded(np.eye(4)), ones, *SCORES[:, :4])
    np.testing.assert_allclose(found, categorical.log_density(y, ones, *SCORES[:, :4]), rtol=1e-13)


def test_starts_are_shares_of_all():
    y, trials = coded(COUNTS), COUNTS.sum(axis=1)
    total = COUNTS.sum(axis=0) + 0.5
    np.testing.assert_allclose(FAMILY.crude(y, trials), np.log(total[1:] / total[0]), rtol=1e-12)


def test_its_record_is_pickled_by_name():
    again = pickle.loads(pickle.dumps(FAMILY))
    assert again.levels == LEVELS
    np.testing.assert_array_equal(again.log_density(*LAW.rows[:2], *SCORES), FAMILY.log_density(*LAW.rows[:2], *SCORES))
