"""Responses: numbers, counts of successes, proportions, factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayesmix.data.design.build import build
from bayesmix.errors import DataError, DroppedWarning
from bayesmix.language.formula.parse import parse

ROWS = pd.DataFrame(
    {
        "s": [2, 0, 5, 3],
        "n": [4, 5, 5, 3],
        "p": [0.5, 0.0, 1.0, 1.0],
        "third": [0.3333, 0.6667, 1.0, 0.0],
        "zero": [0.0, 1.0, 1.0, 0.0],
        "yes": [True, False, True, True],
        "f": pd.Categorical(["no", "yes", "maybe", "yes"], ["no", "maybe", "yes"]),
        "t": ["b", "a", "b", "a"],
        "two": pd.Categorical(["maybe", "yes", "maybe", "yes"], ["no", "maybe", "yes"]),  # "no" never occurs
        "all": pd.Categorical(["yes"] * 4, ["no", "yes"]),
        "same": ["yes"] * 4,
        "coded": [1, 2, 2, 1],
        "half": [0.5, 1.0, 2.0, 3.0],
        "g": ["a", "a", "b", "b"],
    }
)

BINOMIAL: dict[str, tuple[Any, list[float], list[float], list[float]]] = {  # weights; successes, trials, weights left
    "cbind(s, n - s)": (None, [2, 0, 5, 3], [4, 5, 5, 3], [1, 1, 1, 1]),
    "cbind(s, n)": ("half", [2, 0, 5, 3], [6, 5, 10, 6], [0.5, 1, 2, 3]),
    "s/n": (None, [2, 0, 5, 3], [4, 5, 5, 3], [1, 1, 1, 1]),
    "s/n ": ("n", [2, 0, 5, 3], [4, 5, 5, 3], [1, 1, 1, 1]),
    "p": ("n", [2, 0, 5, 3], [4, 5, 5, 3], [1, 1, 1, 1]),
    "third": (np.array([3, 3, 2, 1]), [1, 2, 2, 0], [3, 3, 2, 1], [1, 1, 1, 1]),
    "zero": (None, [0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]),
    "zero ": ("n", [0, 5, 5, 0], [4, 5, 5, 3], [1, 1, 1, 1]),
    "yes": (None, [1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]),
    "yes ": ("half", [1, 0, 1, 1], [1, 1, 1, 1], [0.5, 1, 2, 3]),
    "two": (None, [0, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]),
    "all": (None, [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]),
    'I(f == "yes")': (None, [0, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]),
    'I(f != "no")': (None, [0, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]),
    "I(coded == 2)": (None, [0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]),
    "t": (None, [1, 0, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]),
    "I(s > 2)": (None, [0, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]),
}


@pytest.mark.parametrize("response", BINOMIAL)
def test_binomial_responses(response: str) -> None:
    given, successes, trials, weights = BINOMIAL[response]
    design = build(parse(f"{response} ~ 1 + (1 | g)"), ROWS, weights=given, response="binomial")
    np.testing.assert_array_equal(design.y, successes)
    np.testing.assert_array_equal(design.trials, trials)
    np.testing.assert_array_equal(design.weights, weights)


NUMERIC = {
    "s": [2, 0, 5, 3],
    "s/n": [0.5, 0, 1, 1],
    "log(n)": np.log([4, 5, 5, 3]),
    "yes": [1, 0, 1, 1],
    "I(s - n)": [-2, -5, 0, 0],
}


@pytest.mark.parametrize("response", NUMERIC)
def test_numeric_responses(response: str) -> None:
    design = build(parse(f"{response} ~ 1 + (1 | g)"), ROWS, weights="half")
    np.testing.assert_allclose(design.y, NUMERIC[response])
    np.testing.assert_array_equal(design.weights, ROWS.half)
    assert not design.has_trials


REFUSED: dict[str, tuple[str, Any, str]] = {
    "p": ("binomial", None, "has proportions: give the number of trials as `weights=`"),
    "n": ("binomial", None, "is 4 in rows 0, 1, 2, 3 (counted from 0)"),
    "third": ("binomial", [2, 2, 2, 2], "`third * weights` counts something, but is 0.6666 in rows 0, 1"),
    "p ": ("binomial", "half", "`weights` counts something, but is 0.5 in row 0"),
    "cbind(n, s)": ("numeric", None, "it needs family binomial"),
    "cbind(s, n, p)": ("binomial", None, "needs two columns"),
    "cbind(s, half)": ("binomial", None, "`half` counts something, but is 0.5 in row 0"),
    "cbind(s, s - n)": ("binomial", None, "`s - n` counts something, but is -2 in rows 0, 1"),
    "cbind(zero, zero)": ("binomial", None, "has no trials in rows 0, 3"),
    "n/s": ("binomial", None, "more successes than trials in rows 0, 1"),
    "f": ("binomial", None, "`f` has 3 levels, `no`, `maybe`, `yes`; this family needs two. To model one against all"),
    "f ": ("numeric", None, "`f` is a factor, not a number."),
    "same": ("binomial", None, "`same` has the single level `yes`, which may be success or failure"),
    "coded": ("binomial", None, "has the two values 1 and 2: write `I(coded == 2)` if 2 is the success"),
    "t": ("numeric", None, "A response of two categories needs family binomial."),
    "poly(n, 2)": ("numeric", None, "is not a column of numbers"),
}


@pytest.mark.parametrize("response", REFUSED)
def test_responses_that_are_refused(response: str) -> None:
    kind, weights, message = REFUSED[response]
    with pytest.raises(DataError) as caught:
        build(parse(f"{response} ~ 1 + (1 | g)"), ROWS, weights=weights, response=kind)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_rows_in_messages_are_those_of_the_data_given() -> None:
    rows = pd.concat([ROWS.assign(s=np.nan), ROWS], ignore_index=True)
    with (
        pytest.warns(DroppedWarning),
        pytest.raises(DataError, match=r"more successes than trials in row 4 \(counted"),
    ):
        build(parse("n/s ~ 1 + (1 | g)"), rows.drop(index=4), response="binomial")


CATEGORIES = {
    "t": ("a", "b"),
    "two": ("maybe", "yes"),
    "all": ("no", "yes"),
    "yes": ("FALSE", "TRUE"),
    "I(s > 2)": ("FALSE", "TRUE"),
    "zero": None,
    "s/n": None,
}


@pytest.mark.parametrize("response", CATEGORIES)
def test_the_category_that_is_success_is_known(response: str) -> None:
    design = build(parse(f"{response} ~ 1 + (1 | g)"), ROWS, response="binomial")
    assert design.categories == CATEGORIES[response]
