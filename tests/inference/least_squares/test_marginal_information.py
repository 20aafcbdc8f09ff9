"""``Z'V^-1 Z`` against dense matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.reml import linear_problem, solve_linear
from bayesmix.inference.least_squares.marginal_information import MarginalInformation

rng = np.random.default_rng(3)
N = 90
FRAME = pd.DataFrame({
    "y": rng.normal(size=N),
    "x": rng.normal(size=N),
    "g": rng.integers(0, 7, N).astype(str),
    "h": rng.integers(0, 4, N).astype(str),
    "w": rng.uniform(0.5, 2.0, N),
})  # fmt: skip
FORMULAS = {
    "one": "y ~ x + (x | g)",
    "nested": "y ~ x + (1 | g / h) + (0 + x | g)",
    "crossed": "y ~ x + (x | g) + (1 | h)",
    "three": "y ~ x + (1 | g) + (1 | h) + (1 | g:h)",
}


def dense(working, theta):
    """``Z`` with the levels of the factors side by side, and V relative to the residual variance."""
    parts, V = [], np.diag(1.0 / FRAME["w"].to_numpy())
    for factor, root in zip(working.factors, working.by_factor(theta), strict=True):
        Z = np.zeros((N, factor.levels, factor.k))
        Z[np.arange(N), factor.codes] = factor.z
        parts.append(Z)
        V = V + np.einsum("nja,ab,mjb->nm", Z, root @ root.T, Z)
    return parts, V


@pytest.mark.parametrize("name", FORMULAS)
def test_products_are_those_of_the_dense_matrix(name) -> None:
    fit = bmx.Model(FORMULAS[name], FRAME, weights="w").estimate()
    working = fit.point.coordinates
    theta = np.linspace(0.4, 1.1, working.size)
    problem = linear_problem(fit.design, working)
    information = MarginalInformation(working.pattern, problem.moments, solve_linear(problem, theta).factorisation)
    Z, V = dense(working, theta)
    inverse = np.linalg.inv(V)
    for own, found in zip(Z, information.of_columns(2), strict=True):
        np.testing.assert_allclose(found, np.einsum("nja,nm,mp->pja", own, inverse, working.X), atol=1e-10)
    vectors = [rng.normal(size=(3, factor.levels, factor.k)) for factor in working.factors]
    rows = sum(np.einsum("nja,cja->cn", own, v) for own, v in zip(Z, vectors, strict=True))
    for own, found in zip(Z, information.times(vectors), strict=True):
        np.testing.assert_allclose(found, np.einsum("nja,nm,cm->cja", own, inverse, rows), atol=1e-10)
