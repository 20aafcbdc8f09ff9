"""Columns as numbers and factors, beside pandas' categories."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesmix.data.columns import Factor, Numeric, drop_unused, factor_of, known_level, label, name_all, name_rows
from bayesmix.errors import DataError

NUMBERS = np.array([2.0, np.nan, 10.0, -1.5, 2.0])
LETTERS = Factor(np.array([2, -1, 0, 2]), ("a", "b", "c"))


def test_numbers_become_levels_in_increasing_order() -> None:
    found, right = factor_of(Numeric(NUMBERS)), pd.Categorical(NUMBERS)
    np.testing.assert_array_equal(found.codes, right.codes)
    assert found.levels == ("-1.5", "2", "10")
    np.testing.assert_array_equal(found.missing, np.isnan(NUMBERS))


def test_levels_without_rows_are_dropped_and_the_others_keep_their_rows() -> None:
    found = drop_unused(LETTERS)
    right = pd.Categorical.from_codes(LETTERS.codes, list(LETTERS.levels)).remove_unused_categories()
    assert found.levels == tuple(right.categories)
    np.testing.assert_array_equal(found.codes, right.codes)


def test_a_boolean_keeps_both_levels() -> None:
    one_sided = Factor(np.array([1, 1, -1]), ("FALSE", "TRUE"), "boolean")
    assert drop_unused(one_sided) is one_sided


def test_some_rows_of_a_column() -> None:
    rows = np.array([3, 0])
    np.testing.assert_array_equal(Numeric(NUMBERS).take(rows).values, NUMBERS[rows])
    assert LETTERS.take(rows).levels == LETTERS.levels  # the levels stay
    np.testing.assert_array_equal(LETTERS.take(rows).codes, LETTERS.codes[rows])


@pytest.mark.parametrize(
    ("value", "right"), [(1.0, "1"), (np.float64(3.0), "3"), (0.5, "0.5"), ("a b", "a b"), (True, "True")]
)
def test_labels_are_those_of_r(value: object, right: str) -> None:
    assert label(value) == right


def test_levels_are_looked_up_by_label() -> None:
    numbered = factor_of(Numeric(NUMBERS))
    assert known_level(numbered, 10.0) == known_level(numbered, "10") == "10"
    with pytest.raises(DataError, match="There is no level `d`"):
        known_level(LETTERS, "d")


def test_long_lists_are_cut() -> None:
    assert name_rows(np.array([4])) == "row 4 (counted from 0)"
    assert name_rows(np.arange(12)) == "rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... (counted from 0)"
    assert name_all(["a", "b"]) == "`a`, `b`"
    assert name_all([f"c{i}" for i in range(11)]).endswith("`c9`, ...")
