"""Tables of what was found in simulated data, with how these were made below."""

from __future__ import annotations

from typing import Any, override

import pandas as pd

from bayesmix.results.tables.printed_table import PrintedTable
from bayesmix.results.tables.r_printing import paragraph


class SimulationTable(PrintedTable):
    """A data frame that prints as one, with the sentence of ``attrs["rule"]`` below where there is one."""

    @override
    def __repr__(self) -> str:
        table, rule = pd.DataFrame(self).__repr__(), self.attrs.get("rule", "")
        return "\n".join([table, "", *paragraph(rule, indent=0)]) if rule else table


def simulation_table(table: pd.DataFrame, rule: str, **attrs: Any) -> SimulationTable:
    """The table with what is said of it; ``rule`` is how simulated responses are censored, empty where none is."""
    found = SimulationTable(table)
    found.attrs.update(attrs, rule=rule)
    return found
