"""Kenward and Roger's sums where rows of several blocks share random effects: V is dense within sets of such rows.

Residuals are correlated within blocks, and each block lies in one level of every grouping factor, so that a set is all
rows that are connected by levels. Within it ``V = R + sum_f Z_f G_f Z_f'``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.correlated import CorrelatedProblem
from bayesmix.inference.estimation.kenward_roger import Direction
from bayesmix.inference.least_squares.incidence import Factor

MOST = 2_000  # rows of a set
NUMBERS = 20_000_000  # of the derivatives of the covariances that are held at once, but for a single large set


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """What the adjusted covariance is made of; ``G_a`` derivatives of V."""

    XX: Array  # (p, p) X'V^-1 X
    P: Array  # (a, p, p) -X'V^-1 G_a V^-1 X
    Q: Array  # (a, b, p, p) X'V^-1 G_a V^-1 G_b V^-1 X
    R: Array  # (a, b, p, p) X'V^-1 G_ab V^-1 X


@dataclass(frozen=True, slots=True, eq=False)
class _Sets:
    """Sets of ``N`` rows each, and where their blocks are."""

    rows: Array  # (B, N)
    blocks: tuple[tuple[Array, Array, Array], ...]  # per size: set (L,), places in it (L, m), pattern (L,)

    def residual(self, of_patterns: Sequence[Array]) -> Array:
        """Matrices ``(B, N, N)`` from those of the patterns of each size ``(P, m, m)``."""
        B, N = self.rows.shape
        found = np.zeros((B, N, N))
        for (own, place, pattern), matrices in zip(self.blocks, of_patterns, strict=True):
            found[own[:, None, None], place[:, :, None], place[:, None, :]] = matrices[pattern]
        return found

    def effects(self, factor: Factor, G: Array) -> Array:
        """``Z G Z'`` of a factor: ``(B, N, N)``."""
        z, codes = factor.z[self.rows], factor.codes[self.rows]
        return np.asarray((z @ G @ np.swapaxes(z, 1, 2)) * (codes[:, :, None] == codes[:, None, :]))


def connected_forms(
    problem: CorrelatedProblem,
    theta: Array,
    of_effects: tuple[Sequence[Direction], Mapping[tuple[int, int], Direction]],
    V: Sequence[Array],
    first: Sequence[Array],
    second: Sequence[Array],
) -> tuple[Forms, Array]:
    """Sums over all sets, numbers of the residual covariance first, those of random effects after them; and twice the
    expected restricted information ``(a, b)``.

    Parameters
    ----------
    theta : covariance parameters of the random effects.
    of_effects : derivatives of their covariance; second ones that are not zero by pairs.
    V, first, second : of the residuals of each size of blocks ``(P, m, m)``, ``(a, P, m, m)``, ``(a, b, P, m, m)``.

    Raises
    ------
    SpecError
        If a set has more than `MOST` rows.
    """
    working, p, (directions, curved) = problem.coordinates, problem.linear.p, of_effects
    G, r = working.by_factor(theta), len(first[0])
    m = r + len(directions)
    XX, P, Q = np.zeros((p, p)), np.zeros((m, p, p)), np.zeros((m, m, p, p))
    R, traces = np.zeros((m, m, p, p)), np.zeros((m, m))
    for sets in _sets(problem, m):
        X = working.X[sets.rows]
        covariance = sets.residual(V)
        for factor, root in zip(working.factors, G, strict=True):
            covariance += sets.effects(factor, root @ root.T)
        inverse = np.linalg.inv(covariance)
        slopes = [sets.residual([own[a] for own in first]) for a in range(r)]
        slopes += [sets.effects(working.factors[one.factor], one.matrix) for one in directions]
        PX = inverse @ X
        XX += _sum(X, PX)
        GX = [own @ PX for own in slopes]
        VGX = [inverse @ own for own in GX]
        VG = [inverse @ own for own in slopes]
        for a in range(m):
            P[a] -= _sum(PX, GX[a])
            for b in range(m):
                Q[a, b] += _sum(GX[a], VGX[b])
                traces[a, b] += np.einsum("bij,bji->", VG[a], VG[b]) if b <= a else 0.0
        for a, b in np.ndindex(r, r):
            R[a, b] += _sum(PX, sets.residual([own[a, b] for own in second]) @ PX)
        for (a, b), one in curved.items():
            R[r + a, r + b] += _sum(PX, sets.effects(working.factors[one.factor], one.matrix) @ PX)
    Phi, traces = np.linalg.inv(XX), traces + np.tril(traces, -1).T
    information = traces - 2.0 * np.einsum("pq,abqp->ab", Phi, Q) + np.einsum("pq,aqr,rs,bsp->ab", Phi, P, Phi, P)
    return Forms(XX, P, Q, R), information


def _sum(left: Array, right: Array) -> Array:
    """``sum_b left_b' right_b``: ``(p, q)`` of ``(B, N, p)`` and ``(B, N, q)``."""
    return np.asarray(np.tensordot(left, right, axes=((0, 1), (0, 1))))


def _sets(problem: CorrelatedProblem, numbers: int) -> Iterator[_Sets]:
    """Sets of equal size together, as many as there is room for derivatives by ``numbers``."""
    own = _connected(problem.coordinates.factors)
    of_pattern = [
        (np.concatenate(blocks.rows), np.repeat(np.arange(len(blocks.rows)), [len(rows) for rows in blocks.rows]))
        for blocks in problem.rows.sizes
    ]
    order = np.argsort(own, kind="stable")
    sizes = np.bincount(own)
    if sizes.max() > MOST:
        raise SpecError(
            'df="kenward-roger" beside a residual structure takes the covariance of all rows that levels of random'
            f' effects connect, at most {MOST} of them: here {sizes.max()} are. Ask for df="satterthwaite".'
        )
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(own), np.intp)
    place[order] = np.arange(len(own)) - starts[own[order]]
    for size in np.unique(sizes):
        of_size = np.flatnonzero(sizes == size)
        for chosen in np.array_split(of_size, -(-len(of_size) * numbers * int(size) ** 2 // NUMBERS)):
            index = np.full(len(sizes), -1)
            index[chosen] = np.arange(len(chosen))
            blocks = []
            for rows, pattern in of_pattern:
                found = index[own[rows[:, 0]]]
                blocks.append((found[found >= 0], place[rows[found >= 0]], pattern[found >= 0]))
            yield _Sets(order[starts[chosen][:, None] + np.arange(size)], tuple(blocks))


def are_few(factors: Sequence[Factor]) -> bool:
    """Whether no set has more than `MOST` rows."""
    return not factors or int(np.bincount(_connected(factors)).max()) <= MOST


def _connected(factors: Sequence[Factor]) -> Array:
    """Set of each row ``(n,)``: rows of one level of any factor are of one set."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, ends = len(factors[0].codes), np.cumsum([0, *(factor.levels for factor in factors)])
    columns = np.concatenate([n + begin + factor.codes for begin, factor in zip(ends, factors, strict=False)])
    rows, whole = np.tile(np.arange(n), len(factors)), n + int(ends[-1])
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(whole, whole))
    _, found = np.unique(connected_components(graph, directed=False)[1][:n], return_inverse=True)
    return np.asarray(found)
