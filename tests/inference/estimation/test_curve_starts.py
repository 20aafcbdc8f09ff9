"""Where searches for nonlinear means begin: the least squares of one curve, as R's nls finds them from good starts."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx

T = np.linspace(0.5, 10.0, 40)
NOISE = np.random.default_rng(3).standard_normal(40)
CURVES = {  # formulas after `y ~`, the parameters, their values by name
    "asym / (1 + exp(-(t - mid) / scale))": {"asym": 7000.0, "mid": 4.0, "scale": 1.2},
    "low + high * inv_logit((t - mid) / scale)": {"low": 20.0, "high": -12.0, "mid": 6.0, "scale": 0.8},
    "a * exp(-k * t)": {"a": 3.0, "k": 0.4},
    "top * t / (half + t)": {"top": 0.02, "half": 2.5},
    "a * t^b": {"a": 2.0, "b": 0.7},
    "SSgompertz(t, Asym, b2, b3)": {"Asym": 4.5, "b2": 2.3, "b3": 0.7},
    "SSasymp(t, Asym, R0, lrc)": {"Asym": 100.0, "R0": -8.0, "lrc": -1.0},
    "a + b * sin(w * t)": {"a": 10.0, "b": 2.0, "w": 1.0},
}


@pytest.mark.parametrize("text", CURVES)
def test_the_nearest_curve_is_found(text):
    """In any units, those of the response and those of time."""
    values = CURVES[text]
    formulas = [f"y ~ {text}", *(f"{name} ~ 1" for name in values)]
    model = bmx.Model(formulas, {"y": np.zeros(40), "t": T}, start=values)
    mean = curve(model.spec, values)
    found = bmx.Model(formulas, {"y": mean + 0.01 * np.std(mean) * NOISE, "t": T}).spec
    np.testing.assert_allclose(curve(found, found.family.curve.found[0]), mean, atol=0.02 * np.std(mean))


def curve(spec, values):
    return spec.family.mean(1.0, 0.0, 1.0, *(np.full(40, values[name]) for name in spec.family.curve.parameters), T)


def test_what_the_user_says_stays():
    formulas = ["y ~ a * exp(-k * t)", "a ~ 1", "k ~ 1"]
    own = bmx.Model(formulas, {"y": np.exp(-T), "t": T}, start={"k": 2.0}).spec.family.curve
    assert own.start()[1] == 2.0
    assert set(own.found[0]) == {"a"}


def test_both_valleys_are_kept():
    """Two exponentials may change places."""
    y = 5.0 * np.exp(-2.0 * T) + np.exp(-0.3 * T) + 1e-2 * NOISE
    text = "a * exp(-exp(p) * t) + b * exp(-exp(q) * t)"
    own = bmx.Model([f"y ~ {text}", "a ~ 1", "b ~ 1", "p ~ 1", "q ~ 1"], {"y": y, "t": T}).spec.family.curve
    one, other = (sorted([own.start(place)[1], own.start(place)[3]]) for place in (0, 1))
    np.testing.assert_allclose(one, other, rtol=1e-3)
    assert abs(own.start(0)[1] - own.start(1)[1]) > 1.0
