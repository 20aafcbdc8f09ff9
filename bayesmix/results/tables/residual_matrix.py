"""The residual structure in summaries: its blocks, and the matrix of an unstructured one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.correlation import Free
from bayesmix.inference.parameters.residual_families import family_of
from bayesmix.results.fits.accessors import over_rows
from bayesmix.results.fits.correlated_residuals import residual_correlation
from bayesmix.results.fits.row_parameters import row_parameters
from bayesmix.results.tables import r_printing
from bayesmix.results.tables.summary_sections import DIGITS, Section

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import FitRecord

TITLE = "Residual covariance"


def residual_matrix_section(fit: FitRecord) -> Section:
    """Blocks of the structure; standard deviations and correlations of the visits."""
    blocks = fit.design.data.blocks
    if blocks is None:
        return Section("residual_matrix", ())
    sizes = np.bincount(blocks.block)
    rows = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    first = f"{TITLE}: {blocks.structure.term}, {len(sizes)} blocks of {rows} rows"
    matrix = residual_matrix(fit)
    if matrix is None:
        return Section("residual_matrix", (first,))
    sd = np.sqrt(np.diagonal(matrix))
    corr = matrix.to_numpy() / np.outer(sd, sd)
    columns = [("Std.Dev.", r_printing.format_numbers(sd, DIGITS))]
    for j in range(len(sd) - 1):
        texts = r_printing.format_numbers(np.round(corr[j + 1 :, j], 3), decimals=3)
        columns.append(("Corr" if not j else "", [*[""] * (j + 1), *texts]))
    lines = r_printing.table_lines([str(name) for name in matrix.index], columns)
    return Section("residual_matrix", (f"{first}:", *lines), matrix, TITLE)


def residual_matrix(fit: FitRecord) -> pd.DataFrame | None:
    """Covariance of the residuals of a whole block, a row and column a visit; None where that is not one matrix."""
    import pandas as pd

    blocks = fit.design.data.blocks
    if blocks is None or not isinstance(family_of(blocks.structure), Free):
        return None
    sigma = over_rows(fit, lambda eta, values: row_parameters(fit.spec, eta, values)[1])
    sd = np.array([sigma[blocks.place == place][0] for place in range(blocks.structure.size)])
    if not np.allclose(sd[blocks.place], sigma):
        return None
    C: Array = residual_correlation(blocks, fit.values.beta)
    C = C.reshape(-1, *C.shape[-2:]).mean(axis=0)
    names = list(blocks.structure.visits)
    return pd.DataFrame(C * np.outer(sd, sd), index=names, columns=names)
