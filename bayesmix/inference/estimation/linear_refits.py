"""REML and ML estimates of one design for many responses: only cross-products with the response differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.batch_search import search_together
from bayesmix.inference.estimation.curvature import absolute_inverse
from bayesmix.inference.estimation.linear import starts_again
from bayesmix.inference.estimation.methods import Ml, Reml
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.point_estimates import PointEstimates, joined
from bayesmix.inference.estimation.reml import LinearProblem, criteria_and_gradients, of_some, solve_linear
from bayesmix.inference.estimation.searches import Minima, in_pieces
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.least_squares.solve import modes

NUMBERS = 200_000  # of the arrays of a piece of the batch: those that the processor keeps near


def refit_linear(
    problem: LinearProblem, method: Reml | Ml, near: PointEstimate | None, starts: Array
) -> PointEstimates:
    """Estimates for all points of a batch: responses, or rows left out.

    Parameters
    ----------
    starts : (B, size) covariance parameters to start from.
    near : an estimate of the design for responses like these: searches begin with its curvature.
    """
    working, reml = problem.coordinates, isinstance(method, Reml)
    size = piece(working, problem.p + 1)

    def derivatives(which: Array, theta: Array) -> tuple[Array, Array]:
        return criteria_and_gradients(of_some(problem, which), theta, reml=reml)

    inverse = None if near is None or near.singular else absolute_inverse(near.optimum.hessian)
    found, singular = search_together(
        working, in_pieces(derivatives, size), starts, inverse, again=partial(_again, working, starts)
    )
    some = np.split(np.arange(len(starts)), range(size, len(starts), size))
    return joined([_estimates(problem, method, found, singular, places) for places in some])


def piece(working: Coordinates, columns: int) -> int:
    """Points whose arrays are computed at once."""
    levels = sum(factor.levels * factor.k * (factor.k + columns) for factor in working.factors)
    entries = max((stage.n_entries for stage in working.plan.stages), default=0)
    return max(NUMBERS // (levels + entries + working.plan.q**2 + 1), 1)


def _again(
    working: Coordinates, starts: Array, s: int, x: Array, singular: Sequence[int], is_doubtful: bool
) -> Iterator[Array]:
    return starts_again(working, starts[s], x, singular, is_doubtful)


def _estimates(
    problem: LinearProblem, method: Reml | Ml, found: Minima, singular: Array, some: Array
) -> PointEstimates:
    """Values in the user's units at some of the minima."""
    working, p, theta = problem.coordinates, problem.p, found.x[some]
    own = of_some(problem, some)
    solution = solve_linear(own, theta)
    sigma2 = own.residual_variance(solution.rss, reml=isinstance(method, Reml))
    scale = sigma2[:, None, None]
    ones = np.ones((len(some), 1))
    b, _ = modes(solution.factorisation, np.concatenate([-solution.beta, ones], axis=1))
    T, information = working.T, solution.factorisation.XX[:, :p, :p]
    return PointEstimates(
        method=method,
        beta=(own.beta_ols + solution.beta) @ T.T,
        beta_cov=scale * (T @ np.linalg.inv(information) @ T.T),
        structures=working.structures,
        covariances=tuple(scale * G for G in working.covariances(theta)),
        dispersion=None if problem.has_known_noise else np.sqrt(sigma2),
        b=tuple(working.of_terms(b)),
        criterion=found.value[some],
        singular=singular[some],
        theta=theta,
        converged=found.converged[some],
        x=found.x[some],
        gradient=found.gradient[some],
        hessian=found.hessian[some],
    )
