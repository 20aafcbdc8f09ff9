"""The data sets that come with bayesmix, with the types of their columns as in R."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from bayesmix.errors import SpecError, nearest
from bayesmix.language.arguments import explained

if TYPE_CHECKING:
    import pandas as pd


@explained
def dataset_names() -> tuple[str, ...]:
    """Return the names that `load_dataset` knows."""
    return tuple(sorted(file.name.removesuffix(".csv") for file in _folder().iterdir() if file.name.endswith(".csv")))


@explained
def load_dataset(name: str) -> pd.DataFrame:
    """Read a data set.

    Factors are categorical columns with their levels in order, ordered where R's are. The frame's ``attrs`` hold the
    ``source``, ``licence`` and ``attribution``, and ``units`` of the columns that have one, for the axes of figures.

    Raises
    ------
    SpecError
        If there is no data set of this name.
    """
    import pandas as pd

    if not isinstance(name, str):
        raise SpecError(f"A data set is called by its name, not {name!r}. There are {', '.join(dataset_names())}.")
    if name not in dataset_names():
        known = dataset_names()
        raise SpecError(f"There is no data set `{name}`.{nearest(name, known)} There are {', '.join(known)}.")
    about = json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))
    types = {column["name"]: _dtype(column) for column in about["columns"]}
    with (_folder() / f"{name}.csv").open(encoding="utf-8") as file:
        text = {column for column, dtype in types.items() if not isinstance(dtype, str)}
        frame = pd.read_csv(file, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=[""])
    frame = frame.astype(types)
    frame.attrs.update({key: about[key] for key in ("source", "licence", "attribution") if about.get(key)})
    frame.attrs["units"] = {column["name"]: column["unit"] for column in about["columns"] if "unit" in column}
    return frame


def _folder() -> Traversable:
    return files("bayesmix.data") / "datasets"


def _dtype(column: dict[str, Any]) -> Any:
    import pandas as pd

    match column["type"]:
        case "factor":
            return pd.CategoricalDtype(column["levels"], ordered=column["ordered"])
        case "integer":
            return "int64"
        case "number":
            return "float64"
    return "str"
