"""Columns come back from their descriptions and numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.data.columns import Factor, Numeric
from bayesmix.results.storage.stored_columns import column_of, described, numbers_of_column

COLUMNS = {
    "number": Numeric(np.array([1.0, np.nan])),
    "factor": Factor(np.array([1, -1]), ("a", "b"), "factor"),
    "ordered": Factor(np.array([0, 1]), ("low", "high"), "ordered"),
    "boolean": Factor(np.array([0, 1]), ("FALSE", "TRUE"), "boolean"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_come_back(name: str) -> None:
    column = COLUMNS[name]
    words = json.loads(json.dumps(described(name, column)))
    back = column_of(words, numbers_of_column(column))
    assert words["name"] == name
    assert type(back) is type(column)
    np.testing.assert_array_equal(numbers_of_column(back), numbers_of_column(column))
    assert getattr(back, "levels", None) == getattr(column, "levels", None)
    assert getattr(back, "kind", None) == getattr(column, "kind", None)


@pytest.mark.parametrize(("kind", "codes"), [("factor", [2]), ("factor", [-2]), ("nothing", [0])])
def test_damage_is_named(kind: str, codes: list[int]) -> None:
    with pytest.raises(bmx.DataError, match="Column `f` of the stored data is damaged"):
        column_of({"name": "f", "kind": kind, "levels": ["a", "b"]}, np.array(codes))
