"""Verbs of fits whose models impute missing values."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from imputation import MODELS, estimate, frame, model

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError


def test_terms_are_imputed_predictors_too():
    table = bmx.anova(estimate("interaction"))
    assert list(table.index) == ["y_x", "y_mi(z)", "y_mi(z):x", "z_w"]
    parameters = estimate("interaction").parameters()
    wald = (parameters["estimate"] / parameters["std_error"])["y_mi(z):x"] ** 2
    assert table["chisq"]["y_mi(z):x"] == pytest.approx(wald, rel=1e-6)
    with pytest.raises(SpecError, match="type=3, not 2"):
        bmx.anova(estimate("interaction"), type=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "labels"),
    [("fixed", ["y_x", "y_mi(z)", "z_w"]), ("interaction", ["y_mi(z):x", "z_w"])],
)
def test_single_deletions_are_the_models_without(name, labels):
    table = estimate(name).drop1()
    assert list(table.index) == ["<none>", *labels]
    last = next(one for one in labels if "mi(" in one)
    smaller = MODELS[name][0][0].replace(" + " + last.removeprefix("y_"), "")
    without = bmx.Model([smaller, *MODELS[name][0][1:]], frame()).estimate()
    assert table["lrt"][last] == pytest.approx(without.criterion - estimate(name).criterion, rel=1e-6)


@pytest.mark.slow
def test_changes_keep_imputed_predictors():
    assert estimate("fixed").update("~ . - x").fitted_model.spec.formula_texts == (
        "y | mi() ~ mi(z)",
        "z | mi() ~ w",
    )


@pytest.mark.slow
def test_stored_and_pickled(tmp_path):
    fit = estimate("groups")
    fit.save(tmp_path / "fit.zarr")
    for again in (bmx.load(tmp_path / "fit.zarr"), pickle.loads(pickle.dumps(fit))):
        pd.testing.assert_frame_equal(again.imputed("z"), fit.imputed("z"))
        assert np.asarray(again.fitted()) == pytest.approx(np.asarray(fit.fitted()))


def test_summary_and_text():
    text = str(estimate("groups").summary())
    missing = frame()[["y", "z"]].isna().sum()
    assert f"Missing values integrated out: {missing['y']} of y, {missing['z']} of z" in text
    assert estimate("groups").df_resid == 2 * len(frame()) - missing.sum() - 9
    (row,) = [line for line in text.splitlines() if line.startswith("mi(z) ")]
    assert float(row.split()[1]) == pytest.approx(estimate("groups").parameters()["estimate"]["y_mi(z)"], abs=1e-4)
    printed = " ".join(str(model("interaction")).split())
    assert "(beta[y_mi(z)] + beta[y_mi(z):x] x[i]) z[i]" in printed
    assert f"z[i] is missing in {missing['z']} rows: integrated out" in printed
    assert "95 % within" in printed
    assert "y per z:x" in printed


def test_words_of_brms():
    code = model("interaction").code("brms")
    assert 'coef = "miz", resp = "y"' in code
    assert 'coef = "miz:x", resp = "y"' in code
    assert "at the means of imputed predictors here" in code


def test_what_is_not_there_is_refused():
    with pytest.raises(SpecError, match="integrated out"):
        model("fixed").prior_predictive()
    with pytest.raises(SpecError, match="weights="):
        bmx.Model(MODELS["fixed"][0], frame(), weights="w")
    with pytest.raises(SpecError, match="bambi"):
        model("fixed").to_bambi()
    data = frame().dropna(subset=["y"])
    with pytest.raises(DataError, match="`z` has no value"):
        bmx.Model(["y ~ x + mi(z)", "z | mi() ~ w"], data.assign(z=np.nan))
    with pytest.raises(DataError, match="missing values of a factor are not imputed"):
        bmx.Model(["y ~ x + mi(z)", "z | mi() ~ w"], data.assign(z="a"))
    with pytest.raises(DataError, match=r"Write `mi\(I\(z - 5000\)\)`"):
        bmx.Model(["y ~ x + mi(z)", "z | mi() ~ w"], data.assign(z=data["z"] + 5000.0))
    bmx.Model(["y ~ x + mi(I(z - 5000))", "I(z - 5000) | mi() ~ w"], data.assign(z=data["z"] + 5000.0))
    with pytest.raises(SpecError, match="would be called"):
        bmx.Model(["y ~ mi(logz)", "logz | mi() ~ w", "log(z) ~ w"], data.assign(logz=data["z"]))


def test_plain_responses_without_a_value_are_left_out_as_in_brms():
    with pytest.warns(bmx.DroppedWarning, match="missing values in `y`"):
        found = bmx.Model(["y ~ x + mi(z)", "z | mi() ~ w"], frame())
    assert found.design.n == frame()["y"].notna().sum()


@pytest.mark.slow
def test_verbs_of_a_posterior(tmp_path):
    post = model("groups").sample(seed=1, draws=500)
    assert post.converged
    exact = estimate("groups").imputed("z")
    found = post.imputed("z")
    assert found["mean"].to_numpy() == pytest.approx(exact["estimate"].to_numpy(), abs=0.3)
    drawn = post.imputed("z", n=2000, seed=2)
    assert drawn.mean(axis=1).to_numpy() == pytest.approx(found["mean"].to_numpy(), abs=0.08)
    assert drawn.std(axis=1).to_numpy() == pytest.approx(found["sd"].to_numpy(), rel=0.08)
    assert np.all(post.ppc(response="y")["p"].between(0.005, 0.995))
    assert np.isfinite(post.loo().elpd)
    replicated = post.posterior_predictive()
    assert set(replicated) == {"y", "z"}
    assert np.isfinite(replicated["z"].to_numpy()).all()
    post.save(tmp_path / "post.zarr")
    again = bmx.load(tmp_path / "post.zarr")
    pd.testing.assert_frame_equal(again.imputed("z"), found)
