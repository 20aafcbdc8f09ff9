"""Joint credible tests of terms: beside F tests of linear models, and by definition of others."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.credible_regions import contour


@pytest.fixture(scope="module")
def cake():
    model = bmx.Model("angle ~ recipe * temp + (1 | recipe:replicate)", bmx.load_dataset("cake"))
    return model.estimate(), model.sample(draws=1000, chains=4, seed=1, method="marginal", progress=False)


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_terms_are_judged_as_by_f_tests(cake, kind):
    """The contents of balanced data under weak priors are one less the p-values, within the error of the draws."""
    estimate, post = cake
    found, expected = bmx.anova(post, type=kind), bmx.anova(estimate, type=kind)
    assert list(found.index) == list(expected.index)
    assert found["rank"].tolist() == expected["num_df"].tolist()
    np.testing.assert_allclose(1.0 - found["content"], expected["p_value"], atol=0.05)
    assert f"Type {'I' * kind} joint credible tests of terms" in repr(found)


def test_a_term_of_several_columns_is_judged_by_its_coefficients():
    cbpp = bmx.load_dataset("cbpp")
    model = bmx.Model("cbind(incidence, size - incidence) ~ period + (1 | herd)", cbpp, family="binomial")
    post = model.sample(draws=200, chains=2, seed=1, method="marginal", progress=False)
    row = bmx.anova(post).loc["period"]
    expected = contour(post.values.beta[..., 1:].reshape(-1, 3))
    assert (row["rank"], row["content"]) == (3, expected.content)
    assert row["distance"] == pytest.approx(expected.distance)


def test_refused(cake):
    estimate, post = cake
    with pytest.raises(SpecError, match=r"df='asymptotic' is for estimates; a posterior has its draws"):
        bmx.anova(post, df="asymptotic")
    with pytest.raises(SpecError, match="type 1, 2 or 3"):
        bmx.anova(post, type=4)
    with pytest.raises(SpecError, match="argument 2 is a posterior"):
        bmx.anova(estimate, post)
