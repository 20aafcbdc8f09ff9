"""Laplace estimates of one design for many responses: the conditional modes of all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.batch_search import search_together
from bayesmix.inference.estimation.boundary import initial_factors
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem
from bayesmix.inference.estimation.curvature import absolute_inverse
from bayesmix.inference.estimation.generalized import inverse_information, starts_inside
from bayesmix.inference.estimation.laplace_likelihoods import LaplaceLikelihoods
from bayesmix.inference.estimation.methods import Laplace
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.point_estimates import PointEstimates, joined
from bayesmix.inference.estimation.searches import Minima, in_pieces
from bayesmix.inference.estimation.starting_values import SUSPECT
from bayesmix.inference.least_squares.scaling import Coordinates

NUMBERS = 50_000  # of the arrays of rows of a piece of the batch
START = 0.5  # relative factors to start from, where those of the estimate are on the boundary


def refit_laplace(problem: GeneralizedProblem, count: int, near: PointEstimate) -> PointEstimates:
    """Estimates for all responses of a problem with a leading axis; not converged where the end is in doubt.

    Parameters
    ----------
    near : an estimate of the design for responses like these, where searches start.
    """
    likelihoods, working = LaplaceLikelihoods(problem, count), problem.coordinates
    size = max(NUMBERS // len(working.X), 1)
    start = near.optimum.x.copy()
    if near.singular:
        start[: working.size] = initial_factors(working, START)
    inverse = None if near.singular else absolute_inverse(near.optimum.hessian)
    found, singular = search_together(
        working,
        in_pieces(likelihoods, size),
        np.tile(start, (count, 1)),
        inverse,
        again=partial(_again, working, start),
    )
    some = np.split(np.arange(count), range(size, count, size))
    return joined([_estimates(likelihoods, found, singular, places) for places in some])


def _again(
    working: Coordinates, start: Array, s: int, x: Array, singular: Sequence[int], is_doubtful: bool
) -> Iterator[Array]:
    """Where single fits start again; and where they start."""
    if is_doubtful:
        yield np.concatenate([initial_factors(working, START), start[working.size :]])
    yield from starts_inside(working, start, x, is_doubtful)


def _estimates(likelihoods: LaplaceLikelihoods, found: Minima, singular: Array, some: Array) -> PointEstimates:
    """Values in the user's units at some of the minima."""
    problem, working, x = likelihoods.problem, likelihoods.problem.coordinates, found.x[some]
    theta, beta, dispersion = likelihoods.split(x)
    _, _, mode = likelihoods.mode(some, x)
    m, p, T = working.size, beta.shape[1], working.T
    inverse = inverse_information(found.hessian[some], is_told=True)[:, m : m + p, m : m + p]
    is_far = np.abs(beta @ problem.X.T + problem.offset).max(axis=1, initial=0.0) > SUSPECT  # outcomes may be separated
    return PointEstimates(
        method=Laplace(),
        beta=beta @ T.T,
        beta_cov=T @ inverse @ T.T,
        structures=working.structures,
        covariances=tuple(working.covariances(theta)),
        dispersion=dispersion[:, 0] if problem.has_dispersion else None,
        b=tuple(working.of_terms(mode.b)),
        criterion=found.value[some],
        singular=singular[some],
        theta=theta,
        converged=found.converged[some] & ~is_far & ~_has_other_ends(working, singular[some]),
        x=found.x[some],
        gradient=found.gradient[some],
        hessian=found.hessian[some],
    )


def _has_other_ends(working: Coordinates, singular: Array) -> Array:
    """Whether a correlation of one number is at an end of its range: the other end is a minimum, too, as a rule."""
    are_angles = np.array([not structure.is_proportional for structure in working.structures], bool)
    return np.asarray((singular & are_angles).any(axis=1))
