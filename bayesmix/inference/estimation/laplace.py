"""The Laplace approximation of the marginal likelihood and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.conditional_mode import (
    GeneralizedProblem,
    Mode,
    Slopes,
    _by_dispersion,
    _density_slope,
    add_effects,
    project,
)
from bayesmix.inference.least_squares.cross_products import leverages
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.row_weights import contract, weigh
from bayesmix.inference.least_squares.solve import solve


def laplace(problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, dispersion: float) -> Slopes:
    """Minus twice the Laplace log-likelihood, with its derivatives.

    By the dispersion, with dots for derivatives by its logarithm and ``s`` the leverages,

        sum over rows of  -2 dot l  -  s dot l''  +  (Z Lambda H^-1 Lambda'Z' by_mode) dot l'.
    """
    coordinates = problem.coordinates
    value = mode.objective + float(mode.factorisation.log_determinant)
    derivative = sensitivity(mode.factorisation, np.zeros((1, 1)), coordinates.pattern)
    spread = leverages(coordinates.pattern, coordinates.factors, derivative.D, derivative.C, R=problem.likelihood.R)
    by_mode = -contract(spread, mode.jet[3])
    moved_b, moved_u = solve(mode.factorisation, project(coordinates, by_mode))
    moved = add_effects(coordinates, moved_b)
    by_eta = -2.0 * mode.jet[1] + by_mode + weigh(mode.jet[2], moved)
    through_eta, score = project(coordinates, by_eta), project(coordinates, mode.jet[1])
    by_factor = [
        Z_eta.T @ u + Z_score.T @ shift + 2.0 * G @ Lambda
        for Z_eta, u, Z_score, shift, G, Lambda in zip(
            through_eta, mode.u, score, moved_u, derivative.G, Lambdas, strict=True
        )
    ]
    by_dispersion = _by_dispersion(problem, mode, dispersion, moved, spread)
    if problem.has_dispersion:
        by_dispersion -= 2.0 * float(np.sum(_density_slope(problem, mode.eta, dispersion)))
    return Slopes(value, by_eta, by_factor, by_dispersion)
