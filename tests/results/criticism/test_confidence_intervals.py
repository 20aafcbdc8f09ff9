"""Confidence intervals by each method against normal and t quantiles, and side by side."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from dense import ml_criterion, random_covariance
from distributional import estimate_of, model_of
from scipy import stats
from scipy.optimize import minimize, minimize_scalar

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.criticism.confidence_intervals import METHODS, applicable, side_by_side


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize("name", ["sleepstudy", "penicillin", "cbpp", "gammasim"])
def test_wald_limits_are_normal(fitted, name, level):
    fit = fitted(name)
    table = fit.confint(method="wald", level=level)
    half = stats.norm.ppf(0.5 + 0.5 * level) * np.sqrt(np.diagonal(fit.point.beta_cov))
    assert list(table.index) == list(fit.design.fixed)
    np.testing.assert_allclose(table["lower"], fit.values.beta - half, rtol=1e-10)
    np.testing.assert_allclose(table["upper"], fit.values.beta + half, rtol=1e-10)


def test_wald_and_satterthwaite_limits_are_lme4s_and_lmertests(fitted):
    fit = fitted("sleepstudy")
    wald, t = fit.confint(["Days"], method="wald"), fit.confint(["Days"], method="satterthwaite")
    se = 1.545789  # lme4's, Bates et al. 2015, section 5
    assert wald["upper"].iloc[0] - 10.467286 == pytest.approx(1.959964 * se, rel=1e-5)
    assert t["upper"].iloc[0] - 10.467286 == pytest.approx(2.109816 * se, rel=1e-5)  # t quantile at 17 df
    assert 10.467286 - t["lower"].iloc[0] == pytest.approx(2.109816 * se, rel=1e-5)


def test_parameters_come_in_the_order_asked_for(fitted):
    fit = fitted("sleepstudy")
    whole = fit.confint(method="wald")
    assert fit.confint(["Days", "Intercept"], method="wald").equals(whole.loc[["Days", "Intercept"]])
    t = fit.confint(["Days", "Intercept"], method="satterthwaite")
    assert t.equals(fit.confint(method="satterthwaite").loc[["Days", "Intercept"]])


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_profile_limits_raise_the_deviance_by_the_quantile(fitted, level):
    """Of the ML fit, whatever the method; the dense deviance is least over the other two parameters."""
    fit = fitted("dyestuff")
    design = fit.design

    def deviance(log_sd: float, log_sigma: float) -> float:
        V = np.exp(2.0 * log_sigma) * np.eye(len(design.y)) + random_covariance(
            design, [np.exp(2.0 * log_sd) * np.eye(1)]
        )
        return ml_criterion(design, V, 1.0)

    options = {"xatol": 1e-9, "fatol": 1e-11}
    lowest = minimize(lambda x: deviance(*x), np.log([40.0, 50.0]), method="Nelder-Mead", options=options).fun
    rise = stats.chi2(1).ppf(level)
    for limit in fit.confint(["sd(Batch, Intercept)"], level=level).iloc[0]:
        held = minimize_scalar(partial(deviance, np.log(limit)), bracket=(3.5, 4.5))
        assert held.fun - lowest == pytest.approx(rise, abs=2e-4)


def test_methods_side_by_side(fitted, posterior_of):
    fit, posterior = fitted("dyestuff"), posterior_of("dyestuff", 2, 50, 0.2)
    table = side_by_side(fit, posterior, 0.9, ["wald", "credible", "profile"])
    assert list(table.columns) == [
        f"{m} {side}" for m in ("wald", "credible", "profile") for side in ("lower", "upper")
    ]
    assert list(table.index) == fit.names
    np.testing.assert_array_equal(table.filter(like="profile"), fit.confint(level=0.9))
    np.testing.assert_array_equal(table.filter(like="credible"), posterior.parameters(0.9)[["lower", "upper"]])
    np.testing.assert_array_equal(table.filter(like="wald").iloc[:1], fit.confint(level=0.9, method="wald"))
    assert table.filter(like="wald").iloc[1:].isna().all(axis=None)
    assert list(side_by_side(fit, None, 0.9, ["wald", "credible"]).columns) == ["wald lower", "wald upper"]


def test_methods_that_apply(fitted):
    linear = ("wald", "satterthwaite", "kenward-roger", "profile", "bootstrap")
    assert applicable(fitted("sleepstudy")) == applicable(fitted("sleepstudy", "ml")) == linear
    assert set(linear) == set(METHODS)
    members = bmx.Model("Reaction ~ Days + (1 | mm(Subject, g))", bmx.load_dataset("sleepstudy").assign(g="a"))
    assert applicable(members.estimate()) == ("wald", "satterthwaite", "profile", "bootstrap")
    assert applicable(fitted("cbpp")) == ("wald", "profile", "bootstrap")
    assert applicable(estimate_of("gaussian_offsets_reml")) == ("wald", "profile", "bootstrap")
    with pytest.raises(bmx.SpecError, match="for linear mixed models"):
        fitted("cbpp").confint(method="satterthwaite")


@pytest.mark.slow
def test_reml_fits_with_a_formula_of_sigma_are_profiled_by_maximum_likelihood():
    reml = estimate_of("gaussian_offsets_reml")
    ml = model_of("gaussian_offsets_reml").estimate("ml")
    pd.testing.assert_frame_equal(reml.confint(["sigma_x"]), ml.confint(["sigma_x"]), check_exact=True)
    assert not reml.confint(["x"], method="wald").equals(ml.confint(["x"], method="wald"))


def test_limits_that_are_no_numbers_are_explained():
    """Separated by a predictor: its profile has no end, which a note says and the table keeps."""
    data = {"y": [0, 0, 0, 0, 1, 1, 1, 1] * 3, "x": [0, 0, 0, 0, 1, 1, 1, 1] * 3, "g": list("abcd") * 6}
    model = bmx.Model("y ~ x + (1 | g)", data, family="bernoulli")
    with pytest.warns(bmx.ConvergenceWarning):
        fit = model.estimate()
    with pytest.warns(bmx.ConvergenceWarning, match="`x` has no upper profile limit"):
        table = fit.confint(["x"])
    assert np.isinf(table["upper"].iloc[0])
    assert table["lower"].iloc[0] > 0.0
    assert any("`x` has no upper profile limit" in note for note in table.attrs["notes"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"parameters": ["ncontrol"]}, "Did you mean `ncontrols`"),
        ({"method": "profil"}, "Did you mean `profile`"),
        ({"parameters": ["sigma"], "method": "wald"}, "Only fixed effects have wald intervals"),
        ({"level": 95, "method": "wald"}, "95"),
    ],
)
def test_unknown_names_methods_and_levels(fitted, asked, message):
    with pytest.raises(bmx.SpecError, match=message):
        fitted("esoph").confint(**asked)


def test_one_text_names_a_parameter_or_a_method(fitted):
    fit = fitted("sleepstudy")
    pd.testing.assert_frame_equal(fit.confint("wald"), fit.confint(method="wald"))
    pd.testing.assert_frame_equal(fit.confint("Days", method="wald"), fit.confint(["Days"], method="wald"))
    with pytest.raises(SpecError, match=r"There is no parameter `boot` here\. Did you mean `bootstrap`"):
        fit.confint("boot")
    with pytest.raises(SpecError, match=r"There is no parameter `Dyas` here\. Did you mean `Days`"):
        fit.confint("Dyas")
