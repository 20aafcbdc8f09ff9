"""Lines and curves of the groups on the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayesmix.errors import SpecError, nearest
from bayesmix.fit import Estimate, Posterior
from bayesmix.present.plots.canvas import (
    GREY,
    INK,
    WIDTH,
    Canvas,
    folded,
    legend_above,
    legend_below,
    letters,
    look,
    name_panels,
    panels,
    styled,
)
from bayesmix.present.plots.curves import Along, Curve, check_scope, curves_of, level_lines
from bayesmix.present.plots.looks import FitsByLabel, Shown, shown_fit, shown_fits
from bayesmix.present.plots.observations import Points, area, choose_levels, points
from bayesmix.results.fits.chosen_parameter import ChosenParameter, choose, is_mean
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.linear_predictor import GroupEffects
from bayesmix.results.prediction.scopes import Scope

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesmix.model import Model


KINDS = ("partial", "none", "complete", "typical")
WORDS = {
    "partial": "partial pooling",
    "none": "no pooling: the level alone",
    "complete": "complete pooling: groups ignored",
    "typical": "typical level: fixed effects alone",
}
DASHES: dict[str, Any] = {
    "partial": "-",
    "none": (0, (4, 2)),
    "complete": (0, (1, 1.5)),
    "typical": (0, (6, 1.5, 1, 1.5)),
}
TOGETHER = 7  # levels that share a panel: as many as there are colours
MOST = 24  # panels of a figure
COLUMNS = (3, 6)  # of a few panels, of many


@styled
def scatter(  # noqa: PLR0913 - options of a figure, named
    model: Model | Estimate | Posterior,
    *,
    x: str | None = None,
    group: str | None = None,
    levels: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
    response: str | None = None,
    seed: int = 0,
) -> Figure:
    """Draw the data of a model or fit, coloured by group.

    Parameters
    ----------
    model : a model, or a fit of it.
    x : column across; by default the first number of the fixed part that varies within groups.
    group : grouping factor; the first by default.
    levels : those to draw; by default all, of very many some. More than seven have a panel each.
    units : of the columns, for the axes.
    response : of several; the first by default.
    seed : of the jitter of counts, and of the rows drawn of very many.

    Raises
    ------
    SpecError, DataError
        If there is nothing to draw the response against, or no such column, group or level.
    """
    of = choose(model.spec, response=response)
    if model.spec.responses[of.response].family.has_category_counts:
        raise SpecError(
            f"A row of `{model.spec.responses[of.response].label}` has counts of several categories, which are no"
            " point: bmx.plots.categories(fit) draws their probabilities."
        )
    _, found, drawn = points(model, x, group, units, seed, of)
    chosen = choose_levels(found, levels, MOST)
    figure, axes, handles = _data(drawn, found, chosen, together=len(chosen) <= TOGETHER)
    for handle, _ in handles:
        handle.set_linestyle("")
    _finish(figure, axes, drawn, found, chosen, handles)
    return figure


@styled
def group_lines(  # noqa: PLR0913 - options of a figure, named
    fit: Estimate | Posterior,
    *,
    lines: str | Sequence[str] = "partial",
    x: str | None = None,
    group: str | None = None,
    levels: Sequence[str] | None = None,
    whole: bool = False,
    units: Mapping[str, str] | None = None,
    response: str | None = None,
    seed: int = 0,
) -> Figure:
    """Draw the data with a line for each level, on the scale of the response.

    Parameters
    ----------
    fit : an estimate or a posterior, whose mean is drawn.
    lines : of ``"partial"`` (the fit), ``"none"`` (a regression for each level), ``"complete"`` (one for all) and
        ``"typical"`` (the fixed effects). With more than one, every level has a panel.
    whole : draw lines over the whole range of ``x``, not only where the level has data.
    x, group, levels, units, response, seed : as in `scatter`. Other predictors are at the level's means, or most
        frequent levels.
    """
    kinds = _kinds([lines] if isinstance(lines, str) else lines)
    mean = _numeric(fit, choose(fit.spec, response=response))
    name, found, drawn = points(fit, x, group, units, seed, mean)
    chosen = choose_levels(found, levels, MOST)
    together = len(chosen) <= TOGETHER and len(kinds) <= 1
    figure, axes, handles = _data(drawn, found, chosen, together=together)
    curves = {kind: level_lines(Along(fit, found, chosen, name, whole, mean), kind) for kind in kinds}
    shown = shown_fit(fit)
    colours = {"partial": shown.colour, "typical": shown.colour, "none": INK, "complete": GREY}
    for place, (level, axis) in enumerate(zip(chosen, axes if len(axes) > 1 else axes * len(chosen), strict=True)):
        for kind, by_level in curves.items():
            colour = look(place)[0] if together else colours[kind]
            _draw(axis, by_level[level], colour, DASHES[kind])
    words = [f"{shown.words}, {WORDS[kind]}" if kind == "partial" else WORDS[kind] for kind in kinds]
    if together:
        axes[0].set_title("".join(words))
    else:
        for kind, text in zip(kinds, words, strict=True):
            handles.append((Line2D([], [], color=colours[kind], linestyle=DASHES[kind]), text))
    _finish(figure, axes, drawn, found, chosen, handles)
    return figure


@styled
def mean_curves(  # noqa: PLR0913 - options of a figure, named
    *fits: Estimate | Posterior | FitsByLabel,
    groups: Scope = "fitted",
    x: str | None = None,
    group: str | None = None,
    levels: Sequence[str] | None = None,
    interval: float = 0.95,
    whole: bool = False,
    units: Mapping[str, str] | None = None,
    parameter: str | None = None,
    response: str | None = None,
    seed: int = 0,
) -> Figure:
    """Draw the conditional mean of the response with intervals, on the scale of the response.

    Parameters
    ----------
    *fits : estimates and posteriors of one model, or a dict of them by label.
    groups : ``"fitted"`` has a panel for each level; ``"zero"`` (random effects zero, a typical level), ``"average"``
        (averaged over levels) and ``"new"`` (a level not seen) have one curve.
    interval : probability of the bands.
    parameter : another one than the mean that has a formula, ``"sigma"``, ``"shape"``: its curves, without the data.
    x, group, levels, whole, units, response, seed : as in `group_lines`.
    """
    shown = shown_fits("mean_curves", fits)
    first = shown[0].fit
    check_level(interval)
    check_scope("mean_curves", groups)
    wanted = _numeric(first, choose(first.spec, parameter, response))
    name, found, drawn = points(first, x, group, units, seed, wanted)
    chosen = choose_levels(found, levels, MOST) if groups == "fitted" else []
    figure, axes, handles = _data(drawn, found, chosen, together=not chosen)
    bounded = is_mean(first.spec, wanted)
    for number, one in enumerate(shown):
        curves = curves_of(Along(one.fit, found, chosen, name, whole, wanted), groups, interval)
        for axis, curve in zip(axes, curves, strict=True):
            _band(axis, curve, one, filled=number == 0)
            _draw(axis, curve, one.colour, one.dashes)
        line = Line2D([], [], color=one.colour, linestyle=one.dashes)
        handle = (Patch(color=one.colour, alpha=0.2, linewidth=0.0), line) if number == 0 else line
        seen = "" if not bounded or _is_seen(curves, drawn) else " (beyond this axis)"
        handles.append((handle, f"{one.label}: mean{seen} and {100.0 * interval:g} % interval{_SCOPES[groups]}"))
    if bounded:
        _limit(axes, drawn)
    _finish(figure, axes, drawn, found, chosen, handles)
    return figure


_SCOPES: dict[Scope, str] = {
    "fitted": "",
    "zero": " of a typical level (random effects zero)",
    "average": ", averaged over levels",
    "new": " of a level not seen",
}


def _numeric(fit: Estimate | Posterior, chosen: ChosenParameter) -> ChosenParameter:
    """A parameter that has one curve; `SpecError` for the probabilities of categories."""
    response = fit.spec.responses[chosen.response]
    if chosen.is_expectation and response.family.levels:
        raise SpecError(
            f"The mean of `{response.label}` is a probability for each of {len(response.family.levels)} categories:"
            " bmx.plots.categories(fit) draws them."
        )
    return chosen


# ---- panels -----------------------------------------------------------------------------------------------------


def _data(
    drawn: Points, group: GroupEffects, chosen: Sequence[int], *, together: bool
) -> tuple[Canvas, list[Axes], list[tuple[Any, str]]]:
    """The points: of all levels in one panel, coloured if they are few; or of each in a panel of its own."""
    if together:
        figure, axes = panels(1, columns=1, height=3.6)
        handles = []
        for place, level in enumerate(chosen):
            colour, marker = look(place)
            x, y, size = drawn.of(level)
            axes[0].scatter(x, y, size, color=colour, marker=marker, alpha=0.65, linewidths=0.0)
            handle = Line2D([], [], color=colour, marker=marker, linewidth=1.4, markersize=5.0)
            handles.append((handle, group.levels[level]))
        if not chosen:
            x, y, size = drawn.of(None)
            axes[0].scatter(x, y, size, color=GREY, alpha=0.5, linewidths=0.0)
        return figure, axes, handles
    columns = COLUMNS[len(chosen) > COLUMNS[0] ** 2]
    figure, axes = panels(len(chosen), columns=columns, height=4.6 / columns + 0.3, share=True, share_x=True)
    for level, axis in zip(chosen, axes, strict=True):
        x, y, size = drawn.of(level)
        axis.scatter(x, y, size, color=INK, alpha=0.55, linewidths=0.0)
        axis.margins(y=0.1)  # the largest marks stay below the name
    name_panels(figure, axes, [group.levels[level] for level in chosen], columns)
    return figure, axes, []


def _finish(
    figure: Canvas,
    axes: Sequence[Axes],
    drawn: Points,
    group: GroupEffects,
    chosen: Sequence[int],
    handles: Sequence[tuple[Any, str]],
) -> None:
    for axis in axes:
        if len(axes) > COLUMNS[0] ** 2:
            axis.tick_params(labelsize=7.0)
        drawn.label(axis, 80 if len(axes) == 1 else 80 // COLUMNS[len(axes) > COLUMNS[0] ** 2] - 4)
    handles = [*handles, *_sizes(drawn)]
    artists: list[Artist] = [handle for handle, _ in handles]
    texts = [text for _, text in handles]
    if len(axes) == 1:
        axes[0].set(xlabel=drawn.x_label, ylabel=drawn.y_label)
        if chosen:
            figure.legend(artists, texts, loc="outside right upper", title=group.group)
        elif handles:
            legend_below(figure, artists, texts)
        return
    figure.supxlabel(folded(drawn.x_label, letters(WIDTH - 0.6)), fontsize="medium")
    figure.supylabel(folded(drawn.y_label, letters(figure.get_size_inches()[1] - 0.6)), fontsize="medium")
    part = "" if len(chosen) == len(group.levels) else f", {len(chosen)} of {len(group.levels)} levels"
    legend_above(figure, artists, texts, title=f"by {group.group}{part}")


def _sizes(drawn: Points) -> list[tuple[Any, str]]:
    """What the areas of points mean."""
    sizes = [float(np.sqrt(area(trials, drawn.trials[-1]))) for trials in drawn.trials]
    marks = [Line2D([], [], color=INK, marker="o", linestyle="", markersize=size, alpha=0.55) for size in sizes]
    return [(mark, f"{trials:g} trials") for mark, trials in zip(marks, drawn.trials, strict=True)]


def _limit(axes: Sequence[Axes], drawn: Points) -> None:
    """Keep the data readable where bands run away from them."""
    low, high = _range(drawn)
    limits = [axis.dataLim for axis in axes]
    least = max(min(limit.y0 for limit in limits), low)
    most = min(max(limit.y1 for limit in limits), high)
    margin = 0.04 * (most - least)
    axes[0].set_ylim(least - margin, most + margin)


def _range(drawn: Points) -> tuple[float, float]:
    """The data, and as much room beside them as curves may take."""
    low, high = float(drawn.y.min()), float(drawn.y.max())
    return low - 0.6 * (high - low), high + 0.6 * (high - low)


def _is_seen(curves: Sequence[Curve], drawn: Points) -> bool:
    """Whether any part of the curves is where the data are: means over wide draws of a new level may be far off."""
    low, high = _range(drawn)
    return any(bool(np.any((curve.y >= low) & (curve.y <= high))) for curve in curves)


def _band(axis: Axes, curve: Curve, shown: Shown, *, filled: bool) -> None:
    """An interval: an area of the first fit, edges of those that come over it."""
    if filled:
        axis.fill_between(curve.x, curve.lower, curve.upper, color=shown.colour, alpha=0.2, linewidth=0.0)
    else:
        for bound in (curve.lower, curve.upper):
            axis.plot(curve.x, bound, color=shown.colour, linestyle=shown.dashes, linewidth=0.8)


def _draw(axis: Axes, curve: Curve, colour: str, dashes: Any) -> None:
    if len(curve.x) == 1:
        axis.plot(curve.x, curve.y, "_", color=colour, markersize=10.0)
    else:
        axis.plot(curve.x, curve.y, color=colour, linestyle=dashes, linewidth=1.5)


def _kinds(lines: Sequence[str]) -> list[str]:
    for kind in lines:
        if kind not in KINDS:
            raise SpecError(f"There are no lines of kind `{kind}`.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    return list(lines)
