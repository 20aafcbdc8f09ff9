"""The table of a comparison: every parameter of every fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.results.comparison.comparison_tables import STD_ERROR, SUMMARY, prefix_of
from bayesmix.results.comparison.decomposition import Centre, Decomposition, decompose, describe_all, scalars
from bayesmix.results.comparison.explanation import SAME
from bayesmix.results.comparison.flat_prior_posterior import is_quick, reference_of, why_not_flat
from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord
from bayesmix.results.fits.refit import by_maximum_likelihood

if TYPE_CHECKING:
    import pandas as pd


def decompositions(
    fits: Mapping[str, EstimateRecord | PosteriorRecord], causes: bool | None, groups: bool, centre: Centre
) -> tuple[tuple[Decomposition, ...], tuple[str, ...]]:
    """Decomposition from the first fit to every other posterior, if that is wanted, or quick."""
    (label, start), *others = fits.items()
    ends = [(name, fit) for name, fit in others if isinstance(fit, PosteriorRecord)]
    if not ends or causes is False:
        return (), ()
    if causes is None and not is_quick(start):
        later = "Why they differ: compare(..., causes=True) takes the time to refit the model and to tell."
        return (), (_why_none(start, ends[0][1], centre) or later,)
    found = [
        decompose(start, end, (label, name), centre=centre, groups=groups, costly=bool(causes)) for name, end in ends
    ]
    reasons = dict.fromkeys(way for way in found if isinstance(way, str))
    notes = dict.fromkeys(note for way in found if isinstance(way, Decomposition) for note in way.notes)
    return tuple(way for way in found if isinstance(way, Decomposition)), (*reasons, *notes)


def _why_none(start: EstimateRecord | PosteriorRecord, end: PosteriorRecord, centre: Centre) -> str | None:
    """Why there is no decomposition, where that costs little to know: of an estimate that the data do not tell."""
    has_end = isinstance(start, PosteriorRecord) or not start.problems
    return None if has_end else why_not_flat(end, centre)


def comparison_table(
    fits: Mapping[str, EstimateRecord | PosteriorRecord],
    figures: Mapping[str, float],
    decompositions: Sequence[Decomposition],
    groups: bool,
    centre: Centre,
) -> pd.DataFrame:
    """One row a parameter, the fits in columns, the documented figures before them."""
    import pandas as pd

    described = {label: _describe(fit, groups) for label, fit in fits.items()}
    index = next(iter(described.values())).index
    columns: dict[str, pd.Series] = {}
    if any(name in figures for name in index):
        columns["documented"] = pd.Series([figures.get(name, np.nan) for name in index], index)
    by_reml = next((fit for fit in fits.values() if isinstance(fit, EstimateRecord) and fit.method == "REML"), None)
    if decompositions and by_reml is not None and not _has_maximum_likelihood(fits):
        columns["ML"] = scalars(by_maximum_likelihood(by_reml), groups=groups)
    for label in _of_kind(fits, EstimateRecord):
        columns |= {label: described[label]["estimate"], label + STD_ERROR: described[label]["std_error"]}
    if decompositions and "flat mode" in decompositions[0].stages:
        columns["flat mode"] = decompositions[0].stages["flat mode"]
    posteriors = _of_kind(fits, PosteriorRecord)
    for label in posteriors:
        columns |= {prefix_of(label) + name: described[label][name] for name in SUMMARY}
    start = next(iter(fits))
    begin = described[start]["estimate" if isinstance(fits[start], EstimateRecord) else centre]
    for label in posteriors:
        if label != start:
            name = "shift" if len(fits) == 2 else f"shift {label}"
            columns[name] = (described[label][centre] - begin) / described[label]["sd"]
    return pd.DataFrame(columns | _shares(decompositions), index=index)


def _of_kind(fits: Mapping[str, FitRecord], kind: type[FitRecord]) -> list[str]:
    return [label for label, fit in fits.items() if isinstance(fit, kind)]


def _has_maximum_likelihood(fits: Mapping[str, FitRecord]) -> bool:
    return "ML" in fits or any(is_maximum_likelihood(fit) for fit in fits.values())


def _shares(decompositions: Sequence[Decomposition]) -> dict[str, pd.Series]:
    """What each cause has of a difference; shares of nothing are noise, and left out."""
    found: dict[str, pd.Series] = {}
    for way in decompositions:
        prefix = "share" if len(decompositions) == 1 else f"share {way.end}"
        shares = way.shares.where(way.shift.abs() >= SAME)
        found |= {f"{prefix} {cause}": share for cause, share in shares.items()}
    return found


def _describe(fit: EstimateRecord | PosteriorRecord, groups: bool) -> pd.DataFrame:
    """The columns of one fit."""
    if isinstance(fit, PosteriorRecord):
        table = describe_all(reference_of(fit, groups=groups))
        table.index.name = "parameter"
        return table
    values = scalars(fit, groups=groups).rename("estimate").to_frame()
    values["std_error"] = fit.parameters()["std_error"].reindex(values.index)
    return values


def is_maximum_likelihood(fit: FitRecord) -> bool:
    """Whether a fit is an estimate by maximum likelihood."""
    return isinstance(fit, EstimateRecord) and fit.method == "ML"
