"""The rows of a model as points: which column lies across, which way is up, and how counts are told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.response import Outcome
from bayesmix.errors import DataError, SpecError, nearest
from bayesmix.fit import Fit
from bayesmix.language.formula.expression import column_names
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.formula.reader import read
from bayesmix.present.plots.canvas import whole_ticks, with_unit
from bayesmix.results.fits.chosen_parameter import ChosenParameter, choose, is_mean
from bayesmix.results.fits.linear_predictor import GroupEffects, codes_of, find_group
from bayesmix.results.prediction.observed_columns import is_factor, observed
from bayesmix.results.prediction.reference_grid import check_predictor, levels_of, predictors

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from bayesmix.model import Model


JITTER = 0.25  # of counts, up and down
BINARY = 0.06  # of zeros and ones
SPREAD = 0.18  # of factors, left and right
LARGEST = 4000  # points of a figure; of more rows some are drawn at random


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Rows of the fit as they are drawn."""

    x: Array  # (n,) jittered places
    y: Array  # (n,)
    size: Array  # (n,) areas of the markers: by the number of trials
    codes: Array  # (n,) level of the grouping factor
    shown: Array  # (n,) which rows are drawn
    x_label: str
    y_label: str
    ticks: Sequence[str] | None  # levels of a factor at 0, 1, ...; None of a number
    y_ticks: Sequence[str]  # categories of the response at 0, 1, ...
    x_is_whole: bool
    y_is_whole: bool
    trials: Sequence[float] = ()  # some numbers of trials, whose areas a legend shows

    def of(self, level: int | None) -> tuple[Array, Array, Array]:
        """x, y and size of the rows drawn: of a level, or all."""
        rows = self.shown if level is None else self.shown & (self.codes == level)
        return self.x[rows], self.y[rows], self.size[rows]

    def label(self, axis: Axes, room: int) -> None:
        """Ticks of a factor across and of categories."""
        self.label_x(axis, room)
        if self.y_is_whole:
            whole_ticks(axis.yaxis)
        if self.y_ticks:
            axis.set_yticks(range(len(self.y_ticks)), self.y_ticks)

    def label_x(self, axis: Axes, room: int) -> None:
        """Ticks of a factor, upright where there is no room for their characters; of whole numbers no halves."""
        if self.x_is_whole:
            whole_ticks(axis.xaxis)
        if self.ticks is not None:
            upright = sum(len(tick) + 1 for tick in self.ticks) > room
            axis.set_xticks(range(len(self.ticks)), self.ticks, rotation=90 if upright else 0)
            axis.set_xlim(-0.5, len(self.ticks) - 0.5)


def points(
    fit: Fit | Model,
    x: str | None,
    group: str | None,
    units: Mapping[str, str] | None,
    seed: int,
    chosen: ChosenParameter | None = None,
) -> tuple[str, GroupEffects, Points]:
    """The column that lies across, the grouping factor, and the rows of a model or fit.

    No row is drawn where another parameter than a mean is: it is not on the scale of the response.

    Raises
    ------
    SpecError, DataError
        If the model has no predictor, or not this one, or not this grouping factor.
    """
    design, spec = fit.design, fit.spec
    units = units_of(fit, units)
    found = find_group(design, group)
    codes = codes_of(design, found)
    chosen = choose(spec) if chosen is None else chosen
    predictor, is_of_data = (None if chosen.is_expectation else chosen.predictor), is_mean(spec, chosen)
    name = _across(design, codes, predictor) if x is None else x
    check_predictor(design, name, predictor)
    rng = np.random.default_rng(seed)
    column = observed(design)[name]
    ticks = [str(level) for level in levels_of(design, name)] if is_factor(design, name) else None
    y, y_label = response(design, spec, units, chosen.response)
    if not is_of_data:
        y_label = spec.responses[chosen.response].family.parameters[chosen.parameter].name
        y_label += f" of {spec.responses[chosen.response].label}"
    drawn = Points(
        places(design, name, column) + (0.0 if ticks is None else SPREAD * rng.uniform(-1.0, 1.0, len(y))),
        y + _jitter(design, spec, chosen.response) * rng.uniform(-1.0, 1.0, len(y)),
        _sizes(design.outcomes[chosen.response]),
        codes,
        some(len(y), rng) & is_of_data,
        with_unit(name, units) if ticks is None else name,
        y_label,
        ticks,
        spec.responses[chosen.response].family.levels if is_of_data else (),
        ticks is None and is_whole(column),
        is_of_data and not design.outcomes[chosen.response].has_trials and is_whole(y),
        _trials(design.outcomes[chosen.response]) if is_of_data else (),
    )
    return name, found, drawn


def units_of(fit: Fit | Model, given: Mapping[str, str] | None) -> Mapping[str, str]:
    """Units of the columns: those of the model, but for those given."""
    return {**(fit.fitted_model.units if isinstance(fit, Fit) else fit.units), **(given or {})}


def is_whole(values: Array | pd.Series[Any]) -> bool:
    """Whether all values that are there are whole numbers, of which ticks between would make no sense."""
    numbers = np.asarray(values, float)
    return bool(np.all(numbers == np.round(numbers), where=np.isfinite(numbers)))


def response(design: Design, spec: ModelSpec, units: Mapping[str, str], number: int = 0) -> tuple[Array, str]:
    """Responses (shares of the trials) and their label; ``number`` is the position of one of several."""
    label, outcome = spec.responses[number].label, design.outcomes[number]
    jittered = ", jittered" if _jitter(design, spec, number) else ""
    if not outcome.has_trials:
        return outcome.y, with_unit(label, units) + jittered
    first = column_names(read(label))[0]
    return outcome.y / outcome.trials, first + (jittered or ", share of trials")


def places(design: Design, name: str, values: Sequence[Any] | pd.Series[Any]) -> Array:
    """Where values of a column lie: numbers at themselves, levels at 0, 1, ..."""
    if not is_factor(design, name):
        return np.asarray(values, float)
    order = {str(level): float(place) for place, level in enumerate(levels_of(design, name))}
    return np.array([order[str(value)] for value in values])


def some(n: int, rng: np.random.Generator) -> Array:
    """Which of ``n`` rows to draw: all, or as many as can be told apart."""
    shown = np.ones(n, bool)
    if n > LARGEST:
        shown[rng.permutation(n)[LARGEST:]] = False
    return shown


def choose_levels(group: GroupEffects, levels: Sequence[str] | None, most: int) -> list[int]:
    """Positions of the levels to draw: those named, or ``most`` of them, evenly over their order."""
    if levels is None:
        count = len(group.levels)
        return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most)).tolist()})
    for level in levels:
        if level not in group.levels:
            raise DataError(f"`{group.group}` has no level `{level}`.{nearest(level, group.levels)}")
    return [group.levels.index(level) for level in levels]


def _across(design: Design, codes: Array, predictor: int | None) -> str:
    """The first number that varies within levels, or else the first factor that does, or else the first predictor."""
    known = predictors(design, predictor)
    if not known:
        whose = design.layout.prefixes[predictor or 0].strip("_") or design.response
        raise SpecError(f"`{whose}` has no predictor to draw it against. bmx.plots.caterpillar(fit) draws the levels.")
    frame = observed(design)
    varying = [name for name in known if frame[name].groupby(codes).nunique().max() > 1]
    numbers = [name for name in varying if not is_factor(design, name)]
    return (numbers or varying or known)[0]


def _jitter(design: Design, spec: ModelSpec, number: int) -> float:
    """How far to move responses that lie on each other: zeros and ones, counts, also those of a gaussian model."""
    outcome = design.outcomes[number]
    if outcome.has_trials:
        return BINARY if outcome.trials.max() == 1 else 0.0
    few = len(np.unique(outcome.y)) < 0.5 * len(outcome.y)
    whole = few and bool(np.all(outcome.y == np.round(outcome.y)))
    return JITTER if whole or spec.responses[number].family.values.is_discrete else 0.0


def _sizes(outcome: Outcome) -> Array:
    """Areas: of the number of trials where there is one, smaller of many rows."""
    if not has_sizes(outcome):
        return np.full(len(outcome.y), 22.0 if len(outcome.y) < 500 else 7.0)
    return area(outcome.trials, float(outcome.trials.max()))


def has_sizes(outcome: Outcome) -> bool:
    """Whether marks are as large as the numbers of trials behind them."""
    return outcome.has_trials and bool(outcome.trials.max() > outcome.trials.min())


def area(trials: Any, most: float) -> Any:
    """Area of a mark, in printer's points squared."""
    return 4.0 + 40.0 * trials / most


def _trials(outcome: Outcome) -> Sequence[float]:
    """A small, a middle and the largest number of trials."""
    if not has_sizes(outcome):
        return ()
    return sorted({float(round(q)) for q in np.quantile(outcome.trials, [0.1, 0.5, 1.0])})
