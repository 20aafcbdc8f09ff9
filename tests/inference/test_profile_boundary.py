"""Profile limits of fits on the boundary: a standard deviation at 0, a correlation at 1, a shape that runs off.

Right values are minima of the dense normal log density with the parameter held, or lme4's Laplace deviance profiled;
lme4 prints the same where its splines hold. The gopher tortoises are lme4's test data ``gopherdat2``, the cars R's
``mtcars``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dense import ml_criterion, random_covariance
from optima import GENERALIZED, DenseLaplace, random_problem, safe, search
from scipy.optimize import minimize

import bayesmix as bmx
from bayesmix.inference.estimation import profile
from bayesmix.inference.estimation.estimate import less_far_out
from bayesmix.inference.estimation.held_deviance import HeldDeviances
from bayesmix.inference.estimation.profile import profile_rise

REFERENCE = Path(__file__).parents[1] / "reference" / "profile_boundary"
REPORTED = Path(__file__).parents[1] / "reference" / "reported"
RISE = 3.841458820694124
TEN = (
    *(6.38, 10.83, 13.25, 2.96, 11.29, 11.52, 8.28, 8.36, 8.31, 7.33, 8.57, 7.00, 7.67, 10.19, 12.88, 9.67, 8.47, 7.27),
    *(7.49, 17.25, 10.40, 8.53, 8.68, 11.38, 7.92, 5.66, 11.72, 6.93, 9.95, 7.19, 13.31, 8.57, 7.87, 8.50, 5.11, 6.50),
    *(3.46, 5.98, 9.12, 8.60, 14.35, 6.79, 7.43, 9.16, 7.02, 7.09, 6.68, 6.24, 8.43, 8.51),
)


def labels(codes: np.ndarray) -> np.ndarray:
    return np.array([f"g{code:02d}" for code in codes])


def five_groups() -> bmx.Model:
    """Five groups of ten (question 509892 of stats.stackexchange)."""
    return bmx.Model("y ~ 1 + (1 | g)", pd.DataFrame({"y": TEN, "g": np.repeat(list("abcde"), 10)}))


def shrunk(J: int, n: int, s: int) -> bmx.Model:
    """Noise whose group means are nearly equal."""
    rng = np.random.default_rng(100 * J + s)
    y, g = rng.normal(size=J * n), np.repeat(np.arange(J), n)
    y = (y - 0.9 * (np.bincount(g, y) / n)[g]) * 10.0 ** (3 * s - 3)
    return bmx.Model("y ~ 1 + (1 | g)", pd.DataFrame({"y": y, "g": labels(g)}))


def noise() -> bmx.Model:
    rng = np.random.default_rng(0)
    g, x, _ = rng.integers(0, 6, 57), rng.normal(size=57), rng.integers(0, 5, 57)
    y = np.round(rng.normal(size=57), 2)
    return bmx.Model("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": np.round(x, 2), "g": labels(g)}))


def perfect_correlation() -> bmx.Model:
    """Slopes that are the same line of the intercepts."""
    rng = np.random.default_rng(1)
    x, b = rng.normal(3, 1, 32), np.repeat(rng.normal(0, 1, 4), 8)
    y = 5 + b * (1 - 0.4 * x) * 2 - x + rng.normal(0, 1, 32)
    return bmx.Model("y ~ x + (x | g)", pd.DataFrame({"y": y, "x": x, "g": np.repeat(list("abcd"), 8)}))


def cars() -> bmx.Model:
    """Three groups, a correlation of -1."""
    data = pd.read_csv(REFERENCE / "mtcars.csv", dtype={"cyl": str})
    return bmx.Model("mpg ~ wt + (1 + wt | cyl)", data)


def counts_of_noise(seed: int) -> bmx.Model:
    """Binomial noise: the estimate is 0, but with the intercept held there is a deeper valley at 0.2 and more."""
    rng = np.random.default_rng(50_000 + seed)
    J = int(rng.integers(4, 9))
    n = int(rng.integers(25, 60))
    g, x = rng.integers(0, J, n), rng.normal(size=n)
    s = rng.binomial(5, 1.0 / (1.0 + np.exp(-0.3 * x)), n)
    data = pd.DataFrame({"s": s, "f": 5 - s, "x": x, "g": labels(g)})
    return bmx.Model("cbind(s, f) ~ x + (1 | g)", data, family="binomial")


def unequal_groups() -> bmx.Model:
    """Groups of one to five rows, one of them far out: the standard deviation has a second, nearly flat valley."""
    rng = np.random.default_rng(50_051)
    sizes = rng.integers(1, 6, 10)
    g = np.repeat(np.arange(10), sizes)
    y = rng.normal(size=len(g))
    y[g == int(np.argmin(sizes))] += 2.0
    return bmx.Model("y ~ 1 + (1 | g)", pd.DataFrame({"y": y, "g": labels(g)}))


def thread() -> bmx.Model:
    """Issue 325 of lme4, whose `confint` misses the valley of large variances: 0.9436 for sigma, 0.15 up."""
    return bmx.Model("y ~ 1 + (1 | id)", pd.read_csv(REPORTED / "unequal.csv", dtype={"id": str}))


def dyestuff() -> bmx.Model:
    return bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff2"))


def counts_of_no_group() -> bmx.Model:
    """The rows of `noise`, with counts; the limit is that of lme4's deviance, by `noise.R` beside the data."""
    return bmx.Model("y ~ x + (1 | g)", pd.read_csv(REPORTED / "noise.csv", dtype={"g": str}), family="poisson")


def gophers() -> bmx.Model:
    data = pd.read_csv(REFERENCE / "gopher.csv", dtype={"Site": str})
    return bmx.Model("shells ~ prev + offset(log(Area)) + (1 | Site)", data, family="poisson")


UPPER = {  # of the standard deviation of the intercepts
    "five groups": (five_groups, 1.28099),
    "shrunk, (4, 5, 0)": (lambda: shrunk(4, 5, 0), 0.00057959),  # roots of SciPy's multivariate normal log density
    "shrunk, (8, 4, 0)": (lambda: shrunk(8, 4, 0), 0.00037426),
    "shrunk, (30, 3, 0)": (lambda: shrunk(30, 3, 0), 0.00016296),
    "shrunk, (4, 5, 1)": (lambda: shrunk(4, 5, 1), 0.50486),
    "shrunk, (8, 4, 2)": (lambda: shrunk(8, 4, 2), 301.197),
    "shrunk, (30, 3, 1)": (lambda: shrunk(30, 3, 1), 0.21334),
    "shrunk, (8, 4, 1)": (lambda: shrunk(8, 4, 1), 0.39186),
    "shrunk, (4, 5, 2)": (lambda: shrunk(4, 5, 2), 483.287),
    "shrunk, (30, 3, 2)": (lambda: shrunk(30, 3, 2), 170.794),
    "dyestuff2": (dyestuff, 2.08405),
    "thread": (thread, 1.7667),
    "noise": (noise, 0.361),
    "noise of counts": (counts_of_no_group, 0.332302),
    "gophers": (gophers, 0.5118),
}
COUNTS = ("noise of counts", "gophers")
QUICK_UPPER = ("five groups", "shrunk, (4, 5, 0)", "shrunk, (8, 4, 2)", "noise", "thread")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in QUICK_UPPER else pytest.mark.slow) for case in UPPER]
)
def test_upper_limits_of_a_standard_deviation_at_zero(case: str) -> None:
    make, right = UPPER[case]
    fit = make().estimate("auto" if case in COUNTS else "ml")
    name = next(name for name in fit.names if name.startswith("sd("))
    lower, upper = fit.confint([name]).loc[name]
    assert fit.parameters().loc[name, "estimate"] == 0.0
    assert lower == 0.0
    digits = len(str(right).replace(".", "").lstrip("0"))
    assert float(f"{upper:.{digits}g}") == pytest.approx(right, rel=2 * 10.0 ** (1 - digits))


def dense_minimum(fit: bmx.Estimate, name: str | None, value: float) -> float:
    """The lowest dense deviance with a parameter held, over searches from many starts; one term, one or two effects."""
    design, (term,) = fit.design, fit.design.terms
    k, rng = len(term.effects), np.random.default_rng(1)

    def deviance(free: np.ndarray) -> float:
        sd, rho, sigma = free[:k] ** 2, np.sin(free[k]), math.exp(free[k + 1])
        X, shift = design.X, np.zeros(len(design.y))
        if name in design.fixed:
            j = design.fixed.index(name)
            X, shift = np.delete(X, j, axis=1), value * X[:, j]
        elif name is not None and name.startswith("sd("):
            sd[term.effects.index(name[3:-1].split(", ")[1])] = value
        elif name is not None and name.startswith("corr("):
            rho = value
        elif name == "sigma":
            sigma = value
        R = np.eye(k) + rho * (1.0 - np.eye(k)) if term.structure == "us" else np.eye(k)
        V = sigma**2 * np.eye(len(design.y)) + random_covariance(design, [np.outer(sd, sd) * R])
        held = held_design(design, X, shift)
        try:
            return ml_criterion(held, V, 1.0)
        except (np.linalg.LinAlgError, ValueError):
            return 1e10

    lowest = []
    log_sigma = math.log(fit.parameters().loc["sigma", "estimate"])
    scale = math.exp(0.5 * log_sigma)
    for size in (0.1, 0.5, 1.0, 1.5, *np.exp(rng.normal(size=2))):
        start = np.array([*np.full(k, size * scale), rng.uniform(-1.5, 1.5), log_sigma])
        lowest.append(minimize(deviance, start, method="BFGS", options={"gtol": 1e-4}))
    best = min(lowest, key=lambda one: one.fun)
    options = {"maxfev": 1500, "xatol": 1e-7, "fatol": 1e-9}
    return min(best.fun, minimize(deviance, best.x, method="Nelder-Mead", options=options).fun)


def held_design(design: Any, X: np.ndarray, shift: np.ndarray) -> Any:

    return design.with_rows(X=X, offset=design.offset + shift)


CASES = {
    "correlation": perfect_correlation,
    "cars": cars,
    "unequal": unequal_groups,
    "noise": noise,
    "five": five_groups,
    "thread": thread,
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_limits_are_where_the_lowest_dense_deviance_has_the_critical_value(case: str) -> None:
    fit = CASES[case]().estimate("ml")
    base = dense_minimum(fit, None, math.nan)
    assert fit.criterion == pytest.approx(base, abs=1e-5)
    for name, limits in fit.confint().iterrows():
        ends = (0.0,) if str(name).startswith("sd(") else (-1.0, 1.0) if str(name).startswith("corr(") else ()
        for limit in limits:
            rise = dense_minimum(fit, str(name), float(limit)) - base
            assert rise <= RISE + 1e-3, (name, limit)
            assert limit in ends or rise == pytest.approx(RISE, abs=1e-3), (name, limit)


@pytest.mark.slow
def test_effects_at_zero_are_worth_having_where_sigma_is_small() -> None:
    """Twelve rows, three factors: 0.42 was called the lower limit, where a deeper valley has risen by 3.07.

    No limit is found in that valley, which is nearly flat down to a sigma of zero: that is said.
    """
    fit = random_problem(700163, ["gaussian ml"]).fit()
    effects = [np.outer(z, z) * (term.codes[:, None] == term.codes) for term in fit.design.terms for z in term.z.T]

    def deviance(sds: np.ndarray) -> float:
        V = 0.42**2 * np.eye(12) + sum(sd**2 * block for sd, block in zip(sds, effects, strict=True))
        return ml_criterion(fit.design, V, 1.0)

    found = minimize(deviance, np.ones(len(effects)), method="BFGS", options={"gtol": 1e-5})
    assert found.fun - fit.criterion < 3.1
    with pytest.warns(bmx.ConvergenceWarning, match="`sigma` has no lower profile limit"):
        lower, _ = fit.confint(["sigma"]).loc["sigma"]
    assert not lower > 0.4


def test_a_perfect_correlation_has_limits() -> None:
    """The search divided by zero here."""
    fit = perfect_correlation().estimate("ml")
    name = "corr(g, Intercept, x)"
    lower, upper = fit.confint([name]).loc[name]
    assert lower == -1.0
    spec = fit.spec
    assert profile_rise(fit.design, spec, fit.point, name, upper) == pytest.approx(RISE, abs=1e-4)


@pytest.mark.parametrize(("seed", "right"), [(206, (-0.42021, 0.15422)), (1061, (-0.50196, 0.13133))])
def test_a_deeper_valley_is_followed(seed: int, right: tuple[float, float]) -> None:
    """The slope of the valley left behind led the search to infinity, and its limit was NaN after 18 seconds.

    Right values are roots of a Laplace deviance written with NumPy alone, minimised with the intercept held.
    """
    limits = counts_of_noise(seed).estimate("laplace").confint(["Intercept"]).loc["Intercept"]
    assert limits.tolist() == pytest.approx(right, abs=1e-5)


def with_a_pure_level(family: str, pure: str, side: int) -> pd.DataFrame:
    """Three levels, of one of which all outcomes are at the end of their range (0: no success, no count)."""
    rng = np.random.default_rng(11)
    f = np.tile(list("abc"), 16)
    at = 0 if family == "poisson" else side * (1 if family == "bernoulli" else 5)
    trials = {"bernoulli": 1, "binomial": 5}.get(family, 0)
    y = rng.poisson(2.0, 48) if family == "poisson" else rng.binomial(trials, 0.4, 48)
    y = np.where(f == pure, at, y)
    return pd.DataFrame({"y": y, "n": trials - y, "f": f, "g": labels(np.repeat(np.arange(8), 6))})


PURE = {  # family, level, its end, coding, limits that are infinite: by parameter, lower and upper
    "count of zero": ("poisson", "c", 0, "f", {"fc": (True, False)}),
    "no count in the reference": (
        *("poisson", "a", 0, "f"),
        {"Intercept": (True, False), "fb": (False, True), "fc": (False, True)},
    ),
    "count of zero, sums": (
        *("poisson", "c", 0, "C(f, contr.sum)"),
        {"Intercept": (True, False), "C(f, contr.sum)1": (False, True), "C(f, contr.sum)2": (False, True)},
    ),
    "no success": ("bernoulli", "c", 0, "f", {"fc": (True, False)}),
    "no failure": ("bernoulli", "c", 1, "f", {"fc": (False, True)}),
    "no failure, sums": (
        *("bernoulli", "c", 1, "C(f, contr.sum)"),
        {"Intercept": (False, True), "C(f, contr.sum)1": (True, False), "C(f, contr.sum)2": (True, False)},
    ),
    "no failure, cells": ("binomial", "b", 1, "0 + f", {"fb": (False, True)}),
    "no success of five": ("binomial", "c", 0, "f", {"fc": (True, False)}),
}


QUICK = ("no failure, sums",)


@pytest.mark.parametrize("case", [pytest.param(case, marks=() if case in QUICK else pytest.mark.slow) for case in PURE])
def test_levels_without_events_have_infinite_limits(case: str) -> None:
    """NaN where the likelihood goes on rising; what its rows cannot tell is as if there were no such rows."""
    family, pure, side, coding, infinite = PURE[case]
    data = with_a_pure_level(family, pure, side)
    response = "cbind(y, n)" if family == "binomial" else "y"
    with pytest.warns(bmx.ConvergenceWarning):
        fit = bmx.Model(f"{response} ~ {coding} + (1 | g)", data, family=family).estimate()
    with pytest.warns(bmx.ConvergenceWarning, match="stays below the critical value however far out"):
        table = fit.confint()
    assert table.notna().all().all()
    found = {name: (row["lower"] == -math.inf, row["upper"] == math.inf) for name, row in table.iterrows()}
    assert {name: sides for name, sides in found.items() if any(sides)} == infinite
    others = fit_without(data[data["f"] != pure], response, coding, family)
    shared = [name for name in others.index if name in table.index and name not in infinite]
    pd.testing.assert_frame_equal(table.loc[shared], others.loc[shared], atol=2e-4, rtol=0.0)
    assert shared


@pytest.mark.slow
def test_infinite_limits_go_along_with_an_offset() -> None:
    """What holds separated outcomes near zero, where limits are searched from, is about the offset."""
    data, tables = with_a_pure_level("poisson", "c", 0), []
    for offset in (0.0, 2000.0):
        data["o"] = offset
        with pytest.warns(bmx.ConvergenceWarning):
            fit = bmx.Model("y ~ f + offset(o) + (1 | g)", data, family="poisson").estimate()
        with pytest.warns(bmx.ConvergenceWarning, match="however far out"):
            limits = fit.confint(["Intercept", "fc"])
        tables.append(limits + np.array([offset, 0.0])[:, None])
    pd.testing.assert_frame_equal(tables[1], tables[0], atol=1e-5, rtol=0.0)
    assert tables[0].loc["fc", "lower"] == -math.inf


@pytest.mark.slow
def test_rises_of_separated_outcomes_are_measured_from_what_the_deviance_tends_to() -> None:
    """Measured from 6e-5 above it, four terms had no profile in four minutes: each lower deviance began it anew."""
    fit = random_problem(20261129697, GENERALIZED).fit()
    near = less_far_out(fit.design, fit.spec, fit.point)
    assert HeldDeviances(fit.design, fit.spec, near).lowest <= fit.criterion == pytest.approx(2.0, abs=1e-6)
    lower, upper = fit.confint(["sd(h, Intercept)"]).loc["sd(h, Intercept)"]
    assert lower == 0.0
    dense, theta = safe(DenseLaplace(fit)), upper / fit.point.coordinates.C[0][0, 0]

    def held(rest: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = dense(np.append(theta, rest))
        return value, gradient[1:]

    starts = (near.optimum.x[1:], fit.point.optimum.x[1:], np.append(np.ones(4), near.optimum.x[5:]))
    best = min(search(held, start, 1e-6, 300).fun for start in starts)
    assert best == pytest.approx(2.0 + RISE, abs=1e-3)


@pytest.mark.slow
@pytest.mark.rotating
def test_effects_that_cancel_where_counts_are_have_standard_deviations_without_end() -> None:
    """Searches gave up after 1 000 evaluations: with a correlation of minus one no count tells how large both are."""
    data = random_problem(20261129697, GENERALIZED).data
    (count,) = np.flatnonzero(data["y"])
    x = float(data["x"][count])
    with pytest.warns(bmx.ConvergenceWarning, match="separates the outcomes"):
        fit = bmx.Model("y ~ x + (x | g)", data, family="poisson").estimate()
    C, T = fit.point.coordinates.C[0], fit.point.coordinates.T
    far = np.linalg.solve(C, 1e3 * np.array([[1.0, 0.0], [-1.0 / x, 0.0]]))  # no variance at the row of the count
    theta = fit.point.coordinates.structures[0].theta(far)
    beta = np.linalg.solve(T, np.array([-45.0 * x, 45.0]))
    rise = safe(DenseLaplace(fit))(np.concatenate([theta, beta]))[0] - fit.criterion
    assert rise < 0.1
    with pytest.warns(bmx.ConvergenceWarning, match="however far out"):
        table = fit.confint(["sd(g, Intercept)", "sd(g, x)"])
    assert table.to_numpy().tolist() == [[0.0, math.inf]] * 2


def fit_without(data: pd.DataFrame, response: str, coding: str, family: str) -> pd.DataFrame:
    return bmx.Model(f"{response} ~ {coding} + (1 | g)", data, family=family).estimate().confint()


@pytest.mark.slow
def test_separated_outcomes_have_infinite_limits() -> None:
    """Slopes beyond some number; the search gave up where the deviance does not change."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=48)
    data = pd.DataFrame({"y": (x > 0).astype(int), "x": x, "g": labels(np.repeat(np.arange(8), 6))})
    with pytest.warns(bmx.ConvergenceWarning):
        fit = bmx.Model("y ~ x + (1 | g)", data, family="bernoulli").estimate()
    with pytest.warns(bmx.ConvergenceWarning, match="`Intercept` has no lower profile limit: .* however far out"):
        table = fit.confint()
    assert table.loc["Intercept"].tolist() == [-math.inf, math.inf]
    assert table.loc["x", "upper"] == table.loc["sd(g, Intercept)", "upper"] == math.inf
    assert 0.0 < table.loc["x", "lower"] < 100.0
    assert table.loc["sd(g, Intercept)", "lower"] == 0.0


@pytest.mark.slow
def test_a_shape_that_runs_off_has_no_upper_limit() -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"y": rng.poisson(3, 48), "g": labels(np.repeat(np.arange(8), 6))})
    with pytest.warns(bmx.ConvergenceWarning, match="shape"):
        fit = bmx.Model("y ~ 1 + (1 | g)", data, family="negbinomial").estimate()
    with pytest.warns(bmx.ConvergenceWarning, match="`shape` has no upper profile limit: .* however far out"):
        table = fit.confint(["shape"])
    assert table.loc["shape", "upper"] == math.inf
    assert 0.0 < table.loc["shape", "lower"] < 100.0
    assert table.attrs["notes"] == (
        "`shape` has no upper profile limit: the profile deviance stays below the critical value however far out.",
    )


def test_the_maximum_is_looked_for_again_where_the_estimate_is_not_it() -> None:
    """Of a point that is only a local optimum, at a standard deviation of 0, limits are those of the maximum."""
    from dataclasses import replace

    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    fit = model.estimate("ml")
    zero = model.estimate("ml").point
    local = replace(
        zero, theta=np.zeros(1), covariances=(np.zeros((1, 1)),), dispersion=61.0, criterion=fit.criterion + 1.0
    )
    wrong = bmx.Estimate(fit.fitted_model, local)
    pd.testing.assert_frame_equal(wrong.confint(), fit.confint(), rtol=1e-5)


def test_a_search_that_does_not_end_gives_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "MAX_POINTS", 1)
    fit = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff")).estimate("ml")
    with pytest.warns(bmx.ConvergenceWarning, match="`sigma` has no lower profile limit: the search did not end"):
        table = fit.confint(["sigma"])
    assert table.loc["sigma"].isna().all()
