"""Tables of effects, of means, contrasts, slopes and hypotheses: data frames that say, printed, what they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from textwrap import wrap
from typing import override

import pandas as pd

from bayesmix.arrays import Array
from bayesmix.results.tables.printed_table import PrintedTable
from bayesmix.results.tables.r_printing import PAGE, format_numbers, format_p_values, justify, known_cells, table_lines

ROWS = 60  # the most that are printed, as by pandas
DIGITS = 4  # significant ones of the smallest number of a column
FREEDOM = 1  # decimals of degrees of freedom
DECIMALS = {"df": FREEDOM, "df1": FREEDOM, "df2": FREEDOM, "t": 3, "z": 3, "F": 3, "chisq": 3}
NOT_ADJUSTED = "Tests and intervals are of each row alone: adjust= is for several."
SHARES = ("p_direction", "probability", "in_rope")


class EffectTable(PrintedTable):
    """A data frame of effects; printed, it fits the page, with ``attrs["intervals"]`` and ``attrs["adjustment"]``."""

    @override
    def __repr__(self) -> str:
        if len(self) > ROWS or not len(self):
            return super().__repr__()
        return "\n".join([*table_lines(_rows(self), list(_columns(self))), *_notes(self)])


def effect_table(table: pd.DataFrame, interval: float) -> EffectTable:
    """The table, which prints itself; ``interval`` is the probability of ``lower, upper``."""
    found = EffectTable(table)
    found.attrs = {**table.attrs, "level": interval}
    return found


def _rows(table: pd.DataFrame) -> list[str]:
    is_numbered = pd.api.types.is_integer_dtype(table.index) and table.index.name is None
    return [""] * len(table) if is_numbered else [str(label) for label in table.index]


def _columns(table: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    for name in map(str, table.columns):
        column = table[name]
        if not pd.api.types.is_float_dtype(column):
            yield _left(name, [str(value) for value in column])
        else:
            yield name, _cells(name, column.to_numpy(float))


def _left(name: str, cells: list[str]) -> tuple[str, list[str]]:
    """Words stand on the left."""
    heading, *rest = justify([name, *cells], left=True)
    return heading, rest


def _cells(name: str, values: Array) -> list[str]:
    if name == "p_value":
        return known_cells(values, partial(format_p_values, digits=4), "NaN")
    if name in DECIMALS:
        return known_cells(values, partial(_fixed, decimals=DECIMALS[name]), "NaN")
    if name in SHARES:
        return known_cells(values, partial(_fixed, decimals=3), "NaN")
    return known_cells(values, partial(format_numbers, digits=DIGITS), "NaN")


def _fixed(values: Array, decimals: int) -> list[str]:
    return [f"{value:.{decimals}f}".replace("inf", "Inf") for value in values]


def _notes(table: pd.DataFrame) -> Iterator[str]:
    if "intervals" in table.attrs:
        level = f"{100.0 * table.attrs['level']:g} % intervals" if "lower" in table.columns else "Tests"
        yield from wrap(f"{level}: {table.attrs['intervals']}.", PAGE)
    if "adjustment" in table.attrs and len(table) > 1:
        words = table.attrs["adjustment"]
        yield from wrap(f"Adjusted for several tests: {words}." if not words.startswith("none") else NOT_ADJUSTED, PAGE)
