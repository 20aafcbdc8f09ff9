"""Draws of the PyMC model from its priors: thresholds in order, and all that depends on them."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx

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
