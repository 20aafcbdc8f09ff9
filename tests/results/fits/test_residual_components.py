"""Standard deviations and correlations of residuals among the variance components, as nlme's `getVarCov` has them."""

from __future__ import annotations

import numpy as np
import pytest
from residuals import REFERENCE, VISITS, fitted, model

from bayesmix.errors import SpecError


def test_an_unstructured_covariance_has_a_row_a_visit_and_a_pair():
    table, nlme = fitted("trial_unstr").varcorr().set_index(["effect1", "effect2"]), REFERENCE["trial_unstr"]
    sd = nlme["sigma"] * np.array([1.0, *nlme["ratio"].values()])
    np.testing.assert_allclose(table["sd_or_corr"].iloc[:4], sd, rtol=1e-4)
    np.testing.assert_allclose(table["covariance"].iloc[:4], sd**2, rtol=1e-4)
    pairs = [(VISITS[i], VISITS[j]) for i in range(4) for j in range(i + 1, 4)]
    assert list(table.index[4:]) == pairs
    np.testing.assert_allclose(table["sd_or_corr"].iloc[4:], nlme["corr"], atol=1e-4)
    i, j = np.triu_indices(4, 1)
    covariances = np.array(nlme["corr"]) * sd[i] * sd[j]
    np.testing.assert_allclose(table["covariance"].iloc[4:], covariances, atol=1e-3)


def test_series_have_their_numbers():
    table = fitted("trial_site_ar").varcorr()
    assert list(table["effect1"]) == ["Intercept", "sigma", "ar[1]"]
    assert table["sd_or_corr"].iloc[-1] == fitted("trial_site_ar").parameters()["estimate"]["ar[1]"]
    assert np.isnan(table["covariance"].iloc[-1])


def test_one_standard_deviation_keeps_its_name():
    table = fitted("trial_unstr_one").varcorr()
    assert table["effect1"].iloc[0] == "sigma"
    assert len(table) == 7
    assert np.isfinite(table["covariance"]).all()


def test_a_posterior_has_means():
    post = model("orthodont_cosy").sample(draws=100, chains=2, seed=1)
    table = post.varcorr().set_index("effect1")["sd_or_corr"]
    assert table["cosy"] == pytest.approx(post.parameters()["mean"]["cosy"])


def test_shares_of_random_effects_are_not_those_of_correlated_residuals():
    with pytest.raises(SpecError, match=r"correlated by `cosy\(gr = Subject\)`"):
        fitted("orthodont_cosy").icc()
