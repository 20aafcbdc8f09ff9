"""Operators on columns and constants, beside those of NumPy and pandas."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from bayesmix.data.columns import Factor, Numeric, boolean_factor
from bayesmix.data.design.operators import OPERATORS, negate, number
from bayesmix.errors import DataError
from bayesmix.language.formula.expression import Name
from bayesmix.language.formula.location import PlaceError

A, B = np.array([1.0, -2.0, 3.0, np.nan]), np.array([2.0, 2.0, 3.0, 1.0])
PLACE, OTHER = Name("a", 3), Name("b", 7)
LETTERS = Factor(np.array([0, 2, 1, -1]), ("low", "mid", "high"))
ORDERED = Factor(LETTERS.codes, LETTERS.levels, "ordered")
TRUTH = [
    boolean_factor(np.array(values), np.array(gaps))
    for values, gaps in (([1, 1, 0, 0], [0, 0, 0, 1]), ([1, 0, 0, 1], [0] * 4))
]


def applied(name: str, left: Any, right: Any) -> Any:
    return OPERATORS[name](left, right, PLACE, OTHER)


@pytest.mark.parametrize(
    ("name", "function"),
    [("+", operator.add), ("-", operator.sub), ("*", operator.mul), ("/", operator.truediv), ("^", operator.pow)],
)
def test_arithmetic_is_numpys(name: str, function: Any) -> None:
    np.testing.assert_array_equal(applied(name, Numeric(A), Numeric(B)).values, function(A, B))
    np.testing.assert_array_equal(applied(name, Numeric(A), 2.0).values, function(A, 2.0))
    assert applied(name, 3.0, 2.0) == function(3.0, 2.0)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        *(("<", operator.lt), (">", operator.gt), ("<=", operator.le)),
        *((">=", operator.ge), ("==", operator.eq), ("!=", operator.ne)),
    ],
)
def test_comparisons_are_numpys_and_missing_where_a_number_is(name: str, function: Any) -> None:
    found = applied(name, Numeric(A), Numeric(B))
    np.testing.assert_array_equal(found.codes[:3], function(A, B)[:3])
    assert found.codes[3] == -1
    by_rank = applied(name, ORDERED, "mid")
    np.testing.assert_array_equal(by_rank.codes, [*function(np.array([0, 2, 1]), 1), -1])


def test_levels_without_an_order_are_equal_or_not() -> None:
    np.testing.assert_array_equal(applied("==", LETTERS, "high").codes, [0, 1, 0, -1])
    with pytest.raises(PlaceError, match="not ordered") as raised:
        applied("<", LETTERS, "high")
    assert raised.value.place == 3


@pytest.mark.parametrize(
    ("name", "right"),
    [("&", [1, 0, 0, -1]), ("|", [1, 1, 0, -1])],
)
def test_logic_of_truth_values(name: str, right: list[int]) -> None:
    np.testing.assert_array_equal(applied(name, *TRUTH).codes, right)


def test_negation_leaves_what_is_missing() -> None:
    np.testing.assert_array_equal(negate(TRUTH[0], PLACE).codes, [0, 0, 1, -1])


def test_membership_is_numpys() -> None:
    np.testing.assert_array_equal(applied("%in%", Numeric(A), (1.0, 3.0)).codes, [*np.isin(A[:3], [1, 3]), -1])
    np.testing.assert_array_equal(applied("%in%", LETTERS, ("low", "mid", "none")).codes, [1, 0, 1, -1])


def test_truth_values_count_as_numbers() -> None:
    np.testing.assert_array_equal(number(TRUTH[0], PLACE), [1.0, 1.0, 0.0, np.nan])
    assert number(True, PLACE) == 1.0


@pytest.mark.parametrize(
    ("name", "left", "right", "error", "message"),
    [
        ("+", LETTERS, 1.0, DataError, "`a` is a factor where a number is needed"),
        ("+", Numeric(A), "text", PlaceError, "A number is expected"),
        ("<", 1.0, 2.0, PlaceError, "Two constants"),
        ("==", LETTERS, Numeric(A), PlaceError, "compared with one of its levels"),
        ("==", LETTERS, "hihg", DataError, "Did you mean `high`"),
        ("&", Numeric(A), TRUTH[0], PlaceError, "A truth value"),
        ("%in%", LETTERS, "low", PlaceError, "constants on its right"),
        ("%in%", 1.0, (1.0, 2.0), PlaceError, "a column on its left"),
    ],
)
def test_operands_that_do_not_fit_are_refused(name: str, left: Any, right: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        applied(name, left, right)
