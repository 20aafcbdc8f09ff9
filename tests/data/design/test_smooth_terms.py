"""Smooths in a design: fixed columns, terms of one level, curves of the levels of a factor, new data."""

import warnings

import numpy as np
import pandas as pd
import pytest

from bayesmix.data.design.build import build
from bayesmix.data.design.encode import encode
from bayesmix.data.design.rebuild import rebuild
from bayesmix.errors import DataError, DesignError, DroppedWarning
from bayesmix.language.formula.parse import parse

RNG = np.random.default_rng(5)
N = 60
DATA = pd.DataFrame(
    {
        "y": RNG.standard_normal(N),
        "x": RNG.uniform(0.0, 1.0, N),
        "z": RNG.uniform(0.0, 1.0, N),
        "f": pd.Categorical(np.tile(["a", "b", "c"], N // 3)),
        "g": pd.Categorical(np.repeat([f"g{i}" for i in range(6)], N // 6)),
        "few": np.tile(np.arange(4.0), N // 4),
    }
)
TERMS = {  # formula: fixed effects, (group, levels, effects, structure, sd, is of the population)
    "y ~ s(x) + (1 | g)": (
        ("Intercept", "sx_1"),
        [("g", 6, 1, "us", "", False), ("sx_1", 1, 8, "homdiag", "sx_1", True)],
    ),
    "y ~ f + s(x, by = f, k = 5)": (
        ("Intercept", "fb", "fc", "sx:fa_1", "sx:fb_1", "sx:fc_1"),
        [(f"sxf{level}_1", 1, 3, "homdiag", f"sxf{level}_1", True) for level in "abc"],
    ),
    'y ~ x + s(x, g, bs = "fs", k = 4)': (
        ("Intercept", "x"),
        [("g", 6, k, "homdiag" if k > 1 else "us", f"sxg_{i}", False) for i, k in ((1, 2), (2, 1), (3, 1))],
    ),
    "y ~ t2(x, z, k = 3)": (
        ("Intercept", "t2xz_1", "t2xz_2", "t2xz_3"),
        [(f"t2xz_{i}", 1, k, "us" if k == 1 else "homdiag", f"t2xz_{i}", True) for i, k in ((1, 1), (2, 2), (3, 2))],
    ),
}


def of(formula, data=DATA):
    return build(parse(formula), data)


@pytest.mark.parametrize("formula", TERMS)
def test_a_smooth_is_fixed_columns_and_terms_of_one_standard_deviation(formula):
    design = of(formula)
    fixed, terms = TERMS[formula]
    assert design.fixed == fixed
    found = [(t.group, len(t.levels), len(t.effects), t.structure, t.smooth, t.is_population) for t in design.terms]
    assert found == terms
    assert design.group_sizes == {group: levels for group, levels, *_, population in terms if not population}


@pytest.mark.parametrize("formula", TERMS)
def test_new_data_have_the_columns_of_the_fit_and_so_has_a_design_built_again(formula):
    design = of(formula)
    part = np.array([3, 17, 44])
    coded = encode(design.encoder, DATA.iloc[part])
    np.testing.assert_allclose(coded.X, design.X[part])
    for new, old in zip(coded.terms, design.terms, strict=True):
        np.testing.assert_allclose(new.z, old.z[part])
        np.testing.assert_array_equal(new.codes, old.codes[part])
    again = rebuild([parse_part(formula)], design.source)
    np.testing.assert_array_equal(again.X, design.X)
    assert all(np.array_equal(a.z, b.z) for a, b in zip(again.terms, design.terms, strict=True))


def parse_part(formula):
    from bayesmix.data.design.layout import Part

    return Part(parse(formula))


def test_all_new_rows_have_a_smooth_whatever_groups_are_asked_for():
    design = of("y ~ s(x) + (1 | g)")
    coded = encode(design.encoder, pd.DataFrame({"x": [0.1, 0.9]}), groups=False)
    assert [term.group for term in coded.terms] == ["sx_1"]
    assert np.all(coded.terms[0].codes == 0)


def test_a_smooth_is_learnt_from_the_rows_that_are_used():
    missing = DATA.assign(y=np.where(np.arange(N) < 10, np.nan, DATA["y"]))
    with pytest.warns(DroppedWarning):
        design = of("y ~ s(x)", missing)
    alone = of("y ~ s(x)", DATA.iloc[10:])
    np.testing.assert_allclose(design.X, alone.X)
    np.testing.assert_allclose(design.terms[0].z, alone.terms[0].z)


def test_numbers_may_be_the_factor_of_curves():
    design = of('y ~ s(x, few, bs = "fs", k = 4)')
    assert {(term.group, term.levels) for term in design.terms} == {("few", ("0", "1", "2", "3"))}


REFUSED = {
    "y ~ s(few)": (DataError, "k = 10 and 4 different values: k is at most 4"),
    "y ~ s(f)": (Exception, "`f` is a factor, and a smooth is a function of numbers"),
    "y ~ s(x, one, bs = 'fs')": (DesignError, "single level"),
}


@pytest.mark.parametrize("formula", REFUSED)
def test_what_cannot_be_is_refused(formula):
    error, message = REFUSED[formula]
    with pytest.raises(error, match=message):
        of(formula, DATA.assign(one="a"))


def test_a_level_of_by_that_was_not_seen_is_refused():
    design = of("y ~ s(x, by = f, k = 5)")
    with pytest.raises(DataError, match="`f` has levels not seen in fitting, for which there is no curve: `d`"):
        encode(design.encoder, pd.DataFrame({"x": [0.1], "f": ["d"]}))


@pytest.mark.parametrize(
    ("formula", "pairs"),
    [
        ("y ~ s(x, k = 4) + t2(x, z, k = 3)", 1),
        ("y ~ s(x, k = 4) + s(z, k = 4) + s(x, z, k = 10)", 2),
        ("y ~ s(x, k = 4) + s(z, k = 4)", 0),
        ("y ~ s(x, k = 4) + s(x, by = f, k = 4)", 0),
        ('y ~ s(x, k = 4) + s(x, g, bs = "fs", k = 4)', 0),
    ],
)
def test_smooths_that_are_part_of_others_are_named(formula, pairs):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        of(formula)
    assert sum("do not tell the two curves apart" in str(one.message) for one in told) == pairs
