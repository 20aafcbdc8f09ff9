"""Estimates of linear models: REML and ML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.boundary import conditional_covariances, search
from bayesmix.inference.estimation.methods import Ml, Reml
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import LinearProblem, criteria, criterion, solve_linear
from bayesmix.inference.estimation.restart import FEW_ROWS, Restarts, starts_around, starts_at_edges, starts_inside
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.least_squares.solve import modes
from bayesmix.inference.parameters.covariance import from_factor

START = (0.01, 100.0)  # bounds of the relative variances the search starts from


def _start_linear(problem: LinearProblem) -> Array:
    """Relative factors by the method of moments, each grouping factor as if it were alone.

    With ``s_j = z_j'r`` of the least-squares residuals, ``E[s_j^2 / D_j] = sigma^2 (1 + D_j theta^2)``.
    """
    working, products = problem.coordinates, problem.moments
    sigma2 = float(products.XX[-1, -1]) / problem.n
    factors = []
    for place in working.places:
        scores = products.B[place.factor][:, place.columns, -1]
        size = np.diagonal(products.D[place.factor], axis1=-2, axis2=-1)[:, place.columns]
        excess = np.sum(scores**2, axis=0) / np.maximum(size.sum(axis=0), 1e-300) / max(sigma2, 1e-300) - 1.0
        spread = np.clip(excess / np.maximum(np.mean(size, axis=0), 1e-300), START[0], START[1])
        factors.append(np.diag(np.sqrt(spread)))
    return from_factor(working.structures, factors)


def _starts_again(
    working: Coordinates, start: Array, x: Array, singular: Sequence[int], is_doubtful: bool
) -> Iterator[Array]:
    """Where searches start again after one from ``start`` has ended at ``x``: nowhere after a regular end."""
    if not is_doubtful:
        return
    yield from starts_inside(working.structures, x, singular)
    if len(working.X) <= FEW_ROWS:
        yield from starts_around(working.structures, x, start)
        yield from starts_at_edges(working.structures, x)


def fit_linear(problem: LinearProblem, method: Reml | Ml) -> PointEstimate:
    """Minimise the REML or ML criterion, fixed effects and sigma profiled out."""
    reml = isinstance(method, Reml)
    working = problem.coordinates
    start = _start_linear(problem)
    values = partial(criteria, problem, reml=reml) if problem.n <= FEW_ROWS else None
    restarts = Restarts(partial(_starts_again, working, start), values=values)
    optimum, singular = search(
        working, lambda theta: criterion(problem, theta, reml=reml), start, restarts=restarts, accurate=False
    )
    solution = solve_linear(problem, optimum.x)
    sigma2 = float(solution.rss) / (problem.n - problem.p if reml else problem.n)
    b, b_cov = _effects(working, solution.factorisation, np.append(-solution.beta, 1.0), sigma2)
    information = solution.factorisation.XX[: problem.p, : problem.p]
    return PointEstimate(
        method=method,
        beta=working.T @ (problem.beta_ols + solution.beta),
        beta_cov=sigma2 * working.T @ np.linalg.inv(information) @ working.T.T,
        covariances=tuple(sigma2 * G for G in working.covariances(optimum.x)),
        dispersion=float(np.sqrt(sigma2)),
        b=b,
        b_cov=b_cov,
        criterion=optimum.value,
        df=problem.p + working.size + 1,
        singular=singular,
        theta=optimum.x,
        optimum=optimum,
        coordinates=working,
    )


def _effects(
    working: Coordinates, factorisation: Factorisation, combination: Array, scale: float
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Conditional modes and covariances of the random effects, user's units."""
    b, _ = modes(factorisation, combination)
    return tuple(working.of_terms(b)), conditional_covariances(working, factorisation, scale)
