"""Order of elimination of levels that are not independent: sets of levels of few neighbours, none of another.

Related levels and memberships of several levels couple levels of one factor. A set of levels that do not touch each
other has diagonal blocks all the same, and is eliminated at once. Sets are taken by multiple minimum degree (Liu 1985,
ACM TOMS 11): animals without offspring first, which in the inverse of a pedigree's relation touch their parents only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.incidence import Incidence

SLACK = 1.5  # neighbours of the levels of one set, relative to those of few
DENSE = 0.4  # share of pairs that touch from which on nothing is won
SMALLEST = 0.05  # share of the levels left that have fewer neighbours than that


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Columns that are eliminated at once: ``k`` a level."""

    columns: Array
    shape: tuple[int, int]  # (levels, k)


@dataclass(frozen=True, slots=True, eq=False)
class PenaltyEntries:
    """Entries of the precisions ``P x I`` of all factors, in columns side by side; ``row <= column``."""

    row: Array
    column: Array
    value: Array
    log_det: float  # of P^-1


def penalty_entries(pattern: Incidence, offsets: Array) -> PenaltyEntries:
    """The precisions of the levels, the identity where they are independent."""
    parts, log_det = [], 0.0
    for (levels, k), offset, relation in zip(pattern.shapes, offsets, pattern.relations, strict=False):
        row = column = np.arange(levels, dtype=np.int64)
        value = np.ones(levels)
        if relation is not None:
            row, column, value = relation.precision
            log_det += k * relation.log_det
        parts += [(offset + row * k + effect, offset + column * k + effect, value) for effect in range(k)]
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return PenaltyEntries(row, column, value, log_det)


def eliminated_sets(pattern: Incidence, touching: tuple[Array, Array], offsets: Array) -> list[Piece]:
    """Sets of columns in the order of their elimination, at last all that are left.

    Parameters
    ----------
    touching : rows and columns of the entries that are not zero.
    offsets : first column of each factor.
    """
    of_factor = np.repeat(np.arange(len(pattern.shapes)), [levels for levels, _ in pattern.shapes])
    sizes = np.array([k for _, k in pattern.shapes])[of_factor]
    starts = np.concatenate(
        [offset + np.arange(J) * k for (J, k), offset in zip(pattern.shapes, offsets, strict=False)]
    )
    level_of = np.repeat(np.arange(len(starts)), sizes)
    sets, left = _sets(_graph(level_of[touching[0]], level_of[touching[1]], len(starts)), of_factor)
    pieces = [_piece(found, starts, int(sizes[found[0]])) for found in sets]
    rest = np.concatenate([np.zeros(0, np.int64), *(starts[one] + np.arange(sizes[one]) for one in left)])
    return [*pieces, Piece(rest.astype(np.int64), (len(rest), 1))]


def _piece(found: Array, starts: Array, k: int) -> Piece:
    return Piece((starts[found][:, None] + np.arange(k)).ravel().astype(np.int64), (len(found), k))


def _graph(first: Array, second: Array, n: int) -> Any:
    """Which levels touch: a symmetric matrix of zeros and ones."""
    from scipy import sparse

    apart = first != second
    ends = np.r_[first[apart], second[apart]], np.r_[second[apart], first[apart]]
    return _ones(sparse.csr_array((np.ones(len(ends[0]), np.float32), ends), shape=(n, n)))


def _ones(graph: Any) -> Any:
    graph.sum_duplicates()
    graph.data[:] = 1.0
    return graph


def _sets(graph: Any, of_factor: Array) -> tuple[list[Array], Array]:
    """Levels of each set, and those left when most of what is left touches."""
    sets, names = [], np.arange(len(of_factor))
    while len(names) and graph.nnz < DENSE * len(names) ** 2:
        chosen = _independent(graph, of_factor[names])
        sets.append(names[chosen])
        kept = np.setdiff1d(np.arange(len(names)), chosen)
        across = graph[kept][:, chosen]
        graph = graph[kept][:, kept] + across @ across.T
        graph.setdiag(0.0)
        graph.eliminate_zeros()
        graph, names = _ones(graph), names[kept]
    return sets, names


def _independent(graph: Any, factor: Array) -> Array:
    """Levels of one factor of few neighbours, none of which touches another."""
    degree = np.diff(graph.indptr)
    own = factor == factor[degree.argmin()]
    most = np.quantile(degree[own], SMALLEST)  # so that there are not as many sets as levels
    can = own & (degree <= SLACK * most + 1.0)
    order = np.random.default_rng(0).permutation(len(degree))  # one without pattern, in which none waits for many
    chosen = np.zeros(len(degree), bool)
    while can.any():  # those that come before all neighbours that can be of the set, again and again
        rank = np.where(can, order, len(degree))
        first = np.full(len(degree), len(degree))
        has = np.flatnonzero(degree)
        if len(has):
            first[has] = np.minimum.reduceat(rank[graph.indices], graph.indptr[has])
        new = can & (rank < first)
        chosen |= new
        can &= ~new
        can[graph[np.flatnonzero(new)].indices] = False
    return np.flatnonzero(chosen)
