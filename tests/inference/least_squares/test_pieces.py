"""Elimination of levels that are not independent, against dense matrices: determinants, solutions, derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag

from bayesmix.data.pedigree import pedigree
from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.cross_products import moments
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.incidence import Factor, incidence
from bayesmix.inference.least_squares.pieces import LEAST, without_zeros
from bayesmix.inference.least_squares.solve import draw, modes, solve
from bayesmix.inference.least_squares.symbolic import plan

N, J, H = 300, 120, 6
RNG = np.random.default_rng(4)


def family(n=J):
    """A pedigree of few parents, the last animals without rows."""
    rng = np.random.default_rng(6)
    rows = [(i + 1, *(rng.integers(0, i, 2) + 1 if i >= 30 else (None, None))) for i in range(n)]
    return pedigree(dict(zip(("id", "sire", "dam"), zip(*rows, strict=True), strict=True)))


RELATION = family()
ANIMALS = Factor(RNG.integers(0, J - 5, N), np.column_stack([np.ones(N), RNG.normal(size=N)]), J, RELATION)
HERDS = Factor(RNG.integers(0, H, N), np.ones((N, 1)), H)
FACTORS = {"alone": [ANIMALS], "beside a crossed factor": [ANIMALS, HERDS], "the other way round": [HERDS, ANIMALS]}
COLUMNS = np.column_stack([np.ones(N), RNG.normal(size=(N, 2))])
WEIGHTS = RNG.uniform(0.5, 2.0, N)
ROOTS = {2: np.array([[0.8, 0.0], [0.3, 0.5]]), 1: np.array([[0.6]])}
S_XX = np.array([[1.0, 0.2, 0.1], [0.2, 2.0, -0.3], [0.1, -0.3, 1.5]])


class Dense:
    """The same by whole matrices."""

    def __init__(self, factors, Lambdas):
        self.Z = np.hstack([self.columns(factor) for factor in factors])
        among = [np.eye(f.levels) if f.relation is None else f.relation.covariance() for f in factors]
        self.V = block_diag(*[np.kron(A, L @ L.T) for A, L in zip(among, Lambdas, strict=True)])
        self.ZWZ = self.Z.T @ (WEIGHTS[:, None] * self.Z)
        covariance = np.diag(1.0 / WEIGHTS) + self.Z @ self.V @ self.Z.T
        self.XX = COLUMNS.T @ np.linalg.solve(covariance, COLUMNS)
        self.log_det = np.linalg.slogdet(np.eye(len(self.V)) + self.V @ self.ZWZ)[1]

    @staticmethod
    def columns(factor):
        Z = np.zeros((N, factor.levels, factor.k))
        Z[np.arange(N), factor.codes] = factor.z
        return Z.reshape(N, -1)

    @property
    def H(self):
        return self.ZWZ + np.linalg.inv(self.V)


@pytest.fixture(params=FACTORS, scope="module")
def case(request):
    factors = FACTORS[request.param]
    pattern = incidence(factors)
    products = moments(pattern, factors, COLUMNS, WEIGHTS)
    Lambdas = [ROOTS[factor.k] for factor in factors]
    return factors, pattern, plan(pattern), products, Lambdas


def flat(parts):
    return np.concatenate([part.reshape(*part.shape[:-2], -1) for part in parts], axis=-1)


def test_levels_are_eliminated_in_pieces(case):
    *_, symbolic, _, _ = case
    assert len(symbolic.stages) > 1


def test_determinant_and_solutions(case):
    factors, _, symbolic, products, Lambdas = case
    found, dense = factorise(symbolic, products, Lambdas), Dense(factors, Lambdas)
    assert float(found.log_determinant) == pytest.approx(dense.log_det, rel=1e-12)
    np.testing.assert_allclose(found.XX, dense.XX, rtol=1e-10)
    combination = np.array([1.0, -2.0, 0.5])
    expected = np.linalg.solve(dense.H, dense.Z.T @ (WEIGHTS * (COLUMNS @ combination)))
    np.testing.assert_allclose(flat(modes(found, combination)[0]), expected, atol=1e-10)
    rhs = [np.random.default_rng(1).normal(size=(f.levels, f.k)) for f in factors]
    b, u = solve(found, rhs)
    np.testing.assert_allclose(flat(b), np.linalg.solve(dense.H, flat(rhs)), atol=1e-10)
    np.testing.assert_allclose(b[0], u[0] @ Lambdas[0].T, atol=1e-12)


def test_derivatives(case):
    factors, pattern, symbolic, products, Lambdas = case
    found = sensitivity(factorise(symbolic, products, Lambdas), S_XX, pattern)

    def value(at):
        dense = Dense(factors, at)
        return dense.log_det + np.sum(S_XX * dense.XX)

    for f, (factor, G) in enumerate(zip(factors, found.G, strict=True)):
        for a, b in np.ndindex(factor.k, factor.k):
            step = np.zeros((factor.k, factor.k))
            step[a, b] = 1e-5
            up, down = ([L + s * step if i == f else L for i, L in enumerate(Lambdas)] for s in (1.0, -1.0))
            assert (2.0 * G @ Lambdas[f])[a, b] == pytest.approx((value(up) - value(down)) / 2e-5, rel=1e-5, abs=1e-4)
    inverse = np.linalg.inv(Dense(factors, Lambdas).H)
    conditional, begin = sensitivity(factorise(symbolic, products, Lambdas), np.zeros((3, 3)), pattern), 0
    for factor, D in zip(factors, conditional.D, strict=True):
        for block in D:
            own = slice(begin, begin := begin + factor.k)
            np.testing.assert_allclose(block, inverse[own, own], atol=1e-10)


def test_points_of_a_batch_are_those_of_single_ones(case):
    _, pattern, symbolic, products, Lambdas = case
    scales = np.array([0.5, 1.0, 2.0])
    many = [scale_of * L for L in Lambdas for scale_of in [scales[:, None, None]]]
    together = factorise(symbolic, products, many, (3,))
    slopes = sensitivity(together, np.broadcast_to(S_XX, (3, 3, 3)), pattern)
    for i, scale in enumerate(scales):
        alone = factorise(symbolic, products, [scale * L for L in Lambdas])
        assert together.log_determinant[i] == pytest.approx(float(alone.log_determinant), rel=1e-12)
        for G, own in zip(slopes.G, sensitivity(alone, S_XX, pattern).G, strict=True):
            np.testing.assert_allclose(G[i], own, rtol=1e-8, atol=1e-8)


def test_draws_have_the_conditional_covariance():
    factors = [Factor(ANIMALS.codes % 20, ANIMALS.z[:, :1], 40, family(40))]
    pattern = incidence(factors)
    found = factorise(plan(pattern), moments(pattern, factors, COLUMNS, WEIGHTS), [ROOTS[1]])
    n = 8_000
    many = factorise(found.plan, moments(pattern, factors, COLUMNS, WEIGHTS), [np.tile(ROOTS[1], (n, 1, 1))], (n,))
    b = flat(draw(many, np.zeros((n, 3)), np.ones(n), np.random.default_rng(1)))
    expected = np.linalg.inv(Dense(factors, [ROOTS[1]]).H)
    sd = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(np.cov(b.T) / np.outer(sd, sd), expected / np.outer(sd, sd), atol=6.0 / np.sqrt(n))


def test_factors_of_zeros_are_raised_to_next_to_nothing():
    singular = np.array([[[1.0, 0.0], [2.0, 0.0]], [[1.0, 0.0], [0.5, 1.0]]])
    found = without_zeros(singular)
    np.testing.assert_array_equal(found[1], singular[1])
    np.testing.assert_allclose(found[0], singular[0], atol=1e-6)
    assert np.linalg.svd(found[0])[1][-1] > 0.5 * LEAST
