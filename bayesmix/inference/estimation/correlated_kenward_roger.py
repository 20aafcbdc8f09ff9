"""Kenward and Roger's inference about the fixed effects of linear models whose residuals are correlated within blocks.

Derivatives of the covariance of the rows are by numbers of it. Of the residuals these are the variances and covariances
where it is linear in them (an unstructured matrix with a standard deviation a visit, compound symmetry with a single
one), so that second derivatives vanish; else the variances of the strata, or the coefficients of the log standard
deviation, and the correlations or the coefficients of the series. Of random effects they are `covariance_derivatives`.
Without random effects all is sums over the patterns of blocks; with them, over `connected_rows`.

How uncertain the numbers are is said by the observed information where residuals are all there is, as SAS's PROC MIXED
and R's mmrm have it of repeated measures, and by the expected one, as in the paper and in pbkrtest, beside random
effects, whose standard deviations may be zero. Of balanced data they are the same.

References
----------
Kenward, Roger 1997, Biometrics 53, 983-997; SAS/STAT User's Guide, PROC MIXED, DDFM=KENWARDROGER.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.connected_rows import Forms, connected_forms
from bayesmix.inference.estimation.correlated import CorrelatedProblem, correlated_problem
from bayesmix.inference.estimation.curvature import steps
from bayesmix.inference.estimation.generalized import inverse_information
from bayesmix.inference.estimation.kenward_roger import (
    KenwardRoger,
    adjusted_covariance,
    directions_of,
    expected_inverse,
)
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.satterthwaite import beside, differences
from bayesmix.inference.least_squares.correlated_rows import Blocks, CorrelatedRows
from bayesmix.inference.parameters.correlation import Correlation, Exchangeable, Free, OneNumber
from bayesmix.inference.parameters.residual_families import COMPLEX_STEP, correlation_matrix
from bayesmix.language.families.link import CORRELATION
from bayesmix.language.formula.model_spec import ModelSpec

STEP = 1e-5  # of first derivatives of the numbers
SECOND = 1e-4  # step of second derivatives, relative to the number

type Covariances = Callable[[Array], list[Array]]  # of each size of blocks (P, m, m), at numbers of them


def correlated_kenward_roger(design: Design, spec: ModelSpec, point: PointEstimate) -> KenwardRoger:
    """Of a REML estimate; NaN where the covariance of random effects has no derivatives.

    Raises
    ------
    SpecError
        If more rows share levels of grouping factors than a dense matrix is made of.
    """
    problem = correlated_problem(design, spec, point.coordinates)
    theta, phi = point.optimum.x[: problem.theta], point.optimum.x[problem.theta :]
    numbers, covariances = _numbers(problem.rows, phi)
    V, first, second = covariances(numbers), _first(covariances, numbers), _second(covariances, numbers)
    if problem.theta:
        of_effects = directions_of(problem.coordinates, theta)[:2]
        found, information = connected_forms(problem, theta, of_effects, V, first, second)
        uncertainty = 2.0 * expected_inverse(information)
    else:
        found = _by_pattern(problem, V, first, second)
        slopes = _slopes_of_numbers(problem.rows, phi)
        uncertainty = slopes @ inverse_information(point.optimum.hessian) @ slopes.T
    T, Phi = problem.coordinates.T, np.linalg.inv(found.XX)
    R = np.einsum("ab,abpq->pq", uncertainty, found.R)
    adjusted = adjusted_covariance(Phi, found.P, found.Q, R, uncertainty)
    by_numbers = -(T @ (Phi @ found.P @ Phi) @ T.T)
    return KenwardRoger(
        _whole(problem, point.beta_cov, T @ adjusted @ T.T),
        point.beta_cov,
        np.array([_whole(problem, np.zeros_like(point.beta_cov), own) for own in by_numbers]),
        uncertainty,
    )


def _whole(problem: CorrelatedProblem, around: Array, mean: Array) -> Array:
    """A matrix of all fixed effects with another one of those of the mean."""
    found = around.copy()
    found[np.ix_(problem.mean, problem.mean)] = mean
    return found


def _by_pattern(problem: CorrelatedProblem, V: list[Array], first: list[Array], second: list[Array]) -> Forms:
    """Of each size of blocks ``V (P, m, m)``, its first derivatives ``(a, P, m, m)`` and second ``(a, b, P, m, m)``."""
    rows, p, m = problem.rows, problem.linear.p, len(first[0])
    inverses = [np.linalg.inv(own) for own in V]
    XX = [blocks.products.reshape(len(blocks.of_cell), -1, p + 1, p + 1)[..., :p, :p] for blocks in rows.sizes]

    def form(middle: list[Array]) -> Array:
        """``X' A X``, ``A (P, m, m)`` of each size of blocks."""
        parts = zip(middle, rows.sizes, XX, strict=True)
        return np.asarray(sum(np.einsum("li,lipq->pq", _flat(A)[blocks.of_cell], own) for A, blocks, own in parts))

    left = [[P @ G[a] @ P for P, G in zip(inverses, first, strict=True)] for a in range(m)]
    P_a = np.array([-form(own) for own in left]).reshape(m, p, p)
    Q, R = np.zeros((m, m, p, p)), np.zeros((m, m, p, p))
    for a in range(m):
        for b in range(m):
            both = [own @ G[b] @ P for own, G, P in zip(left[a], first, inverses, strict=True)]
            Q[a, b] = form(both)
            R[a, b] = form([P @ G[a, b] @ P for P, G in zip(inverses, second, strict=True)])
    return Forms(form(inverses), P_a, Q, R)


def _flat(matrices: Array) -> Array:
    return matrices.reshape(len(matrices), -1)


# ---- numbers of the residual covariance --------------------------------------------------------------------------


def _first(covariances: Covariances, at: Array) -> list[Array]:
    """First derivatives ``(a, P, m, m)`` of each size of blocks, exact to rounding."""
    found = [covariances(at + 1j * COMPLEX_STEP * unit) for unit in np.eye(len(at))]
    return [np.stack([own.imag / COMPLEX_STEP for own in parts]) for parts in zip(*found, strict=True)]


def _second(covariances: Covariances, at: Array) -> list[Array]:
    """Second derivatives ``(a, b, P, m, m)`` of each size of blocks."""
    found = []
    for unit in np.eye(len(at)):
        h = SECOND * max(float(np.abs(unit @ at)), 1e-3)
        up, down = _first(covariances, at + h * unit), _first(covariances, at - h * unit)
        found.append([(one - other) / (2.0 * h) for one, other in zip(up, down, strict=True)])
    return [np.stack(parts) for parts in zip(*found, strict=True)]


def _slopes_of_numbers(rows: CorrelatedRows, phi: Array) -> Array:
    """Derivatives of the numbers by what was searched: ``(a, size)``."""
    h = steps(phi, STEP)
    found = np.array([_numbers(rows, at)[0] for at in beside(phi, h)])
    return differences(found, h).T


def _numbers(rows: CorrelatedRows, phi: Array) -> tuple[Array, Covariances]:
    """Numbers of the covariance of the rows, and the covariance as a function of them."""
    sds = [np.exp(blocks.S @ phi[: rows.s] + blocks.offset) for blocks in rows.sizes]
    C = rows.correlation(phi)
    if isinstance(rows.family, Free) and (of_place := _by_place(rows, sds)) is not None:
        lower = np.tril_indices(rows.family.k)
        return (of_place[:, None] * C * of_place)[lower], lambda at: [_taken(_symmetric(at), b) for b in rows.sizes]
    if isinstance(rows.family, Exchangeable) and all(np.ptp(sd) < 1e-12 * sd.max() for sd in sds) and rows.s == 1:
        v, k = float(sds[0].flat[0]) ** 2, rows.family.k
        off = np.ones((k, k)) - np.eye(k)
        numbers = np.array([v, v * float(C[1, 0])])
        return numbers, lambda at: [_taken(at[0] * np.eye(k) + at[1] * off, b) for b in rows.sizes]
    return _strata(rows, phi, sds, C)


def _strata(rows: CorrelatedRows, phi: Array, sds: list[Array], C: Array) -> tuple[Array, Covariances]:
    """Variances of as many strata as there are coefficients, or these; then the numbers of the correlation."""
    keys = np.concatenate([np.dstack([b.S, b.offset]).reshape(-1, rows.s + 1) for b in rows.sizes])
    _, first, stratum = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    is_stratified = len(first) == rows.s
    variances = np.concatenate([sd.ravel() for sd in sds])[first] ** 2
    ends = np.cumsum([sd.size for sd in sds])[:-1]
    places = [own.reshape(sd.shape) for own, sd in zip(np.split(stratum.reshape(-1), ends), sds, strict=True)]
    own = rows.family.reported(CORRELATION.mean(phi[rows.s :]))

    def covariances(at: Array) -> list[Array]:
        matrix, found = _matrix(rows.family, at[rows.s :]), []
        for blocks, place in zip(rows.sizes, places, strict=True):
            sd = np.sqrt(at[place]) if is_stratified else np.exp(blocks.S @ at[: rows.s] + blocks.offset)
            found.append(sd[:, :, None] * _taken(matrix, blocks) * sd[:, None, :])
        return found

    return np.concatenate([variances if is_stratified else phi[: rows.s], own]), covariances


def _by_place(rows: CorrelatedRows, sds: list[Array]) -> Array | None:
    """Standard deviation of each place ``(T,)`` where it has its own coefficient; None elsewhere."""
    if rows.s != rows.family.k:
        return None
    found = np.full(rows.family.k, np.nan)
    for blocks, sd in zip(rows.sizes, sds, strict=True):
        found[blocks.places.ravel()] = sd.ravel()
    same = all(np.allclose(found[b.places], sd, rtol=1e-12) for b, sd in zip(rows.sizes, sds, strict=True))
    return found if same else None


def _taken(matrix: Array, blocks: Blocks) -> Array:
    return np.asarray(matrix[blocks.places[:, :, None], blocks.places[:, None, :]])


def _symmetric(lower: Array) -> Array:
    k = int((np.sqrt(8 * len(lower) + 1) - 1) // 2)
    found = np.zeros((k, k), lower.dtype)
    found[np.tril_indices(k)] = lower
    return found + np.tril(found, -1).T


def _matrix(family: Correlation, numbers: Array) -> Array:
    """The correlation matrix at numbers as reported, which may be complex."""
    if isinstance(family, Free):
        column, row = np.triu_indices(family.k, 1)
        found = np.eye(family.k, dtype=numbers.dtype)
        found[row, column] = found[column, row] = numbers
        return found
    if isinstance(family, OneNumber):
        return correlation_matrix(family, 2.0 * (numbers - family.lowest) / (1.0 - family.lowest) - 1.0)
    return correlation_matrix(family, family.partial_of(numbers))
