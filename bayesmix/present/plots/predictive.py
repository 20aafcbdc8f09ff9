"""Data beside what a model predicts of them, before and after it has seen them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayesmix.arrays import Array
from bayesmix.data.design.response import Outcome
from bayesmix.errors import PriorWarning
from bayesmix.language.families.category_counts import by_category
from bayesmix.language.formula.expression import column_names
from bayesmix.language.formula.model_spec import Response
from bayesmix.language.formula.reader import read
from bayesmix.present.plots.canvas import BLUE, INK, PALE, Canvas, legend_below, panels, styled, whole_ticks, with_unit
from bayesmix.present.plots.draws import figure_of
from bayesmix.present.plots.looks import PRIOR
from bayesmix.present.plots.observations import is_whole, units_of
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.prediction.predict import Groups
from bayesmix.results.prediction.simulation import completed, posterior_predictive

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    from bayesmix.fit import Posterior
    from bayesmix.model import Model


POINTS = 2_000  # of a curve
SETS = 50  # of responses, drawn as lines
INTERVAL = 0.95  # of predicted frequencies
FAR = 30.0  # how many times farther than the data the prior may reach on a linear axis


@styled
def ppc(
    post: Posterior,
    *,
    groups: Groups = "fitted",
    units: Mapping[str, str] | None = None,
    seed: int = 0,
    response: str | None = None,
) -> Figure:
    """Draw the distribution of the responses beside those of replicated data.

    Counts have a rootogram: how often each count occurs, with the interval of how often it is predicted to. Categories,
    and zeros and ones, have bars of their shares, with the interval of the shares that are predicted. Where responses
    are censored the curves are shares of rows above a value: of right-censored data Kaplan and Meier's, which takes
    what censors for independent of the response; of others that of data completed by the model, on average.

    Parameters
    ----------
    post : a posterior.
    groups : ``"fitted"`` for the levels of the data, ``"new"`` for others like them.
    units : of the columns, for the axes.
    seed : of the replicated data.
    response : of several; the first by default.
    """
    import arviz as az

    number = choose(post.spec, response=response).response
    chosen, outcome = post.spec.responses[number], post.design.outcomes[number]
    counts = chosen.family.values.is_discrete
    replicated = posterior_predictive(post, groups=groups, seed=seed)[chosen.name or "y"]
    if outcome.bounds is not None and outcome.bounds.is_censored.any():
        return _above(post, number, replicated.to_numpy(), seed)
    if chosen.family.levels or (outcome.has_trials and outcome.trials.max() == 1.0):
        return _bars(chosen, outcome, replicated.to_numpy(), (chosen.label, BLUE, "predicted"))
    tree = _tree(replicated, outcome.y, int if counts else float)
    options: dict[str, Any] = {"backend": "matplotlib", "figure_kwargs": {"FigureClass": Canvas, "figsize": (6.6, 3.4)}}
    if counts:
        shown: dict[str, Any] = {"ci_prob": INTERVAL, "point_estimate": "median"}
        found = az.plot_ppc_rootogram(tree, **shown, **options, visuals={"title": False, "grid": False})
    else:
        visuals = {"predictive_dist": {"color": BLUE, "alpha": 0.25}, "observed_dist": {"color": INK}, "title": False}
        found = az.plot_ppc_dist(tree, kind="kde", num_samples=SETS, **options, visuals=visuals)
    figure = figure_of(found)
    label = _label(chosen.label, outcome, units_of(post, units))
    if is_whole(outcome.y):
        whole_ticks(figure.axes[0].xaxis)
    figure.axes[0].set(xlabel=label, ylabel="frequency (square root scale)" if counts else "density")
    if counts:
        marks: list[Artist] = [Line2D([], [], color=INK, marker="o", linestyle="", markersize=4.0)]
        marks.append(Line2D([], [], color=BLUE, marker="D", markersize=4.0, alpha=0.7))
        legend_below(figure, marks, ["data", f"predicted: median and {100.0 * INTERVAL:g} % interval"], columns=2)
    else:
        _legend(figure, f"{SETS} replications by the posterior", BLUE)
    return figure


@styled
def prior_predictive(model: Model, *, draws: int = SETS, seed: int = 0) -> Figure:
    """Draw the responses that the priors alone predict, as cumulative distributions, beside the data.

    Categories have bars of their shares, with the interval of the shares that the priors predict.

    Parameters
    ----------
    model : with proper priors.
    draws : number of sets of responses.
    seed : of the draws.

    Raises
    ------
    SpecError
        If a prior is flat: there is nothing to draw from.
    """
    y = model.design.y
    found = _by_priors(model, draws, seed)
    if model.spec.family.levels:
        words = (model.design.response, PRIOR, "predicted by the priors")
        return _bars(model.spec.responses[0], model.design.outcome, found, words)
    replicated = found.reshape(-1, len(y))
    figure, (axis,) = panels(1, columns=1, height=3.2)
    if is_whole(y):
        whole_ticks(axis.xaxis)
    for row in replicated:
        axis.ecdf(row, color=PRIOR, alpha=0.3, linewidth=0.8)
    axis.ecdf(y, color=INK, linewidth=1.8)
    reach = float(np.abs(y - y.mean()).max())
    far = float(np.mean(np.abs(replicated - y.mean()) > FAR * reach))
    if far:
        axis.set_xscale("symlog", linthresh=max(float(np.abs(y).max()), 1.0))
        axis.set_title(
            f"{100.0 * far:.2g} % of predicted responses are over {FAR:g} times as far off as any in the data"
        )
    axis.set(
        xlabel=_label(model.design.response, model.design.outcome, model.units), ylabel="share of rows up to this value"
    )
    _legend(figure, f"{draws} sets of responses that the priors predict", PRIOR)
    return figure


def _bars(response: Response, outcome: Outcome, replicated: Array, words: tuple[str, str, str]) -> Figure:
    """Bars of the shares of categories, and of zeros and ones, with those of replications.

    Parameters
    ----------
    replicated : codes ``(..., n)``, or counts of each category ``(..., n, K)``.
    words : the response, the colour of the replications, by what they are.
    """
    family = response.family
    levels = family.levels or outcome.categories or ("0", "1")
    is_counted, K = family.has_category_counts, len(levels)
    by = "share of trials" if is_counted else "share of rows"
    if is_counted:
        seen, drawn = by_category(family, outcome.y, outcome.trials).sum(axis=0), replicated.sum(axis=-2)
    else:
        seen, drawn = (np.stack([np.sum(y == k, axis=-1) for k in range(K)], -1) for y in (outcome.y, replicated))
    return _shares(seen, drawn.reshape(-1, K), levels, (*words, by))


def _shares(observed: Array, replicated: Array, levels: Sequence[str], words: tuple[str, str, str, str]) -> Figure:
    """Bars of shares: how often each category occurs ``(K,)``, and in replications ``(sets, K)``."""
    label, colour, text, by = words
    codes, drawn = np.arange(len(levels)), replicated / observed.sum()
    lower, upper = np.percentile(drawn, [2.5, 97.5], axis=0)
    figure, (axis,) = panels(1, columns=1, height=3.2)
    axis.bar(codes, observed / observed.sum(), 0.7, color=PALE)
    axis.vlines(codes, lower, upper, color=colour, linewidth=1.8)
    axis.plot(codes, drawn.mean(axis=0), "o", color=colour, markersize=5.0, markeredgewidth=0.0)
    axis.set_xticks(codes, list(levels))
    axis.set(xlabel=label, ylabel=by)
    handles: list[Artist] = [Patch(facecolor=PALE), Line2D([], [], color=colour, marker="o", markersize=5.0)]
    legend_below(figure, handles, ["data", f"{text}: mean and 95 % interval"], columns=2)
    return figure


def _above(post: Posterior, number: int, replicated: Array, seed: int) -> Figure:
    """Shares of rows above each value: of censored data, and of replications ``(chain, draw, n)``."""
    outcome, label = post.design.outcomes[number], post.spec.responses[number].label
    flat = replicated.reshape(-1, len(outcome.y))
    figure, (axis,) = panels(1, columns=1, height=3.4)
    for row in flat[:: max(1, len(flat) // SETS)][:SETS]:
        axis.ecdf(row, complementary=True, color=BLUE, alpha=0.25, linewidth=0.8)
    values, shares, words = _survival(post, number, seed)
    axis.step(values, shares, where="post", color=INK, linewidth=1.8)
    least, most = float(outcome.y.min()), float(outcome.y.max())
    margin = 0.25 * (most - least or 1.0)
    axis.set_xlim(max(least - margin, min(float(flat.min()), least)), most + margin)
    axis.set(xlabel=label, ylabel="share of rows above this value")
    handles = [Line2D([], [], color=INK, linewidth=1.6), Line2D([], [], color=BLUE, alpha=0.5)]
    legend_below(figure, [*handles], [f"data, {words}", f"{SETS} replications by the posterior"], columns=2)
    return figure


def _survival(post: Posterior, number: int, seed: int) -> tuple[Array, Array, str]:
    """Values in order and the shares of rows of the data above each; and how they are found."""
    from scipy.stats import CensoredData, ecdf

    outcome = post.design.outcomes[number]
    assert outcome.bounds is not None  # of a censored response
    is_censored = outcome.bounds.is_censored
    if np.isposinf(outcome.bounds.high[is_censored]).all():
        found = ecdf(CensoredData(uncensored=outcome.y[~is_censored], right=outcome.y[is_censored])).sf
        start = min(float(outcome.y.min()), float(found.quantiles[0]))
        return np.append(start, found.quantiles), np.append(1.0, found.probabilities), "Kaplan and Meier's curve"
    drawn = np.sort(completed(post, number, seed).ravel())
    some = np.unique(np.linspace(0, len(drawn) - 1, POINTS).astype(int))
    return drawn[some], 1.0 - (some + 1.0) / len(drawn), "censored values drawn by the model"


def _by_priors(model: Model, draws: int, seed: int) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PriorWarning)  # the figure shows it
        return np.asarray(model.prior_predictive(draws=draws, seed=seed)["prior_predictive"]["y"])


def _tree(replicated: xr.DataArray, y: Array, dtype: type) -> xr.DataTree:
    import xarray as xr

    observed = xr.Dataset({"y": ("obs", y.astype(dtype))}, coords={"obs": replicated["obs"]})
    predicted = xr.Dataset({"y": replicated.astype(dtype)})
    return xr.DataTree.from_dict({"posterior_predictive": predicted, "observed_data": observed})


def _label(response: str, outcome: Outcome, units: Mapping[str, str]) -> str:
    """The response with its unit; of successes and failures the first."""
    return with_unit(column_names(read(response))[0] if outcome.has_trials else response, units)


def _legend(figure: Figure, predicted: str, colour: str) -> None:
    handles = [Line2D([], [], color=INK, linewidth=1.6), Line2D([], [], color=colour, alpha=0.5)]
    legend_below(figure, [*handles], ["data", predicted], columns=2)
