"""Terms of bars: related levels, and a covariance for each level of a factor between levels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.errors import DataError, DesignError

LEVELS = [f"s{i}" for i in range(6)]
RNG = np.random.default_rng(2)
G = RNG.permutation(np.r_[np.arange(5), RNG.integers(0, 5, 35)])  # the last level has no rows
FRAME = pd.DataFrame(
    {
        "x": RNG.normal(size=40),
        "g": np.array(LEVELS)[G],
        "h": np.array(["A", "B"])[G % 2],
        "y": RNG.normal(size=40) + G,
    }
)
RELATION = pd.DataFrame(0.5 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6))), LEVELS, LEVELS)


def design(formula, **options):
    return bmx.Model(formula, FRAME, **options).design


def test_all_levels_of_the_relation_are_levels_in_its_order():
    (term,) = design("y ~ x + (x | gr(g, cov = A))", data2={"A": RELATION[::-1]}).terms
    assert term.levels == tuple(LEVELS[::-1])
    assert [term.levels[code] for code in term.codes] == list(FRAME["g"])
    assert len(term.observed().levels) == 5
    np.testing.assert_allclose(term.variances, 1.0, rtol=1e-12)


def test_new_rows_know_levels_without_rows():
    built = design("y ~ x + (1 | gr(g, cov = A))", data2={"A": RELATION})
    from bayesmix.data.design.encode import encode

    (term,) = encode(built.encoder, {"x": [0.0, 0.0], "g": ["s5", "s9"]}).terms
    assert (term.codes.tolist(), term.unseen) == ([5, -1], ("s9",))


def test_each_level_of_a_factor_between_levels_has_a_term():
    first, second = design("y ~ x + (x | gr(g, by = h))").terms
    assert first.effects == ("Intercept:hA", "x:hA")
    assert second.effects == ("Intercept:hB", "x:hB")
    in_a = (FRAME["h"] == "A").to_numpy(float)
    np.testing.assert_array_equal(first.z, np.column_stack([in_a, in_a * FRAME["x"]]))
    np.testing.assert_array_equal(first.z + second.z, np.column_stack([np.ones(40), FRAME["x"]]))


def test_estimates_by_strata_are_those_of_separate_columns():
    by = bmx.Model("y ~ x + (1 | gr(g, by = h))", FRAME).estimate()
    own = FRAME.assign(a=1.0 * (FRAME["h"] == "A"), b=1.0 * (FRAME["h"] == "B"))
    apart = bmx.Model("y ~ x + (0 + a | g) + (0 + b | g)", own).estimate()
    assert by.criterion == pytest.approx(apart.criterion, abs=1e-9)
    assert [name for name in by.names if name.startswith("sd")] == ["sd(g, Intercept:hA)", "sd(g, Intercept:hB)"]


def test_what_the_relation_lacks_is_named():
    with pytest.raises(DataError, match="not in data2"):
        bmx.Model("y ~ x + (1 | gr(g, cov = A))", FRAME)
    with pytest.raises(DataError, match="It has `B`"):
        bmx.Model("y ~ x + (1 | gr(g, cov = A))", FRAME, data2={"B": RELATION})
    with pytest.raises(DataError, match=r"no row for 2 level\(s\) of `g`: `s0`, `s1`"):
        bmx.Model("y ~ x + (1 | gr(g, cov = A))", FRAME, data2={"A": RELATION.iloc[2:, 2:]})
    with pytest.raises(DesignError, match="Make a copy of the column"):
        bmx.Model("y ~ x + (1 | gr(g, cov = A)) + (0 + x | g)", FRAME, data2={"A": RELATION})


def test_factors_within_levels_are_no_strata():
    with pytest.raises(DataError, match=r"`s\d` is in `A`, `B`"):
        bmx.Model("y ~ x + (1 | gr(g, by = k))", FRAME.assign(k=np.where(np.arange(40) % 2, "A", "B")))


def test_effects_have_the_distribution_that_is_asked_for():
    for distribution in ("gaussian", "student"):
        model = bmx.Model(f'y ~ x + (x || gr(g, dist = "{distribution}"))', FRAME)
        assert [term.is_normal for term in model.design.terms] == [distribution == "gaussian"] * 2
