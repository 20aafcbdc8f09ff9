"""Default priors that hold a coefficient where the data do not want it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

RNG = np.random.default_rng(20261130)
X, Z = RNG.normal(size=(2, 100))
G = RNG.integers(0, 10, 100).astype(str)
Y = 0.3 * X + 0.5 * X * Z + 0.3 * RNG.normal(size=100)


def draw(formula="y ~ x + z + I(x * z) + (1 | g)", shift=1000.0, priors=None, **options):
    data = pd.DataFrame({"y": Y, "x": X + shift, "z": Z, "g": G})
    model = bmx.Model(formula, data, priors=priors, **options)
    return model.sample(draws=100, chains=2, seed=1, method="marginal", progress=False)


def test_a_coefficient_without_room_is_named():
    """A product that is written as a number is not known to be one."""
    with pytest.warns(bmx.PriorWarning, match="The default prior of") as told:
        post = draw()
    assert 'priors={..., "I(x * z)": "Flat"}' in " ".join(post.draws.notes)
    assert told[0].filename == __file__


@pytest.mark.parametrize(
    "priors", [{"I(x * z)": "Normal(0, 0.001)", "z": "Normal(0, 1)"}, {"fixed": "Normal(0, 0.001)"}]
)
def test_priors_that_are_given_are_meant(priors):
    with warnings.catch_warnings():
        warnings.simplefilter("error", bmx.PriorWarning)
        draw(priors=priors)


@pytest.mark.slow
def test_priors_with_room_and_coefficients_that_run_off_are_not_named():
    with warnings.catch_warnings():
        warnings.simplefilter("error", bmx.PriorWarning)
        draw(shift=0.0)
        separated = pd.DataFrame({"y": (X > 0.0) * 1, "x": np.sign(X), "g": G})
        model = bmx.Model("y ~ x + (1 | g)", separated, family="bernoulli")
        model.sample(draws=100, chains=2, seed=1, method="marginal", progress=False)


@pytest.mark.slow
def test_an_intercept_has_no_column_of_other_units():
    """The default prior of a shape is far from that of the salamanders, and as it is said to be."""
    rng = np.random.default_rng(1)
    data = {"y": rng.negative_binomial(0.3, 0.1, 60), "x": rng.normal(size=60), "g": np.arange(60) % 6}
    model = bmx.Model(["y ~ x + (1 | g)", "shape ~ x"], data, family="negbinomial")
    with warnings.catch_warnings():
        warnings.simplefilter("error", bmx.PriorWarning)
        model.sample(draws=100, chains=2, seed=1, method="marginal", progress=False)
