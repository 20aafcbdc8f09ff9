"""Forest: every parameter of several fits, each parameter on a scale of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from bayesmix.errors import SpecError, nearest
from bayesmix.fit import Estimate, Posterior
from bayesmix.present.plots.canvas import PALE, WIDTH, folded, letters, panels, styled
from bayesmix.present.plots.looks import DOCUMENT, FitsByLabel, Shown, document_mark, shown_fits
from bayesmix.results.criticism.confidence_intervals import of_all_parameters
from bayesmix.results.fits.degrees_of_freedom import has_freedom
from bayesmix.results.fits.level import check_level

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INTERVALS = {
    "wald": "Wald interval of fixed effects",
    "satterthwaite": "Satterthwaite interval of fixed effects",
    "kenward-roger": "Kenward-Roger interval of fixed effects",
    "profile": "profile interval",
    "bootstrap": "bootstrap interval",
}


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What one fit says of each parameter: a point and intervals, NaN where it has none."""

    shown: Shown
    point: pd.Series
    outer: pd.DataFrame  # lower, upper
    inner: pd.DataFrame | None  # the same at 50 %, of a posterior


@styled
def forest(
    *fits: Estimate | Posterior | FitsByLabel,
    documented: Mapping[str, float] | None = None,
    parameters: Sequence[str] | None = None,
    interval: float = 0.95,
    method: str | None = None,
) -> Figure:
    """Draw every parameter of the fits, one panel a parameter: they have different units.

    Parameters
    ----------
    *fits : estimates and posteriors of the same model, drawn from top to bottom, or a dict of them by label.
    documented : printed figures by parameter name, drawn as ticks; by default those of the fits' model file.
    parameters : names of the parameters to draw; all by default.
    interval : probability of the posterior's interval and confidence level of the estimate's. The thick part of a
        posterior's bar holds 50 %.
    method : intervals of estimates: ``"satterthwaite"`` (the default of linear models), ``"kenward-roger"`` or
        ``"wald"`` (the default of all others), for fixed effects only, or ``"profile"`` or ``"bootstrap"``, for all
        parameters; these may take seconds.

    Raises
    ------
    SpecError
        If nothing was given to draw.
    """
    drawn = shown_fits("forest", fits)
    names = _chosen([one.fit for one in drawn], parameters)
    check_level(interval)
    figures = drawn[0].fit.fitted_model.documented if documented is None else documented
    methods = [_method(one.fit, method) for one in drawn]
    rows = [_row(one, interval, own) for one, own in zip(drawn, methods, strict=True)]
    columns = 1 if len(names) <= 3 else 2
    figure, axes = panels(len(names), columns=columns, height=0.6 + 0.19 * len(rows))
    for name, axis in zip(names, axes, strict=True):
        _panel(axis, name, rows, figures.get(name))
        axis.set_title(folded(name, letters(WIDTH / columns - 0.3)))
    width, inches = figure.get_size_inches()
    lines = [axis.get_title(loc="left").count("\n") for axis in axes]
    grown = 0.15 * sum(max(lines[begin : begin + columns]) for begin in range(0, len(lines), columns))
    figure.set_size_inches(width, inches + 0.22 * (len(rows) + 1) + grown)
    handles, texts = _legend(rows, interval, methods, has_ticks=any(name in figures for name in names))
    figure.legend(handles, texts, loc="outside lower left", fontsize="small")
    return figure


def _chosen(fits: Sequence[Estimate | Posterior], parameters: Sequence[str] | None) -> list[str]:
    known = fits[0].names
    chosen = list(known if parameters is None else parameters)
    for name in chosen:
        if name not in known:
            raise SpecError(f"There is no parameter `{name}` here.{nearest(name, known)}")
        if any(name not in fit.names for fit in fits):
            common = [own for own in known if all(own in fit.names for fit in fits)]
            raise SpecError(
                f"Not all of these fits have a parameter `{name}`. What they share: {', '.join(common) or 'nothing'}."
                f" Draw it with parameters={common}."
            )
    return chosen


def _method(fit: Estimate | Posterior, method: str | None) -> str:
    """The intervals asked for, or those of the fit's summary."""
    default = "satterthwaite" if isinstance(fit, Estimate) and has_freedom(fit) else "wald"
    return default if method is None else method


def _row(shown: Shown, interval: float, method: str) -> Row:
    fit, bounds = shown.fit, ["lower", "upper"]
    if isinstance(fit, Posterior):
        table = fit.parameters(interval)
        return Row(shown, table["median"], table[bounds], fit.parameters(0.5)[bounds])
    return Row(shown, fit.parameters()["estimate"], of_all_parameters(fit, interval, method), None)


def _panel(axis: Axes, name: str, rows: Sequence[Row], tick: float | None) -> None:
    """One parameter: fits from top to bottom, the documented figure as a tick through them."""
    for place, row in enumerate(rows):
        colour, marker = row.shown.colour, row.shown.marker
        axis.plot(row.outer.loc[name], [place, place], color=colour, linewidth=1.4)
        if row.inner is not None:
            axis.plot(row.inner.loc[name], [place, place], color=colour, linewidth=4.0)
        face = "white" if row.inner is not None else colour
        axis.plot(
            row.point[name], place, marker, color=colour, markerfacecolor=face, markersize=5.5, clip_on=False, zorder=3
        )
    if tick is not None:
        axis.axvline(tick, **DOCUMENT, zorder=1)
    _scale(axis, name)
    axis.locator_params(axis="x", nbins=5)
    axis.set(yticks=[], ylim=(len(rows) - 0.4, -0.6))
    axis.spines["left"].set_visible(False)


def _scale(axis: Axes, name: str) -> None:
    """Show the natural bounds; mark zero where it is in sight."""
    if name.startswith("corr("):
        axis.set_xlim(-1.02, 1.02)
    low, high = axis.get_xlim()
    if name.startswith(("sd(", "sds(", "sdgp(")) and low < 0.35 * high:
        low = 0.0
        axis.set_xlim(low, high)
    if low <= 0.0 <= high:
        axis.axvline(0.0, color=PALE, linewidth=1.0, zorder=0)


def _legend(
    rows: Sequence[Row], interval: float, methods: Sequence[str], *, has_ticks: bool
) -> tuple[list[Line2D], list[str]]:
    handles = []
    for row in rows:
        face = "white" if row.inner is not None else row.shown.colour
        handles.append(Line2D([], [], color=row.shown.colour, marker=row.shown.marker, markerfacecolor=face))
    percent = f"{100.0 * interval:g} %"
    texts = [
        f"{row.shown.label}: estimate, {percent} {_INTERVALS[own]}"
        if row.inner is None
        else f"{row.shown.label}: median, 50 % and {percent} interval"
        for row, own in zip(rows, methods, strict=True)
    ]
    if has_ticks:
        handles.append(document_mark())
        texts.append("documented")
    return handles, texts
