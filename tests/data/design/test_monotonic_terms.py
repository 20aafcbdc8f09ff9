"""Monotonic terms on data: categories, what they are multiplied by, new data, and what they are refused for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.errors import BayesmixError

N = 40
RNG = np.random.default_rng(3)
LEVELS = ["low", "middle", "high"]
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "z": RNG.normal(size=N),
        "half": np.arange(N) / 2.0,
        "many": np.arange(N),
        "whole": 2 + np.arange(N) % 5,
        "o": pd.Categorical(np.resize(LEVELS, N), LEVELS, ordered=True),
        "f": np.resize(["a", "b", "c"], N),
        "is": np.resize([True, False, False], N),
    }
)


def effects(formula):
    return {one.name: one for one in bmx.Model(formula, DATA).spec.family.steps.effects}


def test_categories_are_the_levels_or_whole_numbers_in_between():
    own = effects("y ~ mo(o) + mo(whole) + mo(is)")
    assert own["moo"].categories == tuple(LEVELS)
    assert own["mowhole"].categories == ("2", "3", "4", "5", "6")
    assert own["mois"].steps == 1
    assert own["mois"].shares == ()


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("y ~ mo(o) * z", ["moo", "moo:z"]),
        ("y ~ mo(o) * f", ["moo", "moo:fb", "moo:fc"]),
        ("y ~ f + mo(o):f", ["moo:fa", "moo:fb", "moo:fc"]),
        ("y ~ mo(o) + is:z + mo(o):is:z + is", ["moo", "moo:isTRUE:z"]),
    ],
)
def test_names_are_those_of_the_columns_that_they_are_multiplied_by(formula, names):
    assert list(effects(formula)) == names


def test_fixed_part_and_rows_have_what_the_formula_says():
    model = bmx.Model("y ~ mo(whole) * z", DATA)
    own = {one.prefix.removesuffix("_"): r for r, one in enumerate(model.spec.predictors)}
    assert list(model.design.layout.coefficients) == ["Intercept", "z", "mowhole", "mowhole:z"]
    places = {text: r for r, one in enumerate(model.design.encoder.predictors) for text in one.offsets}
    assert own.keys() >= {"mo(whole)", "(z)"}
    np.testing.assert_array_equal(model.design.offset[model.design.block(places["mo(whole)"])], DATA.whole - 2)
    np.testing.assert_array_equal(model.design.offset[model.design.block(places["(z)"])], DATA.z)


REFUSED = {
    "y ~ mo(f)": "`mo\\(\\)` takes ordered categories",
    "y ~ mo(half)": "0.5 is no whole number",
    "y ~ mo(many)": "too many steps",
    "y ~ mo(o) + o": "`o` is a predictor beside `mo\\(o\\)`",
    "y ~ . + mo(o)": "`o` is a predictor beside `mo\\(o\\)`",
    "y ~ mo(o):f": "which have no means of their own",
    "y ~ mo(o):poly(z, 2)": "has several columns",
    "y ~ z; sigma ~ mo(o)": "not of `sigma`",
    "y ~ mo(o); z ~ 1": "several responses",
    "y ~ mo(o) + ar(gr = f)": "are not supported",
    "y ~ mo(nothing)": "not in the data",
}


@pytest.mark.parametrize("formula", REFUSED)
def test_what_has_no_steps_is_refused_by_name(formula):
    with pytest.raises(BayesmixError, match=REFUSED[formula]):
        bmx.Model(formula, DATA)


def test_ratings_have_none():
    with pytest.raises(BayesmixError, match="of family `cumulative`"):
        bmx.Model("o ~ mo(whole)", DATA, family="cumulative")


def test_data_that_stay_where_they_are_have_none(tmp_path):
    pytest.importorskip("duckdb")
    DATA[["y", "whole"]].to_csv(tmp_path / "data.csv")
    with pytest.raises(BayesmixError, match="leave `where` out"):
        bmx.Model("y ~ mo(whole)", str(tmp_path / "data.csv"), where="source")
