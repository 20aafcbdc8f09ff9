"""Quantiles of priors against SciPy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.language.priors.prior import parse_prior
from bayesmix.language.priors.prior_quantiles import QUANTILE, quantile

SAME = 1e-11  # of one formula, coded twice
CASES = {
    "Normal(1, 2)": stats.norm(1.0, 2.0),
    "StudentT(3, 1, 2)": stats.t(3.0, 1.0, 2.0),
    "Cauchy(1, 2)": stats.cauchy(1.0, 2.0),
    "Laplace(1, 2)": stats.laplace(1.0, 2.0),
    "HalfNormal(2)": stats.halfnorm(0.0, 2.0),
    "HalfCauchy(2)": stats.halfcauchy(0.0, 2.0),
    "Exponential(4)": stats.expon(0.0, 0.25),
    "Gamma(1.5, 4)": stats.gamma(1.5, scale=0.25),
    "InverseGamma(1.5, 4)": stats.invgamma(1.5, scale=4.0),
    "LogNormal(1, 0.5)": stats.lognorm(0.5, scale=np.e),
    "Beta(2, 0.5)": stats.beta(2.0, 0.5),
    "Uniform(-1, 3)": stats.uniform(-1.0, 4.0),
}
AT = np.array([1e-6, 0.025, 0.3, 0.5, 0.95, 0.999])


@pytest.mark.parametrize("text", CASES)
def test_quantiles_are_scipy_s(text):
    np.testing.assert_allclose(quantile(parse_prior(text), AT), CASES[text].ppf(AT), rtol=SAME)


def test_half_a_student_distribution_has_the_upper_half_of_its_quantiles():
    found = quantile(parse_prior("HalfStudentT(3, 2)"), AT)
    np.testing.assert_allclose(stats.t(3.0, 0.0, 2.0).cdf(found) - 0.5, 0.5 * AT, rtol=1e-9)


def test_every_kind_that_has_quantiles_is_tested():
    assert {parse_prior(text).kind for text in CASES} | {"HalfStudentT"} == set(QUANTILE)
