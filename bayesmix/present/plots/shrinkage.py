"""How partial pooling moves the coefficients of every level away from those of the level alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Patch

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.parameters.names import covariance
from bayesmix.present.plots.canvas import (
    DOTS,
    EM,
    GREY,
    INK,
    SMALL,
    WIDTH,
    elided,
    folded,
    legend_below,
    letters,
    panels,
    styled,
)
from bayesmix.present.plots.levels import LONGEST_LEVEL, MOST, NAMED, choose_effects, levels_axis
from bayesmix.present.plots.looks import FitsByLabel, Shown, shown_fits
from bayesmix.present.plots.observations import choose_levels
from bayesmix.results.comparison.pooling import pooling as pooling_table
from bayesmix.results.fits.linear_predictor import GroupEffects, find_group

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


ARROWS = 40  # levels up to which every one has its label


@styled
def shrinkage(
    *fits: Estimate | Posterior | FitsByLabel,
    group: str | None = None,
    effects: Sequence[str] | None = None,
    levels: Sequence[str] | None = None,
) -> Figure:
    """Draw how partial pooling moves the coefficients of every level away from those of the level alone.

    Two effects span a plane, with the 50 % and 95 % ellipses of the random effects' distribution around the fixed
    effects; a single effect has a line a level.

    Parameters
    ----------
    *fits : estimates and posteriors of one model, or a dict of them by label; lines lead to the first.
    group : grouping factor; the first by default.
    effects : one or two of its effects that have a fixed effect; the first two by default.
    levels : those to draw; by default all, of very many some.

    Raises
    ------
    SpecError, DataError
        If there is no fit, or no such group, effect or level.
    """
    shown = shown_fits("shrinkage", fits)
    found = find_group(shown[0].fit.design, group)
    both = [name for name in found.effects if name in shown[0].fit.design.fixed]
    names = choose_effects(both, effects, found)[:2]
    if not names:
        raise SpecError(f"No effect of `{found.group}` has a fixed effect to be drawn towards.")
    rows = choose_levels(found, levels, MOST)
    labels = [found.levels[row] for row in rows]
    alone = pooling_table(shown[0].fit, group=found.group)["none"].unstack("effect").loc[labels, names]
    partial = [one.fit.coef()[found.group].loc[labels, names] for one in shown]
    draw = _plane if len(names) == 2 else _column
    return draw(shown, found, alone, partial)


def _plane(
    fits: Sequence[Shown],
    group: GroupEffects,
    alone: pd.DataFrame,
    partial: Sequence[pd.DataFrame],
) -> Figure:
    figure, (axis,) = panels(1, columns=1, height=4.4)
    x, y = alone.columns
    first = fits[0].fit
    centre = first.parameters().iloc[:, 0].loc[[x, y]].to_numpy()
    for q in (0.5, 0.95):
        axis.add_patch(_ellipse(centre, _population(first, group, [x, y]), _radius(first, group, q), fits[0].colour))
    known = alone.dropna()
    for level in known.index:
        axis.annotate(
            "",
            partial[0].loc[level].to_numpy(),
            known.loc[level].to_numpy(),
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.8, "shrinkA": 2.0, "shrinkB": 2.0},
        )
    axis.plot(known[x], known[y], "o", color=INK, markerfacecolor="white", markersize=5.0)
    for one, table in zip(fits, partial, strict=True):
        axis.plot(table[x], table[y], one.marker, color=one.colour, markersize=5.0, markeredgewidth=0.0)
    axis.plot(*centre, "+", color=fits[0].colour, markersize=12.0, markeredgewidth=1.5)
    axis.set_xlabel(folded(f"coefficient of {x}", letters(WIDTH - 1.0)))
    axis.set_ylabel(folded(f"coefficient of {y}", letters(figure.get_size_inches()[1] - 0.5)))
    _frame(axis, [alone, *partial], centre, _population(first, group, [x, y]))
    handles, texts = _shrinkage_legend(fits, group, alone)
    handles.append(Patch(facecolor=fits[0].colour, alpha=0.15))
    texts.append(f"50 % and 95 % of levels of {group.group}, by {fits[0].label}")
    legend_below(figure, handles, texts)
    if len(alone) <= ARROWS:
        figure.draw_without_rendering()  # lays the panel out, so that places on paper are known
        _name(figure, axis, partial[0], [alone, *partial])
    return figure


def _column(
    fits: Sequence[Shown],
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
    for one, table in zip(fits, partial, strict=True):
        after = table[name].to_numpy()[order]
        axis.plot(after, y, one.marker, color=one.colour, markersize=5.0 if shown else 2.0, markeredgewidth=0.0)
    axis.axvline(
        fits[0].fit.parameters().iloc[:, 0][name], color=fits[0].colour, linewidth=1.0, linestyle=DOTS, zorder=0
    )
    rows = np.array([group.levels.index(level) for level in alone.index])[order]
    levels_axis(axis, group, rows, shown=shown)
    axis.set_xlabel(folded(f"coefficient of {name}", letters(3.5)))
    handles, texts = _shrinkage_legend(fits, group, alone)
    legend_below(figure, handles, texts)
    return figure


def _shrinkage_legend(
    fits: Sequence[Shown], group: GroupEffects, alone: pd.DataFrame
) -> tuple[list[Artist], list[str]]:
    untold = int(alone.isna().any(axis=1).sum())
    lost = f" (not told by {untold} alone)" if untold else ""
    handles: list[Artist] = [Line2D([], [], color=INK, marker="o", markerfacecolor="white", linestyle="")]
    texts = [f"no pooling: each level of {group.group} alone{lost}"]
    for one in fits:
        handles.append(Line2D([], [], color=one.colour, marker=one.marker, linestyle="", markeredgewidth=0.0))
        texts.append(f"partial pooling: {one.words}")
    plane = alone.shape[1] == 2
    mark = {"marker": "+", "markersize": 9.0, "linestyle": ""} if plane else {"linestyle": DOTS}
    handles.append(Line2D([], [], color=fits[0].colour, **mark))
    texts.append(f"fixed effects of {fits[0].label}")
    return handles, texts


def _population(fit: Estimate | Posterior, group: GroupEffects, names: Sequence[str]) -> Array:
    """Covariance ``(2, 2)`` of two effects between levels, zero across terms; of a posterior its mean.

    Of t distributed effects it is that of their scale.
    """
    where = {name: (t, j) for t in group.terms for j, name in enumerate(fit.design.terms[t].effects)}
    (s, i), (t, j) = (where[name] for name in names)
    parts = [covariance(sd, corr) for sd, corr in zip(fit.values.sd, fit.values.corr, strict=True)]
    means = [part.reshape(-1, *part.shape[-2:]).mean(axis=0) for part in parts]
    shared = means[s][i, j] if s == t else 0.0
    return np.array([[means[s][i, i], shared], [shared, means[t][j, j]]])


def _radius(fit: Estimate | Posterior, group: GroupEffects, q: float) -> float:
    """Radius of the circle that holds ``q`` of a standard bivariate normal distribution, or of a t distribution.

    The squared radius over two of the latter is distributed as F on 2 and df degrees of freedom.
    """
    df = fit.values.df.get(group.group)
    if df is None:
        return math.sqrt(-2.0 * math.log1p(-q))
    middle = float(np.median(df))
    return math.sqrt(middle * ((1.0 - q) ** (-2.0 / middle) - 1.0))


def _ellipse(centre: Array, matrix: Array, reach: float, colour: str) -> Ellipse:
    """The contour of a covariance at a radius in units of standard deviations."""
    sizes, axes = np.linalg.eigh(matrix)
    radius = reach * np.sqrt(np.maximum(sizes, 0.0))
    angle = float(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])))
    return Ellipse((centre[0], centre[1]), 2.0 * radius[1], 2.0 * radius[0], angle=angle, facecolor=colour, alpha=0.1)


def _frame(axis: Axes, tables: Sequence[pd.DataFrame], centre: Array, matrix: Array) -> None:
    """Limits that show every level and the inner ellipse; the outer one where there is room."""
    radius = np.sqrt(-2.0 * np.log(0.5) * np.diagonal(matrix))
    for set_limits, column in ((axis.set_xlim, 0), (axis.set_ylim, 1)):
        values = np.concatenate([table.to_numpy(float)[:, column] for table in tables])
        low = min(np.nanmin(values), centre[column] - radius[column])
        high = max(np.nanmax(values), centre[column] + radius[column])
        room = 0.12 * (high - low)
        set_limits(low - room, high + room)


Box = tuple[float, float, float, float]  # left, bottom, right, top in printer's points


def _name(figure: Figure, axis: Axes, partial: pd.DataFrame, tables: Sequence[pd.DataFrame]) -> None:
    """Labels of levels where there is most room near their point; one that stands apart is joined to it."""
    import pandas as pd

    scale = 72.0 / figure.dpi  # to printer's points
    taken = axis.transData.transform(pd.concat(tables).dropna().to_numpy(float)) * scale
    boxes: list[Box] = [(x - 3.5, y - 3.5, x + 3.5, y + 3.5) for x, y in taken.tolist()]
    frame = axis.get_window_extent()
    inside = tuple(scale * edge for edge in (frame.x0, frame.y0, frame.x1, frame.y1))
    for level, (x, y) in zip(partial.index, partial.to_numpy(), strict=True):
        at = (axis.transData.transform((x, y)) * scale).tolist()
        name = folded(elided(str(level), LONGEST_LEVEL), NARROW)
        lines = name.split("\n")
        size = EM * SMALL * max(map(len, lines)), TALL * len(lines)
        places = [(box, far) for far in STEPS for box in _places(at, size, far)]
        box, far = min(places, key=lambda place: _cost(place[0], boxes, inside) + place[1])
        boxes.append(box)
        line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkA": 0.0, "shrinkB": 3.0}
        axis.annotate(
            name,
            (x, y),
            (box[0] - at[0], box[1] - at[1]),
            textcoords="offset points",
            fontsize="small",
            arrowprops=line if far > STEPS[0] else None,
        )


STEPS = (5.0, 14.0, 24.0, 36.0)  # printer's points from a point to its label
TALL = 9.0  # of a line of a label
NARROW = 22  # letters of a line of a label


def _places(at: Sequence[float], size: tuple[float, float], far: float) -> list[Box]:
    """Where a label may stand: right, left, above and below its point, then on the diagonals."""
    x, y = at
    width, tall = size
    middle, low = x - 0.5 * width, y - 0.5 * tall
    corners = [(x + far, low), (x - far - width, low), (middle, y + far), (middle, y - far - tall)]
    corners += [
        (left, bottom) for bottom in (y + far, y - far - tall) for left in (x + 0.7 * far, x - 0.7 * far - width)
    ]
    return [(left, bottom, left + width, bottom + tall) for left, bottom in corners]


def _cost(box: Box, taken: Sequence[Box], inside: Sequence[float]) -> float:
    """What stands against a place: what it covers, and what of it is outside the panel."""
    left, bottom, right, top = inside
    covered = sum(
        max(min(box[2], b[2]) - max(box[0], b[0]), 0.0) * max(min(box[3], b[3]) - max(box[1], b[1]), 0.0) for b in taken
    )
    outside = max(left - box[0], 0.0) + max(box[2] - right, 0.0) + max(bottom - box[1], 0.0) + max(box[3] - top, 0.0)
    return 10.0 * (covered + outside * TALL)
