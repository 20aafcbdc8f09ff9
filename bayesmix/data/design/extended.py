"""A design with more or fewer levels of a grouping factor, or rows within its levels: copies of those that are there.

As `extend` of R's simr (Green and MacLeod 2016) a new level has the rows of a present one. What is nested in it is new
as well: the classes of a new school, not those of the school that it was copied from. Where a part of the levels is
taken, it has the values of the predictors between levels in the proportions of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.residual_blocks import RowBlocks
from bayesmix.data.memory import too_much
from bayesmix.errors import DesignError, SpecError, nearest


def resize_levels(design: Design, group: str, count: int) -> Design:
    """The design with ``count`` levels of a grouping factor.

    Raises
    ------
    SpecError
        If there is no such factor, or it is part of the fixed effects, which have none for new levels.
    DesignError
        If the fixed effects are not identified by so few.
    """
    design.check_independent("a study of more or fewer levels", "Simulate data of such a design instead.")
    if count < 2:
        raise SpecError(f"{count} level(s) of `{group}`: a spread among levels needs at least two.")
    _check_random(design, group)
    level, own = _level(design, group), _predictors(design)
    first = np.unique(level, return_index=True)[1]
    between = np.array([_is_constant(column, level, first) for column in own.T], dtype=bool)
    _check_size(design, float(count) / len(first), f"{count} levels of `{group}`")
    picks, copies = _spread(own[first][:, between], count)
    rows = [np.flatnonzero(level == pick) for pick in picks]
    return _copied(design, np.concatenate(rows), np.repeat(copies, list(map(len, rows))), level, ())


def resize_rows(design: Design, group: str, count: int) -> Design:
    """The design with ``count`` rows in each level of a grouping factor.

    Raises
    ------
    SpecError
        If there is no such factor.
    DesignError
        If the fixed effects are not identified by so few.
    """
    design.check_independent("a study of more or fewer rows", "Simulate data of such a design instead.")
    if count < 1:
        raise SpecError(f"rows={count}: each level of `{group}` needs at least one.")
    if design.layout.structure is not None:
        term = design.layout.structure.term
        raise SpecError(
            f"rows={count}: `{term}` says which rows of a block belong together, so their number is no choice. Take"
            f' more blocks, n={{"{":".join(term.group)}": [20, 40]}}.'
        )
    level, own = _level(design, group), _predictors(design)
    _check_size(design, float(count) * len(np.unique(level)) / design.n, f"rows={count}")
    rows, copies = [], []
    for one in np.unique(level):
        inside = np.flatnonzero(level == one)
        picks, number = _spread(own[inside], count)
        order = np.argsort(inside[picks], kind="stable")
        rows.append(inside[picks][order])
        copies.append(number[order])
    above = [term.group for term in design.terms if not term.is_population and _is_nested(level, _codes(design, term))]
    return _copied(design, np.concatenate(rows), np.concatenate(copies), np.arange(design.n), above)


def factors_of(design: Design) -> dict[str, Array]:
    """The level of each row ``(n,)``, of grouping factors and of the blocks of correlated residuals."""
    found = {term.group: _codes(design, term) for term in reversed(design.terms) if not term.is_population}
    structure, blocks = design.layout.structure, design.data.blocks
    if structure is not None and blocks is not None:
        found.setdefault(":".join(structure.term.group), blocks.block)
    return found


def _level(design: Design, group: str) -> Array:
    """The level of each row of one factor."""
    known = factors_of(design)
    if group not in known:
        names = f"Factors: {', '.join(known)}." if known else "The model has none."
        raise SpecError(f"`{group}` is not a grouping factor.{nearest(group, known)} {names}")
    return known[group]


def _check_size(design: Design, times: float, what: str) -> None:
    """Refuse a design so many times as large where the memory would not hold its rows."""
    columns = design.X.shape[1] + sum(2 * (1 + term.z.shape[-1]) for term in design.terms) + 4
    if (size := too_much(2.0 * times * design.n * columns)) is not None:
        raise SpecError(f"{what}: so many rows would take {size}. Ask for fewer.")


def _check_random(design: Design, group: str) -> None:
    if design.encoder is None:
        return
    structure = design.layout.structure
    factors = [term.factors for term in design.encoder.terms if term.group == group]
    factors += [structure.term.group] if structure is not None and ":".join(structure.term.group) == group else []
    used = [set(one.fixed.terms.used) for one in design.encoder.predictors]
    if any(set(own) <= fixed for own in factors for fixed in used):
        raise SpecError(
            f"`{group}` is among the fixed effects as well, which say nothing of new levels. Extend another factor."
        )


def _codes(design: Design, term: Term) -> Array:
    """The level of each row."""
    return term.codes[: design.n]


def _predictors(design: Design) -> Array:
    """Fixed columns of each row on all of its linear predictors, ``(n, R p)``."""
    return design.X.reshape(design.R, design.n, -1).transpose(1, 0, 2).reshape(design.n, -1)


def _is_constant(column: Array, level: Array, first: Array) -> bool:
    return bool(np.all(column == column[first][np.unique(level, return_inverse=True)[1]]))


def _is_nested(inner: Array, outer: Array) -> bool:
    """Whether each level of one factor occurs in a single level of another."""
    pairs = np.unique(np.column_stack([inner, outer]), axis=0)
    return len(pairs) == len(np.unique(inner))


def _spread(values: Array, count: int) -> tuple[Array, Array]:
    """Which of some units to take, and the number of the copy: all as often as goes, then some spread over the values.

    Parameters
    ----------
    values : ``(units, k)``; the columns with the fewest different values are spread over first.
    """
    units = len(values)
    whole, rest = divmod(count, units)
    kinds = [len(np.unique(column)) for column in values.T]
    keys = [values[:, j] for j in np.argsort(kinds, kind="stable")[::-1]]
    order = np.lexsort([np.arange(units), *keys])
    places = ((np.arange(rest) + 0.5) * units / max(rest, 1)).astype(int)
    picks = np.concatenate([np.tile(np.arange(units), whole), np.sort(order[places])])
    return picks, np.repeat(np.arange(whole + 1), [units] * whole + [rest])


def _copied(design: Design, rows: Array, copies: Array, units: Array, same: Sequence[str]) -> Design:
    """Some rows of a design, which may be taken several times.

    Parameters
    ----------
    copies : number of the copy that each is of.
    units : what is copied as a whole, of each row of the design; what is nested in a unit is new in each copy of it.
    same : grouping factors that keep their levels all the same.
    """
    design.check_rows("A study of more or fewer rows")
    at = design.data.stacked(rows)
    terms = []
    for term in design.terms:
        if term.is_population:
            terms.append(replace(term, codes=term.codes[at], z=term.z[at]))
            continue
        level = _codes(design, term)
        is_new = term.group not in same and _is_nested(level, units)
        pairs = np.column_stack([level[rows], copies if is_new else np.zeros_like(copies)])
        found, codes = np.unique(pairs, axis=0, return_inverse=True)
        labels = tuple(term.levels[code] + f" ({copy + 1})" * bool(copy) for code, copy in found.tolist())
        own = np.tile(codes.reshape(-1).astype(np.intp), design.R)
        terms.append(replace(term, levels=labels, codes=own, z=term.z[at]))
    made = design.take(rows, terms)
    if design.data.blocks is not None:
        made = made.with_rows(blocks=_copied_blocks(design.data.blocks, rows, copies, units))
    coefficients = [j for j, owner in enumerate(made.layout.owners) if owner not in made.layout.residual]
    if np.linalg.matrix_rank(made.X[:, coefficients]) < len(coefficients):
        raise DesignError(f"With {made.n} rows the fixed effects are not identified. Ask for more.")
    return made


def _copied_blocks(blocks: RowBlocks, rows: Array, copies: Array, units: Array) -> RowBlocks:
    """Blocks of correlated residuals, new ones in copies of the units that they are nested in."""
    is_new = _is_nested(blocks.block, units)
    pairs = np.column_stack([blocks.block[rows], copies if is_new else np.zeros_like(copies)])
    found = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    return replace(blocks, block=found.astype(np.intp), place=blocks.place[rows])
