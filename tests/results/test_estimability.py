"""What the data of a fit cannot say is NaN everywhere, with one warning; what they say does not depend on coding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import around

import bayesmix as bmx
from bayesmix.errors import PredictionWarning

CELLS = pd.read_csv(Path(__file__).parents[1] / "reference" / "emmeans" / "cells.csv")  # no row with (c, y)
FRAME = CELLS.assign(n=np.random.default_rng(1).poisson(np.exp(0.3 * CELLS["y"])), w=2.0 * CELLS["x"] - 1.0)
GRID = pd.DataFrame({"a": list("aabbcc"), "b": list("xyxyxy"), "g": "g1", "x": 3.0, "w": 5.0})


def model(formula, **options):
    with pytest.warns(bmx.DroppedWarning, match="depend linearly"):
        return bmx.Model(formula, FRAME, **options)


def both(made):
    fit = made.estimate()
    return fit, around(fit, made, chains=2, draws=10, spread=0.01)


@pytest.fixture(scope="module")
def cells():
    return both(model("y ~ a * b + (1 | g)"))


@pytest.fixture(scope="module")
def counts():
    return both(model("n ~ a * b + (1 | g)", family="poisson"))


def undetermined(table):
    """Rows that are NaN; of them every number is."""
    numbers = table.select_dtypes("number")
    assert (numbers.isna().all(axis=1) == numbers.isna().any(axis=1)).all()
    return numbers.isna().all(axis=1).tolist()


QUESTIONS = {
    "predict": (lambda fit: fit.predict(GRID), [0, 0, 0, 0, 0, 1], "row 5"),
    "response": (lambda fit: fit.predict(GRID, kind="response", groups="new"), [0, 0, 0, 0, 0, 1], "row 5"),
    "simulate": (lambda fit: fit.simulate(2, GRID), [0, 0, 0, 0, 0, 1], "row 5"),
    "conditional_effects": (lambda fit: fit.conditional_effects("a", "b"), [0, 0, 0, 0, 0, 1], "row 5"),
    "cells": (lambda fit: fit.marginal_means("a", "b"), [0, 0, 0, 0, 0, 1], "a c, b y"),
    "means": (lambda fit: fit.marginal_means("a"), [0, 0, 1], "a c"),
    "contrasts": (lambda fit: fit.contrasts("a"), [0, 1, 1], "contrast c - a; contrast c - b"),
    "within": (lambda fit: fit.contrasts("b", "a"), [0, 0, 1], "contrast y - x, a c"),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("kind", ["estimate", "posterior", "poisson estimate", "poisson posterior"])
def test_cells_without_rows_are_not_determined(cells, counts, question, kind):
    ask, expected, named = QUESTIONS[question]
    fit = (counts if kind.startswith("poisson") else cells)[kind.endswith("posterior")]
    with pytest.warns(PredictionWarning, match=named) as caught:
        found = ask(fit)
    assert len(caught) == 1
    assert "ac:by" in str(caught[0].message)
    assert undetermined(found) == [bool(one) for one in expected]


@pytest.mark.parametrize("text", ["ac:by = 0", "ac + ac:by > 0"])
def test_a_coefficient_that_was_left_out_is_no_other(cells, text):
    """`ab:by` was offered for it."""
    for fit in cells:
        with pytest.raises(
            bmx.SpecError, match="`ac:by` is not a parameter: its column depends linearly on others and was left out"
        ):
            fit.hypothesis(text)


@pytest.mark.parametrize("formula", ["y ~ a * b + (1 | g)", "y ~ b * a + (1 | g)"])
@pytest.mark.parametrize("first", ["a", "b", "c"])
def test_the_order_of_levels_does_not_matter(formula, first):
    """Comparisons with the cell without rows, from either side: emmeans' nonEst is a matter of the rows alone."""
    levels = sorted(FRAME["a"].unique(), key=lambda level: level != first)
    frame = FRAME.assign(a=pd.Categorical(FRAME["a"], levels), b=pd.Categorical(FRAME["b"], ["y", "x"]))
    with pytest.warns(bmx.DroppedWarning):
        fit = bmx.Model(formula, frame).estimate()
    for table in (lambda: fit.contrasts("a"), lambda: fit.contrasts("a", at={"b": "y"})):
        with pytest.warns(PredictionWarning, match="contrast"):
            found = table()
        assert undetermined(found) == ["c" in contrast.split(" - ") for contrast in found["contrast"]]


@pytest.mark.parametrize("w", [1.0, 5.0001, 4.9999, 9.0])
def test_rows_off_the_row_space_are_undetermined_to_either_side(w):
    fit = model("y ~ x + w + a + (1 | g)").estimate()
    with pytest.warns(PredictionWarning, match="a a; a b; a c"):
        assert undetermined(fit.marginal_means("a", at={"x": [3.0], "w": [w]})) == [True] * 3
    assert undetermined(fit.marginal_means("a", at={"x": [3.0], "w": [5.0]})) == [False] * 3


def test_parts_that_cancel_are_determined():
    """The difference of two cells that both need what is unknown may be known: `x + w`, w = 2 x - 1, less itself."""
    fit = model("y ~ x + w + a + (1 | g)").estimate()
    at = {"x": [3.0], "w": [9.0]}
    with pytest.warns(PredictionWarning, match="a a; a b; a c"):
        assert undetermined(fit.marginal_means("a", at=at)) == [True] * 3
    inside = fit.contrasts("a")
    pd.testing.assert_frame_equal(fit.contrasts("a", at=at), inside)
    mean = bmx.Model("y ~ x + a + (1 | g)", FRAME).estimate()
    np.testing.assert_allclose(inside["estimate"], mean.contrasts("a")["estimate"], rtol=1e-8)


def test_means_through_a_curved_link_do_not_cancel(counts):
    fit = model("n ~ x + w + a + (1 | g)", family="poisson").estimate()
    at = {"x": [3.0], "w": [9.0]}
    with pytest.warns(PredictionWarning, match="contrast b - a"):
        assert undetermined(fit.contrasts("a", at=at)) == [True] * 3
    assert undetermined(fit.contrasts("a", at=at, kind="linear")) == [False] * 3


@pytest.mark.parametrize("formula", ["y ~ x + w + (1 | g)", "y ~ w + x + (1 | g)", "y ~ x * w + I(x^2) + a + (1 | g)"])
def test_the_choice_of_columns_does_not_matter(formula):
    """Rows inside the row space have one value, whichever columns were left out; rows outside have none."""
    fit, draws = both(model(formula))
    reduced = formula.replace("x * w", "x").replace("x + w", "x").replace("w + x", "x")
    plain = bmx.Model(reduced, FRAME).estimate()
    rows = FRAME.head(8)[["x", "w", "a", "g"]].assign(x=lambda rows: rows["x"] + 1.0, w=lambda rows: rows["w"] + 2.0)
    np.testing.assert_allclose(fit.predict(rows)["estimate"], plain.predict(rows)["estimate"], rtol=1e-6)
    np.testing.assert_allclose(fit.predict(rows)["std_error"], plain.predict(rows)["std_error"], rtol=1e-5)
    broken = rows.assign(w=rows["w"] + 1e-3 * (np.arange(8) == 3))
    for one in (fit, draws):
        with pytest.warns(PredictionWarning, match="row 3 "):
            assert undetermined(one.predict(broken)) == [i == 3 for i in range(8)]


def test_slopes_need_what_they_move():
    """x moves alone, w = 2 x - 1 stays: there is no such row in the data."""
    fit, draws = both(model("y ~ x + w + a + (1 | g)"))
    for one in (fit, draws):
        with pytest.warns(PredictionWarning, match="slope x"):
            assert undetermined(one.slopes("x")) == [True]


def test_hypotheses_about_what_stands_for_other_columns(cells):
    fit, draws = both(model("y ~ x + w + a + (1 | g)"))
    for one in (fit, draws):
        with pytest.warns(PredictionWarning, match="`x = 0`: NaN") as caught:
            assert one.hypothesis("x = 0", "ab > 0").iloc[:, 0].isna().tolist() == [True, False]
        assert len(caught) == 1
        with pytest.raises(bmx.SpecError, match="`w` is not a parameter"):
            one.hypothesis("w > 0")
    for one in cells:  # here each coefficient is a difference of cells with rows
        assert one.hypothesis("by = 0", "ab + ab:by > 0").iloc[:, 0].notna().all()
