"""Satterthwaite's inference about the fixed effects of linear models whose residuals are correlated within blocks.

It differentiates the covariance of the fixed effects by the numbers that were searched.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.correlated import CorrelatedProblem, correlated_problem
from bayesmix.inference.estimation.curvature import steps
from bayesmix.inference.estimation.generalized import inverse_information
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import solve_linear
from bayesmix.inference.estimation.satterthwaite import STEP, Satterthwaite, beside, differences
from bayesmix.language.formula.model_spec import ModelSpec


def correlated_satterthwaite(design: Design, spec: ModelSpec, point: PointEstimate) -> Satterthwaite:
    """How uncertain the covariance parameters are, and how the covariance of the fixed effects depends on them."""
    problem, x = correlated_problem(design, spec, point.coordinates), point.optimum.x
    h = steps(x, STEP)
    points = beside(x, h)
    covs = fixed_covariances(problem, points)
    moved = [_moved(problem, point, at, cov) for at, cov in zip(points, covs, strict=True)]
    m = len(x)
    return Satterthwaite(
        inverse_information(point.optimum.hessian),
        tuple(zip(moved[:m], moved[m:], strict=True)),
        point.beta_cov,
        differences(covs, h),
        2.0 * h,
        np.eye(len(point.beta)),
        has_scale=False,
    )


def fixed_covariances(problem: CorrelatedProblem, points: Array) -> Array:
    """Covariance ``(k, p, p)`` of all fixed effects, zeros but for those of the mean, at ``points (k, m)``.

    NaN where rounding leaves nothing of it, as beside a visit without noise.
    """
    p, T = problem.linear.p, problem.coordinates.T
    found = np.zeros((len(points), *(p + problem.rows.size,) * 2))
    for own, at in zip(found, points, strict=True):
        try:
            XX = solve_linear(problem.at(at[problem.theta :]), at[: problem.theta]).factorisation.XX[:p, :p]
            own[np.ix_(problem.mean, problem.mean)] = T @ np.linalg.inv(XX) @ T.T
        except np.linalg.LinAlgError:
            own[np.ix_(problem.mean, problem.mean)] = np.nan
    return found


def _moved(problem: CorrelatedProblem, point: PointEstimate, x: Array, cov: Array) -> PointEstimate:
    """The estimate with other covariance parameters; fixed effects of the mean and random effects are not moved."""
    theta, phi = x[: problem.theta], x[problem.theta :]
    beta = problem.beta_of(point.beta[list(problem.mean)], phi)
    covariances = tuple(problem.coordinates.covariances(theta))
    optimum = replace(point.optimum, x=x)
    return replace(point, beta=beta, beta_cov=cov, covariances=covariances, theta=theta, optimum=optimum)
