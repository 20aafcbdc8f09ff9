"""Forest of a meta-analysis: effects with their known errors, given all others, their mean, and that of a new study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Factor
from bayesmix.data.frame import open_table
from bayesmix.errors import SpecError
from bayesmix.fit import Estimate, Posterior
from bayesmix.present.plots.canvas import GREY, INK, PALE, legend_below, panels, styled
from bayesmix.present.plots.looks import FitsByLabel, Look, Shown, shown_fits
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.sampling_variances import sampling_variances

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 100  # effects that are drawn with their names
SPREAD = 0.5  # of a row, over which fits lie side by side
STEP, HALF = 0.6, 0.2  # rows from one diamond to the next, and half of its height


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Points and their intervals, ``(m,)`` each."""

    centre: Array
    lower: Array
    upper: Array

    @classmethod
    def of(cls, table: pd.DataFrame) -> Interval:
        """From a table of predictions."""
        name = "estimate" if "estimate" in table else "mean"
        return cls(*(table[column].to_numpy(float) for column in (name, "lower", "upper")))


@styled
def effects_forest(
    *fits: Estimate | Posterior | FitsByLabel,
    newdata: Any = None,
    interval: float = 0.95,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Draw a meta-analysis: each effect with its interval, its shrunken values, the mean, and a new study's effect.

    Parameters
    ----------
    *fits : estimates and posteriors of one model of responses whose standard errors are known, ``y | se(s) ~ ...``, or
        a dict of them by label.
    newdata : rows of moderators at which means and prediction intervals of a new study are drawn; by default the only
        mean there is, of a model without moderators, and none of others.
    interval : probability of all intervals.
    labels : of the effects; by default levels of the finest grouping factor, or numbers of rows.

    Raises
    ------
    SpecError
        If there is nothing to draw, or the standard errors are not known.
    """
    shown = shown_fits("effects_forest", fits)
    first = shown[0].fit
    check_level(interval)
    effects, names = _effects(first, interval), _labels(first, labels)
    pooled = [_pooled(one.fit, newdata, interval) for one in shown]
    m, extra = len(effects.centre), len(pooled[0][0].centre)
    below = 1.0 + STEP * len(shown) * np.arange(extra + 1)  # the first row of each mean, and the end
    figure, (axis,) = panels(1, columns=1, height=min(1.2 + 0.2 * (m + below[-1]), 12.0))
    axis.axvline(0.0, color=PALE, linewidth=1.0, zorder=0)
    _draw_effects(axis, effects)
    for number, one in enumerate(shown):
        shrunken = Interval.of(one.fit.predict(kind="mean", interval=interval))
        _draw(axis, shrunken, np.arange(m) + _aside(number, len(shown)), one.look)
        _draw_pooled(axis, pooled[number], m + below[:-1] + STEP * number, one.look)
    _name_rows(axis, first, names, _of_new(first, newdata, extra), below)
    legend_below(figure, *_legend(shown, interval, has_pooled=bool(extra)))
    return figure


def _effects(fit: Estimate | Posterior, interval: float) -> Interval:
    """The effects as they are in the data."""
    from scipy.special import ndtri

    half = float(ndtri(0.5 + 0.5 * interval)) * np.sqrt(
        sampling_variances(fit.design, fit.spec, 0, "plots.effects_forest")
    )
    y = fit.design.y
    return Interval(y, y - half, y + half)


def _labels(fit: Estimate | Posterior, labels: Sequence[str] | None) -> list[str]:
    design = fit.design
    if labels is not None:
        if len(labels) != design.n:
            raise SpecError(f"labels= has {len(labels)} texts for {design.n} effects.")
        return list(map(str, labels))
    if design.terms:
        return [design.terms[0].levels[code] for code in design.terms[0].codes[: design.n]]
    return [str(row) for row in design.rows]


def _pooled(fit: Estimate | Posterior, newdata: Any, interval: float) -> tuple[Interval, Interval]:
    """Means over studies, and effects of new ones, at some moderators."""
    chosen = choose(fit.spec)
    X = fit.design.X[fit.design.block(chosen.predictor)]
    is_one = not np.ptp(X, axis=0).any() and not np.ptp(fit.design.offset[fit.design.block(chosen.predictor)])
    if newdata is None and not is_one:
        empty = Interval(*[np.zeros(0)] * 3)
        return empty, empty
    tables = [
        fit.predict(newdata, kind="mean", groups=groups, interval=interval)
        for groups in ("zero", "new" if fit.design.terms else "zero")
    ]
    mean, new = (Interval.of(table.iloc[:1] if newdata is None else table) for table in tables)
    return mean, new


def _aside(number: int, count: int) -> float:
    """Fits lie below the effect as it is in the data, one below the other."""
    return SPREAD * (number + 1) / (count + 1)


def _draw_effects(axis: Axes, effects: Interval) -> None:
    """Squares whose areas are the weights of the effects."""
    rows, width = np.arange(len(effects.centre)), effects.upper - effects.lower
    axis.hlines(rows, effects.lower, effects.upper, color=GREY, linewidth=1.0)
    axis.scatter(effects.centre, rows, s=8.0 + 40.0 * (width.min() / width) ** 2, marker="s", color=GREY, zorder=2)


def _draw(axis: Axes, one: Interval, y: Array, look: Look) -> None:
    axis.hlines(y, one.lower, one.upper, color=look.colour, linewidth=1.4)
    axis.plot(one.centre, y, look.marker, color=look.colour, markersize=3.5, markeredgewidth=0.0, zorder=3)


def _draw_pooled(axis: Axes, pooled: tuple[Interval, Interval], y: Array, look: Look) -> None:
    """The mean as a diamond as wide as its interval, the interval of a new study's effect as a line."""
    mean, new = pooled
    axis.hlines(y, new.lower, new.upper, color=look.colour, linewidth=1.0, linestyle=(0, (3, 2)))
    for centre, lower, upper, place in zip(mean.centre, mean.lower, mean.upper, y, strict=True):
        corners = [(lower, place), (centre, place - HALF), (upper, place), (centre, place + HALF)]
        axis.fill(*np.transpose(corners), color=look.colour, linewidth=0.0, zorder=3)


def _of_new(fit: Estimate | Posterior, newdata: Any, count: int) -> list[str]:
    """What the means are called: by the moderators of their rows."""
    if newdata is None:
        return ["mean"] * count
    table = open_table(newdata)
    columns = table.read(name for name in fit.spec.formula.columns if name in table.names)
    return [", ".join(f"{name} = {_cell(column, i)}" for name, column in columns.items()) for i in range(count)]


def _cell(column: Column, row: int) -> str:
    return column.levels[column.codes[row]] if isinstance(column, Factor) else f"{column.values[row]:g}"


def _name_rows(axis: Axes, fit: Estimate | Posterior, names: Sequence[str], means: Sequence[str], below: Array) -> None:
    m, factor = len(names), fit.design.terms[0].group if fit.design.terms else "row"
    shown = list(range(m)) if m <= MOST else []
    places = m + below[:-1] + 0.5 * np.diff(below) - 0.5 * STEP
    axis.set_yticks([*shown, *places], [*(names if shown else ()), *means], fontsize="small")
    axis.set_ylim(m + below[-1] - 0.2, -0.8)
    axis.set(xlabel=fit.spec.responses[0].label, ylabel=factor if shown else f"{m} effects")
    if means:
        axis.axhline(m + 0.2, color=INK, linewidth=0.6)


def _legend(fits: Sequence[Shown], interval: float, *, has_pooled: bool) -> tuple[list[Artist], list[str]]:
    """Marks and their words."""
    percent = f"{100.0 * interval:g} %"
    handles: list[Artist] = [Line2D([], [], color=GREY, marker="s", markersize=4.0)]
    texts = [f"effect and {percent} interval by its standard error; area: its weight"]
    for one in fits:
        handles.append(Line2D([], [], color=one.colour, marker=one.marker, markersize=4.0))
        texts.append(f"{one.label}: effect given all others, {percent} interval")
    if has_pooled:
        handles += [Patch(color=GREY), Line2D([], [], color=GREY, linestyle=(0, (3, 2)))]
        texts += [f"mean and its {percent} interval", f"{percent} interval of a new study's true effect"]
    return handles, texts
