"""What the columns of a fit's data were like: where numbers lie, which levels occur, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric
from bayesmix.data.design.condensed import Condensed, Spread
from bayesmix.data.design.design import Design
from bayesmix.data.design.inputs import Source
from bayesmix.data.design.rebuild import to_frame
from bayesmix.data.design.row_statistics import mean, spread
from bayesmix.errors import SpecError
from bayesmix.language.formula.expression import column_names
from bayesmix.language.formula.monotonic import is_monotonic
from bayesmix.language.formula.reader import read

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class ObservedColumn:
    """A column over the rows of a fit."""

    values: pd.Series[Any]  # (n,); none where the rows stay where they are, of numbers by which these are not grouped
    counts: Array | None = None  # (n,) rows that each stands for; None where each is one
    known: Spread | None = None  # of numbers whose values are not there
    is_category: bool = False  # whether numbers are the categories of a monotonic effect, between which there is none

    @property
    def mean(self) -> float:
        """Mean of numbers."""
        if self.known is not None:
            return self.known.mean
        return float(self.values.mean() if self.counts is None else mean(self.values.to_numpy(), self.counts))

    @property
    def sd(self) -> float:
        """Standard deviation of numbers."""
        if self.known is not None:
            return self.known.sd
        return float(self.values.std() if self.counts is None else spread(self.values.to_numpy(), self.counts, ddof=1))

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest of numbers."""
        if self.known is not None:
            return self.known.low, self.known.high
        return float(self.values.min()), float(self.values.max())

    @property
    def most_frequent(self) -> Any:
        """The most frequent value, of several the first."""
        if self.counts is None:
            return self.values.mode().iloc[0]
        import pandas as pd

        return pd.Series(self.counts).groupby(self.values, observed=True).sum().idxmax()

    @property
    def levels(self) -> list[Any]:
        """Levels of a factor that occur, in its order."""
        if self.values.dtype == "boolean" or self.is_category:
            return sorted(self.values.unique())
        return [level for level in self.values.cat.categories if (self.values == level).any()]


def observed(design: Design, what: str = "An average over the rows") -> pd.DataFrame:
    """The columns that the model names, rows of the fit only.

    Raises
    ------
    SpecError
        If the design was made by hand, or the rows stay where they are.
    """
    design.check_rows(what)
    return to_frame(_source(design).columns).iloc[design.rows].reset_index(drop=True)


def observed_columns(design: Design) -> dict[str, ObservedColumn]:
    """The columns that the model names, without the response where the rows stay where they are.

    Raises
    ------
    SpecError
        If the design was made by hand.
    """
    condensed = _source(design).condensed
    if condensed is None:
        whole = whole_numbers(design)
        columns = observed(design).items()
        return {str(name): ObservedColumn(column, is_category=name in whole) for name, column in columns}
    keys, empty = to_frame(condensed.keys), to_frame(condensed.kinds)
    return {
        name: ObservedColumn(keys[name], condensed.counts)
        if name in keys
        else ObservedColumn(empty[name], None, condensed.spreads[name])
        for name in condensed.kinds
        if name in keys or name in _predictors(design)
    }


def rows_to_average(design: Design, variable: str) -> tuple[pd.DataFrame, Array]:
    """Rows over which the derivative of a linear predictor by a number is averaged, and their weights ``(n,)``.

    Where the rows stay where they are, those that stand for them have the same average only if the number enters as it
    is: the derivative is constant within a cell then. Numbers on which it does not depend are at their means.

    Raises
    ------
    SpecError
        If they have not.
    """
    condensed = _source(design).condensed
    if condensed is None:
        frame = observed(design)
        frame = frame[frame[variable].notna()].reset_index(drop=True)  # an imputed one may be missing
        return frame, np.ones(len(frame))
    curved = next(
        (text for text in condensed.numbers if text != variable and variable in column_names(read(text))), None
    )
    if curved is not None:
        design.check_rows(f"The average slope of `{variable}`, which enters as `{curved}`,")
    return _typical_rows(condensed, variable), condensed.counts


def _typical_rows(condensed: Condensed, variable: str) -> pd.DataFrame:
    frame = to_frame(condensed.keys)
    numbers: dict[str, Any] = {name: one.mean for name, one in condensed.spreads.items()}
    if variable in condensed.numbers:
        numbers |= {variable: condensed.numbers[variable].values}
    return frame.assign(**numbers)


def is_factor(design: Design, name: str) -> bool:
    """Whether a column holds categories, those of a monotonic effect included."""
    if design.source is None:
        return False
    return isinstance(design.source.columns[name], Factor) or name in whole_numbers(design)


def whole_numbers(design: Design) -> set[str]:
    """Columns of numbers that are the categories of monotonic effects."""
    if design.encoder is None or design.source is None:
        return set()
    calls = [read(text) for one in design.encoder.predictors for text in one.offsets]
    names = {name for call in calls if is_monotonic(call) for name in column_names(call)}
    return {name for name in names if isinstance(design.source.columns.get(name), Numeric)}


def _source(design: Design) -> Source:
    if design.source is None:
        raise SpecError("This fit does not know its data: its design was made by hand.")
    return design.source


def _predictors(design: Design) -> set[str]:
    """Columns that new data need."""
    encoder = design.encoder
    if encoder is None:
        return set()
    texts = [text for one in encoder.predictors for text in (*one.fixed.terms.used, *one.offsets)]
    texts += [text for term in encoder.terms for text in (*term.used(range(len(encoder.predictors))), *term.factors)]
    return {name for text in (*texts, *encoder.offsets[0]) for name in column_names(read(text))}
