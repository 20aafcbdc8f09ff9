"""What verbs make of smooths: part of the population, no grouping factor, kept by predictions, saved and refitted."""

import numpy as np
import pandas as pd
import pytest
from smooths import data, estimate, model, new_data

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.linear_predictor import flatten_coefficients


@pytest.fixture(scope="module")
def posterior():
    return model("two").sample(draws=250, seed=1)


def test_smooths_are_no_grouping_factor():
    fit = estimate("two")
    assert list(fit.ranef()) == list(fit.coef()) == list(fit.ranef_sd()) == ["g"]
    assert list(fit.icc().index) == ["g"]
    assert set(fit.varcorr()["group"]) == {"g", "sx_1", "sz_1", "Residual"}
    assert set(fit.tidy(("ran_vals",))["group"]) == {"g"}
    assert list(fit.influence().index)[:2] == ["g01", "g02"]


@pytest.mark.parametrize("groups", ["zero", "average", "new"])
def test_predictions_without_groups_keep_the_curves(groups):
    fit, new = estimate("two"), new_data()
    curves = fit.smooths(newdata=new).groupby("smooth", sort=False)["estimate"].apply(np.array)
    beta = fit.fixef()["estimate"]
    expected = beta["Intercept"] + beta["w"] * new["w"] + curves["s(x)"] + curves["s(z)"]
    np.testing.assert_allclose(fit.predict(new, groups=groups)["estimate"], expected)


def test_predictions_of_levels_are_the_population_and_their_effects(posterior):
    new = new_data()
    for fit, centre in ((estimate("two"), "estimate"), (posterior, "mean")):
        effect = fit.ranef()["g"].loc["g01", "Intercept"]
        difference = fit.predict(new)[centre] - fit.predict(new, groups="zero")[centre]
        np.testing.assert_allclose(difference, effect)


def test_the_curve_is_part_of_what_the_population_explains():
    fit = estimate("two")
    eta = fit.predict(data(), groups="zero", kind="linear")["estimate"]
    total = eta.var() + fit.values.sd[0][0] ** 2 + float(fit.values.dispersion) ** 2
    assert fit.r2().loc["marginal", "estimate"] == pytest.approx(eta.var() / total)


def test_a_curve_without_variance_is_no_singular_fit():
    fit = estimate("ml")
    assert fit.values.sd[1][0] == 0.0
    assert not fit.singular
    assert "singular" not in str(fit.summary())


@pytest.mark.slow
def test_saved_fits_have_the_same_curves(tmp_path, posterior):
    for name, fit in (("estimate", estimate("by_factor")), ("posterior", posterior)):
        fit.save(tmp_path / name)
        again = bmx.load(tmp_path / name)
        pd.testing.assert_frame_equal(again.smooths(points=10), fit.smooths(points=10))
        pd.testing.assert_frame_equal(again.predict(new_data()), fit.predict(new_data()))


def test_the_draws_are_named_as_those_of_brms(posterior):
    variables = posterior.data["posterior"]
    assert variables["sds_sx_1"].dims == ("chain", "draw")
    assert variables["s_sx_1"].sizes["sx_1_basis"] == 8
    assert "ranef_g" in variables
    assert "ranef_sx_1" not in variables


def test_terms_are_tested_without_the_fixed_parts_of_smooths():
    fit = bmx.Model("y ~ f + w + s(x, k = 5) + (1 | g)", data()).estimate()
    assert list(bmx.anova(fit).index) == ["f", "w"]
    assert list(fit.drop1().index) == ["f", "w", "s(x)"]
    assert list(fit.drop1(test="lrt").index) == ["<none>", "f", "w", "s(x, k = 5)"]


def test_updates_change_smooths():
    fit = estimate("two").update("~ . - s(z, k = 6) + s(z, k = 4)")
    assert fit.spec.text == "y ~ w + s(x) + s(z, k = 4) + (1 | g)"
    assert [term.group for term in fit.design.terms] == ["g", "sx_1", "sz_1"]


def test_priors_of_smooths_have_names_and_words():
    model = bmx.Model("y ~ s(x) + (1 | g)", data(), priors={"sds": "HalfNormal(2)", "sd": "HalfNormal(1)"})
    assert [str(prior) for own in model.priors.sd for prior in own] == ["HalfNormal(1)", "HalfNormal(2)"]
    text = str(bmx.Model("y ~ s(x) + (1 | g)", data()))
    assert "sds(sx_1)          ~ Exponential(" in text
    assert "sd of the curve: 95 % below" in text
    assert "mu[i] = beta[Intercept] + beta[sx_1] sx_1[i] + b[g: 1] + sx_1[i]" in text


def test_the_default_prior_of_a_smooth_is_that_of_a_curve_as_spread_as_the_response():
    design = bmx.Model("y ~ s(x) + (1 | g)", data())
    (prior,) = design.priors.sd[1]
    z = design.design.terms[1].z
    spread = np.sqrt(np.mean(np.sum(z**2, axis=1)))  # of a curve with a standard deviation of one
    assert spread / prior.arguments[0] == pytest.approx(np.std(design.design.y, ddof=1), rel=1e-2)


REFUSED = {
    "robust": (lambda fit: fit.robust_vcov("g"), "share the curve `sx_1`"),
    "pooling": (bmx.pooling, "The curve `sx_1` is no part of a regression"),
    "groups": (lambda fit: fit.predict(new_data(), groups={"sx_1": "zero"}), "`sx_1` is not a grouping factor"),
    "influence": (lambda fit: fit.influence("sx_1"), "`sx_1` is not a grouping factor"),
    "test": (lambda fit: fit.test_group("sx_1"), "`sx_1` is not a grouping factor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_curves_have_not_is_refused_by_name(name):
    ask, message = REFUSED[name]
    with pytest.raises(SpecError, match=message):
        ask(estimate("two"))


def test_models_without_groups_have_no_coefficients_of_groups_to_compare():
    fit = bmx.Model("y ~ s(x, k = 4)", data()).estimate()
    assert flatten_coefficients(fit.design, fit.values).shape == (0,)


@pytest.mark.slow  # loads bambi
def test_bambi_has_no_smooths():
    with pytest.raises(SpecError, match="no penalised smooths, `s\\(x\\)`"):
        model("two").to_bambi()


def test_a_cyclic_curve_is_found_along_its_variable():
    fit = estimate("cyclic")
    along = fit.conditional_effects("x")
    assert along["estimate"].iloc[0] == pytest.approx(along["estimate"].iloc[-1], abs=1e-6)
    assert np.ptp(along["estimate"]) > 0.1


def test_contrasts_that_no_curve_is_part_of_are_of_fixed_effects():
    fit = bmx.Model("y ~ f + s(x, k = 5) + (1 | g)", data()).estimate()
    for df in ("satterthwaite", "kenward-roger"):
        found = fit.contrasts("f", df=df).set_index("contrast").loc["b - a"]
        own = fit.hypothesis("fb = 0", df=df).iloc[0]
        np.testing.assert_allclose(found[["estimate", "std_error", "df"]], own[["estimate", "std_error", "df"]])
    with pytest.raises(SpecError, match="curves of smooths"):
        fit.marginal_means("f", df="kenward-roger")
