"""Profiled REML and ML criteria of linear mixed models, with exact gradients (Bates et al. 2015, eqs. 30-42).

Where variances of the responses are known, as those of effect sizes are, rows are weighted by their inverses, and the
residual variance is one instead of the one at which the criterion is lowest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import DesignError
from bayesmix.inference.least_squares.cholesky import Factorisation, factorise
from bayesmix.inference.least_squares.cross_products import Moments, moments, with_last_column
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.scaling import TALL, Coordinates

EXACT = 1e-24  # residual over total sum of squares below which the fit is exact to rounding

SMALLEST_VARIANCE = 1e-100  # of residuals: below, what is divided by it is no number


@dataclass(frozen=True, slots=True, eq=False)
class LinearProblem:
    """All that the criteria of a linear mixed model need: cross-products, no data."""

    coordinates: Coordinates
    moments: Moments  # of [X~ y~], y~ the least-squares residuals of y - offset
    beta_ols: Array  # (..., p) least-squares coefficients of X~
    log_weights: float | Array  # (...,) sum of the log prior weights
    log_T: float  # log|det T|
    has_known_noise: bool = False  # whether the residual variance is one

    @property
    def n(self) -> Any:
        """Number of rows, or the sum of weights that count them; ``(...,)`` where points have some of the rows each."""
        return self.moments.n

    @property
    def p(self) -> int:
        """Number of fixed effects."""
        return int(self.beta_ols.shape[-1])

    def freedom(self, *, reml: bool) -> Any:
        """Rows that tell of the variances: by REML, less the fixed effects."""
        return self.n - self.p if reml else self.n

    def residual_variance(self, rss: Any, *, reml: bool) -> Any:
        """The best one at residual sums of squares ``(...,)``, or the known one."""
        return np.ones_like(rss) if self.has_known_noise else rss / self.freedom(reml=reml)


@dataclass(frozen=True, slots=True, eq=False)
class LinearSolution:
    """Profiled estimates at one theta."""

    factorisation: Factorisation
    beta: Array  # (..., p) deviation from least squares, computational coordinates
    rss: Array  # (...,) penalised residual sum of squares
    log_det_X: Array  # (...,) log|X~' V^-1 X~|


def linear_problem(design: Design, coordinates: Coordinates) -> LinearProblem:
    """Sum the cross-products once. Least-squares residuals take the place of y, so that large means do no harm."""
    y = design.y - design.offset
    beta_ols = _least_squares(coordinates.X, y, design.weights)
    residual = y - coordinates.X @ beta_ols
    columns = np.column_stack([coordinates.X, residual])
    unit = bool(np.all(design.weights == 1.0))
    products = moments(coordinates.pattern, coordinates.factors, columns, None if unit else design.weights)
    return LinearProblem(
        coordinates,
        replace(products, n=design.outcome.counts.sum()),
        beta_ols,
        float(np.log(design.outcome.divisors).sum()),
        float(np.log(np.abs(np.diagonal(coordinates.T))).sum()),
        design.outcome.has_known_noise,
    )


def _least_squares(X: Array, y: Array, weights: Array) -> Array:
    """Coefficients ``(p,)`` on columns that are orthonormal, or nearly so where rows have weights."""
    n, p = X.shape
    if n * p * p <= TALL:
        root = np.sqrt(weights)
        return np.asarray(np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0])
    unit = bool(np.all(weights == 1.0))
    products = X.T @ (X if unit else X * weights[:, None])
    beta = np.linalg.solve(products, X.T @ (weights * y))
    return np.asarray(beta + np.linalg.solve(products, X.T @ (weights * (y - X @ beta))))  # to the last digit


def with_responses(problem: LinearProblem, design: Design, responses: Array) -> LinearProblem:
    """The same for responses ``(B, n)`` of the design: what depends on them has a leading axis."""
    X, root = problem.coordinates.X, np.sqrt(design.weights)
    y = responses - design.offset
    beta_ols = np.linalg.lstsq(X * root[:, None], (y * root).T, rcond=None)[0].T
    residual = y - beta_ols @ X.T
    working = problem.coordinates
    products = with_last_column(working.pattern, working.factors, problem.moments, (X, residual), design.weights)
    return replace(problem, moments=products, beta_ols=beta_ols)


def with_rows(problem: LinearProblem, design: Design, kept: Array) -> LinearProblem:
    """The same for some of the rows, ``kept (B, n)`` bool: all but the coordinates has a leading axis."""
    working = problem.coordinates
    columns = np.column_stack([working.X, design.y - design.offset - working.X @ problem.beta_ols])
    products = moments(working.pattern, working.factors, columns, design.weights * kept)
    return replace(
        problem,
        moments=replace(products, n=kept @ design.outcome.counts),
        beta_ols=np.tile(problem.beta_ols, (len(kept), 1)),
        log_weights=kept @ np.log(design.outcome.divisors),
    )


def of_some(problem: LinearProblem, some: Array) -> LinearProblem:
    """The problems of some of the points of a batch."""

    def own(values: Array, axes: int) -> Array:
        return values[some] if np.ndim(values) > axes else values

    whole = problem.moments
    D, C, B = (tuple(own(part, 3) for part in parts) for parts in (whole.D, whole.C, whole.B))
    products = Moments(D, C, B, own(whole.XX, 2), own(whole.n, 0))
    log_weights = own(np.asarray(problem.log_weights), 0)
    return replace(problem, moments=products, beta_ols=problem.beta_ols[some], log_weights=log_weights)


def check_variation(design: Design, problem: LinearProblem) -> None:
    """Raise `DesignError` where least squares leaves no residual: there is no noise to estimate, nor a posterior."""
    if problem.has_known_noise:
        return
    y = design.y - design.offset
    if float(problem.moments.XX[-1, -1]) <= EXACT * max(float(np.sum(design.weights * y**2)), 1e-300):
        raise DesignError(
            f"`{design.response}` is an exact linear function of the predictors: no variation is left to explain."
            " Check whether the response was computed from them, or is constant."
        )


def solve_linear(problem: LinearProblem, theta: Array) -> LinearSolution:
    """Profile out the fixed effects at ``theta (..., size)``."""
    factors = problem.coordinates.by_factor(theta)
    factorisation = factorise(problem.coordinates.plan, problem.moments, factors, theta.shape[:-1])
    p = problem.p
    A, c = factorisation.XX[..., :p, :p], factorisation.XX[..., :p, p]
    L = np.linalg.cholesky(A)
    half = np.linalg.solve(L, c[..., None])
    beta = np.linalg.solve(np.swapaxes(L, -1, -2), half)[..., 0]
    rss = factorisation.XX[..., p, p] - np.sum(half[..., 0] ** 2, axis=-1)
    log_det = 2.0 * np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(axis=-1)
    return LinearSolution(factorisation, beta, rss, log_det)


def criterion(problem: LinearProblem, theta: Array, *, reml: bool) -> tuple[float, Array]:
    """REML criterion or minus twice the log-likelihood at one ``theta (size,)``, sigma profiled; and its gradient."""
    value, gradient = criteria_and_gradients(problem, theta, reml=reml)
    return float(value), gradient


def criteria_and_gradients(problem: LinearProblem, theta: Array, *, reml: bool) -> tuple[Array, Array]:
    """Values ``(...,)`` of `criterion` at points ``theta (..., size)``, and gradients ``(..., size)``.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it cannot be computed at one of them.
    """
    return at_solution(problem, solve_linear(problem, theta), theta, reml=reml)


def at_solution(problem: LinearProblem, solution: LinearSolution, theta: Array, *, reml: bool) -> tuple[Array, Array]:
    """The same where the solutions at the points are there."""
    freedom, p = problem.freedom(reml=reml), problem.p
    if not np.all((solution.rss > 0.0) | problem.has_known_noise):  # an exact fit, to rounding
        raise np.linalg.LinAlgError("no residual variance is left")
    value = _criterion(problem, solution, reml=reml)
    residual = np.concatenate([-solution.beta, np.ones((*solution.rss.shape, 1))], axis=-1)
    precision = np.ones_like(solution.rss) if problem.has_known_noise else freedom / solution.rss
    S = precision[..., None, None] * (residual[..., :, None] * residual[..., None, :])
    if reml:
        S[..., :p, :p] += np.linalg.inv(solution.factorisation.XX[..., :p, :p])
    return value, _by_theta(problem, solution.factorisation, theta, S)


def criteria(problem: LinearProblem, theta: Array, *, reml: bool) -> Array:
    """Values of `criterion` at points ``theta (n, size)``, infinite where it cannot be computed."""
    try:
        solution = solve_linear(problem, theta)
    except np.linalg.LinAlgError:  # of one of them
        some = np.array_split(theta, 2)
        parts = [criteria(problem, half, reml=reml) for half in some] if len(theta) > 1 else [np.full(1, np.inf)]
        return np.concatenate(parts)
    if problem.has_known_noise:
        return _criterion(problem, solution, reml=reml)
    is_left = solution.rss > 0.0
    left = replace(solution, rss=np.where(is_left, solution.rss, 1.0))
    return np.where(is_left, _criterion(problem, left, reml=reml), np.inf)


def _criterion(problem: LinearProblem, solution: LinearSolution, *, reml: bool) -> Array:
    """Criterion ``(...,)`` at the best residual variance, or at the known one."""
    if problem.has_known_noise:
        return _at_sigma(problem, solution, np.ones_like(solution.rss), reml=reml)
    freedom = problem.freedom(reml=reml)
    return _profiled(problem, solution, np.log(2.0 * math.pi * solution.rss / freedom), reml=reml)


def _at_sigma(problem: LinearProblem, solution: LinearSolution, sigma: Array, *, reml: bool) -> Array:
    """Criterion ``(...,)`` at residual standard deviations ``(...,)``."""
    value = _profiled(problem, solution, np.log(2.0 * math.pi * sigma**2), reml=reml)
    return value + solution.rss / sigma**2 - problem.freedom(reml=reml)


def _profiled(problem: LinearProblem, solution: LinearSolution, log_variance: Array | float, *, reml: bool) -> Array:
    """Criterion ``(...,)`` at its best sigma, ``log_variance`` the log of 2 pi its square."""
    freedom = problem.freedom(reml=reml)
    value = solution.factorisation.log_determinant - problem.log_weights + freedom * (1.0 + log_variance)
    return value + (solution.log_det_X - 2.0 * problem.log_T) if reml else value


def profiled_deviance(
    problem: LinearProblem,
    factors: list[Array],
    *,
    sigma: float | None = None,
    held: tuple[Array, float] | None = None,
) -> tuple[float, list[Array], float, float]:
    """Minus twice the log-likelihood with fixed effects at their best; its derivatives.

    Parameters
    ----------
    factors : relative factors ``(k, k)`` of the grouping factors, any roots of their covariance matrices.
    sigma : at its best, too, or known, if None.
    held : ``(a, r)`` holds ``a' beta~`` of the deviation from least squares at ``r``.

    Returns
    -------
    value, by_factor [(k, k)], by_log_sigma, by_held
        The derivative by ``r`` is 0 where nothing is held.
    """
    solution = factorise(problem.coordinates.plan, problem.moments, factors)
    n = problem.n
    beta, rss, pull = held_least_squares(solution.XX, held)
    if not (rss > 0.0 or problem.has_known_noise):  # an exact fit, to rounding
        raise np.linalg.LinAlgError("no residual variance is left")
    sigma2 = float(problem.residual_variance(rss, reml=False)) if sigma is None else sigma**2
    if not sigma2 > SMALLEST_VARIANCE:
        raise np.linalg.LinAlgError("no residual variance is left")
    value = n * math.log(2.0 * math.pi * sigma2) + rss / sigma2 - problem.log_weights
    value += float(solution.log_determinant)
    residual = np.append(-beta, 1.0)
    derivative = sensitivity(solution, np.outer(residual, residual) / sigma2, problem.coordinates.pattern)
    by_factor = [2.0 * G @ L for G, L in zip(derivative.G, factors, strict=True)]
    return value, by_factor, 2.0 * n - 2.0 * rss / sigma2, 2.0 * pull / sigma2


def held_least_squares(XX: Array, held: tuple[Array, float] | None) -> tuple[Array, float, float]:
    """Least squares from cross-products ``(p + 1, p + 1)``, of which ``held = (a, r)`` holds ``a' beta`` at ``r``.

    Returns
    -------
    beta (p,), rss, pull
        Half the derivative of ``rss`` by ``r`` is the pull, 0 where nothing is held.
    """
    p = len(XX) - 1
    A, c = XX[:p, :p], XX[:p, p]
    beta = np.linalg.solve(A, c)
    rss = float(XX[p, p] - c @ beta)
    if held is None:
        return beta, rss, 0.0
    a, r = held
    direction = np.linalg.solve(A, a)
    gap = r - float(a @ beta)
    pull = gap / float(a @ direction)
    return beta + pull * direction, rss + gap * pull, pull


def deviance_at_sigma(problem: LinearProblem, theta: Array, sigma: Array, *, reml: bool) -> tuple[Array, Array]:
    """REML criterion or minus twice the log-likelihood, fixed effects at their best, with sigma not profiled out.

    Parameters
    ----------
    theta, sigma : ``(..., size)`` and ``(...,)``.

    Returns
    -------
    value, gradient
        ``(...,)``, and by theta and log sigma ``(..., size + 1)``.
    """
    solution = solve_linear(problem, theta)
    freedom, p = problem.freedom(reml=reml), problem.p
    ratio = solution.rss / sigma**2
    value = _at_sigma(problem, solution, sigma, reml=reml)
    residual = np.concatenate([-solution.beta, np.ones((*solution.rss.shape, 1))], axis=-1)
    S = residual[..., :, None] * residual[..., None, :] / np.asarray(sigma)[..., None, None] ** 2
    if reml:
        S[..., :p, :p] += np.linalg.inv(solution.factorisation.XX[..., :p, :p])
    by_theta = _by_theta(problem, solution.factorisation, theta, S)
    return value, np.concatenate([by_theta, 2.0 * (freedom - ratio)[..., None]], axis=-1)


def _by_theta(problem: LinearProblem, factorisation: Factorisation, theta: Array, S: Array) -> Array:
    """Derivative by theta of ``log|Lambda'Z'WZ Lambda + I|`` plus a function of ``XX`` with derivative ``S``."""
    derivative = sensitivity(factorisation, S, problem.coordinates.pattern)
    factors = problem.coordinates.by_factor(theta)
    return problem.coordinates.gradient(theta, [2.0 * G @ L for G, L in zip(derivative.G, factors, strict=True)])
