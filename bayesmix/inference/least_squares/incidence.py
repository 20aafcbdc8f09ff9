"""Incidence of grouping factors: rows by level, and which levels occur together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.relation import Relation

SEVERAL = 4  # columns from which on it is looked for rows of a single one
FEW = 100_000  # rows that NumPy sorts as fast; SciPy takes a fifth of a second to load


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """One grouping factor with the columns of all its terms side by side."""

    codes: Array  # (n,) level of each row; of rows of several levels one membership after the other, (slots n,)
    z: Array  # (n, k), or (slots n, k)
    levels: int
    relation: Relation | None = None  # of its levels; None where they are independent
    slots: int = 1  # levels that a row is a member of

    @property
    def k(self) -> int:
        """Number of columns."""
        return int(self.z.shape[1])

    def of_rows(self, values: Array) -> Array:
        """Values ``(..., n)`` of rows, for each of their memberships."""
        return values if self.slots == 1 else np.tile(values, self.slots)

    def over_slots(self, values: Array) -> Array:
        """Sums ``(..., n)`` over the memberships of each row."""
        if self.slots == 1:
            return values
        return np.asarray(values.reshape(*values.shape[:-1], self.slots, -1).sum(axis=-2))


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Sums over groups of entries: ``order`` sorts the entries by group, ``starts`` begins each group."""

    order: Array | None  # None when the entries are sorted already
    starts: Array
    among: tuple[Array, int] | None = None  # which groups have entries, of how many; None where each has some

    @classmethod
    def of(cls, groups: Array, size: int | None = None) -> Segments:
        """Prepare sums over ``groups``, group numbers; each from 0 up occurs unless their number ``size`` is given."""
        groups = np.asarray(groups)
        order = None
        if not np.all(groups[1:] >= groups[:-1]):
            order = counting_order(groups)
            groups = groups[order]
        starts = _starts(groups)
        is_whole = size is None or size == len(starts)
        return cls(order, starts, None if is_whole else (groups[starts], int(size or 0)))

    def sum(self, values: Array) -> Array:
        """Sum ``(..., entries)`` within groups: ``(..., groups)``."""
        if self.among is not None:
            return self.sum_rows(values[..., None])[..., 0]
        if not len(self.starts):
            return np.zeros((*values.shape[:-1], 0))
        if len(self.starts) == values.shape[-1]:  # one entry each
            return self._sorted(values, -1)
        return np.add.reduceat(self._sorted(values, -1), self.starts, axis=-1)

    def sum_rows(self, values: Array) -> Array:
        """Sum ``(..., entries, c)`` within groups: ``(..., groups, c)``."""
        if self.among is not None:
            found, size = self.among
            whole = np.zeros((*values.shape[:-2], size, values.shape[-1]))
            whole[..., found, :] = replace(self, among=None).sum_rows(values)
            return whole
        if not len(self.starts):
            return np.zeros((*values.shape[:-2], 0, values.shape[-1]))
        return np.add.reduceat(self._sorted(values, -2), self.starts, axis=-2)

    def _sorted(self, values: Array, axis: int) -> Array:
        return values if self.order is None else np.take(values, self.order, axis=axis)


def _starts(sorted_groups: Array) -> Array:
    if not len(sorted_groups):
        return np.zeros(0, np.intp)
    return np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]])


def counting_order(groups: Array) -> Array:
    """Return the stable permutation that sorts small non-negative integers, in linear time where there are many."""
    n = len(groups)
    if n < FEW:
        return np.argsort(groups, kind="stable")
    from scipy import sparse

    size = int(groups.max()) + 1 if n else 0
    return sparse.csr_array((np.ones(n, np.int8), (groups, np.arange(n))), shape=(size, n)).indices


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """The combinations of levels of two factors that occur together in some row."""

    first: int  # position of the factor with the earlier place
    second: int
    i: Array  # (m,) level of the first, sorted
    j: Array  # (m,) level of the second, sorted within i
    member: Array  # (n,) combination of each row; of rows of several levels of each product of two memberships
    rows: Segments
    entries: tuple[Array, Array] | None = None  # the two memberships of each product, where rows are of several levels


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """Products of memberships of one level, where rows are of several levels: two of a row may be of the same."""

    left: Array
    right: Array
    level: Array
    sums: Segments


@dataclass(frozen=True, slots=True, eq=False)
class Incidence:
    """Which rows meet in which cross-product: the pattern, without numbers."""

    shapes: tuple[tuple[int, int], ...]  # (J, k) of each factor
    rows: tuple[Segments, ...]  # rows -> levels, per factor
    observations: tuple[Segments, ...]  # the same of rows that are counted once, not once a linear predictor
    pairs: tuple[Pair, ...]
    relations: tuple[Relation | None, ...]  # of the levels, per factor
    squares: tuple[Squares | None, ...]  # per factor, None where rows are of one level

    @property
    def is_joint(self) -> bool:
        """Whether the levels of some factor are not independent."""
        return not all(self.is_independent(f) for f in range(len(self.shapes)))

    def is_independent(self, factor: int) -> bool:
        """Whether the levels of a factor are, and each row of one of them."""
        return self.relations[factor] is None and self.squares[factor] is None


def incidence(factors: Sequence[Factor], *, R: int = 1) -> Incidence:
    """Find the pattern of the cross-products of ``factors``, whose rows are stacked by ``R`` linear predictors."""
    pairs = tuple(
        _pair(f, g, factors[f], factors[g])
        for f, g in combinations_with_replacement(range(len(factors)), 2)
        if f != g or factors[f].slots > 1
    )
    rows = tuple(Segments.of(factor.codes, _size(factor)) for factor in factors)
    halves = ((factor.codes[: len(factor.codes) // R], _size(factor)) for factor in factors)
    once = rows if R == 1 else tuple(Segments.of(codes, size) for codes, size in halves)
    return Incidence(
        shapes=tuple((factor.levels, factor.k) for factor in factors),
        rows=rows,
        observations=once,
        pairs=pairs,
        relations=tuple(factor.relation for factor in factors),
        squares=tuple(None if factor.slots == 1 else _squares(factor) for factor in factors),
    )


def _size(factor: Factor) -> int | None:
    """Number of levels, where some may be without rows."""
    return None if factor.relation is None and factor.slots == 1 else factor.levels


def _pair(f: int, g: int, first: Factor, second: Factor) -> Pair:
    if first.slots > 1 or second.slots > 1:
        return _pair_of_members(f, g, first, second)
    keys = first.codes.astype(np.int64) * second.levels + second.codes
    unique, member = unique_keys(keys, first.levels * second.levels)
    i, j = np.divmod(unique, second.levels)
    return Pair(f, g, i, j, member, Segments.of(member))


def _products(first: Factor, second: Factor) -> tuple[Array, Array]:
    """Memberships of the same row, each of one factor with each of another, or of those after it in the same one."""
    n = np.arange(len(first.codes) // first.slots)
    slots = [(a, b) for a in range(first.slots) for b in range(second.slots) if first is not second or a < b]
    left, right = (np.concatenate([slot[side] * len(n) + n for slot in slots]) for side in (0, 1))
    return left, right


def _pair_of_members(f: int, g: int, first: Factor, second: Factor) -> Pair:
    left, right = _products(first, second)
    if f == g:
        apart = first.codes[left] != first.codes[right]
        left, right = left[apart], right[apart]
        swapped = first.codes[left] > first.codes[right]
        left, right = np.where(swapped, right, left), np.where(swapped, left, right)
    keys = first.codes[left].astype(np.int64) * second.levels + second.codes[right]
    unique, member = unique_keys(keys, first.levels * second.levels)
    i, j = np.divmod(unique, second.levels)
    return Pair(f, g, i, j, member, Segments.of(member), (left, right))


def _squares(factor: Factor) -> Squares:
    own = np.arange(len(factor.codes))
    left, right = _products(factor, factor)
    same = factor.codes[left] == factor.codes[right]
    left, right = left[same], right[same]
    first, second = np.concatenate([own, left, right]), np.concatenate([own, right, left])
    level = factor.codes[first]
    return Squares(first, second, level, Segments.of(level, factor.levels))


def unique_keys(keys: Array, size: int) -> tuple[Array, Array]:
    """Return sorted unique keys and the position of each key among them; marks instead of sorting where it can."""
    if size > max(16 * len(keys), 1_000_000):  # marks would take more memory than the keys, and no less time
        unique, inverse = np.unique(keys, return_inverse=True)
        return unique, inverse.reshape(-1)
    mark = np.zeros(size, bool)
    mark[keys] = True
    unique = np.flatnonzero(mark)
    position = np.zeros(size, np.int32)
    position[unique] = np.arange(len(unique), dtype=np.int32)
    return unique, position[keys]


def effects_on_rows(z: Array, codes: Array, effects: Array, slots: int = 1) -> Array:
    """``z_i' b_level(i)`` of each row, summed over its memberships: ``(B, n)`` from ``(B, J, k)``."""
    if effects.shape[-2] == 1 and z.shape[1] > 1:
        return np.asarray(effects[..., 0, :] @ z.T)
    if z.shape[1] > SEVERAL and np.all(np.count_nonzero(z, axis=1) <= 1):  # each row is of one effect
        column = np.argmax(z != 0.0, axis=1)
        return np.asarray(effects[..., codes, column] * z[np.arange(len(z)), column])
    total: Array = np.take(effects[..., 0], codes, axis=-1)
    if not np.all(z[:, 0] == 1.0):
        total *= z[:, 0]
    for e in range(1, z.shape[1]):
        total += z[:, e] * np.take(effects[..., e], codes, axis=-1)
    return total if slots == 1 else np.asarray(total.reshape(*total.shape[:-1], slots, -1).sum(axis=-2))
