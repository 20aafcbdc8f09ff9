"""D: what was refused and can be done, is done; what cannot, says what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx

# ---- estimates that are refused, posteriors that are proper ----------------------------------------------------------

SMALL = {"y": np.arange(8.0) ** 1.5, "x": [0.0, 1.0] * 4, "g": list("aabbccdd"), "w": [0.0, *[1.0] * 7]}
FOUR = {"y": [1.0, 2.0, 4.0, 3.5], "x": [0.0, 1.0, 0.0, 1.0], "g": list("aabb")}
EIGHTY = {
    "y": np.random.default_rng(1).normal(size=80),
    "f": np.resize(list("abcdef"), 80),
    "g": [f"s{i // 5:02d}" for i in range(80)],
}
SAID: dict[str, tuple[str, Any, dict[str, Any], str]] = {
    "P F2, 80 rows, 16 x 6 effects": ("y ~ f + (f | g)", EIGHTY, {}, r"16 levels x 6 effects for 80 rows.*Or sample"),
    "P F2, 4 rows": ("y ~ x + (x | g)", FOUR, {}, r"2 levels x 2 effects for 4 rows.*Or sample"),
    "D rows <= random effects": ("y ~ x + (x | g)", SMALL, {}, r"`g` has 4 levels x 2 effects for 8 rows.*Or sample"),
    "P F3, ar1(year | id)": ("y ~ 1 + ar1(x | g)", SMALL, {}, r"Write `ar1\(0 \+ factor\(x\) \| g\)`"),
    "P F3, ar1(year - 1 | id)": ("y ~ 1 + ar1(x - 1 | g)", SMALL, {}, r"Write `ar1\(0 \+ factor\(x\) \| g\)`"),
    "P F4, a weight of zero": ("y ~ 1 + (1 | g)", SMALL, {"weights": "w"}, r"0 in row 0 .* leave out the rows"),
}


@pytest.mark.parametrize("case", SAID)
def test_what_cannot_be_estimated_is_said(case: str) -> None:
    formula, data, options, words = SAID[case]
    with pytest.raises(bmx.BayesmixError, match=words):
        bmx.Model(formula, data, **options).estimate()


@pytest.mark.slow
@pytest.mark.parametrize("data", [pytest.param(FOUR, id="4 rows"), pytest.param(SMALL, id="8 rows")])
def test_as_many_effects_as_rows_have_a_posterior(data: dict[str, Any]) -> None:
    """A thread of bambi's: the priors are proper."""
    assert bmx.Model("y ~ x + (x | g)", data).sample(seed=1, progress=False).converged


@pytest.mark.slow
def test_successes_alone_have_the_posterior_of_failures_alone_turned_round() -> None:
    """D, all successes, all zeros: the priors do not know which is which."""
    g = [f"g{i // 5}" for i in range(40)]
    ones, zeros = (
        bmx.Model("y ~ 1 + (1 | g)", {"y": np.full(40, y), "g": g}, "bernoulli").sample(500, 2, seed=1, progress=False)
        for y in (1.0, 0.0)
    )
    assert ones.converged
    assert zeros.converged
    first, second = ones.parameters(), zeros.parameters()
    for name, sign in (("Intercept", -1.0), ("sd(g, Intercept)", 1.0)):
        error = np.hypot(*(table.loc[name, "sd"] / table.loc[name, "ess_bulk"] ** 0.5 for table in (first, second)))
        assert abs(first.loc[name, "mean"] - sign * second.loc[name, "mean"]) < 4.0 * error


# ---- levels, rows and columns of new data ----------------------------------------------------------------------------


@cache
def nested() -> bmx.Estimate:
    rng = np.random.default_rng(0)
    cat, sub = np.repeat(list("ABCD"), 15), np.tile(np.repeat(list("stu"), 5), 4)
    b = dict(zip("ABCD", [3.0, -2.0, 0.0, 1.0], strict=True))
    x = rng.normal(size=60)
    y = 5.0 + x + np.array([b[c] for c in cat]) + np.repeat(rng.normal(size=12), 5) + 0.5 * rng.normal(size=60)
    return bmx.Model("y ~ x + (1 | cat/sub)", {"y": y, "x": x, "cat": cat, "sub": sub}).estimate()


def intercept() -> float:
    return float(nested().fixef().loc["Intercept", "estimate"])


def effect(group: str, level: str) -> float:
    return float(nested().ranef()[group].loc[level, "Intercept"])


NEW = {"x": [0.0, 0.0, 0.0], "cat": ["A", "A", "Q"], "sub": ["s", "zz", "s"]}
PREDICTED: dict[str, tuple[dict[str, Any], Any, Callable[[], list[float]]]] = {
    "D known and new levels": (
        *(NEW, "known"),
        lambda: [
            intercept() + effect("cat", "A") + effect("sub:cat", "s:A"),
            intercept() + effect("cat", "A"),
            intercept(),
        ],
    ),
    "D average without the group's column": ({"x": [0.0]}, "average", lambda: [intercept()]),
    "D new without the group's column": ({"x": [0.0]}, "new", lambda: [intercept()]),
    "P D, zero without the group's column": ({"x": [0.0]}, "zero", lambda: [intercept()]),
    "D one NaN in newdata": ({"x": [np.nan, 0.0]}, "average", lambda: [np.nan, intercept()]),
    "D re.form = ~ (1|a)": (
        {"x": [0.0], "cat": ["A"], "sub": ["s"]},
        {"cat": "fitted", "sub:cat": "zero"},
        lambda: [intercept() + effect("cat", "A")],
    ),
}


@pytest.mark.parametrize("case", PREDICTED)
@pytest.mark.filterwarnings("ignore:Values of `x` are missing:bayesmix.errors.PredictionWarning")
def test_predictions_take_what_is_known(case: str) -> None:
    newdata, groups, right = PREDICTED[case]
    found = nested().predict(pd.DataFrame(newdata), groups=groups)["estimate"]
    np.testing.assert_allclose(found, right(), rtol=1e-10)


def test_a_level_that_is_not_there_is_refused_with_what_to_write() -> None:
    """P D: groups="fitted" of a known cat and a new sub."""
    with pytest.raises(bmx.DataError, match=r"whose level of `sub:cat` was not seen .*Use groups=\"known\""):
        nested().predict(pd.DataFrame(NEW))
    with pytest.raises(bmx.SpecError, match="Did you mean `sub:cat`"):
        nested().predict(pd.DataFrame(NEW), groups={"cat:sub": "zero"})


def test_columns_of_one_name_matter_where_they_are_used() -> None:
    table = pd.DataFrame(np.arange(20.0).reshape(5, 4) ** 1.5, columns=["y", "x", "z", "z"])
    assert bmx.Model("y ~ x", table).design.n == 5
    with pytest.raises(bmx.DataError, match="Two columns of the data are named `z`"):
        bmx.Model("y ~ z", table)


def test_a_model_without_random_effects_is_a_regression() -> None:
    x, y = np.array([0.0, 1.0, 3.0, 4.0, 6.0]), np.array([1.0, 0.5, 2.5, 4.0, 4.5])
    table, right = bmx.Model("y ~ x", {"x": x, "y": y}).estimate().satterthwaite(), stats.linregress(x, y)
    found = table.loc["x", ["estimate", "std_error", "p"]].tolist()
    assert found == pytest.approx([right.slope, right.stderr, right.pvalue], rel=1e-6)
    assert table.loc["x", "df"] == pytest.approx(3.0, abs=1e-6)
