"""Category-specific effects, ``cs(x)``: how they are written, which families have them, and what they become."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.errors import BayesmixError, FormulaError
from bayesmix.language.formula.formula_update import updated
from bayesmix.language.formula.parse import parse
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import expand


@pytest.mark.parametrize(
    ("text", "fixed", "specific"),
    [
        ("y ~ a + cs(x) + (1 | g)", "a", ("cs(x)",)),
        ("y ~ cs(x * z) + offset(w)", "1", ("cs(x * z)",)),
        ("y ~ cs(x) + b + cs(z)", "b", ("cs(x)", "cs(z)")),
        ("y ~ cs(x) + cs(0 + t | g)", "1", ("cs(x)",)),
    ],
)
def test_parses_and_prints(text, fixed, specific):
    formula = parse(text)
    assert (formula.fixed, formula.specific) == (fixed, specific)
    assert parse(str(formula)) == formula
    assert {"x", "y"} <= set(formula.columns)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("y ~ cs(1)", "a sum of predictors"),
        ("y ~ cs()", "a sum of predictors"),
        ("y ~ cs(x, z)", "a sum of predictors"),
        ("y ~ a - cs(x)", "a sum of predictors"),
        ("y ~ cs(.)", "stands for terms"),
        ("y ~ cs(y)", "response is also a predictor"),
        ("y ~ cs(s(x))", "does not belong here"),
        ("y ~ log(cs(x))", "a term of their own"),
        ("y ~ x + (cs(1) | g)", "a term of their own"),
    ],
)
def test_is_refused(text, said):
    with pytest.raises(FormulaError, match=said):
        parse(text)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("~ . + z", "y ~ a + z + cs(x) + (1 | g)"),
        ("~ . - cs(x)", "y ~ a + (1 | g)"),
        ("~ . + cs(z)", "y ~ a + cs(x) + cs(z) + (1 | g)"),
        ("~ cs(x)", "y ~ 1 + cs(x)"),
    ],
)
def test_changes(change, expected):
    old = parse("y ~ a + cs(x) + (1 | g)")
    assert str(updated(old, expand(read("a")), change)) == expected


N = 60


def ratings():
    rng = np.random.default_rng(1)
    x, g = rng.normal(size=N), np.arange(N) % 6
    return pd.DataFrame({"y": rng.integers(1, 4, N), "x": x, "z": rng.normal(size=N), "g": g})


@pytest.mark.parametrize(
    ("formula", "family", "said"),
    [
        ("y ~ cs(x)", "cumulative", "may cross.*sratio, cratio, acat"),
        ("y ~ cs(x)", "categorical", "no category-specific effects"),
        ("y ~ cs(x)", "poisson", "no category-specific effects"),
        ("y ~ x + cs(x)", "acat", "`x` is in the formula twice"),
        (["y ~ x", "disc ~ cs(z)"], "acat", "belong in the first formula"),
    ],
)
def test_families(formula, family, said):
    with pytest.raises(BayesmixError, match=said):
        bmx.Model(formula, ratings(), family=family)


@pytest.mark.slow
def test_equal_effects_are_one():
    """The density of the same effect on all thresholds is that of the effect on the latent mean."""
    data = ratings()
    one, own = (bmx.Model(f"y ~ z + {x} + (1 | g)", data, family="acat").estimate() for x in ("x", "cs(x)"))
    assert own.criterion <= one.criterion
    table = own.drop1()
    assert list(table.index) == ["<none>", "z", "cs(x)"]
    assert table.loc["cs(x)", "npar"] == 2
    dropped = own.update("~ . - cs(x) + x")
    assert dropped.criterion == pytest.approx(one.criterion, abs=1e-9)
    assert list(bmx.anova(own).index) == ["z", "cs(x)"]


def test_thresholds_have_their_priors_where_all_predictors_are_at_their_means():
    data = ratings().assign(x=lambda d: d["x"] + 5.0)
    text = str(bmx.Model("y ~ z + cs(x) + (1 | g)", data, family="sratio").priors)
    away = bmx.Model("y ~ z + cs(x) + (1 | g)", data, family="sratio")
    means = data[["z", "x"]].mean()
    contrast = pd.DataFrame(away.priors.contrast, index=away.priors.names, columns=away.design.fixed)
    row = contrast.loc["1|2(centred)"]
    assert "1|2(centred)" in text
    expected = {"1|2": 1.0, "z": -means["z"], "cs(1|2)_x": -means["x"]}
    assert {name: value for name, value in row.items() if value != 0.0} == pytest.approx(expected)
