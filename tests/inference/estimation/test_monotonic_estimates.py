"""Estimates of monotonic effects against the dense likelihood, maximised by SciPy over slopes and simplexes."""

from __future__ import annotations

import warnings
from functools import cache
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import bayesmix as bmx
from bayesmix.inference.estimation.running_steps import has_zero_step

CRITERION = 1e-6
LEVELS = ["below20", "20to40", "40to100", "over100"]
PATH = Path(__file__).parents[2] / "reference" / "monotonic" / "income.csv"


@cache
def income():
    data = pd.read_csv(PATH)
    return data.assign(income=pd.Categorical(data.income, LEVELS, ordered=True))


def reached(shares, codes):
    """Sum of the shares up to each code, from those but the last."""
    return np.concatenate([[0.0], np.cumsum(shares), [1.0]])[codes]


def maximised(deviance, sizes, others, signs):
    """Lowest deviance by slopes, shares but the last of each simplex, and unbounded others; and where it is.

    From slopes of all ``signs``: over one sign of each the likelihood of normal responses has one maximum.
    """
    bounds = [(None, None)] * (len(others) + len(sizes)) + [(0.0, 1.0)] * (sum(sizes) - len(sizes))
    ends = np.cumsum([len(others) + len(sizes), *(size - 1 for size in sizes)])
    leaves = [{"type": "ineq", "fun": lambda p, a=a, b=b: 1.0 - p[a:b].sum()} for a, b in pairwise(ends)]
    found = []
    for slopes in signs:
        start = [*others, *slopes, *(1.0 / s for s in sizes for _ in range(s - 1))]
        options = {"ftol": 1e-13, "maxiter": 1000}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            how = {"bounds": bounds, "constraints": leaves, "options": options}
            found.append(optimize.minimize(deviance, start, method="SLSQP", **how))
    return min(found, key=lambda one: one.fun)


def normal(residuals, sigma, sd, Z):
    V = sigma**2 * np.eye(len(residuals)) + sd**2 * Z @ Z.T
    root = np.linalg.cholesky(V)
    half = np.linalg.solve(root, residuals)
    return len(V) * np.log(2.0 * np.pi) + 2.0 * np.log(np.diagonal(root)).sum() + half @ half


@cache
def linear():
    data = income()
    codes, Z = data.income.cat.codes.to_numpy(), pd.get_dummies(data.city).to_numpy(float)

    def deviance(p):
        mean = p[0] + p[1] * data.age + 3.0 * p[4] * reached(p[5:7], codes)
        return normal((data.ls - mean).to_numpy(), np.exp(np.clip(p[2], -3, 5)), np.clip(p[3], -30, 30), Z)

    best = maximised(deviance, [3], [30.0, 1.0, 1.4, 3.0], [(4.0,)])
    return best, bmx.Model("ls ~ mo(income) + age + (1 | city)", data).estimate()


def test_a_linear_mixed_model():
    best, fit = linear()
    names = ["Intercept", "age", "sigma", "sd(city, Intercept)", "moincome", "simo_moincome1[1]", "simo_moincome1[2]"]
    wanted = [*best.x[:2], np.exp(best.x[2]), abs(best.x[3]), *best.x[4:]]
    found = fit.parameters().estimate
    assert fit.converged
    assert fit.criterion == pytest.approx(best.fun, rel=CRITERION)
    np.testing.assert_allclose(found[names], wanted, rtol=2e-4)
    assert found["simo_moincome1[3]"] == pytest.approx(1.0 - best.x[5:].sum(), rel=1e-3)


def test_standard_errors_of_shares_are_by_the_delta_method():
    """Of the last share as of what the others add up to: by differences of the deviance."""
    best, fit = linear()
    data, errors = income(), fit.parameters().std_error
    codes, Z = data.income.cat.codes.to_numpy(), pd.get_dummies(data.city).to_numpy(float)

    def deviance(p):
        shares = p[3:5]
        mean = p[0] + p[1] * data.age + 3.0 * p[2] * reached(shares, codes)
        return normal((data.ls - mean).to_numpy(), np.exp(best.x[2]), best.x[3], Z)

    at, steps = np.array([*best.x[:2], *best.x[4:]]), np.array([1e-2, 1e-2, 1e-2, 1e-3, 1e-3])
    units = np.diag(steps)
    hessian = np.array(
        [
            [
                sum(s * t * deviance(at + s * units[i] + t * units[j]) for s in (1, -1) for t in (1, -1))
                / (4 * steps[i] * steps[j])
                for j in range(5)
            ]
            for i in range(5)
        ]
    )
    covariance = 2.0 * np.linalg.inv(hessian)
    own = covariance[3:, 3:]
    wanted = [*np.sqrt(np.diagonal(own)), np.sqrt(own.sum())]
    np.testing.assert_allclose(errors[[f"simo_moincome1[{i}]" for i in (1, 2, 3)]], wanted, rtol=2e-3)


@pytest.mark.slow
def test_several_effects_with_a_step_that_is_zero():
    data = income()
    codes, ratings = data.income.cat.codes.to_numpy(), data.satis.to_numpy() - 1
    Z = pd.get_dummies(data.city).to_numpy(float)

    def deviance(p):
        mean = p[0] + p[1] * data.age + 3.0 * p[4] * reached(p[7:9], codes)
        mean = mean + 3.0 * p[5] * reached(p[9:11], codes) * data.age + 4.0 * p[6] * reached(p[11:14], ratings)
        return normal((data.ls - mean).to_numpy(), np.exp(np.clip(p[2], -3, 5)), np.clip(p[3], -30, 30), Z)

    best = maximised(deviance, [3, 3, 4], [30.0, 1.0, 1.4, 3.0], product((4.0, -4.0), repeat=3))
    with pytest.warns(bmx.ConvergenceWarning, match=r"No step of `moincome:age` from `below20` to `20to40`"):
        fit = bmx.Model("ls ~ mo(income) * age + mo(satis) + (1 | city)", data).estimate()
    assert fit.criterion == pytest.approx(best.fun, rel=CRITERION)
    names = ["moincome", "moincome:age", "mosatis", "simo_moincome:age1[2]", "simo_mosatis1[2]"]
    np.testing.assert_allclose(fit.parameters().estimate[names], best.x[[4, 5, 6, 10, 12]], rtol=1e-3)


def test_a_step_that_is_zero_is_a_problem_by_name():
    """Counts that fall where the others rise: their best step is none, and the two categories have one mean."""
    noise = np.tile([-1, 0, 1, 0, 0], 20)
    data = pd.DataFrame({"x": np.repeat([1, 2, 3, 4], 25), "y": np.repeat([2, 6, 4, 9], 25) + noise})
    with pytest.warns(bmx.ConvergenceWarning, match=r"No step of `mox` from `2` to `3`"):
        fit = bmx.Model("y ~ mo(x)", data, family="poisson").estimate()
    assert not fit.converged
    assert has_zero_step(fit.design, fit.spec, fit.point)
    wanted = np.log([2.0, 5.0, 5.0, 9.0])  # pooled means of neighbours that are out of order
    found = fit.parameters().estimate
    assert found["mox"] == pytest.approx((wanted[3] - wanted[0]) / 3.0, rel=1e-5)
    assert found["simo_mox1[1]"] == pytest.approx((wanted[1] - wanted[0]) / (wanted[3] - wanted[0]), rel=1e-4)


def test_categories_without_rows_leave_steps_untold():
    data = pd.DataFrame({"x": np.repeat([1, 2, 4], 20), "y": np.tile([0.0, 1.0, 2.0, 3.0], 15)})
    with pytest.warns(bmx.ConvergenceWarning, match=r"No row has category `3` of `mo\(x\)`"):
        fit = bmx.Model("y ~ mo(x)", data.assign(y=data.y + data.x)).estimate()
    assert has_zero_step(fit.design, fit.spec, fit.point)


@pytest.mark.slow
def test_categories_that_part_the_outcomes_run_off():
    data = {"x": np.repeat([1, 2, 3], 10), "y": np.repeat([0, 0, 1], 10)}
    with pytest.warns(bmx.ConvergenceWarning, match="`mox` runs off"):
        bmx.Model("y ~ mo(x)", data, family="bernoulli").estimate()
