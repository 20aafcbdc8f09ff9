"""Data frames that print themselves; parts of them are plain data frames."""

from __future__ import annotations

from html import escape

import pandas as pd


class PrintedTable(pd.DataFrame):
    """A data frame whose ``repr`` is laid out by its kind; notebooks show the same text."""

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"
