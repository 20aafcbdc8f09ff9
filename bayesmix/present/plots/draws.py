"""Draws of parameters, by ArviZ's plots: pairs with divergences, traces, ranks.

The parameters have the names of all tables here, not those of the DataTree's variables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from cycler import cycler

from bayesmix.errors import SpecError, nearest
from bayesmix.fit import Posterior
from bayesmix.inference.parameters.names import POSITIVE
from bayesmix.present.plots.canvas import BLUE, INK, WIDTH, Canvas, folded, legend_below, letters, styled
from bayesmix.present.plots.looks import CHAINS
from bayesmix.results.fits.linear_predictor import flatten

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

MOST = 6  # parameters of a figure of pairs
SCATTERED = 1500  # draws of a panel


@styled
def pairs(post: Posterior, *, parameters: Sequence[str] | None = None) -> Figure:
    """Draw the parameters against each other, divergent transitions marked.

    Parameters
    ----------
    post : a posterior.
    parameters : two or more names; by default as many as can be read, standard deviations and correlations first.

    Raises
    ------
    SpecError
        If there is no such parameter, or only one.
    """
    import arviz as az
    from matplotlib.lines import Line2D

    names = _names(post, parameters) if parameters is not None else _by_interest(post)[:MOST]
    if len(names) < 2:
        raise SpecError("pairs needs two parameters at least.")
    tree = _tree(post, names)
    step = max(1, tree["posterior"].sizes["draw"] * tree["posterior"].sizes["chain"] // SCATTERED)
    thinned = tree.isel(draw=slice(None, None, step))
    marks: dict[str, Any] = {"color": INK, "marker": "x", "size": 18.0, "alpha": 0.9}
    diverging = post.divergences > 0
    found = az.plot_pair(
        tree if diverging else thinned,  # so few that none may be left out
        visuals={
            "scatter": {"color": BLUE, "alpha": 0.25, "size": 5.0},
            "divergence": marks if diverging else False,
            "dist": {"color": BLUE},
            "point_estimate": False,
            "point_estimate_text": False,
            "credible_interval": False,
        },
        backend="matplotlib",
        figure_kwargs={"FigureClass": Canvas, "figsize": (6.6, 6.2)},
    )
    figure = figure_of(found)
    room = min(letters(WIDTH / math.sqrt(len(figure.axes)) - 0.15, 7.5), 24)
    for axis in figure.axes:
        axis.tick_params(labelsize=7.0 if len(figure.axes) <= 16 else 6.0)
        axis.locator_params(nbins=3 if len(figure.axes) <= 16 else 2)
        if not axis.collections:  # a density, whose height says nothing
            axis.set_yticks([])
        axis.xaxis.label.set_fontsize(7.5)
        axis.yaxis.label.set_fontsize(7.5)
        axis.set_xlabel(folded(axis.get_xlabel().replace(", ", ",\n"), room))
        axis.set_ylabel(folded(axis.get_ylabel().replace(", ", ",\n"), room))
    if diverging:
        mark = Line2D([], [], color=INK, marker="x", linestyle="")
        legend_below(figure, [mark], [f"{post.divergences} divergent transitions"])
    return figure


@styled
def trace(post: Posterior, *, parameters: Sequence[str] | None = None) -> Figure:
    """Draw density and course of every parameter, chain by chain; all chains should tell the same.

    Parameters
    ----------
    post : a posterior.
    parameters : names; all by default.
    """
    import arviz as az

    names = _names(post, parameters)
    with mpl.rc_context({"axes.prop_cycle": cycler(color=CHAINS)}):
        found = az.plot_trace_dist(
            _tree(post, names),
            compact=False,
            aes={"color": ["chain"]},
            visuals={"trace": {"alpha": 0.6, "width": 0.5}},
            backend="matplotlib",
            figure_kwargs={"FigureClass": Canvas, "figsize": (6.6, 0.4 + 1.25 * len(names))},
        )
    figure = figure_of(found)
    for axis in figure.axes:
        axis.set_ylabel("")  # the name is below the density
        axis.set_xlabel(folded(axis.get_xlabel(), 42))
        if axis.get_xlabel() == "Draw" and axis is not figure.axes[-1]:
            axis.set_xlabel("")
    return figure


@styled
def rank(post: Posterior, *, parameters: Sequence[str] | None = None) -> Figure:
    """Draw how the draws of every chain rank among all: a small p says that the chains differ.

    Each line is the share of a chain's draws that rank up to a place, less the share expected where chains agree.

    Parameters
    ----------
    post : a posterior.
    parameters : names; all by default.
    """
    import arviz as az

    names = _names(post, parameters)
    columns = min(3, len(names))
    with mpl.rc_context({"axes.prop_cycle": cycler(color=CHAINS)}):
        found = az.plot_rank(
            _tree(post, names),
            backend="matplotlib",
            col_wrap=columns,
            figure_kwargs={"FigureClass": Canvas, "figsize": (6.6, 0.4 + 1.9 * -(-len(names) // columns))},
        )
    figure = figure_of(found)
    for axis in figure.axes:
        axis.set_xticks([0.0, 0.5, 1.0])
        title = axis.get_title(loc="left") or axis.get_title()
        axis.set_title(folded(title, letters(WIDTH / columns - 0.3, 8.0)), fontsize=8.0)
        axis.set_xlabel("")
        for text in axis.texts:
            text.set_text(text.get_text().partition("(")[0].replace("p=", "p = "))  # without the level of a test
    figure.supxlabel("rank among all draws, as a share", fontsize="medium")
    figure.supylabel("excess share of draws", fontsize="medium")
    return figure


# ---- parts ------------------------------------------------------------------------------------------------------


def _names(post: Posterior, parameters: Sequence[str] | None) -> list[str]:
    for name in parameters or ():
        if name not in post.names:
            raise SpecError(f"There is no parameter `{name}` here.{nearest(name, post.names)}")
    return list(post.names if parameters is None else parameters)


def _by_interest(post: Posterior) -> list[str]:
    """Standard deviations and correlations, where trouble is, then the rest."""
    return sorted(post.names, key=lambda name: not name.startswith((*POSITIVE, "corr(")))


def _tree(post: Posterior, names: Sequence[str]) -> xr.DataTree:
    """Draws of scalars under the names of the tables, with what ArviZ needs to mark divergences."""
    import xarray as xr

    flat = flatten(post.design, post.values)
    lead = ("chain", "draw")
    scalars = {name: (lead, flat[..., post.names.index(name)]) for name in names}
    coords = {"chain": np.arange(flat.shape[0]), "draw": np.arange(flat.shape[1])}
    stats = {"diverging": (lead, np.asarray(post.draws.stats.get("diverging", np.zeros(flat.shape[:2])), bool))}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(scalars, coords), "sample_stats": xr.Dataset(stats, coords)})


def figure_of(found: Any) -> Figure:
    """The figure of one of ArviZ's collections, taken from pyplot, which would show it a second time."""
    from matplotlib import pyplot

    figure: Figure = found.viz["figure"].item()
    pyplot.close(figure)
    return figure
