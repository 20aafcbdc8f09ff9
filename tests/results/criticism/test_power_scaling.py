"""Power-scaling sensitivity against ArviZ's."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from arviz_stats import psense_summary
from distributional import posterior_of as several

from bayesmix.errors import SpecError


@pytest.mark.parametrize("name", ["sleepstudy", "cbpp"])
def test_figures_are_arviz_s(posterior_of, name):
    fit = posterior_of(name, 2, 200, 0.05)
    logging.getLogger("arviz_stats.psense").disabled = True  # it says that there are issues
    expected = psense_summary(fit.data, var_names=["~ranef"], filter_vars="like")
    found = fit.prior_sensitivity()
    assert len(found) == len(expected) > 4
    for column in ("prior", "likelihood"):
        np.testing.assert_allclose(np.sort(found[column]), np.sort(expected[column]), atol=1.1e-3)  # three digits each
    intercept = expected.loc["fixef[Intercept]"]
    np.testing.assert_allclose(found.loc["Intercept", "prior"], intercept["prior"], atol=1.1e-3)
    assert list(found["diagnosis"].value_counts()) == list(expected["diagnosis"].value_counts())


def test_every_parameter_has_its_sensitivity():
    fit = several("two_gaussian")
    assert set(fit.prior_sensitivity().index) == set(fit.names)


def test_draws_without_their_effects_have_none(posterior_of):
    from conftest import thinned

    with pytest.raises(SpecError, match="kept of some draws"):
        thinned(posterior_of("sleepstudy", 2, 200, 0.05)).prior_sensitivity()
