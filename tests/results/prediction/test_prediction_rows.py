"""Rows to predict: chunks, undetermined and missing rows, and which grouping factors are read from new data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.data.frame import open_table
from bayesmix.errors import SpecError
from bayesmix.results.prediction.rows import PredictionRows, all_terms, with_levels


@pytest.fixture(scope="module")
def design():
    data = {
        "y": np.random.default_rng(0).normal(size=24),
        "x": np.tile(np.arange(6.0), 4),
        "g": np.repeat(list("abcd"), 6),
        "h": np.tile(list("pqr"), 8),
        "wt": np.linspace(1.0, 2.0, 24),
    }
    return bmx.Model("y ~ x + (x | g) + (1 | h)", data, weights="wt").design


NEW = {"x": [0.0, np.nan, 2.0], "g": ["a", "b", "c"], "h": ["q", "q", "r"]}


@pytest.mark.parametrize(
    ("limit", "draws", "sizes"),
    [
        (70, 10, [7, 7, 7, 3]),
        (79, 10, [7, 7, 7, 3]),  # an eighth row would be 80 numbers
        (5, 10, [1] * 24),  # a row is the least there is
        (1000, 0, [24]),
        (240, 10, [24]),
    ],
)
def test_chunks_are_all_rows_in_order(design, monkeypatch, limit, draws, sizes):
    monkeypatch.setattr("bayesmix.results.prediction.rows.CHUNK", limit)
    rows = PredictionRows.of_fit(design)
    parts = list(rows.chunks(draws))
    assert [len(part.X) for part in parts] == sizes
    for name in ("X", "offset", "trials", "weights", "index", "outside"):
        together = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(together, getattr(rows, name))
    for t, term in enumerate(rows.terms):
        np.testing.assert_array_equal(np.concatenate([part.terms[t].codes for part in parts]), term.codes)
        np.testing.assert_array_equal(np.concatenate([part.terms[t].z for part in parts]), term.z)


def test_no_rows_are_one_empty_chunk(design):
    """So that tables of no rows have their columns."""
    (part,) = PredictionRows.of_fit(design).take(slice(0, 0)).chunks(10)
    assert part.X.shape == (0, 2)


def test_the_fit_has_its_weights_and_new_observations_weight_one(design):
    own, new = PredictionRows.of_fit(design), PredictionRows.of_new_data(design, NEW, "fitted", None)
    np.testing.assert_array_equal(own.weights, np.linspace(1.0, 2.0, 24))
    assert not own.is_new
    assert new.is_new
    np.testing.assert_array_equal(new.weights, [1.0, 1.0])  # the row without x is none
    np.testing.assert_array_equal(new.index, [0, 2])
    np.testing.assert_array_equal(new.X, [[1.0, 0.0], [1.0, 2.0]])
    np.testing.assert_array_equal(new.terms[0].codes, [0, 2])


def test_tables_have_a_row_for_each_of_the_new_data(design):
    rows = PredictionRows.of_new_data(design, NEW, "fitted", None)
    table = rows.whole(pd.DataFrame({"estimate": [1.0, 2.0]}, index=rows.index))
    np.testing.assert_array_equal(table["estimate"], [1.0, np.nan, 2.0])
    with pytest.warns(
        bmx.PredictionWarning, match=r"Values of `x` are missing in row 1 \(counted from 0\) of the new data: NaN"
    ):
        rows.warn_of_undetermined(())


def test_rows_of_the_fit_stay_as_they_are(design, recwarn):
    rows = PredictionRows.of_fit(design)
    table = pd.DataFrame({"estimate": np.arange(24.0)}, index=rows.index)
    pd.testing.assert_frame_equal(rows.whole(table), table)
    rows.warn_of_undetermined(())
    assert not recwarn


@pytest.mark.parametrize(
    ("scopes", "columns", "read"),
    [
        ({"g": "fitted", "h": "fitted"}, ("x", "g", "h"), ["g", "h"]),
        ({"g": "known", "h": "zero"}, ("x", "g", "h"), ["g"]),
        ({"g": "average", "h": "known"}, ("x", "h"), ["h"]),
        ({"g": "new", "h": "new"}, ("x", "h"), ["h"]),  # new levels are told apart where there is a column
        ({"g": "fitted", "h": "zero"}, ("x",), ["g"]),  # and asked for where they are needed
    ],
)
def test_levels_are_read_where_they_are_needed(design, scopes, columns, read):
    table = open_table({name: NEW[name] for name in columns})
    assert with_levels(design.encoder, table, scopes) == read


def test_terms_that_were_not_coded_are_empty(design):
    rows = PredictionRows.of_new_data(design, NEW, {"g": "zero", "h": "fitted"}, None)
    slopes, crossed = all_terms(design, rows.data)
    assert (slopes.group, crossed.group) == ("g", "h")
    np.testing.assert_array_equal(slopes.z, np.zeros((2, 2)))
    assert np.all(slopes.codes >= 0)  # no level that was not seen: nothing is asked of them
    np.testing.assert_array_equal(crossed.codes, [1, 2])


def test_designs_made_by_hand_have_no_new_data(design):
    with pytest.raises(SpecError, match="no encoder for new data"):
        PredictionRows.of_new_data(replace(design, layout=replace(design.layout, encoder=None)), NEW, "fitted", None)
