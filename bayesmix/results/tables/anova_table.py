"""Tables of tests: data frames that print as R prints an ``anova``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, override

import numpy as np
import pandas as pd

from bayesmix.arrays import Array
from bayesmix.results.tables.printed_table import PrintedTable
from bayesmix.results.tables.r_printing import (
    LEGEND,
    format_numbers,
    format_p_values,
    format_statistics,
    justify,
    known_cells,
    stars,
    statistic_digits,
    table_lines,
    zap_small,
)

DIGITS = 5  # significant ones, as R's
WIDE = 20  # characters of a label from which on models are numbered
HEADINGS = {
    "npar": "npar",
    "sum_sq": "Sum Sq",
    "mean_sq": "Mean Sq",
    "num_df": "NumDF",
    "den_df": "DenDF",
    "F": "F value",
    "aic": "AIC",
    "bic": "BIC",
    "loglik": "logLik",
    "deviance": "deviance",
    "chisq": "Chisq",
    "lrt": "LRT",
    "rlrt": "RLRT",
    "df": "Df",
    "mc_error": "MC error",
    "replicates": "n",
    "small": "P(small)",
    "log_bayes_factor": "log BF",
    "error": "MC error",
    "bayes_factor": "BF",
    "probability": "P(needed)",
    "elpd_diff": "elpd diff.",
    "elpd_se": "std. error",
    "content": "P(inside)",
}
STATISTICS = ("F", "chisq", "lrt", "rlrt")
DEGREES = ("npar", "df", "num_df", "replicates", "rank")


class AnovaTable(PrintedTable):
    """A data frame of tests; printed, it is laid out as R's, with ``attrs["heading"]`` above and ``attrs["notes"]``."""

    @override
    def __repr__(self) -> str:
        return "\n".join(_lines(self))


def anova_table(
    columns: Mapping[str, Sequence[Any] | Array], index: pd.Index[Any], *, heading: str = "", notes: Sequence[str] = ()
) -> AnovaTable:
    """A table of tests."""
    table = AnovaTable(dict(columns), index=index)
    table.attrs["heading"] = heading
    table.attrs["notes"] = tuple(notes)
    return table


def _lines(table: pd.DataFrame) -> Iterator[str]:
    heading = table.attrs.get("heading", "")
    yield from [heading, ""] if heading else []
    rows = [str(label) for label in table.index]
    lines = table_lines(rows, list(_columns(table)))
    if table.index.name == "model" and (max(map(len, rows)) > WIDE or len(lines) > len(rows) + 1):
        yield "Models:"
        yield from (f"{number}: {row}" for number, row in enumerate(rows, 1))
        lines = table_lines([str(number) for number in range(1, len(rows) + 1)], list(_columns(table)))
    yield from lines
    if _has_stars(table):
        yield "---"
        yield LEGEND
    yield from table.attrs.get("notes", ())


def _columns(table: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    for name in table.columns:
        if name == "boundary":
            continue
        values = table[name].to_numpy(float)
        heading = HEADINGS.get(name, str(name))
        if name == "p_value":
            yield _p_heading(table), known_cells(values, _p_values, "")
            yield from [("", justify([stars(p) for p in values], left=True))] if _has_stars(table) else []
        else:
            yield heading, known_cells(values, _formatter(str(name)), "")


def _p_heading(table: pd.DataFrame) -> str:
    """What is less probable; chi-square is the distribution of likelihood ratios that were not simulated."""
    statistic = next((name for name in STATISTICS if name in table.columns), "chisq")
    is_simulated = "mc_error" in table.columns or statistic == "F"
    return f"Pr(>{HEADINGS[statistic].removesuffix(' value') if is_simulated else 'Chisq'})"


def _has_stars(table: pd.DataFrame) -> bool:
    return "p_value" in table.columns and bool(np.any(table["p_value"].to_numpy(float) <= 0.1))


def _p_values(values: Array) -> list[str]:
    return format_p_values(values, statistic_digits(DIGITS))


def _formatter(name: str) -> Any:
    if name == "bayes_factor":  # of any size, one beside the other
        return lambda values: [f"{value:.3g}" for value in values]
    if name in STATISTICS:
        return lambda values: format_statistics(values, DIGITS)
    if name in DEGREES:
        return lambda values: format_numbers(values, DIGITS)
    return lambda values: format_numbers(zap_small(values, DIGITS), DIGITS)
