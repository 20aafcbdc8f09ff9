"""Designs of responses of several categories: which there are, names of their thresholds, whose intercept goes."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.data.design.build import build
from bayesmix.data.design.categories import with_categories
from bayesmix.data.design.layout import parts_of
from bayesmix.language.formula.model_spec import make_spec

DATA = pd.DataFrame({
    "y": pd.Categorical(["lo", "hi", "mid", "hi", "lo", "mid"], ["none", "lo", "mid", "hi"], ordered=True),
    "score": [3, 7, 5, 7, 3, 5],
    "x": [0.5, 1.0, -1.0, 2.0, 0.0, 1.5],
    "f": ["a", "b", "a", "b", "b", "a"],
})  # fmt: skip


def made(formula, family):
    spec = make_spec(formula, family, None, None)
    return with_categories(spec, build(parts_of(spec), DATA))


@pytest.mark.parametrize(
    ("response", "levels", "codes"),
    [("y", ("lo", "mid", "hi"), [0, 2, 1, 2, 0, 1]), ("score", ("3", "5", "7"), [0, 2, 1, 2, 0, 1])],
)
def test_categories_are_those_that_occur_in_their_order(response, levels, codes):
    spec, design = made(f"{response} ~ x", "cumulative")
    assert spec.responses[0].family.levels == levels
    np.testing.assert_array_equal(design.y, codes)


def test_thresholds_take_the_place_of_the_intercept():
    """Factors keep the coding that they have beside one."""
    _, design = made("y ~ f + x", "cumulative")
    assert design.fixed == ("fb", "x", "lo|mid", "mid|hi")
    assert design.layout.thresholds == (1, 2)
    np.testing.assert_array_equal(design.X[design.block(1), 2], np.ones(6))
    np.testing.assert_array_equal(design.X[design.block(0), 0], [0, 1, 0, 1, 1, 0])


def test_discrimination_has_no_intercept_either():
    _, design = made(["y ~ x", "disc ~ f"], "cumulative")
    assert design.fixed == ("x", "lo|mid", "mid|hi", "disc_fb")


def test_unordered_categories_have_a_predictor_each_but_the_first():
    _, design = made("y ~ x", "categorical")
    assert design.fixed == ("mumid_Intercept", "mumid_x", "muhi_Intercept", "muhi_x")


def test_other_models_are_what_they_were():
    spec = make_spec("x ~ f", "gaussian", None, None)
    design = build(parts_of(spec), DATA)
    assert with_categories(spec, design) == (spec, design)


def test_columns_that_depend_on_the_intercept_are_told_in_new_rows():
    """A column that was constant goes with the intercept; where it is another value nothing is known."""
    from bayesmix.data.design.encode import encode

    data = DATA.assign(c=2.0)
    spec = make_spec("y ~ x + c", "cumulative", None, None)
    with pytest.warns(UserWarning, match="left out: c"):
        spec, design = with_categories(spec, build(parts_of(spec), data))
    rows = encode(design.encoder, data.assign(c=[2.0, 2.0, 2.0, 3.0, 2.0, 2.0]))
    np.testing.assert_array_equal(np.any(rows.outside != 0.0, axis=1), [False, False, False, True, False, False])


@pytest.mark.parametrize("family", ["cumulative", "categorical"])
def test_a_column_of_numbers_is_said_to_have_many_categories(family: str) -> None:
    """Each of 60 different numbers was a category, and nothing said why the model took minutes."""
    data = {"y": np.arange(60.0) % 30.0 + 0.5, "x": np.arange(60.0)}
    with pytest.warns(bmx.BayesmixWarning, match=f"`y` has 30 categories: family {family} .*family=.gaussian.") as seen:
        bmx.Model("y ~ x", data, family=family)
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bmx.Model("y ~ x", data | {"y": np.arange(60.0) % 20.0}, family=family)
