"""Tables that print themselves, in notebooks too."""

from __future__ import annotations

import pandas as pd

from bayesmix.results.tables.printed_table import PrintedTable


def test_notebooks_show_the_text_and_parts_are_plain() -> None:
    table = PrintedTable({"a < b": [1.0, 2.0]})
    assert table._repr_html_().startswith("<pre>")
    assert "a &lt; b" in table._repr_html_()
    assert type(table.head(1)) is pd.DataFrame
