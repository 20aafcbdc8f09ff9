"""Families against the survey of models by R: criterion, estimates, effects, predictions (breadth/README.md)."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from breadth import FOLDER, frame

import bayesmix as bmx

SLOW = (
    "soup_probit",
    "grouseticks_hurdle",
    "grouseticks_nbinom1",
    "owls_hurdle_nbinom1",
    "salamanders_zinb",
    "salamanders_hurdle_nb",
    "owls_hurdle_poisson",
    "salamanders_zip",
    "inhaler_cumulative",
    "grouseticks_zip",
)
CASES = (
    *("epilepsy_zip", "cbpp_betabinomial", "owls_zero_inflated_nbinom1"),
    *(
        "sleepstudy_student",
        "shares_beta",
        "shares_beta_phi",
        "amounts_hurdle_gamma",
        "kidney_lognormal",
        "kidney_weibull",
    ),
    *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW),
)
ON_EDGE = 1e-4  # standard deviation that is zero: of cases that the reference marks as singular
FACTORS = {
    "grouseticks": ["YEAR", "BROOD", "LOCATION"],
    "soup": ["RESP", "PROD", "SOUPTYPE"],
    "kidney": ["sex"],
}  # numbers in the file, factors in R
ORDERS = {
    "SOUPTYPE": ["Self-made", "Canned", "Dry-mix"],
    "sex": ["male", "female"],
}  # of levels, where it is not the alphabet's


def named(one):
    """The name of a case, which may stand in a parameter of pytest."""
    return one if isinstance(one, str) else one.values[0]


@cache
def case(name):
    return json.loads((FOLDER / "survey" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def fit(name):
    words = case(name)
    data = frame(words["data"])
    factors = FACTORS.get(words["data"], [])
    data = data.astype(dict.fromkeys(factors, "str")).astype(dict.fromkeys(factors, "category"))
    for column, levels in ORDERS.items():
        if column in data:
            data[column] = data[column].cat.set_categories(levels)
    formula = words["bayesmix"]["formula"]
    link = words["bayesmix"].get("link")
    return bmx.Model(formula, data, family=words["bayesmix"]["family"], link=link).estimate()


def is_singular(name):
    return any(sd < ON_EDGE for block in case(name)["varcorr"] for sd in block["sd"])


def coefficients(name):
    """Names here, estimates and standard errors of the reference."""
    for parameter, own in case(name)["predictors"].items():
        if parameter == "dispersion":  # a number beside the only predictor
            continue
        for column, value in own.items():
            prefix = "" if parameter == "mu" else f"{parameter}_"
            yield prefix + column.replace("(Intercept)", "Intercept"), value["estimate"], value["se"]
    for threshold, value in case(name).get("thresholds", {}).items():
        yield threshold, value["estimate"], value["se"]
    if "nu" in case(name):
        yield "nu_Intercept", case(name)["nu"]["log_value"], case(name)["nu"]["se_log"]


def on_link(name):
    """Estimates by name; a parameter without a formula is reported on its own scale, here it is on its link's."""
    found = dict(fit(name).parameters()["estimate"])
    response = fit(name).spec.responses[0]
    for parameter, link in zip(response.family.parameters, response.links, strict=True):
        if parameter.name in found:
            found[f"{parameter.name}_Intercept"] = float(link.of(np.asarray(found[parameter.name])))
    return found


@pytest.mark.parametrize("name", CASES)
def test_criterion(name):
    expected = case(name)["criterion"]["value"]
    assert fit(name).criterion == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_fixed_effects(name):
    found = on_link(name)
    names = fit(name).design.fixed
    renamed = {n.replace("Trt1", "Trt"): n for n in names}
    for own, estimate, error in coefficients(name):
        mine = own if own in found else renamed.get(own.replace("Trt1", "Trt"))
        assert abs(found[mine] - estimate) <= (1e-3 if is_singular(name) else 1e-4) * error, own


@pytest.mark.parametrize("name", [one for one in CASES if case(named(one)).get("numbers")])
def test_numbers(name):
    """Parameters that are one number for all rows, by the errors of their logarithms."""
    for own, expected in case(name)["numbers"].items():
        found = float(fit(name).parameters().loc[own, "estimate"])
        assert abs(np.log(found / expected["value"])) <= 1e-4 * expected["se_log"]


@pytest.mark.parametrize("name", [one for one in CASES if "dispersion" in case(named(one))["predictors"]])
def test_dispersion(name):
    """By the error of its logarithm."""
    error = case(name)["predictors"]["dispersion"]["(Intercept)"]["se"]
    found = float(fit(name).values.dispersion)
    tolerance = (1e-3 if is_singular(name) else 1e-4) * error
    assert np.log(found) == pytest.approx(np.log(case(name)["dispersion"]["value"]), abs=tolerance)


@pytest.mark.parametrize("name", CASES)
def test_standard_deviations(name):
    found = [sd for sds in fit(name).values.sd for sd in sds]
    expected = [sd for block in case(name)["varcorr"] for sd in block["sd"]]
    found, expected = np.maximum(found, ON_EDGE), np.maximum(expected, ON_EDGE)
    np.testing.assert_allclose(np.log(found), np.log(expected), atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_effects_are_conditional_modes(name):
    for block, sds in zip(case(name)["ranef"], fit(name).values.sd, strict=True):
        table = fit(name).ranef()[block["group"]]
        prefix = "" if block["predictor"] in ("mu", ["mu"]) else f"{block['predictor']}_"
        own = [prefix + effect.replace("(Intercept)", "Intercept") for effect in block["names"]]
        expected = np.array([block["levels"][str(level)]["mode"] for level in table.index])
        assert np.max(np.abs(table[own].to_numpy() - expected)) <= 1e-3 * max(*sds, ON_EDGE)


@pytest.mark.parametrize("name", CASES)
def test_predicted_means(name):
    """Of all parameters of the distribution, with effects and with all of them at zero."""
    reference = case(name)["predictions"]
    rows = np.array(reference["rows_1_based"]) - 1
    scopes = {"with_group_effects": "fitted", "without_group_effects": "zero"}
    for scope, groups in ((scope, groups) for scope, groups in scopes.items() if scope in reference):
        found = fit(name).predict(groups=groups)["estimate"].to_numpy().reshape(len(fit(name).design.y), -1)[rows]
        np.testing.assert_allclose(found, means(reference[scope]), rtol=1e-4)
    found = fit(name).fitted().to_numpy().reshape(len(fit(name).design.y), -1)[rows]
    np.testing.assert_allclose(found, means(reference["with_group_effects"]), rtol=1e-4)


def means(reference):
    """Means as one column, or probabilities of categories."""
    return np.array(reference.get("category_probabilities") or np.array(reference["response"])[:, None])


# in other cases the field is of the zeros of their own alone
WITH_ZEROS = [one for one in CASES if named(one).startswith(("owls", "salamanders", "grouseticks_hurdle"))]


@pytest.mark.parametrize("name", WITH_ZEROS)
def test_probabilities_of_zeros(name):
    reference = case(name)["predictions"]
    rows = np.array(reference["rows_1_based"]) - 1
    for scope, groups in {"with_group_effects": "fitted", "without_group_effects": "zero"}.items():
        expected = reference[scope].get("zero_probability")
        found = fit(name).predict(kind="zero", groups=groups)["estimate"].to_numpy()[rows]
        assert expected is None or found == pytest.approx(np.array(expected), rel=1e-4)
