"""Models of known standard errors against metafor's rma.mv (tests/reference/meta) and dense normal likelihoods."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

FOLDER = Path(__file__).parents[2] / "reference" / "meta"
FIGURES = json.loads((FOLDER / "metafor.json").read_text(encoding="utf-8"))["cases"]
EXACT = {"rtol": 1e-6, "atol": 1e-8}
MODELS = {
    "bcg": ("yi | se(sei) ~ 1 + (1 | trial)", "bcg"),
    "bcg_ablat": ("yi | se(sei) ~ ablat + (1 | trial)", "bcg"),
    "konstantopoulos": ("yi | se(sei) ~ 1 + (1 | district/school)", "konstantopoulos"),
    "konstantopoulos_year": ("yi | se(sei) ~ I(year - 1990) + (1 | district/school)", "konstantopoulos"),
}
CASES = [(name, method) for name in MODELS for method in ("reml", "ml")]


@cache
def data(name):
    return pd.read_csv(FOLDER / f"{name}.csv")


@cache
def fitted(name, method):
    formula, frame = MODELS[name]
    return bmx.Model(formula, data(frame)).estimate(method)


def variances(fit):
    """Of the coarsest factor first, as metafor has them."""
    return np.array([float(sd[0]) ** 2 for sd in reversed(fit.values.sd)])


@pytest.mark.parametrize(("name", "method"), CASES)
def test_estimates_are_metafors(name, method):
    fit, own = fitted(name, method), FIGURES[f"{name}_{method}"]
    log_det = own["log_det_X"] if method == "reml" else 0.0  # metafor's restricted likelihood has it
    np.testing.assert_allclose(fit.criterion, -2.0 * own["loglik"] + log_det, **EXACT)
    np.testing.assert_allclose(variances(fit), own["sigma2"], rtol=1e-5)  # where the criterion is flat to 1e-10
    np.testing.assert_allclose(fit.fixef()["estimate"], np.atleast_1d(own["beta"]), **EXACT)
    np.testing.assert_allclose(fit.vcov, own["vb"], **EXACT)
    assert fit.converged
    assert not fit.problems
    assert fit.values.dispersion is None


@pytest.mark.parametrize("method", ["reml", "laplace"])
def test_noise_beside_known_errors_is_the_same_model(method):
    """One level a row, or sigma: the same variances."""
    own = FIGURES[f"bcg_ablat_{'reml' if method == 'reml' else 'ml'}"]
    fit = bmx.Model("yi | se(sei, sigma = TRUE) ~ ablat", data("bcg")).estimate(method)
    log_det = own["log_det_X"] if method == "reml" else 0.0
    np.testing.assert_allclose(fit.criterion, -2.0 * own["loglik"] + log_det, **EXACT)
    np.testing.assert_allclose(fit.parameters()["estimate"]["sigma"] ** 2, own["sigma2"], rtol=1e-5)
    np.testing.assert_allclose(fit.fixef()["estimate"], own["beta"], **EXACT)


def test_common_effect_has_no_variance_to_estimate():
    fit, own = bmx.Model("yi | se(sei) ~ ablat", data("bcg")).estimate("ml"), FIGURES["bcg_common"]
    np.testing.assert_allclose(fit.criterion, -2.0 * own["loglik"], **EXACT)
    np.testing.assert_allclose(fit.fixef()["estimate"], own["beta"], **EXACT)
    np.testing.assert_allclose(fit.fixef()["std_error"], own["se"], **EXACT)
    assert np.isinf(fit.satterthwaite()["df"]).all()


def test_shrunken_effects_are_metafors():
    own = FIGURES["bcg_rma"]
    np.testing.assert_allclose(fitted("bcg", "reml").ranef()["trial"]["Intercept"], own["blup"], **EXACT)


def dense(tau, *, reml=True):
    """Restricted criterion of the BCG trials at a standard deviation, from its definition; and Var(beta)."""
    frame = data("bcg")
    V, X = np.diag(frame.sei**2 + tau**2), np.column_stack([np.ones(len(frame)), frame.ablat])
    P = np.linalg.inv(V)
    beta_cov = np.linalg.inv(X.T @ P @ X)
    r = frame.yi - X @ (beta_cov @ X.T @ P @ frame.yi)
    value = np.linalg.slogdet(2.0 * np.pi * V)[1] + r @ P @ r
    extra = np.linalg.slogdet(X.T @ P @ X / (2.0 * np.pi))[1]
    return value + extra * reml, beta_cov


def test_satterthwaite_by_differences_of_the_dense_criterion():
    """The one variance parameter is tau: 2 v^2 / (v'^2 Var(tau))."""
    fit = fitted("bcg_ablat", "reml")
    tau, h = float(fit.values.sd[0][0]), 1e-4
    curvature = (dense(tau + h)[0] - 2.0 * dense(tau)[0] + dense(tau - h)[0]) / h**2
    v = np.diagonal(dense(tau)[1])
    slope = np.diagonal(dense(tau + h)[1] - dense(tau - h)[1]) / (2.0 * h)
    df = 2.0 * v**2 / (slope**2 * 2.0 / curvature)
    np.testing.assert_allclose(fit.satterthwaite()["df"], df, rtol=1e-4)


def test_kenward_roger_by_the_formulas():
    """With one number, V = D + tau^2 I: expected information tr(P P) / 2, no second derivative."""
    fit, frame = fitted("bcg_ablat", "reml"), data("bcg")
    tau2 = float(fit.values.sd[0][0]) ** 2
    W = np.diag(1.0 / (frame.sei**2 + tau2))
    X = np.column_stack([np.ones(len(frame)), frame.ablat])
    Phi = np.linalg.inv(X.T @ W @ X)
    P = W - W @ X @ Phi @ X.T @ W
    w = 2.0 / np.trace(P @ P)
    P1, Q = -X.T @ W @ W @ X, X.T @ W @ W @ W @ X
    adjusted = Phi + 2.0 * w * Phi @ (Q - P1 @ Phi @ P1) @ Phi
    table = fit.confint("kenward-roger")
    v, slope = np.diagonal(Phi), np.diagonal(Phi @ P1 @ Phi)
    from scipy.stats import t

    reach = t.ppf(0.975, 2.0 * v**2 / (slope**2 * w)) * np.sqrt(np.diagonal(adjusted))
    np.testing.assert_allclose((table["upper"] - table["lower"]) / 2.0, reach, rtol=1e-6)


def test_profile_limits_rise_by_the_quantile():
    from scipy.stats import chi2

    fit = fitted("bcg_ablat", "ml")
    for limit in fit.confint("profile").loc["sd(trial, Intercept)"]:
        assert limit == 0.0 or dense(limit, reml=False)[0] - fit.criterion == pytest.approx(chi2.ppf(0.95, 1), abs=1e-4)


def test_prediction_interval_of_a_new_study():
    fit, own = fitted("bcg_ablat", "reml"), FIGURES["bcg_ablat_reml"]
    found = fit.predict({"ablat": [30.0]}, groups="new", kind="mean", df="asymptotic").iloc[0]
    np.testing.assert_allclose(
        found[["estimate", "lower", "upper"]], [own[k] for k in ("pred", "pi_lb", "pi_ub")], **EXACT
    )


def test_homogeneous_studies_are_on_the_boundary():
    frame = data("bcg").assign(yi=lambda d: 0.2 + 0.3 * d.sei * np.cos(np.arange(len(d))))
    fit = bmx.Model("yi | se(sei) ~ 1 + (1 | trial)", frame).estimate()
    assert fit.converged
    assert fit.values.sd[0][0] == 0.0
    w = frame.sei**-2.0
    np.testing.assert_allclose(fit.fixef()["estimate"], [np.sum(w * frame.yi) / w.sum()], **EXACT)
    sigma = bmx.Model("yi | se(sei, sigma = TRUE) ~ 1", frame)
    with pytest.warns(bmx.errors.ConvergenceWarning, match="without `sigma`"):
        found = sigma.estimate()
    np.testing.assert_allclose(found.criterion, fit.criterion, rtol=1e-6)


def test_new_observations_have_the_errors_of_their_rows():
    fit = fitted("bcg", "reml")
    new = pd.DataFrame({"sei": [0.1, 1.0]})
    found = fit.predict(new, groups="new", kind="response", df="asymptotic")["std_error"]
    mean = fit.predict(new, groups="new", kind="mean", df="asymptotic")["std_error"]
    np.testing.assert_allclose(found**2 - mean**2, new.sei**2, rtol=1e-9)
    with pytest.raises(bmx.DataError, match="Column `sei`"):
        fit.predict(pd.DataFrame({"x": [1.0]}), groups="average", kind="response")


def test_pearson_residuals_are_over_the_errors():
    fit = fitted("bcg", "reml")
    np.testing.assert_allclose(fit.residuals("pearson"), fit.residuals("response") / data("bcg").sei, rtol=1e-12)


BAD = {
    "yi | se(neg) ~ 1": ("DataError", r"`se\(neg\)` is -1 in row 1 .*Standard errors are positive"),
    "yi | se(zero) ~ 1": ("DataError", "is 0 in row 2"),
    "yi | se(text) ~ 1": ("DataError", "not a column of numbers"),
    "yi | se(neg, sigma = TRUE) ~ 1": ("DataError", "is -1 in row 1"),
    "yi | se(sei, sigma = maybe) ~ 1": ("FormulaError", r"Write `se\(s\)`"),
    "yi | se() ~ 1": ("FormulaError", "wrong arguments"),
    "yi | se(sei) + weights(w) ~ 1": ("SpecError", "weights"),
}


@pytest.mark.parametrize("formula", BAD)
def test_bad_errors_are_one_message(formula):
    kind, message = BAD[formula]
    frame = data("bcg").assign(
        neg=lambda d: d.sei.where(d.index != 1, -1.0),
        zero=lambda d: d.sei.where(d.index != 2, 0.0),
        text=["a", "b", "c"] * 4 + ["a"],
        w=1.0,
    )
    with pytest.raises(getattr(bmx, kind), match=message):
        bmx.Model(formula, frame)


def test_errors_and_what_they_contradict():
    frame = data("bcg").assign(n=1, w=1.0)
    with pytest.raises(bmx.DataError, match="leave one of them out"):
        bmx.Model("yi | se(sei) ~ 1", frame, weights="w")
    with pytest.raises(bmx.SpecError, match="no standard errors"):
        bmx.Model("n | se(sei) ~ 1", frame, family="poisson")
    with pytest.raises(bmx.SpecError, match="sigma = TRUE"):
        bmx.Model(["yi | se(sei) ~ 1", "sigma ~ ablat"], frame)


def test_a_missing_error_leaves_its_row_out():
    frame = data("bcg").assign(sei=lambda d: d.sei.where(d.index != 3))
    with pytest.warns(bmx.errors.DroppedWarning, match="`sei` \\(1\\)"):
        model = bmx.Model("yi | se(sei) ~ 1 + (1 | trial)", frame)
    assert model.design.n == 12


def test_several_responses_have_errors_of_their_own():
    """Each is a model by itself, whether errors are weights or predictors."""
    frame = data("bcg").assign(other=lambda d: d.yi**2, sez=lambda d: d.sei + 0.1)
    both = bmx.Model(["yi | se(sei) ~ 1 + (1 | trial)", "other | se(sez) ~ ablat"], frame).estimate()
    alone = [
        bmx.Model(formula, frame).estimate("ml")
        for formula in ("yi | se(sei) ~ 1 + (1 | trial)", "other | se(sez) ~ ablat")
    ]
    np.testing.assert_allclose(both.criterion, sum(fit.criterion for fit in alone), rtol=1e-8)


@pytest.mark.parametrize("noise", ["", ", sigma = TRUE"])
def test_an_error_that_all_rows_share_is_a_column_of_it(noise):
    frame = data("bcg").assign(s=0.3)
    shared, column = (
        bmx.Model(f"yi | se({text}{noise}) ~ ablat + (1 | alloc)", frame).estimate() for text in ("0.3", "s")
    )
    assert shared.criterion == pytest.approx(column.criterion, abs=1e-10)
    new = frame.head(3).drop(columns="s")
    np.testing.assert_allclose(
        shared.predict(new, kind="response")[["lower", "upper"]],
        column.predict(new.assign(s=0.3), kind="response")[["lower", "upper"]],
        rtol=1e-6,
    )
