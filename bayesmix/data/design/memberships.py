"""Rows that are members of several levels of one factor, ``mm(g1, g2)``: their levels and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, Variable, name_rows
from bayesmix.errors import DataError
from bayesmix.language.formula.grouping import Grouping

SUM = 1e-6  # distance from one of a sum of shares that is rounding


def member_levels(factors: Sequence[Factor]) -> tuple[tuple[tuple[str, ...], ...], Array]:
    """Levels of all factors together, and the codes of their memberships ``(slots n,)``, factor by factor."""
    levels = tuple(dict.fromkeys(level for factor in factors for level in factor.levels))
    position = {level: j for j, level in enumerate(levels)}
    codes = [np.array([position[level] for level in one.levels], dtype=np.intp)[one.codes] for one in factors]
    return tuple((level,) for level in levels), np.concatenate(codes)


def membership_weights(grouping: Grouping, slots: int, variables: Mapping[str, Variable], n: int) -> Array:
    """Weights ``(slots n,)`` of memberships, which sum to one in each row.

    Raises
    ------
    DataError
        If they are negative, or sum to nothing; or, where they are not to be scaled, not to one.
    """
    if not grouping.weights:
        return np.full(slots * n, 1.0 / slots if grouping.scale else 1.0)
    found = np.stack([_numbers(text, variables, n) for text in grouping.weights])
    total = found.sum(axis=0)
    named = f"Weights of memberships, {', '.join(f'`{text}`' for text in grouping.weights)},"
    bad = np.flatnonzero(~np.all(found >= 0.0, axis=0) | ~(total > 0.0))
    if len(bad):
        raise DataError(
            f"{named} are negative or all zero in {name_rows(bad)}: each row is a member of some level."
            " Correct them, or leave these rows out."
        )
    if grouping.scale:
        return (found / total).ravel()
    apart = np.flatnonzero(np.abs(total - 1.0) > SUM)
    if len(apart):
        raise DataError(
            f"{named} sum to {total[apart[0]]:.4g}, not to one, in {name_rows(apart)}. Leave `scale = FALSE` out:"
            " they are scaled then."
        )
    return found.ravel()


def _numbers(text: str, variables: Mapping[str, Variable], n: int) -> Array:
    value = variables[text]
    if not isinstance(value, Numeric):
        raise DataError(f"`{text}` of the weights of memberships is no number.")
    return np.broadcast_to(value.values, n)
