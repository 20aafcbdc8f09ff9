"""Figures of fits, each a function that returns a matplotlib ``Figure``: ``bmx.plots.forest(post, reml).savefig(...)``.

Data and lines: `scatter`, `group_lines`, `mean_curves`, `smooths`, `categories`, `residuals`. Groups: `caterpillar`,
`shrinkage`, `pooling`. Parameters: `forest`, `sd_density`, `prior_posterior`. Prediction: `ppc`, `prior_predictive`.
Draws: `pairs`, `trace`, `rank`. Meta-analyses: `effects_forest`. Studies: `standard_errors`, `sample`, `coverage`,
`power`.

Nothing is shown and no global state is touched. Colours are those of Okabe and Ito, which people with any colour vision
tell apart, and mean the same everywhere: posteriors are blue, estimates red, priors pink, data grey, the figures of a
document dotted lines. Figures of several fits also take a dict of them by label, and show the labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bayesmix.errors import SpecError, nearest
from bayesmix.present.plots.category_curves import categories
from bayesmix.present.plots.caterpillar import caterpillar
from bayesmix.present.plots.densities import prior_posterior, sd_density
from bayesmix.present.plots.draws import pairs, rank, trace
from bayesmix.present.plots.effects_forest import effects_forest
from bayesmix.present.plots.forest import forest
from bayesmix.present.plots.lines import group_lines, mean_curves, scatter
from bayesmix.present.plots.pooling import pooling
from bayesmix.present.plots.predictive import ppc, prior_predictive
from bayesmix.present.plots.residuals import residuals
from bayesmix.present.plots.shrinkage import shrinkage
from bayesmix.present.plots.smooth_curves import smooths
from bayesmix.present.plots.studies import coverage, power, sample, standard_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesmix.results.comparison.record import ComparisonRecord

__all__ = [
    "categories",
    "caterpillar",
    "coverage",
    "effects_forest",
    "forest",
    "group_lines",
    "mean_curves",
    "pairs",
    "pooling",
    "power",
    "ppc",
    "prior_posterior",
    "prior_predictive",
    "rank",
    "residuals",
    "sample",
    "scatter",
    "sd_density",
    "shrinkage",
    "smooths",
    "standard_errors",
    "trace",
]

# figures of several fits of one model, by the word for `Comparison.plot`
KINDS: dict[str, Callable[..., Figure]] = {
    "forest": forest,
    "shrinkage": shrinkage,
    "sd": sd_density,
    "pooling": pooling,
    "caterpillar": caterpillar,
    "curves": mean_curves,
    "effects": effects_forest,
    "smooths": smooths,
}
DOCUMENTED = ("forest", "sd")  # those that mark the figures of a document


def of_comparison(comparison: ComparisonRecord, kind: str, **options: Any) -> Figure:
    """Draw the fits of a comparison: `Comparison.plot`."""
    if kind not in KINDS:
        raise SpecError(f"There is no figure `{kind}`.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    if kind in DOCUMENTED and "documented" in comparison.table:
        options = {"documented": dict(comparison.table["documented"].dropna())} | options
    return KINDS[kind](dict(zip(comparison.labels, comparison.fits, strict=True)), **options)
