"""Intervals side by side as they are printed: both limits of a method in one column, all within the page."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.results.tables.interval_table import IntervalTable, interval_table


def test_limits_have_the_digits_of_the_narrowest_interval_and_blanks_where_there_are_none():
    nan, inf = np.nan, np.inf
    columns = ["wald lower", "wald upper", "profile lower", "profile upper"]
    frame = pd.DataFrame(
        [[237.01, 265.8, 237.0, 270.123], [nan, nan, 0.0, 0.7512], [nan, nan, nan, inf]],
        index=["Intercept", "sd(g, Intercept)", "shape"],
        columns=columns,
    )
    table = interval_table(frame, 0.9)
    assert repr(table).splitlines() == [
        "90 % intervals",
        "",
        "                 wald             profile",
        "Intercept        237.01 to 265.80 237.00 to 270.12",
        "sd(g, Intercept)                  0.000 to 0.751",
        "shape                             ? to Inf",
    ]
    assert list(table.columns) == columns
    assert type(table.head(1)) is pd.DataFrame


@pytest.mark.parametrize("methods", [("wald", "satterthwaite", "kenward-roger", "credible")])
def test_a_comparison_prints_its_intervals_within_the_page(fitted, posterior_of, methods):
    reml = fitted("sleepstudy")
    table = bmx.compare(posterior_of("sleepstudy"), reml).intervals(methods=methods)
    assert isinstance(table, IntervalTable)
    assert max(map(len, repr(table).splitlines())) <= 80
    assert "<pre>" in table._repr_html_()
    for method in methods:
        assert method in repr(table)
