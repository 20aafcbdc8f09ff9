"""A comparison in blocks of tables and words, for text, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.results.comparison.decomposition import Decomposition, cause_between
from bayesmix.results.comparison.explanation import explain, legend, say_between
from bayesmix.results.comparison.record import ComparisonRecord, first_posterior
from bayesmix.results.comparison.singular_fit import explain_singular
from bayesmix.results.criticism.confidence_intervals import METHODS as ESTIMATED
from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord
from bayesmix.results.tables.blocks import Block
from bayesmix.results.tables.r_printing import decimals_for, fixed_point

if TYPE_CHECKING:
    import pandas as pd


SUMMARY = ("mode", "median", "mean", "sd", "lower", "upper")  # columns of a posterior
STD_ERROR = " std_error"
METHODS = (*ESTIMATED, "credible")


def prefix_of(label: str) -> str:
    """What the columns of a posterior start with."""
    return "" if label == "posterior" else f"{label} "


def blocks_of_comparison(comparison: ComparisonRecord) -> Iterator[Block]:
    """Estimates, posteriors, why they differ, singular fits, intervals, and what was not computed."""
    labels = comparison.labels
    yield Block(f"Comparison of {' and '.join(labels)}", words=(f"Formula: {comparison.formula}",))
    table = comparison.table
    decimals = _decimals(comparison)
    point = [name for name in table.columns if _is_point(name, labels)]
    if point:
        yield _numbers("Estimates", table[point], decimals)
    posteriors = [label for label, fit in zip(labels, comparison.fits, strict=True) if isinstance(fit, PosteriorRecord)]
    yield from (_of_posterior(comparison, label, decimals) for label in posteriors)
    if first_posterior(comparison) is None:
        yield from _between_estimates(comparison, decimals)
    for way in comparison.decompositions:
        yield from _on_decomposition(way, comparison, decimals)
    named = [name.removesuffix(" lower") for name in table.columns]
    limits = [name for name in named if name in METHODS]
    if limits:
        yield _intervals(table, limits, decimals)
    singular = _on_singular(comparison)
    if singular:
        yield Block("Singular fit", words=singular)
    if comparison.notes:
        yield Block("Not computed", words=comparison.notes)


def _of_posterior(comparison: ComparisonRecord, label: str, decimals: Sequence[int]) -> Block:
    """Summary of a posterior, and its shift from the first fit."""
    table = comparison.table
    names = [prefix_of(label) + name for name in SUMMARY]
    names += ["shift", f"shift {label}"] if label != comparison.labels[0] else []
    own = table[[name for name in names if name in table]]
    own.columns = [name.removeprefix(prefix_of(label)) for name in own.columns]
    return _numbers(label.capitalize(), own, decimals, tuple(_on_shift(comparison, own)))


def _is_point(name: str, labels: Sequence[str]) -> bool:
    return name in {"documented", "ML", *labels} or name.endswith(STD_ERROR) or name == "flat mode"


def _decimals(comparison: ComparisonRecord) -> list[int]:
    """Decimals by row: three significant digits of a posterior sd or a standard error, else of the value itself."""
    table = comparison.table
    spread = [name for name in table.columns if name.endswith(("sd", STD_ERROR))]
    found = []
    for _, row in table.iterrows():
        sizes = [row[name] for name in spread if row[name] > 0.0] or [abs(row.dropna().iloc[0])]
        found.append(decimals_for(float(min(sizes))))
    return found


def _numbers(title: str, table: pd.DataFrame, decimals: Sequence[int], words: tuple[str, ...] = ()) -> Block:
    """A block of numbers; shifts have decimals of their own, documented figures are as printed."""
    columns = []
    for name in table.columns:
        if name == "documented":
            cells = ["" if np.isnan(value) else f"{value:.7g}" for value in table[name]]
        elif name.startswith("shift"):
            cells = [fixed_point(value, 2) for value in table[name]]
        else:
            cells = [fixed_point(value, places) for value, places in zip(table[name], decimals, strict=True)]
        columns.append((_heading(name), tuple(cells)))
    return Block(title, tuple(map(str, table.index)), tuple(columns), words)


def _heading(name: str) -> str:
    return {"lower": "2.5 %", "upper": "97.5 %"}.get(name, name.replace("std_error", "std. error"))


def _intervals(table: pd.DataFrame, methods: Sequence[str], decimals: Sequence[int]) -> Block:
    """Both limits of an interval in one cell."""
    columns = []
    for method in methods:
        limits = zip(table[f"{method} lower"], table[f"{method} upper"], decimals, strict=True)
        texts = ((fixed_point(lower, places), fixed_point(upper, places)) for lower, upper, places in limits)
        cells = tuple(f"{lower}, {upper}" if lower else "" for lower, upper in texts)
        columns.append((method, cells))
    return Block("Intervals, 95 %", tuple(map(str, table.index)), tuple(columns))


def _on_shift(comparison: ComparisonRecord, table: pd.DataFrame) -> Iterator[str]:
    if any(name.startswith("shift") for name in table.columns):
        yield f"shift: (posterior {comparison.centre} - {comparison.labels[0]}) / posterior sd"


def _on_decomposition(way: Decomposition, comparison: ComparisonRecord, decimals: Sequence[int]) -> Iterator[Block]:
    steps = way.steps
    cells = [(way.start, way.stages.iloc[:, 0]), *((f"+ {cause}", steps[cause]) for cause in steps.columns)]
    cells += [(f"= {way.centre}", way.stages.iloc[:, -1]), ("+- MCSE", way.mcse)]
    columns = tuple(
        (heading, tuple(fixed_point(value, places) for value, places in zip(values, decimals, strict=True)))
        for heading, values in cells
    )
    sentences = explain(way, comparison.fits[0].design)
    words = (legend(way), *(f"{name}: {text}" for name, text in sentences.items()))
    names = tuple(map(str, steps.index))
    yield Block(f"Why they differ: from {way.start} to the {way.centre} of the {way.end}", names, columns, words)


def _between_estimates(comparison: ComparisonRecord, decimals: Sequence[int]) -> Iterator[Block]:
    """From the first of several estimates to each other: one step, where the methods differ by one thing."""
    (start, first), *others = zip(comparison.labels, comparison.fits, strict=True)
    for label, fit in others:
        cause = cause_between(first, fit)
        if cause is None:
            continue
        ends = [comparison.table[start], comparison.table[label]]
        columns = tuple(
            (heading, tuple(fixed_point(value, places) for value, places in zip(values, decimals, strict=True)))
            for heading, values in ((start, ends[0]), (f"+ {cause}", ends[1] - ends[0]), (f"= {label}", ends[1]))
        )
        words = (say_between(start, label, cause, ends[0], ends[1]),)
        yield Block(f"Why they differ: from {start} to {label}", tuple(map(str, ends[0].index)), columns, words)


def _on_singular(comparison: ComparisonRecord) -> tuple[str, ...]:
    posterior = first_posterior(comparison)
    estimates = (fit for fit in comparison.fits if isinstance(fit, EstimateRecord))
    return next((words for fit in estimates if (words := explain_singular(fit, posterior))), ())
