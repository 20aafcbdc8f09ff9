"""Degrees of freedom of t tests by Satterthwaite's approximation (Kuznetsova, Brockhoff, Christensen 2017, eq. 8).

``df = 2 v^2 / (g' A g)``, with ``v(theta, sigma)`` the variance of a combination of fixed effects, or of the error of a
prediction, ``g`` its gradient and ``A`` the inverse information on ``(theta, log sigma)``; the ratio makes it free of
the parametrisation. For one coefficient this is lmerTest's, for combinations of fixed effects emmeans', and for
combinations with random effects the method of SAS's PROC MIXED (``ddfm=satterthwaite``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.fixed_tests import FTest, f_test, principal
from bayesmix.inference.estimation.methods import Reml
from bayesmix.inference.estimation.optimise import difference
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import (
    LinearProblem,
    deviance,
    linear_problem,
    restricted_deviance,
    solve_linear,
)

STEP = 1e-4  # of central differences by the covariance parameters
EQUAL = 1e-8  # degrees of freedom that differ by less are the same


@dataclass(frozen=True, slots=True, eq=False)
class Satterthwaite:
    """How uncertain the covariance parameters of a linear estimate are, and how Cov(beta) depends on them."""

    uncertainty: Array  # (m + 1, m + 1) inverse information on (theta, log sigma)
    beside: tuple[tuple[PointEstimate, PointEstimate], ...]  # the estimate with one theta moved up and down, m pairs
    cov: Array  # (p, p) of the fixed effects
    slopes: Array  # (m + 1, p, p) derivatives of cov by theta and log sigma

    def df(self, L: Array) -> Array:
        """Degrees of freedom of ``L beta``: ``(r,)`` for ``L (r, p)``."""
        variance = np.sum(L @ self.cov * L, axis=1)
        return self._freedom(variance, np.column_stack([np.sum(L @ slope * L, axis=1) for slope in self.slopes]))

    def joint(self, L: Array, value: Array) -> FTest:
        """F test of all rows of ``L`` at once, ``value (r,)`` their estimates less the hypothesis.

        The denominator's degrees of freedom are those of an F with the mean of the squared t of uncorrelated
        combinations (Fai and Cornelius 1996).
        """
        found = principal(L, value, self.cov)
        return f_test(found.wald, len(found.value), _of_mean_square(self.df(found.rows)))

    def of_variance(self, variance: Callable[[PointEstimate], Array], here: Array) -> Array:
        """Degrees of freedom of any variances ``(r,)`` that are proportional to sigma^2.

        Parameters
        ----------
        variance : variances at an estimate; at the estimate itself they are ``here``.
        """
        by_theta = [(variance(up) - variance(down)) / _distance(up, down) for up, down in self.beside]
        return self._freedom(here, np.column_stack([*by_theta, 2.0 * here]))

    def _freedom(self, variance: Array, gradient: Array) -> Array:
        """From variances ``(r,)`` and gradients ``(r, m + 1)``; infinite where a variance is known exactly."""
        spread = np.einsum("ri,ij,rj->r", gradient, self.uncertainty, gradient)
        known = spread <= 1e-300
        return np.where(known, np.inf, 2.0 * variance**2 / np.where(known, 1.0, spread))


def satterthwaite(design: Design, point: PointEstimate) -> Satterthwaite:
    """Differentiate the criterion and the covariance of the fixed effects once, for all questions that follow.

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
    uncertainty = 2.0 * (vectors[:, usable] / values[usable]) @ vectors[:, usable].T
    beside = tuple(_beside(problem, point, i) for i in range(len(point.theta)))
    by_theta = [(up.beta_cov - down.beta_cov) / _distance(up, down) for up, down in beside]
    return Satterthwaite(uncertainty, beside, point.beta_cov, np.array([*by_theta, 2.0 * point.beta_cov]))


def _beside(problem: LinearProblem, point: PointEstimate, i: int) -> tuple[PointEstimate, PointEstimate]:
    shift = STEP * max(abs(point.theta[i]), 0.1) * np.eye(len(point.theta))[i]
    return _moved(problem, point, point.theta + shift), _moved(problem, point, point.theta - shift)


def _moved(problem: LinearProblem, point: PointEstimate, theta: Array) -> PointEstimate:
    """The estimate with other covariance parameters, sigma as it is; fixed and random effects are not moved."""
    T, p = problem.coordinates.T, problem.p
    sigma2 = float(point.dispersion or 1.0) ** 2
    inverse = np.linalg.inv(solve_linear(problem, theta).factorisation.XX[:p, :p])
    covariances = tuple(sigma2 * G for G in problem.coordinates.covariances(theta))
    return replace(point, theta=theta, beta_cov=sigma2 * T @ inverse @ T.T, covariances=covariances)


def _of_mean_square(df: Array) -> float:
    """Degrees of freedom of an F whose mean is that of the mean of independent squared t of ``df (q,)``."""
    if not len(df):
        return math.nan
    if np.ptp(df) < EQUAL or np.isinf(df).all():
        return float(df.mean())
    if np.any(df <= 2.0):  # which have no mean
        return 2.0
    excess = float(np.sum(2.0 / (df - 2.0)))
    return 2.0 + 2.0 * len(df) / excess


def _distance(up: PointEstimate, down: PointEstimate) -> float:
    """Between two estimates that differ in one covariance parameter."""
    return float(np.max(np.abs(up.theta - down.theta)))
