"""Parameters with formulas that run off to the ends of their ranges are named."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import ConvergenceWarning

RNG = np.random.default_rng(20261128)
N = 60
HALF = np.repeat(["a", "b"], N // 2)
X = RNG.normal(size=N)
DATA = {
    "half": HALF,
    "x": X,
    "g": [f"g{j % 6}" for j in range(N)],
    "noisy": X + RNG.normal(size=N),
    "exact": np.where(HALF == "a", 2.0, X + RNG.normal(size=N)),
    "steady": np.where(HALF == "a", np.tile([2, 3, 4], N // 3), RNG.negative_binomial(0.7, 0.2, N)),
}


@pytest.mark.parametrize(
    ("formula", "family", "what"),
    [
        (["exact ~ half + half:x", "sigma ~ half"], "gaussian", "`sigma` runs off to zero in 30 of 60 rows"),
        (["exact ~ half + half:x", "sigma ~ 0 + half + x"], "gaussian", "`sigma` runs off to zero in "),
        (["steady ~ half", "shape ~ half"], "negbinomial", "`shape` runs off to infinity in 30 of 60 rows"),
        (["noisy ~ x", "exact ~ half + half:x", "sigma_exact ~ half"], "gaussian", "`sigma_exact` runs off to zero in"),
    ],
)
def test_parameters_that_run_off_are_named(formula, family, what):
    with pytest.warns(ConvergenceWarning):
        fit = bmx.Model(formula, DATA, family=family).estimate()
    assert any(what in problem for problem in fit.problems), fit.problems
    assert not fit.converged


@pytest.mark.parametrize(
    ("formula", "family"),
    [(["noisy ~ x + (1 | g)", "sigma ~ half"], "gaussian"), (["steady ~ x", "shape ~ x"], "negbinomial")],
)
def test_parameters_with_an_estimate_are_not(formula, family):
    assert not bmx.Model(formula, DATA, family=family).estimate().problems
