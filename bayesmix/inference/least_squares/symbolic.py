"""The symbolic factorisation: in which order grouping factors are eliminated and what fills in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array, upper_triangle
from bayesmix.inference.least_squares.elimination_order import eliminated_sets, penalty_entries
from bayesmix.inference.least_squares.incidence import Incidence, Segments, unique_keys

PAIR_COST, ENTRY_COST = 20.0, 20.0  # of a product of couplings, of an entry of the dense end, in its multiplications


SPARSE = 50  # how many times dearer a product of the list is than one of a dense matrix product


PAIR_LIMIT = 40_000_000  # more products than this in one elimination: dense matrices instead


@dataclass(frozen=True, slots=True, eq=False)
class Couplings:
    """Products ``a' P a`` of one elimination, listed pair by pair; edges are sorted by level, then column."""

    edge_level: Array  # (E,) level of the eliminated factor
    edge_column: Array  # (E,) column of what is left
    by_level: Segments
    levels: Array  # levels that have edges
    by_column: Segments
    columns: Array  # columns that have edges
    first: Array  # (pairs,) edges of each product, sorted by the entry they add to
    second: Array
    entry: Array  # (pairs,) entry of the pattern of what is left
    by_entry: Segments
    entries: Array  # entries that receive products


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Symbolic elimination of one block-diagonal factor."""

    levels: int
    k: int
    couplings: Couplings
    keep: Array  # positions, in the previous entries, of the entries that stay
    kept: Array  # where those stand in the entries left by this stage
    n_entries: int  # entries left by this stage
    diagonal: Array  # (J, k, k) positions of D in the previous entries
    coupling: Array  # (E, k) positions of a in the previous entries
    row: Array  # (n_entries,) pattern left by this stage (row <= column)
    column: Array
    left: int  # columns left by this stage

    @property
    def is_dense(self) -> bool:
        """Whether dense matrix products cost less than the list of pairs: most levels meet most columns."""
        return self.levels * self.k * self.left**2 <= SPARSE * len(self.couplings.first)

    @property
    def numbers(self) -> int:
        """Size of the arrays of one elimination."""
        return self.levels * self.k * self.left if self.is_dense else len(self.couplings.first)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """An order of elimination of levels that are not independent: sets of levels of which none touches another.

    The matrix is ``M = Lambda'Z'WZ Lambda + P``, ``P`` the precisions of the levels, and what is eliminated are the
    spherical effects themselves. Columns are those of all factors side by side, level by level.
    """

    shapes: tuple[tuple[int, int], ...]  # (J, k) of each factor
    pairs: tuple[tuple[int, int], ...]  # positions of the factors of each pair
    order: Array  # (total,) columns in the order of elimination
    place: Array  # (total,) where each column stands there, the inverse of `order`
    penalty: tuple[Array, Array]  # entries of P on the pattern: positions, values
    log_det: float  # of P^-1


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The order of elimination of a design: symbolic, computed once."""

    shapes: tuple[tuple[int, int], ...]  # (J, k) of each factor; of levels that are not independent, of each piece
    stages: tuple[Stage, ...]
    source: Array  # (sources,) entry of the full pattern for each number of D and C, see `_sources`
    n_source: int
    row: Array  # pattern left for the dense end (row <= column)
    column: Array
    pieces: Pieces | None = None  # where levels are not independent

    @property
    def unit(self) -> float:
        """What is added to the diagonal: 1 unless the entries have their penalty."""
        return 1.0 if self.pieces is None else 0.0

    @property
    def nested(self) -> int:
        """Number of factors, of independent levels, that are eliminated level by level."""
        return 0 if self.pieces is not None else len(self.stages)

    @property
    def dense(self) -> tuple[tuple[int, int], ...]:
        """Shapes of the factors left for the dense end."""
        return self.shapes[len(self.stages) :]

    @property
    def q(self) -> int:
        """Size of the dense end."""
        return sum(levels * k for levels, k in self.dense)


def plan(pattern: Incidence) -> Plan:
    """Decide which factors are eliminated block by block, and list the products that takes."""
    offsets = np.concatenate([[0], np.cumsum([J * k for J, k in pattern.shapes])]).astype(np.int64)
    total = int(offsets[-1])
    rows, columns = _sources(pattern, offsets)
    if pattern.is_joint:
        return _plan_of_pieces(pattern, offsets, rows, columns)
    keys, source = unique_keys(rows * total + columns, total * total)
    stages, left = _stages(pattern.shapes, keys, total)
    return Plan(pattern.shapes, stages, source, len(keys), *left)


def _plan_of_pieces(pattern: Incidence, offsets: Array, rows: Array, columns: Array) -> Plan:
    """The order of elimination of levels that are not independent."""
    total = int(offsets[-1])
    own = penalty_entries(pattern, offsets)
    found = eliminated_sets(pattern, (np.r_[rows, own.row], np.r_[columns, own.column]), offsets)
    order = np.concatenate([np.zeros(0, np.int64), *(piece.columns for piece in found)])
    place = np.empty(total, np.int64)
    place[order] = np.arange(total)
    first, second = place[np.r_[rows, own.row]], place[np.r_[columns, own.column]]
    keys, source = unique_keys(np.minimum(first, second) * total + np.maximum(first, second), total * total)
    shapes = tuple(piece.shape for piece in found)
    stages, left = _stages(shapes[:-1], keys, total)
    gone = sum(stage.levels * stage.k for stage in stages)
    pairs = tuple((pair.first, pair.second) for pair in pattern.pairs)
    pieces = Pieces(pattern.shapes, pairs, order, place, (source[len(rows) :], own.value), own.log_det)
    shapes = (*shapes[: len(stages)], *([(total - gone, 1)] if total > gone else []))
    return Plan(shapes, stages, source[: len(rows)], len(keys), *left, pieces)


def _stages(
    shapes: Sequence[tuple[int, int]], keys: Array, total: int
) -> tuple[tuple[Stage, ...], tuple[Array, Array]]:
    """Eliminations of the first columns, one shape after the other, as long as they pay; the pattern that they leave.

    Parameters
    ----------
    keys : of the entries of the upper triangle, ``row * total + column``.
    """
    stages: list[Stage] = []
    for levels, k in shapes:
        row, column = np.divmod(keys, max(total, 1))
        if not _is_block_diagonal(row, column, levels, k):
            break
        found = _stage(levels, k, row, column, total)
        if found is None:
            break
        stage, keys, total = found
        stages.append(stage)
        if stage.n_entries > PAIR_LIMIT:
            break
    return tuple(stages), np.divmod(keys, max(total, 1))


def _is_cheaper_dense(edge_level: Array, k: int, total: int, left: int) -> bool:
    """Whether a factor is better left to the dense end: one that meets most levels of the others in a small design."""
    degrees = np.bincount(edge_level).astype(float)
    one_by_one = PAIR_COST * 0.5 * float(np.sum(degrees * (degrees + 1.0))) * k
    return one_by_one > (float(total) ** 3 - float(left) ** 3) / 3.0 + ENTRY_COST * (float(total) ** 2 - left**2)


def _sources(pattern: Incidence, offsets: Array) -> tuple[Array, Array]:
    """Row and column, upper triangle, of every number in ``D`` (row <= column only) and ``C``, in that order."""
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for (levels, k), offset in zip(pattern.shapes, offsets, strict=False):
        alpha, beta = upper_triangle(k)
        base = offset + np.arange(levels, dtype=np.int64)[:, None] * k
        rows.append((base + alpha).ravel())
        columns.append((base + beta).ravel())
    for pair in pattern.pairs:
        k_first, k_second = pattern.shapes[pair.first][1], pattern.shapes[pair.second][1]
        alpha, beta = (index.ravel() for index in np.indices((k_first, k_second)))
        rows.append((offsets[pair.first] + pair.i[:, None] * k_first + alpha).ravel())
        columns.append((offsets[pair.second] + pair.j[:, None] * k_second + beta).ravel())
    return np.concatenate(rows), np.concatenate(columns)


def _is_block_diagonal(row: Array, column: Array, levels: int, k: int) -> bool:
    inside = column < levels * k
    return bool(np.all(row[inside] // k == column[inside] // k))


def _stage(levels: int, k: int, row: Array, column: Array, total: int) -> tuple[Stage, Array, int] | None:
    """Eliminate the first ``levels * k`` columns symbolically; return the stage, the keys and the size left.

    None where they are better left to the dense end.
    """
    width, left = levels * k, total - levels * k
    inside = column < width
    diagonal = _diagonal_positions(row[inside], column[inside], np.flatnonzero(inside), levels, k)
    across = np.flatnonzero((row < width) & (column >= width))
    edge_keys, edge_of = unique_keys(row[across] // k * left + column[across] - width, levels * max(left, 1))
    coupling = np.full((len(edge_keys), k), -1)
    coupling[edge_of, row[across] % k] = across
    edge_level, edge_column = np.divmod(edge_keys, max(left, 1))
    if _is_cheaper_dense(edge_level, k, total, left):
        return None
    keep = np.flatnonzero(row >= width)
    old_keys = (row[keep] - width) * left + column[keep] - width
    first, second = _edge_pairs(edge_level)
    fill = edge_column[first]
    fill *= left
    fill += edge_column[second]
    keys, position = unique_keys(np.concatenate([old_keys, fill]), left * left)
    del fill
    kept, entry = position[: len(keep)], position[len(keep) :]
    couplings = _couplings(edge_level, edge_column, first, second, entry)
    after = np.divmod(keys, max(left, 1))
    return Stage(levels, k, couplings, keep, kept, len(keys), diagonal, coupling, *after, left), keys, left


def _diagonal_positions(row: Array, column: Array, position: Array, levels: int, k: int) -> Array:
    diagonal = np.zeros((levels, k, k), np.intp)
    diagonal[row // k, row % k, column % k] = position
    diagonal[row // k, column % k, row % k] = position
    return diagonal


def _edge_pairs(edge_level: Array) -> tuple[Array, Array]:
    """All pairs ``e <= e'`` of edges of the same level, edges sorted by level: millions, hence in four bytes each."""
    starts = np.flatnonzero(np.r_[True, edge_level[1:] != edge_level[:-1]]) if len(edge_level) else np.zeros(0, np.intp)
    degrees = np.diff(np.r_[starts, len(edge_level)])
    ends = np.repeat(starts + degrees, degrees)
    counts = ends - np.arange(len(edge_level))
    edges = np.arange(len(edge_level), dtype=np.int32)
    first = np.repeat(edges, counts)
    second = np.repeat((edges - (np.cumsum(counts) - counts)).astype(np.int32), counts)
    second += np.arange(len(first), dtype=np.int32)
    return first, second


def _couplings(level: Array, column: Array, first: Array, second: Array, entry: Array) -> Couplings:
    by_entry = Segments.of(entry)
    if by_entry.order is not None:
        order = by_entry.order
        first, second, entry = first[order], second[order], entry[order]
    return Couplings(
        edge_level=level,
        edge_column=column,
        by_level=Segments.of(level),
        levels=level[_first_of_run(level)],
        by_column=(by_column := Segments.of(column)),
        columns=column[by_column.starts] if by_column.order is None else column[by_column.order][by_column.starts],
        first=first,
        second=second,
        entry=entry.astype(np.int32),
        by_entry=Segments(None, by_entry.starts),
        entries=entry[by_entry.starts],
    )


def _first_of_run(values: Array) -> Array:
    return np.r_[True, values[1:] != values[:-1]] if len(values) else np.zeros(0, bool)
