"""Censoring, truncation, trials and weights as they stand beside a response in data, and what is wrong with them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.data.design.censoring import ranges_of_new
from bayesmix.data.frame import open_table
from bayesmix.errors import BayesmixError
from bayesmix.language.formula.additions import Additions

INF, NAN = np.inf, np.nan
DATA = pd.DataFrame(
    {
        "y": [1.0, 2.0, 3.0, 4.0],
        "c": ["none", "right", "left", "interval"],
        "code": [0, 1, -1, 2],
        "late": [False, True, False, True],
        "event": [1, 0, 1, 0],
        "y2": [NAN, NAN, NAN, 5.0],
        "low": [0.0, -INF, 1.0, 2.0],
        "n": [3, 2, 5, 4],
        "w": [1.0, 2.0, 0.5, 1.0],
        "x": [0.1, 0.4, -0.3, 0.2],
    }
)
LOW, HIGH = [1.0, 2.0, -INF, 4.0], [1.0, INF, 3.0, 5.0]


@pytest.mark.parametrize("status", ["c", "code"])
def test_ends_of_what_is_known(status):
    bounds = bmx.Model(f"y | cens({status}, y2) ~ x", DATA).design.outcome.bounds
    np.testing.assert_array_equal(bounds.low, LOW)
    np.testing.assert_array_equal(bounds.high, HIGH)
    np.testing.assert_array_equal(bounds.is_censored, [False, True, True, True])
    assert not bounds.has_range


@pytest.mark.parametrize("status", ["late", "1 - event", "event == 0", "factor(c2)"])
def test_truth_values_and_expressions_are_right_censoring(status):
    data = DATA.assign(c2=["none", "right", "none", "right"])
    bounds = bmx.Model(f"y | cens({status}) ~ x", data).design.outcome.bounds
    np.testing.assert_array_equal(bounds.high, [1.0, INF, 3.0, INF])


def test_ranges_by_columns_and_numbers():
    bounds = bmx.Model("y | trunc(lb = low, ub = 2 * 3) ~ x", DATA).design.outcome.bounds
    np.testing.assert_array_equal(bounds.lower, DATA["low"])
    np.testing.assert_array_equal(bounds.upper, 6.0)
    assert not bounds.is_censored.any()


def test_the_users_columns_stay_writeable():
    data = {name: DATA[name].to_numpy().copy() for name in ("y", "x", "low")}
    bmx.Model("y | trunc(lb = low) ~ x", data)
    data["low"][0] = 1.0


def test_rows_with_missing_statuses_are_left_out_and_missing_ends_are_not():
    data = DATA.assign(c=["none", None, "left", "interval"])
    with pytest.warns(bmx.DroppedWarning, match=r"1 of 4 rows was left out: missing values in `c` \(1\)"):
        model = bmx.Model("y | cens(c, y2) ~ x", data)
    np.testing.assert_array_equal(model.design.outcome.bounds.high, [1.0, 3.0, 5.0])


def test_trials_and_weights_are_those_of_the_arguments():
    one = bmx.Model("y | trials(n) + weights(w) ~ x", DATA.assign(y=[1, 2, 3, 0]), family="binomial")
    two = bmx.Model("cbind(y, n - y) ~ x", DATA.assign(y=[1, 2, 3, 0]), family="binomial", weights="w")
    for name in ("y", "trials", "weights", "has_trials"):
        np.testing.assert_array_equal(getattr(one.design, name), getattr(two.design, name))
    assert one.design.response == "y"
    constant = bmx.Model("y | trials(9) ~ x", DATA, family="binomial")
    np.testing.assert_array_equal(constant.design.trials, 9.0)


def test_weights_of_one_response_alone():
    model = bmx.Model(["y | weights(w) ~ x", "z ~ x"], DATA.assign(z=DATA["y"]), family="student")
    np.testing.assert_array_equal(model.design.outcomes[0].weights, DATA["w"])
    np.testing.assert_array_equal(model.design.outcomes[1].weights, 1.0)


def test_a_dot_is_all_other_columns_but_these():
    model = bmx.Model("y | cens(c, y2) + weights(w) ~ .", DATA[["y", "c", "y2", "w", "x"]], family="student")
    assert model.design.fixed[:2] == ("Intercept", "x")


def test_ranges_of_new_data():
    table = open_table({"low": [1.0, 2.0]})
    found = ranges_of_new(Additions(lb="low", ub="9"), table)
    np.testing.assert_array_equal(found.lower, [1.0, 2.0])
    np.testing.assert_array_equal(found.upper, 9.0)
    assert ranges_of_new(Additions(censored="c"), table) is None


REFUSED = {
    ("y | cens(c3) ~ x", "gaussian"): "`c3` of cens() is maybe in row 1",
    ("y | cens(n) ~ x", "gaussian"): "`n` of cens() is 3 in rows",
    ("y | cens(c) ~ x", "gaussian"): "upper ends are missing",
    ("y | cens(c, x) ~ x", "gaussian"): "is 0.2, not above the lower end 4, in row 3",
    ("y | cens(c, y3) ~ x", "gaussian"): "is missing in row 3",
    ("y | cens(c, late) ~ x", "gaussian"): "`late` beside the response is not a column of numbers",
    ("y | trunc(lb = low, ub = 1) ~ x", "gaussian"): "lb = 1 is not below ub = 1",
    ("y | trunc(lb = 1.5) ~ x", "gaussian"): "The response is 1, below lb = 1.5, in row 0",
    ("y | trunc(ub = 2.5) ~ x", "gaussian"): "The response is 3, above ub = 2.5, in rows 2, 3",
    ("y | cens(late) + trunc(ub = 4) ~ x", "gaussian"): "is censored where it could not have been observed",
    ("y | trials(2) ~ x", "binomial"): "more successes than trials",
    ("y/n | trials(n) ~ x", "binomial"): "has its trials twice",
    ("y | weights(x) ~ 1", "student"): "The weights are -0.3 in row 2",
    ("y | cens(nothing) ~ x", "gaussian"): "Column `nothing`",
    ("y | trials(w) ~ x", "binomial"): "`w` counts something, but is 0.5 in row 2",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_contradicts_is_refused(case):
    formula, family = case
    data = DATA.assign(c3=["none", "maybe", "left", "right"], y3=NAN)
    with pytest.raises(BayesmixError) as caught:
        bmx.Model(formula, data, family=family)
    assert REFUSED[case] in str(caught.value)


def test_weights_twice_are_refused():
    with pytest.raises(BayesmixError, match="Weights are given twice"):
        bmx.Model("y | weights(w) ~ x", DATA, family="student", weights="n")
