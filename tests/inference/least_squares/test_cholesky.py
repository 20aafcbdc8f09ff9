"""Block elimination against dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
from dense import central, dense_Lambda, dense_Z, stacked
from handmade import LAYOUTS, nested_factors, random_factor
from hypothesis import given
from hypothesis import strategies as st

from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.cross_products import leverages, moments
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.incidence import Factor, incidence
from bayesmix.inference.least_squares.solve import draw, modes, solve
from bayesmix.inference.least_squares.symbolic import plan

N = 100
EXACT = {"rtol": 1e-9, "atol": 1e-9}  # two orders of elimination of about 100 well-conditioned unknowns
DIFFERENCED = {"rtol": 1e-6, "atol": 1e-6}  # fourth-order differences with step 1e-4: 1e-12 / 1e-4 of rounding

# layout -> (factors eliminated block by block, size of the dense end)
ELIMINATED = {
    "one factor, k=1": (1, 0),
    "one factor, k=2": (1, 0),
    "one factor, k=3": (1, 0),
    "crossed": (1, 6),
    "three crossed": (1, 6 + 12),
    "nested": (2, 0),
    "nested twice": (3, 0),
    "nested and crossed": (2, 8),
    "crossed between nested": (1, 5 + 12),
}


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


def test_every_layout_has_a_case():
    assert ELIMINATED.keys() == LAYOUTS.keys()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nested_factors_stay_blockwise(layout):
    problem = Problem(layout)
    assert (len(problem.plan.stages), problem.plan.q) == ELIMINATED[layout]


@pytest.mark.parametrize(("layout", "lam"), CASES)
def test_log_determinant_and_projected_cross_products(layout, lam):
    problem = Problem(layout, lam)
    found = problem.factorise()
    np.testing.assert_allclose(found.log_determinant, np.linalg.slogdet(problem.M)[1], **EXACT)
    np.testing.assert_allclose(found.XX, problem.columns.T @ np.linalg.inv(problem.V) @ problem.columns, **EXACT)


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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_derivatives_by_the_weights_are_leverages(layout):
    problem = Problem(layout)
    derivative = sensitivity(problem.factorise(), np.zeros((3, 3)), problem.pattern)
    found = leverages(problem.pattern, problem.factors, derivative.D, derivative.C)
    ZL = problem.Z @ problem.Lambda
    expected = np.einsum("nq,qr,nr->n", ZL, np.linalg.inv(problem.M), ZL)  # d log|M| / d w_i
    np.testing.assert_allclose(found, expected, **EXACT)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batches_of_factors_equal_single_points(layout):
    problem = Problem(layout)
    scales = np.array([[1.0, 2.0, 0.5], [0.0, 1e-3, 10.0]])
    batch = [scales[..., None, None] * L for L in problem.Lambdas]
    found = factorise(problem.plan, problem.moments, batch)
    combination = problem.rng.normal(size=3)
    rhs = [problem.rng.normal(size=(factor.levels, factor.k)) for factor in problem.factors]
    b, u = modes(found, np.broadcast_to(combination, (2, 3, 3)))
    solved_b, solved_u = solve(found, [np.broadcast_to(part, (2, 3, *part.shape)) for part in rhs])
    for index in np.ndindex(2, 3):
        alone = factorise(problem.plan, problem.moments, [L[index] for L in batch])
        np.testing.assert_allclose(found.log_determinant[index], alone.log_determinant, **EXACT)
        np.testing.assert_allclose(found.XX[index], alone.XX, **EXACT)
        for many, one in zip([b, u], modes(alone, combination), strict=True):
            np.testing.assert_allclose(stacked([part[index] for part in many]), stacked(one), **EXACT)
        for many, one in zip([solved_b, solved_u], solve(alone, rhs), strict=True):
            np.testing.assert_allclose(stacked([part[index] for part in many]), stacked(one), **EXACT)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batches_of_weights_equal_single_points(layout):
    problem = Problem(layout)
    weights = problem.rng.uniform(0.5, 2.0, (3, N))
    found = factorise(
        problem.plan, moments(problem.pattern, problem.factors, problem.columns, weights), problem.Lambdas
    )
    b, _ = modes(found, np.tile([0.5, -0.3, 1.0], (3, 1)))
    for index, one in enumerate(weights):
        problem.weights, problem.W = one, np.diag(one)
        np.testing.assert_allclose(found.log_determinant[index], np.linalg.slogdet(problem.M)[1], **EXACT)
        np.testing.assert_allclose(
            found.XX[index], problem.columns.T @ np.linalg.inv(problem.V) @ problem.columns, **EXACT
        )
        rhs = problem.Lambda.T @ problem.Z.T @ problem.W @ problem.columns @ [0.5, -0.3, 1.0]
        dense_b = problem.Lambda @ np.linalg.solve(problem.M, rhs)
        np.testing.assert_allclose(stacked([part[index] for part in b]), dense_b, **EXACT)


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


@pytest.mark.parametrize("layout", ["nested twice", "nested and crossed", "three crossed"])
def test_giving_up_on_blocks_changes_nothing(layout, monkeypatch):
    """Where an elimination would take too many products the rest is dense: same numbers."""
    expected = Problem(layout)
    before = expected.factorise()
    monkeypatch.setattr("bayesmix.inference.least_squares.symbolic.PAIR_LIMIT", 0)
    problem = Problem(layout)
    assert len(problem.plan.stages) == 1
    assert problem.plan.q == sum(factor.levels * factor.k for factor in problem.factors[1:])
    found = problem.factorise()
    np.testing.assert_allclose(found.log_determinant, before.log_determinant, **EXACT)
    np.testing.assert_allclose(found.XX, before.XX, **EXACT)
    inverse = problem.Lambda @ np.linalg.inv(problem.M) @ problem.Lambda.T
    check_blocks(problem, sensitivity(found, np.zeros((3, 3)), problem.pattern), inverse)


def test_a_block_that_is_not_positive_definite_is_refused():
    """Observed weights of a generalized model can be negative."""
    rng = np.random.default_rng(0)
    for layout, scale in (("one factor, k=1", 1.0), ("one factor, k=2", 1.0), ("crossed", 1.0)):
        factors = LAYOUTS[layout](rng, N)
        pattern = incidence(factors)
        products = moments(pattern, factors, np.zeros((N, 1)), np.full(N, -1.0))
        with pytest.raises(np.linalg.LinAlgError):
            factorise(plan(pattern), products, [scale * np.eye(factor.k) for factor in factors])


@given(seed=st.integers(0, 2**32 - 1), layout=st.sampled_from(sorted(LAYOUTS)))
def test_order_of_rows_and_levels_changes_nothing(seed, layout):
    problem = Problem(layout, seed=3)
    before = problem.factorise()
    b, _ = modes(before, np.array([0.3, -0.2, 1.0]))
    rng = np.random.default_rng(seed)
    rows = rng.permutation(N)
    labels = [rng.permutation(factor.levels) for factor in problem.factors]
    moved = [
        Factor(new[factor.codes][rows], factor.z[rows], factor.levels)
        for new, factor in zip(labels, problem.factors, strict=True)
    ]
    pattern = incidence(moved)
    products = moments(pattern, moved, problem.columns[rows], problem.weights[rows])
    after = factorise(plan(pattern), products, problem.Lambdas)
    np.testing.assert_allclose(after.log_determinant, before.log_determinant, **EXACT)
    np.testing.assert_allclose(after.XX, before.XX, **EXACT)
    moved_b, _ = modes(after, np.array([0.3, -0.2, 1.0]))
    for old, new, label in zip(b, moved_b, labels, strict=True):
        np.testing.assert_allclose(new[label], old, **EXACT)


@given(
    seed=st.integers(0, 2**32 - 1),
    shapes=st.lists(st.tuples(st.integers(2, 8), st.integers(1, 3)), min_size=1, max_size=3),
    nested=st.booleans(),
)
def test_any_layout_is_eliminated_exactly(seed, shapes, nested):
    rng = np.random.default_rng(seed)
    shapes = sorted(shapes, reverse=True)
    if nested:
        sizes = [(2 ** (len(shapes) - f), k) for f, (_, k) in enumerate(shapes)]
        factors = nested_factors(rng, 40, sizes)
    else:
        factors = [random_factor(rng, 40, levels, k) for levels, k in shapes]
    pattern = incidence(factors)
    columns = rng.normal(size=(40, 2))
    Lambdas = [np.tril(rng.normal(size=(factor.k, factor.k))) for factor in factors]
    found = factorise(plan(pattern), moments(pattern, factors, columns), Lambdas)
    Z, root = dense_Z(factors), dense_Lambda(factors, Lambdas)
    V = np.eye(40) + Z @ root @ root.T @ Z.T
    np.testing.assert_allclose(found.log_determinant, np.linalg.slogdet(V)[1], **EXACT)
    np.testing.assert_allclose(found.XX, columns.T @ np.linalg.inv(V) @ columns, **EXACT)
