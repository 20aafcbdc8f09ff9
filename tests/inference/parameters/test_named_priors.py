"""Priors by name in models with several linear predictors: what has a name, and which priors fit it."""

from __future__ import annotations

import pytest
from several_predictors import made, priors_of

from bayesmix.errors import SpecError
from bayesmix.inference.parameters.named_priors import named_priors
from bayesmix.language.priors.prior import parse_prior

SHARED = ["y ~ x + (x | p | g)", "sigma ~ w + (w | p | g)"]
TWO = ["y ~ x + (1 | p | g)", "positive ~ 1 + (1 | p | g)"]
FAMILIES = {"y": "gaussian", "positive": "gamma"}


def test_the_names_of_a_model_are_listed_where_one_is_unknown():
    spec, design = made(SHARED, priors={"sigma_z": "Normal(0, 1)"})
    with pytest.raises(SpecError) as found:
        named_priors(spec, design)
    names = (
        "Intercept, Intercept(centred), x, sigma_Intercept, sigma_Intercept(centred), sigma_w, fixed,"
        " sd(g, Intercept), sd(g, Intercept(centred)), sd(g, x), sd(g, sigma_Intercept),"
        " sd(g, sigma_Intercept(centred)), sd(g, sigma_w), sd(g), corr(g), sd, corr."
    )
    assert "No parameter is called `sigma_z`. Did you mean `sigma_w`?" in str(found.value)
    assert str(found.value).endswith(names)


def test_a_parameter_with_a_formula_is_named_by_its_coefficients():
    spec, design = made(SHARED, priors={"sigma": "HalfNormal(1)"})
    with pytest.raises(SpecError, match="`sigma` has a formula: its prior is that of `sigma_Intercept`"):
        named_priors(spec, design)


@pytest.mark.parametrize(
    ("formulas", "family", "name", "prior", "message"),
    [
        (TWO, FAMILIES, "sigma_y", "Normal(0, 1)", "`sigma_y` is positive"),
        (TWO, FAMILIES, "shape_positive", "Normal(0, 1)", "`shape_positive` is positive"),
        (TWO, FAMILIES, "sd(g, positive_Intercept)", "Normal(0, 1)", "is positive"),
        (TWO, FAMILIES, "sd(g, positive_Intercept)", "Decov(1, 1, 1)", "several linear predictors"),
        (TWO, FAMILIES, "corr(g)", "Normal(0, 1)", "take an LKJ prior"),
        (SHARED, "gaussian", "sigma_Intercept", "LKJ(2)", "LKJ is a prior for correlations"),
        (SHARED, "gaussian", "sigma_w", "Decov(1, 1, 1)", "Decov is a prior for standard deviations"),
    ],
)
def test_a_prior_that_does_not_fit_is_refused(formulas, family, name, prior, message):
    with pytest.raises(SpecError, match=message):
        named_priors(*made(formulas, family, priors={name: prior}))


def test_logarithms_may_be_negative_and_numbers_may_not():
    spec, design = made(SHARED, priors={"sigma_Intercept": "Normal(-3, 1)"})
    assert named_priors(spec, design).find(["sigma_Intercept"]) == parse_prior("Normal(-3, 1)")
    spec, design = made(TWO, FAMILIES, priors={"sigma_y": "Uniform(0.5, 3)"})
    assert named_priors(spec, design).find(["sigma_y"]) == parse_prior("Uniform(0.5, 3)")


def test_a_column_that_is_called_like_a_standard_deviation_takes_any_prior():
    data = {"y": [1.0, 2.0, 4.0, 3.0], "sdose": [0.0, 1.0, 2.0, 4.0]}
    assert str(priors_of("y ~ sdose", priors={"sdose": "Normal(0, 1)"}, data=data).fixed[1]) == "Normal(0, 1)"


@pytest.mark.parametrize(
    ("given", "expected"),  # of sd(g, Intercept), sd(g, x), sd(g, sigma_Intercept), sd(g, sigma_w)
    [
        ({"sd": "HalfNormal(1)"}, ["HalfNormal(1)"] * 4),
        ({"sd(g)": "HalfNormal(1)", "sd": "HalfNormal(2)"}, ["HalfNormal(1)"] * 4),
        ({"sd(g)": "HalfNormal(1)", "sd(g, sigma_w)": "HalfNormal(3)"}, [*["HalfNormal(1)"] * 3, "HalfNormal(3)"]),
        (
            {"sd": "HalfNormal(1)", "sd(g, sigma_Intercept(centred))": "HalfNormal(4)"},
            ["HalfNormal(1)", "HalfNormal(1)", "HalfNormal(4)", "HalfNormal(1)"],
        ),
    ],
)
def test_the_most_special_name_decides(given, expected):
    assert [str(prior) for prior in priors_of(SHARED, priors=given).sd[0]] == expected


def test_fixed_stands_for_slopes_of_every_predictor_and_for_no_number():
    found = priors_of(["y ~ x", "positive ~ x", "shape_positive ~ w"], FAMILIES, priors={"fixed": "Normal(0, 7)"})
    by_name = dict(zip(found.names, map(str, found.fixed), strict=True))
    assert {by_name[name] for name in ("y_x", "positive_x", "shape_positive_w")} == {"Normal(0, 7)"}
    assert by_name["sigma_y"].startswith("Exponential")
