"""Small-sample inference about fixed effects by Kenward and Roger: adjusted covariance, degrees of freedom, scaled F.

With ``Phi = (X'V^-1 X)^-1``, ``G_a`` the derivatives of V by its numbers and ``W`` the inverse of their expected
restricted information,

    P_a = -X'V^-1 G_a V^-1 X,   Q_ab = X'V^-1 G_a V^-1 G_b V^-1 X,   R_ab = X'V^-1 (d^2 V / da db) V^-1 X,
    Phi_A = Phi + 2 Phi {sum_ab W_ab (Q_ab - P_a Phi P_b - R_ab / 4)} Phi.

V is relative to the residual variance, whose own derivative needs no rows: ``W^-1 = V - Z G Z'``, so that all follows
from ``Z'V^-1 Z`` and ``Z'V^-1 X``. Where the residual variance is known, it is none of the numbers.

References
----------
Kenward, Roger 1997, Biometrics 53, 983-997; Halekoh, Hojsgaard 2014, J. Stat. Softw. 59(9) (pbkrtest).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.fixed_tests import FTest, f_test, principal
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import LinearProblem, linear_problem, solve_linear
from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.marginal_information import MarginalInformation
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.parameters.covariance import cholesky_psd, split
from bayesmix.inference.parameters.covariance_derivatives import covariance_derivatives

STEP = 1e-3  # of differences, in distances to where the criterion is singular
FORWARD = (-25.0 / 12.0, 4.0, -3.0, 4.0 / 3.0, -0.25)  # derivative by values at 0, 1, 2, 3, 4 steps
SINGULAR = 1e-10  # eigenvalues of the information, relative to the largest, that are none
AT_TWO = 1e-2  # denominators that close to 2 degrees of freedom, where the F distribution has no mean


@dataclass(frozen=True, slots=True, eq=False)
class KenwardRoger:
    """The adjusted covariance of the fixed effects, and how uncertain the unadjusted one is."""

    cov: Array  # (p, p) adjusted
    unadjusted: Array  # (p, p)
    slopes: Array  # (m, p, p) derivatives of the unadjusted covariance by the covariance parameters
    uncertainty: Array  # (m, m) inverse expected information of these

    def df(self, L: Array) -> Array:
        """Degrees of freedom of ``L beta``: ``(r,)`` for ``L (r, p)``."""
        variance = np.einsum("rp,pq,rq->r", L, self.unadjusted, L)
        gradient = np.einsum("rp,apq,rq->ra", L, self.slopes, L)
        spread = np.einsum("ra,ab,rb->r", gradient, self.uncertainty, gradient)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2.0 * variance**2 / spread

    def joint(self, L: Array, value: Array) -> FTest:
        """F test of all rows of ``L`` at once, its statistic scaled; ``value (r,)`` estimates less their hypothesis."""
        found = principal(L, value, self.unadjusted)
        q = len(found.value)
        if not q or not np.all(np.isfinite(self.cov)):
            return f_test(math.nan, q, math.nan)
        root = found.rows / np.sqrt(found.variance)[:, None]
        U = root @ self.slopes @ root.T
        traces = np.trace(U, axis1=1, axis2=2)
        A1 = float(traces @ self.uncertainty @ traces)
        A2 = float(np.einsum("aij,ab,bji->", U, self.uncertainty, U))
        wald = found.wald_by(self.cov)
        if q == 1:
            return f_test(wald, 1, float(self.df(found.rows)[0]))
        df, scale = _moments_matched(q, A1, A2)
        return f_test(wald, q, df, scale)


def _moments_matched(q: int, A1: float, A2: float) -> tuple[float, float]:
    """Degrees of freedom and scale of an F with the mean and variance of Wald's: Kenward and Roger's section 3.1."""
    if not A2 > 0.0:
        return math.inf, 1.0
    B = (A1 + 6.0 * A2) / (2.0 * q)
    g = ((q + 1.0) * A1 - (q + 4.0) * A2) / ((q + 2.0) * A2)
    common = 3.0 * q + 2.0 * (1.0 - g)
    c1, c2, c3 = g / common, (q - g) / common, (q + 2.0 - g) / common
    ratio = (1.0 - A2 / q) / (1.0 - c2 * B)
    rho = ratio**2 * (1.0 + c1 * B) / (1.0 - c3 * B) / q
    df = 4.0 + (q + 2.0) / (q * rho - 1.0)
    if not df > 0.0:
        return math.nan, math.nan
    return df, 1.0 if abs(df - 2.0) < AT_TWO else df * (1.0 - A2 / q) / (df - 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """A number of the covariance of one factor's effects: the derivative of the matrix by it."""

    factor: int
    matrix: Array  # (k, k)


def kenward_roger(design: Design, point: PointEstimate) -> KenwardRoger:
    """Of a linear model's REML estimate, in computational coordinates and back.

    NaN where the covariance has no derivatives: correlations of 1 and standard deviations of zero in structures that
    are not linear in their variances and covariances.
    """
    design.check_independent("the expected information of Kenward and Roger", 'Take df="satterthwaite".')
    problem = linear_problem(design, point.coordinates)
    working, p = problem.coordinates, problem.p
    if not p:
        return KenwardRoger(point.beta_cov, point.beta_cov, np.zeros((0, 0, 0)), np.zeros((0, 0)))
    factorisation = solve_linear(problem, point.theta).factorisation
    Phi = np.linalg.inv(factorisation.XX[:p, :p])
    information = MarginalInformation(working.pattern, problem.moments, factorisation)
    directions, curved, weights = directions_of(working, point.theta)
    G = [factor @ factor.T for factor in working.by_factor(point.theta)]
    S = information.of_columns(p)
    P, Q = _forms(information, directions, G, S, np.linalg.inv(Phi))
    W = _information(problem, G, directions, weights)
    m = len(directions) + int(not problem.has_known_noise)
    P, Q, W = P[:m], Q[:m, :m], W[:m, :m]
    uncertainty = 2.0 * expected_inverse(W)
    R = np.zeros((p, p))
    for (a, b), one in curved.items():
        R += uncertainty[a, b] * _form(S[one.factor], one.matrix, S[one.factor])
    T, sigma2 = working.T, float(point.dispersion or 1.0) ** 2
    slopes = -(T @ (Phi @ P @ Phi) @ T.T) * sigma2
    whole = adjusted_covariance(Phi, P, Q, R, uncertainty)
    return KenwardRoger(sigma2 * T @ whole @ T.T, sigma2 * T @ Phi @ T.T, slopes, uncertainty)


def adjusted_covariance(Phi: Array, P: Array, Q: Array, R: Array, uncertainty: Array) -> Array:
    """Covariance ``(p, p)`` of the fixed effects for few data: ``Phi + 2 Phi {sum w (Q - P Phi P) - R / 4} Phi``.

    ``P (m, p, p)``, ``Q (m, m, p, p)`` of the numbers of the covariance, whose own is ``uncertainty (m, m)``, by which
    second derivatives ``R (p, p)`` are summed already.
    """
    inner = np.einsum("ab,abpq->pq", uncertainty, Q) - np.einsum("ab,apq,bqr->pr", uncertainty, P, Phi @ P) - 0.25 * R
    return np.asarray(Phi + 2.0 * Phi @ inner @ Phi)


def directions_of(
    working: Coordinates, theta: Array
) -> tuple[list[Direction], dict[tuple[int, int], Direction], Array]:
    """Derivatives of the relative covariance by its numbers; second ones that are not zero, by pairs of these; and
    the weights ``(m,)`` by which the first ones add up to the covariance.
    """
    directions: list[Direction] = []
    weights: list[Array] = []
    curved: dict[tuple[int, int], Direction] = {}
    for structure, place, own in zip(working.structures, working.places, split(working.structures, theta), strict=True):
        root = structure.factor(own)
        found = covariance_derivatives(structure, root @ root.T)
        weights.append(_weights(found.first, root @ root.T))
        k, begin = working.factors[place.factor].k, len(directions)
        directions += [_placed(matrix, place.factor, place.columns, k) for matrix in found.first]
        for a, b in np.argwhere(np.any(found.second != 0.0, axis=(2, 3))):
            curved[begin + a, begin + b] = _placed(found.second[a, b], place.factor, place.columns, k)
    return directions, curved, np.concatenate([np.zeros(0), *weights])


def _weights(parts: Array, whole: Array) -> Array:
    """Weights ``(s,)`` of a sum of matrices ``(s, k, k)`` that is another one."""
    if not np.all(np.isfinite(parts)):
        return np.full(len(parts), np.nan)
    return np.asarray(np.linalg.lstsq(parts.reshape(len(parts), -1).T, whole.ravel(), rcond=None)[0])


def _placed(matrix: Array, factor: int, columns: slice, k: int) -> Direction:
    whole = np.zeros((k, k))
    whole[columns, columns] = matrix
    return Direction(factor, whole)


def _form(left: Array, matrix: Array, right: Array) -> Array:
    """``sum_j left_j' A right_j`` over levels: ``(p, q)`` of vectors ``(p, J, k)`` and ``(q, J, k)``."""
    return left.reshape(len(left), -1) @ (right @ matrix.T).reshape(len(right), -1).T


def _forms(
    information: MarginalInformation,
    directions: Sequence[Direction],
    G: Sequence[Array],
    S: Sequence[Array],
    XX: Array,
) -> tuple[Array, Array]:
    """``P (m + 1, p, p)`` and ``Q (m + 1, m + 1, p, p)``, the residual variance last.

    Parameters
    ----------
    G : relative covariances of the factors ``(k, k)``.
    S : ``Z'V^-1 X``, per factor ``(p, J, k)``.
    XX : ``X'V^-1 X``.
    """
    m, p = len(directions), len(XX)
    P, Q = np.zeros((m + 1, p, p)), np.zeros((m + 1, m + 1, p, p))
    GS = [own @ matrix.T for own, matrix in zip(S, G, strict=True)]
    CGS = information.times(GS) if S else []

    def all_effects(others: Sequence[Array]) -> Array:
        """``S'G Y`` over all factors."""
        return sum((_form(own, np.eye(own.shape[-1]), Y) for own, Y in zip(GS, others, strict=True)), np.zeros((p, p)))

    explained = all_effects(S)
    P[m], Q[m, m] = explained - XX, XX - 2.0 * explained + all_effects(CGS)
    for b, one in enumerate(directions):
        f = one.factor
        own = _form(S[f], one.matrix, S[f])
        Y = information.times([S[g] @ one.matrix.T if g == f else np.zeros_like(S[g]) for g in range(len(S))])
        P[b] = -own
        for a, other in enumerate(directions):
            Q[a, b] = _form(S[other.factor], other.matrix, Y[other.factor])
        Q[m, b] = own - all_effects(Y)
        Q[b, m] = Q[m, b].T
    return P, Q


def _information(problem: LinearProblem, G: Sequence[Array], directions: Sequence[Direction], weights: Array) -> Array:
    """Twice the expected restricted information ``tr(P G_a P G_b)``, the residual variance last: ``(m + 1, m + 1)``.

    It is less the derivative of ``tr(P G_a)``, by forward differences of the fourth order, exact to about 1e-10. Those
    of the residual variance follow from ``P V P = P``.

    Parameters
    ----------
    weights : (m,) of the directions in the covariance itself.
    """
    m = len(directions)
    here, found = _slopes(problem, G, directions), np.zeros((m + 1, m + 1))
    for a, one in enumerate(directions):
        step = STEP * _distance(problem, G, one)
        along = [_slopes(problem, _moved(G, one, place * step), directions) for place in range(1, len(FORWARD))]
        found[:m, a] = -sum(c * g for c, g in zip(FORWARD, (here, *along), strict=True)) / step
    found = 0.5 * (found + found.T)
    found[:m, m] = found[m, :m] = here - found[:m, :m] @ weights
    found[m, m] = problem.n - problem.p - 2.0 * here @ weights + weights @ found[:m, :m] @ weights
    return found


def _slopes(problem: LinearProblem, G: Sequence[Array], directions: Sequence[Direction]) -> Array:
    """Derivatives ``tr(P G_a)`` of ``log|V| + log|X'V^-1 X|``: ``(m,)``."""
    p, working = problem.p, problem.coordinates
    factorisation = factorise(working.plan, problem.moments, [cholesky_psd(matrix) for matrix in G])
    S = np.zeros(factorisation.XX.shape)
    S[:p, :p] = np.linalg.inv(factorisation.XX[:p, :p])
    by_factor = sensitivity(factorisation, S, working.pattern).G
    return np.array([np.sum(by_factor[one.factor] * one.matrix) for one in directions])


def _moved(G: Sequence[Array], direction: Direction, step: float) -> list[Array]:
    return [matrix + step * direction.matrix if f == direction.factor else matrix for f, matrix in enumerate(G)]


def _distance(problem: LinearProblem, G: Sequence[Array], direction: Direction) -> float:
    """How far the covariance may move back in a direction until that of some level's sums is singular, about."""
    D, matrix = problem.moments.D[direction.factor], G[direction.factor]
    own = np.linalg.solve(np.eye(len(matrix)) + D @ matrix, D)
    return 1.0 / max(float(np.max(np.einsum("jab,ab->j", own, direction.matrix))), 1e-300)


def expected_inverse(information: Array) -> Array:
    """Inverse of the information, without directions of which the data say nothing; NaN where there is none."""
    if not (information.size and np.all(np.isfinite(information))):
        return np.full(information.shape, np.nan)
    size = np.sqrt(np.maximum(np.diagonal(information), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    usable = values > SINGULAR * values.max()
    inverse = (vectors[:, usable] / values[usable]) @ vectors[:, usable].T
    return np.asarray(inverse / np.outer(size, size))
