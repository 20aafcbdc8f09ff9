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
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.fixed_tests import FTest, f_test, principal
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import linear_problem, solve_linear
from bayesmix.inference.least_squares.incidence import Factor

Kind = Literal["CR0", "CR1", "CR2"]

VANISHING = 1e-12  # eigenvalues, relative to the largest, that are zero


@dataclass(frozen=True, slots=True, eq=False)
class ClusterRobust:
    """Cluster-robust inference about fixed effects."""

    cov: Array  # (p, p)
    reference: Array  # (p, p) by the model
    own: Array  # (J, p, p) expected part of each cluster in cov, residuals' own covariance alone
    shared: Array  # (J, p, p) roots of what the estimation of beta takes from products of clusters

    def df(self, L: Array) -> Array:
        """Degrees of freedom of ``L beta``: ``(r,)`` for ``L (r, p)``."""
        found = []
        for row in L:
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


def cluster_robust(design: Design, point: PointEstimate, clusters: Array, kind: Kind) -> ClusterRobust:
    """Of a linear model whose random effects are nested in clusters; rows are whitened by their prior weights.

    Parameters
    ----------
    clusters : (n,) number of the cluster of each row, each from 0 up.
    """
    problem = linear_problem(design, point.coordinates)
    working, p = problem.coordinates, problem.p
    M = np.linalg.inv(solve_linear(problem, point.theta).factorisation.XX[:p, :p])
    root = np.linalg.cholesky(M)
    weight = np.sqrt(design.weights)
    residual = weight * (design.y - design.offset - design.X @ point.beta)
    X = weight[:, None] * working.X
    roots = working.by_factor(point.theta)
    order = np.argsort(clusters, kind="stable")
    J = int(clusters.max()) + 1
    bounds = np.searchsorted(clusters[order], np.arange(J + 1))
    scores, own, shared = np.zeros((J, p)), np.zeros((J, p, p)), np.zeros((J, p, p))
    for j in range(J):
        rows = order[bounds[j] : bounds[j + 1]]
        Z = weight[rows, None] * _effects(working.factors, roots, rows)
        scores[j], own[j], shared[j] = _of_cluster(X[rows], Z, residual[rows], M, kind)
    size = math.sqrt(J / (J - 1.0)) if kind == "CR1" else 1.0
    change = working.T @ M * size
    return ClusterRobust(
        change @ (scores.T @ scores) @ change.T,
        point.beta_cov,
        change @ own @ change.T,
        change @ shared @ root,
    )


def _effects(factors: Sequence[Factor], roots: Sequence[Array], rows: Array) -> Array:
    """``Z Lambda`` of some rows, dense, of the levels that occur in them."""
    parts = [np.zeros((len(rows), 0))]
    for factor, root in zip(factors, roots, strict=True):
        levels, place = np.unique(factor.codes[rows], return_inverse=True)
        part = np.zeros((len(rows), len(levels), factor.k))
        part[np.arange(len(rows)), place] = factor.z[rows] @ root
        parts.append(part.reshape(len(rows), -1))
    return np.hstack(parts)


def _of_cluster(X: Array, Z: Array, residual: Array, M: Array, kind: Kind) -> tuple[Array, Array, Array]:
    """``X'V^-1 A e (p,)``; ``E V E' (p, p)`` with ``E = X'V^-1 A``; ``E X (p, p)``. In the span of X and Z."""
    F = np.linalg.qr(np.hstack([X, Z]))[0]
    x, z, e = F.T @ X, F.T @ Z, F.T @ residual
    V = np.eye(len(x)) + z @ z.T
    E = np.linalg.solve(V, x).T
    if kind == "CR2":
        E = E @ _adjustment(V, x, M)
    return E @ e, E @ V @ E.T, E @ x


def _adjustment(V: Array, X: Array, M: Array) -> Array:
    """``D'B^(-1/2) D`` of CR2, ``D`` the symmetric root of V."""
    values, vectors = np.linalg.eigh(V)
    D = (vectors * np.sqrt(values)) @ vectors.T
    values, vectors = np.linalg.eigh(D @ (V - X @ M @ X.T) @ D)
    kept = values > VANISHING * values.max()
    half = D @ vectors[:, kept]
    return np.asarray((half / np.sqrt(values[kept])) @ half.T)
