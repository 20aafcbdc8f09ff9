"""Linear models whose residuals are correlated within blocks: REML and ML, fixed effects profiled out.

``y ~ N(X beta + Z b, V(phi))``, ``V`` block diagonal. At each ``phi`` the cross-products ``[Z X y]'V^-1[Z X y]`` take
the place of those of independent rows of variance one, so that all else is the algebra of linear mixed models. Effects
are relative to a unit, the spread of the least-squares residuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.boundary import conditional_covariances, initial_factors, search
from bayesmix.inference.estimation.generalized import inverse_information
from bayesmix.inference.estimation.methods import Ml, Reml
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import LinearProblem, LinearSolution, linear_problem, solve_linear
from bayesmix.inference.estimation.restart import Restarts, starts_inside
from bayesmix.inference.least_squares.correlated_rows import CorrelatedRows, correlated_rows
from bayesmix.inference.least_squares.cross_products import Moments
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.incidence import Factor, Incidence
from bayesmix.inference.least_squares.scaling import Coordinates, coordinates, orthonormal
from bayesmix.inference.least_squares.solve import modes
from bayesmix.inference.parameters.correlation import Free
from bayesmix.inference.parameters.one_predictor import one_predictor
from bayesmix.inference.parameters.residual_families import residual_family
from bayesmix.language.families.link import CORRELATION
from bayesmix.language.formula.model_spec import ModelSpec

LOG_ABSOLUTE = -0.635  # mean of the logarithm of the absolute value of a standard normal variable
SHARE = 0.8  # of empirical correlations that a search starts from


@dataclass(frozen=True, slots=True, eq=False)
class CorrelatedProblem:
    """All that the criteria of such a model need: cross-products, no data."""

    linear: LinearProblem  # of independent rows: its moments are replaced at each phi
    rows: CorrelatedRows
    change: Array  # (s, s) gamma = change gamma~
    mean: tuple[int, ...]  # columns of the mean among all fixed effects
    spread: tuple[int, ...]  # and of the log standard deviation
    correlation: tuple[int, ...]  # and numbers of the correlation

    @property
    def coordinates(self) -> Coordinates:
        """Those of the mean."""
        return self.linear.coordinates

    @property
    def theta(self) -> int:
        """Number of covariance parameters of random effects, the first of all that is searched."""
        return self.coordinates.size

    def at(self, phi: Array) -> LinearProblem:
        """The linear model at numbers ``phi (..., size)`` of the residual covariance, in units of its noise."""
        moments, log_det = self.rows.moments(phi)
        return replace(self.linear, moments=moments, log_weights=-log_det)

    def phi_of(self, beta: Array) -> Array:
        """Numbers of the residual covariance ``(..., size)`` from all fixed effects ``(..., p)``."""
        gamma = beta[..., self.spread] @ np.linalg.inv(self.change).T
        return np.concatenate([gamma, beta[..., self.correlation]], axis=-1)

    def beta_of(self, mean: Array, phi: Array) -> Array:
        """All fixed effects ``(..., p)`` from those of the mean and the numbers of the residual covariance."""
        lead = np.broadcast_shapes(mean.shape[:-1], phi.shape[:-1])
        beta = np.zeros((*lead, len(self.mean) + len(self.spread) + len(self.correlation)))
        s = len(self.spread)
        beta[..., self.mean], beta[..., self.correlation] = mean, phi[..., s:]
        beta[..., self.spread] = phi[..., :s] @ self.change.T
        return beta


def correlated_coordinates(view: Design) -> Coordinates:
    """Those of a design of the mean alone, in units of its least-squares residuals."""
    residual = view.y - view.offset - view.X @ np.linalg.lstsq(view.X, view.y - view.offset, rcond=None)[0]
    return coordinates(view, [float(np.std(residual)) or 1.0])


def correlated_problem(design: Design, spec: ModelSpec, working: Coordinates | None = None) -> CorrelatedProblem:
    """Sum the cross-products once; ``working`` are coordinates of the mean that are known already."""
    view = one_predictor(design, spec, 0)
    working = correlated_coordinates(view) if working is None else working
    linear = linear_problem(view, working)
    y = view.y - view.offset - working.X @ linear.beta_ols
    return _problem(design, spec, linear, working.factors, np.column_stack([working.X, y]))


def population_products(
    design: Design, spec: ModelSpec, point: PointEstimate, factors: Sequence[Factor], columns: Array
) -> tuple[Incidence, Moments]:
    """Cross-products ``[Z C]'V^-1 [Z C]`` at an estimate: ``Z`` of some factors, ``C (n, c)`` of the population."""
    linear = linear_problem(one_predictor(design, spec, 0), point.coordinates)
    problem = _problem(design, spec, linear, factors, columns)
    return problem.rows.cells, problem.rows.moments(problem.phi_of(point.beta))[0]


def _problem(
    design: Design, spec: ModelSpec, linear: LinearProblem, factors: Sequence[Factor], columns: Array
) -> CorrelatedProblem:
    view, beside = one_predictor(design, spec, 0), one_predictor(design, spec, 1)
    S, offset, change = _spreads(view, beside)
    assert design.data.blocks is not None
    rows = correlated_rows(residual_family(design.layout), design.data.blocks, factors, columns, S, offset)
    owners = np.array(design.layout.owners)
    mean, spread, correlation = (np.flatnonzero(own) for own in (owners == 0, owners == 1, owners > 1))
    return CorrelatedProblem(linear, rows, change, *(tuple(own.tolist()) for own in (mean, spread, correlation)))


def _spreads(view: Design, beside: Design) -> tuple[Array, Array, Array]:
    """Columns ``(n, s)`` and offsets ``(n,)`` of the log standard deviation, orthonormal; ``gamma = change gamma~``.

    Rows that are alike are alike to the last bit: blocks of them have one covariance.
    """
    S, change = orthonormal(beside.X)
    offset = beside.offset - 0.5 * np.log(view.weights)
    _, first, kind = np.unique(np.column_stack([beside.X, offset]), axis=0, return_index=True, return_inverse=True)
    return S[first][kind.reshape(-1)], offset, change


def criterion(problem: CorrelatedProblem, x: Array, *, reml: bool) -> tuple[float, Array]:
    """REML criterion or minus twice the log-likelihood at ``x = (theta, phi)``, and its exact gradient."""
    theta, phi = x[: problem.theta], x[problem.theta :]
    linear = problem.at(phi)
    solution = solve_linear(linear, theta)
    S = _by_products(solution, reml=reml)
    by_moments = sensitivity(solution.factorisation, S, linear.coordinates.pattern)
    factors = linear.coordinates.by_factor(theta)
    by_theta = linear.coordinates.gradient(theta, [2.0 * G @ L for G, L in zip(by_moments.G, factors, strict=True)])
    by_phi = problem.rows.gradient(phi, by_moments, S)
    return float(value_at(linear, solution, reml=reml)), np.concatenate([by_theta, by_phi])


def value_at(linear: LinearProblem, solution: LinearSolution, *, reml: bool) -> Array:
    """The criterion ``(...,)`` where noise is of variance one and the covariance in the cross-products."""
    freedom = linear.n - linear.p if reml else linear.n
    value = solution.factorisation.log_determinant - linear.log_weights + freedom * np.log(2.0 * np.pi) + solution.rss
    return np.asarray(value + (solution.log_det_X - 2.0 * linear.log_T) if reml else value)


def _by_products(solution: LinearSolution, *, reml: bool) -> Array:
    """Derivative ``(c, c)`` by what the elimination of the random effects leaves of ``[X y]'V^-1[X y]``."""
    p = len(solution.beta)
    residual = np.append(-solution.beta, 1.0)
    S = np.outer(residual, residual)
    if reml:
        S[:p, :p] += np.linalg.inv(solution.factorisation.XX[:p, :p])
    return S


def fit_correlated(design: Design, spec: ModelSpec, method: Reml | Ml) -> PointEstimate:
    """Minimise the REML or ML criterion."""
    problem, reml = correlated_problem(design, spec), isinstance(method, Reml)
    working = problem.coordinates

    def objective(x: Array) -> tuple[float, Array]:
        value, gradient = criterion(problem, x, reml=reml)
        if not np.isfinite(value) or not np.all(np.isfinite(gradient)):
            raise np.linalg.LinAlgError("no covariance of the residuals")
        return value, gradient

    start = _start(design, spec, problem)

    def again(x: Array, singular: object, is_doubtful: bool) -> list[Array]:
        own = starts_inside(working.structures, x[: problem.theta], ()) if is_doubtful and problem.theta else ()
        return [np.concatenate([theta, start[problem.theta :]]) for theta in own]

    optimum, singular = search(working, objective, start, restarts=Restarts(again), accurate=True)
    theta, phi = optimum.x[: problem.theta], optimum.x[problem.theta :]
    solution = solve_linear(problem.at(phi), theta)
    b, _ = modes(solution.factorisation, np.append(-solution.beta, 1.0))
    return PointEstimate(
        method=method,
        beta=problem.beta_of(working.T @ (problem.linear.beta_ols + solution.beta), phi),
        beta_cov=_covariance(problem, solution, inverse_information(optimum.hessian, is_told=True)),
        covariances=tuple(working.covariances(theta)),
        dispersion=None,
        b=tuple(working.of_terms(b)),
        b_cov=conditional_covariances(working, solution.factorisation, 1.0),
        criterion=optimum.value,
        df=problem.linear.p + len(optimum.x),
        singular=singular,
        theta=theta,
        optimum=optimum,
        coordinates=working,
    )


def _covariance(problem: CorrelatedProblem, solution: LinearSolution, inverse: Array) -> Array:
    """Covariance of all fixed effects: of the mean given the covariance, and of the numbers of this."""
    p, m, T = problem.linear.p, problem.theta, problem.coordinates.T
    found = np.zeros((p + problem.rows.size,) * 2)
    found[np.ix_(problem.mean, problem.mean)] = T @ np.linalg.inv(solution.factorisation.XX[:p, :p]) @ T.T
    change = np.eye(problem.rows.size)
    change[: len(problem.spread), : len(problem.spread)] = problem.change
    own = [*problem.spread, *problem.correlation]
    found[np.ix_(own, own)] = change @ inverse[m:, m:] @ change.T
    return found


def _start(design: Design, spec: ModelSpec, problem: CorrelatedProblem) -> Array:
    """Small random effects; standard deviations and correlations of the least-squares residuals."""
    view, beside = one_predictor(design, spec, 0), one_predictor(design, spec, 1)
    r = view.y - view.offset - problem.coordinates.X @ problem.linear.beta_ols
    S, offset, _ = _spreads(view, beside)
    size = np.log(np.abs(r) + 1e-3 * float(np.std(r))) - LOG_ABSOLUTE - offset
    gamma = np.linalg.lstsq(S, size, rcond=None)[0]
    sd = np.exp(S @ gamma + offset)
    return np.concatenate([initial_factors(problem.coordinates, 0.5), gamma, _first_numbers(design, problem, r / sd)])


def _first_numbers(design: Design, problem: CorrelatedProblem, z: Array) -> Array:
    """Numbers of the correlation: of an unstructured matrix from the standardised residuals, zeros elsewhere."""
    family, at = problem.rows.family, design.data.blocks
    if not isinstance(family, Free) or at is None:
        return np.zeros(family.size)
    wide = np.zeros((int(at.block.max()) + 1, family.k))
    seen = np.zeros_like(wide)
    wide[at.block, at.place], seen[at.block, at.place] = z, 1.0
    size = np.sqrt(np.maximum((wide**2).T @ seen * (seen.T @ wide**2), 1e-300))
    matrix = SHARE * (wide.T @ wide) / size
    np.fill_diagonal(matrix, 1.0)
    values, vectors = np.linalg.eigh(matrix)
    matrix = (vectors * np.maximum(values, 0.05)) @ vectors.T
    sd = np.sqrt(np.diagonal(matrix))
    return np.asarray(CORRELATION.of(family.partial(matrix / np.outer(sd, sd))))
