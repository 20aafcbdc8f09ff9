"""Rows that stand for those of data that stay where they are, as plain data: what a fit of them keeps of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.data.columns import Numeric
from bayesmix.data.data_origin import Origin
from bayesmix.data.design.condensed import Condensed, Spread
from bayesmix.errors import BayesmixWarning, DataError, warn_user
from bayesmix.results.storage.stored_columns import column_of, described, numbers_of_column

if TYPE_CHECKING:
    import xarray as xr


def condensed_words(condensed: Condensed) -> dict[str, Any]:
    """What is not an array."""
    return {
        "origin": asdict(condensed.origin),
        "names": list(condensed.names),
        "n_given": condensed.n_given,
        "missing": dict(condensed.missing),
        "spreads": {name: asdict(one) for name, one in condensed.spreads.items()},
        "keys": [described(name, column) for name, column in condensed.keys.items()],
        "numbers": list(condensed.numbers),
        "kinds": [described(name, column) for name, column in condensed.kinds.items()],
    }


def condensed_arrays(condensed: Condensed) -> dict[str, Any]:
    """Variables of a Zarr group."""
    found: dict[str, Any] = {"cell_counts": ("cell_row", condensed.counts)}
    for what, columns in (("key", condensed.keys), ("number", condensed.numbers)):
        found |= {f"cell_{what}_{j}": ("cell_row", numbers_of_column(one)) for j, one in enumerate(columns.values())}
    return found


def read_condensed(words: Mapping[str, Any], stored: xr.Dataset) -> Condensed:
    """Read them again, and say where the files that they are of have changed since.

    Raises
    ------
    DataError
        If they are damaged.

    Warns
    -----
    BayesmixWarning
        If files of the data have changed.
    """
    counts = np.asarray(stored["cell_counts"].values, np.float64)
    if not np.all(counts > 0.0):
        raise DataError("The sums of the stored data are damaged.")
    origin = Origin(**words["origin"])
    changed = origin.changed()
    if changed:
        warn_user(f"{changed} The fit is that of the data as they were.", BayesmixWarning)
    return Condensed(
        kinds={str(one["name"]): column_of(one, np.zeros(0)) for one in words["kinds"]},
        keys={str(d["name"]): column_of(d, stored[f"cell_key_{j}"].values) for j, d in enumerate(words["keys"])},
        numbers={
            str(text): Numeric(np.asarray(stored[f"cell_number_{j}"].values, np.float64))
            for j, text in enumerate(words["numbers"])
        },
        counts=counts,
        n_given=int(words["n_given"]),
        missing={str(name): int(count) for name, count in words["missing"].items()},
        spreads={str(name): Spread(**one) for name, one in words["spreads"].items()},
        names=tuple(map(str, words["names"])),
        origin=origin,
    )
