"""Influence of levels: what refits without them say."""

from __future__ import annotations

import numpy as np
import pytest
import residuals

import bayesmix as bmx
from bayesmix.errors import PredictionWarning, SpecError


@pytest.fixture(scope="module")
def sleepstudy():
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    return model.sample(draws=1000, chains=4, seed=1, progress=False)


@pytest.mark.parametrize(("name", "data", "group"), [("sleepstudy", "sleepstudy", "Subject"), ("cbpp", "cbpp", "herd")])
def test_influence_is_that_of_refits(fitted, name, data, group):
    fit = fitted(name)
    table = fit.influence()
    assert list(table.columns) == [*fit.names, "cooks_distance"]
    frame = bmx.load_dataset(data)
    level = table.index[3]
    without = frame[frame[group].astype(str) != level]
    other = bmx.Model(fit.spec.formula.text, without, family=fit.spec.family).estimate()
    change = other.parameters()["estimate"] - fit.parameters()["estimate"]
    np.testing.assert_allclose(table.loc[level].drop("cooks_distance"), change, rtol=1e-3, atol=1e-4)
    moved = change[: len(fit.design.fixed)].to_numpy()
    cook = moved @ np.linalg.solve(fit.point.beta_cov, moved) / len(moved)
    np.testing.assert_allclose(table.loc[level, "cooks_distance"], cook, rtol=1e-3)


def test_influence_on_posteriors_is_that_of_refits(sleepstudy):
    table = sleepstudy.influence("Subject")
    frame = bmx.load_dataset("sleepstudy")
    level = "310"
    assert table.loc[level, "pareto_k"] < 0.7
    other = bmx.Model("Reaction ~ Days + (Days | Subject)", frame[frame["Subject"].astype(str) != level])
    refitted = other.sample(draws=1000, chains=4, seed=2, progress=False).parameters()
    whole = sleepstudy.parameters()
    shift = (refitted["mean"] - whole["mean"]) / whole["sd"]
    np.testing.assert_allclose(table.loc[level].drop("pareto_k"), shift, atol=0.12)
    assert abs(table.loc[level, "Intercept"]) > 0.2


def test_groups_that_do_not_exist(fitted):
    with pytest.raises(SpecError, match=r"`subject` is not a grouping factor\. Did you mean `Subject`"):
        fitted("sleepstudy").influence("subject")


def test_levels_that_cannot_be_left_out():
    """`x` is 1 in one group alone."""
    frame = {"y": [1.0, 2.0, 3.0, 5.0, 4.0, 6.5, 1.5, 2.5], "x": [1.0, 1.0, 0, 0, 0, 0, 0, 0], "g": list("aabbccdd")}
    with pytest.warns(PredictionWarning, match="Without `a` of `g` the model cannot be fitted"):
        table = bmx.Model("y ~ x + (1 | g)", frame).estimate().influence()
    assert table.loc["a"].isna().all()
    assert table.loc["b"].notna().all()


@pytest.mark.slow
def test_estimates_without_a_site_beside_a_residual_structure():
    """Those of a model of the other rows; all changes were NaN, for numbers of the structure have columns of zeros."""
    model, table = residuals.model("trial_site_ar"), residuals.data("trial")
    fit = model.estimate()
    found = fit.influence().loc["s2"]
    other = bmx.Model(residuals.FORMULAS["trial_site_ar"], table[table["site"] != "s2"]).estimate()
    change = other.parameters()["estimate"] - fit.parameters()["estimate"]
    np.testing.assert_allclose(found[change.index], change, rtol=1e-4, atol=1e-5)
