"""Printed tables of effects: within the page, numbers that can be read, and what they rest on below."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.results.tables.effect_table import EffectTable, effect_table

CASES = {
    "contrasts": lambda fit: fit.contrasts("recipe", "temperature", df="kenward-roger", adjust="tukey"),
    "means": lambda fit: fit.marginal_means("recipe", by="temperature", adjust="sidak"),
    "hypotheses": lambda fit: fit.hypothesis("recipeB > 0", "recipeC - recipeB = 0"),
    "joint": lambda fit: fit.hypothesis("recipeB = 0", "recipeC = 0", joint=True),
}


@pytest.fixture(scope="module")
def cake() -> bmx.Estimate:
    return bmx.Model("angle ~ recipe * temperature + (1 | recipe:replicate)", bmx.load_dataset("cake")).estimate()


@pytest.mark.parametrize("case", CASES)
def test_a_printed_table_fits_the_page_and_has_all_columns(cake, case):
    table = CASES[case](cake)
    lines = repr(table).splitlines()
    assert isinstance(table, EffectTable)
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == list(table.columns)
    assert "degrees of freedom" in repr(table).replace("\n", " ")
    assert "<pre>" in table._repr_html_()


def test_cells_are_the_numbers_of_the_table(cake):
    table = cake.contrasts("recipe", adjust="tukey")
    lines = repr(table).splitlines()
    for line, (_, row) in zip(lines[1:], table.iterrows(), strict=False):
        cells = line.split()[3:]  # behind "B - A"
        np.testing.assert_allclose([float(cell) for cell in cells], row.iloc[1:].to_numpy(float), rtol=2e-3, atol=5e-4)
    assert lines[-2:] == [
        "95 % intervals: t distribution with Satterthwaite's degrees of freedom.",
        "Adjusted for several tests: Tukey's, for all pairs of the means of a family.",
    ]


def test_what_is_not_adjusted_says_so_where_there_are_several(cake):
    several, one = repr(cake.contrasts("recipe", interval=0.9)), repr(cake.hypothesis("recipeB = 0"))
    assert "90 % intervals" in several
    assert "adjust= is for several" in several
    assert "adjust=" not in one


def test_numbers_that_data_do_not_tell_long_and_empty_tables():
    frame = pd.DataFrame({"contrast": ["b - a", "c - a"], "estimate": [np.nan, 1.0], "df": [np.nan, np.inf]})
    assert repr(effect_table(frame, 0.95)).splitlines() == [
        " contrast estimate  df",
        " b - a         NaN NaN",
        " c - a           1 Inf",
    ]
    long = pd.concat([frame] * 31)
    assert repr(effect_table(long, 0.95)) == repr(long)
    assert repr(effect_table(frame[:0], 0.95)).startswith("Empty")


def test_parts_of_a_table_are_plain_data_frames(cake):
    """What is computed with is no longer what was printed."""
    table = cake.contrasts("recipe")
    assert type(table.head(1)) is pd.DataFrame
    assert type(table[["estimate"]]) is pd.DataFrame
