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
    "flat": np.tile([2, 3, 4, 3], N // 4),
    "zeros": np.where(HALF == "a", np.tile([2, 3, 4], N // 3), RNG.poisson(3.0, N) * (RNG.random(N) < 0.5)),
    "positive": 1 + np.tile([2, 3, 4, 3], N // 4),
    "some": np.tile([5, 6, 7, 6], N // 4),
    "of": np.full(N, 12),
    "uniform": np.linspace(-1.0, 1.0, N) + 0.1 * X,
    "share": np.where(HALF == "a", 0.25, 0.75),
    "time": np.where(HALF == "a", 2.0, 5.0),
    "steady": np.where(HALF == "a", np.tile([2, 3, 4], N // 3), RNG.negative_binomial(0.7, 0.2, N)),
    "none": np.where(HALF == "a", 0, 1 + RNG.poisson(2.0, N)) * (np.arange(N) % 3 > 0),
    "edge": np.where(HALF == "a", np.arange(N) % 2, np.where(np.arange(N) % 3 > 0, 0.2 + 0.01 * np.arange(N), 0.0)),
    "nine": np.full(N, 9),
}


def slow(*row):
    return pytest.param(*row, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("formula", "family", "what"),
    [
        (["exact ~ half + half:x", "sigma ~ half"], "gaussian", "`sigma` runs off to zero in 30 of 60 rows"),
        (["exact ~ half + half:x", "sigma ~ 0 + half + x"], "gaussian", "`sigma` runs off to zero in "),
        (["steady ~ half", "shape ~ half"], "negbinomial", "`shape` runs off to infinity in 30 of 60 rows"),
        ("flat ~ x", "nbinom1", "runs off to zero: given the predictors and random effects, `flat` is there"),
        ("some/of ~ x", "betabinomial", "`phi` runs off to infinity"),
        ("flat ~ x", "zero_inflated_poisson", "`zi` runs off to zero in 60 of 60 rows"),
        (["zeros ~ half", "zi ~ half"], "zero_inflated_poisson", 'Fit that family (family="poisson") where it is so'),
        slow(
            ["none ~ 1", "hu ~ half"],
            "hurdle_poisson",
            "`hu` runs off to one in 30 of 60 rows: each `none` there is zero",
        ),
        slow(
            ["none ~ 1", "zi ~ half"],
            "zero_inflated_poisson",
            "`zi` runs off to one in 30 of 60 rows: each `none` there",
        ),
        (["none/nine ~ 1", "zi ~ half"], "zero_inflated_binomial", "`zi` runs off to one in 30 of 60 rows"),
        slow(
            ["edge ~ 1", "zoi ~ half"],
            "zero_one_inflated_beta",
            "`zoi` runs off to one in 30 of 60 rows: each `edge`",
        ),
        ("positive ~ x", "truncated_negbinomial", 'Fit that family (family="truncated_poisson")'),
        ("positive ~ x", "truncated_nbinom1", "`phi` runs off to zero in 60 of 60 rows"),
        ("zeros ~ x", "hurdle_negbinomial", 'Fit that family (family="hurdle_poisson")'),
        ("uniform ~ x", "student", "`nu` runs off to infinity in 60 of 60 rows: given the predictors and random"),
        ("uniform ~ x", "exgaussian", "`beta` runs off to zero in 60 of 60 rows: given the predictors and random"),
        ("time ~ half", "lognormal", "`sigma` runs off to zero in 60 of 60 rows"),
        pytest.param(
            *("share ~ half", "beta", "`phi` runs off to infinity: predictors and random effects can follow `share`"),
            marks=pytest.mark.slow,
        ),
        ("time ~ half", "inverse_gaussian", "`shape` runs off to infinity"),
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
    [
        (["noisy ~ x + (1 | g)", "sigma ~ half"], "gaussian"),
        (["steady ~ x", "shape ~ x"], "negbinomial"),
        ("steady ~ x", "nbinom1"),
        (["steady ~ half", "zi ~ x"], "zero_inflated_poisson"),
        (["steady ~ half", "hu ~ x"], "hurdle_poisson"),
    ],
)
def test_parameters_with_an_estimate_are_not(formula, family):
    assert not bmx.Model(formula, DATA, family=family).estimate().problems


@pytest.mark.slow  # two searches
def test_slopes_that_other_rows_tell_have_an_estimate_however_far_out_a_row_is():
    """The share of zeros of one row in three hundred is below 1e-6 there, by a line that the others draw."""
    rng = np.random.default_rng(5)
    x = np.append(rng.normal(size=300), -14.0)
    data = {"rating": np.digitize(rng.logistic(size=301) * np.exp(-0.6 * x), [-0.7, 0.4]), "x": x}
    data["counts"] = np.where(rng.random(301) < 1 / (1 + np.exp(-x)), 0, 1 + rng.poisson(2.0, 301))
    hurdle = bmx.Model(["counts ~ 1", "hu ~ x"], data, family="hurdle_poisson").estimate()
    assert hurdle.predict(parameter="hu")["estimate"].min() < 1e-6
    ratings = bmx.Model(["rating ~ 1", "disc ~ x"], data, family="acat").estimate()
    assert ratings.predict(parameter="disc")["estimate"].min() < 1e-4
    assert not hurdle.problems
    assert not ratings.problems


@pytest.mark.filterwarnings("ignore::bayesmix.ConvergenceWarning")
@pytest.mark.parametrize("family", ["cumulative", "acat"])
def test_discrimination_without_end_is_named(family):
    """Of half of the rows the predictor tells each category exactly."""
    rng = np.random.default_rng(3)
    f, x = np.repeat(["a", "b"], 60), rng.normal(size=120)
    latent = x + np.where(f == "a", rng.logistic(size=120), 0.0)
    data = {"y": np.digitize(latent, [-0.7, 0.4]), "x": x, "f": f}
    found = bmx.Model(["y ~ x", "disc ~ f"], data, family=family).estimate()
    assert not found.converged
    assert "`disc` runs off to infinity in 60 of 120 rows" in found.problems[0]
    assert bmx.Model(["y ~ x", "disc ~ f"], {**data, "f": np.tile(["a", "b"], 60)}, family=family).estimate().converged


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 10])
def test_a_search_that_leaves_where_slopes_have_numbers_ends_by_name(seed):
    """Shapes of 1e-60 and 1e40 in one fit: the likelihood has a number there, its gradient had none."""
    x = np.random.default_rng(2).normal(size=48).round(3)
    y = (np.random.default_rng(seed).random(48) < 0.25 * np.exp(0.3 * x)).astype(int)
    data = {"y": y, "x": x, "g": [f"g{i % 8}" for i in range(48)]}
    with pytest.warns(ConvergenceWarning, match="`shape` runs off"):
        found = bmx.Model(["y ~ x + (1 | g)", "shape ~ x"], data, family="negbinomial").estimate()
    assert not found.converged
    poisson = bmx.Model("y ~ x + (1 | g)", data, family="poisson").estimate()
    assert found.loglik >= poisson.loglik - 1e-6
