"""Numbers of a graph in four arrays: each symbol is the part that was asked for, whatever was asked for before."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import AS_WRITTEN

from bayesmix.inference.sampling.nuts.shared_data import NAMES, Packed

X = np.arange(8.0).reshape(4, 2)


@pytest.fixture(scope="module")
def packed():
    found = Packed()
    symbols = {
        "number": found.constant("a", np.array(2.5)),
        "vector": found.constant("b", np.array([1.0, 2.0, 3.0])),
        "matrix": found.constant("c", np.array([[4.0, 5.0], [6.0, 7.0]])),
        "column": found.column(np.array([9.0, 8.0, 7.0, 6.0])),
        "columns": found.columns(X),
        "another": found.column(np.ones(4)),
        "levels": found.levels(np.array([1, 0, 1, 2])),
        "more levels": found.levels(np.array([0, 0, 1, 1])),
        "index": found.index(np.array([5, 6])),
        "another index": found.index(np.array([7, 8, 9])),
    }
    found.fill()
    return found, symbols


EXPECTED = {
    "number": 2.5,
    "vector": [1.0, 2.0, 3.0],
    "matrix": [[4.0, 5.0], [6.0, 7.0]],
    "column": [9.0, 8.0, 7.0, 6.0],
    "columns": X,
    "another": np.ones(4),
    "levels": [1, 0, 1, 2],
    "more levels": [0, 0, 1, 1],
    "index": [5, 6],
    "another index": [7, 8, 9],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_symbols_are_the_numbers_they_stand_for(packed, name):
    value = packed[1][name].eval(mode=AS_WRITTEN)
    np.testing.assert_array_equal(value, EXPECTED[name])
    assert np.issubdtype(value.dtype, np.integer) == ("level" in name or "index" in name)


def test_arrays_are_one_of_a_kind(packed):
    arrays = packed[0].arrays()
    assert tuple(arrays) == NAMES
    assert {name: array.shape for name, array in arrays.items()} == {
        "constants": (1 + 3 + 4,),
        "rows": (1 + 2 + 1, 4),
        "codes": (2, 4),
        "indices": (2 + 3,),
    }


def test_a_model_without_groups_has_no_levels():
    bare = Packed()
    bare.column(np.ones(3))
    assert bare.arrays()["codes"].shape == (0, 3)
    assert bare.arrays()["indices"].shape == bare.arrays()["constants"].shape == (0,)
