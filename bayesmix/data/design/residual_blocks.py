"""Blocks of rows whose residuals are correlated, and the place of each row in its block.

Blocks are the levels of a grouping factor. Of ``unstr`` places are visits, the levels of its time; of autoregression
and moving averages they are times in whole steps, counted from the block's first; of ``cosy`` they do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, Variable, drop_unused, factor_of, name_all
from bayesmix.errors import DataError, DesignError
from bayesmix.language.formula.residual_terms import ResidualTerm

MAX_VISITS = 20  # of an unstructured matrix: 190 correlations
MAX_PLACES = 200  # of one block


@dataclass(frozen=True, slots=True)
class ResidualStructure:
    """The correlation matrix of the residuals of a whole block, up to its numbers."""

    term: ResidualTerm
    size: int  # places of a whole block
    visits: tuple[str, ...] = ()  # what the places of an unstructured matrix are called

    @property
    def names(self) -> tuple[str, ...]:
        """Its parameters: ``rescor(v1, v2)`` below the diagonal, column by column; ``ar[1]``, ``ma[1]``, ``cosy``."""
        match self.term.function:
            case "unstr":
                return tuple(f"rescor({a}, {b})" for a, b in combinations(self.visits, 2))
            case "cosy":
                return ("cosy",)
            case _:
                ar = tuple(f"ar[{i + 1}]" for i in range(self.term.p))
                return (*ar, *(f"ma[{i + 1}]" for i in range(self.term.q)))


@dataclass(frozen=True, slots=True, eq=False)
class RowBlocks:
    """Block of correlated residuals of each row, and its place there."""

    block: Array  # (n,)
    place: Array  # (n,)
    structure: ResidualStructure

    def take(self, part: Array | slice) -> RowBlocks:
        """Of some of the rows."""
        return replace(self, block=self.block[part], place=self.place[part])

    def by_block(self) -> list[tuple[Array, Array]]:
        """Rows ``(blocks, m)`` and their places, in order, of the blocks of each size."""
        order = np.lexsort((self.place, self.block))
        starts = np.flatnonzero(np.r_[True, np.diff(self.block[order]) != 0])
        lengths = np.diff(np.r_[starts, len(order)])
        found = [order[starts[lengths == m][:, None] + np.arange(m)] for m in np.unique(lengths)]
        return [(rows, self.place[rows]) for rows in found]


def learn_blocks(term: ResidualTerm, variables: Mapping[str, Variable], rows: Array) -> RowBlocks:
    """The structure of residuals on data, block by block.

    Raises
    ------
    DataError
        If a block has a time twice, or times are no whole steps.
    DesignError
        If the data do not identify the structure.
    """
    group, levels = _blocks(term, variables)
    if term.function == "cosy" or not term.time:
        places, labels = _in_order(group), tuple[str, ...]()
    else:
        places, labels = _places(term, variables[term.time], group)
        _check_once(term, variables[term.time], np.column_stack([group, places]), levels, rows)
    structure = ResidualStructure(term, int(places.max(initial=0)) + 1, labels if term.function == "unstr" else ())
    _check_identified(structure, group, places)
    return RowBlocks(group, places, structure)


def _blocks(term: ResidualTerm, variables: Mapping[str, Variable]) -> tuple[Array, list[str]]:
    """Block of each row, and what blocks are called."""
    codes, labels = np.zeros(0, np.intp), [""]
    for text in term.group:
        value = variables[text]
        if not isinstance(value, Numeric | Factor):
            raise DataError(f"`{text}` cannot be a grouping factor.")
        factor = drop_unused(replace(factor_of(value), kind="factor"))
        both = factor.codes if not len(codes) else codes * len(factor.levels) + factor.codes
        found, codes = np.unique(both, return_inverse=True)
        width = len(factor.levels)
        labels = [":".join(filter(None, (labels[i // width], factor.levels[i % width]))) for i in found.tolist()]
    return codes, labels


def _in_order(group: Array) -> Array:
    """Place of each row among those of its block, in the order of the rows."""
    order = np.argsort(group, kind="stable")
    ordered, places = group[order], np.empty(len(group), np.intp)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    places[order] = np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))
    return places


def _places(term: ResidualTerm, time: Variable, group: Array) -> tuple[Array, tuple[str, ...]]:
    """Place of each row by its time, and what places are called."""
    if not isinstance(time, Numeric | Factor):
        raise DataError(f"`{term.time}` of `{term}` is no column of times.")
    if term.function == "unstr":
        visits = drop_unused(replace(factor_of(time), kind="factor"))
        if len(visits.levels) > MAX_VISITS:
            raise DataError(
                f"`{term.time}` of `{term}` has {len(visits.levels)} different values, more than {MAX_VISITS} visits:"
                " round the times to visits, or write `ar(...)` or `cosy(...)`, which have one correlation."
            )
        return visits.codes, visits.levels
    values = time.codes.astype(float) if isinstance(time, Factor) else time.values
    wrong = np.flatnonzero(values != np.round(values))
    if len(wrong):
        raise DataError(
            f"`{term.time}` of `{term}` is {values[wrong[0]]:g} in some row: times are whole steps from one residual to"
            " the next. Make a column of steps, 1, 2, 3."
        )
    first = np.full(int(group.max(initial=0)) + 1, np.inf)
    np.minimum.at(first, group, values)
    return (values - first[group]).astype(np.intp), ()


def _check_once(term: ResidualTerm, time: Variable, both: Array, levels: list[str], rows: Array) -> None:
    """Raise where a block has two rows of one time."""
    order = np.lexsort((both[:, 1], both[:, 0]))
    twice = np.flatnonzero(np.all(both[order][1:] == both[order][:-1], axis=1))
    if len(twice):
        first, second = sorted(order[twice[0] : twice[0] + 2])
        level = time.levels[time.codes[first]] if isinstance(time, Factor) else f"{time.values[first]:g}"  # type: ignore[union-attr]
        raise DataError(
            f"`{':'.join(term.group)}` {levels[both[first, 0]]} has `{term.time}` {level} twice, in rows"
            f" {rows[first]} and {rows[second]} (counted from 0), where `{term}` needs one residual a time: keep one"
            " of them, or take their mean."
        )


def _check_identified(structure: ResidualStructure, group: Array, places: Array) -> None:
    """Raise where the data cannot tell a number of the structure."""
    term, size, counts = structure.term, structure.size, np.bincount(group)
    name = ":".join(term.group)
    if counts.max(initial=0) < 2:
        raise DesignError(f"Each level of `{name}` has one row: there are no residuals that `{term}` could correlate.")
    if size > MAX_PLACES:
        raise DesignError(f"`{term}` spans {size} steps within one level of `{name}`, more than {MAX_PLACES}.")
    if term.function != "unstr":
        return
    seen = np.zeros((len(counts), size))
    seen[group, places] = 1.0
    together = seen.T @ seen
    apart = [(a, b) for a, b in combinations(range(size), 2) if together[a, b] < 2]
    if apart:
        pairs = [f"{structure.visits[a]}, {structure.visits[b]}" for a, b in apart]
        raise DesignError(
            f"No two levels of `{name}` have rows of both visits {name_all(pairs, 3)}: their correlation cannot be"
            f" estimated. Leave rows out, or write `ar(...)` or `cosy(...)` in place of `{term}`."
        )
    if len(counts) <= size:
        raise DesignError(
            f"`{term}` has {size} visits and only {len(counts)} levels of `{name}`: an unstructured matrix needs more"
            " levels than visits. Write `ar(...)` or `cosy(...)`, which have one correlation."
        )
