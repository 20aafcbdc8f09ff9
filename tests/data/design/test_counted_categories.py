"""Responses of counts of several categories: what is read, what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError
from bayesmix.language.families.category_counts import counts_of

ROWS = pd.DataFrame({
    "a": [2, 0, 5, 3],
    "b": [1, 4, 0, 1],
    "c": [0, 3, 0, 9],
    "n": [3, 7, 5, 13],
    "x": [0.5, 1.0, -1.0, 2.0],
    "g": list("uuvv"),
})  # fmt: skip


def model(formula="cbind(a, b, c) | trials(n) ~ x", data=ROWS, family="multinomial"):
    return bmx.Model(formula, data, family=family)


@pytest.mark.parametrize("left", ["cbind(a, b, c)", "cbind(a, b, c) | trials(n)", "cbind(a, b, n - a - b)"])
def test_counts(left):
    found = model(f"{left} ~ x")
    outcome = found.design.outcome
    np.testing.assert_array_equal(counts_of(outcome.y, outcome.trials, 3), ROWS[["a", "b", "c"]])
    np.testing.assert_array_equal(outcome.trials, ROWS["n"])
    assert found.design.fixed[0] == "mub_Intercept"


def test_names_of_categories():
    assert model("cbind(a, b, rest = n - a - b) ~ 1").spec.family.levels == ("a", "b", "rest")
    assert "counts of a, b, c; `a` is the reference" in str(model())


def test_rows_with_missing_counts_are_left_out():
    with pytest.warns(bmx.DroppedWarning):
        found = model("cbind(a, b, c) ~ 1", ROWS.assign(c=[0, np.nan, 0, 9]))
    assert found.design.n_used == 3


BAD = {
    "trials": ({"n": [3, 7, 6, 13]}, "add up to 5 where `trials.n.` has 6, in row 2"),
    "fraction": ({"b": [1, 4.5, 0, 1]}, "`b` counts something, but is 4.5 in row 1"),
    "negative": ({"b": [1, 4, -1, 1]}, "`b` counts something, but is -1 in row 2"),
    "text": ({"b": list("wxyz")}, "`b` is a factor, not a number"),
    "none": ({"a": [0, 0, 5, 3], "b": [0, 4, 0, 1], "n": [0, 7, 5, 13]}, "no trials in row 0"),
    "many": ({"a": [10**8, 0, 5, 3], "n": [10**8 + 1, 7, 5, 13]}, r"weights\(count\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_counts(name):
    changed, said = BAD[name]
    with pytest.raises(DataError, match=said):
        model(data=ROWS.assign(**changed))


@pytest.mark.parametrize(
    ("formula", "family", "said"),
    [
        ("a ~ x", "multinomial", r"a column of counts for each category: `cbind\(a, b, c\)`"),
        ("cbind(a) ~ x", "multinomial", "a column of counts for each category"),
        ("cbind(a, a, b) ~ x", "multinomial", "the category `a` twice"),
        ("cbind(a, b, c) ~ x", "binomial", "counts of several categories are of family multinomial"),
        ("cbind(a, b) ~ x", "poisson", "family binomial, or multinomial"),
        ("a | trials(n) ~ x", "categorical", "has no trials"),
        ("cbind(a, b, c) | cens(x) ~ x", "multinomial", "needs the distribution function"),
        ("cbind(a, b, c) | rate(n) ~ x", "multinomial", "is of counts with a log link"),
    ],
)
def test_other_responses(formula, family, said):
    with pytest.raises((DataError, SpecError), match=said):
        model(formula, family=family)
