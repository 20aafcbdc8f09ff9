"""Derivatives of log determinants and quadratic forms by reverse mode through a factorisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array, upper_triangle
from bayesmix.inference.least_squares.cholesky import PIECE, AtPieces, DenseEnd, Eliminated, Factorisation
from bayesmix.inference.least_squares.cross_products import Moments
from bayesmix.inference.least_squares.incidence import Incidence, Segments
from bayesmix.inference.least_squares.pieces import spherical
from bayesmix.inference.least_squares.small_blocks import congruent_square, inverse_of_square, rows_of
from bayesmix.inference.least_squares.symbolic import Couplings, Plan, Stage


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """Derivatives of ``log|Lambda'AΛ + I| + g(XX)``, the symmetric matrices ``S`` with ``df = sum S dA``.

    With ``dg/dXX = 0`` the blocks ``D`` and ``C`` are those of ``Lambda M^-1 Lambda'``, the conditional covariance of
    the random effects relative to the residual variance; with ``dg/dXX = (X'V^-1X)^-1`` they include the uncertainty of
    the fixed effects.
    """

    G: tuple[Array, ...]  # per factor (..., k, k), summed over levels
    D: tuple[Array, ...]  # per factor (..., J, k, k)
    C: tuple[Array, ...]  # per pair of factors (..., m, k_f, k_g)
    B: tuple[Array, ...]  # per factor (..., J, k, c)


def sensitivity(factorisation: Factorisation, S_XX: Array, pattern: Incidence) -> Sensitivity:
    """Differentiate the log determinants plus functions of ``XX`` with derivatives ``S_XX (..., c, c)``."""
    plan_ = factorisation.plan
    lead = np.broadcast_shapes(factorisation.log_determinant.shape, S_XX.shape[:-2])
    S_XX = np.broadcast_to(S_XX, (*lead, *S_XX.shape[-2:]))
    G: list[Array] = []
    S_entries, S_B = np.zeros((*lead, 0)), np.zeros((*lead, 0, S_XX.shape[-1]))
    if factorisation.end is not None:
        G, S, S_B = _dense_adjoint(factorisation.end, S_XX, plan_)
        S_entries = S[..., plan_.row, plan_.column]
    for stage, step in zip(reversed(plan_.stages), reversed(factorisation.eliminated), strict=True):
        G_stage, S_entries, S_B = _adjoint(stage, step, S_entries, S_B, S_XX)
        G.insert(0, G_stage)
    if factorisation.at is not None and plan_.pieces is not None:
        D, C = _unpack(plan_, plan_.pieces.shapes, S_entries, pattern)
        B = _split_rows(plan_.pieces.shapes, S_B[..., plan_.pieces.place, :])
        return _of_factors(factorisation.at, pattern, Sensitivity((), D, C, tuple(B)))
    D, C = _unpack(plan_, plan_.shapes, S_entries, pattern)
    return Sensitivity(tuple(G), D, C, tuple(_split_rows(plan_.shapes, S_B)))


def _of_factors(at: AtPieces, pattern: Incidence, own: Sensitivity) -> Sensitivity:
    """Derivatives by the cross-products from those by ``Lambda'A Lambda + P``, and those by ``G = Lambda Lambda'``.

    With ``S`` the derivatives by the former, ``df/dLambda = 2 A Lambda S``, blocks of a factor's levels summed, which
    is ``2 (df/dG) Lambda``.
    """
    Lambdas = at.Lambdas
    half = [
        (D @ Lambda[..., None, :, :] @ S_D).sum(axis=-3) + (B @ np.swapaxes(S_B, -1, -2)).sum(axis=-3)
        for Lambda, D, S_D, B, S_B in zip(Lambdas, at.moments.D, own.D, at.moments.B, own.B, strict=True)
    ]
    for pair, C, S in zip(pattern.pairs, at.moments.C, own.C, strict=True):
        f, g = pair.first, pair.second
        half[f] = half[f] + (C @ Lambdas[g][..., None, :, :] @ np.swapaxes(S, -1, -2)).sum(axis=-3)
        half[g] = half[g] + (np.swapaxes(C, -1, -2) @ Lambdas[f][..., None, :, :] @ S).sum(axis=-3)
    G = [by_Lambda @ np.linalg.inv(Lambda) for by_Lambda, Lambda in zip(half, Lambdas, strict=True)]
    turned = [np.swapaxes(Lambda, -1, -2) for Lambda in Lambdas]
    pairs = [(pair.first, pair.second) for pair in pattern.pairs]
    moved = spherical(Moments(own.D, own.C, own.B, np.zeros(0), 0), turned, pairs)
    return Sensitivity(tuple(0.5 * (part + np.swapaxes(part, -1, -2)) for part in G), moved.D, moved.C, moved.B)


def _dense_adjoint(end: DenseEnd, S_XX: Array, plan_: Plan) -> tuple[list[Array], Array, Array]:
    shapes, inverse = plan_.dense, inverse_of_square(end.L)
    traces = _block_traces(shapes, inverse)
    P = congruent_square(shapes, [np.swapaxes(Lambda, -1, -2) for Lambda in end.Lambdas], inverse)
    del inverse  # the largest arrays there are: as few of them at once as will do
    PB = P @ end.B
    sums = []
    if plan_.pieces is None:
        U = end.B - end.H @ PB
        # df/dG = D - DPD + (I - DP) a S a' (I - PD), diagonal blocks only
        spread = _reduced_blocks(end, P, traces, shapes)
        for own, rows in zip(spread, _split_rows(shapes, U), strict=True):
            sums.append(own - np.einsum("...jac,...jbc->...ab", rows @ S_XX[..., None, :, :], rows))
    S_B = -(PB @ S_XX)
    S = -S_B @ np.swapaxes(PB, -1, -2)
    S += P
    return sums, S, S_B


def _diagonal_sum(rows: Array, levels: int, k: int) -> Array:
    """Sum of the diagonal blocks ``(..., k, k)`` of the square ``(..., J k, J k)``."""
    return np.einsum("...jajb->...ab", rows.reshape(*rows.shape[:-2], levels, k, levels, k))


def _block_traces(shapes: Sequence[tuple[int, int]], matrix: Array) -> list[Array]:
    """Sum of the diagonal blocks of each factor ``(..., k, k)``."""
    traces, offset = [], 0
    for levels, k in shapes:
        place = slice(offset, offset + levels * k)
        traces.append(_diagonal_sum(matrix[..., place, place], levels, k))
        offset += levels * k
    return traces


def _reduced_blocks(end: DenseEnd, P: Array, traces: Sequence[Array], shapes: Sequence[tuple[int, int]]) -> list[Array]:
    """Diagonal blocks of ``D - D P D``, summed over the levels of each factor.

    Away from the boundary ``D - DPD = Lambda^-T (I - M^-1) Lambda^-1`` needs no matrix product. At points close to it,
    where that difference cancels, the product is formed.
    """
    blocks, offset = [], 0
    for (levels, k), Lambda, trace in zip(shapes, end.Lambdas, traces, strict=True):
        place = slice(offset, offset + levels * k)
        remainder = levels * np.eye(k) - trace
        cancels = ~((np.linalg.eigvalsh(remainder)[..., 0] > 1e-4 * levels) & (np.linalg.cond(Lambda) < 1e4))
        root = np.linalg.inv(np.where(cancels[..., None, None], np.eye(k), Lambda))
        block = np.swapaxes(root, -1, -2) @ remainder @ root
        if cancels.all():
            block = _diagonal_sum(_reduced(end.H, P, place), levels, k)
        elif cancels.any():
            H = np.broadcast_to(end.H, P.shape)[cancels]
            block[cancels] = _diagonal_sum(_reduced(H, P[cancels], place), levels, k)
        blocks.append(block)
        offset += levels * k
    return blocks


def _reduced(H: Array, P: Array, place: slice) -> Array:
    """``D - D P D`` of one factor, off its diagonal blocks as well."""
    return np.asarray(H[..., place, place] - H[..., place, :] @ P @ H[..., :, place])


def _adjoint(stage: Stage, step: Eliminated, S_left: Array, S_rest: Array, S_XX: Array) -> tuple[Array, Array, Array]:
    """Undo one elimination: from derivatives of what is left to those of what was there before."""
    pairs, lead = stage.couplings, S_XX.shape[:-2]
    v_B = step.B @ S_XX[..., None, :, :]
    P_bar = np.zeros((*lead, *step.P.shape[-3:]))
    v = np.zeros((*lead, *step.a.shape[-2:]))
    if len(pairs.edge_level):
        v = _times_couplings(stage, S_left, step.a)
        S_edges = S_rest[..., pairs.edge_column, :]
        v += np.einsum("...ec,...ekc->...ek", S_edges, step.B[..., pairs.edge_level, :, :])
        v_B[..., pairs.levels, :, :] += _outer_sums(pairs.by_level, step.a, S_edges)
        P_bar[..., pairs.levels, :, :] -= _outer_sums(pairs.by_level, step.a, v)
    P_bar -= np.einsum("...jkc,...jlc->...jkl", step.B, v_B)
    IDP = np.eye(stage.k) - step.D @ step.P
    G = (step.D - step.D @ step.P @ step.D + IDP @ P_bar @ np.swapaxes(IDP, -1, -2)).sum(axis=-3)
    S_before = np.zeros((*lead, _entries_before(stage)))
    S_before[..., stage.keep] = S_left[..., stage.kept]
    S_before[..., stage.diagonal] = step.P - step.P @ P_bar @ step.P
    S_a = -np.einsum("...ekl,...el->...ek", step.P[..., pairs.edge_level, :, :], v)
    used = stage.coupling >= 0
    S_before[..., stage.coupling[used]] = S_a[..., used]
    return G, S_before, np.concatenate([rows_of(-step.P @ v_B), S_rest], axis=-2)


def _entries_before(stage: Stage) -> int:
    return int(max([*(part.max() + 1 for part in (stage.keep, stage.diagonal, stage.coupling) if part.size), 0]))


def _times_couplings(stage: Stage, S: Array, a: Array) -> Array:
    """``S a (..., E, k)``, edge by edge: ``v[e] = sum over e' of the same level of S[column e, column e'] a[e']``."""
    lead, shape, pairs = S.shape[:-1], a.shape[-2:], stage.couplings
    a = np.broadcast_to(a, (*lead, *shape)).reshape(-1, *shape)
    S = S.reshape(-1, S.shape[-1])
    some = max(PIECE // max(len(pairs.first), len(pairs.edge_level)), 1)
    parts = [_times_pairs(pairs, S[i : i + some], a[i : i + some]) for i in range(0, len(S), some)]
    return np.concatenate(parts).reshape(*lead, *shape)


def _times_pairs(pairs: Couplings, S: Array, a: Array) -> Array:
    """The same at points ``S (B, entries)``, ``a (B, E, k)``, a piece of the list of pairs at a time."""
    points, edges, k = a.shape
    v, shift = np.zeros((k, points * edges)), edges * np.arange(points)[:, None]
    for begin in range(0, len(pairs.first), PIECE):
        some = slice(begin, begin + PIECE)
        first, second = pairs.first[some].astype(np.intp), pairs.second[some].astype(np.intp)
        once = np.flatnonzero(first == second)  # an edge with itself
        weight = S[:, pairs.entry[some]]
        places = first[once], first, second
        own, to_first, to_second = places if points == 1 else [(at + shift).ravel() for at in places]
        for j, values in enumerate(np.moveaxis(a, -1, 0).reshape(k, -1)):
            v[j] += np.bincount(to_first, weight.ravel() * values[to_second], minlength=points * edges)
            v[j] += np.bincount(to_second, weight.ravel() * values[to_first], minlength=points * edges)
            v[j, own] -= weight[:, once].ravel() * values[own]
    return np.moveaxis(v.reshape(k, points, edges), 0, -1)


def _outer_sums(by_level: Segments, left: Array, right: Array) -> Array:
    """Sum outer products of edges within levels: ``(..., levels with edges, k, c)``."""
    outer = left[..., :, None] * right[..., None, :]
    sums = by_level.sum_rows(outer.reshape(*outer.shape[:-2], -1))
    return sums.reshape(*sums.shape[:-1], *outer.shape[-2:])


def _unpack(
    plan_: Plan, shapes: Sequence[tuple[int, int]], S_entries: Array, pattern: Incidence
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Derivatives on the entries, in the shapes of ``Moments.D`` and ``Moments.C``."""
    lead = S_entries.shape[:-1]
    values = S_entries[..., plan_.source] if plan_.n_source else np.zeros((*lead, 0))
    D, C, offset = [], [], 0
    for levels, k in shapes:
        alpha, beta = upper_triangle(k)
        upper = values[..., offset : offset + levels * len(alpha)].reshape(*lead, levels, len(alpha))
        block = np.zeros((*lead, levels, k, k))
        block[..., alpha, beta] = upper
        block[..., beta, alpha] = upper
        D.append(block)
        offset += levels * len(alpha)
    for pair in pattern.pairs:
        shape = (len(pair.i), shapes[pair.first][1], shapes[pair.second][1])
        size = int(np.prod(shape))
        C.append(values[..., offset : offset + size].reshape(*lead, *shape))
        offset += size
    return tuple(D), tuple(C)


def _split_rows(shapes: Sequence[tuple[int, int]], S_B: Array) -> list[Array]:
    bounds = np.cumsum([0, *(levels * k for levels, k in shapes)])
    return [
        S_B[..., lo:hi, :].reshape(*S_B.shape[:-2], levels, k, S_B.shape[-1])
        for (levels, k), lo, hi in zip(shapes, bounds[:-1], bounds[1:], strict=True)
    ]
