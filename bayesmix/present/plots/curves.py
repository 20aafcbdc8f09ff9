"""Curves of a parameter along a predictor: of levels, of a typical, average or new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError
from bayesmix.fit import Estimate, Posterior
from bayesmix.language.formula.expression import column_names
from bayesmix.language.formula.reader import read
from bayesmix.present.plots.observations import places
from bayesmix.results.comparison.pooling import pooling
from bayesmix.results.fits.chosen_parameter import ChosenParameter
from bayesmix.results.fits.linear_predictor import GroupEffects, codes_of
from bayesmix.results.prediction.prediction_table import Estimand, prediction_table
from bayesmix.results.prediction.reference_grid import grid, is_factor, levels_of, mean_offset, observed
from bayesmix.results.prediction.rows import PredictionRows
from bayesmix.results.prediction.scopes import Scope

if TYPE_CHECKING:
    import pandas as pd

STEPS = 60  # of a curve


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Means over the values of a predictor; bounds where there are any."""

    x: Array
    y: Array
    lower: Array
    upper: Array


@dataclass(frozen=True, slots=True, eq=False)
class Along:
    """What curves are of: a parameter of a fit along a predictor, for some levels."""

    fit: Estimate | Posterior
    group: GroupEffects
    levels: Sequence[int]
    x: str
    whole: bool
    chosen: ChosenParameter

    def frames(self) -> list[pd.DataFrame]:
        """Rows of each level."""
        return [_level_frame(self, level) for level in self.levels]

    def curve(self, frame: pd.DataFrame, y: Array, lower: Array, upper: Array) -> Curve:
        """Values of a frame's rows as a curve."""
        return Curve(places(self.fit.design, self.x, frame[self.x]), y, lower, upper)


def level_lines(along: Along, kind: str) -> dict[int, Curve]:
    """The lines of one kind, by level."""
    if kind in {"partial", "typical"}:
        scope: Scope = "fitted" if kind == "partial" else "zero"
        return dict(zip(along.levels, curves_of(along, scope, 0.95, by_level=True), strict=True))
    design = along.fit.design
    table = pooling(along.fit, group=along.group.group)[kind].unstack("effect")
    own, found = design.of_predictor(along.chosen.predictor), {}
    for level, frame in zip(along.levels, along.frames(), strict=True):
        beta = table.loc[along.group.levels[level], [design.fixed[j] for j in own]].to_numpy(float)
        rows = _coded(along, frame, ())
        y = along.chosen.link.mean(rows.X[:, own] @ beta + rows.offset)
        found[level] = along.curve(frame, y, y, y)
    return found


def curves_of(along: Along, groups: Scope, interval: float, *, by_level: bool = False) -> list[Curve]:
    """Means of the fit: of each level chosen, or one curve of a typical, average or new level."""
    import pandas as pd

    fit, design, x = along.fit, along.fit.design, along.x
    if groups == "fitted" or by_level:
        frames = along.frames()
        rows = _coded(along, pd.concat(frames, ignore_index=True), along.group.terms)
        rows = replace(rows, data=replace(rows.data, terms=_only(rows, along.group)))
    else:
        varying = {x: _values(design, x, observed(design)[x])}
        frames = [grid(design, varying, cross=False, predictor=along.chosen.predictor)]
        rows = _coded(along, frames[0], range(len(design.terms)))
    one, response = along.chosen, fit.spec.responses[along.chosen.response]
    parameter = response.family.parameters[one.parameter].name if one.parameter else None
    table = prediction_table(
        fit, rows, Estimand("mean", groups, interval, parameter=parameter, response=response.label)
    )
    centre, lower, upper = (table[name].to_numpy() for name in (table.columns[0], "lower", "upper"))
    edges = np.cumsum([0, *(len(frame) for frame in frames)]).tolist()
    return [
        along.curve(frame, centre[begin:end], lower[begin:end], upper[begin:end])
        for frame, (begin, end) in zip(frames, pairwise(edges), strict=True)
    ]


def _only(rows: PredictionRows, group: GroupEffects) -> tuple[Any, ...]:
    """Terms with the effects of other grouping factors set to zero."""
    return tuple(
        term if position in group.terms else replace(term, z=np.zeros_like(term.z), codes=np.zeros_like(term.codes))
        for position, term in enumerate(rows.terms)
    )


def _coded(along: Along, frame: pd.DataFrame, terms: Sequence[int] | range) -> PredictionRows:
    """Rows of the design for a frame, with or without its groups."""
    design = along.fit.design
    groups: Scope = "fitted" if len(terms) else "zero"
    offset = mean_offset(design, len(frame))
    return PredictionRows.of_new_data(design, frame, groups, offset, predictor=along.chosen.predictor)


def _level_frame(along: Along, level: int) -> pd.DataFrame:
    """Rows along a predictor for a level, everything else typical of the level."""
    design, group, x = along.fit.design, along.group, along.x
    frame = observed(design)
    own = frame[codes_of(design, group) == level]
    values = _values(design, x, frame[x] if along.whole else own[x])
    held = {name: [_typical(own[name])] for name in frame.columns if name not in {x, *_factors(design, group)}}
    held |= {name: [own[name].iloc[0]] for name in _factors(design, group) if name != x}
    return grid(design, {x: values, **held}, cross=False, predictor=along.chosen.predictor)


def _factors(design: Design, group: GroupEffects) -> list[str]:
    """Columns that make the grouping factor."""
    if design.encoder is None:
        raise SpecError("This fit has no encoder for new data: its design was made by hand.")
    texts = design.encoder.terms[group.terms[0]].factors
    return list(dict.fromkeys(name for text in texts for name in column_names(read(text))))


def _values(design: Design, x: str, column: pd.Series[Any]) -> list[Any]:
    """Values of a column to draw a curve through: levels that occur, or numbers over the range."""
    if is_factor(design, x):
        return [level for level in levels_of(design, x) if (column == level).any()]
    low, high = float(column.min()), float(column.max())
    return [low] if low == high else np.linspace(low, high, STEPS).tolist()


def _typical(column: pd.Series[Any]) -> Any:
    """The mean of numbers, the most frequent level of a factor."""
    return float(column.mean()) if column.dtype.kind in "fi" else column.mode().iloc[0]
