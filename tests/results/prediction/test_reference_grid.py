"""Reference grids: which values vary, and at which the others are held."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError
from bayesmix.results.prediction.observed_columns import is_factor, observed
from bayesmix.results.prediction.reference_grid import (
    check_predictor,
    grid,
    levels_of,
    mean_offset,
    predictors,
    spread_out,
)


def frame(n: int = 48) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x = rng.normal(2.0, 1.5, n)
    return pd.DataFrame(
        {
            "x": x,
            "k": rng.integers(0, 9, n),
            "f": pd.Categorical(rng.choice(["low", "mid", "high"], n, p=[0.2, 0.6, 0.2]), ["low", "mid", "high", "no"]),
            "on": rng.choice([True, False], n, p=[0.3, 0.7]),
            "site": rng.choice([1.0, 2.0, 7.0], n, p=[0.2, 0.2, 0.6]),
            "g": (np.arange(n) % 6).astype(str),
            "y": x + rng.normal(size=n),
        }
    )


FRAME = frame()
MODEL = bmx.Model("y ~ f * log(x + 5) + k + on + (1 | g) + (1 | site)", FRAME)
FIT = MODEL.estimate()


def test_columns_and_rows_that_a_grid_knows() -> None:
    seen = observed(MODEL.design)
    assert set(seen.columns) == set(FRAME.columns)
    np.testing.assert_array_equal(seen["x"], FRAME["x"])
    assert set(predictors(MODEL.design)) == {"f", "x", "k", "on"}
    assert [is_factor(MODEL.design, name) for name in ("f", "x", "g")] == [True, False, True]


def test_rows_with_missing_values_are_not_observed() -> None:
    holes = FRAME.assign(x=FRAME["x"].where(np.arange(len(FRAME)) % 5 > 0))
    with pytest.warns(bmx.BayesmixWarning):
        design = bmx.Model("y ~ x + (1 | g)", holes).design
    seen = observed(design)
    np.testing.assert_array_equal(seen["x"], holes["x"].dropna())
    assert list(seen.index) == list(range(len(seen)))


def test_values_spread_over_the_range() -> None:
    x = FRAME["x"]
    np.testing.assert_allclose(spread_out(MODEL.design, "x", 4), np.linspace(x.min(), x.max(), 4))
    assert spread_out(MODEL.design, "f", 4) == ["low", "mid", "high"]  # what does not occur is left out
    assert levels_of(MODEL.design, "on") == [False, True]


def test_combinations_with_the_others_typical() -> None:
    table = grid(MODEL.design, {"x": [0.0, 1.0], "f": ["high", "low"]}, cross=False)
    assert list(zip(table["x"], table["f"], strict=True)) == [(0.0, "high"), (0.0, "low"), (1.0, "high"), (1.0, "low")]
    assert set(table["k"]) == {FRAME["k"].mean()}
    assert set(table["on"]) == {False}
    assert set(table["site"]) == {7.0}  # a column that only groups is at a level
    assert set(table["g"]) == {FRAME["g"].mode().iloc[0]}
    assert list(table["f"].cat.categories) == list(observed(MODEL.design)["f"].cat.categories)


def test_factors_are_crossed_for_marginal_means() -> None:
    table = grid(MODEL.design, {"x": [0.0, 1.0]}, cross=True)
    assert is_factor(MODEL.design, "on") == ("on" in {name for name in table if table[name].nunique() > 1})
    factors = [name for name in ("f", "on") if is_factor(MODEL.design, name)]
    expected = set(product([0.0, 1.0], *(levels_of(MODEL.design, name) for name in factors)))
    assert set(zip(*(table[name] for name in ("x", *factors)), strict=True)) == expected
    assert len(table) == len(expected)
    held = grid(MODEL.design, {"x": [0.0], "f": ["mid"]}, cross=True)
    assert set(held["f"]) == {"mid"}


def test_effects_are_predictions_on_the_grid() -> None:
    """Held values: the mean of x and k, the most frequent level of f and on."""
    table = FIT.conditional_effects("k", points=3)
    at = {"x": FRAME["x"].mean(), "f": FRAME["f"].mode().iloc[0], "on": False, "g": "0", "site": 1.0}
    expected = FIT.predict(pd.DataFrame({"k": table["k"]}).assign(**at), groups="zero")
    np.testing.assert_allclose(table["estimate"], expected["estimate"], rtol=1e-10)
    np.testing.assert_allclose(table["std_error"], expected["std_error"], rtol=1e-8)


def test_grouping_factors_of_numbers_are_held_at_a_level() -> None:
    """Not at the mean of their labels, which is no level."""
    found, expected = (FIT.contrasts("f", groups="fitted", **at) for at in ({}, {"at": {"site": 7.0}}))
    pd.testing.assert_frame_equal(found, expected)


def test_offsets_given_as_arrays_are_at_their_mean() -> None:
    given = np.linspace(0.0, 2.0, len(FRAME))
    fit = bmx.Model("y ~ x + (1 | g)", FRAME, offset=given).estimate()
    np.testing.assert_allclose(mean_offset(fit.design, 3), np.full(3, given.mean()))
    found = fit.conditional_effects("x", points=2, kind="linear")
    np.testing.assert_allclose(found["estimate"], fit.values.beta[0] + fit.values.beta[1] * found["x"] + 1.0)
    assert mean_offset(MODEL.design, 3) is None
    by_column = bmx.Model("y ~ x + offset(k) + (1 | g)", FRAME).design
    assert mean_offset(by_column, 3) is None  # a column is held at its mean like any other


def test_what_is_no_predictor_and_no_level() -> None:
    check_predictor(MODEL.design, "k")
    with pytest.raises(DataError, match=r"`g` is not a predictor of the fixed part\. It has f, x, k, on"):
        check_predictor(MODEL.design, "g")
    with pytest.raises(SpecError, match="several are one after the other"):  # ended in an AttributeError
        MODEL.estimate().marginal_means(["f", "x"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"`f` has no level `mit`\. Did you mean `mid`"):
        grid(MODEL.design, {"f": ["low", "mit"]}, cross=False)
