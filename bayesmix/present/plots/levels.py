"""The levels of a grouping factor: their random effects, and how much they borrow from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Patch

from bayesmix.arrays import Array
from bayesmix.errors import SpecError, nearest
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.estimation.methods import Reml, resolve_method
from bayesmix.inference.parameters.names import covariance
from bayesmix.present.plots.canvas import COLOURS, GREY, INK, MARKERS, PALE, SKY, legend_below, panels, styled
from bayesmix.present.plots.observations import choose_levels
from bayesmix.results.comparison.pooling import pooling as pooling_table
from bayesmix.results.fits.degrees_of_freedom import quantile
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.linear_predictor import GroupEffects, find_group, of_group
from bayesmix.results.fits.named_fits import by_method

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


NAMED = 60  # levels up to which every one has its label
MOST = 400  # levels drawn, of more some
POOLED = 24  # levels of a figure of pooling, which has several rows for each
ARROWS = 40  # levels of a figure of shrinkage that have labels


# ---- caterpillar ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Random effects of a fit, ``(J, k)`` each: centre, and bounds of the interval."""

    label: str
    centre: Array
    lower: Array
    upper: Array


@styled
def caterpillar(
    *fits: Estimate | Posterior,
    group: str | None = None,
    effects: Sequence[str] | None = None,
    levels: Sequence[str] | None = None,
    interval: float = 0.95,
    order: str | None = None,
) -> Figure:
    """Draw the random effects of every level with intervals, sorted.

    Parameters
    ----------
    *fits : estimates (conditional modes; intervals given the parameters) and posteriors (means) of one model.
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
    if not fits:
        raise SpecError("caterpillar needs a fit: bmx.plots.caterpillar(post, reml).")
    check_level(interval)
    found = find_group(fits[0].design, group)
    names = _chosen(found.effects, effects, found)
    places = [found.effects.index(name) for name in names]
    drawn = [_effects(label, fit, found, interval) for label, fit in zip(by_method(fits), fits, strict=True)]
    leading = places[0] if order is None else found.effects.index(_chosen(found.effects, [order], found)[0])
    rows = np.array(choose_levels(found, levels, MOST))
    rows = rows[np.argsort(drawn[0].centre[rows, leading], kind="stable")]
    shown = len(rows) <= NAMED
    height = 0.9 + len(rows) * (0.11 + 0.1 * len(fits) if shown else 0.03)
    figure, axes = panels(len(names), columns=3, height=min(height, 9.0), share=True)
    for axis, name, place in zip(axes, names, places, strict=True):
        axis.axvline(0.0, color=PALE, linewidth=1.0, zorder=0)
        for number, fit in enumerate(drawn):
            _bars(axis, fit, rows, place, number, len(drawn), shown=shown)
        axis.set_xlabel(f"random effect on {name}")
        axis.set_ylim(-1.0, len(rows))
    _levels_axis(axes[0], found, rows, shown=shown)
    means = {True: "conditional mode, {} interval given the parameters", False: "mean, {} interval"}
    percent = f"{100.0 * interval:g} %"
    texts = [
        f"{one.label}: {means[isinstance(fit, Estimate)].format(percent)}" for one, fit in zip(drawn, fits, strict=True)
    ]
    handles: list[Artist] = [
        Line2D([], [], color=COLOURS[j], marker=MARKERS[j], markersize=4.0) for j in range(len(fits))
    ]
    legend_below(figure, handles, texts)
    return figure


def _effects(label: str, fit: Estimate | Posterior, group: GroupEffects, interval: float) -> Effects:
    from scipy.special import ndtri

    b = of_group(fit.with_effects.b, group.terms)
    if isinstance(fit, Estimate):
        half = float(ndtri(0.5 + 0.5 * interval)) * fit.ranef_sd()[group.group].to_numpy()
        return Effects(label, b, b - half, b + half)
    tail = 50.0 * (1.0 - interval)
    lower, upper = np.percentile(b, [tail, 100.0 - tail], axis=(0, 1))
    return Effects(label, b.mean(axis=(0, 1)), lower, upper)


def _bars(axis: Axes, fit: Effects, rows: Array, place: int, number: int, count: int, *, shown: bool) -> None:
    """One fit in one panel; several fits lie side by side."""
    y = np.arange(len(rows)) + (0.0 if count == 1 else 0.5 * (0.5 - number / (count - 1)))
    lower, upper = fit.lower[rows, place], fit.upper[rows, place]
    colour = COLOURS[number]
    axis.hlines(y, lower, upper, color=colour, linewidth=1.2 if shown else 0.5, alpha=1.0 if shown else 0.5)
    size = 3.5 if shown else 1.2
    axis.plot(fit.centre[rows, place], y, MARKERS[number], color=colour, markersize=size, markeredgewidth=0.0)


def _levels_axis(axis: Axes, group: GroupEffects, rows: Array, *, shown: bool) -> None:
    if shown:
        axis.set_yticks(range(len(rows)), [group.levels[row] for row in rows], fontsize="small")
        axis.set_ylabel(group.group)
    else:
        part = "" if len(rows) == len(group.levels) else f" of {len(group.levels)}"
        axis.set_yticks([])
        axis.set_ylabel(f"{len(rows)}{part} levels of {group.group}, sorted")


def _chosen(known: Sequence[str], wanted: Sequence[str] | None, group: GroupEffects) -> list[str]:
    for name in wanted or ():
        if name not in known:
            raise SpecError(
                f"`{group.group}` has no effect `{name}`.{nearest(name, known)} Effects: {', '.join(known)}."
            )
    return list(known if wanted is None else wanted)


# ---- shrinkage --------------------------------------------------------------------------------------------------


@styled
def shrinkage(
    *fits: Estimate | Posterior,
    group: str | None = None,
    effects: Sequence[str] | None = None,
    levels: Sequence[str] | None = None,
) -> Figure:
    """Draw how partial pooling moves the coefficients of every level away from those of the level alone.

    Two effects span a plane, with the 50 % and 95 % ellipses of the random effects' distribution around the fixed
    effects; a single effect has a line a level.

    Parameters
    ----------
    *fits : estimates and posteriors of one model; arrows lead to the first.
    group : grouping factor; the first by default.
    effects : one or two of its effects that have a fixed effect; the first two by default.
    levels : those to draw; by default all, of very many some.

    Raises
    ------
    SpecError, DataError
        If there is no fit, or no such group, effect or level.
    """
    if not fits:
        raise SpecError("shrinkage needs a fit: bmx.plots.shrinkage(post, reml).")
    found = find_group(fits[0].design, group)
    both = [name for name in found.effects if name in fits[0].design.fixed]
    names = _chosen(both, effects, found)[:2]
    if not names:
        raise SpecError(f"No effect of `{found.group}` has a fixed effect to be drawn towards.")
    rows = choose_levels(found, levels, MOST)
    labels = [found.levels[row] for row in rows]
    alone = pooling_table(*fits, group=found.group)["none"].unstack("effect").loc[labels, names]
    partial = [fit.coef()[found.group].loc[labels, names] for fit in fits]
    draw = _plane if len(names) == 2 else _column
    return draw(fits, found, alone, partial)


def _plane(
    fits: Sequence[Estimate | Posterior],
    group: GroupEffects,
    alone: pd.DataFrame,
    partial: Sequence[pd.DataFrame],
) -> Figure:
    figure, (axis,) = panels(1, columns=1, height=4.4)
    x, y = alone.columns
    centre = fits[0].parameters().iloc[:, 0].loc[[x, y]].to_numpy()
    for q in (0.5, 0.95):
        axis.add_patch(_ellipse(centre, _population(fits[0], group, [x, y]), q))
    known = alone.dropna()
    for level in known.index:
        axis.annotate(
            "",
            partial[0].loc[level].to_numpy(),
            known.loc[level].to_numpy(),
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.8, "shrinkA": 2.0, "shrinkB": 2.0},
        )
    axis.plot(known[x], known[y], "o", color=INK, markerfacecolor="white", markersize=5.0)
    for place, table in enumerate(partial):
        axis.plot(table[x], table[y], MARKERS[place], color=COLOURS[place], markersize=5.0, markeredgewidth=0.0)
    axis.plot(*centre, "+", color=INK, markersize=12.0, markeredgewidth=1.5)
    axis.set(xlabel=f"coefficient of {x}", ylabel=f"coefficient of {y}")
    _frame(axis, [alone, *partial], centre, _population(fits[0], group, [x, y]))
    handles, texts = _shrinkage_legend(fits, group, alone)
    handles.append(Patch(facecolor=SKY, alpha=0.25))
    texts.append(f"50 % and 95 % of levels of {group.group}, by {by_method(fits)[0]}")
    legend_below(figure, handles, texts)
    if len(alone) <= ARROWS:
        figure.draw_without_rendering()  # lays the panel out, so that places on paper are known
        _name(figure, axis, partial[0], [alone, *partial])
    return figure


def _column(
    fits: Sequence[Estimate | Posterior],
    group: GroupEffects,
    alone: pd.DataFrame,
    partial: Sequence[pd.DataFrame],
) -> Figure:
    name = alone.columns[0]
    order = partial[0][name].argsort().to_numpy()
    shown = len(order) <= NAMED
    figure, (axis,) = panels(1, columns=1, height=min(0.9 + (0.19 if shown else 0.03) * len(order), 9.0))
    y = np.arange(len(order))
    before = alone[name].to_numpy()[order]
    axis.hlines(y, before, partial[0][name].to_numpy()[order], color=GREY, linewidth=0.8)
    axis.plot(before, y, "o", color=INK, markerfacecolor="white", markersize=5.0 if shown else 2.0)
    for place, table in enumerate(partial):
        after = table[name].to_numpy()[order]
        axis.plot(after, y, MARKERS[place], color=COLOURS[place], markersize=5.0 if shown else 2.0, markeredgewidth=0.0)
    axis.axvline(fits[0].parameters().iloc[:, 0][name], color=INK, linewidth=1.0, linestyle=(0, (2, 1.5)), zorder=0)
    rows = np.array([group.levels.index(level) for level in alone.index])[order]
    _levels_axis(axis, group, rows, shown=shown)
    axis.set_xlabel(f"coefficient of {name}")
    handles, texts = _shrinkage_legend(fits, group, alone)
    legend_below(figure, handles, texts)
    return figure


def _shrinkage_legend(
    fits: Sequence[Estimate | Posterior], group: GroupEffects, alone: pd.DataFrame
) -> tuple[list[Artist], list[str]]:
    untold = int(alone.isna().any(axis=1).sum())
    lost = f" (not told by {untold} alone)" if untold else ""
    handles: list[Artist] = [Line2D([], [], color=INK, marker="o", markerfacecolor="white", linestyle="")]
    texts = [f"no pooling: each level of {group.group} alone{lost}"]
    for place, label in enumerate(by_method(fits)):
        handles.append(Line2D([], [], color=COLOURS[place], marker=MARKERS[place], linestyle="", markeredgewidth=0.0))
        texts.append(f"partial pooling: {label}{' mean' if isinstance(fits[place], Posterior) else ''}")
    plane = alone.shape[1] == 2
    mark = {"marker": "+", "markersize": 9.0, "linestyle": ""} if plane else {"linestyle": (0, (2, 1.5))}
    handles.append(Line2D([], [], color=INK, **mark))
    texts.append(f"fixed effects of {by_method(fits)[0]}")
    return handles, texts


def _population(fit: Estimate | Posterior, group: GroupEffects, names: Sequence[str]) -> Array:
    """Covariance ``(2, 2)`` of two effects between levels, zero across terms; of a posterior its mean."""
    where = {name: (t, j) for t in group.terms for j, name in enumerate(fit.design.terms[t].effects)}
    (s, i), (t, j) = (where[name] for name in names)
    parts = [covariance(sd, corr) for sd, corr in zip(fit.values.sd, fit.values.corr, strict=True)]
    means = [part.reshape(-1, *part.shape[-2:]).mean(axis=0) for part in parts]
    shared = means[s][i, j] if s == t else 0.0
    return np.array([[means[s][i, i], shared], [shared, means[t][j, j]]])


def _ellipse(centre: Array, matrix: Array, q: float) -> Ellipse:
    """The contour that holds ``q`` of a bivariate normal distribution."""
    sizes, axes = np.linalg.eigh(matrix)
    radius = np.sqrt(-2.0 * np.log1p(-q) * np.maximum(sizes, 0.0))
    angle = float(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])))
    return Ellipse((centre[0], centre[1]), 2.0 * radius[1], 2.0 * radius[0], angle=angle, facecolor=SKY, alpha=0.15)


def _frame(axis: Axes, tables: Sequence[pd.DataFrame], centre: Array, matrix: Array) -> None:
    """Limits that show every level and the inner ellipse; the outer one where there is room."""
    radius = np.sqrt(-2.0 * np.log(0.5) * np.diagonal(matrix))
    for set_limits, column in ((axis.set_xlim, 0), (axis.set_ylim, 1)):
        values = np.concatenate([table.to_numpy(float)[:, column] for table in tables])
        low = min(np.nanmin(values), centre[column] - radius[column])
        high = max(np.nanmax(values), centre[column] + radius[column])
        room = 0.12 * (high - low)
        set_limits(low - room, high + room)


def _name(figure: Figure, axis: Axes, partial: pd.DataFrame, tables: Sequence[pd.DataFrame]) -> None:
    """Labels of levels where there is room beside their point; a label without room is left out."""
    import pandas as pd

    scale = 72.0 / figure.dpi  # to printer's points
    taken = axis.transData.transform(pd.concat(tables).dropna().to_numpy(float)) * scale
    boxes = [(x - 3.5, y - 3.5, x + 3.5, y + 3.5) for x, y in taken.tolist()]
    for level, (x, y) in zip(partial.index, partial.to_numpy(), strict=True):
        at_x, at_y = (axis.transData.transform((x, y)) * scale).tolist()
        width, height = 5.0 * len(str(level)), 8.0
        for right, up in ((5.0, -4.0), (-5.0 - width, -4.0), (-0.5 * width, 5.0), (-0.5 * width, -13.0)):
            box = (at_x + right, at_y + up, at_x + right + width, at_y + up + height)
            if not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in boxes):
                boxes.append(box)
                axis.annotate(str(level), (x, y), (right, up), textcoords="offset points", fontsize="small")
                break


# ---- pooling ----------------------------------------------------------------------------------------------------


@styled
def pooling(
    *fits: Estimate | Posterior,
    group: str | None = None,
    effects: Sequence[str] | None = None,
    levels: Sequence[str] | None = None,
    interval: float = 0.95,
) -> Figure:
    """Draw the coefficients of every level with complete, no and partial pooling, as `bayesmix.pooling` has them.

    Parameters
    ----------
    *fits : estimates (points) and posteriors (means and intervals) of one model.
    group : grouping factor; the first by default.
    effects : coefficients to draw, one panel each; by default those that vary between levels.
    levels : those to draw; by default all, of very many some.
    interval : probability of intervals; without pooling by t (linear models) or normal quantiles.

    Raises
    ------
    SpecError, DataError
        If there is no fit, or no such group, effect or level.
    """
    if not fits:
        raise SpecError("pooling needs a fit: bmx.plots.pooling(post, reml).")
    check_level(interval)
    found = find_group(fits[0].design, group)
    names = _chosen(found.effects, effects, found)
    table = pooling_table(fits[0], group=found.group)
    rows = choose_levels(found, levels, POOLED)
    labels = [found.levels[row] for row in rows]
    reach = _reach(table, fits[0], interval)
    figure, axes = panels(len(names), columns=2, height=0.9 + (0.12 + 0.09 * (len(fits) + 1)) * len(rows), share=True)
    for axis, name in zip(axes, names, strict=True):
        own = table.xs(name, level="effect").loc[labels]
        if "complete" in own and np.isfinite(own["complete"].iloc[0]):
            centre, half = own["complete"].iloc[0], reach["complete"].iloc[0] * own["complete std_error"].iloc[0]
            axis.axvspan(centre - half, centre + half, color=PALE, alpha=0.6, linewidth=0.0, zorder=0)
            axis.axvline(centre, color=GREY, linewidth=1.0, zorder=0)
        _dodged(axis, own["none"], reach["none"].loc[labels] * own["none std_error"], -1, len(fits), None)
        for place, fit in enumerate(fits):
            centre, lower, upper = _partial(fit, found, name, interval)
            bars = None if lower is None or upper is None else (lower[rows], upper[rows])
            _dodged(axis, centre[rows], bars, place, len(fits), place)
        axis.set_xlabel(f"coefficient of {name}")
        axis.set_ylim(len(rows) - 0.4, -0.6)
    axes[0].set_yticks(range(len(rows)), labels)
    axes[0].set_ylabel(found.group)
    _pooling_legend(figure, fits, interval)
    return figure


def _reach(table: pd.DataFrame, fit: Estimate | Posterior, interval: float) -> pd.DataFrame:
    """Half the width of the regressions' intervals in standard errors, by level: t of linear models."""
    import pandas as pd

    rows = table["rows"].groupby(level=0, sort=False).first().astype(float)
    linear = isinstance(resolve_method("auto", fit.spec.family, fit.spec.link), Reml)
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
    from bayesmix.results.fits.linear_predictor import coefficients

    names, values = coefficients(fit.design, fit.with_effects, group)
    own = values[..., names.index(name)]
    if isinstance(fit, Estimate):
        return own, None, None
    tail = 50.0 * (1.0 - interval)
    lower, upper = np.percentile(own, [tail, 100.0 - tail], axis=(0, 1))
    return own.mean(axis=(0, 1)), lower, upper


def _dodged(
    axis: Axes,
    centre: Array | pd.Series,
    spread: pd.Series | tuple[Array, Array] | None,
    place: int,
    count: int,
    look: int | None,
) -> None:
    """Points and bars of one way of pooling, beside those of the others."""
    y = np.arange(len(centre)) + (place + 1 - 0.5 * count) * min(0.26, 0.7 / count)
    colour, marker = (INK, "o") if look is None else (COLOURS[look], MARKERS[look])
    middle = np.asarray(centre, float)
    if spread is not None:
        lower, upper = spread if isinstance(spread, tuple) else (middle - spread, middle + spread)
        axis.hlines(y, lower, upper, color=colour, linewidth=1.2)
    face = "white" if look is None else colour
    axis.plot(middle, y, marker, color=colour, markerfacecolor=face, markersize=4.5)


def _pooling_legend(figure: Figure, fits: Sequence[Estimate | Posterior], interval: float) -> None:
    percent = f"{100.0 * interval:g} %"
    handles: list[Artist] = [
        Patch(facecolor=PALE, edgecolor=GREY),
        Line2D([], [], color=INK, marker="o", markerfacecolor="white"),
    ]
    texts = [
        f"complete pooling: one regression, {percent} interval",
        f"no pooling: the level alone, {percent} interval",
    ]
    for place, (label, fit) in enumerate(zip(by_method(fits), fits, strict=True)):
        bar: Any = "" if isinstance(fit, Estimate) else "-"
        handles.append(Line2D([], [], color=COLOURS[place], marker=MARKERS[place], linestyle=bar))
        texts.append(f"partial pooling: {label}{'' if isinstance(fit, Estimate) else f' mean, {percent} interval'}")
    legend_below(figure, handles, texts)
