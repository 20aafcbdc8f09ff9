"""A design built again from the columns it was built from: after loading, or from some of its rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bayesmix.data.columns import Column, Factor
from bayesmix.data.design.build import build
from bayesmix.data.design.condensed import ReadTable
from bayesmix.data.design.design import Design
from bayesmix.data.design.inputs import OFFSET, WEIGHTS, Source
from bayesmix.data.design.layout import Part
from bayesmix.errors import DroppedWarning, SourceWarning

if TYPE_CHECKING:
    import pandas as pd


def rebuild(parts: Sequence[Part], source: Source) -> Design:
    """Build a design again; what was left out the first time is left out without a warning."""
    arguments, condensed = source.arguments, source.condensed
    arrays = {name: column.values for name, column in arguments.arrays.items() if not isinstance(column, Factor)}
    with silent():
        design = build(
            parts,
            to_frame(source.columns) if condensed is None else ReadTable(condensed, is_counted=condensed.is_counted),
            weights=arrays.get(WEIGHTS, arguments.weights),
            offset=arrays.get(OFFSET, arguments.offset),
            contrasts=source.contrasts,
            data2=source.relations,
        )
    return design.with_response(*(y[design.rows] for y in source.responses)) if source.responses else design


@contextmanager
def silent() -> Iterator[None]:
    """Say nothing of what has been said the first time: what was left out, and how little a source saves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DroppedWarning)
        warnings.simplefilter("ignore", SourceWarning)
        yield


def to_frame(columns: Mapping[str, Column]) -> pd.DataFrame:
    """The columns as a data frame; factors are categories, with their levels in order."""
    import pandas as pd

    return pd.DataFrame({name: _series(column) for name, column in columns.items()})


def _series(column: Column) -> pd.Series[Any]:
    import pandas as pd

    if not isinstance(column, Factor):
        return pd.Series(column.values)
    if column.kind == "boolean":
        return pd.Series(column.codes > 0, dtype="boolean").mask(column.missing)
    dtype = pd.CategoricalDtype(list(column.levels), ordered=column.kind == "ordered")
    return pd.Series(pd.Categorical.from_codes(column.codes, dtype=dtype))
