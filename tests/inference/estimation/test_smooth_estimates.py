"""Estimates of models with smooths are those of gamm4: criterion, fitted values, standard deviations."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from smooths import data, estimate, reference

import bayesmix as bmx
from bayesmix.data.datasets import load_dataset
from bayesmix.errors import SpecError

BREADTH = Path(__file__).parents[2] / "reference" / "breadth" / "estimates"
SLOW = {"logistic", "poisson", "by_ordered", "tensor"}
CASES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in reference()["cases"]]


@pytest.mark.parametrize("name", CASES)
def test_the_criterion_and_fitted_values_are_those_of_gamm4(name):
    case, fit = reference()["cases"][name], estimate(name)
    loose = 1e-7 if name == "logistic" else 1e-8  # glmer's own search ends a little above
    assert fit.criterion == pytest.approx(case["criterion"], rel=loose)
    fitted = np.array(case["fitted"])
    np.testing.assert_allclose(fit.fitted()[: len(fitted)], fitted, atol=1e-3 * np.std(fitted))


@pytest.mark.parametrize("name", ["thin", "by_factor", "by_number", "surface", "slopes"])
def test_standard_deviations_of_smooths_are_those_of_gamm4(name):
    case, fit = reference()["cases"][name], estimate(name)
    theirs = sorted(sd for group, sd in case["sds"].items() if group.startswith("Xr"))
    ours = sorted(fit.parameters()["estimate"].filter(like="sds("))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    assert float(fit.values.dispersion) == pytest.approx(case["sigma"], rel=1e-4)


def test_curves_of_levels_are_random_effects_of_three_standard_deviations():
    case = reference()["levels"]
    fit = bmx.Model(case["formula"], data()).estimate()
    assert fit.criterion == pytest.approx(case["criterion"], rel=1e-8)
    assert list(fit.ranef()) == ["g"]
    assert fit.ranef()["g"].shape == (20, 5)
    assert fit.smooth_terms().loc["s(x,g)", "edf"] == pytest.approx(case["edf"], abs=1e-3)


@pytest.mark.parametrize("name", ["sleepstudy_smooth", "wavesim_smooth"])
def test_smooths_of_the_survey(name):
    case = json.loads((BREADTH.parent / "smooths" / f"{name}.json").read_text())
    frame = load_dataset("sleepstudy") if case["data"] == "sleepstudy" else _wavesim()
    fit = bmx.Model(case["bayesmix"]["formula"], frame).estimate()
    assert fit.criterion == pytest.approx(case["criterion"]["value"], rel=1e-8)
    np.testing.assert_allclose(fit.fitted()[:10], case["fitted_first10"], rtol=1e-5)
    edf = fit.smooth_terms()["edf"].iloc[0]
    assert edf == pytest.approx(next(iter(case["edf"].values())), abs=1e-3)
    population = case["predictions"]
    new = {name: [row[name] for row in population["newdata"]] for name in population["newdata"][0]}
    found = fit.predict(new, groups="zero")
    np.testing.assert_allclose(found["estimate"], population["population"]["response"], rtol=1e-5)
    np.testing.assert_allclose(found["std_error"], population["population"]["se"], rtol=1e-4)


def _wavesim():
    return pd.read_csv(BREADTH.parent / "data" / "wavesim.csv")


def test_maximum_likelihood_does_not_depend_on_how_the_fixed_part_is_written():
    case = json.loads((BREADTH.parent / "smooths" / "wavesim_smooth.json").read_text())
    fit = bmx.Model("y ~ s(x) + (1 | g)", _wavesim()).estimate("ML")
    assert fit.criterion == pytest.approx(case["checks"]["dense"]["ML_minus_2_logLik"], rel=1e-8)


# ---- beside correlated residuals: mgcv's gamm ------------------------------------------------------------------------

BESIDE = {
    "plain": "y ~ f + s(x, k = 6) + ar(t, g)",
    "strata": "y ~ w + s(x, k = 6) + s(z, k = 5) + ar(t, g); sigma ~ f",
    "levels": "y ~ w + s(x, k = 6) + (1 | g) + ar(t, g)",
}
GAMM = json.loads((BREADTH.parents[1] / "smooths" / "residuals.json").read_text())


@pytest.mark.parametrize("name", BESIDE)
def test_smooths_beside_correlated_residuals_are_those_of_gamm(name):
    frame, case = data(), GAMM[name]
    frame = frame.assign(t=frame.groupby("g").cumcount() + 1)
    fit = bmx.Model(BESIDE[name], frame).estimate()
    assert fit.loglik == pytest.approx(case["loglik"], abs=1e-6)
    assert fit.parameters()["estimate"]["ar[1]"] == pytest.approx(case["ar"], abs=1e-5)
    curve = fit.predict(frame.head(8), groups="zero")
    np.testing.assert_allclose(curve["estimate"], case["population"], atol=1e-5)
    np.testing.assert_allclose(curve["std_error"], case["se"], atol=1e-5)
    for label, row in case["table"].items():
        assert fit.smooth_terms().loc[label, "edf"] == pytest.approx(row["edf"], abs=1e-4)
    if name == "plain":  # a line, whose test needs no reference degrees of freedom, which gamm does not have
        line = fit.smooth_terms().loc["s(x)"]
        assert line["statistic"] == pytest.approx(case["table"]["s(x)"]["F"], rel=1e-5)
        assert line["p_value"] == pytest.approx(case["table"]["s(x)"]["p-value"], rel=1e-4)


def test_smooths_of_sigma_beside_correlated_residuals_are_refused():
    with pytest.raises(SpecError, match=r"fixed effects alone, not `s\(z\)`"):
        bmx.Model(["y ~ x + ar(t, g)", "sigma ~ s(z)"], data())
