"""Columns as plain data: a description as JSON and an array of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Factor, Kind, Numeric
from bayesmix.errors import DataError

KINDS: tuple[Kind, ...] = ("factor", "ordered", "boolean")


def described(name: str, column: Column) -> dict[str, Any]:
    """Name, kind and levels of a column."""
    if isinstance(column, Factor):
        return {"name": name, "kind": column.kind, "levels": list(column.levels)}
    return {"name": name, "kind": "numeric"}


def numbers_of_column(column: Column) -> Array:
    """Its values, or the codes of its levels."""
    return column.codes if isinstance(column, Factor) else column.values


def column_of(words: Mapping[str, Any], values: Array) -> Column:
    """The column that was described.

    Raises
    ------
    DataError
        If it is damaged.
    """
    if words["kind"] == "numeric":
        return Numeric(np.asarray(values, np.float64))
    levels, codes = tuple(map(str, words["levels"])), np.asarray(values, np.intp)
    if words["kind"] not in KINDS or np.any((codes < -1) | (codes >= len(levels))):
        raise DataError(f"Column `{words['name']}` of the stored data is damaged.")
    return Factor(codes, levels, words["kind"])
