"""Smooths in a summary: their standard deviations, and of an estimate degrees of freedom and a test of each curve."""

from __future__ import annotations

import numpy as np

from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.inference.parameters.names import sd_names
from bayesmix.results.fits.degrees_of_freedom import has_freedom
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.fits.smooth_parts import level_curves, smooth_parts
from bayesmix.results.fits.smooth_terms_table import smooth_terms
from bayesmix.results.tables import r_printing
from bayesmix.results.tables.summary_sections import DIGITS, Section

NAME, TITLE = "smooth_terms", "Smooth terms"


def smooth_section(fit: EstimateRecord) -> Section | None:
    """The smooths of an estimate; None where there are none.

    Curves of levels have a row without standard deviations, which stand with the random effects.
    """
    parts, levels = smooth_parts(fit.spec, fit.design), level_curves(fit.spec, fit.design)
    if not parts and not levels:
        return None
    table = smooth_terms(fit)
    own = [(i, t) for i, part in enumerate(parts) for t in part.terms]
    rows: list[tuple[int, int | None]] = [*own, *((len(parts) + i, None) for i in range(len(levels)))]
    sd = [*r_printing.format_numbers([fit.values.sd[t][0] for _, t in own], DIGITS), *len(levels) * [""]]
    is_first = [j == 0 or rows[j - 1][0] != i for j, (i, _) in enumerate(rows)]
    labels = [table.index[i] if first else "" for (i, _), first in zip(rows, is_first, strict=True)]
    named = sd_names(fit.design.terms)
    names = r_printing.justify(["" if t is None else named[t][0] for _, t in rows], left=True)
    lengths = ["" if t is None else _length(fit, t) for _, t in rows]
    places = [i if first else None for (i, _), first in zip(rows, is_first, strict=True)]
    p_values = table["p_value"].to_numpy()
    letter = "F" if has_freedom(fit) else "Chi.sq"
    columns = [
        *([("Parameter", names), ("Std.Dev.", sd)] if own else []),
        *([("lscale", r_printing.justify(lengths))] if any(lengths) else []),
        ("edf", _spread(r_printing.format_numbers(table["edf"], DIGITS), places)),
        ("Ref.df", _spread(r_printing.format_numbers(table["ref_df"], DIGITS), places)),
        (letter, _spread(r_printing.format_statistics(table["statistic"].to_numpy(), DIGITS), places)),
        ("p-value", _spread(r_printing.format_p_values(p_values, r_printing.statistic_digits(DIGITS)), places)),
    ]
    legend: tuple[str, ...] = ()
    if np.any(p_values < r_printing.CUTPOINTS[-1][0]):
        stars = r_printing.justify([r_printing.stars(p) for p in p_values], left=True)
        columns.append(("", _spread(stars, places)))
        legend = ("---", r_printing.LEGEND)
    lines = r_printing.table_lines(r_printing.justify(labels, left=True), columns)
    return Section(NAME, (f"{TITLE}:", *lines, *legend), table, TITLE)


def _length(fit: EstimateRecord, t: int) -> str:
    """The length scale of a Gaussian process; empty of other smooths."""
    if fit.design.terms[t].spectrum is None:
        return ""
    numbers = structure_of(fit.design.terms[t]).correlation.numbers(fit.values.corr[t])
    return r_printing.format_numbers(numbers, DIGITS)[0]


def _spread(cells: list[str], places: list[int | None]) -> list[str]:
    """Cells of curves in the rows of their first standard deviations."""
    return ["" if place is None else cells[place] for place in places]
