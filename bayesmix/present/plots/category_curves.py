"""Probabilities of the categories of a response along a predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Patch

from bayesmix.errors import SpecError
from bayesmix.fit import Estimate, Posterior
from bayesmix.language.families.family import Family
from bayesmix.present.plots.canvas import COLOURS, WIDTH, folded, legend_above, letters, name_panels, panels, styled
from bayesmix.present.plots.curves import Along, Curve, check_scope, curves_of
from bayesmix.present.plots.looks import shown_fit
from bayesmix.present.plots.observations import Points, choose_levels, points
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.fits.level import check_level
from bayesmix.results.prediction.scopes import Scope

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST = 12  # panels of a figure
COLUMNS = 4
WORDS: dict[Scope, str] = {
    "fitted": "{}: categories of {}, by {}",
    "zero": "{}: categories of {}, typical level of {}",
    "average": "{}: categories of {}, averaged over levels of {}",
    "new": "{}: categories of {}, a level of {} not seen",
}


@styled
def categories(  # noqa: PLR0913 - options of a figure, named
    fit: Estimate | Posterior,
    *,
    x: str | None = None,
    groups: Scope = "average",
    stacked: bool = False,
    group: str | None = None,
    levels: Sequence[str] | None = None,
    interval: float = 0.95,
    whole: bool = False,
    units: Mapping[str, str] | None = None,
    response: str | None = None,
) -> Figure:
    """Draw the probability of every category of the response along a predictor.

    Parameters
    ----------
    fit : an estimate or a posterior of a model of categories.
    groups : ``"average"`` (averaged over levels), ``"zero"`` (random effects zero, a typical level) and ``"new"`` (a
        level not seen) have one panel; ``"fitted"`` has one for each level.
    stacked : areas that add up to one, without intervals; by default a line with an interval for each category.
    interval : probability of the bands.
    x, group, levels, whole, units, response : as in `group_lines`.

    Raises
    ------
    SpecError, DataError
        If the response has no categories, or there is no such column, group or level.
    """
    check_level(interval)
    check_scope("categories", groups)
    mean = choose(fit.spec, response=response)
    family, label = fit.spec.responses[mean.response].family, fit.spec.responses[mean.response].label
    if not family.levels:
        raise SpecError(f"`{label}` has no categories: bmx.plots.mean_curves(fit) draws its mean.")
    name, found, drawn = points(fit, x, group, units, 0, mean)
    chosen = choose_levels(found, levels, MOST) if groups == "fitted" else []
    each = [
        curves_of(Along(fit, found, chosen, name, whole, replace(mean, category=k)), groups, interval)
        for k in range(len(family.levels))
    ]
    figure, axes = panels(max(len(chosen), 1), columns=COLUMNS, height=2.1 if chosen else 3.4, share=True, share_x=True)
    colours = shades(family)
    for axis, curves in zip(axes, zip(*each, strict=True), strict=True):
        _areas(axis, curves, colours, drawn) if stacked else _lines(axis, curves, colours, drawn)
        drawn.label_x(axis, 80 // len(axes[:COLUMNS]))
    if chosen:
        name_panels(figure, axes, [found.levels[level] for level in chosen], COLUMNS)
    figure.supxlabel(folded(drawn.x_label, letters(WIDTH - 0.6)), fontsize="medium")
    figure.supylabel("probability" if stacked else f"probability, {100.0 * interval:g} % interval", fontsize="medium")
    title = WORDS[groups].format(shown_fit(fit).words, label, found.group)
    handles: list[Artist] = [Patch(color=colour) for colour in colours]
    legend_above(figure, handles, list(family.levels), title=title, columns=min(len(handles), 8))
    return figure


def shades(family: Family) -> list[str]:
    """Colours of categories: from dark to light in their order, unlike each other where they have none."""
    count = len(family.levels)
    if not family.is_ordered:
        return [COLOURS[k % len(COLOURS)] for k in range(count)]
    return [mpl.colors.to_hex(shade) for shade in mpl.colormaps["viridis"](np.linspace(0.0, 0.9, count))]


def _lines(axis: Axes, curves: Sequence[Curve], colours: Sequence[str], drawn: Points) -> None:
    """A line with a band for each category; of a factor points with bars, side by side at every level."""
    for k, (curve, colour) in enumerate(zip(curves, colours, strict=True)):
        if drawn.ticks is None:
            axis.fill_between(curve.x, curve.lower, curve.upper, color=colour, alpha=0.15, linewidth=0.0)
            axis.plot(curve.x, curve.y, color=colour, linewidth=1.6)
            continue
        x = curve.x + (k - 0.5 * (len(curves) - 1)) * 0.7 / len(curves)
        axis.vlines(x, curve.lower, curve.upper, color=colour, linewidth=1.6)
        axis.plot(x, curve.y, "o", color=colour, markersize=4.5, markeredgewidth=0.0)
    axis.set_ylim(0.0, None)


def _areas(axis: Axes, curves: Sequence[Curve], colours: Sequence[str], drawn: Points) -> None:
    """Probabilities on top of each other, the first category at the bottom; of a factor bars."""
    below = np.zeros(len(curves[0].x))
    for curve, colour in zip(curves, colours, strict=True):
        if drawn.ticks is None:
            axis.fill_between(curve.x, below, below + curve.y, color=colour, linewidth=0.0)
        else:
            axis.bar(curve.x, curve.y, 0.7, bottom=below, color=colour)
        below = below + curve.y
    axis.set_ylim(0.0, 1.0)
