"""Functions of formulas beside NumPy's and pandas'."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesmix.data.columns import Factor, Matrix, Numeric
from bayesmix.data.design.functions import ELEMENTWISE, FACTORS, dummy_levels, factor_column, identity, indicators
from bayesmix.errors import DataError

X = np.array([0.5, 1.0, 4.0])
LETTERS = Factor(np.array([1, 0, -1, 2]), ("a", "b", "c"))


@pytest.mark.parametrize("name", sorted(set(ELEMENTWISE) - {"log"}))
def test_functions_of_numbers_are_numpys(name: str) -> None:
    np.testing.assert_array_equal(ELEMENTWISE[name](X), getattr(np, name)(X))


def test_logarithms_have_any_base() -> None:
    np.testing.assert_array_equal(ELEMENTWISE["log"](X), np.log(X))
    np.testing.assert_allclose(4.0 ** ELEMENTWISE["log"](X, 4.0), X, rtol=1e-14)


def test_nothing_can_be_written_into() -> None:
    """NumPy's second argument is an array for the result."""
    with pytest.raises(TypeError):
        ELEMENTWISE["exp"](X, X)


def test_indicators_are_those_of_pandas() -> None:
    found = indicators(LETTERS, ("b", "c"))
    right = pd.get_dummies(pd.Series(["b", "a", None, "c"]), dtype=float)[["b", "c"]].to_numpy(copy=True)
    right[2] = np.nan  # what is missing is no zero
    np.testing.assert_array_equal(found.values, right)
    assert found.suffixes == ("b", "c")


@pytest.mark.parametrize(("given", "right"), [(None, ("b", "c")), ("a", ("a",)), (("c", "a"), ("c", "a"))])
def test_dummies_are_of_the_levels_named_or_all_but_the_first(given: object, right: tuple[str, ...]) -> None:
    assert dummy_levels(LETTERS, given) == right  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "options", "levels", "kind"),
    [
        ("factor", {"levels": ("c", "a", "b")}, ("c", "a", "b"), "factor"),
        ("as.factor", {}, ("a", "b", "c"), "factor"),
        ("ordered", {"levels": ("b", "a", "c", "d")}, ("b", "a", "c", "d"), "ordered"),
        ("relevel", {"ref": "c"}, ("c", "a", "b"), "factor"),
    ],
)
def test_other_orders_of_levels_leave_every_row_its_label(
    function: str, options: dict[str, object], levels: tuple[str, ...], kind: str
) -> None:
    found = FACTORS[function](LETTERS, **options)
    assert (found.levels, found.kind) == (levels, kind)
    labels = [found.levels[code] if code >= 0 else None for code in found.codes]
    assert labels == ["b", "a", None, "c"]


def test_levels_of_the_data_are_not_left_out() -> None:
    with pytest.raises(DataError, match="leaves out levels that the data have: c"):
        FACTORS["factor"](LETTERS, levels=("a", "b"))


def test_several_columns_are_no_factor() -> None:
    with pytest.raises(DataError, match="made from one column"):
        factor_column(Matrix(np.ones((3, 2)), ("1", "2")))


def test_identity_is_what_it_is_given() -> None:
    assert identity(column := Numeric(X)) is column
