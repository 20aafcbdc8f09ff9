"""Priors above a bound against SciPy's distributions, cut off there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from bayesmix.language.priors.above import Above
from bayesmix.language.priors.prior import parse_prior

CASES = {
    "Gamma(2, 0.1)": stats.gamma(2, scale=10.0),
    "LogNormal(0, 2)": stats.lognorm(2.0),
    "Uniform(2, 30)": stats.uniform(2.0, 28.0),
    "HalfCauchy(3)": stats.halfcauchy(scale=3.0),
    "Exponential(5)": stats.expon(scale=0.2),
}


@pytest.mark.parametrize("text", CASES)
def test_density_and_quantiles_are_those_given_that_it_is_above(text):
    prior, law = Above(parse_prior(text), 1.0), CASES[text]
    x = np.array([0.5, 1.5, 2.0, 7.0, 25.0])
    expected = np.where(x < 1.0, -np.inf, law.logpdf(x) - law.logsf(1.0))
    np.testing.assert_allclose(prior.log_density(x), expected, rtol=1e-9)
    p = np.array([0.01, 0.3, 0.9])
    np.testing.assert_allclose(prior.quantile(p), law.isf(law.sf(1.0) * (1.0 - p)), rtol=1e-8)
    assert quad(lambda v: np.exp(prior.log_density(np.asarray(v))), 1.0, 400.0, limit=400, points=[2.0, 30.0])[
        0
    ] == pytest.approx(1.0 - law.sf(400.0) / law.sf(1.0), abs=1e-7)
    assert str(prior) == str(parse_prior(text))
