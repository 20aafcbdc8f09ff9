"""Hypotheses of studies: read as users write them, tested as the tables of an estimate do."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.fixed_inference import fixed_inference
from bayesmix.studies.tested_hypothesis import read_hypothesis, wald_test


@pytest.fixture(scope="module")
def cake():
    return bmx.Model("angle ~ recipe + temp + (1 | recipe:replicate)", bmx.load_dataset("cake")).estimate()


@pytest.mark.parametrize("df", ["satterthwaite", "asymptotic"])
@pytest.mark.parametrize("text", ["recipeB", "recipeB = 0", "recipeB > recipeC", "2 * temp < 0.3 - recipeC / 10"])
def test_one_combination_is_tested_as_by_hypothesis(cake, text, df):
    found = wald_test(read_hypothesis(cake, text), cake.values.beta, fixed_inference(cake, df))
    expected = cake.hypothesis(text if " " in text else f"{text} = 0", df=df).iloc[0]
    assert found.p_value == pytest.approx(expected["p_value"], rel=1e-6)
    assert (found.estimate, found.std_error, found.df) == pytest.approx(
        tuple(expected[["estimate", "std_error", "df"]]), rel=1e-6
    )


def test_a_term_is_tested_as_by_anova(cake):
    found = wald_test(read_hypothesis(cake, "recipe"), cake.values.beta, fixed_inference(cake))
    expected = bmx.anova(cake, type=3).loc["recipe"]
    assert found.p_value == pytest.approx(expected["p_value"], rel=1e-6)
    assert np.isnan(found.estimate)


REFUSED = {
    "recipeD": "Did you mean `recipe",
    "exp(temp) > 2": "not about a linear combination of fixed effects",
    "temp / recipeB > 1": "not about a linear combination",
    "sd(recipe:replicate, Intercept) > 1": "not about a linear combination",
    "temp > 0 > 1": "needs one comparison",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(cake, text):
    with pytest.raises(SpecError, match=REFUSED[text]):
        read_hypothesis(cake, text)
