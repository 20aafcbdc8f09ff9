"""A design without some of its rows, and those rows beside it: what refits need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import DesignError


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
    pairs = [(term, _used(term, keep)) for term in design.terms]
    kept = _rows(design, keep, [_recode(term, keep, *coding) for term, coding in pairs])
    others = [_recode(term, ~keep, *coding) for term, coding in pairs]
    for term in kept.terms:
        if len(term.levels) < 2:
            raise DesignError(f"Without the rows left out `{term.group}` has {len(term.levels)} level(s).")
    if np.linalg.matrix_rank(kept.X) < kept.X.shape[1]:
        raise DesignError("Without the rows left out the fixed effects are not identified: some columns are constant.")
    return kept, _rows(design, ~keep, others)


def as_new(design: Design, rows: Array, group: str) -> Design:
    """Some rows, all those of one level of ``group``, coded as if that level had never been seen.

    So are levels of other factors that no other row has: those nested in it.
    """
    keep = np.ones(len(design.y), bool)
    keep[rows] = False
    terms = []
    for term in design.terms:
        gone = np.setdiff1d(term.codes[rows], term.codes[keep])
        own = term.codes[rows]
        codes = np.where(np.isin(own, gone) | (term.group == group), -1 - own, own)
        terms.append(replace(term, codes=codes, z=term.z[rows]))
    return _rows(design, rows, terms)


def take(design: Design, rows: Array) -> Design:
    """Some rows, with the codes they have."""
    return _rows(design, rows, [replace(term, codes=term.codes[rows], z=term.z[rows]) for term in design.terms])


def _used(term: Term, keep: Array) -> tuple[Array, tuple[str, ...]]:
    """New code of each level, below zero for those without a row that is kept; the levels kept."""
    used = np.unique(term.codes[keep])
    position = -1 - np.arange(len(term.levels))
    position[used] = np.arange(len(used))
    return position, tuple(term.levels[code] for code in used)


def _recode(term: Term, rows: Array, position: Array, levels: tuple[str, ...]) -> Term:
    codes = term.codes[rows]
    coded = np.where(codes >= 0, position[np.maximum(codes, 0)], codes)
    return replace(term, codes=coded, z=term.z[rows], levels=levels)


def _rows(design: Design, rows: Array, terms: list[Term]) -> Design:
    return replace(
        design,
        y=design.y[rows],
        trials=None if design.trials is None else design.trials[rows],
        X=design.X[rows],
        terms=tuple(terms),
        weights=design.weights[rows],
        offset=design.offset[rows],
        rows=design.rows[rows],
        encoder=None,
        source=None,
    )
