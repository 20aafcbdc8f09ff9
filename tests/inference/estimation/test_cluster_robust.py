"""Cluster-robust covariance by dense matrices, term by term as Pustejovsky and Tipton (2018) have them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.cluster_robust import cluster_robust

rng = np.random.default_rng(5)
N = 60
FRAME = pd.DataFrame({"x": rng.normal(size=N), "g": rng.integers(0, 7, N), "h": rng.integers(0, 3, N).astype(str)})
FRAME["y"] = rng.normal(size=N) + rng.normal(size=7)[FRAME["g"]] + rng.normal(size=7)[FRAME["g"]] * FRAME["x"]


def test_cr2_and_its_degrees_of_freedom_by_dense_matrices() -> None:
    fit = bmx.Model("y ~ x + h + (x | g) + (1 | g:h)", FRAME).estimate()
    design, p = fit.design, 4
    V = float(fit.values.dispersion) ** 2 * np.eye(N)
    for term, matrix in zip(design.terms, fit.point.covariances, strict=True):
        Z = np.zeros((N, len(term.levels), len(term.effects)))
        Z[np.arange(N), term.codes] = term.z
        V += np.einsum("nja,ab,mjb->nm", Z, matrix, Z)
    X, inverse = design.X, np.linalg.inv(V)
    M = np.linalg.inv(X.T @ inverse @ X)
    e = design.y - X @ fit.values.beta
    H = X @ M @ X.T @ inverse
    cov, rows = np.zeros((p, p)), []
    for c in range(7):
        own = np.flatnonzero(FRAME["g"] == c)
        D = np.linalg.cholesky(V[np.ix_(own, own)]).T
        part = (np.eye(N) - H)[own]
        B = D @ (part @ V @ part.T) @ D.T
        values, vectors = np.linalg.eigh(B)
        kept = values > 1e-10 * values.max()
        A = D.T @ (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T @ D
        E = M @ X[own].T @ inverse[np.ix_(own, own)] @ A
        cov += np.outer(E @ e[own], E @ e[own])
        rows.append(E @ part)  # of y, in the score of the cluster
    found = cluster_robust(design, fit.spec, fit.point, FRAME["g"].to_numpy(), "CR2")
    np.testing.assert_allclose(found.cov, cov, rtol=1e-6, atol=1e-10)
    for j, L in enumerate(np.eye(p)):
        P = np.array([[L @ one @ V @ other.T @ L for other in rows] for one in rows])
        assert found.df(L[None])[0] == pytest.approx(np.trace(P) ** 2 / np.sum(P**2), rel=1e-6), j


def test_it_is_unbiased_where_the_model_is_right() -> None:
    """CR2's expectation under V is the model's own covariance."""
    fit = bmx.Model("y ~ x + h + (x | g)", FRAME).estimate()
    found = cluster_robust(fit.design, fit.spec, fit.point, FRAME["g"].to_numpy(), "CR2")
    expected = found.own.sum(axis=0) - np.einsum("jpa,jqa->pq", found.shared, found.shared)
    sigma2 = float(fit.values.dispersion) ** 2
    np.testing.assert_allclose(sigma2 * expected, fit.point.beta_cov, rtol=1e-6, atol=1e-12)
