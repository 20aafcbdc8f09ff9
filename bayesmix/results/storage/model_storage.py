"""A model as plain data: its words as JSON, its columns as arrays, and what its design must come out as."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.data.design.categories import with_categories
from bayesmix.data.design.design import Design
from bayesmix.data.design.inputs import Arguments, Source
from bayesmix.data.design.layout import parts_of
from bayesmix.data.design.model_design import check_responses, with_counts
from bayesmix.data.design.monotonic_terms import with_monotonic_effects
from bayesmix.data.design.rebuild import rebuild, to_frame
from bayesmix.data.relation import Relation
from bayesmix.errors import DataError, SpecError
from bayesmix.inference.estimation.curve_starts import with_starts
from bayesmix.language.families.family import Family
from bayesmix.language.families.registry import is_known
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.formula.spec_words import read_spec, spec_words
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.storage.condensed_storage import condensed_arrays, condensed_words, read_condensed
from bayesmix.results.storage.stored_columns import column_of, described, numbers_of_column

if TYPE_CHECKING:
    import xarray as xr


TOLERANCE = 1e-9  # relative difference of two sums that rounding may explain


def to_dataset(fitted: Fitted) -> xr.Dataset:
    """Write a model on its data.

    Raises
    ------
    SpecError
        If the family is one of the user's own, or the design was made by hand: there is no text for them.
    """
    import xarray as xr

    spec, design = fitted.spec, fitted.design
    if design.source is None:
        raise SpecError("This fit cannot be saved: its design was made by hand.")
    own = next((family for family in _families(spec) if not is_known(family)), None)
    if own is not None:
        raise SpecError(f"A model with a family of its own, `{own.name}`, cannot be saved: it has code, not data.")
    columns, arrays = design.source.columns, design.source.arguments.arrays
    words = {
        **spec_words(spec),
        "unread": sorted(design.source.unread),
        "weights": design.source.arguments.weights,
        "offset": design.source.arguments.offset,
        "contrasts": dict(design.source.contrasts),
        "data_name": fitted.data_name,
        "documented": dict(fitted.documented),
        "units": dict(fitted.units),
        "columns": [described(name, column) for name, column in columns.items()],
        "arrays": [described(name, column) for name, column in arrays.items()],
        "relations": [{"name": name, "labels": list(one.labels)} for name, one in design.source.relations.items()],
        "fingerprint": dict(fingerprint(design)),
    }
    stored = enumerate([*columns.values(), *arrays.values()])
    variables: dict[str, Any] = {f"column_{j}": ("row", numbers_of_column(column)) for j, column in stored}
    if design.source.condensed is not None:
        words["condensed"] = condensed_words(design.source.condensed)
        variables |= condensed_arrays(design.source.condensed)
    variables |= {f"response_{j}": ("row", values) for j, values in enumerate(design.source.responses)}
    for j, relation in enumerate(design.source.relations.values()):
        parts = {"row": relation.row, "column": relation.column, "value": relation.value}
        variables |= {f"relation_{j}_{part}": (f"entry_{j}", values) for part, values in parts.items()}
    return xr.Dataset(variables, attrs={"model": json.dumps(words)})


def from_dataset(stored: xr.Dataset) -> Fitted:
    """Read a model and build its design again.

    Raises
    ------
    DataError
        If the design does not come out as it was.
    """
    words = json.loads(stored.attrs["model"])
    described = [*words["columns"], *words["arrays"]]
    read = [(str(d["name"]), column_of(d, stored[f"column_{j}"].values)) for j, d in enumerate(described)]
    split = len(words["columns"])
    arguments = Arguments(words["weights"], words["offset"], dict(read[split:]))
    spec = read_spec(words)
    responses = tuple(stored[f"response_{j}"].values for j in range(len(spec.responses)) if f"response_{j}" in stored)
    unread = frozenset(words.get("unread", ()))
    relations = {str(d["name"]): _relation(d, j, stored) for j, d in enumerate(words.get("relations", []))}
    condensed = read_condensed(words["condensed"], stored) if "condensed" in words else None
    source = Source(dict(read[:split]), arguments, words["contrasts"], unread, responses, relations, condensed)
    if condensed is not None:
        spec = with_counts(spec)
    spec = with_monotonic_effects(spec, to_frame(source.columns))
    spec, design = with_categories(spec, rebuild(parts_of(spec), source))
    check_responses(spec, design)
    _check_same(words["fingerprint"], dict(fingerprint(design)))
    return Fitted(with_starts(spec, design), design, words["data_name"], words["documented"], words.get("units", {}))


def _relation(described: dict[str, Any], number: int, stored: xr.Dataset) -> Relation:
    labels = tuple(map(str, described["labels"]))
    row, column, value = (stored[f"relation_{number}_{part}"].values for part in ("row", "column", "value"))
    inside = np.all((column >= 0) & (column <= row) & (row < len(labels)))
    if (
        not inside
        or not np.array_equal(row[row == column], np.arange(len(labels)))
        or not np.all(value[row == column] > 0)
    ):
        raise DataError(f"The relation `{described['name']}` of the stored data is damaged.")
    return Relation(labels, row.astype(np.int64), column.astype(np.int64), np.asarray(value, np.float64))


def fingerprint(design: Design) -> Iterator[tuple[str, list[float]]]:
    """Sums of every column of the design, plain and weighted by position: equal up to rounding if the columns are."""
    arrays = {"X": design.X, "offset": design.offset, "rows": design.rows}
    for number, outcome in enumerate(design.outcomes):
        of = f" of response {number + 1}" if number else ""
        arrays |= {f"y{of}": np.nan_to_num(outcome.y), f"weights{of}": outcome.weights}
        if not outcome.is_complete:
            arrays[f"seen{of}"] = outcome.seen
        if outcome.has_trials:
            arrays[f"trials{of}"] = outcome.trials
    for term in design.terms:
        label = f"({' + '.join(term.effects)} | {term.group})"
        arrays |= {f"effects of {label}": term.z, f"levels of {label}": term.codes}
    for name, array in arrays.items():
        columns = array.reshape(len(array), -1).astype(float)
        position = 1.0 + np.arange(len(columns)) / len(columns)
        yield (
            name,
            [*columns.sum(axis=0).tolist(), *(position @ columns).tolist(), *np.abs(columns).sum(axis=0).tolist()],
        )


def _check_same(then: dict[str, list[float]], now: dict[str, list[float]]) -> None:
    for name in sorted(then.keys() | now.keys()):
        first, second = np.array(then.get(name, [])), np.array(now.get(name, []))
        if first.shape != second.shape or not np.all(
            np.abs(first - second) <= TOLERANCE * (1.0 + np.abs(first).max(initial=0.0))
        ):
            raise DataError(
                f"The design built from the stored data is not the one that was fitted: {name} differ(s). The file was"
                " changed, or written by a version of bayesmix that coded them otherwise; load it with that version."
            )


def _families(spec: ModelSpec) -> list[Family]:
    return [spec.family, *(response.family for response in spec.responses)]
