"""Densities of parameters: of standard deviations beside their estimates, of priors beside posteriors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bayesmix.arrays import Array
from bayesmix.errors import SpecError, nearest
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.parameters.centring import at_means
from bayesmix.inference.parameters.correlation import Free
from bayesmix.inference.parameters.names import corr_names, df_name
from bayesmix.inference.parameters.prior_wording import OneOfDecov
from bayesmix.language.priors.above import Above
from bayesmix.language.priors.on_link import natural
from bayesmix.language.priors.prior import Prior
from bayesmix.present.plots.canvas import BLUE, WIDTH, folded, legend_below, letters, panels, styled
from bayesmix.present.plots.looks import DOCUMENT, PRIOR, FitsByLabel, Shown, document_mark, shown_fits
from bayesmix.results.fits.linear_predictor import flatten, of_priors, signed_numbers
from bayesmix.results.fits.marginal_summary import describe, kernel_estimate
from bayesmix.results.fits.parameter_ranges import parameter_ranges

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLUMNS = 3
ROOM = letters(WIDTH / COLUMNS - 0.1)  # of a panel's name
CENTRES = {"mode": "^", "median": "o", "mean": "d"}
POINTS = 400
PRIOR_REACH = 1.5  # how far beyond the posterior, in widths of it, a prior is followed


@styled
def sd_density(
    *fits: Estimate | Posterior | FitsByLabel,
    parameters: Sequence[str] | None = None,
    documented: Mapping[str, float] | None = None,
) -> Figure:
    """Draw the posterior densities of standard deviations with mode, median and mean, and the estimates beside them.

    Parameters
    ----------
    *fits : posteriors and estimates of one model, or a dict of them by label; the first posterior's centres are
        marked.
    parameters : names of the parameters; by default all standard deviations, sigma included.
    documented : printed figures by parameter name; by default those of the fits' model file.

    Raises
    ------
    SpecError
        If there is no posterior, or no such parameter.
    """
    shown = shown_fits("sd_density", fits)
    posteriors = [one for one in shown if isinstance(one.fit, Posterior)]
    estimates = [one for one in shown if isinstance(one.fit, Estimate)]
    if not posteriors:
        raise SpecError("sd_density needs a posterior: bmx.plots.sd_density(post, reml).")
    names = _names(posteriors[0].posterior, parameters)
    figures = shown[0].fit.fitted_model.documented if documented is None else documented
    figure, axes = panels(len(names), columns=COLUMNS, height=2.3)
    for name, axis in zip(names, axes, strict=True):
        heights = [_density(axis, one, name, filled=one is posteriors[0]) for one in posteriors]
        _mark_centres(axis, posteriors[0], name)
        for one in estimates:
            value = float(one.fit.parameters()["estimate"][name])
            axis.axvline(value, color=one.colour, linestyle=one.dashes, linewidth=1.4)
        if name in figures:
            axis.axvline(figures[name], **DOCUMENT, zorder=1)
        axis.locator_params(axis="x", nbins=4)
        axis.set(xlabel=folded(name, ROOM), yticks=[], ylim=(0.0, 1.1 * max(heights)))
        axis.spines["left"].set_visible(False)
    axes[0].set_ylabel("posterior density")
    handles: list[Artist] = [_patch(one.colour, filled=one is posteriors[0]) for one in posteriors]
    texts = [f"{one.label} density" for one in posteriors]
    for centre, marker in CENTRES.items():
        handles.append(Line2D([], [], color=posteriors[0].colour, marker=marker, linestyle=""))
        texts.append(f"{posteriors[0].label} {centre}")
    handles += [Line2D([], [], color=one.colour, linestyle=one.dashes) for one in estimates]
    texts += [one.label for one in estimates]
    if any(name in figures for name in names):
        handles.append(document_mark())
        texts.append("documented")
    legend_below(figure, handles, texts, columns=3)
    return figure


@styled
def prior_posterior(post: Posterior, *, parameters: Sequence[str] | None = None) -> Figure:
    """Draw the posterior of every parameter over its prior: where the two agree, the data said little.

    The priors' densities are exact, not of draws; a flat prior has none. Intercepts, of groups too, are those at the
    means of the other columns where their priors are.

    Parameters
    ----------
    post : a posterior.
    parameters : names of the parameters, as in ``print(model.priors)`` and, for single correlations, in the tables; all
        by default.

    Raises
    ------
    SpecError
        If there is no such parameter.
    """
    draws, priors = _with_priors(post)
    known = list(draws)
    for name in parameters or ():
        if name not in known:
            raise SpecError(
                f"There is no parameter `{name}` here.{nearest(name, known)} Parameters: {', '.join(known)}."
            )
    names = list(known if parameters is None else parameters)
    ranges = dict(zip(known, parameter_ranges(post.design, post.spec).values(), strict=True))
    figure, axes = panels(len(names), columns=COLUMNS, height=1.9)
    for name, axis in zip(names, axes, strict=True):
        lower, upper = ranges[name]
        centres, density = _smooth(draws[name], lower, upper)
        axis.fill_between(centres, density, color=BLUE, alpha=0.25, linewidth=0.0)
        axis.plot(centres, density, color=BLUE, linewidth=1.4)
        grid = _prior_grid(priors[name], draws[name], lower, upper)
        if (prior := priors[name]) is not None:
            axis.plot(grid, np.exp(prior.log_density(grid)), color=PRIOR, linewidth=1.6)
        axis.set(xlabel=folded(name, ROOM), yticks=[], xlim=(grid[0], grid[-1]))
        axis.set_ylim(bottom=0.0)
        axis.spines["left"].set_visible(False)
    axes[0].set_ylabel("density")
    legend_below(figure, [Line2D([], [], color=PRIOR), _patch(BLUE, filled=True)], ["prior", "posterior"], columns=2)
    return figure


# ---- parts ------------------------------------------------------------------------------------------------------


def _names(post: Posterior, parameters: Sequence[str] | None) -> list[str]:
    for name in parameters or ():
        if name not in post.names:
            raise SpecError(f"There is no parameter `{name}` here.{nearest(name, post.names)}")
    names = [name for name in post.names if _is_positive(post, name)] if parameters is None else list(parameters)
    if not names:
        raise SpecError("The model has no standard deviation of its own: bmx.plots.prior_posterior(post) has the rest.")
    return names


def _draws(post: Posterior) -> dict[str, Array]:
    flat = flatten(post.design, post.values)
    return dict(zip(post.names, flat.reshape(-1, flat.shape[-1]).T, strict=True))


def _is_positive(post: Posterior, name: str) -> bool:
    """Whether a parameter is a standard deviation, a range, the dispersion, or another number for all rows."""
    lower, upper = _bounds(post, name)
    return lower >= 0.0 and np.isinf(upper)


def _bounds(post: Posterior, name: str) -> tuple[float, float]:
    return parameter_ranges(post.design, post.spec)[name]


def _smooth(draws: Array, lower: float, upper: float) -> tuple[Array, Array]:
    """Grid and density, but for the last half per cent of a long tail."""
    x, density = kernel_estimate(draws, lower, upper, most=99.5)
    if len(x) == 1:
        return x, density
    inside = float(np.mean((draws >= x[0]) & (draws <= x[-1])))
    return x, inside * density / np.trapezoid(density, x)


def _density(axis: Axes, shown: Shown, name: str, *, filled: bool) -> float:
    """Draw the density of a parameter; its height."""
    post, colour = shown.posterior, shown.colour
    x, density = _smooth(_draws(post)[name], *_bounds(post, name))
    if filled:
        axis.fill_between(x, density, color=colour, alpha=0.2, linewidth=0.0)
    axis.plot(x, density, color=colour, linewidth=1.4)
    if _is_positive(post, name) and x[0] < 0.35 * x[-1]:
        axis.set_xlim(left=0.0)
    return float(density.max())


def _mark_centres(axis: Axes, shown: Shown, name: str) -> None:
    """Mode, median and mean, each a stem up to the density."""
    post, colour = shown.posterior, shown.colour
    draws, bounds = _draws(post)[name], _bounds(post, name)
    x, density = _smooth(draws, *bounds)
    table = describe(draws[None, :, None], [name], 0.95, ranges={name: bounds}).loc[name]
    for centre, marker in CENTRES.items():
        if np.isfinite(table[centre]):
            top = float(np.interp(table[centre], x, density))
            axis.plot([table[centre]] * 2, [0.0, top], color=colour, linewidth=0.9)
            axis.plot(table[centre], top, marker, color=colour, markersize=5.5, markeredgewidth=0.0, zorder=3)


def _patch(colour: str, *, filled: bool) -> Any:
    return Patch(facecolor=colour, alpha=0.25) if filled else Line2D([], [], color=colour, linewidth=1.4)


# ---- priors -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Marginal:
    """The prior of one correlation of a matrix under LKJ: ``(1 + r) / 2 ~ Beta(a, a)`` with ``a = eta - 1 + k / 2``."""

    a: float

    def log_density(self, r: Array) -> Array:
        """Log density at ``r`` within (-1, 1)."""
        constant = math.lgamma(2.0 * self.a) - 2.0 * math.lgamma(self.a) - (2.0 * self.a - 1.0) * math.log(2.0)
        return constant + (self.a - 1.0) * np.log1p(-(r**2))


Stated = Prior | Marginal | OneOfDecov | Above  # priors of one number


def _with_priors(post: Posterior) -> tuple[dict[str, Array], dict[str, Stated | None]]:
    """Draws and prior of every parameter that has one."""
    priors = post.priors
    names, values = of_priors(priors, post.design, post.values)
    draws = dict(zip(names, values.reshape(-1, len(names)).T, strict=True))
    named: dict[str, Stated] = dict(zip(priors.names, map(natural, priors.fixed), strict=True))
    named |= priors.of_each_sd()
    if priors.rescor is not None:
        own = signed_numbers(post.design)
        named = {name: prior for name, prior in named.items() if name not in own}
        if isinstance(priors.residual_family, Free):
            named |= dict.fromkeys(own, Marginal(priors.rescor - 1.0 + 0.5 * priors.residual_family.k))
    if priors.dispersion is not None:
        named[str(priors.dispersion_name)] = priors.dispersion
    terms = at_means(post.design, priors.changes).terms
    for own, family, numbers in zip(corr_names(terms), priors.families, priors.corr, strict=True):
        if isinstance(family, Free) and numbers:
            named |= dict.fromkeys(own, Marginal(numbers[0].arguments[0] - 1.0 + 0.5 * family.k))
        elif not family.has_lkj:
            named |= dict(zip(own, numbers, strict=True))
    named |= {df_name(group): prior for group, prior in priors.df.items()}
    flat = {name for name, prior in named.items() if isinstance(prior, Prior) and prior.is_flat}
    return draws, {name: None if name in flat else named.get(name) for name in draws}


def _prior_grid(prior: Stated | None, draws: Array, lower: float, upper: float) -> Array:
    """Where to draw a prior: all of a correlation's, of others the posterior's surroundings."""
    if np.isfinite(upper):
        return np.linspace(lower, upper, POINTS)[1:-1]
    low, high = np.percentile(draws, [0.5, 99.5]).tolist()
    reach = PRIOR_REACH * (high - low) if prior is not None else 0.1 * (high - low)
    return np.linspace(max(low - reach, lower), high + reach, POINTS)
