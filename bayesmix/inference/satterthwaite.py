"""Degrees of freedom of t tests by Satterthwaite's approximation (Kuznetsova, Brockhoff, Christensen 2017, eq. 8)."""

from __future__ import annotations

import math

import numpy as np

from bayesmix.data.design import Design
from bayesmix.inference.estimate import PointEstimate, Reml
from bayesmix.inference.optimise import difference
from bayesmix.inference.reml import LinearProblem, deviance, linear_problem, restricted_deviance, solve_linear

Array = np.ndarray


def degrees_of_freedom(design: Design, point: PointEstimate) -> Array:
    """Degrees of freedom of each fixed effect's t statistic: ``(p,)``.

    ``df = 2 v^2 / (g' A g)``, with ``v(theta, sigma)`` the estimated variance of the coefficient, ``g`` its gradient
    and ``A`` the inverse information on ``(theta, log sigma)``, which the ratio makes free of the parametrisation.
    Directions without curvature (singular fits) are left out.
    """
    problem = linear_problem(design, point.coordinates)
    sigma = float(point.dispersion or 1.0)
    at = np.append(point.theta, math.log(sigma))

    def objective(x: Array) -> tuple[float, Array]:
        if isinstance(point.method, Reml):
            value, by_theta, by_sigma = restricted_deviance(problem, x[:-1], math.exp(x[-1]))
            return value, np.append(by_theta, by_sigma)
        beta = solve_linear(problem, x[:-1]).beta
        value, by_theta, _, by_sigma = deviance(problem, x[:-1], beta, math.exp(x[-1]))
        return value, np.append(by_theta, by_sigma)

    values, vectors = np.linalg.eigh(difference(objective, at))
    usable = values > 1e-6 * values.max()
    inverse = 2.0 * (vectors[:, usable] / values[usable]) @ vectors[:, usable].T
    variance = _variances(problem, point.theta, sigma)
    gradient = np.column_stack([*_by_theta(problem, point.theta, sigma), 2.0 * variance])
    return np.asarray(2.0 * variance**2 / np.einsum("pm,mk,pk->p", gradient, inverse, gradient))


def _variances(problem: LinearProblem, theta: Array, sigma: float) -> Array:
    """Variances of the fixed effects in the user's units: ``(p,)``."""
    T, p = problem.coordinates.T, problem.p
    inverse = np.linalg.inv(solve_linear(problem, theta).factorisation.XX[:p, :p])
    return np.asarray(sigma**2 * np.einsum("ij,jk,ik->i", T, inverse, T))


def _by_theta(problem: LinearProblem, theta: Array, sigma: float, step: float = 1e-4) -> list[Array]:
    """Derivatives of the variances by each covariance parameter, central differences."""
    slopes = []
    for i, h in enumerate(step * np.maximum(np.abs(theta), 0.1)):
        shift = h * np.eye(len(theta))[i]
        up, down = _variances(problem, theta + shift, sigma), _variances(problem, theta - shift, sigma)
        slopes.append((up - down) / (2.0 * h))
    return slopes
