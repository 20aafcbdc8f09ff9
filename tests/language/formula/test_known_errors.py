"""Known standard errors in specifications: which predictors they are, and what is written of them."""

from __future__ import annotations

import pytest

from bayesmix.errors import SpecError
from bayesmix.language.families.registry import FAMILIES
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.language.formula.spec_words import read_spec, spec_words

# formulas, families -> is a model of one predictor, is linear, prefixes of all predictors
CASES = {
    ("y | se(s) ~ x + (1 | g)", "gaussian"): (True, True, [""]),
    ("y | se(s, sigma = FALSE) ~ x", "gaussian"): (True, True, [""]),
    ("y | se(s, sigma = TRUE) ~ x", "gaussian"): (False, False, ["", "se_"]),
    ("y | se(s) ~ x", "student"): (False, False, ["", "sigma_"]),
    ("y | se(s, sigma = TRUE) ~ x; sigma ~ z", "gaussian"): (False, False, ["", "sigma_", "se_"]),
    ("a | se(s) ~ x; b ~ x", "gaussian"): (False, False, ["a_", "sigma_a_", "b_"]),
    ("y | se(s) + cens(c) ~ x", "gaussian"): (True, False, [""]),
}


@pytest.mark.parametrize(("formula", "family"), CASES)
def test_errors_are_weights_or_predictors_without_coefficients(formula, family):
    spec = make_spec(formula, family, None, None)
    is_simple, is_linear, prefixes = CASES[formula, family]
    assert (spec.is_simple, spec.is_linear) == (is_simple, is_linear)
    assert [one.prefix for one in spec.predictors] == prefixes
    assert spec.text == formula
    assert spec.dispersion is None


@pytest.mark.parametrize(("formula", "family"), CASES)
def test_words_read_back(formula, family):
    spec = make_spec(formula, family, None, None)
    assert read_spec(spec_words(spec)) == spec


def test_noise_beside_errors_is_another_family_of_the_same_name():
    spec = make_spec("y | se(s, sigma = TRUE) ~ x", "gaussian", None, None)
    assert spec.family is FAMILIES["gaussian"].noisy
    assert (spec.family.name, spec.has_one_linear_mean) == ("gaussian", True)


REFUSED = {
    ("y | se(s) ~ x", "poisson"): "no standard errors that could be known. Families whose have: gaussian, student",
    ("y | se(s) ~ x; sigma ~ z", "gaussian"): "`sigma ~ z` is a formula of what `se\\(s\\)` says is known",
    ("y | se(s) ~ x + cosy(t, g)", "gaussian"): "correlates residuals of one sigma",
    ("y | se(s) + weights(w) ~ x", "gaussian"): "counts once",
}


@pytest.mark.parametrize("beside", ["se(s, sigma = TRUE)", "weights(s)"])
def test_correlated_responses_have_neither_noise_beside_errors_nor_counts(beside):
    with pytest.raises(SpecError, match="one density of all responses of a row"):
        make_spec(f"a | {beside} ~ x; b ~ x", "gaussian", None, None, rescor=True)


@pytest.mark.parametrize(("formula", "family"), REFUSED)
def test_refused(formula, family):
    with pytest.raises(SpecError, match=REFUSED[formula, family]):
        make_spec(formula, family, None, None)
