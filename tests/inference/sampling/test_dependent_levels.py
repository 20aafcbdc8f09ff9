"""Engines on models whose levels are not independent: NUTS against the marginal sampler, calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

J, N = 15, 120
LEVELS = [f"s{j}" for j in range(J)]
APART = np.abs(np.subtract.outer(np.arange(J), np.arange(J)))
RELATION = pd.DataFrame(0.8**APART, LEVELS, LEVELS)
MCSE = 5.0  # of differences of means and standard deviations, with some room for ESS being estimates


def simulated(seed=11):
    rng = np.random.default_rng(seed)
    g, other, x = rng.integers(0, J - 1, N), rng.integers(0, J, N), rng.normal(size=N)
    b = np.linalg.cholesky(RELATION) @ rng.normal(size=J)
    members = 0.5 * (b[g] + b[other])
    names = np.array(LEVELS)
    return pd.DataFrame(
        {
            "x": x,
            "g": names[g],
            "other": names[other],
            "y": 1.0 + 0.5 * x + b[g] + 0.7 * rng.normal(size=N),
            "z": 1.0 + 0.5 * x + members + 0.5 * rng.normal(size=N),
            "count": rng.poisson(np.exp(0.8 + 0.3 * x + 0.7 * b[g])),
            "h": np.where(g % 2, "odd", "even"),
            "s": np.round(0.5 + 0.3 * np.cos(np.arange(N)), 2),
        }
    )


FRAME = simulated()
CASES = {
    "related": ("y ~ x + (1 | gr(g, cov = A))", {"data2": {"A": RELATION}}),
    "memberships": ("z ~ x + (1 | mm(g, other))", {}),
    "strata of levels": ("y ~ x + (1 | gr(g, by = h))", {}),
    "known errors": ("y | se(s) ~ x + (1 | g)", {}),
    "noise beside known errors": ("y | se(s, sigma = TRUE) ~ x + (1 | g)", {}),
    "related counts": ("count ~ x + (1 | gr(g, cov = A))", {"data2": {"A": RELATION}, "family": "poisson"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_nuts_and_the_marginal_sampler_agree(case):
    formula, options = CASES[case]
    model = bmx.Model(formula, FRAME, **options)
    marginal = model.sample(seed=1, method="marginal", progress=False)
    nuts = model.sample(seed=2, method="nuts", progress=False)
    assert marginal.converged
    assert nuts.converged
    one, other = (fit.parameters() for fit in (marginal, nuts))
    for statistic, error in (("mean", "mcse_mean"), ("sd", "mcse_sd")):
        if error in one:
            both = np.hypot(one[error], other[error])
        else:
            both = np.hypot(one["sd"] / np.sqrt(one["ess_bulk"]), other["sd"] / np.sqrt(other["ess_bulk"]))
        np.testing.assert_array_less(np.abs(one[statistic] - other[statistic]), MCSE * both)
    group = model.design.terms[0].group
    effects = [fit.ranef()[group].to_numpy() for fit in (marginal, nuts)]
    allowed = 0.12 if "Intercept" in marginal.ranef()[group] else float(np.std(effects[0])) / 3.0  # of strata
    np.testing.assert_allclose(effects[0], effects[1], atol=allowed)


@pytest.mark.slow
def test_related_levels_are_calibrated():
    """Ranks of true values among draws, of data from the priors; those of effects in levels without rows, too."""
    formula, options = CASES["related"]
    found = bmx.studies.calibrate(bmx.Model(formula, FRAME, **options), 150, progress=False)
    assert found.is_uniform, str(found)
