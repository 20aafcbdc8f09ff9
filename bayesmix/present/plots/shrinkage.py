"""How partial pooling moves the coefficients of every level away from those of the level alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Patch

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.parameters.names import covariance
from bayesmix.present.plots.canvas import COLOURS, GREY, INK, MARKERS, SKY, legend_below, panels, styled
from bayesmix.present.plots.levels import MOST, NAMED, choose_effects, levels_axis
from bayesmix.present.plots.observations import choose_levels
from bayesmix.results.comparison.pooling import pooling as pooling_table
from bayesmix.results.fits.linear_predictor import GroupEffects, find_group
from bayesmix.results.fits.named_fits import by_method

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


ARROWS = 40  # levels up to which every one has its label


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
    names = choose_effects(both, effects, found)[:2]
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
    levels_axis(axis, group, rows, shown=shown)
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
