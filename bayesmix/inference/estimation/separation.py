"""Separation: directions of the fixed effects along which a likelihood rises for ever."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link

SEPARATES = 1e-3  # of the largest move of a row along a direction: beyond the rounding of a linear programme


def separating_direction(X: Array, y: Array, trials: Array, family: Family, link: Link) -> Array | None:
    """Direction of the fixed effects along which the likelihood rises for ever: ``(p,)``, None if there is none.

    Rows with successes only must not fall along it, rows with failures (or counts of zero) only must not rise, all
    others must stay; a linear programme finds the direction that moves most (Konis 2007).
    """
    if not X.shape[1] or not is_unbounded(family, link):
        return None
    from scipy.optimize import linprog

    low, high = y == 0, (y == trials) & family.values.one_is_edge
    bound = ~(low | high)
    free = _null_space(X[bound])
    rows = np.unique(np.where(high, 1.0, -1.0)[~bound, None] * (X[~bound] @ free), axis=0)
    if not rows.size:
        return None
    found = linprog(-rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1.0, 1.0), method="highs")
    if found.status != 0:
        return None
    moves = rows @ found.x
    if moves.max() < SEPARATES * np.abs(rows).max() or moves.min() < -SEPARATES * moves.max():
        return None
    return np.asarray(free @ found.x)


def is_unbounded(family: Family, link: Link) -> bool:
    """Whether a possible mean stands at an infinite linear predictor."""
    return link.is_open and family.values.zero_is_edge


def _null_space(rows: Array) -> Array:
    """Orthonormal basis of the directions that leave all ``rows (m, p)`` where they are."""
    if not len(rows):
        return np.eye(rows.shape[1])
    _, sizes, right = np.linalg.svd(np.linalg.qr(rows, mode="r"))
    rank = int(np.sum(sizes > 1e-9 * sizes.max(initial=1e-300)))
    return right[rank:].T
