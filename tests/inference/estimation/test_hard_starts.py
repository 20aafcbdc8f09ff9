"""Zero-inflated negative binomials have several modes: own zeros, a small shape, effects. The lowest is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import bayesmix as bmx
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.methods import Laplace

SETS = 20  # of simulated data
STARTS = 8  # of the searches that each is searched by
ENDLESS = 30.0  # linear predictors from which on a search is for what has no end
LOWER = 1e-3  # of a criterion: what counts as lower


def simulated(seed: int) -> dict[str, object]:
    """Counts of 12 to 25 groups with little or much of everything that makes zeros."""
    rng = np.random.default_rng([20261128, seed])
    J, rows = int(rng.integers(12, 25)), int(rng.integers(5, 12))
    g, x = np.repeat(np.arange(J), rows), rng.normal(size=J * rows)
    mu = np.exp(rng.uniform(-0.5, 2.0) + 0.5 * x + rng.normal(0.0, rng.uniform(0.1, 1.2), J)[g])
    zi = 1.0 / (1.0 + np.exp(rng.uniform(-0.5, 2.5) - rng.normal() * x))
    shape = np.exp(rng.uniform(-1.0, 2.0))
    y = np.where(rng.random(len(x)) < zi, 0, rng.negative_binomial(shape, shape / (shape + mu)))
    return {"y": y, "x": x, "g": [f"g{j}" for j in g]}


def lowest_of_many(fit: bmx.Estimate, seed: int) -> float:
    """The lowest criterion of searches by another optimiser from points far apart, of those that have an end.

    A step of zi at infinity that takes in a zero or two far out in x is beside nearly every mode, never an estimate.
    """
    problem = generalized_problem(fit.design, fit.point.coordinates, fit.spec)
    m, p = problem.coordinates.size, problem.coordinates.X.shape[1]
    rng, values = np.random.default_rng([7, seed]), []
    for _ in range(STARTS):
        likelihood = MarginalLikelihood(problem, Laplace())

        def objective(x: np.ndarray, likelihood: MarginalLikelihood = likelihood) -> tuple[float, np.ndarray]:
            try:
                value, slope = likelihood(x)
            except (np.linalg.LinAlgError, FloatingPointError):
                return 1e10, np.zeros(len(x))
            return (value, slope) if np.isfinite(value) and np.isfinite(slope).all() else (1e10, np.zeros(len(x)))

        start = np.concatenate([np.exp(rng.uniform(-2.0, 0.7, m)), rng.normal(0.0, 1.5, p)])
        found = minimize(objective, start, jac=True, method="L-BFGS-B")
        if np.abs(problem.coordinates.X @ found.x[m:] + problem.offset).max() < ENDLESS:
            values.append(float(found.fun))
    return min(values, default=np.inf)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(SETS))
def test_no_start_leads_lower(seed):
    model = bmx.Model(["y ~ x + (1 | g)", "zi ~ x"], simulated(seed), family="zero_inflated_negbinomial")
    fit = model.estimate()
    assert fit.criterion <= lowest_of_many(fit, seed) + LOWER
