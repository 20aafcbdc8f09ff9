"""Memberships of several levels of one factor: levels, weights, and what they are refused for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.data.columns import Factor, Numeric
from bayesmix.data.design.encode import encode
from bayesmix.data.design.memberships import member_levels, membership_weights
from bayesmix.errors import DataError, DesignError
from bayesmix.language.formula.grouping import Grouping

W = {"w": Numeric(np.array([1.0, 2.0, 0.0])), "v": Numeric(np.array([3.0, 2.0, 1.0]))}
BOTH = Grouping("mm", weights=("w", "v"))


def test_levels_are_those_of_all_factors():
    first, second = Factor(np.array([0, 1]), ("a", "b")), Factor(np.array([1, 0]), ("b", "c"))
    keys, codes = member_levels([first, second])
    assert keys == (("a",), ("b",), ("c",))
    np.testing.assert_array_equal(codes, [0, 1, 2, 1])


WEIGHTS = {
    "alike": (Grouping("mm"), [0.5] * 6),
    "as they are": (Grouping("mm", scale=False), [1.0] * 6),
    "scaled": (BOTH, [0.25, 0.5, 0.0, 0.75, 0.5, 1.0]),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights(case):
    grouping, expected = WEIGHTS[case]
    np.testing.assert_allclose(membership_weights(grouping, 2, W, 3), expected)


REFUSED = {
    "negative": (
        BOTH,
        {"w": Numeric(np.array([-1.0])), "v": Numeric(np.array([2.0]))},
        "negative or all zero in row 0",
    ),
    "all zero": (BOTH, {"w": Numeric(np.zeros(1)), "v": Numeric(np.zeros(1))}, "negative or all zero in row 0"),
    "sum": (Grouping("mm", weights=("w", "v"), scale=False), W, "sum to 4, not to one, in rows 0, 1"),
    "text": (BOTH, {"w": Factor(np.zeros(1, int), ("a",)), "v": Numeric(np.ones(1))}, "is no number"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    grouping, variables, message = REFUSED[case]
    with pytest.raises(DataError) as caught:
        membership_weights(grouping, 2, variables, len(variables["v"].values))
    assert message in str(caught.value)


RNG = np.random.default_rng(3)
FRAME = pd.DataFrame(
    {
        "y": RNG.normal(size=40),
        "x": RNG.normal(size=40),
        "a": RNG.choice(list("pqrst"), 40),
        "b": RNG.choice(list("qrstu"), 40),
        "w": RNG.uniform(0.2, 1.0, 40),
        "v": RNG.uniform(0.2, 1.0, 40),
    }
)
FORMULA = "y ~ x + (x | mm(a, b, weights = cbind(w, v)))"


def test_terms_have_one_membership_after_the_other():
    (term,) = bmx.Model(FORMULA, FRAME).design.terms
    share = (FRAME["w"] / (FRAME["w"] + FRAME["v"])).to_numpy()
    assert (term.group, term.slots, term.levels) == ("mmab", 2, tuple("pqrstu"))
    assert [term.levels[code] for code in term.codes] == [*FRAME["a"], *FRAME["b"]]
    np.testing.assert_allclose(term.z[:, 0], np.concatenate([share, 1.0 - share]))
    np.testing.assert_allclose(term.total, np.column_stack([np.ones(40), FRAME["x"]]), atol=1e-12)


def test_new_rows_and_parts_of_rows():
    design = bmx.Model(FORMULA, FRAME).design
    (term,) = encode(design.encoder, FRAME.iloc[3:6].assign(a="z")).terms
    assert (term.codes[:3] < 0).all()
    np.testing.assert_array_equal(term.codes[3:], design.terms[0].codes[43:46])
    (part,) = design.data.take(np.array([5, 7])).terms
    np.testing.assert_array_equal(part.codes, design.terms[0].codes[[5, 7, 45, 47]])


def test_spread_counts_a_level_of_both_memberships_twice():
    frame = pd.concat([FRAME, FRAME.iloc[:1].assign(a="p", b="p")])
    (term,) = bmx.Model("y ~ x + (1 | mm(a, b))", frame).design.terms
    found = term.spread(np.array([[4.0]]))
    expected = np.where(frame["a"] == frame["b"], 4.0, 2.0)
    np.testing.assert_allclose(found, expected)


def test_rows_with_several_predictors_are_refused():
    with pytest.raises(DesignError, match="one level each"):
        bmx.Model(["y ~ x + (1 | mm(a, b))", "sigma ~ x"], FRAME)
