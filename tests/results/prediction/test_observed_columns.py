"""What columns were like, whether their rows are at hand or stand for others."""

from __future__ import annotations

import numpy as np
import pytest
from staying import FORMULA, PLACES, frame, model

import bayesmix as bmx
from bayesmix.results.prediction.observed_columns import (
    is_factor,
    observed,
    observed_columns,
    rows_to_average,
)


@pytest.mark.parametrize("where", PLACES)
def test_columns_are_those_of_all_rows(where: str) -> None:
    design, data = model(where, "y ~ x + z + t + k + (x | g)").design, frame()
    columns = observed_columns(design)
    for name in ("x", "z", "k"):
        assert columns[name].mean == pytest.approx(data[name].mean())
        assert columns[name].sd == pytest.approx(data[name].std())
        assert columns[name].range == pytest.approx((data[name].min(), data[name].max()))
    for name in ("t", "g"):
        assert columns[name].levels == sorted(data[name].unique())
        assert columns[name].most_frequent == data[name].mode().iloc[0]
    assert [is_factor(design, name) for name in ("t", "x", "g")] == [True, False, True]


@pytest.mark.parametrize("where", PLACES)
def test_numbers_that_group_have_a_most_frequent_value(where: str) -> None:
    assert observed_columns(model(where, "y ~ x + (1 | k)").design)["k"].most_frequent == 3.0


def test_responses_that_stay_where_they_are_are_left_out() -> None:
    assert "y" in observed_columns(model("memory").design)
    assert set(observed_columns(model("source").design)) == {"x", "z", "t", "g"}


def test_rows_to_average_over() -> None:
    frame_of_rows, weights = rows_to_average(model("source", FORMULA).design, "x")
    assert weights.sum() == pytest.approx(len(frame()))
    assert np.average(frame_of_rows["x"], weights=weights) == pytest.approx(frame()["x"].mean())
    whole, ones = rows_to_average(model("memory", FORMULA).design, "x")
    np.testing.assert_array_equal(whole["x"], frame()["x"])
    assert set(ones) == {1.0}


def test_rows_that_stay_where_they_are_are_not_observed() -> None:
    with pytest.raises(bmx.SpecError, match="An average over the rows needs the rows"):
        observed(model("source").design)
