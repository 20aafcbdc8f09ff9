"""Profiles of models with a residual structure: their gradients, and limits against the dense likelihood by SciPy."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest
from residuals import VISITS, data, fitted, model
from scipy import optimize, stats

from bayesmix.errors import ConvergenceWarning
from bayesmix.inference.estimation.correlated_profile import CorrelatedDeviances, has_profile

RISE = stats.chi2.ppf(0.95, 1)
CASES = ["trial_unstr", "trial_site_ar", "orthodont_arma", "trial_cosy_strata"]


@cache
def deviances(case):
    return CorrelatedDeviances((made := model(case)).design, made.spec, made.estimate("ml").point)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_deviance_is_the_criterion_at_the_estimate_and_its_gradient_is_exact(case):
    all_ = deviances(case)
    for name in all_.design.layout.fixed + ("sd(site, Intercept)",) * bool(all_.design.terms):
        one = all_.of(name)
        assert one(one.held.centre, one.start)[0] == pytest.approx(all_.point.criterion, abs=1e-7)
        x = np.array([one.held.centre, *one.start]) + 0.1 * np.cos(np.arange(len(one.start) + 1))
        _, by_c, by_z = one(x[0], x[1:])
        for j, expected in enumerate([by_c, *by_z]):
            step = 1e-5 * np.eye(len(x))[j]
            up, down = one(*_apart(x + step))[0], one(*_apart(x - step))[0]
            assert expected == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-4), (name, j)


@pytest.mark.parametrize("case", [*CASES, "trial_ar", "trial_ar2"])
def test_values_at_the_estimate_are_those_reported(case):
    all_ = deviances(case)
    reported = model(case).estimate("ml").parameters()["estimate"]
    for name in filter(lambda name: has_profile(all_.design.layout, name), all_.design.layout.fixed):
        held = all_.of(name).held
        assert held.value(held.centre) == pytest.approx(reported[name], abs=1e-9)
        assert held.value(held.coordinate(reported[name] + 0.01)) == pytest.approx(reported[name] + 0.01)


def _apart(x):
    return x[0], x[1:]


@pytest.mark.parametrize("case", CASES)
def test_another_estimate_is_that_of_the_point_searched(case):
    """The covariance that a deviance was searched at is that of the estimate moved there, places in their own order."""
    all_ = deviances(case)
    for name in (all_.design.layout.fixed[0], all_.design.layout.fixed[-1]):
        one = all_.of(name)
        z = one.start + 0.05 * np.sin(np.arange(len(one.start)))
        moved = all_.moved(one, one.held.centre, z, 0.0)
        again = moved._objective(moved._whole())[0]
        assert again <= one(one.held.centre, z)[0] + 1e-8  # a held effect of the mean is at its best there
        if one.held.index not in one.problem.mean:
            assert again == pytest.approx(one(one.held.centre, z)[0], abs=1e-8)


@cache
def trial():
    made = model("trial_unstr").design
    mean = made.of_predictor(0)
    X = made.X[: made.n, mean]
    block, place = made.data.blocks.block, made.data.blocks.place
    return X, np.asarray(made.y), block[:, None] == block[None, :], place, [made.fixed[j] for j in mean]


def lowest(name, value):
    """Minus twice the highest dense log-likelihood with a parameter held, by SciPy over the others."""
    X, y, same, place, names = trial()
    pairs = [f"rescor({a}, {b})" for a, b in combinations(VISITS, 2)]
    numbers = [*(f"sigma_visit{v}" for v in VISITS), *pairs]
    held = names.index(name) if name in names else None
    free = [one for one in numbers if one != name]
    if held is not None:
        y, X = y - value * X[:, held], np.delete(X, held, axis=1)

    def deviance(x):
        at = dict(zip(free, x, strict=True)) | {name: value}
        C = np.eye(4)
        for (i, j), pair in zip(combinations(range(4), 2), pairs, strict=True):
            C[i, j] = C[j, i] = at[pair]
        if np.linalg.eigvalsh(C)[0] < 1e-6:
            return 1e6
        sd = np.exp([at[f"sigma_visit{v}"] for v in VISITS])
        V = same * (C * np.outer(sd, sd))[place[:, None], place[None, :]]
        L = np.linalg.cholesky(V)
        half = np.linalg.solve(L, np.column_stack([X, y]))
        beta = np.linalg.lstsq(half[:, :-1], half[:, -1], rcond=None)[0]
        rss = np.sum((half[:, -1] - half[:, :-1] @ beta) ** 2)
        return len(y) * np.log(2 * np.pi) + 2 * np.log(np.diagonal(L)).sum() + rss

    start = fitted("trial_unstr_ml").parameters()["estimate"][free].to_numpy()
    return optimize.minimize(deviance, start, method="BFGS", options={"gtol": 1e-4}).fun


@pytest.mark.slow
@pytest.mark.rotating
@pytest.mark.parametrize("name", ["rescor(w2, w4)", "rescor(w1, w8)", "sigma_visitw8", "armactive:visitw8"])
def test_limits_are_where_the_dense_likelihood_has_fallen_by_the_quantile(name):
    fit = fitted("trial_unstr_ml")
    lower, upper = fit.confint([name], method="profile").loc[name]
    assert lower < fit.parameters().loc[name, "estimate"] < upper
    for limit in (lower, upper):
        assert lowest(name, limit) - fit.criterion == pytest.approx(RISE, abs=1e-3)


@pytest.mark.slow
def test_limits_of_one_number_are_roots_of_the_dense_profile():
    """Compound symmetry of balanced data has its likelihood in closed form: that of means and of what is left."""
    fit, table = fitted("orthodont_cosy"), data("orthodont")
    wide = table.pivot(index="Subject", columns="visit", values="distance").to_numpy()
    m, is_male = wide.shape[1], (table.groupby("Subject")["Sex"].first() == "Male").to_numpy()
    Q = np.linalg.qr(np.column_stack([np.ones(m), [8.0, 10.0, 12.0, 14.0], np.eye(m)[:, :2]]))[0]
    turned = wide @ Q  # the first column is the mean, the second the slope, the others nothing but noise
    centred = turned - np.where(is_male[:, None], turned[is_male].mean(axis=0), turned[~is_male].mean(axis=0))
    between, n = np.sum(centred[:, 0] ** 2), len(wide)
    within = np.sum(centred[:, 1] ** 2) + np.sum(turned[:, 2:] ** 2)

    def profile(rho):
        first, others = 1.0 + (m - 1) * rho, 1.0 - rho
        v = (between / first + within / others) / (n * m)
        return n * m * (np.log(2 * np.pi * v) + 1.0) + n * np.log(first) + n * (m - 1) * np.log(others)

    best = optimize.minimize_scalar(profile, bounds=(-0.3, 0.99), method="bounded", options={"xatol": 1e-12})
    wanted = [
        optimize.brentq(lambda rho: profile(rho) - best.fun - RISE, *ends) for ends in ((-0.3, best.x), (best.x, 0.999))
    ]
    np.testing.assert_allclose(fit.confint(["cosy"], method="profile").loc["cosy"], wanted, atol=1e-5)


def test_which_numbers_of_a_series_have_a_profile():
    layout = model("trial_ar2").design.layout
    assert [has_profile(layout, name) for name in ("ar[1]", "ar[2]", "base")] == [False, True, True]
    with pytest.warns(ConvergenceWarning, match="of a series the last coefficient of each kind"):
        limits = fitted("trial_ar2").confint(["ar[1]"], method="profile")
    assert limits.isna().all(axis=None)
