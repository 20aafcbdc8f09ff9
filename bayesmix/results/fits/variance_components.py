"""Variance components of a fit as one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.names import Parameters, covariance, sd_names
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.linear_predictor import correlated
from bayesmix.results.fits.residual_components import residual_components

if TYPE_CHECKING:
    import pandas as pd


def variance_components(
    design: Design, spec: ModelSpec, values: Parameters, centre: Callable[[Array], Array]
) -> pd.DataFrame:
    """One row a variance or covariance: ``group, effect1, effect2, covariance, sd_or_corr``.

    ``centre`` collapses the leading axes of values.
    """
    import pandas as pd

    rows: list[tuple[str, str, str | None, float, float]] = []
    for term, sd, corr in zip(design.terms, values.sd, values.corr, strict=True):
        matrix = centre(covariance(sd, corr if term.spectrum is None else np.eye(sd.shape[-1])))
        sizes, shape = centre(sd), centre(corr)
        for j, effect in enumerate(sd_names([term])[0] if term.smooth else term.effects):
            rows.append((term.group, effect, None, matrix[j, j], sizes[j]))
        rows += [(term.group, term.effects[j], term.effects[i], matrix[i, j], shape[i, j]) for i, j in correlated(term)]
    for first, second, variance, size in residual_components(design, spec, values):
        rows.append(("Residual", first, second, float(centre(variance)), float(centre(size))))
    return pd.DataFrame(rows, columns=["group", "effect1", "effect2", "covariance", "sd_or_corr"])
