"""The exact law of deviations of ranks: all outcomes counted, SciPy's for one cell, simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from bayesmix.studies.uniformity import deviation, limit, p_value, shares


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
