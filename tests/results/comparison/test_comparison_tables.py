"""Blocks of a comparison's text: which there are, what stands in their cells, and what was not computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.results.comparison.comparison_tables import blocks_of_comparison


@pytest.fixture(scope="module")
def two_estimates():
    model = bmx.load_model("esoph_lmm")
    return bmx.compare(model.estimate("reml"), model.estimate("ml"))


def blocks(comparison):
    return {block.title: block for block in blocks_of_comparison(comparison)}


def cells(block):
    """Text of the cells, rows by headings."""
    return pd.DataFrame(dict(block.columns), index=list(block.rows))


def test_what_was_not_computed_is_said_with_its_reasons(two_estimates):
    assert "Not computed" not in blocks(two_estimates)
    notes = ("The first reason.", "The second reason.")
    assert blocks(replace(two_estimates, notes=notes))["Not computed"].words == notes


def test_documented_figures_are_as_printed_and_empty_where_there_are_none(two_estimates):
    table = two_estimates.table.copy()
    table.loc["Intercept", "documented"] = np.nan
    table.loc["sigma", "documented"] = 1.2345678
    shown = cells(blocks(replace(two_estimates, table=table))["Estimates"])["documented"]
    assert shown["Intercept"] == ""
    assert shown["sigma"] == "1.234568"  # seven significant digits
    assert float(shown["ncontrols"]) == table.loc["ncontrols", "documented"]


def test_estimates_have_the_digits_of_their_spread(two_estimates):
    """Three significant digits of the standard error, so that what differs is visible and noise is not."""
    table, shown = two_estimates.table, cells(blocks(two_estimates)["Estimates"])
    for name in ("Intercept", "ncontrols"):
        places = 2 - int(np.floor(np.log10(table.loc[name, "REML std_error"])))
        for label in ("REML", "ML"):
            assert shown.loc[name, label] == f"{table.loc[name, label]:.{places}f}"
    assert "REML std. error" in shown
    assert shown.loc["sigma", "REML std. error"] == ""  # a REML estimate has none of sigma


def test_one_step_between_two_estimates_adds_up(two_estimates):
    (block,) = [block for title, block in blocks(two_estimates).items() if title.startswith("Why they differ")]
    assert block.title == "Why they differ: from REML to ML"
    shown = cells(block)
    start, cause, end = shown.columns
    assert (start, end) == ("REML", "= ML")
    assert cause.startswith("+ ")
    numbers = shown.astype(float)
    digits = shown["REML"].str.split(".").str[1].str.len()
    assert (np.abs(numbers[start] + numbers[cause] - numbers[end]) < 1.51 * 10.0**-digits).all()


def test_limits_of_an_interval_share_a_cell(two_estimates):
    table = two_estimates.table.assign(**{"wald lower": np.nan, "wald upper": np.nan})
    table.loc["ncontrols", ["wald lower", "wald upper"]] = -0.01234567, 0.1
    shown = cells(blocks(replace(two_estimates, table=table))["Intervals, 95 %"])
    assert list(shown.columns) == ["wald"]
    lower, upper = map(float, shown.loc["ncontrols", "wald"].split(", "))
    assert (lower, upper) == pytest.approx((-0.01234567, 0.1), abs=5e-5)
    assert shown.loc["sigma", "wald"] == ""
