"""Priors of fixed effects, predictor by predictor: those of the mean are those of a model of the mean alone."""

from __future__ import annotations

import numpy as np
import pytest
from several_predictors import DATA, priors_of

from bayesmix.language.priors.on_link import OnLink

PRESETS = ("default", "flat", "brms", "bambi")
DISTRIBUTIONAL = ["y ~ x + f + offset(off) + (x | p | g) + (1 | h)", "sigma ~ w + (w | p | g)"]
TWO = ["y ~ x + (x | p | g)", "count ~ 0 + f + (1 | p | g)", "shape_count ~ w"]
FAMILIES = {"y": "gaussian", "count": "negbinomial"}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_mean_has_the_priors_of_a_model_of_the_mean_alone(preset):
    found = priors_of(DISTRIBUTIONAL, priors=preset)
    alone = priors_of("y ~ x + f + offset(off) + (x | g) + (1 | h)", priors=preset)
    p = len(alone.fixed)
    assert found.names[:p] == alone.names
    assert found.fixed[:p] == alone.fixed
    np.testing.assert_allclose(found.contrast[:p, :p], alone.contrast, rtol=1e-14)
    assert found.sd[0][:2] == alone.sd[0]
    assert found.sd[-1] == alone.sd[-1]
    assert (found.dispersion, found.dispersion_name) == (None, None)


@pytest.mark.parametrize("preset", PRESETS)
def test_each_response_has_its_own(preset):
    found = priors_of(TWO, FAMILIES, priors=preset)
    first, second = (
        priors_of("y ~ x + (x | g)", priors=preset),
        priors_of("count ~ 0 + f + (1 | g)", "negbinomial", preset),
    )
    by_name = dict(zip(found.names, found.fixed, strict=True))
    for prefix, alone in (("y_", first), ("count_", second)):
        assert [by_name[prefix + name] for name in alone.names] == list(alone.fixed)
    assert found.sd[0] == (*first.sd[0], *second.sd[0])
    number = by_name["sigma_y"]
    assert isinstance(number, OnLink)
    assert number.prior == first.dispersion


def test_intercepts_are_taken_at_the_means_of_the_columns_of_their_predictor():
    found = priors_of(TWO, FAMILIES)
    names = (
        "y_Intercept(centred)",
        "y_x",
        "sigma_y",
        "count_fa",
        "count_fb",
        "count_fc",
        "shape_count_Intercept(centred)",
        "shape_count_w",
    )
    assert found.names == names
    assert found.intercepts == (0, 6)
    expected = np.eye(8)
    expected[0, 1], expected[6, 7] = DATA["x"].mean(), DATA["w"].mean()
    np.testing.assert_allclose(found.contrast, expected, rtol=1e-12)


def test_an_intercept_whose_prior_was_given_stays_at_zero_and_others_do_not():
    found = priors_of(TWO, FAMILIES, priors={"shape_count_Intercept": "Normal(0, 2)"})
    assert (found.names[0], found.names[6]) == ("y_Intercept(centred)", "shape_count_Intercept")
    assert str(found.fixed[6]) == "Normal(0, 2)"
    np.testing.assert_array_equal(found.contrast[6], np.eye(8)[6])
    centred = priors_of(TWO, FAMILIES, priors={"shape_count_Intercept(centred)": "Normal(0, 2)"})
    assert (str(centred.fixed[6]), centred.contrast[6, 7]) == ("Normal(0, 2)", DATA["w"].mean())


def test_a_prior_of_a_number_is_stated_on_its_own_scale():
    found = priors_of(TWO, FAMILIES, priors={"sigma_y": "Gamma(2, 0.1)"})
    (text,) = (prior for name, prior, _ in found.rows() if name == "sigma_y")
    assert str(text) == "Gamma(2, 0.1)"
    gamma = np.array([0.3, 2.0])
    np.testing.assert_allclose(found.fixed[2].log_density(gamma), text.log_density(np.exp(gamma)) + gamma, rtol=1e-12)


@pytest.mark.parametrize("formulas", ["v ~ x + f", ["v ~ x + f", "sigma ~ w"]])
def test_slopes_are_centred_on_zero_not_on_minus_zero(formulas):
    found = priors_of(formulas)  # the mean of the response is negative
    assert all(str(prior).startswith("Normal(0, ") for prior in found.fixed[1:4])
