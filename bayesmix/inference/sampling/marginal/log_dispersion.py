"""The log dispersion given linear predictors: its place, from which it is proposed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem
from bayesmix.inference.parameters.priors_in_force import Priors

GRID, REACH = 81, 8.0  # points of the grid of log dispersions, and how many units it spans to either side


@dataclass(frozen=True, slots=True, eq=False)
class Dispersion:
    """Where the posterior of the log dispersion lies, given the linear predictors of the Gaussian approximation."""

    mean: float
    sd: float


def dispersion_given(problem: GeneralizedProblem, priors: Priors, eta: Array, at: float) -> Dispersion | None:
    """Mean and standard deviation of the log dispersion over draws of the linear predictor."""
    prior = priors.dispersion
    if prior is None:
        return None
    few = eta[:: max(1, len(eta) * eta.shape[1] // 50_000)][:50]
    centre, width = at, REACH
    for _ in range(3):  # zoom in
        grid = centre + width * np.linspace(-1.0, 1.0, GRID)
        totals = np.stack([log_density(problem, few, np.full(len(few), x)).sum(axis=-1) for x in grid])
        logs = totals + (prior.log_density(np.exp(grid)) + grid)[:, None]
        logs = np.where(np.isfinite(logs), logs, -np.inf)
        density = np.exp(logs - logs.max(axis=0))
        density = (density / density.sum(axis=0)).mean(axis=1)
        mean = float(density @ grid)
        sd = float(np.sqrt(density @ (grid - mean) ** 2))
        narrower = max(6.0 * sd, 2.0 * width / (GRID - 1))
        centre, width = mean, min(width, narrower)
    return Dispersion(mean, sd)


def log_density(problem: GeneralizedProblem, eta: Array, log_dispersion: Array) -> Array:
    """Log density of each row at ``eta (..., N)`` without offset; ``log_dispersion (...,)``."""
    at = eta + problem.offset if problem.offset.any() else eta
    return problem.value(at, np.exp(log_dispersion)[..., None])
