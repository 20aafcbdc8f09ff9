"""Posteriors of effects at positions: both engines agree where neither knows of the other."""

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

TIMES = np.array([0.0, 1.0, 2.0, 3.5, 5.0])


def series():
    """Counts of sixteen series, three a time, whose effects fade over two units of time."""
    rng = np.random.default_rng(8)
    R = np.exp(-np.abs(np.subtract.outer(TIMES, TIMES)) / 2.0)
    u = (np.linalg.cholesky(R) @ rng.normal(size=(5, 16))).T.ravel()
    rows = pd.DataFrame({"time": np.tile(TIMES, 16), "g": np.repeat([f"g{j}" for j in range(16)], 5)})
    rows = rows.loc[np.repeat(np.arange(80), 3)].reset_index(drop=True)
    return rows.assign(count=rng.poisson(np.exp(0.5 + 0.6 * np.repeat(u, 3))))


@pytest.mark.slow
def test_both_engines_have_the_same_posterior():
    model = bmx.Model("count ~ 1 + ou(time | g)", series(), family="poisson")
    exact, nuts = (model.sample(seed=2, method=method) for method in ("marginal", "nuts"))
    assert exact.converged
    first, second = (fit.parameters() for fit in (exact, nuts))
    assert list(first.index) == ["Intercept", "sd(g)", "range(g)"]
    error = np.hypot(first["sd"] / np.sqrt(first["ess_bulk"]), second["sd"] / np.sqrt(second["ess_bulk"]))
    assert np.abs((first["mean"] - second["mean"]) / error).max() < 4.0
    effects = [fit.ranef()["g"].to_numpy() for fit in (exact, nuts)]
    np.testing.assert_allclose(*effects, atol=0.1)
