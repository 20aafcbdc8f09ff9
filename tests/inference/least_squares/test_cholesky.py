"""Block elimination against dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
from dense import dense_Lambda, dense_Z, stacked
from elimination import CASES, EXACT, N, Problem
from handmade import LAYOUTS, nested_factors, random_factor
from hypothesis import given
from hypothesis import strategies as st

from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.cross_products import moments
from bayesmix.inference.least_squares.incidence import Factor, incidence
from bayesmix.inference.least_squares.solve import modes, solve
from bayesmix.inference.least_squares.symbolic import plan


@pytest.mark.parametrize(("layout", "lam"), CASES)
def test_log_determinant_and_projected_cross_products(layout, lam):
    problem = Problem(layout, lam)
    found = problem.factorise()
    np.testing.assert_allclose(found.log_determinant, np.linalg.slogdet(problem.M)[1], **EXACT)
    np.testing.assert_allclose(found.XX, problem.columns.T @ np.linalg.inv(problem.V) @ problem.columns, **EXACT)


@pytest.mark.parametrize("layout", ["one factor, k=1", "one factor, k=2", "crossed"])
def test_the_smallest_pivot_is_that_of_the_dense_matrix_or_larger(layout):
    """Pivots are at least the smallest eigenvalue, and equal to it where the matrix is diagonal."""
    problem = Problem(layout)
    least = np.linalg.eigvalsh(problem.M)[0]
    found = problem.factorise().smallest_pivot
    assert found == pytest.approx(least) if layout.endswith("k=1") else least <= found < np.max(np.diag(problem.M))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batches_of_factors_equal_single_points(layout):
    problem = Problem(layout)
    scales = np.array([[1.0, 2.0, 0.5], [0.0, 1e-3, 10.0], *np.geomspace(0.01, 5.0, 12).reshape(4, 3)])
    batch = [scales[..., None, None] * L for L in problem.Lambdas]
    found = factorise(problem.plan, problem.moments, batch)
    combination = problem.rng.normal(size=3)
    rhs = [problem.rng.normal(size=(factor.levels, factor.k)) for factor in problem.factors]
    b, u = modes(found, np.broadcast_to(combination, (6, 3, 3)))
    solved_b, solved_u = solve(found, [np.broadcast_to(part, (6, 3, *part.shape)) for part in rhs])
    for index in np.ndindex(6, 3):
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


def test_a_block_that_is_not_positive_definite_is_refused():
    """Observed weights of a generalized model can be negative."""
    rng = np.random.default_rng(0)
    for layout, scale in (("one factor, k=1", 1.0), ("one factor, k=2", 1.0), ("crossed", 1.0)):
        factors = LAYOUTS[layout](rng, N)
        pattern = incidence(factors)
        products = moments(pattern, factors, np.zeros((N, 1)), np.full(N, -1.0))
        with pytest.raises(np.linalg.LinAlgError):
            factorise(plan(pattern), products, [scale * np.eye(factor.k) for factor in factors])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_order_of_rows_and_levels_changes_nothing(layout):
    problem = Problem(layout, seed=3)
    before = problem.factorise()
    b, _ = modes(before, np.array([0.3, -0.2, 1.0]))
    rng = np.random.default_rng(11)
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
