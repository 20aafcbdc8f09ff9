"""Separation: directions of the fixed effects along which a likelihood rises for ever."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.bounds import Bounds
from bayesmix.language.families.category_counts import by_category
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link

SEPARATES = 1e-3  # of the largest move of a row along a direction: beyond the rounding of a linear programme


def separating_direction(
    X: Array, y: Array, trials: Array, family: Family, link: Link, *, bounds: Bounds | None = None
) -> Array | None:
    """Direction of the fixed effects along which the likelihood rises for ever: ``(p,)``, None if there is none.

    Rows with successes only, or right-censored ones, must not fall along it, rows with failures (or counts of zero)
    only, or left-censored ones, must not rise, all others must stay; a linear programme finds the direction that moves
    most (Konis 2007). Of categories, ``X`` is that of all predictors that tell them apart, one below the other, and
    none of the forms of them that make a row's category likelier must fall (`Family.rises`).
    """
    cone = _cone(X, y, trials, family, link, bounds=bounds)
    if cone is None:
        return None
    free, rows = cone
    direction = _farthest(rows, rows.sum(axis=0))
    return None if direction is None else np.asarray(free @ direction)


def rising_direction(X: Array) -> Array | None:
    """Direction along which no row of ``X (n, p)`` falls and some rise: ``(p,)``, None if there is none."""
    return _farthest(X, X.sum(axis=0)) if len(X) else None


def endless_sides(
    X: Array, y: Array, trials: Array, family: Family, link: Link, *, bounds: Bounds | None = None
) -> Array:
    """Whether each fixed effect may run off along some separating direction, ``(p, 2)``: downwards, upwards.

    No interval of its profile likelihood ends there: along such a direction the deviance does not rise.
    """
    endless = np.zeros((X.shape[1], 2), bool)
    cone = _cone(X, y, trials, family, link, bounds=bounds)
    if cone is None:
        return endless
    free, rows = cone
    size = np.abs(free).max()
    for j, way in np.ndindex(endless.shape):
        sign = 1.0 if way else -1.0
        direction = _farthest(rows, sign * free[j])
        endless[j, way] = direction is not None and sign * float(free[j] @ direction) > SEPARATES * size
    return endless


def edges(y: Array, trials: Array, family: Family, link: Link, *, bounds: Bounds | None = None) -> Array:
    """Way ``(n,)`` in which a predictor may grow for ever while its row becomes only likelier: 1, -1, or 0 for none.

    NaN for rows that say nothing on the predictor.
    """
    way, values = np.zeros(len(y)), family.values
    if is_unbounded(family, link):
        way = np.where((y == trials) & values.one_is_edge, 1.0, np.where(y == values.least, -1.0, 0.0))
        way = np.where(values.is_silent(y), np.nan, way)
    is_of_logarithms = family.expected is not None and link.is_identity  # mu, of responses that are positive
    is_open = link.is_open or values.range == "real" or is_of_logarithms
    if bounds is None or not is_open:
        return way
    below = np.ceil(bounds.lower) - 1.0 if values.is_discrete else bounds.lower
    if values.is_discrete:  # the smallest and the largest count that could be observed are all that is left
        way = np.where(y - 1.0 == below, -1.0, np.where(y == np.floor(bounds.upper), 1.0, way))
    censored = np.where(bounds.high >= bounds.upper, 1.0, np.where(bounds.low <= below, -1.0, 0.0))
    return np.where(bounds.is_censored, censored, way)


def _cone(
    X: Array, y: Array, trials: Array, family: Family, link: Link, *, bounds: Bounds | None
) -> tuple[Array, Array] | None:
    """Basis ``(p, m)`` of the directions that leave the other rows, and what rows at an edge move inwards by it."""
    if family.rises is not None:
        rows = np.unique(forms(X, y, trials, family)[1].reshape(-1, X.shape[1]), axis=0)
        return (np.eye(X.shape[1]), rows) if rows.any() else None
    way = edges(y, trials, family, link, bounds=bounds)
    if not X.shape[1] or not np.any(np.abs(way) == 1.0):
        return None
    free = null_space(X[way == 0.0])
    is_edge = np.abs(way) == 1.0
    rows = np.unique(way[is_edge, None] * (X[is_edge] @ free), axis=0)
    return (free, rows) if rows.size else None


def forms(X: Array, y: Array, trials: Array, family: Family) -> tuple[Array, Array]:
    """What must not fall for a category of a row to become likelier for ever: the rows, and forms of fixed effects.

    ``(r,)`` and ``(r, m, p)``: a row for each category that occurs in it.
    """
    assert family.rises is not None
    by_predictor = X.reshape(-1, len(y), X.shape[1])
    rows, categories = np.nonzero(by_category(family, y, trials))
    forms = np.einsum(
        "imr,rip->imp", family.rises[categories][..., : len(by_predictor)], by_predictor[:, rows], optimize=True
    )
    return rows, forms


def _farthest(rows: Array, target: Array) -> Array | None:
    """The direction ``(m,)`` in a box that moves no row below zero, some above, and farthest along a ``target``."""
    from scipy.optimize import linprog

    found = linprog(-target, A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1.0, 1.0), method="highs")
    if found.status != 0:
        return None
    moves = rows @ found.x
    if moves.max() < SEPARATES * np.abs(rows).max() or moves.min() < -SEPARATES * moves.max():
        return None
    return np.asarray(found.x)


def is_unbounded(family: Family, link: Link) -> bool:
    """Whether a possible mean stands at an infinite linear predictor."""
    return link.is_open and family.values.least_is_edge


def null_space(rows: Array) -> Array:
    """Orthonormal basis of the directions that leave all ``rows (m, p)`` where they are."""
    if not len(rows):
        return np.eye(rows.shape[1])
    _, sizes, right = np.linalg.svd(np.linalg.qr(rows, mode="r"))
    rank = int(np.sum(sizes > 1e-9 * sizes.max(initial=1e-300)))
    return right[rank:].T
