"""Comparisons of ratings and of counts with zeros of their own: causes that add up, or why there are none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from breadth import FOLDER
from conftest import around

import bayesmix as bmx


@pytest.mark.slow
def test_causes_of_ratings_add_up():
    data = pd.read_csv(FOLDER / "data" / "wine.csv", dtype={"judge": "str"})
    model = bmx.Model("rating ~ temp + contact + (1 | judge)", data, family="cumulative")
    estimate, post = model.estimate(), model.sample(draws=300, seed=2, method="marginal", progress=False)
    found = bmx.compare(post, estimate, causes=True)
    difference = post.parameters()["mean"] - estimate.parameters()["estimate"]
    np.testing.assert_allclose(found.steps.sum(axis=1), difference.loc[found.steps.index], atol=1e-10)
    assert {"1|2", "4|5"} <= set(found.steps.index)


def test_zeros_that_any_large_effect_explains_have_no_flat_prior_and_so_no_causes():
    """Without inflation in any site the likelihood stays above zero, however large the standard deviation of zi is."""
    model = bmx.load_model("salamanders")
    estimate = model.estimate()
    found = bmx.compare(around(estimate, model, chains=2, draws=50, spread=0.05), estimate, causes=True)
    with pytest.raises(
        bmx.SpecError, match=r"Under flat priors the posterior does not exist.*sd\(site, zi_Intercept\)"
    ):
        _ = found.steps


@pytest.mark.parametrize("family", ["cumulative", "categorical"])
def test_separated_categories_have_no_flat_prior_and_so_no_causes(family):
    """Said without being asked for causes: that costs nothing, and the estimate is what makes the reader ask."""
    y = np.r_[np.arange(30) % 3, np.full(30, 2)]
    data = {"y": y, "f": np.repeat(["u", "v"], 30), "g": np.arange(60) % 10}
    with pytest.warns(bmx.ConvergenceWarning, match="runs off to infinity: it separates the outcomes"):
        estimate = bmx.Model("y ~ f + (1 | g)", data, family=family).estimate()
    model = bmx.Model("y ~ f + (1 | g)", data, family=family)
    found = str(bmx.compare(around(estimate, model, chains=2, draws=50, spread=0.05), estimate))
    assert "the fixed effects separate the outcomes of `y`" in " ".join(found.split())
    assert "takes the time" not in found
