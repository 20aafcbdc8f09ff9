"""Figures of studies: standard errors as reported and as they are, samples, coverage of intervals, power."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D

from bayesmix.present.plots.canvas import (
    GREY,
    INK,
    ORANGE,
    PALE,
    RED,
    WIDTH,
    folded,
    legend_above,
    letters,
    look,
    name_panels,
    panels,
    room_beside,
    styled,
    whole_ticks,
)
from bayesmix.present.plots.looks import looks
from bayesmix.results.fits.level import check_level
from bayesmix.studies.power_curve import clopper_pearson

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesmix.studies.power import Power
    from bayesmix.studies.standard_errors import StandardErrors

WORDS = {
    "common": "least squares, one slope for all groups",
    "separate": "least squares in each group",
    "reml": "mixed model, REML",
    "posterior": "mixed model, posterior",
}
BINS = 40


@styled
def standard_errors(study: StandardErrors) -> Figure:
    """Draw the standard errors that every estimator reports, replicate by replicate, beside the actual one.

    Parameters
    ----------
    study : from `bayesmix.studies.standard_errors`. Estimators that report no standard error are left out.
    """
    table = study.table.dropna(subset=["reported_se"])
    figure, axes = panels(len(table), columns=1, height=1.55, share_x=True)
    reported = study.replicates.dropna(subset=["std_error"])
    errors = reported["std_error"].to_numpy(float)
    edges = np.linspace(errors.min(), np.quantile(errors, 0.995), BINS).tolist()
    for axis, (name, row) in zip(axes, table.iterrows(), strict=True):
        colour = looks([name == "posterior"])[0].colour
        own = reported.loc[reported["estimator"] == name, "std_error"]
        axis.hist(own, edges, color=colour, alpha=0.35)
        axis.axvline(row["reported_se"], color=colour, linewidth=1.6, linestyle=(0, (4, 2)))
        axis.axvline(row["actual_se"], color=INK, linewidth=1.8)
        ratio = f"reported / actual = {row['reported_over_actual']:.2f}"
        axis.set_title(f"{WORDS.get(str(name), str(name))}: {ratio}")
        axis.set(yticks=[], ylabel="replicates")
    axes[-1].set_xlabel("standard error of the average slope")
    handles: list[Artist] = [
        Line2D([], [], color=RED, linewidth=5.0, alpha=0.35),
        Line2D([], [], color=RED, linestyle=(0, (4, 2))),
        Line2D([], [], color=INK),
    ]
    texts = ["as reported, by replicate", "mean of those", "actual: spread of the estimates"]
    legend_above(figure, handles, texts, title=f"{study.replicates['replicate'].nunique()} replicates")
    return figure


@styled
def sample(study: StandardErrors) -> Figure:
    """Draw the last sample of a study: every group with its own line over all other points, and the common slope.

    Parameters
    ----------
    study : from `bayesmix.studies.standard_errors`.
    """
    data = study.sample
    levels = list(dict.fromkeys(data["group"].astype(str)))
    figure, axes = panels(len(levels), columns=5, height=1.45, share=True, share_x=True)
    x, y = data["x"].to_numpy(), data["y"].to_numpy()
    means = data.groupby("group", observed=True)[["x", "y"]].transform("mean").to_numpy()
    within = np.column_stack([x, y]) - means
    slope = float(np.sum(within[:, 0] * within[:, 1]) / np.sum(within[:, 0] ** 2))
    for level, axis in zip(levels, axes, strict=True):
        own = (data["group"].astype(str) == level).to_numpy()
        axis.scatter(x[~own], y[~own], 4.0, color=PALE, linewidths=0.0)
        axis.scatter(x[own], y[own], 12.0, color=INK, alpha=0.7, linewidths=0.0)
        ends = np.array([x[own].min(), x[own].max()])
        line = np.polynomial.Polynomial.fit(x[own], y[own], 1)
        axis.plot(ends, line(ends), color=RED, linewidth=1.5)
        axis.plot(
            ends, y[own].mean() + slope * (ends - x[own].mean()), color=ORANGE, linestyle=(0, (4, 2)), linewidth=1.3
        )
    name_panels(figure, axes, levels, 5)
    figure.supxlabel("x", fontsize="medium")
    figure.supylabel("y", fontsize="medium")
    handles: list[Artist] = [Line2D([], [], color=RED), Line2D([], [], color=ORANGE, linestyle=(0, (4, 2)))]
    texts = ["least squares in the group", f"one slope for all groups, an intercept for each: {slope:.2f}"]
    legend_above(figure, handles, texts, title="the last sample, by group")
    return figure


@styled
def coverage(table: pd.DataFrame, *, level: float = 0.95) -> Figure:
    """Draw how often intervals hold the truth, with 95 % limits of the simulation.

    Parameters
    ----------
    table : from `Comparison.coverage`: one row a parameter, one column a method.
    level : what the intervals claim.
    """
    check_level(level, "level")
    n = int(table.attrs.get("n", 0))
    table = table.dropna(how="all")
    names = [folded(str(name), 32) for name in table.index]
    lines = max((name.count("\n") + 1 for name in names), default=1)
    row = max(0.16 * (len(table.columns) + 1), 0.19 * lines + 0.12)
    figure, (axis,) = panels(1, columns=1, height=0.6 + row * len(table))
    axis.axvline(level, color=GREY, linewidth=1.0, linestyle=(0, (4, 2)), zorder=0)
    handles: list[Artist] = []
    marks = looks([method == "credible" for method in table.columns])
    for place, (method, mark) in enumerate(zip(table.columns, marks, strict=True)):
        share = table[method].to_numpy(float)
        y = np.arange(len(table)) + (place - 0.5 * (len(table.columns) - 1)) * 0.7 / max(len(table.columns), 1)
        if n:
            axis.hlines(y, *clopper_pearson(np.round(share * n), np.full(len(share), n)), color=mark.colour)
        axis.plot(share, y, mark.marker, color=mark.colour, markersize=5.0, markeredgewidth=0.0)
        handles.append(Line2D([], [], color=mark.colour, marker=mark.marker))
    axis.set_yticks(range(len(table)), names)
    axis.set_ylim(len(table) - 0.4, -0.6)
    words = f"share of intervals that hold the truth (they claim {100.0 * level:g} %)"
    axis.set_xlabel(folded(words, letters(room_beside(names, 1))))
    title = f"{n} simulated data sets, lines: 95 % limits of the simulation" if n else "coverage"
    legend_above(figure, handles, [str(method) for method in table.columns], title=title)
    return figure


@styled
def power(study: Power, *, wanted: float = 0.8) -> Figure:
    """Draw power and the mean width of intervals over the sizes of a study, with 95 % limits of the simulation.

    Parameters
    ----------
    study : from `bayesmix.studies.power`. The first of its sizes that varies is drawn along the axis, a line for each
        combination of the others.
    wanted : power at which a line is drawn.
    """
    check_level(wanted, "wanted")
    table = study.table
    along = study.along
    others = [name for name in table.index.names if name != along]
    has_width = bool(table["width"].notna().any())
    figure, axes = panels(1 + has_width, columns=2, height=2.9)
    axes[0].axhline(wanted, color=GREY, linewidth=1.0, linestyle=(0, (4, 2)), zorder=0)
    flat = table.reset_index()
    parts = flat.groupby(others, sort=False) if others else [((), flat)]
    handles: list[Artist] = []
    texts: list[str] = []
    for place, (key, part) in enumerate(parts):
        colour, marker = look(place)
        own = part.sort_values(along)
        x = own[along].to_numpy(float)
        axes[0].fill_between(x, own["lower"], own["upper"], color=colour, alpha=0.18, linewidth=0.0)
        axes[0].vlines(x, own["lower"], own["upper"], color=colour, alpha=0.4, linewidth=1.0)  # all of a single size
        axes[0].plot(x, own["power"], marker, linestyle="-", color=colour, markersize=5.0, markeredgewidth=0.0)
        if has_width:
            axes[1].plot(x, own["width"], marker, linestyle="-", color=colour, markersize=5.0, markeredgewidth=0.0)
        handles.append(Line2D([], [], color=colour, marker=marker))
        values = key if isinstance(key, tuple) else (key,)
        texts.append(", ".join(f"{name} = {value:g}" for name, value in zip(others, values, strict=True)))
    _label_power(axes, study, along)
    n = int(table["replicates"].iloc[0])
    title = f"{study.hypothesis}: {n} data sets a size, bands: 95 % limits of the simulation"
    legend_above(figure, handles if others else [], texts if others else [], title=title)
    return figure


def _label_power(axes: list[Axes], study: Power, along: str) -> None:
    words = f"{along} in each group" if along == "rows" else f"levels of {along}"
    words = folded(words, letters(0.5 * WIDTH - 0.6))
    axes[0].set(ylim=(0.0, 1.02), xlabel=words, ylabel="power", title=f"power at alpha = {study.alpha:g}")
    sizes = study.table.index.get_level_values(along).to_numpy(float)
    for axis in axes:
        whole_ticks(axis.xaxis)
        axis.update_datalim([(sizes.min(), 0.0), (sizes.max(), 0.0)], updatey=False)  # those without a fit, too
        axis.autoscale_view(scaley=False)
    for axis in axes[1:]:
        axis.set(xlabel=words, ylabel="mean width", ylim=(0.0, 1.08 * float(study.table["width"].max())))
        title = f"{100.0 * (1.0 - study.alpha):g} % intervals of {study.hypothesis}"
        axis.set_title(folded(title, letters(0.5 * WIDTH - 0.6)))
