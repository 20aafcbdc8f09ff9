"""Draws of the PyMC model from its priors: thresholds in order, and all that depends on them."""

from __future__ import annotations

import re

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.sampling.nuts.prior_draws import warn_of_absurd
from bayesmix.present import plots

rng = np.random.default_rng(5)
DATA = {"y": rng.integers(1, 6, 40), "x": rng.normal(3.0, 1.0, 40), "g": [f"g{i % 4}" for i in range(40)]}


@pytest.mark.slow
@pytest.mark.parametrize("priors", [{}, {"2|3": "StudentT(3, 0, 1)"}], ids=["one kind", "two kinds"])
def test_thresholds_are_in_order_and_all_draws_are_there(priors, caplog):
    model = bmx.Model("y ~ x + (1 | g)", DATA, family="cumulative", priors=priors)
    tree = model.prior_predictive(draws=300, seed=1)
    assert not caplog.records  # PyMC's names of its variables
    fixef = tree["prior"]["fixef"].to_numpy()[0]
    assert fixef.shape == (300, 5)
    assert np.all(np.diff(fixef[:, 1:], axis=1) > 0.0)
    y = tree["prior_predictive"]["y"].to_numpy()[0]
    below = 1.0 / (1.0 + np.exp(-(fixef[:, 1:2] - tree["prior"]["eta"].to_numpy()[0])))
    assert np.mean(y == 0.0) == pytest.approx(below.mean(), abs=0.02)
    again = model.prior_predictive(draws=300, seed=1)["prior"]["fixef"].to_numpy()[0]
    np.testing.assert_array_equal(again, fixef)


ESOPH = "ncases ~ ncontrols + (ncontrols | agegp)"
NARROW = {"fixed": "Normal(0, 0.05)", "sd": "HalfNormal(0.05)"}


@pytest.mark.parametrize(
    ("drawn", "says"), [(1e6, r"up to 1e\+06 \(data: 0 .. 17\)"), (np.nan, "5.7 % of"), (16_000.0, None)]
)
def test_responses_that_cannot_be_are_said(drawn, says, recwarn):
    """The data reach 17 from their median: a twentieth of the draws are this far."""
    model = bmx.Model(ESOPH, bmx.load_dataset("esoph"), family="poisson")
    y = np.where(np.arange(88) % 20 == 0, drawn, 1.0)
    warn_of_absurd({"prior_predictive": {"y": y[None, None]}}, model.design, model.spec)
    assert len(recwarn) == (says is not None)
    assert all(re.search(says, str(one.message)) for one in recwarn)


@pytest.mark.slow
def test_default_priors_of_counts_are_told_apart_from_narrow_ones(recwarn):
    """Slopes of standard deviation 2.5 a predictor's, on a logarithm: counts of 1e16 for at most 17 cases."""
    data = bmx.load_dataset("esoph")
    bmx.Model(ESOPH, data, family="poisson", priors=NARROW).prior_predictive(200, seed=1)
    plots.prior_predictive(bmx.Model(ESOPH, data, family="poisson"), draws=200, seed=1)  # its title says so
    assert not recwarn.list
    with pytest.warns(bmx.PriorWarning, match=r"of `ncases` are over 1000 times as far.*HalfNormal"):
        bmx.Model(ESOPH, data, family="poisson").prior_predictive(200, seed=1)
