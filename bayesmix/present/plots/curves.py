"""Curves of a parameter along a predictor: of levels, of a typical, average or new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError, nearest
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.formula.expression import column_names
from bayesmix.language.formula.reader import read
from bayesmix.present.plots.observations import places
from bayesmix.results.fits.chosen_parameter import ChosenParameter, is_mean
from bayesmix.results.fits.linear_predictor import GroupEffects, codes_of, varying_columns
from bayesmix.results.fits.refit import no_pooling, regression
from bayesmix.results.prediction.observed_columns import is_factor, observed
from bayesmix.results.prediction.predict import predict
from bayesmix.results.prediction.prediction_table import Estimand, prediction_table
from bayesmix.results.prediction.reference_grid import grid, levels_of, mean_offset
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

    @property
    def predictor(self) -> int | None:
        """The only linear predictor that the curves are of; None for all."""
        return None if self.chosen.is_expectation else self.chosen.predictor

    def estimand(self, groups: Scope, interval: float) -> Estimand:
        """What is predicted of rows."""
        spec, category = self.fit.spec, self.chosen.category
        response = spec.responses[self.chosen.response]
        parameter = None if is_mean(spec, self.chosen) else response.family.parameters[self.chosen.parameter].name
        return Estimand("mean", groups, interval, parameter=parameter, response=response.label, category=category)

    def frames(self) -> list[pd.DataFrame]:
        """Rows of each level."""
        return [_level_frame(self, level) for level in self.levels]

    def curve(self, frame: pd.DataFrame, y: Array, lower: Array, upper: Array) -> Curve:
        """Values of a frame's rows as a curve."""
        return Curve(places(self.fit.design, self.x, frame[self.x]), y, lower, upper)


SCOPES: tuple[Scope, ...] = ("fitted", "zero", "average", "new")


def check_scope(figure: str, groups: Any) -> None:
    """Raise `SpecError` for groups that have no curves."""
    if not isinstance(groups, str) or groups not in SCOPES:
        hint = nearest(groups, SCOPES) if isinstance(groups, str) else ""
        raise SpecError(f"{figure} has no groups=`{groups}`.{hint} Choices: {', '.join(SCOPES)}.")


def level_lines(along: Along, kind: str) -> dict[int, Curve]:
    """The lines of one kind, by level."""
    if kind in {"partial", "typical"}:
        scope: Scope = "fitted" if kind == "partial" else "zero"
        return dict(zip(along.levels, curves_of(along, scope, 0.95, by_level=True), strict=True))
    codes, found = codes_of(along.fit.design, along.group), {}
    if kind == "complete":
        own = np.tile(regression(along.fit, codes >= 0)[0], (int(codes.max()) + 1, 1))
    else:
        own = no_pooling(along.fit, codes, varying_columns(along.fit.design, along.group))[0]
    for level, frame in zip(along.levels, along.frames(), strict=True):
        beta = own[level]
        y = _by_coefficients(along, _coded(along, frame, ()), beta)
        found[level] = along.curve(frame, y, y, y)
    return found


def _by_coefficients(along: Along, rows: PredictionRows, beta: Array) -> Array:
    """Means of rows ``(n,)`` without random effects, at coefficients ``(p,)``, of which others may not be known."""
    if along.predictor is not None:
        own = along.fit.design.of_predictor(along.predictor)
        beta = np.where(np.isin(np.arange(len(beta)), own), beta, 0.0)
    values = Parameters(beta, (), (), (), None)
    return predict(along.fit.spec, rows, values, kind="mean", groups="zero", seed=0, chosen=along.chosen)


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
        frames = [grid(design, varying, cross=False, predictor=along.predictor)]
        rows = _coded(along, frames[0], range(len(design.terms)))
    table = prediction_table(fit, rows, along.estimand(groups, interval))
    centre, lower, upper = (table[name].to_numpy() for name in (table.columns[0], "lower", "upper"))
    edges = np.cumsum([0, *(len(frame) for frame in frames)]).tolist()
    return [
        along.curve(frame, centre[begin:end], lower[begin:end], upper[begin:end])
        for frame, (begin, end) in zip(frames, pairwise(edges), strict=True)
    ]


def _only(rows: PredictionRows, group: GroupEffects) -> tuple[Any, ...]:
    """Terms with the effects of other grouping factors set to zero; smooths are those of all levels."""
    return tuple(
        term
        if term.is_population or position in group.terms
        else replace(term, z=np.zeros_like(term.z), codes=np.zeros_like(term.codes))
        for position, term in enumerate(rows.terms)
    )


def _coded(along: Along, frame: pd.DataFrame, terms: Sequence[int] | range) -> PredictionRows:
    """Rows of the design for a frame, with or without its groups."""
    design = along.fit.design
    groups: Scope = "fitted" if len(terms) else "zero"
    offset = mean_offset(design, len(frame))
    return PredictionRows.of_new_data(design, frame, groups, offset, predictor=along.predictor)


def _level_frame(along: Along, level: int) -> pd.DataFrame:
    """Rows along a predictor for a level, everything else typical of the level."""
    design, group, x = along.fit.design, along.group, along.x
    frame = observed(design)
    own = frame[codes_of(design, group) == level]
    values = _values(design, x, frame[x] if along.whole else own[x])
    held = {name: [_typical(own[name])] for name in frame.columns if name not in {x, *_factors(design, group)}}
    held |= {name: [own[name].iloc[0]] for name in _factors(design, group) if name != x}
    return grid(design, {x: values, **held}, cross=False, predictor=along.predictor)


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
