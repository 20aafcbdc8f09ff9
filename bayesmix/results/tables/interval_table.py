"""Intervals by several methods side by side: a data frame that prints one column a method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import override

import numpy as np
import pandas as pd

from bayesmix.arrays import Array
from bayesmix.results.tables.printed_table import PrintedTable
from bayesmix.results.tables.r_printing import decimals_for, fixed_point, table_lines

LOWER, UPPER = " lower", " upper"
LARGE = 1e10  # of limits, from which on they are not written out
WIDTHS = 4.0  # standard errors in an interval, about


class IntervalTable(PrintedTable):
    """Columns ``"wald lower", "wald upper", ...``; printed, both limits of a method stand in one."""

    @override
    def __repr__(self) -> str:
        lines = table_lines([str(name) for name in self.index], list(_columns(self)), left=True)
        level = self.attrs.get("level")
        return "\n".join([*([f"{100.0 * level:g} % intervals", ""] if level else []), *lines])


def interval_table(table: pd.DataFrame, level: float) -> IntervalTable:
    """The table, which prints itself."""
    found = IntervalTable(table)
    found.attrs = {**table.attrs, "level": level}
    return found


def _columns(table: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    numbers = table.to_numpy(float)
    decimals = [_decimals(row) for row in numbers]
    for name in table.columns:
        if str(name).endswith(LOWER):
            method = str(name).removesuffix(LOWER)
            pairs = table[[name, method + UPPER]].to_numpy(float)
            yield method, [_pair(pair, digits) for pair, digits in zip(pairs, decimals, strict=True)]


def _decimals(limits: Array) -> int:
    """Those of the narrowest interval of a parameter: three digits of its standard error."""
    width = (limits[1::2] - limits[::2])[np.isfinite(limits[1::2] - limits[::2])]
    return decimals_for(float(width.min()) / WIDTHS) if len(width) else 3


def _pair(limits: Array, decimals: int) -> str:
    """Both limits; a blank where there are none."""
    if np.all(np.isnan(limits)):
        return ""
    return " to ".join(_limit(value, decimals) for value in limits)


def _limit(value: float, decimals: int) -> str:
    if np.isnan(value):
        return "?"
    if abs(value) >= LARGE and np.isfinite(value):
        return f"{value:.3g}"
    return fixed_point(value, decimals) if np.isfinite(value) else f"{value:+.0f}".replace("inf", "Inf").lstrip("+")
