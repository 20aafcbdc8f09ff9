"""Covariance parameters that the design does not determine are named; determined ones are not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from handmade import make_design, make_term

import bayesmix as bmx
from bayesmix.inference.estimation.optimise import Status
from bayesmix.inference.estimation.ridge import ridges
from bayesmix.inference.least_squares.scaling import coordinates

RNG = np.random.default_rng(3)
ID = np.arange(120) // 6
SEX = np.array(["f", "m"])[ID % 2]
T = np.tile(np.arange(6.0), 20)
DATA = {
    "y": 1.0 + 0.3 * T + RNG.normal(size=20)[ID] * (1.0 + (SEX == "m")) + RNG.normal(size=120),
    "n": RNG.poisson(np.exp(1.0 + 0.5 * RNG.normal(size=20)[ID])),
    "t": T,
    "u": 32.0 + 1.8 * T,
    "sex": SEX,
    "id": [f"i{i}" for i in ID],
    "twin": [f"t{i}" for i in ID],
    "week": [f"w{t:.0f}" for t in T],
}


def fit_of(formula: str, family: str = "gaussian") -> bmx.Estimate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bmx.Model(formula, DATA, family=family).estimate()


@pytest.mark.parametrize(
    ("formula", "family", "names"),
    [
        ("y ~ t + sex + (sex | id)", "gaussian", ["sd(id, sexm)", "corr(id, Intercept, sexm)"]),
        ("n ~ sex + (sex | id)", "poisson", ["sd(id, sexm)", "corr(id, Intercept, sexm)"]),
        ("y ~ t + sex + (0 + sex | id)", "gaussian", ["corr(id, sexf, sexm)"]),
        ("y ~ t + (1 | id) + (1 | twin)", "gaussian", ["sd(id, Intercept)", "sd(twin, Intercept)"]),
        ("y ~ t + (1 | id) + (1 | twin) + ar(gr = id)", "gaussian", ["sd(id, Intercept)", "sd(twin, Intercept)"]),
        (
            "y ~ t + (t | id) + (1 | twin)",
            "gaussian",
            ["sd(id, Intercept)", "corr(id, Intercept, t)", "sd(twin, Intercept)"],
        ),
        ("y ~ t + (t + u | id)", "gaussian", ["sd(id, Intercept)", "sd(id, t)", "sd(id, u)", "corr(id, t, u)"]),
        ("y ~ t + (0 + t | id) + (0 + I(2 * t) | id)", "gaussian", ["sd(id, t)", "sd(id, I(2 * t))"]),
    ],
)
def test_parameters_on_a_ridge_are_named(formula, family, names):
    fit = fit_of(formula, family)
    assert not fit.converged
    assert len(fit.problems) == 1
    for name in names:
        assert f"`{name}`" in fit.problems[0]
    assert "`sd(id, Intercept)`" not in fit.problems[0] or "sd(id, Intercept)" in names
    assert "The data do not determine" in str(fit.summary())


def test_a_ridge_is_named_where_the_estimate_is_on_the_boundary():
    """Counts that differ between men alone: a correlation of -1 with a standard deviation of 1e-11 was printed."""
    rng = np.random.default_rng(8)
    n = rng.poisson(np.exp(1.0 + (SEX == "m") * rng.normal(size=20)[ID]))
    n[SEX == "f"] = np.tile([2, 3, 4], 20)
    with pytest.warns(bmx.ConvergenceWarning, match="The data do not determine `sd\\(id, sexm\\)`, `corr"):
        fit = bmx.Model("n ~ sex + (sex | id)", DATA | {"n": n}, family="poisson").estimate()
    assert fit.singular
    assert fit.parameters().loc["sd(id, Intercept)", "estimate"] < 1e-6
    assert not fit.converged


def test_no_effects_at_all_are_no_ridge():
    """A variance of zero has nothing beside it: there is one such point."""
    rng = np.random.default_rng(8)
    fit = bmx.Model("n ~ sex + (sex | id)", DATA | {"n": rng.permutation(np.tile([2, 3, 4], 40))}, "poisson").estimate()
    assert not np.any(fit.values.sd[0] > 0.0)
    assert fit.problems == []


@pytest.mark.parametrize(
    ("z", "named"),
    [
        (np.ones((120, 1)), [["sd(row, Intercept)", "sigma"]]),
        (np.where(np.arange(120) < 60, 2.0, -2.0)[:, None], [["sd(row, Intercept)", "sigma"]]),  # z'z is the same, too
        (1.0 + T[:, None], []),  # variances of the rows differ: told from a residual that is equal in all
    ],
    ids=["intercept", "signs", "slope"],
)
def test_a_level_for_each_row_trades_off_with_the_residual(z, named):
    design = make_design(DATA["y"], np.ones((120, 1)), [make_term("row", np.arange(120), z)])
    assert ridges(design, coordinates(design), has_residual=True) == named
    assert ridges(design, coordinates(design), has_residual=False) == []


def test_a_predictor_far_from_zero_is_told_to_be_centred():
    """A column of 13407 +- 1, its effect independent of the intercept: one standard deviation stands for both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bmx.Model("n ~ x + (x || id)", DATA | {"x": 13407.0 + RNG.normal(size=120)}, family="poisson").estimate()
    assert ["centre the predictor" in problem for problem in fit.problems] == [True]
    assert "`sd(id, Intercept)`, `sd(id, x)`" in fit.problems[0]
    assert fit.point.optimum.status is Status.CONVERGED


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ t + sex + (t | id)",  # singular: flat, but not for lack of information in the design
        "y ~ t + (t || id) + (1 | week)",
        "y ~ t + (t + u:t | id)",
        "y ~ t + (1 | sex/id)",
    ],
)
def test_what_the_design_determines_is_not_named(formula):
    assert fit_of(formula).problems == []


def test_a_level_of_the_group_may_tell_what_the_others_do_not():
    """With one person of both sexes the correlation is determined, however badly."""
    sex = SEX.copy()
    sex[:3] = "m"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bmx.Model("y ~ t + (0 + sex | id)", DATA | {"sex": sex}).estimate()
    assert fit.problems == []
