"""Cross-products against dense matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dense import dense_Z, indicator
from handmade import LAYOUTS, random_factor

from bayesmix.inference.least_squares.cross_products import column_leverages, leverages, moments
from bayesmix.inference.least_squares.incidence import Segments, counting_order, incidence, unique_keys

N = 90
EXACT = {"rtol": 1e-12, "atol": 1e-12}  # sums of 90 numbers of order one in another order


def place(factors, f):
    """Columns of factor ``f`` in the dense Z."""
    widths = [factor.levels * factor.k for factor in factors]
    start = sum(widths[:f])
    return slice(start, start + widths[f])


def spread(pattern, factors, D, C):
    """Blocks on the pattern as one dense symmetric matrix."""
    q = sum(factor.levels * factor.k for factor in factors)
    offsets = [place(factors, f).start for f in range(len(factors))]
    S = np.zeros((q, q))
    for offset, factor, blocks in zip(offsets, factors, D, strict=True):
        for j, block in enumerate(blocks):
            at = offset + j * factor.k
            S[at : at + factor.k, at : at + factor.k] = block
    for pair, blocks in zip(pattern.pairs, C, strict=True):
        for i, j, block in zip(pair.i, pair.j, blocks, strict=True):
            row = offsets[pair.first] + i * block.shape[0]
            column = offsets[pair.second] + j * block.shape[1]
            S[row : row + block.shape[0], column : column + block.shape[1]] = block
            S[column : column + block.shape[1], row : row + block.shape[0]] = block.T
    return S


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_cross_products_are_those_of_the_dense_matrix(layout, weighted):
    rng = np.random.default_rng(1)
    factors = LAYOUTS[layout](rng, N)
    columns = rng.normal(size=(N, 3))
    weights = rng.uniform(0.5, 2.0, N) if weighted else None
    pattern = incidence(factors)
    found = moments(pattern, factors, columns, weights)
    W = np.diag(np.ones(N) if weights is None else weights)
    Z = dense_Z(factors)
    np.testing.assert_allclose(spread(pattern, factors, found.D, found.C), Z.T @ W @ Z, **EXACT)
    B = np.concatenate([part.reshape(-1, 3) for part in found.B])
    np.testing.assert_allclose(B, Z.T @ W @ columns, **EXACT)
    np.testing.assert_allclose(found.XX, columns.T @ W @ columns, **EXACT)
    assert found.n == N


@pytest.mark.parametrize("layout", LAYOUTS)
def test_leverages_are_quadratic_forms_of_the_rows(layout):
    rng = np.random.default_rng(2)
    factors = LAYOUTS[layout](rng, N)
    pattern = incidence(factors)
    like = moments(pattern, factors, np.zeros((N, 1)))
    D = [rng.normal(size=block.shape) for block in like.D]
    D = [block + np.swapaxes(block, -1, -2) for block in D]
    C = [rng.normal(size=block.shape) for block in like.C]
    Z = dense_Z(factors)
    expected = np.einsum("nq,qr,nr->n", Z, spread(pattern, factors, D, C), Z)
    np.testing.assert_allclose(leverages(pattern, factors, D, C), expected, **EXACT)


@pytest.mark.parametrize("R", [1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_beside_the_factors_have_leverages_too(layout, R):
    """Of rows with several predictors blocks of the forms of all pairs of their entries."""
    rng = np.random.default_rng(4)
    factors = [replace(one, codes=np.tile(one.codes[: N // R], R)) for one in LAYOUTS[layout](rng, N)]
    X, Z, S = rng.normal(size=(N, 3)), dense_Z(factors), rng.normal(size=(3, 3))
    S += S.T
    B = [rng.normal(size=(factor.levels, factor.k, 3)) for factor in factors]
    across = Z @ np.concatenate([block.reshape(-1, 3) for block in B]) @ X.T
    whole = across + across.T + X @ S @ X.T
    own = np.arange(N).reshape(R, -1)
    expected = np.diagonal(whole) if R == 1 else whole[own[:, None], own[None, :]]
    np.testing.assert_allclose(column_leverages(factors, X, B, S, R=R), expected, **EXACT)


@pytest.mark.parametrize("layout", ["one factor, k=2", "three crossed", "nested and crossed"])
def test_batches_of_weights_equal_single_ones(layout):
    rng = np.random.default_rng(3)
    factors = LAYOUTS[layout](rng, N)
    pattern = incidence(factors)
    columns, weights = rng.normal(size=(N, 2)), rng.uniform(0.5, 2.0, (3, N))
    together = moments(pattern, factors, columns, weights)
    for index in range(3):
        alone = moments(pattern, factors, columns, weights[index])
        for many, one in zip([*together.D, *together.C, *together.B], [*alone.D, *alone.C, *alone.B], strict=True):
            np.testing.assert_allclose(many[index], one, **EXACT)
        np.testing.assert_allclose(together.XX[index], alone.XX, **EXACT)


def test_batches_of_columns_equal_single_ones():
    rng = np.random.default_rng(4)
    factors = [random_factor(rng, N, 7, 2)]
    pattern = incidence(factors)
    columns = rng.normal(size=(4, N, 2))
    together = moments(pattern, factors, columns)
    Z = dense_Z(factors)
    for one, B, XX in zip(columns, together.B[0], together.XX, strict=True):
        np.testing.assert_allclose(B.reshape(-1, 2), Z.T @ one, **EXACT)
        np.testing.assert_allclose(XX, one.T @ one, **EXACT)


SEGMENTS = {
    "sorted": [0, 0, 1, 2, 2, 2],
    "unsorted": [2, 0, 1, 2, 0, 2],
    "one group": [0, 0, 0],
    "each its own": [3, 1, 0, 2],
}


@pytest.mark.parametrize("groups", SEGMENTS.values(), ids=SEGMENTS.keys())
@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_segments_sum_within_groups(groups, lead):
    groups = np.array(groups)
    rng = np.random.default_rng(5)
    size = groups.max() + 1
    G = indicator(groups, np.ones((len(groups), 1)), size)
    segments = Segments.of(groups)
    values = rng.normal(size=(*lead, len(groups)))
    np.testing.assert_allclose(segments.sum(values), values @ G, **EXACT)
    rows = rng.normal(size=(*lead, len(groups), 2))
    np.testing.assert_allclose(segments.sum_rows(rows), np.swapaxes(G, 0, 1) @ rows, **EXACT)


def test_segments_of_nothing_are_empty():
    segments = Segments.of(np.zeros(0, np.intp))
    assert segments.sum(np.zeros((2, 0))).shape == (2, 0)
    assert segments.sum_rows(np.zeros((2, 0, 3))).shape == (2, 0, 3)


def test_counting_order_is_the_stable_sort():
    groups = np.random.default_rng(6).integers(0, 50, 1000)
    np.testing.assert_array_equal(counting_order(groups), np.argsort(groups, kind="stable"))


@pytest.mark.parametrize("size", [1000, 200_000_001], ids=["marked", "sorted"])
def test_unique_keys_are_numpys(size):
    keys = np.random.default_rng(7).integers(0, 1000, 500)
    expected, position = np.unique(keys, return_inverse=True)
    found, member = unique_keys(keys, size)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(member, position)
