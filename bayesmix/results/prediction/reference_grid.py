"""Reference grids: some predictors vary, the others are held at typical values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.inputs import OFFSET
from bayesmix.data.design.row_statistics import mean
from bayesmix.errors import DataError, SpecError, nearest
from bayesmix.language.formula.expression import column_names, spell_name
from bayesmix.language.formula.reader import read
from bayesmix.results.prediction.observed_columns import ObservedColumn, is_factor, observed_columns
from bayesmix.results.prediction.predict import Groups
from bayesmix.results.prediction.rows import PredictionRows

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 100_000


def predictors(design: Design, predictor: int | None = 0) -> list[str]:
    """Columns of the fixed part and of the smooths of a linear predictor, of all of them for None.

    To all belongs what rows have in place of coefficients: the columns of a nonlinear mean.
    """
    encoder = design.encoder
    if encoder is None:
        return []
    chosen = range(len(encoder.predictors)) if predictor is None else (predictor,)
    smooths = (term for term in encoder.terms if term.is_population)
    texts = [text for r in chosen for text in encoder.predictors[r].fixed.terms.used]
    texts += [text for term in smooths for text in term.used(chosen)]
    if predictor is None:
        moved = {*design.layout.owners, *(owner for term in design.terms for owner in term.owners)}
        texts += [text for r in chosen if r not in moved for text in encoder.predictors[r].offsets]
    return list(dict.fromkeys(name for text in texts for name in column_names(read(text)) if name != "pi"))


def check_predictor(design: Design, name: str, predictor: int | None = 0) -> None:
    """Raise `DataError` unless a column is in the fixed part of a linear predictor."""
    if not isinstance(name, str):
        raise SpecError(
            f'A predictor is the name of a column, several are one after the other, "a", "b", not {name!r}.'
        )
    known = predictors(design, predictor)
    if name not in known:
        is_any = design.R == 1 or predictor is None
        whose = "" if is_any else f" of `{design.layout.prefixes[predictor or 0].strip('_') or design.response}`"
        listed = f"It has {', '.join(known)}." if known else "It has none."
        raise DataError(f"`{name}` is not a predictor of the fixed part{whose}.{nearest(name, known)} {listed}")


def check_points(points: int) -> None:
    """Raise `SpecError` if a curve has none, or more than anybody looks at."""
    if not 1 <= points <= MOST_POINTS:
        raise SpecError(f"points={points}: a curve has from 1 to {MOST_POINTS} points.")


def spread_out(design: Design, name: str, points: int) -> list[Any]:
    """Values of a predictor over its range: all levels of a factor, evenly spaced numbers.

    Raises
    ------
    SpecError
        If there are to be none of them, or more than a curve can show.
    """
    check_points(points)
    if is_factor(design, name):
        return levels_of(design, name)
    return list(np.linspace(*observed_columns(design)[name].range, points))


def levels_of(design: Design, name: str) -> list[Any]:
    """Levels of a factor that occur, in its order."""
    return observed_columns(design)[name].levels


def grid(
    design: Design, varying: Mapping[str, Sequence[Any]], *, cross: bool, predictor: int | None = 0
) -> pd.DataFrame:
    """All combinations of the varying predictors, the others at typical values.

    Parameters
    ----------
    varying : values by column.
    cross : combine with all levels of the other factors of the fixed part, for marginal means; otherwise those are at
        their most frequent level. Numbers are at their means, columns that only group at their most frequent level,
        numbers among them too.
    predictor : whose fixed part it is; that of all for None.

    Raises
    ------
    DataError
        If a value of a factor is none of its levels.
    """
    import pandas as pd

    columns = observed_columns(design)
    known = predictors(design, predictor)
    axes = dict(varying)
    if cross:
        axes |= {name: levels_of(design, name) for name in known if name not in axes and is_factor(design, name)}
    rows = pd.DataFrame(list(product(*axes.values())), columns=list(axes))
    held = [name for name in columns if name not in axes]
    only_group = {name for name in held if name not in known} & _grouping_columns(design)
    typical = {name: _typical(columns[name], only_groups=name in only_group) for name in held}
    result = rows.assign(**typical)
    for name in result.columns:
        dtype = columns[name].values.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            result[name] = _with_levels(name, result[name].astype(str), dtype)
        elif dtype == "boolean":
            result[name] = result[name].astype("boolean")
    return result


def _grouping_columns(design: Design) -> set[str]:
    """Columns that make the grouping factors."""
    terms = () if design.encoder is None else design.encoder.terms
    return {name for term in terms for text in term.factors for name in column_names(read(text))}


def _with_levels(name: str, values: pd.Series[Any], dtype: pd.CategoricalDtype) -> pd.Series[Any]:
    """Text as a factor of the data; `DataError` for what is no level of it."""
    levels = [str(level) for level in dtype.categories]
    unseen = next((value for value in values if value not in levels), None)
    if unseen is not None:
        shown = ", ".join(levels[:20]) + ", ..." * (len(levels) > 20)
        raise DataError(f"`{name}` has no level `{unseen}`.{nearest(unseen, levels)} Levels: {shown}.")
    return values.astype(dtype)


def _typical(column: ObservedColumn, *, only_groups: bool) -> Any:
    """The mean of numbers, the most frequent level of a factor."""
    is_number = column.values.dtype.kind == "f" and not column.is_category
    return column.mean if is_number and not only_groups else column.most_frequent


def code(design: Design, frame: pd.DataFrame, groups: Groups, predictor: int | None = 0) -> PredictionRows:
    """Rows of a linear predictor for a grid."""
    offset = mean_offset(design, len(frame))
    return PredictionRows.of_new_data(design, frame, groups, offset, predictor=predictor)


def mean_offset(design: Design, n: int) -> Array | None:
    """The mean of an offset that was given as an array, for ``n`` new rows; None where there is none."""
    encoder = design.encoder
    by_array = encoder is not None and encoder.offset == spell_name(OFFSET)
    return np.full(n, float(mean(design.offset[design.block(0)], design.counts))) if by_array else None
