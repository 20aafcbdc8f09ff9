"""Profile limits of models with several linear predictors against dense profiles and closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from breadth import dense_model, dense_values, estimate_case
from dense_rows import laplace
from distributional import estimate_of
from scipy.optimize import minimize

import bayesmix as bmx
from bayesmix.inference.estimation.profile import profile_rise

RISE = 3.841459  # the chi-squared quantile of 0.95
DENSE = 1e-3  # of a dense profile's rise; limits move by 1e-4 of the interval's half width with it

HELD = {
    "sleepstudy_locscale": [
        "sigma_Days",
        "sd(Subject, sigma_Intercept)",
        "corr(Subject, Intercept, sigma_Intercept)",
    ],
    "two_gaussian": ["sigma_a", "corr(g, a_Intercept, b_Intercept)"],
    "epilepsy_shape": ["shape_Trt1"],
    "spread": ["sigma_Intercept", "sd(g, sigma_Intercept)"],
}
CASES = [(case, name) for case, names in HELD.items() for name in names]


def _free(name: str, value: float) -> float:
    """An unbounded number for a parameter."""
    if name.startswith("corr("):
        return float(np.arctanh(value))
    return float(np.log(value)) if name.startswith("sd(") or name in {"sigma_a", "sigma_b"} else value


def _bounded(name: str, free: float) -> float:
    if name.startswith("corr("):
        return float(np.tanh(free))
    return float(np.exp(free)) if name.startswith("sd(") or name in {"sigma_a", "sigma_b"} else free


def lowest(case: str, start: dict[str, float], held: dict[str, float]) -> float:
    """The least of minus twice the Laplace log-likelihood, dense, with some parameters held, by SciPy's minimiser."""
    reference = estimate_case(case)
    model, names = dense_model(reference), [name for name in start if name not in held]

    def deviance(x: Sequence[float]) -> float:
        free = {name: _bounded(name, one) for name, one in zip(names, x, strict=True)}
        return laplace(model, dense_values(reference, free | held))

    x = np.array([_free(name, start[name]) for name in names])
    return float(minimize(deviance, x, method="BFGS", options={"gtol": 1e-4}).fun)


@cache
def least(case: str) -> float:
    return lowest(case, estimate_of(case).parameters()["estimate"].to_dict(), {})


@pytest.mark.slow
@pytest.mark.parametrize(("case", "name"), CASES)
def test_limits_are_those_of_the_dense_profile(case: str, name: str) -> None:
    fit = estimate_of(case)
    limits = fit.confint([name]).loc[name]
    start = fit.parameters()["estimate"].to_dict()
    assert limits["lower"] < start[name] < limits["upper"]
    for limit in limits:
        rise = lowest(case, start, {name: float(limit)}) - least(case)
        assert rise == pytest.approx(RISE, abs=DENSE)


@pytest.fixture(scope="module")
def two_responses() -> bmx.Estimate:
    rng = np.random.default_rng(1)
    data = {"x": rng.normal(size=30), "a": rng.normal(size=30), "b": 3.0 * rng.normal(size=30)}
    return bmx.Model(["a ~ x", "b ~ x"], data).estimate()


@pytest.mark.parametrize("name", ["sigma_a", "sigma_b"])
def test_limits_of_one_number_for_all_rows_are_its_own_and_not_its_logarithms(
    two_responses: bmx.Estimate, name: str
) -> None:
    """A regression's deviance by sigma: ``2 n log sigma + rss / sigma^2``, less its minimum."""
    fit = two_responses
    n, sigma = fit.design.n, fit.parameters().loc[name, "estimate"]
    for limit in fit.confint([name]).loc[name]:
        ratio = sigma / limit
        assert n * (ratio**2 - 1.0 - 2.0 * np.log(ratio)) == pytest.approx(RISE, abs=1e-4)
        rise = profile_rise(fit.design, fit.spec, fit.point, name, float(limit))
        assert rise == pytest.approx(RISE, abs=1e-4)


@pytest.mark.slow
def test_a_number_that_runs_off_has_its_other_limit_and_says_so() -> None:
    """Poisson counts beside an independent response: the limits of their shape are those of a model of them alone."""
    rng = np.random.default_rng(3)
    x, g = rng.normal(size=60), np.arange(60) % 6
    data = {"x": x, "a": rng.normal(size=60), "n": rng.poisson(np.exp(1.0 + 0.3 * x)), "g": [f"g{j}" for j in g]}
    with pytest.warns(bmx.ConvergenceWarning, match="runs off"):
        alone = bmx.Model("n ~ x", data, family="negbinomial").estimate()
    with pytest.warns(bmx.ConvergenceWarning, match="runs off"):
        beside = bmx.Model(["n ~ x", "a ~ x"], data, family={"n": "negbinomial", "a": "gaussian"}).estimate()
    with pytest.warns(bmx.ConvergenceWarning, match="`shape_n` has no upper profile limit: .* however far out"):
        ours = beside.confint(["shape_n"]).loc["shape_n"]
    with pytest.warns(bmx.ConvergenceWarning, match="`shape` has no upper profile limit: .* however far out"):
        known = alone.confint(["shape"]).loc["shape"]
    np.testing.assert_allclose(ours, known, rtol=1e-4)
