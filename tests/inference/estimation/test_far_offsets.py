"""Offsets far from zero move an intercept, or thresholds, and nothing else.

Right is what the model says: a number added to an offset is taken from the intercept. Searches began where no
likelihood is finite and were refused, or ended 6 000 to 1 000 000 above the optimum, at an intercept of -50.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

MODELS: dict[str, tuple[Any, str]] = {
    "poisson": ("c ~ z + offset(o) + (1 | g)", "poisson"),
    "bernoulli": ("b ~ z + offset(o) + (1 | g)", "bernoulli"),
    "gamma": ("w ~ z + offset(o) + (1 | g)", "gamma"),
    "beta": ("u ~ z + offset(o) + (1 | g)", "beta"),
    "betabinomial": ("cbind(s, f) ~ z + offset(o) + (1 | g)", "betabinomial"),
    "negbinomial, by level": ("c ~ 0 + k + offset(o) + (1 | g)", "negbinomial"),
    "a regression": ("c ~ z + offset(o)", "poisson"),
    "sigma": (["y ~ z + (1 | g)", "sigma ~ z + offset(o)"], "gaussian"),
    "shape": (["c ~ z + (1 | g)", "shape ~ 1 + offset(o)"], "negbinomial"),
    "mean beside sigma": (["y ~ z + offset(o) + (1 | g)", "sigma ~ z"], "gaussian"),
    "cumulative": ("r ~ z + offset(o) + (1 | g)", "cumulative"),
    "sratio": ("r ~ z + offset(o) + (1 | g)", "sratio"),
}
QUICK = ("poisson", "a regression", "mean beside sigma")


def model(name: str, shift: float) -> bmx.Model:
    rng = np.random.default_rng(0)
    g, x, z = rng.integers(0, 8, 96), 0.3 * rng.normal(size=96), rng.normal(size=96)
    eta = 0.3 + 0.4 * z + 0.5 * rng.normal(size=8)[g] + x
    y, s = eta + 0.6 * rng.normal(size=96), rng.binomial(8, 1.0 / (1.0 + np.exp(-eta - rng.normal(size=96))))
    data = {
        "o": x + shift,
        "z": z,
        "g": [f"g{j}" for j in g],
        "k": np.tile(["k", "l"], 48),
        "y": y,
        "s": s,
        "f": 8 - s,
        "c": rng.poisson(np.exp(eta)),
        "b": rng.binomial(1, 1.0 / (1.0 + np.exp(-eta))),
        "w": np.exp(y),
        "u": 1.0 / (1.0 + np.exp(-y)),
        "r": pd.cut(y, 4, labels=list("abcd")).astype(str),
    }
    formula, family = MODELS[name]
    return bmx.Model(formula, data, family=family)


@cache
def fit(name: str, shift: float) -> bmx.Estimate:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model(name, shift).estimate()


def moved(names: Any, shift: float) -> np.ndarray:
    """What a number added to the offset adds to the parameters: thresholds are above the latent mean."""
    by_name = {"sigma_Intercept": -shift, "shape_Intercept": -shift, "kk": -shift, "kl": -shift}
    by_name |= dict.fromkeys(("a|b", "b|c", "c|d"), shift)
    by_name |= {} if "sigma_Intercept" in names or "shape_Intercept" in names else {"Intercept": -shift}
    return np.array([by_name.get(name, 0.0) for name in names])


@pytest.mark.parametrize("shift", [2000.0, -1e6])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MODELS]
)
def test_a_number_added_to_an_offset_is_taken_from_the_intercept(name: str, shift: float) -> None:
    near, far = fit(name, 0.0), fit(name, shift)
    own = moved(near.names, shift) if name != "mean beside sigma" else np.array([-shift, 0.0, 0.0, 0.0, 0.0])
    assert far.converged
    assert far.criterion == pytest.approx(near.criterion, abs=1e-8)
    np.testing.assert_allclose(far.parameters()["estimate"] - own, near.parameters()["estimate"], rtol=0, atol=1e-5)
    errors = [one.tidy()["std.error"] for one in (far, near)]
    np.testing.assert_allclose(*errors, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["poisson", "cumulative"])
def test_profiles_posteriors_predictions_go_along(name: str) -> None:
    """Thresholds had their priors at an offset of zero: sd(g) was 314, converged, where it is 0.5."""
    near, far = fit(name, 0.0), fit(name, 2000.0)
    own = moved(near.names, 2000.0)
    np.testing.assert_allclose(far.confint() - own[:, None], near.confint(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(far.predict()["estimate"], near.predict()["estimate"], rtol=1e-6)
    posts = [model(name, shift).sample(seed=1, progress=False) for shift in (0.0, 2000.0)]
    middles = [post.parameters()["median"] for post in posts]
    assert all(post.converged for post in posts)
    np.testing.assert_allclose(middles[1] - own, middles[0], rtol=0, atol=1e-6)
