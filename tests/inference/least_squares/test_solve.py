"""Solutions with a factorisation against dense linear algebra: modes, right-hand sides, draws."""

from __future__ import annotations

import numpy as np
import pytest
from dense import dense_Lambda, dense_Z, stacked
from elimination import CASES, EXACT, Problem
from handmade import LAYOUTS

from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.solve import draw, given_later, modes, solve


@pytest.mark.parametrize(("layout", "lam"), CASES)
def test_modes_are_best_linear_predictions(layout, lam):
    problem = Problem(layout, lam)
    combination = problem.rng.normal(size=3)
    b, u = modes(problem.factorise(), combination)
    target = problem.columns @ combination
    dense_u = np.linalg.solve(problem.M, problem.Lambda.T @ problem.Z.T @ problem.W @ target)
    np.testing.assert_allclose(stacked(u), dense_u, **EXACT)
    np.testing.assert_allclose(stacked(b), problem.Lambda @ dense_u, **EXACT)
    V_form = problem.Lambda @ problem.Lambda.T @ problem.Z.T @ np.linalg.solve(problem.V, target)
    np.testing.assert_allclose(stacked(b), V_form, **EXACT)


@pytest.mark.parametrize(("layout", "lam"), CASES)
def test_solve_any_right_hand_side(layout, lam):
    problem = Problem(layout, lam)
    rhs = [problem.rng.normal(size=(factor.levels, factor.k)) for factor in problem.factors]
    b, u = solve(problem.factorise(), rhs)
    dense_u = np.linalg.solve(problem.M, problem.Lambda.T @ stacked(rhs))
    np.testing.assert_allclose(stacked(u), dense_u, **EXACT)
    np.testing.assert_allclose(stacked(b), problem.Lambda @ dense_u, **EXACT)


class GivenNoise:
    """A generator that hands out the rows of a matrix as independent batches."""

    def __init__(self, rows):
        self.rows, self.used = rows, 0

    def standard_normal(self, shape):
        size = int(np.prod(shape[1:]))
        part = self.rows[:, self.used : self.used + size]
        self.used += size
        return part.reshape(shape)


@pytest.mark.parametrize(("layout", "lam"), CASES)
def test_draws_have_the_conditional_mean_and_covariance(layout, lam):
    """Exactly: a draw is linear in its noise, ``b = mode + sigma A e``, and ``A A' = Lambda M^-1 Lambda'``."""
    problem = Problem(layout, lam)
    q = problem.Z.shape[1]
    rows = np.vstack([np.zeros((1, q)), np.eye(q)])  # no noise, then one unit of each
    batch = len(rows)
    found = factorise(problem.plan, problem.moments, [np.broadcast_to(L, (batch, *L.shape)) for L in problem.Lambdas])
    combination = np.broadcast_to([0.4, -0.2, 1.0], (batch, 3))
    noise = GivenNoise(rows)
    parts = draw(found, combination, np.full(batch, 3.0), noise)
    assert noise.used == q
    b = np.concatenate([part.reshape(batch, -1) for part in parts], axis=1)
    mode, _ = modes(problem.factorise(), combination[0])
    np.testing.assert_allclose(b[0], stacked(mode), **EXACT)
    A = (b[1:] - b[0]).T / 3.0
    inverse = problem.Lambda @ np.linalg.inv(problem.M) @ problem.Lambda.T
    np.testing.assert_allclose(A @ A.T, inverse, **EXACT)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_effects_given_those_eliminated_later_are_the_dense_conditional(layout):
    """Of a joint normal with covariance ``Lambda M^-1 Lambda'`` around the modes; what comes before is left out."""
    problem = Problem(layout)
    found, combination = problem.factorise(), problem.rng.normal(size=3)
    factors, Lambdas = problem.factors, problem.Lambdas
    for number in range(len(found.eliminated)):
        Z, root = dense_Z(factors[number:]), dense_Lambda(factors[number:], Lambdas[number:])
        V = np.diag(1.0 / problem.weights)
        if number:
            early = dense_Z(factors[:number]) @ dense_Lambda(factors[:number], Lambdas[:number])
            V = V + early @ early.T
        precision = Z.T @ np.linalg.inv(V) @ Z + np.linalg.inv(root @ root.T)
        pull = Z.T @ np.linalg.solve(V, problem.columns @ combination)
        size = factors[number].levels * factors[number].k
        later = [problem.rng.normal(size=(f.levels, f.k)) for f in factors[number + 1 :]]
        rest = stacked(later) if later else np.zeros(0)
        own = precision[:size, :size]
        mean, spread, rhs = given_later(found, number, combination, later)
        np.testing.assert_allclose(rhs.ravel(), pull[:size] - precision[:size, size:] @ rest, **EXACT)
        np.testing.assert_allclose(mean.ravel(), np.linalg.solve(own, rhs.ravel()), **EXACT)
        k, covariance = factors[number].k, np.linalg.inv(own)
        for j, block in enumerate(spread):
            at = slice(j * k, (j + 1) * k)
            np.testing.assert_allclose(block @ block.T, covariance[at, at], **EXACT)


@pytest.mark.parametrize("layout", ["crossed", "nested and crossed", "three crossed"])
def test_draws_of_the_end_only_are_the_same_draws(layout):
    problem = Problem(layout)
    found = factorise(problem.plan, problem.moments, [L[None] for L in problem.Lambdas])
    combination, sigma = np.array([[0.4, -0.2, 1.0]]), np.ones(1)
    whole = draw(found, combination, sigma, np.random.default_rng(3))
    end = draw(found, combination, sigma, np.random.default_rng(3), end_only=True)
    assert len(end) == len(problem.plan.dense)
    for part, same in zip(end, whole[len(problem.plan.stages) :], strict=True):
        np.testing.assert_array_equal(part, same)
