"""Ranges that the data do not tell are said to run off, and no others."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.errors import ConvergenceWarning

TIMES = np.array([0.0, 1.0, 2.0, 3.5, 5.0])


def series(length):
    """Forty series of effects that fade over a length: zero for independent ones, infinity for equal ones."""
    rng = np.random.default_rng(8)
    distance = np.abs(np.subtract.outer(TIMES, TIMES))
    R = np.eye(5) if length == 0.0 else np.exp(-distance / length) + 1e-12 * np.eye(5)
    u = np.linalg.cholesky(R) @ rng.normal(size=(5, 40))
    rows = np.repeat(u.T.ravel(), 3) + 0.4 * rng.normal(size=600)
    times = np.tile(np.repeat(TIMES, 3), 40)
    return pd.DataFrame({"y": rows, "time": times, "g": np.repeat([f"g{j}" for j in range(40)], 15)})


@pytest.mark.parametrize(("length", "message"), [(0.0, "runs off to zero"), (1e9, "runs off to infinity"), (2.0, None)])
def test_ranges_that_run_off_are_said(length, message):
    with pytest.warns(ConvergenceWarning) if message else nullcontext():
        fit = bmx.Model("y ~ 1 + ou(time | g)", series(length)).estimate()
    said = [text for text in fit.problems if "`range(g)`" in text]
    assert len(said) == (message is not None)
    assert message is None or message in said[0]
    if message is None:
        assert fit.parameters().loc["range(g)", "estimate"] == pytest.approx(length, rel=0.4)
        assert fit.converged
