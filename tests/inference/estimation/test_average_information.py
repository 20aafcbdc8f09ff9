"""Average information against dense matrices, and near the exact curvature at an optimum."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.average_information import average_information
from bayesmix.inference.estimation.linear import fit_linear
from bayesmix.inference.estimation.methods import Reml
from bayesmix.inference.estimation.reml import criterion, linear_problem, solve_linear
from bayesmix.inference.least_squares.scaling import coordinates

CASES = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", np.array([1.1, -0.3, 0.6])),
    "Penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", np.array([1.2, 2.0])),
    "Pastes": ("strength ~ 1 + (1 | batch/cask)", np.array([2.0, 1.1])),
}


def problem_of(name: str):
    data = bmx.load_dataset(name)
    weights = np.random.default_rng(3).uniform(0.5, 2.0, len(data))
    design = bmx.Model(CASES[name][0], data, weights=weights).design
    return design, linear_problem(design, coordinates(design))


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_it_is_that_of_dense_matrices(name, reml):
    design, problem = problem_of(name)
    working, theta = problem.coordinates, CASES[name][1]
    X, n = working.X, len(design.y)
    Z = [f.z[:, None, :] * (f.codes[:, None] == np.arange(f.levels))[:, :, None] for f in working.factors]

    def V(at: np.ndarray) -> np.ndarray:
        whole = np.diag(1.0 / design.weights)
        for z, root in zip(Z, working.by_factor(at), strict=True):
            whole = whole + np.einsum("njk,kl,mjl->nm", z, root @ root.T, z)
        return whole

    inverse = np.linalg.inv(V(theta))
    P = inverse - inverse @ X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse)
    h = 1e-5
    slopes = [(V(theta + h * e) - V(theta - h * e)) / (2.0 * h) for e in np.eye(len(theta))]
    Py = P @ design.y
    rss, freedom = float(design.y @ Py), n - X.shape[1] if reml else n
    moved = np.array([slope @ Py for slope in slopes])
    linear = moved @ Py
    expected = freedom / rss * moved @ P @ moved.T - freedom / rss**2 * np.outer(linear, linear)
    np.testing.assert_allclose(
        average_information(problem, solve_linear(problem, theta), theta, reml=reml), expected, rtol=1e-6, atol=1e-6
    )


def test_at_an_optimum_it_is_near_the_curvature():
    _, problem = problem_of("sleepstudy")
    found = fit_linear(problem, Reml()).optimum
    _, gradient = criterion(problem, found.x, reml=True)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-5)
    near = average_information(problem, solve_linear(problem, found.x), found.x, reml=True)
    np.testing.assert_allclose(near, found.hessian, rtol=0.2, atol=0.1 * float(np.diagonal(near).max()))
