"""Residuals against fitted values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D

from bayesmix.arrays import Array
from bayesmix.errors import SpecError, nearest
from bayesmix.fit import Estimate, Posterior
from bayesmix.present.plots.canvas import GREY, INK, PALE, legend_below, panels, styled, with_unit
from bayesmix.present.plots.looks import Shown, shown_fit
from bayesmix.present.plots.observations import SPREAD, places, some, units_of
from bayesmix.present.plots.observations import response as observed_response
from bayesmix.results.fits.accessors import fitted_of
from bayesmix.results.fits.chosen_parameter import ChosenParameter, choose
from bayesmix.results.fits.residuals import residuals as residuals_of
from bayesmix.results.prediction.observed_columns import is_factor, observed
from bayesmix.results.prediction.reference_grid import levels_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


BINS = 12  # at most; each has eight rows or more
EACH = 8


@styled
def residuals(
    fit: Estimate | Posterior,
    *,
    kind: str | None = None,
    against: str = "fitted",
    units: Mapping[str, str] | None = None,
    response: str | None = None,
    seed: int = 0,
) -> Figure:
    """Draw residuals against fitted means, with the mean residual in bins and two standard errors to either side.

    Parameters
    ----------
    fit : an estimate or a posterior.
    kind : ``"pearson"``, ``"response"``, ``"deviance"`` or ``"quantile"``: standard normal if the model is right, and
        without the stripes of counts. By default Pearson's, which categories and censored or truncated responses do not
        have: theirs are quantiles.
    against : ``"fitted"`` means, the ``"linear"`` predictor, or a column of the data.
    units : of the columns, for the axes.
    response : of several; the first by default.
    seed : of quantile residuals of counts, and of the rows drawn of very many.

    Raises
    ------
    SpecError
        If there is no such kind or column.
    """
    design, rng = fit.design, np.random.default_rng(seed)
    mean = choose(fit.spec, response=response)
    kind = _usual_kind(fit, mean) if kind is None else kind
    values = residuals_of(fit, kind, seed=seed, response=response)
    units = units_of(fit, units)
    x, label = _across(fit, against, mean, units)
    shown = some(len(values), rng)
    look = shown_fit(fit)
    figure, (axis,) = panels(1, columns=1, height=3.4)
    axis.axhline(0.0, color=GREY, linewidth=1.0, zorder=0)
    if kind == "quantile":
        for bound in (-1.96, 1.96):
            axis.axhline(bound, color=PALE, linewidth=1.0, linestyle=(0, (4, 2)), zorder=0)
    size = 16.0 if shown.sum() < 500 else 6.0
    by_level = against in observed(design) and is_factor(design, against)
    aside = SPREAD * rng.uniform(-1.0, 1.0, len(x)) if by_level else np.zeros(len(x))
    axis.scatter((x + aside)[shown], values[shown], size, color=INK, alpha=0.45, linewidths=0.0)
    if by_level:
        levels = [str(level) for level in levels_of(design, against)]
        axis.set_xticks(range(len(levels)), levels)
        _means(axis, look, x, values, [np.flatnonzero(x == place) for place in range(len(levels))])
    else:
        _means(axis, look, x, values, _bins(x))
    _, y_label = observed_response(design, fit.spec, units, mean.response)
    unit = f" of {y_label.removesuffix(', jittered')}" if kind == "response" else ""
    axis.set(xlabel=label, ylabel=f"{kind.replace('pearson', 'Pearson')} residual{unit}")
    handles = [
        Line2D([], [], color=INK, marker="o", markersize=4.0, linestyle="", alpha=0.6),
        Line2D([], [], color=look.colour, marker=look.marker, markersize=4.0),
    ]
    words = f"{look.label}: mean of neighbouring rows, two standard errors to either side"
    legend_below(figure, [*handles], ["a row", words], columns=2)
    return figure


def _usual_kind(fit: Estimate | Posterior, mean: ChosenParameter) -> str:
    """Pearson's where a response is compared with its mean."""
    is_of_categories = bool(fit.spec.responses[mean.response].family.levels)
    return "quantile" if is_of_categories or fit.design.outcomes[mean.response].bounds is not None else "pearson"


def _across(
    fit: Estimate | Posterior, against: str, mean: ChosenParameter, units: Mapping[str, str]
) -> tuple[Array, str]:
    design = fit.design
    label = fit.spec.responses[mean.response].label
    if against == "fitted":
        if fit.spec.responses[mean.response].family.levels:
            fitted = fitted_of(fit, response=label)
            return fitted @ np.arange(1.0, 1.0 + fitted.shape[1]), f"fitted mean of {label}, categories as 1, 2, ..."
        _, words = observed_response(design, fit.spec, units, mean.response)
        return fitted_of(fit, response=label), f"fitted mean of {words.removesuffix(', jittered')}"
    if against == "linear":
        return fit.linear_predictor(response=label), f"linear predictor ({mean.link.name})"
    frame = observed(design)
    if against not in frame:
        known = ("fitted", "linear", *frame.columns)
        raise SpecError(f"There is no column `{against}`.{nearest(against, known)} Choices: {', '.join(known)}.")
    return places(design, against, frame[against]), against if is_factor(design, against) else with_unit(against, units)


def _bins(x: Array) -> list[Array]:
    """Neighbouring rows, about as many in each bin."""
    count = min(BINS, len(x) // EACH)
    return np.array_split(np.argsort(x, kind="stable"), count) if count > 1 else []


def _means(axis: Axes, shown: Shown, x: Array, values: Array, bins: list[Array]) -> None:
    """Mean residuals with two standard errors: structure that single rows of counts hide."""
    for rows in bins:
        if len(rows) > 1:
            mean, error = values[rows].mean(), values[rows].std(ddof=1) / np.sqrt(len(rows))
            axis.vlines(x[rows].mean(), mean - 2.0 * error, mean + 2.0 * error, color=shown.colour, linewidth=1.3)
            axis.plot(x[rows].mean(), mean, shown.marker, color=shown.colour, markersize=4.5, markeredgewidth=0.0)
