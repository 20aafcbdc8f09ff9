"""The Laplace approximation of the marginal likelihood and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.conditional_mode import (
    Dispersion,
    GeneralizedProblem,
    Mode,
    Slopes,
    add_effects,
    by_log_dispersion,
    density_slope,
    log_determinant,
    project,
    solve_rows,
)
from bayesmix.inference.least_squares.cross_products import column_leverages, leverages
from bayesmix.inference.least_squares.derivatives import Sensitivity, sensitivity
from bayesmix.inference.least_squares.row_weights import contract, weigh


def laplace(problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, dispersion: Dispersion) -> Slopes:
    """Minus twice the Laplace log-likelihood, with its derivatives.

    By the dispersion, with dots for derivatives by its logarithm and ``s`` the leverages,

        sum over rows of  -2 dot l  -  s dot l''  +  (Z Lambda H^-1 Lambda'Z' by_mode) dot l'.
    """
    coordinates = problem.coordinates
    value = mode.objective + log_determinant(problem, mode.factorisation)
    derivative = sensitivity(mode.factorisation, np.linalg.inv(mode.factorisation.XX), coordinates.pattern)
    spread = _spread(problem, mode, derivative)
    by_mode = -contract(spread, mode.jet[3])
    moved_b, moved_effects = solve_rows(problem, mode.factorisation, -mode.jet[2], by_mode)
    moved = add_effects(coordinates, moved_b) + problem.flat.X @ moved_effects.flat
    by_eta = -2.0 * mode.jet[1] + by_mode + weigh(mode.jet[2], moved)
    through_eta, score = project(coordinates, by_eta), project(coordinates, mode.jet[1])
    by_factor = [
        np.swapaxes(Z_eta, -1, -2) @ u + np.swapaxes(Z_score, -1, -2) @ shift + 2.0 * G @ Lambda
        for Z_eta, u, Z_score, shift, G, Lambda in zip(
            through_eta, mode.u, score, moved_effects.u, derivative.G, Lambdas, strict=True
        )
    ]
    by_dispersion = by_log_dispersion(problem, mode, dispersion, moved, spread)
    if problem.has_dispersion:
        by_dispersion = by_dispersion - 2.0 * np.sum(density_slope(problem, mode.eta, dispersion), axis=-1)
    return Slopes(value, by_eta, by_factor, by_dispersion)


def _spread(problem: GeneralizedProblem, mode: Mode, derivative: Sensitivity) -> Array:
    """Conditional covariance of the predictors of each row, given the parameters: as weights of rows are."""
    working, flat, R = problem.coordinates, problem.flat, problem.likelihood.R
    total = leverages(working.pattern, working.factors, derivative.D, derivative.C, R=R)
    if not flat.columns:
        return total
    inverse = np.linalg.inv(mode.factorisation.XX)
    return total + column_leverages(working.factors, flat.X, derivative.B, inverse, R=R)
