"""Linear algebra of many small matrices against NumPy and SciPy, one matrix at a time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag, cholesky, solve_triangular

from bayesmix.inference.least_squares import small_blocks
from bayesmix.inference.least_squares.small_blocks import (
    NotPositiveError,
    block_rows,
    cholesky_and_half,
    cholesky_and_inverse,
    cholesky_of_square,
    congruent,
    congruent_square,
    gram,
    inverse_of_lower,
    inverse_of_square,
    log_det,
    mirror,
    rows_of,
    solve_lower,
    solve_upper,
    transposed_times,
)

EXACT = {"rtol": 1e-12, "atol": 1e-13}  # the same products in another order
LEAD, LEVELS = (2, 3), 5
SIZES = [1, 2, 3, 4, 5, 7]  # written out, row by row, NumPy's solver
SHAPES = [(4, 1), (3, 2), (2, 3)]  # (J, k) of factors


def definite(k: int, *lead: int) -> np.ndarray:
    A = np.random.default_rng(k).normal(size=(*lead, k, k))
    return A @ np.swapaxes(A, -1, -2) + 0.5 * np.eye(k)


def lower(k: int, *lead: int) -> np.ndarray:
    return np.linalg.cholesky(definite(k, *lead))


def entries(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape)


@pytest.mark.parametrize("k", SIZES)
def test_functions_of_one_matrix(k):
    M, L = definite(k, *LEAD, LEVELS), lower(k, *LEAD, LEVELS)
    roots, inverses = cholesky_and_inverse(M)
    squares, determinants = gram(L), log_det(L)
    for at in np.ndindex(*LEAD, LEVELS):
        root = cholesky(M[at], lower=True)
        np.testing.assert_allclose(roots[at], root, **EXACT)
        np.testing.assert_allclose(inverses[at], np.linalg.inv(root), **EXACT)
        np.testing.assert_allclose(inverse_of_lower(roots)[at], np.linalg.inv(root), **EXACT)
        np.testing.assert_allclose(squares[at], L[at].T @ L[at], **EXACT)
        np.testing.assert_allclose(determinants[at], np.linalg.slogdet(L[at] @ L[at].T)[1], **EXACT)


@pytest.mark.parametrize("k", SIZES)
def test_congruences_at_every_point(k):
    blocks, Lambda = entries(*LEAD, LEVELS, k, k), entries(*LEAD, k, k)
    for many in (blocks, blocks[0, 0]):  # cross-products of one point, factors of several
        found = congruent(many, Lambda)
        for at in np.ndindex(*LEAD, LEVELS):
            block = np.broadcast_to(many, blocks.shape)[at]
            np.testing.assert_allclose(found[at], Lambda[at[:-1]].T @ block @ Lambda[at[:-1]], **EXACT)


@pytest.mark.parametrize("k", SIZES)
@pytest.mark.parametrize("lead", [(), LEAD])
def test_triangular_systems(k, lead):
    L, rhs = lower(k, *lead, LEVELS), entries(*lead, LEVELS, k, 3)
    down, up = solve_lower(L, rhs), solve_upper(L, rhs[..., 0])
    for at in np.ndindex(*lead, LEVELS):
        np.testing.assert_allclose(down[at], solve_triangular(L[at], rhs[at], lower=True), **EXACT)
        np.testing.assert_allclose(up[at], solve_triangular(L[at], rhs[at][:, 0], lower=True, trans=1), **EXACT)


def test_systems_without_unknowns_have_empty_solutions():
    """Of models all of whose fixed effects are explored."""
    L, h = np.zeros((4, 0, 0)), np.zeros((4, 0))
    assert solve_lower(L, h[..., None]).shape == (4, 0, 1)
    assert solve_upper(L, h).shape == (4, 0)
    assert [part.shape for part in cholesky_and_half(L, h)] == [(4, 0, 0), (4, 0)]


@pytest.mark.parametrize("k", [3, 7])
def test_cholesky_factors_and_right_hand_sides_solved_by_them(monkeypatch, k):
    monkeypatch.setattr(small_blocks, "SMALL", 5)
    M, h = definite(k, LEVELS), entries(LEVELS, k)
    L, half = cholesky_and_half(M, h)
    np.testing.assert_allclose(L, np.linalg.cholesky(M), **EXACT)
    np.testing.assert_allclose(half, [solve_triangular(*pair, lower=True) for pair in zip(L, h, strict=True)], **EXACT)


@pytest.mark.parametrize("shared", [False, True])
def test_large_systems_are_solved_one_by_one(monkeypatch, shared):
    monkeypatch.setattr(small_blocks, "SMALL", 6)
    L, rhs = lower(7, 4), entries(7, 3) if shared else entries(4, 7, 3)
    down, up = solve_lower(L, rhs), solve_upper(L, rhs[..., 0])
    for at in range(4):
        own = rhs if shared else rhs[at]
        np.testing.assert_allclose(down[at], np.linalg.solve(L[at], own), **EXACT)
        np.testing.assert_allclose(up[at], np.linalg.solve(L[at].T, own[:, 0]), **EXACT)


@pytest.mark.parametrize("small", [3, 7])
def test_inverse_of_a_square_by_either_library(monkeypatch, small):
    monkeypatch.setattr(small_blocks, "SMALL", small)
    L = lower(7)
    np.testing.assert_allclose(inverse_of_square(L), np.linalg.inv(L @ L.T), rtol=1e-10, atol=1e-12)


def test_block_diagonal_products():
    blocks = [entries(*LEAD, k, k) for _, k in SHAPES]
    rows = entries(sum(levels * k for levels, k in SHAPES), 3)
    forward, backward = block_rows(SHAPES, blocks, rows), transposed_times(SHAPES, blocks, rows)
    for at in np.ndindex(*LEAD):
        whole = block_diag(
            *(block[at] for block, (levels, _) in zip(blocks, SHAPES, strict=True) for _ in range(levels))
        )
        np.testing.assert_allclose(forward[at], whole @ rows, **EXACT)
        np.testing.assert_allclose(backward[at], whole.T @ rows, **EXACT)


def test_rows_of_blocks_stand_one_below_the_other():
    blocks = entries(2, 3, 4, 5)
    np.testing.assert_array_equal(rows_of(blocks), [np.vstack(list(own)) for own in blocks])


@pytest.mark.parametrize(
    "block",
    [
        [[-1.0]],
        [[0.0]],
        [[np.nan]],
        [[-1.0, 0.0], [0.0, 1.0]],
        [[1.0, 2.0], [2.0, 1.0]],
        [[1.0, 1.0], [1.0, 1.0]],
        [[1.0, 0.0], [0.0, np.nan]],
        [[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ],
)
def test_one_block_that_is_not_positive_definite_is_refused_among_others(block):
    k = len(block)
    with pytest.raises(NotPositiveError) as refused:
        cholesky_and_inverse(np.stack([np.eye(k), np.array(block)]))
    np.testing.assert_array_equal(refused.value.points(2), [True, False])
    assert refused.value.points(5) is None  # of blocks that are not one a point nothing is known


def test_blocks_that_are_nearly_singular_are_found_as_each_by_itself():
    """Whether LAPACK factorises them is rounding; eigenvalues say something else of a part."""
    rng = np.random.default_rng(7)
    roots = rng.normal(size=(3000, 3, 2))
    blocks = roots @ np.swapaxes(roots, -1, -2) + 1e-16 * np.eye(3)
    with pytest.raises(NotPositiveError) as refused:
        cholesky_and_inverse(blocks)

    def is_factorised(block):
        try:
            np.linalg.cholesky(block)
        except np.linalg.LinAlgError:
            return False
        return True

    each = np.array([is_factorised(block) for block in blocks])
    assert 0.1 < each.mean() < 0.9
    assert (each != (np.linalg.eigvalsh(blocks)[:, 0] > 0.0)).any()
    np.testing.assert_array_equal(refused.value.points(len(blocks)), each)


@pytest.mark.parametrize("q", [7, 140])
def test_large_squares_are_factorised_inverted_and_mirrored_as_small_ones(q):
    rng = np.random.default_rng(q)
    root = rng.normal(size=(q, q + 3))
    square = root @ root.T
    L = cholesky_of_square(square.copy())
    np.testing.assert_allclose(L, np.linalg.cholesky(square), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(inverse_of_square(L), np.linalg.inv(square), rtol=1e-6, atol=1e-9)
    half = np.tril(square)
    mirror(half)
    np.testing.assert_array_equal(half, square)
    with pytest.raises(np.linalg.LinAlgError):
        cholesky_of_square(-square)


@pytest.mark.parametrize("ks", [(1, 1), (2, 1)])
def test_squares_between_block_diagonals(ks):
    rng = np.random.default_rng(4)
    shapes = [(3, ks[0]), (4, ks[1])]
    q = sum(levels * k for levels, k in shapes)
    square = rng.normal(size=(q, q))
    square = square + square.T
    Lambdas = [rng.normal(size=(2, k, k)) for k in ks]
    found = congruent_square(shapes, Lambdas, square)
    for i in range(2):
        pairs = zip(shapes, Lambdas, strict=True)
        whole = block_diag(*(Lambda[i] for (levels, _), Lambda in pairs for _ in range(levels)))
        np.testing.assert_allclose(found[i], whole.T @ square @ whole, rtol=1e-10, atol=1e-12)
