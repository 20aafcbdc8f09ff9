"""Starting values of models with several linear predictors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import bayesmix as bmx
from bayesmix.data.design.build import build
from bayesmix.data.design.layout import parts_of
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.starting_values import Start, without_random_effects
from bayesmix.inference.least_squares.scaling import coordinates
from bayesmix.language.formula.model_spec import make_spec

RNG = np.random.default_rng(5)
X = RNG.normal(size=60)
DATA = pd.DataFrame(
    {
        "x": X,
        "y": 3.0 + 2.0 * X + RNG.normal(0.0, 0.7, 60),
        "count": RNG.poisson(np.exp(1.0 + 0.5 * X)).astype(float),
        "apart": (X > 0.2).astype(float),
        "g": np.tile(list("abcdef"), 10),
    }
)


def start_of(formulas: list[str], family: object = "gaussian") -> tuple[Start, np.ndarray]:
    """The start, and its fixed effects in the user's units."""
    spec = make_spec(formulas, family, None, None)
    design = build(parts_of(spec), DATA)
    working = coordinates(design)
    found = without_random_effects(generalized_problem(design, working, spec))
    return found, working.T @ found.beta


def test_the_mean_is_least_squares_and_sigma_that_of_its_residuals() -> None:
    _, beta = start_of(["y ~ x + (1 | g)", "sigma ~ x"])
    line = stats.linregress(DATA.x, DATA.y)
    residual = DATA.y - line.intercept - line.slope * DATA.x
    np.testing.assert_allclose(beta, [line.intercept, line.slope, np.log(residual.std(ddof=0)), 0.0], atol=1e-8)


def test_responses_start_each_by_itself() -> None:
    both = ["y ~ x + (1 | p | g)", "count ~ x + (1 | p | g)"]
    _, together = start_of(both, {"y": "gaussian", "count": "poisson"})
    _, second = start_of(["count ~ x + (1 | g)"], "poisson")
    line = stats.linregress(DATA.x, DATA.y)
    np.testing.assert_allclose(together[:2], [line.intercept, line.slope], rtol=1e-8)
    np.testing.assert_allclose(together[3:], second, rtol=1e-8)


def test_separated_outcomes_are_known() -> None:
    found, beta = start_of(["y ~ x + (1 | g)", "apart ~ x"], {"y": "gaussian", "apart": "bernoulli"})
    assert found.is_separated
    np.testing.assert_allclose(beta[-2:], 0.0, atol=1e-12)
    assert not start_of(["y ~ x + (1 | g)", "sigma ~ x"])[0].is_separated


@pytest.mark.parametrize("family", ["gamma", "negbinomial"])
def test_a_shape_starts_at_its_moments(family: str) -> None:
    response = "count + 1 ~ 1" if family == "gamma" else "count ~ 1"
    _, beta = start_of([f"{response} + (1 | g)", "shape ~ x"], family)
    assert np.isfinite(beta).all()
    assert beta[-1] == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("seed", [1, 3])
def test_an_inverse_gaussian_mean_does_not_run_off(seed: int) -> None:
    """The likelihood is nearly flat where it is infinite, 9 and 16 above the least that SciPy's densities have."""
    rng = np.random.default_rng(seed)
    x, b = rng.normal(size=96), rng.normal(0.0, 0.6, 12)
    y = rng.wald(np.exp(0.4 + 0.5 * x + np.repeat(b, 8)) * 1e3, 2e2)

    def criterion(at: np.ndarray) -> float:
        mu, shape = np.exp(at[0] + at[1] * x), np.exp(at[2])
        return -2.0 * float(stats.invgauss.logpdf(y, mu / shape, scale=shape).sum())

    options = {"xatol": 1e-9, "fatol": 1e-10, "maxiter": 5000}
    best = optimize.minimize(criterion, [7.3, 0.5, np.log(200.0)], method="Nelder-Mead", options=options)
    found = bmx.Model("y ~ x", {"y": y, "x": x}, family="inverse_gaussian").estimate()
    assert found.criterion == pytest.approx(best.fun, rel=1e-8)
