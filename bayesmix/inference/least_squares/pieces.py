"""Cross-products in spherical coordinates, in the order in which levels that are not independent are eliminated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.cross_products import Moments
from bayesmix.inference.least_squares.small_blocks import congruent, stack_rows
from bayesmix.inference.least_squares.symbolic import Pieces, Plan

LEAST = 1e-7  # relative size of effects instead of zero: what it adds to a criterion is below rounding


def without_zeros(Lambda: Array) -> Array:
    """Relative factors ``(..., k, k)`` that are not singular: sizes of zero in any direction are raised a little."""
    left, sizes, right = np.linalg.svd(Lambda)
    least = np.maximum(LEAST, LEAST * sizes[..., :1])
    raised = (left * np.maximum(sizes, least)[..., None, :]) @ right
    return np.where((sizes < least).any(axis=-1)[..., None, None], raised, Lambda)


def spherical(products: Moments, Lambdas: Sequence[Array], pairs: Sequence[tuple[int, int]]) -> Moments:
    """Cross-products of ``[Z Lambda | X y]``; ``pairs`` are the factors of each of ``products.C``."""
    turned = [np.swapaxes(Lambda, -1, -2)[..., None, :, :] for Lambda in Lambdas]
    D = tuple(congruent(block, Lambda) for block, Lambda in zip(products.D, Lambdas, strict=True))
    C = tuple(turned[f] @ block @ Lambdas[g][..., None, :, :] for (f, g), block in zip(pairs, products.C, strict=True))
    B = tuple(Lambda @ block for Lambda, block in zip(turned, products.B, strict=True))
    return Moments(D, C, B, products.XX, products.n)


def add_penalty(entries: Array, pieces: Pieces) -> Array:
    """Add the precisions of the levels to entries on the pattern, in place."""
    at, value = pieces.penalty
    entries[..., at] += value
    return entries


def rows_in_order(plan: Plan, B: Sequence[Array], c: int) -> Array:
    """Rows ``(..., total, c)`` of blocks ``(..., J, k, c)`` of the factors, in the order of elimination."""
    rows = stack_rows(B, c)
    return rows if plan.pieces is None else rows[..., plan.pieces.order, :]


def in_order(plan: Plan, B: Sequence[Array]) -> list[Array]:
    """Blocks ``(..., levels, k, c)`` of the pieces from those of the factors."""
    rows, begin, parts = rows_in_order(plan, B, B[0].shape[-1]), 0, []
    for levels, k in plan.shapes:
        end = begin + levels * k
        parts.append(rows[..., begin:end, :].reshape(*rows.shape[:-2], levels, k, rows.shape[-1]))
        begin = end
    return parts


def units(plan: Plan) -> list[Array]:
    """Relative factors of the pieces, whose effects are spherical: identity matrices."""
    return [np.eye(k) for _, k in plan.shapes]
