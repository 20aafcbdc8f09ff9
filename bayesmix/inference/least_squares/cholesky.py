"""Penalised least squares by block elimination: one Cholesky, its solutions and its derivatives.

The random-effects part of every mixed model is the symmetric matrix ``A`` of cross-products of ``[Z_1 ... Z_F | X y]``,
one block column a grouping factor. With ``G = Lambda Lambda'`` the relative covariance of the effects of one level
(Bates, Maechler, Bolker, Walker 2015, J. Stat. Softw. 67(1), eqs. 2-4), eliminating a factor with diagonal blocks ``D``
and couplings ``a`` to what is left replaces the latter by its Schur complement

    H <- H - a' P a,     P = Lambda (Lambda' D Lambda + I)^-1 Lambda' = (G^-1 + D)^-1.

The factor with most levels goes first; factors whose blocks stay diagonal after that (nesting) are eliminated the same
way; what is truly crossed ends in one dense block. ``P`` is well defined for singular ``G``, so fits on the boundary
need no special case.

Derivatives come from running the elimination backwards. With ``S = df/dH`` known for what is left,

    df/dP = -a S a',    df/dD = P - P (df/dP) P,    df/dG = D - D P D + (I - D P) (df/dP) (I - P D),

where the terms without ``df/dP`` belong to ``log|I + G D|``. The same pass yields the blocks of the inverse on the
pattern of ``A``: the conditional variances of the random effects.

Numerical arrays may carry leading batch axes ``...``, one entry a parameter point; derivatives are for one point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from bayesmix.arrays import Array, upper_triangle
from bayesmix.inference.least_squares.cross_products import Moments
from bayesmix.inference.least_squares.pieces import add_penalty, in_order, spherical, units, without_zeros
from bayesmix.inference.least_squares.small_blocks import (
    cholesky_and_inverse,
    cholesky_of_square,
    congruent,
    congruent_square,
    gram,
    log_det,
    rows_of,
    solve_lower,
    stack_rows,
    transposed_times,
)
from bayesmix.inference.least_squares.symbolic import Couplings, Plan, Stage

FEW = 8  # effects times columns up to which products of blocks are made before points are
MANY, PRODUCTS = 16, 2_000_000  # points from which on, and numbers up to which, products of couplings are made before
PIECE = 100_000  # products of couplings computed at once: more of them would take more memory than all else


@dataclass(frozen=True, slots=True, eq=False)
class Eliminated:
    """One eliminated factor at a parameter point: what solving and differentiating need again."""

    Lambda: Array  # (..., k, k)
    D: Array  # (..., J, k, k) after the eliminations before
    a: Array  # (..., E, k)
    B: Array  # (..., J, k, c)
    L: Array  # (..., J, k, k) Cholesky factor of Lambda' D Lambda + I
    P: Array  # (..., J, k, k)
    dense: Array  # (J, k, left) couplings that are the same at all points as matrices, where these cost less; or none


@dataclass(frozen=True, slots=True, eq=False)
class DenseEnd:
    """The crossed rest at a parameter point."""

    Lambdas: tuple[Array, ...]  # per factor (..., k, k)
    H: Array  # (..., q, q)
    B: Array  # (..., q, c)
    L: Array  # (..., q, q)
    W: Array  # (..., q, c) L^-1 Lambda' B


@dataclass(frozen=True, slots=True, eq=False)
class AtPieces:
    """Where levels are not independent: what derivatives need again, for which pieces are in spherical coordinates."""

    moments: Moments
    Lambdas: tuple[Array, ...]  # per factor (..., k, k), none of them singular


@dataclass(frozen=True, slots=True, eq=False)
class Factorisation:
    """The factorised system at a parameter point."""

    plan: Plan
    eliminated: tuple[Eliminated, ...]
    end: DenseEnd | None
    log_determinant: Array  # (...,) log|Lambda' Z'WZ Lambda + I|; of related levels log|I + V Z'WZ|, V = A x G
    XX: Array  # (..., c, c) cross-products of [X y] with the random effects eliminated: [X y]' V^-1 [X y]
    at: AtPieces | None = None  # where levels are not independent

    @property
    def smallest_pivot(self) -> float:
        """Smallest pivot of ``Lambda' Z'WZ Lambda + I``: at least one where no weight is negative.

        Infinite where levels are not independent: pivots there are in units of their relations.
        """
        roots = [step.L for step in self.eliminated] + ([] if self.end is None else [self.end.L])
        if self.at is not None or not roots:
            return math.inf
        return min(float(np.min(np.diagonal(L, axis1=-2, axis2=-1), initial=math.inf)) ** 2 for L in roots)


def factorise(plan: Plan, moments: Moments, Lambdas: Sequence[Array], lead: tuple[int, ...] = ()) -> Factorisation:
    """Eliminate the random effects at relative factors ``Lambdas``, one ``(..., k, k)`` per grouping factor.

    ``lead`` are the leading axes of the parameter points, which a model without random effects cannot tell from its
    (no) factors.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a block is not positive definite, which only observed weights of a GLMM can cause.
    """
    entries = _entries(plan, moments)
    XX = np.broadcast_to(moments.XX, np.broadcast_shapes(moments.XX.shape, (*lead, 1, 1)))
    if plan.pieces is None:
        return _factorised(plan, entries, [np.asarray(b) for b in moments.B], XX, Lambdas, lead)
    regular = tuple(map(without_zeros, Lambdas))
    own = spherical(moments, regular, plan.pieces.pairs)
    entries = add_penalty(_entries(plan, own), plan.pieces)
    found = _factorised(plan, entries, in_order(plan, own.B), XX, units(plan), lead)
    log_determinant = found.log_determinant + plan.pieces.log_det
    return replace(found, log_determinant=log_determinant, at=AtPieces(moments, regular))


def _factorised(
    plan: Plan,
    entries: Array,
    B: Sequence[Array],
    XX: Array,
    Lambdas: Sequence[Array],
    lead: tuple[int, ...],
) -> Factorisation:
    """Eliminate factors, or pieces of them, one after the other.

    Parameters
    ----------
    entries : of the matrix on the pattern of the upper triangle.
    B : per factor ``(..., J, k, c)``.
    """
    log_determinant: Array = np.zeros(lead)
    done: list[Eliminated] = []
    rest = stack_rows(B[1:], XX.shape[-1])
    current = B[0] if B else rest
    for stage, Lambda in zip(plan.stages, Lambdas, strict=False):
        step = _eliminate(stage, entries, current, Lambda, plan.unit)
        log_determinant = log_determinant + log_det(step.L).sum(axis=-1)
        entries, rest, XX = _complement(stage, step, entries, rest, XX)
        done.append(step)
        if len(done) < len(plan.shapes):
            levels, k = plan.shapes[len(done)]
            current = rest[..., : levels * k, :].reshape(*rest.shape[:-2], levels, k, rest.shape[-1])
            if len(done) < len(plan.stages):
                rest = rest[..., levels * k :, :]
    if len(done) == len(plan.shapes):
        return Factorisation(plan, tuple(done), None, log_determinant, XX)
    if not done:
        rest = stack_rows(B, XX.shape[-1])
    end = _dense_end(plan, entries, rest, Lambdas[len(done) :])
    XX = XX - np.swapaxes(end.W, -1, -2) @ end.W
    return Factorisation(plan, tuple(done), end, log_determinant + log_det(end.L), XX)


def _entries(plan: Plan, moments: Moments) -> Array:
    """Numbers of ``D`` and ``C`` on the pattern of the upper triangle."""
    parts = [_upper(D) for D in moments.D] + [C.reshape(*C.shape[:-3], -1) for C in moments.C]
    lead = np.broadcast_shapes(*(part.shape[:-1] for part in parts)) if parts else ()
    entries = np.zeros((*lead, plan.n_source))
    if parts:
        entries[..., plan.source] = np.concatenate([np.broadcast_to(p, (*lead, p.shape[-1])) for p in parts], axis=-1)
    return entries


def _upper(D: Array) -> Array:
    alpha, beta = upper_triangle(D.shape[-1])
    return D[..., alpha, beta].reshape(*D.shape[:-3], -1)


def _eliminate(stage: Stage, entries: Array, B: Array, Lambda: Array, unit: float) -> Eliminated:
    D = entries[..., stage.diagonal]
    a = np.where(stage.coupling >= 0, entries[..., stage.coupling], 0.0)
    M = congruent(D, Lambda) + unit * np.eye(stage.k)
    L, inverse = cholesky_and_inverse(M)
    dense = dense_couplings(stage, a) if stage.is_dense and a.ndim == 2 else np.zeros((0, 0, 0))
    return Eliminated(Lambda, D, a, B, L, congruent(gram(inverse), np.swapaxes(Lambda, -1, -2)), dense)


def _complement(stage: Stage, step: Eliminated, entries: Array, rest: Array, XX: Array) -> tuple[Array, Array, Array]:
    """Schur complements of the entries, the rows of ``[X y]`` and their own cross-products."""
    pairs = stage.couplings
    points = math.prod(step.P.shape[:-3])
    is_batch = step.B.ndim == 3 and points > 1  # of points: products of blocks pay for several
    if is_batch and points >= MANY and step.dense.size and stage.k == 1:
        c = XX.shape[-1]
        if stage.levels * (stage.n_entries + stage.left * c + c**2) <= PRODUCTS:
            return _complement_of_many(stage, step, entries, rest, XX)
    if not len(pairs.edge_level) and is_batch and stage.k * XX.shape[-1] <= FEW:
        XX = XX - _quadratic_forms(step.P, step.B)
    else:
        PB = step.P @ step.B
        XX = XX - np.swapaxes(rows_of(step.B), -1, -2) @ rows_of(PB)
    if not len(pairs.edge_level):
        lead = np.broadcast_shapes(entries.shape[:-1], step.P.shape[:-3])
        return np.broadcast_to(entries[..., stage.keep], (*lead, len(stage.keep))), rest, XX
    if stage.is_dense:
        products, across = _dense_products(stage, step, PB)
        left = np.zeros((*products.shape[:-2], stage.n_entries))
        left[..., stage.kept] = entries[..., stage.keep]
        return left - products[..., stage.row, stage.column], rest - across, XX
    Pa = np.einsum("...ekl,...el->...ek", step.P[..., pairs.edge_level, :, :], step.a)
    sums = _sums_of_products(pairs, step.a, Pa)
    left = np.zeros((*sums.shape[:-1], stage.n_entries))
    left[..., stage.kept] = entries[..., stage.keep]
    left[..., pairs.entries] -= sums
    across = pairs.by_column.sum_rows(np.einsum("...ek,...ekc->...ec", step.a, PB[..., pairs.edge_level, :, :]))
    rest = np.broadcast_to(rest, (*across.shape[:-2], *rest.shape[-2:])).copy()
    rest[..., pairs.columns, :] -= across
    return left, rest, XX


def _complement_of_many(
    stage: Stage, step: Eliminated, entries: Array, rest: Array, XX: Array
) -> tuple[Array, Array, Array]:
    """`_complement` at many points of levels with one effect: all is linear in ``P``, one product of two matrices."""
    a, B, c = step.dense[:, 0], step.B[:, 0], XX.shape[-1]
    i, j = upper_triangle(c)
    pairs = (a[:, stage.row] * a[:, stage.column], (a[:, :, None] * B[:, None]).reshape(len(a), -1), B[:, i] * B[:, j])
    sums = step.P[..., 0, 0] @ np.concatenate(pairs, axis=1)
    own, across, squares = np.split(sums, np.cumsum([pair.shape[1] for pair in pairs[:2]]), axis=-1)
    left = -own
    left[..., stage.kept] += entries[..., stage.keep]
    whole = np.empty((*squares.shape[:-1], c, c))
    whole[..., i, j] = whole[..., j, i] = squares
    return left, rest - across.reshape(*across.shape[:-1], stage.left, c), XX - whole


def _quadratic_forms(P: Array, B: Array) -> Array:
    """Sums over levels of ``B' P B``, ``P (..., J, k, k)`` of many points, ``B (J, k, c)`` of all.

    Entry by entry of ``P``, with the levels along the last axis: there are many of them and few columns.
    """
    k, c = B.shape[1:]
    columns = np.ascontiguousarray(np.moveaxis(B, 0, -1))  # (k, c, J)
    total = np.zeros((*P.shape[:-3], c, c))
    for a, b in zip(*upper_triangle(k), strict=True):
        products = (columns[a][:, None] * columns[b]).reshape(c * c, -1)
        own = (P[..., a, b] @ products.T).reshape(*P.shape[:-3], c, c)
        total += own if a == b else own + np.swapaxes(own, -1, -2)
    return total


def _sums_of_products(pairs: Couplings, a: Array, Pa: Array) -> Array:
    """Products ``a[first]' Pa[second]`` summed by entry, ``(..., entries)``, a piece of the list at a time."""
    starts, size = pairs.by_entry.starts, len(pairs.first)
    bounds = np.append(starts, size)
    cuts = np.unique(np.append(np.searchsorted(starts, np.arange(0, size, PIECE)), len(starts)))
    parts = []
    for low, high in pairwise(cuts):
        some = slice(bounds[low], bounds[high])
        products = np.einsum("...pk,...pk->...p", a[..., pairs.first[some], :], Pa[..., pairs.second[some], :])
        parts.append(np.add.reduceat(products, starts[low:high] - bounds[low], axis=-1))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


def _dense_products(stage: Stage, step: Eliminated, PB: Array) -> tuple[Array, Array]:
    """``a' P a (..., left, left)`` and ``a' P B (..., left, c)`` by dense matrices."""
    a = step.dense if step.dense.size else dense_couplings(stage, step.a)
    Pa = (step.P * a if stage.k == 1 else step.P @ a).reshape(*step.P.shape[:-3], -1, stage.left)
    transposed = np.swapaxes(a.reshape(*a.shape[:-3], -1, stage.left), -1, -2)
    return transposed @ Pa, transposed @ rows_of(PB)


def dense_couplings(stage: Stage, a: Array) -> Array:
    """Couplings ``(..., E, k)`` as an array ``(..., levels, k, left)``, zero where a level has none."""
    pairs = stage.couplings
    dense = np.zeros((*a.shape[:-2], stage.levels, stage.k, stage.left))
    np.swapaxes(dense, -1, -2)[..., pairs.edge_level, pairs.edge_column, :] = a
    return dense


def _dense_end(plan: Plan, entries: Array, B: Array, Lambdas: Sequence[Array]) -> DenseEnd:
    q = plan.q
    H = np.zeros((*entries.shape[:-1], q, q))
    H[..., plan.row, plan.column] = entries
    H[..., plan.column, plan.row] = entries
    M = congruent_square(plan.dense, Lambdas, H)
    index = np.arange(q)
    M[..., index, index] += plan.unit
    L = cholesky_of_square(M)
    return DenseEnd(tuple(Lambdas), H, B, L, solve_lower(L, transposed_times(plan.dense, Lambdas, B)))
