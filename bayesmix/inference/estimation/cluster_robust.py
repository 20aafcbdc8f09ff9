"""Cluster-robust covariance of fixed effects, with Satterthwaite's degrees of freedom and Hotelling's T-squared.

With ``e = y - X beta``, ``V_c`` the model's covariance of the rows of cluster c and ``M = (X'V^-1 X)^-1``,

    cov = M sum_c (X_c'V_c^-1 A_c e_c)(X_c'V_c^-1 A_c e_c)' M,

``A_c = 1`` (CR0), ``sqrt(J / (J - 1))`` of J clusters (CR1), or ``D_c'B_c^(-1/2) D_c`` with ``D_c'D_c = V_c`` and
``B_c = D_c (V_c - X_c M X_c') D_c'`` (CR2), which makes cov unbiased where V is right. Degrees of freedom are those
under V. Outside the span of the columns of ``X_c`` and ``Z_c`` all matrices are the identity: each is as small as that
span.

References
----------
Bell, McCaffrey 2002, Survey Methodology 28, 169-181; Pustejovsky, Tipton 2018, J. Bus. Econ. Stat. 36, 672-683
(clubSandwich).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.correlated import correlated_problem
from bayesmix.inference.estimation.fixed_tests import FTest, f_test, principal
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import linear_problem, solve_linear
from bayesmix.inference.least_squares.incidence import Factor
from bayesmix.inference.parameters.one_predictor import one_predictor
from bayesmix.language.formula.model_spec import ModelSpec

Kind = Literal["CR0", "CR1", "CR2"]

VANISHING = 1e-12  # eigenvalues, relative to the largest, that are zero


@dataclass(frozen=True, slots=True, eq=False)
class ClusterRobust:
    """Cluster-robust inference about fixed effects."""

    cov: Array  # (p, p), of parameters of the residuals' covariance that of the model
    reference: Array  # (p, p) by the model
    own: Array  # (J, p, p) expected part of each cluster in cov, residuals' own covariance alone
    shared: Array  # (J, p, p) roots of what the estimation of beta takes from products of clusters

    def df(self, L: Array) -> Array:
        """Degrees of freedom of ``L beta``: ``(r,)`` for ``L (r, p)``."""
        found = []
        for row in L:
            if not np.any(row @ self.own @ row):
                found.append(np.inf)  # of a parameter of the residuals, whose covariance is the model's
                continue
            own, shared = np.einsum("p,jpq,q->j", row, self.own, row), np.einsum("p,jpq->jq", row, self.shared)
            size = np.sum(shared**2, axis=1)
            square = np.sum(own**2) - 2.0 * own @ size + np.sum((shared.T @ shared) ** 2)
            found.append((own.sum() - size.sum()) ** 2 / square if square > 0.0 else np.nan)
        return np.array(found)

    def joint(self, L: Array, value: Array) -> FTest:
        """Test of all rows of ``L`` at once by Hotelling's T-squared, ``value (r,)`` estimates less their hypothesis.

        NaN where there are too few clusters for the number of rows.
        """
        found = principal(L, value, self.reference)
        q, wald = len(found.value), found.wald_by(self.cov)
        if math.isnan(wald):
            return f_test(math.nan, q, math.nan)
        df = self._of_hotelling(found.rows)
        if not df - q + 1.0 > 0.0:
            return f_test(math.nan, q, math.nan)
        return f_test(wald, q, df - q + 1.0, (df - q + 1.0) / df)

    def _of_hotelling(self, L: Array) -> float:
        """Degrees of freedom of a Wishart matrix with the total variance of the covariance of ``L beta``: HTZ."""
        q = len(L)
        expected = L @ (self.own.sum(axis=0) - np.einsum("jpa,jqa->pq", self.shared, self.shared)) @ L.T
        values, vectors = np.linalg.eigh(expected)
        L = (vectors / np.sqrt(values)) @ vectors.T @ L
        own, shared = L @ self.own @ L.T, L @ self.shared
        products = np.einsum("jsa,jtb->stab", shared, shared)
        inner = np.einsum("jsa,jta->jst", shared, shared)
        total = 0.0
        for s in range(q):
            for t in range(q):
                both = own[:, s, s] @ own[:, t, t] - own[:, s, s] @ inner[:, t, t] - own[:, t, t] @ inner[:, s, s]
                across = np.sum(own[:, s, t] ** 2) - 2.0 * own[:, s, t] @ inner[:, s, t]
                mixed = np.sum(products[t, s] * products[t, s].T)
                total += both + across + np.sum(products[s, t] ** 2) + mixed
        return q * (q + 1.0) / total


def cluster_robust(design: Design, spec: ModelSpec, point: PointEstimate, clusters: Array, kind: Kind) -> ClusterRobust:
    """Of a linear model whose random effects and blocks of correlated residuals are nested in clusters.

    Parameters
    ----------
    clusters : (n,) number of the cluster of each row, each from 0 up.
    """
    rows = _correlated(design, spec, point) if spec.has_row_covariance else _independent(design, point, kind)
    X, M = rows.X, rows.M
    p, root = X.shape[1], np.linalg.cholesky(M)
    order = np.argsort(clusters, kind="stable")
    J = int(clusters.max()) + 1
    bounds = np.searchsorted(clusters[order], np.arange(J + 1))
    blocks = _by_cluster(rows.blocks, clusters, J)
    scores, own, shared = np.zeros((J, p)), np.zeros((J, p, p)), np.zeros((J, p, p))
    for j in range(J):
        part = order[bounds[j] : bounds[j + 1]]
        Z = _effects(rows.factors, rows.roots, part)
        noise = _joined(part, blocks[j]) if rows.blocks else None
        scores[j], own[j], shared[j] = _of_cluster(X[part], Z, rows.residual[part], M, kind, noise)
    size = math.sqrt(J / (J - 1.0)) if kind == "CR1" else 1.0
    whole = np.zeros((len(point.beta), p))
    whole[list(rows.mean)] = rows.T
    change = whole @ M * size
    cov = point.beta_cov.copy()
    cov[np.ix_(rows.mean, rows.mean)] = 0.0
    return ClusterRobust(
        cov + change @ (scores.T @ scores) @ change.T,
        point.beta_cov,
        change @ own @ change.T,
        change @ shared @ root,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows whose residuals are independent, with one variance, or have covariances block by block."""

    X: Array  # (n, p) in computational coordinates
    residual: Array  # (n,)
    factors: Sequence[Factor]
    roots: Sequence[Array]  # of the covariance of each factor's effects
    M: Array  # (p, p) covariance of the fixed effects of the mean
    T: Array  # (p, p) to the user's units
    mean: Sequence[int]  # their places among all fixed effects
    blocks: Sequence[tuple[Array, Array]] = ()  # rows (m,) of each block, and their covariance (m, m)


def _independent(design: Design, point: PointEstimate, kind: Kind) -> _Rows:
    """Divided by the roots of their prior variances, but for CR2, which makes another of a residual that is divided."""
    problem = linear_problem(design, point.coordinates)
    working, p, blocks = problem.coordinates, problem.p, list[tuple[Array, Array]]()
    weight = np.sqrt(design.weights)
    is_weighted = design.counts is None and np.ptp(weight) > 0.0  # counted rows are turned ones
    if kind == "CR2" and is_weighted:
        blocks = [(np.array([i]), np.array([[1.0 / w]])) for i, w in enumerate(design.weights)]
        weight = np.ones(len(weight))
    return _Rows(
        weight[:, None] * working.X,
        weight * (design.y - design.offset - design.X @ point.beta),
        [replace(factor, z=weight[:, None] * factor.z) for factor in working.factors],
        working.by_factor(point.theta),
        np.linalg.inv(solve_linear(problem, point.theta).factorisation.XX[:p, :p]),
        working.T,
        range(p),
        blocks,
    )


def _correlated(design: Design, spec: ModelSpec, point: PointEstimate) -> _Rows:
    """Of a model with a residual structure."""
    problem, view = correlated_problem(design, spec, point.coordinates), one_predictor(design, spec, 0)
    working, p, phi = problem.coordinates, problem.linear.p, problem.phi_of(point.beta)
    patterns = [
        (rows, V)
        for blocks in problem.rows.sizes
        for V, rows in zip(problem.rows.covariances(blocks, phi), blocks.rows, strict=True)
    ]
    return _Rows(
        working.X,
        view.y - view.offset - view.X @ point.beta[list(problem.mean)],
        working.factors,
        working.by_factor(point.theta),
        np.linalg.inv(solve_linear(problem.at(phi), point.theta).factorisation.XX[:p, :p]),
        working.T,
        problem.mean,
        [(own, V) for rows, V in patterns for own in rows],
    )


def _by_cluster(blocks: Sequence[tuple[Array, Array]], clusters: Array, J: int) -> list[list[tuple[Array, Array]]]:
    """The blocks of each cluster."""
    found: list[list[tuple[Array, Array]]] = [[] for _ in range(J)]
    for rows, V in blocks:
        found[int(clusters[rows[0]])].append((rows, V))
    return found


def _joined(part: Array, blocks: Sequence[tuple[Array, Array]]) -> Array:
    """Covariance ``(m, m)`` of the residuals of a cluster, of its rows in order, from those of its blocks."""
    order = np.argsort(part)
    found = np.zeros((len(part), len(part)))
    for rows, V in blocks:
        at = order[np.searchsorted(part, rows, sorter=order)]
        found[np.ix_(at, at)] = V
    return found


def _effects(factors: Sequence[Factor], roots: Sequence[Array], rows: Array) -> Array:
    """``Z Lambda`` of some rows, dense, of the levels that occur in them."""
    parts = [np.zeros((len(rows), 0))]
    for factor, root in zip(factors, roots, strict=True):
        levels, place = np.unique(factor.codes[rows], return_inverse=True)
        part = np.zeros((len(rows), len(levels), factor.k))
        part[np.arange(len(rows)), place] = factor.z[rows] @ root
        parts.append(part.reshape(len(rows), -1))
    return np.hstack(parts)


def _of_cluster(
    X: Array, Z: Array, residual: Array, M: Array, kind: Kind, noise: Array | None
) -> tuple[Array, Array, Array]:
    """``X'V^-1 A e (p,)``; ``E V E' (p, p)`` with ``E = X'V^-1 A``; ``E X (p, p)``.

    In the span of X and Z, unless the ``noise`` of the rows has a covariance ``(m, m)``.
    """
    if noise is None:
        F = np.linalg.qr(np.hstack([X, Z]))[0]
        X, Z, residual = F.T @ X, F.T @ Z, F.T @ residual
        noise = np.eye(len(X))
    V = noise + Z @ Z.T
    E = np.linalg.solve(V, X).T
    if kind == "CR2":
        E = E @ _adjustment(V, X, M)
    return E @ residual, E @ V @ E.T, E @ X


def _adjustment(V: Array, X: Array, M: Array) -> Array:
    """``D'B^(-1/2) D`` of CR2, ``D`` the symmetric root of V."""
    values, vectors = np.linalg.eigh(V)
    D = (vectors * np.sqrt(values)) @ vectors.T
    values, vectors = np.linalg.eigh(D @ (V - X @ M @ X.T) @ D)
    kept = values > VANISHING * values.max()
    half = D @ vectors[:, kept]
    return np.asarray((half / np.sqrt(values[kept])) @ half.T)
