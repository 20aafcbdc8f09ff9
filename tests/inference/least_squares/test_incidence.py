"""Rows by level and combinations of levels, against plain loops over rows."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import LAYOUTS
from scipy import sparse

from bayesmix.inference.least_squares import incidence as module
from bayesmix.inference.least_squares.incidence import Segments, counting_order, incidence, unique_keys

GROUPS = {"sorted": [0, 0, 1, 2, 2, 2], "mixed": [2, 0, 1, 0, 2, 2], "one each": [2, 0, 1], "in order": [0, 1, 2]}


@pytest.mark.parametrize("name", GROUPS)
def test_sums_within_groups(name):
    groups = np.array(GROUPS[name])
    segments = Segments.of(groups)
    values = np.random.default_rng(0).normal(size=(2, len(groups), 3))
    expected = np.stack([values[:, groups == g].sum(axis=1) for g in range(3)], axis=1)
    np.testing.assert_allclose(segments.sum_rows(values), expected, rtol=1e-14)
    np.testing.assert_allclose(segments.sum(values[..., 0]), expected[..., 0], rtol=1e-14)


def test_sums_over_nothing():
    segments = Segments.of(np.zeros(0, int))
    assert segments.sum(np.zeros((2, 0))).shape == (2, 0)
    assert segments.sum_rows(np.zeros((2, 0, 3))).shape == (2, 0, 3)


@pytest.mark.parametrize("few", [0, 10**6])
def test_sorting_by_counting_is_stable(few, monkeypatch):
    monkeypatch.setattr(module, "FEW", few)
    groups = np.random.default_rng(1).integers(0, 7, 200)
    np.testing.assert_array_equal(counting_order(groups), np.argsort(groups, kind="stable"))


@pytest.mark.parametrize("size", [50, 10**9])
def test_unique_keys_are_numpys(size):
    keys = np.random.default_rng(2).integers(0, 50, 120) * (size // 50)
    unique, position = unique_keys(keys, size)
    expected, inverse = np.unique(keys, return_inverse=True)
    np.testing.assert_array_equal(unique, expected)
    np.testing.assert_array_equal(position, inverse)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_combinations_that_occur(layout):
    factors = LAYOUTS[layout](np.random.default_rng(3), 100)
    found = incidence(factors)
    assert found.shapes == tuple((f.levels, f.z.shape[1]) for f in factors)
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        (f, g) for f in range(len(factors)) for g in range(f + 1, len(factors))
    ]
    for pair in found.pairs:
        first, second = factors[pair.first], factors[pair.second]
        table = sparse.coo_array((np.ones(100), (first.codes, second.codes))).toarray()
        assert list(zip(pair.i, pair.j, strict=True)) == list(zip(*np.nonzero(table), strict=True))
        np.testing.assert_array_equal(pair.rows.sum(np.ones(100)), table[pair.i, pair.j])
        np.testing.assert_array_equal(pair.i[pair.member], first.codes)
        np.testing.assert_array_equal(pair.j[pair.member], second.codes)
