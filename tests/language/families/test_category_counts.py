"""Counts of several categories as one number, there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesmix.language.families.category_counts import by_category, coded, counts_of, most_trials, units
from bayesmix.language.families.registry import FAMILIES


@settings(max_examples=12)
@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_numbers_are_their_counts(K, seed):
    """At the largest number of trials as at any other."""
    rng, most = np.random.default_rng(seed), most_trials(K)
    n = np.r_[1, most, rng.integers(1, most, 6, endpoint=True)]
    counts = rng.multinomial(n, rng.dirichlet(np.full(K, 0.4))).astype(float)
    y = coded(counts)
    assert np.all(y == np.round(y))
    np.testing.assert_array_equal(counts_of(y, counts.sum(axis=1), K), counts)


@pytest.mark.parametrize("K", [2, 3, 5, 10, 40])
def test_the_largest_number_of_trials(K):
    assert (most_trials(K) + 1) ** (K - 1) <= 2**53 < (most_trials(K) + 2) ** (K - 1)


def test_numbers_are_sums_of_units():
    counts = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 4.0]])
    n = counts.sum(axis=1)
    np.testing.assert_array_equal(coded(counts), np.sum(units(n, 3) * counts.T, axis=0))


def test_codes_are_single_counts():
    family = FAMILIES["cumulative"].with_levels(("1", "2", "3"), "logit", frozenset())
    np.testing.assert_array_equal(by_category(family, np.array([[0.0, 2.0]]), np.ones(2)), [[[1, 0, 0], [0, 0, 1]]])
