"""Curves and surfaces of smooths, with pointwise and simultaneous bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bayesmix.data.columns import Numeric
from bayesmix.fit import Estimate, Posterior
from bayesmix.present.plots.canvas import GREY, INK, legend_above, panels, styled, with_unit
from bayesmix.present.plots.looks import FitsByLabel, Shown, shown_fits
from bayesmix.present.plots.observations import units_of
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.smooth_parts import SmoothPart
from bayesmix.results.prediction.smooth_curves import chosen_parts, variables_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
RUG = 300  # values that are marked at most


@styled
def smooths(
    *fits: Estimate | Posterior | FitsByLabel,
    smooth: str | None = None,
    interval: float = 0.95,
    units: Mapping[str, str] | None = None,
) -> Figure:
    """Draw the curves of smooths, each by itself, a panel a curve; of two variables as a map with contours.

    Curves of the levels of a factor, ``s(x, g, bs = "fs")``, are in one panel without bands; that of one level,
    ``smooth="s(x,g):g1"``, has its bands.

    Parameters
    ----------
    *fits : of one model, or a dict of them by label; surfaces are those of the first.
    smooth : one as it is written, ``"s(x)"``, or one of its curves, ``"s(x):fb"``; all by default.
    interval : probability of the bands: dark ones hold each point with it, light ones the whole curve.
    units : of the variables, by name.

    Raises
    ------
    SpecError
        If there is no such smooth.
    """
    check_level(interval)
    drawn = shown_fits("smooths", fits)
    first = drawn[0].fit
    units = units_of(first, units)
    shown = _by_panel(chosen_parts(first, smooth))
    tables = [one.fit.smooths(smooth, interval=interval) for one in drawn]
    figure, axes = panels(len(shown), columns=COLUMNS, height=2.6)
    for axis, (part, *others) in zip(axes, shown, strict=True):
        own = [table[table["smooth"].isin([one.label for one in (part, *others)])] for table in tables]
        names = variables_of([part])
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.set_xlabel(with_unit(names[0], units))
        if len(names) == 1:
            axis.set_ylabel(_label(first, part, is_alone=not others))
            (_levels if others else _curves)(axis, drawn, own, names[0])
            _rug(axis, first, names[0])
        else:
            axis.set_ylabel(with_unit(names[1], units))
            axis.set_title(_label(first, part, is_alone=True))
            _surface(figure, axis, own[0], names)
    has_bands = any(len(variables_of(own)) == 1 and len(own) == 1 for own in shown)
    title = f"smooths, {100.0 * interval:g} % bands" if has_bands else "smooths"
    legend_above(figure, *_legend(drawn, has_bands=has_bands), title=title, columns=4)
    return figure


def _by_panel(parts: Sequence[SmoothPart]) -> list[list[SmoothPart]]:
    """Curves that share a panel: those of the levels of one factor."""
    found: dict[tuple[int, str, str], list[SmoothPart]] = {}
    for part in parts:
        found.setdefault((part.predictor, part.smooth.text, "" if part.group else part.label), []).append(part)
    return list(found.values())


def _label(fit: Estimate | Posterior, part: SmoothPart, *, is_alone: bool) -> str:
    """The curve, or all of a factor, with effective degrees of freedom where an estimate has them."""
    label = part.label if is_alone else part.label.removesuffix(f":{part.level}")
    if not isinstance(fit, Estimate) or (part.group and is_alone):
        return label
    edf = dict(fit.smooth_terms()["edf"].items())[label]
    return f"{label}, {edf:.2f} edf"


def _levels(axis: Axes, fits: Sequence[Shown], tables: Sequence[pd.DataFrame], x: str) -> None:
    """A line a level."""
    axis.axhline(0.0, color=GREY, linewidth=0.6)
    for one, table in zip(fits, tables, strict=True):
        centre = "mean" if one.is_posterior else "estimate"
        for _, own in table.groupby("smooth", sort=False):
            axis.plot(own[x], own[centre], color=one.colour, linestyle=one.dashes, linewidth=1.0, alpha=0.7)


def _curves(axis: Axes, fits: Sequence[Shown], tables: Sequence[pd.DataFrame], x: str) -> None:
    axis.axhline(0.0, color=GREY, linewidth=0.6)
    for one, table in zip(fits, tables, strict=True):
        at = table[x]
        bounds = [("lower_simultaneous", "upper_simultaneous", 0.14), ("lower", "upper", 0.22)]
        for low, high, alpha in bounds:
            axis.fill_between(at, table[low], table[high], color=one.colour, alpha=alpha, linewidth=0.0)
        centre = table["mean" if one.is_posterior else "estimate"]
        axis.plot(at, centre, color=one.colour, linestyle=one.dashes, linewidth=1.6)


def _surface(figure: Figure, axis: Axes, table: pd.DataFrame, names: Sequence[str]) -> None:
    value = "estimate" if "estimate" in table else "mean"
    grid = table.pivot_table(index=names[1], columns=names[0], values=value)
    limit = float(np.abs(grid.to_numpy()).max())
    x, y = grid.columns.to_numpy(), grid.index.to_numpy()
    mesh = axis.pcolormesh(x, y, grid.to_numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, shading="gouraud")
    lines = axis.contour(x, y, grid.to_numpy(), colors=INK, linewidths=0.6)
    axis.clabel(lines, fontsize="x-small")
    figure.colorbar(mesh, ax=axis)


def _rug(axis: Axes, fit: Estimate | Posterior, name: str) -> None:
    """Marks at the values of the data."""
    source = fit.design.source
    column = None if source is None else source.columns.get(name)
    if isinstance(column, Numeric):
        values = np.unique(column.values[fit.design.rows])
        values = values[:: max(1, len(values) // RUG)]
        axis.plot(values, np.zeros(len(values)), "|", color=GREY, markersize=4.0, transform=axis.get_xaxis_transform())


def _legend(fits: Sequence[Shown], *, has_bands: bool) -> tuple[list[Artist], list[str]]:
    handles: list[Artist] = [Line2D([], [], color=one.colour, linestyle=one.dashes, linewidth=1.6) for one in fits]
    words = [one.words for one in fits]
    if not has_bands:
        return handles, words
    handles += [Patch(color=fits[0].colour, alpha=alpha, linewidth=0.0) for alpha in (0.36, 0.14)]
    return handles, [*words, "each point", "whole curve"]
