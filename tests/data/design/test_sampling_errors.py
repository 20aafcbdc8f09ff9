"""Known standard errors in data: numbers, constants, expressions; wrong ones are one message."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx

DATA = {"y": [1.0, 2.0, 4.0, 3.0], "v": [0.04, 0.09, 0.01, 0.25], "g": list("aabb"), "s": [0.2, 0.0, 0.1, np.inf]}
GOOD = {"sqrt(v)": np.sqrt(DATA["v"]), "0.5": np.full(4, 0.5), "v": np.array(DATA["v"])}


@pytest.mark.parametrize("text", GOOD)
def test_weights_are_inverse_variances(text):
    outcome = bmx.Model(f"y | se({text}) ~ 1", DATA).design.outcome
    np.testing.assert_allclose(outcome.weights, GOOD[text] ** -2.0, rtol=1e-14)
    assert outcome.has_known_noise


@pytest.mark.parametrize("text", ["sqrt(v)", "v"])
def test_beside_noise_they_are_an_offset(text):
    design = bmx.Model(f"y | se({text}, sigma = TRUE) ~ 1", DATA).design
    np.testing.assert_allclose(np.exp(design.offset[design.block(2)]), GOOD[text], rtol=1e-14)
    assert not design.outcome.has_known_noise
    assert not design.of_predictor(2)


@pytest.mark.parametrize("sigma", ["", ", sigma = TRUE"])
def test_zero_and_infinite_errors_are_refused(sigma):
    with pytest.raises(bmx.DataError, match=r"`se\(s\)` is 0 in rows 1, 3"):
        bmx.Model(f"y | se(s{sigma}) ~ 1", DATA)


def test_errors_of_new_rows():
    fit = bmx.Model("y | se(sqrt(v)) ~ 1 + (1 | g)", DATA).estimate()
    with pytest.raises(bmx.DataError, match="is nan in row 0"):
        fit.predict({"v": [np.nan]}, groups="average", kind="response")
