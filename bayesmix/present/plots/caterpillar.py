"""The random effects of every level, sorted, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D

from bayesmix.arrays import Array
from bayesmix.fit import Estimate, Posterior
from bayesmix.present.plots.canvas import (
    PALE,
    SMALL,
    elided,
    folded,
    legend_below,
    letters,
    panels,
    room_beside,
    styled,
)
from bayesmix.present.plots.levels import LONGEST_LEVEL, MOST, NAMED, Levels, choose_effects, find_levels, levels_axis
from bayesmix.present.plots.looks import FitsByLabel, Shown, shown_fits
from bayesmix.results.fits.linear_predictor import GroupEffects, of_group
from bayesmix.results.fits.marginal_summary import describe_draws

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Random effects of a fit, ``(J, k)`` each: centre, and bounds of the interval."""

    shown: Shown
    centre: Array
    lower: Array
    upper: Array


@styled
def caterpillar(
    *fits: Estimate | Posterior | FitsByLabel,
    group: str | None = None,
    effects: Sequence[str] | None = None,
    levels: Sequence[str] | None = None,
    interval: float = 0.95,
    order: str | None = None,
) -> Figure:
    """Draw the random effects of every level with intervals, sorted.

    Parameters
    ----------
    *fits : estimates (conditional modes; intervals given the parameters) and posteriors (means) of one model, or a dict
        of them by label.
    group : grouping factor; the first by default.
    effects : those to draw, one panel each; all by default.
    levels : those to draw; by default all, of very many some.
    interval : probability of the bars.
    order : effect to sort the levels by, in the first fit; the first drawn by default.

    Raises
    ------
    SpecError, DataError
        If there is no fit, or no such group, effect or level.
    """
    fits_shown = shown_fits("caterpillar", fits)
    found, names, rows = find_levels(fits_shown[0].fit, Levels(group, effects, levels, MOST), interval)
    places = [found.effects.index(name) for name in names]
    drawn = [_effects(one, found, interval) for one in fits_shown]
    leading = places[0] if order is None else found.effects.index(choose_effects(found.effects, [order], found)[0])
    rows = rows[np.argsort(drawn[0].centre[rows, leading], kind="stable")]
    shown = len(rows) <= NAMED
    height = 0.9 + len(rows) * (0.11 + 0.1 * len(drawn) if shown else 0.03)
    figure, axes = panels(len(names), columns=3, height=min(height, 9.0), share=True)
    labels = [elided(found.levels[row], LONGEST_LEVEL) for row in rows] if shown else []
    room = room_beside(labels, min(len(axes), 3), SMALL) - 0.1
    for axis, name, place in zip(axes, names, places, strict=True):
        axis.axvline(0.0, color=PALE, linewidth=1.0, zorder=0)
        for number, fit in enumerate(drawn):
            _bars(axis, fit, rows, place, number, len(drawn), shown=shown)
        axis.set_xlabel(folded(f"random effect on {name}", letters(room)))
        axis.locator_params(axis="x", nbins=max(3, int(room / 0.5)))
        axis.set_ylim(-1.0, len(rows))
    levels_axis(axes[0], found, rows, shown=shown)
    percent = f"{100.0 * interval:g} %"
    texts = [
        f"{one.label}: mean, {percent} interval"
        if one.is_posterior
        else f"{one.label}: conditional mode, {percent} interval given the parameters"
        for one in fits_shown
    ]
    handles: list[Artist] = [Line2D([], [], color=one.colour, marker=one.marker, markersize=4.0) for one in fits_shown]
    legend_below(figure, handles, texts)
    return figure


def _effects(shown: Shown, group: GroupEffects, interval: float) -> Effects:
    from scipy.special import ndtri

    fit = shown.fit
    b = of_group(fit.with_effects.b, group.terms)
    if isinstance(fit, Estimate):
        half = float(ndtri(0.5 + 0.5 * interval)) * fit.ranef_sd()[group.group].to_numpy()
        return Effects(shown, b, b - half, b + half)
    described = describe_draws(b, interval)
    return Effects(shown, described["mean"], described["lower"], described["upper"])


def _bars(axis: Axes, fit: Effects, rows: Array, place: int, number: int, count: int, *, shown: bool) -> None:  # noqa: PLR0913 - one mark in one panel
    """One fit in one panel; several fits lie side by side."""
    y = np.arange(len(rows)) + (0.0 if count == 1 else 0.5 * (0.5 - number / (count - 1)))
    lower, upper = fit.lower[rows, place], fit.upper[rows, place]
    colour = fit.shown.colour
    axis.hlines(y, lower, upper, color=colour, linewidth=1.2 if shown else 0.5, alpha=1.0 if shown else 0.5)
    size = 3.5 if shown else 1.2
    axis.plot(fit.centre[rows, place], y, fit.shown.marker, color=colour, markersize=size, markeredgewidth=0.0)
