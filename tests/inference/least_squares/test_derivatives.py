"""Derivatives through a factorisation against dense formulas and their differences."""

from __future__ import annotations

import numpy as np
import pytest
from dense import central, dense_Lambda
from elimination import CASES, DIFFERENCED, EXACT, Problem, check_blocks
from handmade import LAYOUTS

from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.cross_products import leverages, moments
from bayesmix.inference.least_squares.derivatives import sensitivity


@pytest.mark.parametrize(("layout", "lam"), CASES)
def test_derivatives_by_the_factors(layout, lam):
    """Of ``log|M| + log|A| + 50 log(rss)``, differenced on the dense formula."""
    problem = Problem(layout, lam)
    shapes = [L.shape for L in problem.Lambdas]
    bounds = np.cumsum([0, *(rows * columns for rows, columns in shapes)])

    def unpack(x):
        parts = zip(bounds[:-1], bounds[1:], shapes, strict=True)
        return [x[lo:hi].reshape(shape) for lo, hi, shape in parts]

    def dense(x):
        root = dense_Lambda(problem.factors, unpack(x))
        inverse = np.linalg.inv(np.diag(1.0 / problem.weights) + problem.Z @ root @ root.T @ problem.Z.T)
        A, c = problem.X.T @ inverse @ problem.X, problem.X.T @ inverse @ problem.y
        rss = problem.y @ inverse @ problem.y - c @ np.linalg.solve(A, c)
        M = root.T @ problem.Z.T @ problem.W @ problem.Z @ root + np.eye(len(root))
        return np.linalg.slogdet(M)[1] + np.linalg.slogdet(A)[1] + 50.0 * np.log(rss)

    found = problem.factorise()
    A, c = found.XX[:2, :2], found.XX[:2, 2]
    beta = np.linalg.solve(A, c)
    rss = found.XX[2, 2] - c @ beta
    S = 50.0 / rss * np.outer(np.append(-beta, 1.0), np.append(-beta, 1.0))
    S[:2, :2] += np.linalg.inv(A)
    derivative = sensitivity(found, S, problem.pattern)
    numeric = unpack(central(dense, np.concatenate([L.ravel() for L in problem.Lambdas])))
    for G, L, expected in zip(derivative.G, problem.Lambdas, numeric, strict=True):
        np.testing.assert_allclose(2.0 * G @ L, expected, **DIFFERENCED)


@pytest.mark.parametrize(("layout", "lam"), CASES)
def test_conditional_covariances_are_blocks_of_the_inverse(layout, lam):
    problem = Problem(layout, lam)
    found = sensitivity(problem.factorise(), np.zeros((3, 3)), problem.pattern)
    inverse = problem.Lambda @ np.linalg.inv(problem.M) @ problem.Lambda.T
    check_blocks(problem, found, inverse)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_prediction_variances_are_those_of_the_mixed_model_equations(layout):
    """With the fixed effects' own uncertainty: blocks of the inverse of Henderson's matrix."""
    problem = Problem(layout)
    found = problem.factorise()
    S = np.zeros((3, 3))
    S[:2, :2] = np.linalg.inv(found.XX[:2, :2])
    derivative = sensitivity(found, S, problem.pattern)
    both = np.hstack([problem.X, problem.Z])
    penalty = np.zeros((both.shape[1], both.shape[1]))
    penalty[2:, 2:] = np.linalg.inv(problem.Lambda @ problem.Lambda.T)
    inverse = np.linalg.inv(both.T @ problem.W @ both + penalty)
    check_blocks(problem, derivative, inverse[2:, 2:])
    across = np.concatenate([part.reshape(-1, 3) for part in derivative.B])
    np.testing.assert_allclose(across[:, :2], inverse[2:, :2], **EXACT)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_derivatives_by_the_weights_are_leverages(layout):
    problem = Problem(layout)
    derivative = sensitivity(problem.factorise(), np.zeros((3, 3)), problem.pattern)
    found = leverages(problem.pattern, problem.factors, derivative.D, derivative.C)
    ZL = problem.Z @ problem.Lambda
    expected = np.einsum("nq,qr,nr->n", ZL, np.linalg.inv(problem.M), ZL)  # d log|M| / d w_i
    np.testing.assert_allclose(found, expected, **EXACT)


SCALES = np.array([1.0, 2.0, 0.5, 0.0, 1e-3, 10.0])  # of the relative factors: regular points and the boundary


def batch_of(layout):
    """A layout, factors at six points, and cross-products with another response at each."""
    problem = Problem(layout)
    responses = problem.rng.normal(size=(6, len(problem.y)))
    columns = np.stack([*np.broadcast_arrays(*problem.X.T[:, None], responses)], axis=-1)
    weights = np.broadcast_to(problem.weights, responses.shape)
    products = moments(problem.pattern, problem.factors, columns, weights)
    return problem, [SCALES[..., None, None] * L for L in problem.Lambdas], products, columns


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batches_equal_single_points(layout):
    """With the responses, and so ``B`` and ``XX``, of each point its own."""
    problem, Lambdas, products, columns = batch_of(layout)
    S = problem.rng.normal(size=(6, 3, 3))
    S = S + np.swapaxes(S, -1, -2)
    many = sensitivity(factorise(problem.plan, products, Lambdas), S, problem.pattern)
    for at in range(6):
        own = moments(problem.pattern, problem.factors, columns[at], problem.weights)
        one = sensitivity(factorise(problem.plan, own, [L[at] for L in Lambdas]), S[at], problem.pattern)
        for name in ("G", "D", "C", "B"):
            for found, expected in zip(getattr(many, name), getattr(one, name), strict=True):
                np.testing.assert_allclose(found[at], expected, **EXACT)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_point_of_many_derivatives(layout):
    """Leading axes of ``S`` alone."""
    problem = Problem(layout)
    S = np.stack([np.zeros((3, 3)), np.eye(3)])
    many = sensitivity(problem.factorise(), S, problem.pattern)
    for at, own in enumerate(S):
        one = sensitivity(problem.factorise(), own, problem.pattern)
        for found, expected in zip((*many.G, *many.B), (*one.G, *one.B), strict=True):
            np.testing.assert_allclose(found[at], expected, **EXACT)
