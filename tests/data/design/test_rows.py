"""Rows of several linear predictors: stacked, taken, coded anew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesmix.data.design.build import build
from bayesmix.data.design.design import Design
from bayesmix.data.design.encode import encode
from bayesmix.data.design.layout import Part
from bayesmix.data.design.rows import stack
from bayesmix.data.design.subset import as_new, split
from bayesmix.language.formula.parse import Bar, Formula, parse

RNG = np.random.default_rng(3)
FRAME = pd.DataFrame(
    {
        "y": RNG.normal(size=12),
        "x": RNG.normal(size=12),
        "w": RNG.normal(size=12),
        "f": np.tile(["a", "b", "c"], 4),
        "g": np.repeat(["p", "q", "r", "s"], 3),
    }
)


@pytest.fixture(scope="module")
def design() -> Design:
    """``y ~ x + (x | ID | g)``, ``sigma ~ f + offset(w) + (1 | ID | g) + (1 | f)``."""
    mean = Formula("y", "x", (Bar("1 + x", ("g",), shared="ID"),))
    sigma = Formula("", "f", (Bar("1", ("g",), shared="ID"), Bar("1", ("f",))), ("w",))
    return build([Part(mean), Part(sigma, "sigma_", None)], FRAME)


def test_columns_are_stacked_predictor_by_predictor(design: Design) -> None:
    assert (design.n, design.R, design.X.shape) == (12, 2, (24, 5))
    assert design.fixed == ("Intercept", "x", "sigma_Intercept", "sigma_fb", "sigma_fc")
    assert design.layout.owners == (0, 0, 1, 1, 1)
    np.testing.assert_array_equal(design.X[:12, :2], np.column_stack([np.ones(12), FRAME.x]))
    np.testing.assert_array_equal(design.X[12:, 2:], np.column_stack([np.ones(12), FRAME.f == "b", FRAME.f == "c"]))
    assert not design.X[:12, 2:].any()
    assert not design.X[12:, :2].any()
    np.testing.assert_array_equal(design.offset, np.r_[np.zeros(12), FRAME.w])
    np.testing.assert_array_equal(design.column(3), FRAME.f == "b")
    assert design.of_predictor(1) == [2, 3, 4]


def test_bars_of_one_id_are_one_term(design: Design) -> None:
    g, f = design.terms
    assert (g.group, g.effects, g.owners) == ("g", ("Intercept", "x", "sigma_Intercept"), (0, 0, 1))
    assert (f.group, f.effects, f.owners) == ("f", ("sigma_Intercept",), (1,))
    np.testing.assert_array_equal(g.z[:12], np.column_stack([np.ones(12), FRAME.x, np.zeros(12)]))
    np.testing.assert_array_equal(g.z[12:], np.column_stack([np.zeros((12, 2)), np.ones(12)]))
    np.testing.assert_array_equal(g.codes, np.tile(np.repeat(np.arange(4), 3), 2))
    assert (g.columns_of(0), g.columns_of(1), f.columns_of(0)) == ([0, 1], [2], [])


def test_new_data_are_rows_of_the_same_layout(design: Design) -> None:
    assert design.encoder is not None
    again = encode(design.encoder, FRAME.drop(columns="y").iloc[[5, 2]])
    at = design.data.stacked(np.array([5, 2]))
    np.testing.assert_array_equal(again.X, design.X[at])
    np.testing.assert_array_equal(again.offset, design.offset[at])
    for old, new in zip(design.terms, again.terms, strict=True):
        np.testing.assert_array_equal(new.z, old.z[at])
        np.testing.assert_array_equal(new.codes, old.codes[at])
        assert (new.effects, new.owners) == (old.effects, old.owners)


def test_some_rows_are_taken_in_all_predictors(design: Design) -> None:
    keep = FRAME.g.to_numpy() != "q"
    kept, others = split(design, keep)
    assert (kept.n, others.n, kept.X.shape, kept.terms[0].levels) == (9, 3, (18, 5), ("p", "r", "s"))
    np.testing.assert_array_equal(kept.X[9:, 2:], design.X[12:, 2:][keep])
    np.testing.assert_array_equal(others.terms[0].codes, np.full(6, -2))
    unseen = as_new(design, np.flatnonzero(~keep), "g")
    np.testing.assert_array_equal(unseen.terms[0].codes, np.full(6, -2))
    np.testing.assert_array_equal(unseen.terms[1].codes, [0, 1, 2] * 2)


def test_one_predictor_is_not_stacked() -> None:
    one = build(parse("y ~ x + (1 | g)"), FRAME)
    assert (one.R, one.X.shape, one.terms[0].owners) == (1, (12, 2), ())
    X = np.ones((3, 2))
    assert stack([X]) is X
