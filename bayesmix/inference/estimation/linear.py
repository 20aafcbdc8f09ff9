"""Estimates of linear models: REML and ML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.average_information import average_information
from bayesmix.inference.estimation.boundary import conditional_covariances, search
from bayesmix.inference.estimation.methods import Ml, Reml
from bayesmix.inference.estimation.moment_start import moment_start
from bayesmix.inference.estimation.multistart import differenced
from bayesmix.inference.estimation.optimise import Batched, Curved, Objective
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import (
    LinearProblem,
    LinearSolution,
    at_solution,
    criteria,
    criteria_and_gradients,
    solve_linear,
)
from bayesmix.inference.estimation.restart import FEW_ROWS, Restarts, starts_around, starts_at_edges, starts_inside
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.least_squares.solve import modes

MOMENTS = 1e-6  # distance of an estimate from its start, the moments, that is rounding
SMALL = 20_000  # numbers of a factorisation up to which several at once cost little more than one


def starts_again(
    working: Coordinates, start: Array, x: Array, singular: Sequence[int], is_doubtful: bool
) -> Iterator[Array]:
    """Where searches start again after one from ``start`` has ended at ``x``.

    After a regular end of few rows at the edges, where there are several free numbers; nowhere if that end is the
    start, as of balanced data, of which the moments are the only minimum inside.
    """
    have_few = working.entries <= FEW_ROWS
    is_balanced = not is_doubtful and float(np.abs(x - start).max(initial=0.0)) < MOMENTS
    if is_doubtful:
        yield from starts_inside(working.structures, x, singular)
        yield from starts_around(working.structures, x, start) if have_few else ()
    if have_few and working.size > 1 and not is_balanced:
        yield from starts_at_edges(working.structures, x)


def fit_linear(problem: LinearProblem, method: Reml | Ml) -> PointEstimate:
    """Minimise the REML or ML criterion, fixed effects and, unless it is known, sigma profiled out."""
    reml = isinstance(method, Reml)
    working = problem.coordinates
    start = moment_start(problem)
    derivatives = differenced(partial(criteria, problem, reml=reml))
    restarts = Restarts(
        partial(starts_again, working, start),
        together=(lambda _: derivatives) if problem.n <= FEW_ROWS or _is_small(problem) else None,
        has_known_noise=problem.has_known_noise,
    )
    criterion = _Criterion(problem, reml=reml)
    optimum, singular = search(working, criterion.objective, start, restarts=restarts, accurate=False)
    solution = criterion.solution(optimum.x)
    sigma2 = float(problem.residual_variance(solution.rss, reml=reml))
    b, b_cov = _effects(working, solution.factorisation, np.append(-solution.beta, 1.0), sigma2)
    information = solution.factorisation.XX[: problem.p, : problem.p]
    return PointEstimate(
        method=method,
        beta=working.T @ (problem.beta_ols + solution.beta),
        beta_cov=sigma2 * working.T @ np.linalg.inv(information) @ working.T.T,
        covariances=tuple(sigma2 * G for G in working.covariances(optimum.x)),
        dispersion=None if problem.has_known_noise else float(np.sqrt(sigma2)),
        b=b,
        b_cov=b_cov,
        criterion=optimum.value,
        df=problem.p + working.size + int(not problem.has_known_noise),
        singular=singular,
        theta=optimum.x,
        optimum=optimum,
        coordinates=working,
    )


def _is_small(problem: LinearProblem) -> bool:
    """Whether the criterion at several points at once costs little more than at one."""
    working = problem.coordinates
    numbers = sum(factor.levels * factor.k * (factor.k + problem.p) for factor in working.factors)
    return numbers + sum(stage.numbers for stage in working.plan.stages) + working.plan.q**2 < SMALL


class _Criterion:
    """The criterion and its gradient; the last solution is kept, for those who ask for it at the same point."""

    def __init__(self, problem: LinearProblem, *, reml: bool) -> None:
        self.problem, self.reml = problem, reml
        self._last: tuple[Array, LinearSolution] | None = None

    def solution(self, theta: Array) -> LinearSolution:
        """Profiled estimates at one ``theta (size,)``."""
        if self._last is None or not np.array_equal(self._last[0], theta):
            self._last = None  # large arrays: not two of each
            self._last = theta.copy(), solve_linear(self.problem, theta)
        return self._last[1]

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Value and gradient."""
        value, gradient = at_solution(self.problem, self.solution(theta), theta, reml=self.reml)
        return float(value), gradient

    def curvature(self, theta: Array) -> Array:
        """About the Hessian ``(size, size)``."""
        return average_information(self.problem, self.solution(theta), theta, reml=self.reml)

    def together(self, theta: Array) -> tuple[Array, Array]:
        """Values and gradients at points ``theta (n, size)``."""
        return criteria_and_gradients(self.problem, theta, reml=self.reml)

    @property
    def objective(self) -> Objective:
        """At many points at once where that is cheap, about with its curvature elsewhere."""
        return Batched(self, self.together) if _is_small(self.problem) else Curved(self, self.curvature)


def _effects(
    working: Coordinates, factorisation: Factorisation, combination: Array, scale: float
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Conditional modes and covariances of the random effects, user's units."""
    b, _ = modes(factorisation, combination)
    return tuple(working.of_terms(b)), conditional_covariances(working, factorisation, scale)
