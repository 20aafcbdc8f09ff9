"""Complete, no and partial pooling: against regressions by other programs' formulas, and the order they must have."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import bayesmix as bmx
from bayesmix.errors import SpecError


@cache
def sleepstudy():
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    return model.estimate(), model.sample(seed=1)


def test_regressions_are_scipys():
    data = bmx.load_dataset("sleepstudy")
    table = bmx.pooling(sleepstudy()[0])
    whole = stats.linregress(data["Days"], data["Reaction"])
    row = table.loc[("308", "Days")]
    assert row["complete"] == pytest.approx(whole.slope, rel=1e-10)
    assert row["complete std_error"] == pytest.approx(whole.stderr, rel=1e-10)
    for subject, own in data.groupby("Subject", observed=True):
        alone = stats.linregress(own["Days"], own["Reaction"])
        found = table.loc[str(subject)]
        assert found["none"].to_numpy() == pytest.approx([alone.intercept, alone.slope], rel=1e-9)
        expected = [alone.intercept_stderr, alone.stderr]
        assert found["none std_error"].to_numpy() == pytest.approx(expected, rel=1e-9)
        assert set(found["rows"]) == {len(own)}


def test_partial_pooling_is_the_fits_coefficients():
    reml, posterior = sleepstudy()
    table = bmx.pooling(reml, posterior)
    assert list(table.columns[-5:]) == ["REML", "mean", "sd", "lower", "upper"]
    for column, fit in (("REML", reml), ("mean", posterior)):
        expected = fit.coef()["Subject"]
        np.testing.assert_allclose(table[column].unstack()[expected.columns], expected, rtol=1e-12)
    slopes = table.xs("Days", level="effect")
    assert slopes["none std_error"].median() > slopes["complete std_error"].iloc[0]  # the document, 24.3
    spread = slopes[["complete", "REML", "none"]].std()
    assert spread["complete"] < spread["REML"] < spread["none"]


def test_counts_by_maximum_likelihood():
    """Against SciPy's minimiser of the Poisson likelihood, an offset included."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(["a", "b", "c", "d"], 12), "x": rng.normal(size=48), "o": rng.uniform(size=48)})
    data["n"] = rng.poisson(np.exp(0.5 + 0.4 * data["x"] + data["o"]))
    data.loc[data["g"] == "d", "n"] = 0
    table = bmx.pooling(bmx.Model("n ~ x + offset(o) + (x | g)", data, family="poisson").estimate())

    def loss(beta, rows):
        eta = beta[0] + beta[1] * rows["x"] + rows["o"]
        return np.sum(np.exp(eta) - rows["n"] * eta)

    for level, rows in {"a": data[data["g"] == "a"], "b": data[data["g"] == "b"]}.items():
        found = optimize.minimize(loss, np.zeros(2), rows, tol=1e-10).x
        assert table.loc[level, "none"].to_numpy() == pytest.approx(found, abs=1e-5)
    assert table.loc["a", "complete"].to_numpy() == pytest.approx(
        optimize.minimize(loss, np.zeros(2), data).x, abs=1e-4
    )
    assert table.loc["d", "none"].isna().all()


def test_coefficients_that_do_not_vary_are_common_without_pooling():
    """The levels are a factor: by normal equations, and by SciPy's minimiser of a Poisson likelihood."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(list("abcd"), 12), "x": rng.normal(size=48), "z": rng.normal(size=48)})
    data["y"] = data["x"] + rng.normal(size=48)
    table = bmx.pooling(bmx.Model("y ~ x + z + (x | g)", data).estimate())
    dummies = np.eye(4)[np.repeat(np.arange(4), 12)]
    X = np.column_stack([dummies, dummies * data[["x"]].to_numpy(), data["z"]])
    beta, rss = np.linalg.lstsq(X, data["y"])[:2]
    errors = np.sqrt(rss / (48 - 9) * np.diagonal(np.linalg.inv(X.T @ X)))
    for place, level in enumerate("abcd"):
        own = [place, 4 + place, 8]
        assert table.loc[level, "none"].to_numpy() == pytest.approx(beta[own], rel=1e-9)
        assert table.loc[level, "none std_error"].to_numpy() == pytest.approx(errors[own], rel=1e-9)

    data["n"] = rng.poisson(np.exp(0.5 + 0.4 * data["x"]))
    data.loc[data["g"] == "d", "n"] = 0  # says nothing, and is no reason to lose the others
    counts = bmx.pooling(bmx.Model("n ~ x + (1 | g)", data, family="poisson").estimate())
    X, n = np.column_stack([dummies[:36, :3], data["x"][:36]]), data["n"][:36]
    found = optimize.minimize(lambda beta: np.sum(np.exp(X @ beta) - n * (X @ beta)), np.zeros(4), tol=1e-10).x
    for place, level in enumerate("abc"):
        assert counts.loc[level, "none"].to_numpy() == pytest.approx(found[[place, 3]], abs=1e-5)
    assert counts.loc["d", "none"].isna().all()


def test_several_predictors_without_pooling_are_a_model_of_the_levels():
    """Zero-inflated counts: the estimate of the same model with the groups as a factor, no random effects."""
    data = bmx.load_dataset("Salamanders")
    data = data[data["site"].isin(["R-4", "R-6", "R-7", "R-12"])].assign(site=lambda own: own["site"].astype(str))
    formulas = ["count ~ DOP + (1 | site)", "zi ~ 1"]
    table = bmx.pooling(bmx.Model(formulas, data, family="zero_inflated_poisson").estimate())
    beta = bmx.Model(["count ~ 0 + site + DOP", "zi ~ 1"], data, family="zero_inflated_poisson").estimate().fixef()
    for level in data["site"].unique():
        expected = [beta.loc[f"site{level}", "estimate"], beta.loc["DOP", "estimate"]]
        assert table.loc[level, "none"].to_numpy()[:2] == pytest.approx(expected, abs=1e-4)


def test_what_a_level_alone_does_not_tell_is_blank():
    data = {"g": list("aabbccdd"), "treated": [0, 0, 1, 1, 0, 0, 1, 1], "y": [1.0, 2.0, 4.0, 5.0, 1.5, 2.5, 4.5, 5.0]}
    table = bmx.pooling(bmx.Model("y ~ treated + (1 | g)", data).estimate())
    assert np.isnan(table.loc[("a", "treated"), "none"])
    assert table.loc[("a", "Intercept"), "none"] == pytest.approx(1.5)
    assert np.all(np.isfinite(table["REML"]))


def test_effects_that_vary_between_levels_only_are_not_pooled_completely():
    table = bmx.pooling(bmx.Model("Reaction ~ 1 + (Days | Subject)", bmx.load_dataset("sleepstudy")).estimate())
    assert table.xs("Days", level="effect")["complete"].isna().all()
    assert table.xs("Days", level="effect")["REML"].notna().all()


def test_errors():
    with pytest.raises(SpecError, match="needs a fit"):
        bmx.pooling()
    with pytest.raises(SpecError, match=r"`Subjekt` is not a grouping factor\. Did you mean `Subject`"):
        bmx.pooling(sleepstudy()[0], group="Subjekt")
