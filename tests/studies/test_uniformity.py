"""The exact law of deviations of ranks: all outcomes counted, SciPy's for one cell, simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from bayesmix.studies.uniformity import POWER, detectable_shift, deviation, limit, p_value, shares, shifted


def outcomes(n: int, draws: int) -> list[float]:
    """Deviations of all equally likely sets of ``n`` ranks."""
    return [deviation(np.array(ranks), draws) for ranks in product(range(draws + 1), repeat=n)]


@pytest.mark.parametrize(("n", "draws"), [(1, 5), (4, 2), (5, 3)])
def test_p_values_are_shares_of_all_outcomes(n: int, draws: int) -> None:
    every = np.array(outcomes(n, draws))
    for largest in np.unique(every):
        assert p_value(float(largest), n, draws) == pytest.approx(np.mean(every > largest - 1e-8), abs=1e-12)


def test_two_values_are_a_binomial_test() -> None:
    ranks = np.repeat([0, 1], [31, 69])
    found = p_value(deviation(ranks, 1), 100, 1)
    assert found == pytest.approx(stats.binomtest(31, 100).pvalue, rel=1e-9)


def test_the_far_tail_is_that_of_the_binomial() -> None:
    """Simulated p-values would end at one over the number of simulations."""
    ranks = np.repeat([0, 1], [10, 90])
    assert p_value(deviation(ranks, 1), 100, 1) == pytest.approx(stats.binomtest(10, 100).pvalue, abs=1e-13)


def test_limits_hold_with_their_probability() -> None:
    n, draws, level = 60, 19, 0.05
    counts = np.random.default_rng(0).multinomial(n, np.full(draws + 1, 1.0 / (draws + 1.0)), size=1000)
    found = np.array([deviation(np.repeat(np.arange(draws + 1), own), draws) for own in counts])
    bound = limit(level, n, draws)
    beyond = np.sum(found >= bound)
    assert stats.binom(1000, level).sf(beyond - 1) > 1e-4
    assert p_value(bound * (1.0 + 1e-6), n, draws) <= level
    assert p_value(bound * (1.0 - 1e-6), n, draws) >= level


def test_shares_are_a_distribution_function() -> None:
    np.testing.assert_allclose(shares(np.array([0, 0, 1, 3]), 3), [0.5, 0.75, 0.75])


def test_ranks_of_posteriors_that_lie_off_are_as_probable_as_simulated() -> None:
    """One draw is below the truth with probability ``Phi(shift / sqrt(2))``."""
    np.testing.assert_allclose(shifted(0.7, 1), stats.norm.cdf([-0.7 / np.sqrt(2.0), 0.7 / np.sqrt(2.0)]), atol=1e-10)
    np.testing.assert_allclose(shifted(0.0, 9), np.full(10, 0.1), atol=1e-10)
    rng = np.random.default_rng(3)
    below = (rng.normal(size=(20_000, 9)) - 0.7 < rng.normal(size=(20_000, 1))).sum(axis=1)
    counts = np.bincount(below, minlength=10)
    assert stats.chisquare(counts, 20_000 * shifted(0.7, 9)).pvalue > 1e-4


@pytest.mark.parametrize(("n", "draws"), [(4, 3), (5, 2)])
def test_what_is_detectable_is_found_as_often_as_stated(n: int, draws: int) -> None:
    """All sets of ranks, with their probabilities."""
    level = 0.2
    every, sets = np.array(outcomes(n, draws)), np.array(list(product(range(draws + 1), repeat=n)))
    found = every > limit(level, n, draws)  # which lies between two of them

    def power(shift: float) -> float:
        return float(shifted(shift, draws)[sets].prod(axis=1)[found].sum())

    shift = detectable_shift(level, n, draws)
    assert power(shift) == pytest.approx(POWER, abs=0.003)
    assert power(0.9 * shift) < POWER


def test_one_rank_in_many_finds_nothing() -> None:
    assert detectable_shift(1e-9, 2, 3) == np.inf
    assert detectable_shift(0.01, 40, 39) < detectable_shift(0.01, 10, 39) < detectable_shift(0.001, 10, 39)
