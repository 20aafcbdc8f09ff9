"""The coefficients of every level with complete, no and partial pooling, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayesmix.arrays import Array
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.estimation.methods import Reml, resolve_method
from bayesmix.present.plots.canvas import (
    GREY,
    INK,
    PALE,
    elided,
    folded,
    legend_below,
    letters,
    panels,
    room_beside,
    styled,
)
from bayesmix.present.plots.levels import LONGEST_LEVEL, Levels, find_levels
from bayesmix.present.plots.looks import FitsByLabel, Look, Shown, shown_fits
from bayesmix.results.comparison.pooling import pooling as pooling_table
from bayesmix.results.fits.degrees_of_freedom import quantile
from bayesmix.results.fits.linear_predictor import GroupEffects, coefficients
from bayesmix.results.fits.marginal_summary import describe_draws

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


POOLED = 24  # levels drawn, each with several rows, of more some
ENDLESS = 30.0  # half widths of intervals over their median from which on a level alone has no estimate
MARGIN = 0.05  # of the axis, on either side


@styled
def pooling(
    *fits: Estimate | Posterior | FitsByLabel,
    group: str | None = None,
    effects: Sequence[str] | None = None,
    levels: Sequence[str] | None = None,
    interval: float = 0.95,
) -> Figure:
    """Draw the coefficients of every level with complete, no and partial pooling, as `bayesmix.pooling` has them.

    Parameters
    ----------
    *fits : estimates (points) and posteriors (means and intervals) of one model, or a dict of them by label.
    group : grouping factor; the first by default.
    effects : coefficients to draw, one panel each; by default those that vary between levels.
    levels : those to draw; by default all, of very many some.
    interval : probability of intervals; without pooling by t (linear models) or normal quantiles.

    Raises
    ------
    SpecError, DataError
        If there is no fit, or no such group, effect or level.
    """
    drawn = shown_fits("pooling", fits)
    first, count = drawn[0].fit, len(drawn)
    found, names, rows = find_levels(first, Levels(group, effects, levels, POOLED), interval)
    table = pooling_table(first, group=found.group)
    labels = [found.levels[row] for row in rows]
    shown = [elided(label, LONGEST_LEVEL) for label in labels]
    reach, is_cut = _reach(table, first, interval), False
    figure, axes = panels(len(names), columns=2, height=0.9 + (0.12 + 0.09 * (count + 1)) * len(rows), share=True)
    for axis, name in zip(axes, names, strict=True):
        own = table.xs(name, level="effect").loc[labels]
        ends: list[Any] = _complete(axis, own, reach)
        alone, half = own["none"].to_numpy(float), (reach["none"].loc[labels] * own["none std_error"]).to_numpy(float)
        told = _told(half)
        _dodged(axis, alone, (alone - half, alone + half), -1, count, None)
        ends += [alone[told], (alone - half)[told], (alone + half)[told]]
        for place, one in enumerate(drawn):
            centre, lower, upper = _partial(one.fit, found, name, interval)
            bars = None if lower is None or upper is None else (lower[rows], upper[rows])
            _dodged(axis, centre[rows], bars, place, count, one.look)
            ends += [centre[rows], *(bars or ())]
        if not told.all():
            is_cut = True
            _end_at(axis, ends)
        axis.set_xlabel(folded(f"coefficient of {name}", letters(room_beside(shown, min(len(axes), 2)) - 0.1)))
        axis.set_ylim(len(rows) - 0.4, -0.6)
    axes[0].set_yticks(range(len(rows)), shown)
    axes[0].set_ylabel(found.group)
    _pooling_legend(figure, drawn, interval, table.loc[table.index.isin(names, level="effect")], is_cut=is_cut)
    return figure


def _reach(table: pd.DataFrame, fit: Estimate | Posterior, interval: float) -> pd.DataFrame:
    """Half the width of the regressions' intervals in standard errors, by level: t of linear models."""
    import pandas as pd

    rows = table["rows"].groupby(level=0, sort=False).first().astype(float)
    linear = isinstance(resolve_method("auto", fit.spec), Reml)
    columns = {}
    for way, n in (("none", rows), ("complete", rows * 0.0 + rows.sum())):
        coefficients = table[way].notna().groupby(level=0, sort=False).sum() if way in table else 0.0
        df = np.maximum(n - coefficients, 1.0) if linear else np.full(len(n), np.inf)
        columns[way] = quantile(np.asarray(df), interval)
    return pd.DataFrame(columns, index=rows.index)


def _partial(
    fit: Estimate | Posterior, group: GroupEffects, name: str, interval: float
) -> tuple[Array, Array | None, Array | None]:
    """Coefficients of one effect, by level; with bounds of a posterior."""
    names, values = coefficients(fit.design, fit.with_effects, group)
    own = values[..., names.index(name)]
    if isinstance(fit, Estimate):
        return own, None, None
    described = describe_draws(own, interval)
    return described["mean"], described["lower"], described["upper"]


def _dodged(
    axis: Axes,
    middle: Array,
    bars: tuple[Array, Array] | None,
    place: int,
    count: int,
    look: Look | None,
) -> None:
    """Points and bars of one way of pooling, beside those of the others."""
    y = np.arange(len(middle)) + (place + 1 - 0.5 * count) * min(0.26, 0.7 / count)
    colour, marker = (INK, "o") if look is None else (look.colour, look.marker)
    if bars is not None:
        axis.hlines(y, *bars, color=colour, linewidth=1.2)
    face = "white" if look is None else colour
    axis.plot(middle, y, marker, color=colour, markerfacecolor=face, markersize=4.5)


def _complete(axis: Axes, own: Any, reach: pd.DataFrame) -> list[float]:
    """The coefficient of all rows, with its interval; the ends of that, of none if there is none."""
    if "complete" not in own or not np.isfinite(own["complete"].iloc[0]):
        return []
    centre, half = own["complete"].iloc[0], reach["complete"].iloc[0] * own["complete std_error"].iloc[0]
    axis.axvspan(centre - half, centre + half, color=PALE, alpha=0.6, linewidth=0.0, zorder=0)
    axis.axvline(centre, color=GREY, linewidth=1.0, zorder=0)
    return [centre - half, centre + half]


def _told(half: Array) -> Array:
    """Which levels have an estimate: where a predictor parts the outcomes there is none, nor an end of ``half``."""
    known = half[np.isfinite(half)]
    return ~(half > ENDLESS * np.median(known)) if len(known) else np.ones(len(half), bool)


def _end_at(axis: Axes, ends: Sequence[Any]) -> None:
    """Limit the axis to what is to be seen whole."""
    every = np.concatenate([np.ravel(np.asarray(one, float)) for one in ends])
    low, high = np.nanmin(every), np.nanmax(every)
    axis.set_xlim(low - MARGIN * (high - low), high + MARGIN * (high - low))


def _pooling_legend(
    figure: Figure, fits: Sequence[Shown], interval: float, drawn: pd.DataFrame, *, is_cut: bool
) -> None:
    """Ways of pooling that some level has a coefficient by, and the fits."""
    percent = f"{100.0 * interval:g} %"
    ways: dict[str, tuple[Artist, str]] = {
        "complete": (Patch(facecolor=PALE, edgecolor=GREY), "complete pooling: one regression"),
        "none": (Line2D([], [], color=INK, marker="o", markerfacecolor="white"), "no pooling: the level alone"),
    }
    known = [way for way in ways if drawn[way].notna().any()]
    handles = [ways[way][0] for way in known]
    texts = [f"{ways[way][1]}, {percent} interval" for way in known]
    texts = [f"{text} (without an end: cut)" if is_cut and "alone" in text else text for text in texts]
    for one in fits:
        bar: Any = "-" if one.is_posterior else ""
        handles.append(Line2D([], [], color=one.colour, marker=one.marker, linestyle=bar))
        texts.append(f"partial pooling: {one.words}{f', {percent} interval' if one.is_posterior else ''}")
    legend_below(figure, handles, texts)
