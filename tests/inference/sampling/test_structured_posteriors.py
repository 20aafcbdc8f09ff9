"""Structured terms: NUTS, which knows nothing of least squares, against the marginal sampler."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from quantiles import between

import bayesmix as bmx
from bayesmix.results.fits.linear_predictor import flatten

LEVELS, TIMES = 14, 4
ERRORS = 4.0  # Monte Carlo standard errors of both
CASES = {
    "exponential": "y ~ x + exp(east + north | g)",
    "gaussian": "y ~ x + gau(east + north | g)",
    "matern": "y ~ x + mat(east + north | g)",
    "by lag": "y ~ x + toep(visit | g)",
    "tensor product": "z ~ t2(x, w, k = 4)",
    "unstructured residuals": "y ~ x + unstr(visit, g)",
    "residuals of a series": "y ~ x + ar(time, g, p = 1)",
    "residuals and levels": "y ~ x + ar(time, g, p = 1) + (1 | h)",
}
ROWS = {"gaussian": 4, "matern": 4, "by lag": 4}  # of each position, without which posteriors do not mix
DEAR = {"matern", "by lag"}


def simulated(rows: int = 1) -> pd.DataFrame:
    """Series of four visits whose residuals fade over time, at four places; or several rows a visit."""
    rng = np.random.default_rng(5)
    n = LEVELS * TIMES
    time, g = np.tile(np.arange(TIMES), LEVELS), np.repeat(np.arange(LEVELS), TIMES)
    root = np.linalg.cholesky(0.7 ** np.abs(np.subtract.outer(np.arange(TIMES), np.arange(TIMES))))
    series = (rng.normal(size=(LEVELS, TIMES)) @ root.T).ravel()
    time, g, series, n = np.repeat(time, rows), np.repeat(g, rows), np.repeat(series, rows), n * rows
    x, w = rng.normal(size=n), rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x,
            "w": w,
            "time": time,
            "visit": [f"v{t}" for t in time],
            "east": np.array([0.0, 1.0, 2.0, 2.5])[time],
            "north": np.array([0.0, 0.5, 1.0, 3.0])[time],
            "g": [f"g{j:02d}" for j in g],
            "h": [f"h{j % 7}" for j in g],
            "y": 1.0 + 0.4 * x + series + 0.4 * rng.normal(size=n),
            "z": np.sin(x) * (1.0 + 0.5 * w) + 0.4 * rng.normal(size=n),
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(c, marks=pytest.mark.rotating) if c in DEAR else c for c in CASES])
def test_both_engines_have_the_same_posterior(case):
    model = bmx.Model(CASES[case], simulated(ROWS.get(case, 1)))
    exact, nuts = (model.sample(seed=2, method=method, progress=False) for method in ("marginal", "nuts"))
    assert [fit.method for fit in (exact, nuts)] == ["marginal", "nuts"]
    first, second = (np.moveaxis(flatten(fit.design, fit.values), -1, 0) for fit in (exact, nuts))
    for name, one, two in zip(exact.names, first, second, strict=True):
        assert np.abs(between(one, two)).max() < ERRORS, name
