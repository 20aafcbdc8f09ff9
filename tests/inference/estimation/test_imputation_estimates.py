"""Estimates of models with missing predictors: maximum likelihood of what was observed, by dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
from imputation import MODELS, estimate, frame, joint, values
from scipy import optimize

import bayesmix as bmx

QUICK = {"groups"}
CASES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
STEP = 1e-4  # of difference quotients, in standard errors of one or so


def log_likelihood(name: str, names: list[str], at: np.ndarray) -> float:
    return joint(name, dict(zip(names, at, strict=True))).log_density(values(name))


@pytest.mark.parametrize("name", CASES)
def test_criterion_is_the_density_of_what_was_observed_and_stationary(name):
    fit = estimate(name)
    assert fit.converged
    names, at = list(fit.parameters().index), fit.parameters()["estimate"].to_numpy()
    assert fit.criterion == pytest.approx(-2.0 * log_likelihood(name, names, at), rel=1e-9)
    for j in range(len(at)):
        ends = [log_likelihood(name, names, at + side * STEP * np.eye(len(at))[j]) for side in (-1.0, 1.0)]
        middle = log_likelihood(name, names, at)
        curvature = (ends[0] - 2.0 * middle + ends[1]) / STEP**2
        slope = (ends[1] - ends[0]) / (2.0 * STEP)
        assert curvature < 0.0
        assert abs(slope) < 1e-3 * np.sqrt(-curvature)  # a thousandth of a standard error away at most


@pytest.mark.slow
@pytest.mark.parametrize("name", ["groups", "two children"])
def test_no_other_start_finds_a_higher_likelihood(name):
    fit = estimate(name)
    names, at = list(fit.parameters().index), fit.parameters()["estimate"].to_numpy()
    positive = np.array([one.startswith(("sigma", "sd(")) for one in names])

    def objective(free: np.ndarray) -> float:
        return -log_likelihood(name, names, np.where(positive, np.exp(np.where(positive, free, 0.0)), free))

    start = np.where(positive, 0.0, 0.1)
    found = optimize.minimize(objective, start, method="BFGS", options={"gtol": 1e-5})
    assert 2.0 * found.fun == pytest.approx(fit.criterion, rel=1e-8)
    assert np.where(positive, np.exp(found.x), found.x) == pytest.approx(at, abs=2e-4)


def test_nothing_missing_is_two_regressions():
    data = frame().dropna()
    fit = bmx.Model(["y ~ x + mi(z)", "z | mi() ~ w"], data).estimate()
    y, z = bmx.Model("y ~ x + z", data).estimate("ml"), bmx.Model("z ~ w", data).estimate("ml")
    assert fit.criterion == pytest.approx(y.criterion + z.criterion, rel=1e-10)
    assert fit.parameters()["estimate"]["y_mi(z)"] == pytest.approx(y.parameters()["estimate"]["z"], rel=1e-6)


@pytest.mark.slow
def test_other_responses_have_nothing_to_do_with_it():
    families = {"y": "gaussian", "z": "gaussian", "count": "poisson"}
    data = frame().dropna(subset=["y"])
    two = bmx.Model(["y ~ x + mi(z)", "z | mi() ~ w"], data).estimate()
    three = bmx.Model(["y ~ x + mi(z)", "count ~ x", "z | mi() ~ w"], data, family=families).estimate()
    alone = bmx.Model("count ~ x", data, family="poisson").estimate()
    assert three.criterion == pytest.approx(two.criterion + alone.criterion, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "size"), [(0.0, 1e-6), (0.0, 1e6), (200.0, 1.0)])
def test_units_of_a_predictor_do_not_matter(shift, size):
    data = frame().assign(z=(frame()["z"] + shift) * size)
    moved, near = bmx.Model(MODELS["groups"][0], data).estimate(), estimate("groups")
    assert moved.converged
    assert moved.criterion - 2.0 * data["z"].notna().sum() * np.log(size) == pytest.approx(near.criterion, rel=1e-9)
    tables = [one.parameters().loc["y_mi(z)"] for one in (moved, near)]
    assert tables[0].to_numpy() * size == pytest.approx(tables[1].to_numpy(), rel=1e-4)
