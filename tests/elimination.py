"""Layouts of grouping factors with random numbers, and the same problem densely."""

from __future__ import annotations

import numpy as np
from dense import dense_Lambda, dense_Z
from handmade import LAYOUTS

from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.cross_products import moments
from bayesmix.inference.least_squares.incidence import incidence
from bayesmix.inference.least_squares.symbolic import plan

N = 100
EXACT = {"rtol": 1e-9, "atol": 1e-9}  # two orders of elimination of about 100 well-conditioned unknowns
DIFFERENCED = {"rtol": 1e-6, "atol": 1e-6}  # fourth-order differences with step 1e-4: 1e-12 / 1e-4 of rounding


def full(rng, factor, f):
    return np.tril(rng.normal(size=(factor.k, factor.k)))


def zero(rng, factor, f):
    return np.zeros((factor.k, factor.k))


def first_zero(rng, factor, f):
    return full(rng, factor, f) * (f > 0)


def others_zero(rng, factor, f):
    return full(rng, factor, f) * (f == 0)


def rank_one(rng, factor, f):
    return np.outer(rng.normal(size=factor.k), np.eye(factor.k)[0])


def tiny(rng, factor, f):
    return 1e-7 * full(rng, factor, f)


FACTORS = {
    "full": full,
    "zero": zero,
    "first zero": first_zero,
    "others zero": others_zero,
    "rank one": rank_one,
    "tiny": tiny,
}
CASES = [
    *((layout, "full") for layout in LAYOUTS),
    *((layout, lam) for layout in ("one factor, k=3", "three crossed", "nested and crossed") for lam in FACTORS),
]


class Problem:
    """One layout with random numbers, and the same densely."""

    def __init__(self, layout, lam="full", seed=0, weighted=True):
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.factors = LAYOUTS[layout](rng, N)
        self.X = np.column_stack([np.ones(N), rng.normal(size=N)])
        self.y = rng.normal(size=N)
        self.columns = np.column_stack([self.X, self.y])
        self.weights = rng.uniform(0.5, 2.0, N) if weighted else np.ones(N)
        self.Lambdas = [FACTORS[lam](rng, factor, f) for f, factor in enumerate(self.factors)]
        self.pattern = incidence(self.factors)
        self.plan = plan(self.pattern)
        self.moments = moments(self.pattern, self.factors, self.columns, self.weights)
        self.Z = dense_Z(self.factors)
        self.W = np.diag(self.weights)

    def factorise(self):
        return factorise(self.plan, self.moments, self.Lambdas)

    @property
    def Lambda(self):
        return dense_Lambda(self.factors, self.Lambdas)

    @property
    def M(self):
        return self.Lambda.T @ self.Z.T @ self.W @ self.Z @ self.Lambda + np.eye(self.Z.shape[1])

    @property
    def V(self):
        return np.diag(1.0 / self.weights) + self.Z @ self.Lambda @ self.Lambda.T @ self.Z.T


def check_blocks(problem, found, inverse):
    offsets = np.cumsum([0, *(factor.levels * factor.k for factor in problem.factors)])
    for offset, factor, blocks in zip(offsets[:-1], problem.factors, found.D, strict=True):
        for j, block in enumerate(blocks):
            at = slice(offset + j * factor.k, offset + (j + 1) * factor.k)
            np.testing.assert_allclose(block, inverse[at, at], **EXACT)
    for pair, blocks in zip(problem.pattern.pairs, found.C, strict=True):
        k, m = problem.factors[pair.first].k, problem.factors[pair.second].k
        for i, j, block in zip(pair.i, pair.j, blocks, strict=True):
            row, column = offsets[pair.first] + i * k, offsets[pair.second] + j * m
            np.testing.assert_allclose(block, inverse[row : row + k, column : column + m], **EXACT)
