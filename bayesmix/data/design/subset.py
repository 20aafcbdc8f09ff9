"""A design without some of its rows, and those rows beside it: what refits need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import DesignError, SpecError


def split(design: Design, keep: Array) -> tuple[Design, Design]:
    """Split a design in two: the rows kept, and the others coded as new data for a fit to those.

    Parameters
    ----------
    keep : (n,) bool.

    Returns
    -------
    kept, others
        Columns stay as they are. ``kept`` has the levels that its rows have; in ``others`` a level without rows in
        ``kept`` has a code below zero.

    Raises
    ------
    DesignError
        If too few levels are left, or the fixed effects are not identified without the other rows.
    """
    design.check_rows("A refit to some of the rows")
    inside, outside = design.data.stacked(keep), design.data.stacked(~keep)
    pairs = [(term, _used(term, inside)) for term in design.terms]
    kept = design.take(keep, [_recode(term, inside, *coding) for term, coding in pairs])
    others = [_recode(term, outside, *coding) for term, coding in pairs]
    for term in kept.terms:
        if len(term.levels) < 2 and not term.is_population:
            raise DesignError(f"Without the rows left out `{term.group}` has {len(term.levels)} level(s).")
    columns = kept.X[:, np.any(design.X, axis=0)]  # numbers of a residual structure have columns of zeros
    if np.linalg.matrix_rank(columns) < columns.shape[1]:
        raise DesignError("Without the rows left out the fixed effects are not identified: some columns are constant.")
    return kept, design.take(~keep, others)


def as_new(design: Design, rows: Array, group: str) -> Design:
    """Some rows, all those of one level of ``group``, coded as if that level had never been seen.

    So are levels of other factors that no other row has: those nested in it.
    """
    design.check_rows("A level left out")
    for term in design.terms:
        if term.group == group and not term.is_independent:
            raise SpecError(
                f"Levels of `{group}` are not independent: others tell of one that is left out. Leave out rows or folds"
                " instead, loo() or kfold(), whose predictions know of their relatives."
            )
    at = design.data.stacked(rows)
    keep = np.ones(len(design.X), bool)
    keep[at] = False
    terms = []
    for term in design.terms:
        if term.is_population:
            terms.append(replace(term, codes=term.codes[at], z=term.z[at]))
            continue
        own, others = term.codes[term.places(at)], term.codes[term.places(keep)]
        gone = np.setdiff1d(own, others)
        is_new = np.isin(own, gone) & term.is_independent
        codes = np.where(is_new | (term.group == group), -1 - own, own)
        terms.append(replace(term, codes=codes, z=term.z[term.places(at)]))
    return design.take(rows, terms)


def _used(term: Term, keep: Array) -> tuple[Array, tuple[str, ...]]:
    """New code of each level, below zero for those without a row that is kept; the levels kept.

    All are where they are not independent: those that are kept tell of the others.
    """
    if not term.is_independent:
        return np.arange(len(term.levels)), term.levels
    used = np.unique(term.codes[keep])
    position = -1 - np.arange(len(term.levels))
    position[used] = np.arange(len(used))
    return position, tuple(term.levels[code] for code in used)


def _recode(term: Term, rows: Array, position: Array, levels: tuple[str, ...]) -> Term:
    at = term.places(rows)
    codes = term.codes[at]
    coded = np.where(codes >= 0, position[np.maximum(codes, 0)], codes)
    return replace(term, codes=coded, z=term.z[at], levels=levels)
