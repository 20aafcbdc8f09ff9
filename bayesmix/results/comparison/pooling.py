"""Three ways of pooling: one regression for all groups, one for each group, and the mixed model between the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.language.arguments import explained
from bayesmix.results.fits.linear_predictor import (
    GroupEffects,
    codes_of,
    coefficient_columns,
    coefficients,
    find_group,
    varying_columns,
)
from bayesmix.results.fits.marginal_summary import describe
from bayesmix.results.fits.named_fits import by_method, named_fits
from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord
from bayesmix.results.fits.refit import no_pooling, regression

if TYPE_CHECKING:
    import pandas as pd


@explained
def pooling(
    *fits: EstimateRecord | PosteriorRecord | Mapping[str, EstimateRecord | PosteriorRecord],
    labels: Sequence[str] | None = None,
    group: str | None = None,
) -> pd.DataFrame:
    """Put the coefficients of every group side by side, by how much is borrowed from the other groups.

    Parameters
    ----------
    *fits : an estimate, a posterior, or both, of one model, or a dict of them by label.
    labels : names of the fits' columns: of an estimate by itself, before those of a posterior. By default an estimate's
        is its method, and a posterior has none.
    group : the grouping factor; the first by default.

    Returns
    -------
    DataFrame
        One row a level and effect: ``rows`` of data in the level; ``complete`` pooling (one regression on all rows,
        groups ignored) and ``none`` (what varies between levels is each level's own, all other coefficients are common;
        where all vary, a regression on the level's rows alone), each with ``std_error``; then partial pooling: the
        coefficients of each estimate by its method, of a posterior ``mean, sd, lower, upper``. Blank where a level
        alone does not tell: too few rows, counts that are all zero or separated.

    Raises
    ------
    SpecError
        If no fit was given, or the grouping factor does not exist.
    """
    import pandas as pd

    named = named_fits(fits, labels, "pooling", wanted=(EstimateRecord, PosteriorRecord), default=by_method)
    if not named:
        raise SpecError("pooling needs a fit: pooling(model.estimate(), model.sample()).")
    first = next(iter(named.values()))
    design = first.design
    chosen = find_group(design, group)
    levels, names = chosen.levels, coefficient_columns(design, chosen)
    index = pd.MultiIndex.from_product([levels, names], names=[chosen.group, "effect"])
    codes = codes_of(design, chosen)
    table = pd.DataFrame({"rows": np.repeat(np.bincount(codes, minlength=len(levels)), len(names))}, index=index)
    whole = [np.tile(one, (len(levels), 1)) for one in regression(first, np.ones(len(design.y), bool))]
    alone = no_pooling(first, codes, varying_columns(design, chosen))
    fixed = [(level, name) for level in levels for name in design.layout.coefficients]
    shown = [design.fixed.index(name) for name in design.layout.coefficients]
    for label, (beta, error) in {"complete": whole, "none": alone}.items():
        table.loc[fixed, label] = beta[:, shown].ravel()
        table.loc[fixed, f"{label} std_error"] = error[:, shown].ravel()
    for label, fit in named.items():
        for column, values in _partial(fit, label, chosen).items():
            table[column] = values
    return table


def _partial(fit: FitRecord, label: str, group: GroupEffects) -> dict[str, Array]:
    """The columns of the mixed model."""
    names, values = coefficients(fit.design, fit.with_effects, group)
    flat = values.reshape(*values.shape[:-2], -1)
    if isinstance(fit, EstimateRecord):
        return {label: flat}
    prefix = "" if label == "posterior" else f"{label} "
    table = describe(flat, [f"{level} {name}" for level in group.levels for name in names], 0.95)
    return {f"{prefix}{column}": table[column].to_numpy() for column in ("mean", "sd", "lower", "upper")}
