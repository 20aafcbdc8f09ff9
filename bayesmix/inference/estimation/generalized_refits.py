"""Laplace estimates of one design for many responses: the conditional modes of all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.batch_search import search_together
from bayesmix.inference.estimation.boundary import initial_factors
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem, Mode
from bayesmix.inference.estimation.conditional_modes import find_modes, of_some
from bayesmix.inference.estimation.generalized import inverse_information, starts_inside
from bayesmix.inference.estimation.laplace import laplace
from bayesmix.inference.estimation.methods import Laplace
from bayesmix.inference.estimation.optimise import absolute_inverse
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.point_estimates import PointEstimates, joined
from bayesmix.inference.estimation.searches import Minima, in_pieces
from bayesmix.inference.estimation.starting_values import SUSPECT
from bayesmix.inference.least_squares.scaling import Coordinates

NUMBERS = 50_000  # of the arrays of rows of a piece of the batch
START = 0.5  # relative factors to start from, where those of the estimate are on the boundary


class LaplaceLikelihoods:
    """Minus twice the Laplace log-likelihoods of ``(theta, beta~, log dispersion)``, one of each response.

    Each evaluation starts the inner iterations at the modes found before: that changes their number, not their result.
    """

    def __init__(self, problem: GeneralizedProblem, count: int) -> None:
        self.problem = problem
        self._u = [np.zeros((count, factor.levels, factor.k)) for factor in problem.coordinates.factors]

    def split(self, x: Array) -> tuple[Array, Array, Array]:
        """Covariance parameters, fixed effects, dispersions ``(S, 1)`` (1 where the family has none)."""
        m, p = self.problem.coordinates.size, self.problem.X.shape[1]
        with np.errstate(over="ignore"):
            dispersion = np.exp(x[:, m + p :]) if self.problem.has_dispersion else np.ones((len(x), 1))
        return x[:, :m], x[:, m : m + p], dispersion

    def mode(self, which: Array, x: Array) -> tuple[GeneralizedProblem, list[Array], Mode]:
        """Conditional modes of the responses ``which`` at points ``x``; their problem, and the relative factors."""
        theta, beta, dispersion = self.split(x)
        own, factors = of_some(self.problem, which), self.problem.coordinates.by_factor(theta)
        fixed = beta @ own.X.T + own.offset
        mode = find_modes(own, factors, fixed, dispersion, [u[which] for u in self._u])
        found = np.isfinite(mode.objective)
        for u, new in zip(self._u, mode.u, strict=True):
            u[which[found]] = new[found]
        return own, factors, mode

    @np.errstate(all="ignore")  # where no mode was found, whose value is infinite
    def __call__(self, which: Array, x: Array) -> tuple[Array, Array]:
        """Values ``(S,)`` and gradients ``(S, m)``."""
        theta, _, dispersion = self.split(x)
        own, factors, mode = self.mode(which, x)
        slopes = laplace(own, factors, mode, dispersion)
        gradient = [own.coordinates.gradient(theta, slopes.by_factor), slopes.by_eta @ own.X]
        if own.has_dispersion:
            gradient.append(np.reshape(slopes.by_dispersion, (-1, 1)))
        return np.asarray(slopes.value), np.concatenate(gradient, axis=1)


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
    return starts_inside(working, start, x, is_doubtful)


def _estimates(likelihoods: LaplaceLikelihoods, found: Minima, singular: Array, some: Array) -> PointEstimates:
    """Values in the user's units at some of the minima."""
    problem, working, x = likelihoods.problem, likelihoods.problem.coordinates, found.x[some]
    theta, beta, dispersion = likelihoods.split(x)
    _, _, mode = likelihoods.mode(some, x)
    m, p, T = working.size, beta.shape[1], working.T
    inverse = inverse_information(found.hessian[some])[:, m : m + p, m : m + p]
    is_far = np.abs(beta @ problem.X.T + problem.offset).max(axis=1, initial=0.0) > SUSPECT  # outcomes may be separated
    return PointEstimates(
        method=Laplace(),
        beta=beta @ T.T,
        beta_cov=T @ inverse @ T.T,
        covariances=tuple(working.covariances(theta)),
        dispersion=dispersion[:, 0] if problem.has_dispersion else None,
        b=tuple(working.of_terms(mode.b)),
        criterion=found.value[some],
        singular=singular[some],
        theta=theta,
        converged=found.converged[some] & ~is_far,
    )
