"""Every verb on families of counts whose mean is more than one parameter: on an estimate, and on draws around it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from conftest import around

import bayesmix as bmx
from bayesmix.language.families.registry import FAMILIES

J, ROWS = 15, 10
FORMULAS = {
    "zero_inflated_poisson": ["y ~ x + (1 | g)", "zi ~ x"],
    "hurdle_negbinomial": ["y ~ x + (1 | g)", "hu ~ x"],
    "truncated_nbinom1": "y ~ x + (1 | g)",
    "zero_inflated_negbinomial": "y ~ x + (1 | g)",
    "zero_inflated_nbinom1": "y ~ x + (1 | g)",
    "zero_inflated_binomial": ["y/n ~ x + (1 | g)", "zi ~ x"],
    "hurdle_poisson": "y ~ x + (1 | g)",
    "hurdle_nbinom1": "y ~ x + (1 | g)",
    "truncated_poisson": "y ~ x + (1 | g)",
    "truncated_negbinomial": "y ~ x + (1 | g)",
    "betabinomial": "y/n ~ x + (1 | g)",
    "nbinom1": "y ~ x + (1 | g)",
    "geometric": "y ~ x + (1 | g)",
    "genpois": "y ~ x + (1 | g)",
}
QUICK = ("zero_inflated_poisson",)
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FORMULAS]


@cache
def model(name):
    rng = np.random.default_rng(11)
    family, g, x = FAMILIES[name], np.repeat(np.arange(J), ROWS), rng.normal(size=J * ROWS)
    eta, trials = 0.8 + 0.4 * x + rng.normal(0.0, 0.5, J)[g], np.ones(J * ROWS)
    if family.values.has_trials:
        eta, trials = eta - 0.8, 12.0 * trials
    values = {"mu": np.exp(eta) / (1.0 + np.exp(eta)) if family.values.has_trials else np.exp(eta)}
    share = 1.0 / (1.0 + np.exp(0.8 - 0.7 * x))
    values |= {"zi": share, "hu": share, "shape": 2.0 + 0.0 * x, "phi": 1.5 + 0.0 * x}
    y = family.sample(rng, trials, *(values[parameter.name] for parameter in family.parameters))
    return bmx.Model(FORMULAS[name], {"y": y, "n": trials, "x": x, "g": [f"g{j}" for j in g]}, family=name)


@cache
def estimate(name):
    return model(name).estimate()


@cache
def posterior(name):
    return around(estimate(name), model(name), chains=2, draws=60, spread=0.02)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fit", [estimate, posterior])
def test_predictions_and_residuals(name, fit):
    found = fit(name)
    for kind in ("mean", "linear", "response"):
        for groups in ("fitted", "average", "zero"):
            table = found.predict(kind=kind, groups=groups, seed=1)
            assert np.isfinite(table[["lower", "upper"]].to_numpy()).all(), (kind, groups)
    for kind in ("response", "pearson", "deviance", "quantile"):
        assert np.isfinite(found.residuals(kind)).all(), kind
    family, drawn = FAMILIES[name], found.simulate(3, seed=1).to_numpy()
    assert all(family.values.problem(column, found.design.trials) is None for column in drawn.T)
    assert np.isfinite(found.slopes("x")["lower"][0])
    assert name in str(found.summary()).lower() or str(found.diagnose())


@pytest.mark.parametrize("name", NAMES)
def test_posteriors_come_back(name, tmp_path):
    """Numbers beside several predictors once, not twice."""
    fit = posterior(name)
    fit.save(tmp_path / "fit.zarr")
    back = bmx.load(tmp_path / "fit.zarr")
    pd.testing.assert_frame_equal(back.parameters(), fit.parameters(), check_exact=True)


@pytest.mark.parametrize("name", NAMES)
def test_criticism_and_comparison(name):
    fit = posterior(name)
    assert np.isfinite(fit.loo(refit=False).elpd)
    assert len(fit.ppc()) > 0
    assert "zi" in str(bmx.compare(fit, estimate(name))) or not name.startswith("zero")
