"""Cross-products of a design: sums over rows, after which no cost depends on their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.incidence import Factor, Incidence, Pair, Segments
from bayesmix.inference.least_squares.row_weights import weigh_columns

MANY = 100  # pairs of columns up to which sums run over all groups at once, pair by pair


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Weighted cross-products of ``[Z_1 ... Z_F | X y]``."""

    D: tuple[Array, ...]  # per factor (..., J, k, k): Z_f'WZ_f, block diagonal
    C: tuple[Array, ...]  # per pair of factors (..., m, k_f, k_g): the blocks of Z_f'WZ_g that are not zero
    B: tuple[Array, ...]  # per factor (..., J, k, c): Z_f'W[X y]
    XX: Array  # (..., c, c): [X y]'W[X y]
    n: Any  # number of rows; an array ``(...,)`` where points are of some of the rows each


def moments(pattern: Incidence, factors: Sequence[Factor], columns: Array, weights: Array | None = None) -> Moments:
    """Sum cross-products over rows.

    Parameters
    ----------
    columns : (N, c) array, fixed-effect columns and response side by side.
    weights : of rows, see `row_weights`; None for ones.
    """
    weighted = [factor.z if weights is None else _weighed(weights, factor) for factor in factors]
    D = tuple(_squares(pattern, f, wz, factor.z) for f, (wz, factor) in enumerate(zip(weighted, factors, strict=True)))
    C = tuple(_pair_sums(pair, weighted[pair.first], factors[pair.second].z) for pair in pattern.pairs)
    B = tuple(
        _block_sums(rows, wz, np.tile(columns, (factor.slots, 1)) if factor.slots > 1 else columns)
        for rows, wz, factor in zip(pattern.rows, weighted, factors, strict=True)
    )
    scaled = columns if weights is None else weigh_columns(weights, columns)
    return Moments(D, C, B, np.swapaxes(scaled, -1, -2) @ columns, columns.shape[-2])


def _weighed(weights: Array, factor: Factor) -> Array:
    return weigh_columns(weights if factor.slots == 1 else factor.of_rows(weights), factor.z)


def _squares(pattern: Incidence, f: int, left: Array, right: Array) -> Array:
    """``Z_f'W Z_f`` of each level."""
    own = pattern.squares[f]
    if own is None:
        return _block_sums(pattern.rows[f], left, right)
    return _block_sums(own.sums, left[..., own.left, :], right[..., own.right, :])


def _pair_sums(pair: Pair, left: Array, right: Array) -> Array:
    """``Z_f'W Z_g`` of each combination of levels."""
    if pair.entries is None:
        return _block_sums(pair.rows, left, right)
    first, second = pair.entries
    return _block_sums(pair.rows, left[..., first, :], right[..., second, :])


def with_last_column(
    pattern: Incidence, factors: Sequence[Factor], products: Moments, columns: tuple[Array, Array], weights: Array
) -> Moments:
    """The same cross-products with other last columns, each a point of a batch: the others are not summed again.

    Parameters
    ----------
    columns : the columns before the last ``(n, c - 1)``, and the last of each point ``(B, n)``.
    """
    X, last = columns
    weighted = weights * last
    B = []
    for rows, factor, own in zip(pattern.rows, factors, products.B, strict=True):
        of_members = factor.of_rows(weighted)
        sums = np.stack([rows.sum(of_members * z) for z in factor.z.T], axis=-1)
        before = np.broadcast_to(own[..., :-1], (*sums.shape, X.shape[1]))
        B.append(np.concatenate([before, sums[..., None]], axis=-1))
    XX = np.tile(products.XX, (len(last), 1, 1))
    XX[:, :-1, -1] = XX[:, -1, :-1] = weighted @ X
    XX[:, -1, -1] = np.sum(weighted * last, axis=-1)
    return Moments(products.D, products.C, tuple(B), XX, products.n)


def _block_sums(rows: Segments, left: Array, right: Array) -> Array:
    """Sum the outer products of rows of ``left (..., n, a)`` and ``right (..., n, b)`` within groups."""
    a, b = left.shape[-1], right.shape[-1]
    if len(rows.starts) == 1 and a > 1:  # one level, whose columns are basis functions: one product of matrices
        return (np.swapaxes(left, -1, -2) @ right)[..., None, :, :]
    if not b:
        return np.zeros((*rows.sum(left[..., 0]).shape, a, 0))
    if a * b > max(MANY, len(rows.starts)):
        return _products_by_group(rows, left, right)
    sums = [rows.sum(left[..., i] * right[..., j]) for i in range(a) for j in range(b)]
    return np.stack(sums, axis=-1).reshape(*sums[0].shape, a, b)


def _products_by_group(rows: Segments, left: Array, right: Array) -> Array:
    """The same by one matrix product a group: of many columns and few groups."""
    n = left.shape[-2]
    order = slice(None) if rows.order is None else rows.order
    left, right = np.swapaxes(left, -1, -2)[..., order], right[..., order, :]
    parts = [left[..., low:high] @ right[..., low:high, :] for low, high in pairwise([*rows.starts.tolist(), n])]
    return np.stack(parts, axis=-3)


def leverages(
    pattern: Incidence, factors: Sequence[Factor], D: Sequence[Array], C: Sequence[Array], *, R: int = 1
) -> Array:
    """Return ``z_i' S z_i`` of each row, ``S`` given on the pattern of the cross-products: as weights of rows are.

    Of rows with one predictor the blocks may have leading axes.
    """
    N = len(factors[0].codes) // factors[0].slots if factors else 0
    total: Array = np.zeros((N or 1) if R == 1 else (R, R, N // R or 1))
    for factor, block, own in zip(factors, D, pattern.squares, strict=True):
        if own is None:
            total = total + forms(factor.z, _of_rows(block, factor.codes), factor.z, R)
        else:
            total = total + _of_products(
                factor.z[own.left], block[..., own.level, :, :], factor.z[own.right], own.left, N
            )
    for pair, block in zip(pattern.pairs, C, strict=True):
        if pair.entries is not None:
            left, right = pair.entries
            z = factors[pair.first].z[left], factors[pair.second].z[right]
            total = total + 2.0 * _of_products(z[0], block[..., pair.member, :, :], z[1], left, N)
            continue
        form = forms(factors[pair.first].z, block[..., pair.member, :, :], factors[pair.second].z, R)
        total = total + (2.0 * form if R == 1 else form + np.swapaxes(form, 0, 1))
    return total


def _of_products(left: Array, blocks: Array, right: Array, entry: Array, n: int) -> Array:
    """Bilinear forms of memberships, summed by the row ``(..., n)`` that the left one is of."""
    products = _products(left, np.einsum("...nab,nb->...na", blocks, right), 1)
    return Segments.of(entry % n, n).sum(products)


def column_leverages(factors: Sequence[Factor], X: Array, B: Sequence[Array], S: Array, *, R: int = 1) -> Array:
    """Return ``2 z_i' B x_i + x_i' S x_i`` of each row: what columns ``X (N, c)`` beside the factors add to leverages.

    Parameters
    ----------
    B : per factor ``(J, k, c)``.
    S : (c, c)
    """
    total = _products(X, X @ S, R)
    for factor, block in zip(factors, B, strict=True):
        of_members = np.tile(X, (factor.slots, 1)) if factor.slots > 1 else X
        form = forms(factor.z, _of_rows(block, factor.codes), of_members, R)
        form = factor.over_slots(form) if R == 1 else form
        total = total + (2.0 * form if R == 1 else form + np.swapaxes(form, 0, 1))
    return total


def forms(left: Array, blocks: Array, right: Array, R: int) -> Array:
    """Bilinear forms ``left_i' block_i right_i`` of the entries of a row: ``(..., n)`` or ``(R, R, n)``.

    A single block is that of all rows.
    """
    if blocks.shape[-3] == 1:
        return _products(left, right @ np.swapaxes(blocks[..., 0, :, :], -1, -2), R)
    return _products(left, np.einsum("...nab,nb->...na", blocks, right), R)


def _of_rows(blocks: Array, codes: Array) -> Array:
    """The block ``(..., n, a, b)`` of each row; where there is a single level, the one that all rows share."""
    return blocks if blocks.shape[-3] == 1 else blocks[..., codes, :, :]


def _products(left: Array, right: Array, R: int) -> Array:
    """Inner products ``left_i' right_i`` of the entries of a row, ``(N, k)`` each: ``(..., n)`` or ``(R, R, n)``."""
    if R == 1:
        return np.asarray(np.einsum("na,...na->...n", left, right))
    n, k = len(left) // R, left.shape[1]
    return np.asarray(np.einsum("rna,sna->rsn", left.reshape(R, n, k), right.reshape(R, n, k)))
