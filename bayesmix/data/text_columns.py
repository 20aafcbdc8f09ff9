"""Text that holds numbers or dates: as a factor it would silently get one effect a value."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Factor, name_all, name_rows

NEARLY_ALL = 0.9  # of the rows: text that so often is a number is meant to be one
MANY = 10  # levels: text of more different values, all of them numbers, is no factor by intention

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_COMMA = re.compile(r"\s*[-+]?(\d+,\d+([eE][-+]?\d+)?|\d{1,3}([,. ]\d{3})+([.,]\d+)?)\s*")
_DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([T ]\d{1,2}:\d{2}.*)?\s*")
_NAMED_DATE = re.compile(r"\s*(\d{1,2}[-. ]+[A-Za-z]{3,9}[-., ]+\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4})\s*")
_TIME = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?\s*")
_MINUS = re.compile(r"\s*[\u2212\u2013\ufe63\uff0d]\s*(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")  # no hyphen
_SIGNED = re.compile(r"\s*[-+]?([$€£]\s*[\d.,]+|[\d.,]+\s*[%€$£])\s*")
_MARKERS = frozenset({"", ".", "..", "-", "--", "?", "*", "na", "n/a", "#n/a", "nan", "null", "none", "<na>", "nd"})
_MARKERS |= frozenset({"missing", "unknown", "inf", "#value!", "#div/0!", "#null!"})


def mistaken(name: str, column: Column) -> str | None:
    """Say why a column is no factor although it was read as one, and what to do; None if it may well be one.

    Parameters
    ----------
    name
        Of the column.
    column
        Only text is looked at: categories that were declared are meant.
    """
    if not isinstance(column, Factor) or not column.is_text or not column.levels:
        return None
    rows = np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))
    if max(_share(date, column.levels, rows) for date in (_DATE, _NAMED_DATE)) >= NEARLY_ALL:
        return _dates(name, column)
    if len(column.levels) > MANY and _share(_TIME, column.levels, rows) >= NEARLY_ALL:
        return _times(name, column)
    if (number := _matches(_NUMBER, column.levels)).all():
        return _all_numbers(name, column) if len(column.levels) > MANY else None
    number |= (written := _otherwise(column.levels))
    others = [level for level, is_number in zip(column.levels, number, strict=True) if not is_number]
    if not number.any() or not (_only_markers(others) or rows[number].sum() >= NEARLY_ALL * rows.sum()):
        return None
    return _because_of(name, column, others) if others else _otherwise_written(name, column, written)


def _share(pattern: re.Pattern[str], levels: Sequence[str], rows: Array) -> float:
    return float(rows[_matches(pattern, levels)].sum() / max(rows.sum(), 1))


def _matches(pattern: re.Pattern[str], levels: Sequence[str]) -> Array:
    return np.array([pattern.fullmatch(level) is not None for level in levels], dtype=bool)


def _otherwise(levels: Sequence[str]) -> Array:
    """Which are numbers that Python does not read: with commas, signs, or a minus that is no hyphen."""
    return _matches(_COMMA, levels) | _matches(_SIGNED, levels) | _matches(_MINUS, levels)


def _only_markers(levels: Sequence[str]) -> bool:
    return all(level.strip().lower() in _MARKERS for level in levels)


def _rows_of(column: Factor, levels: Sequence[str]) -> str:
    wanted = [column.levels.index(level) for level in levels]
    return name_rows(np.flatnonzero(np.isin(column.codes, wanted)))


def _because_of(name: str, column: Factor, others: Sequence[str]) -> str:
    what = f"`{name}` is text because of {name_all(others, 3)} in {_rows_of(column, others)}"
    marker = f'bmx.read_data(path, na="{others[0]}")' if len(others) == 1 else 'bmx.read_data(path, na=["NA", ...])'
    return (
        f"{what}; its other values are numbers. Correct them, or declare what stands for a missing value: `{marker}`,"
        f' or `pandas.to_numeric(data["{name}"], errors="coerce")`. {_if_meant(name)}'
    )


def _all_numbers(name: str, column: Factor) -> str:
    what = f"`{name}` is text, although its {len(column.levels)} values are numbers."
    return f'{what} Make it a number: `pandas.to_numeric(data["{name}"])`. {_if_meant(name)}'


def _otherwise_written(name: str, column: Factor, written: Array) -> str:
    example = column.levels[int(np.flatnonzero(written)[0])]
    if _MINUS.fullmatch(example):
        what = f"`{name}` is text: its numbers have a minus sign that is no hyphen, as in `{example}`."
        instead = f'pandas.to_numeric(data["{name}"].str.replace("{example.strip()[0]}", "-"))'
        return f"{what} Replace it: `{instead}`. {_if_meant(name)}"
    if _SIGNED.fullmatch(example):
        what = f"`{name}` is text: its numbers are written with signs, as in `{example}`."
        return f'{what} Remove them: `pandas.to_numeric(data["{name}"].str.strip("%$€£ "))`. {_if_meant(name)}'
    what = f"`{name}` is text: its numbers are written with commas, as in `{example}`."
    return f'{what} Give the decimal mark: `bmx.read_data(path, decimal=",")`. {_if_meant(name)}'


def _dates(name: str, column: Factor) -> str:
    return (
        f"`{name}` holds dates as text, as in `{column.levels[0]}`: each of the {len(column.levels)} would be a level."
        f' Make it a number: `when = pandas.to_datetime(data["{name}"])`,'
        f' `data["days"] = (when - when.min()).dt.days`. {_if_meant(name)}'
    )


def _times(name: str, column: Factor) -> str:
    return (
        f"`{name}` holds times of day as text, as in `{column.levels[0]}`: each of the {len(column.levels)} would be a"
        f' level. Make it a number: `when = pandas.to_datetime(data["{name}"], format="mixed")`, `data["hours"] ='
        f" when.dt.hour + when.dt.minute / 60`. {_if_meant(name)}"
    )


def _if_meant(name: str) -> str:
    return f"If its values are categories, write `factor({name})`."
