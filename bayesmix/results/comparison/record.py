"""A comparison as a record: the table, the fits it is of, and the decompositions of their differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bayesmix.results.comparison.decomposition import Centre, Decomposition
from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonRecord:
    """Fits of one model side by side."""

    table: pd.DataFrame
    formula: str
    labels: tuple[str, ...]
    fits: tuple[EstimateRecord | PosteriorRecord, ...]  # in the order of ``labels``
    decompositions: tuple[Decomposition, ...]  # from the first estimate, or posterior, to each other posterior
    notes: tuple[str, ...]  # why there are no more of them
    centre: Centre


def first_posterior(comparison: ComparisonRecord) -> PosteriorRecord | None:
    """The first posterior, if there is one."""
    return next((fit for fit in comparison.fits if isinstance(fit, PosteriorRecord)), None)
