"""Moments of least-squares residuals against dense matrices, and against REML where they are the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.moment_start import _equations, moment_start
from bayesmix.inference.estimation.reml import criterion, linear_problem
from bayesmix.inference.least_squares.scaling import coordinates

CASES = {
    "sleepstudy": "Reaction ~ Days + (Days | Subject)",
    "Penicillin": "diameter ~ 1 + (1 | plate) + (1 | sample)",
    "Pastes": "strength ~ 1 + (1 | batch/cask)",
    "cake": "angle ~ recipe * temperature + (1 | recipe:replicate)",
}


def problem_of(name: str, **options):
    design = bmx.Model(CASES[name], bmx.load_dataset(name), **options).design
    return linear_problem(design, coordinates(design))


@pytest.mark.parametrize("name", CASES)
def test_of_balanced_data_moments_are_the_reml_estimates(name):
    problem = problem_of(name)
    _, gradient = criterion(problem, moment_start(problem), reml=True)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-8)


@pytest.mark.parametrize("name", ["sleepstudy", "Penicillin", "Pastes"])
def test_coefficients_are_those_of_dense_projections(name):
    data = bmx.load_dataset(name)
    weights = np.random.default_rng(3).uniform(0.5, 2.0, len(data))
    problem = problem_of(name, weights=weights)
    working = problem.coordinates
    X = working.X
    off = np.diag(weights) - (weights[:, None] * X) @ np.linalg.solve(X.T * weights @ X, X.T * weights)
    Z = [f.z[:, None, :] * (f.codes[:, None] == np.arange(f.levels))[:, :, None] for f in working.factors]
    flat = [z.reshape(len(X), -1) for z in Z]
    M = _equations(problem)
    rows = []
    for a, z in zip(flat, working.factors, strict=True):
        row = []
        for b, other in zip(flat, working.factors, strict=True):
            blocks = (a.T @ off @ b).reshape(z.levels, z.k, other.levels, other.k)
            row.append(np.einsum("iajb,icjd->acbd", blocks, blocks).reshape(z.k**2, -1))
        own = (a.T @ off @ a).reshape(z.levels, z.k, z.levels, z.k)
        rows.append(np.hstack([*row, np.einsum("iaib->ab", own).reshape(-1, 1)]))
    np.testing.assert_allclose(M[:-1], np.vstack(rows), rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(M[-1, -1], np.trace(off @ np.diag(1.0 / weights)), rtol=1e-12)


def test_several_responses_have_starts_of_their_own():
    problem = problem_of("sleepstudy")
    products = problem.moments
    B = tuple(np.stack([part, part]) for part in products.B)
    B[0][1, ..., -1] *= 0.1
    two = replace(problem, moments=replace(products, B=B, XX=np.stack([products.XX, products.XX])))
    found = moment_start(two)
    np.testing.assert_allclose(found[0], moment_start(problem), rtol=1e-12)
    assert abs(found[1, 0]) < abs(found[0, 0])
    assert moment_start(two).shape == (2, 3)
