"""Values of rows with the index of the data they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesmix.arrays import Array
from bayesmix.results.fits.chosen_parameter import choose

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import FitRecord


def by_row(fit: FitRecord, values: Array, response: str | None) -> Any:
    """Values ``(n,)`` as a Series, ``(n, K)`` of categories as a DataFrame, a row each of those used."""
    import pandas as pd

    one = fit.spec.responses[choose(fit.spec, response=response).response]
    if values.ndim == 2:
        return pd.DataFrame(values, index=row_index(fit), columns=list(one.family.levels))
    return pd.Series(values, index=row_index(fit), name=one.label)


def row_index(fit: FitRecord) -> pd.Index:
    """Labels of the rows used: those of a pandas table as it was given, else positions, as after loading a fit."""
    import pandas as pd

    given, rows = fit.fitted_model.data, fit.design.rows
    return given.index[rows] if isinstance(given, pd.DataFrame) else pd.Index(rows)
