"""Tables of a study of power: replicates by size, shares with the error of the simulation, and their text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.results.fits.degrees_of_freedom import quantile
from bayesmix.studies.power_curve import clopper_pearson

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 80  # of lines of text
SHOWN = ("power", "lower", "upper", "width", "coverage", "singular", "failed")


def by_size(
    parts: Sequence[Sequence[Sequence[float]]], sizes: Sequence[Mapping[str, int]], columns: Sequence[str]
) -> pd.DataFrame:
    """Rows of numbers of each size, one below the other; sizes are the index."""
    import pandas as pd

    names = list(sizes[0])
    keys = [tuple(size.values()) for size, part in zip(sizes, parts, strict=True) for _ in part]
    index: Any = pd.MultiIndex.from_tuples(keys, names=names) if len(names) > 1 else None
    if len(names) == 1:
        index = pd.Index([key[0] for key in keys], name=names[0])
    return pd.DataFrame([row for part in parts for row in part], columns=list(columns), index=index)


def described(replicates: pd.DataFrame, observations: pd.Series[int], alpha: float) -> pd.DataFrame:
    """One row a size: see `Power.table`."""
    import pandas as pd

    names = list(replicates.index.names)
    groups = replicates.groupby(names, sort=False) if names != [None] else replicates.groupby(lambda _: 0)
    table = pd.DataFrame([_one(part, alpha) for _, part in groups], index=observations.index)
    table.insert(0, "observations", observations)
    return table


def _one(part: pd.DataFrame, alpha: float) -> dict[str, float]:
    n, rejected = len(part), part["p_value"].to_numpy() <= alpha
    share = float(rejected.mean()) if not part["failed"].all() else np.nan  # of nothing fitted nothing is known
    lower, upper = np.where(np.isnan(share), np.nan, clopper_pearson(np.array(rejected.sum()), np.array(n)))
    error = part["estimate"] - part["truth"]
    half = quantile(part["df"].to_numpy(), 1.0 - alpha) * part["std_error"].to_numpy()
    with np.errstate(invalid="ignore"):
        inside = np.where(np.isnan(half), np.nan, np.abs(error) <= half)
    found = {"power": share, "lower": float(lower), "upper": float(upper), "mcse": np.sqrt(share * (1.0 - share) / n)}
    found |= {"width": _mean(2.0 * half), "coverage": _mean(inside), "bias": _mean(error.to_numpy())}
    found |= _exaggeration(part[rejected])
    return found | {"singular": part["singular"].mean(), "failed": part["failed"].mean(), "replicates": n}


def _exaggeration(rejected: pd.DataFrame) -> dict[str, float]:
    """Errors of sign and size of the estimates for which the hypothesis is rejected."""
    truth, estimate = rejected["truth"].to_numpy(), rejected["estimate"].to_numpy()
    told = (truth != 0.0) & np.isfinite(truth)
    return {
        "type_s": _mean((np.sign(estimate) != np.sign(truth))[told]),
        "type_m": _mean(np.abs(estimate[told] / truth[told])),
    }


def _mean(values: Any) -> float:
    """Mean of what is there."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def text_of(table: pd.DataFrame, heading: Iterable[str], advice: Iterable[str]) -> str:
    """The table in lines of at most 80 columns."""
    shown = table[["observations", *SHOWN]].rename(columns={"observations": "obs"})
    formats = dict.fromkeys(("power", "lower", "upper", "coverage", "singular", "failed"), "{:.3f}".format)
    whole = shown if shown.index.names == [None] else shown.reset_index()
    lines = whole.to_string(index=False, formatters={**formats, "width": "{:.4g}".format}, na_rep="", line_width=WIDTH)
    n = int(table["replicates"].iloc[0])
    notes = [f"{n} data sets a size; limits: 95 %, by the error of the simulation."]
    around = [line for text in (*notes, *advice) for line in wrap(text, WIDTH)]
    return "\n".join([*(line for text in heading for line in wrap(text, WIDTH)), *lines.splitlines(), *around])
