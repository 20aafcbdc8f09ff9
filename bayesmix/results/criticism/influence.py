"""What each group does to the parameters: estimates without it, posteriors reweighted as if without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmix.data.design.subset import as_new
from bayesmix.errors import PredictionWarning, warn_user
from bayesmix.inference.estimation.case_deletion import refit_without
from bayesmix.inference.estimation.point_estimates import joined
from bayesmix.inference.sampling.pareto_smoothing import smoothed, tail_length
from bayesmix.results.criticism.new_level_density import log_density
from bayesmix.results.fits.linear_predictor import codes_of, find_group, flatten

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord

MEMORY = 50_000_000  # rows of sets that are held at once, a byte each


def of_estimate(fit: EstimateRecord, group: str | None) -> pd.DataFrame:
    """Refit without each level: changes of the parameters, and Cook's distance of the fixed effects.

    A level without which the model cannot be fitted has missing values.
    """
    import pandas as pd

    found = find_group(fit.design, group)
    codes = codes_of(fit.design, found)
    before = flatten(fit.design, fit.values)
    p = len(fit.design.fixed)
    pieces = np.array_split(np.arange(len(found.levels)), 1 + len(found.levels) * len(codes) // MEMORY)
    sets = (codes != levels[:, None] for levels in pieces)
    without = joined([refit_without(fit.design, fit.spec, fit.point.method, kept, fit.point) for kept in sets])
    changes = flatten(fit.design, without.parameters) - before
    moved = without.beta - fit.values.beta  # on the scale of the predictors
    table = pd.DataFrame(changes, index=pd.Index(found.levels, name=found.group), columns=fit.names)
    if np.any(lost := np.isnan(changes).all(axis=1)):
        levels = [level for level, is_lost in zip(found.levels, lost, strict=True) if is_lost]
        named = ", ".join(f"`{level}`" for level in levels[:10]) + ", ..." * (len(levels) > 10)
        warn_user(f"Without {named} of `{found.group}` the model cannot be fitted: NaN.", PredictionWarning)
    table["cooks_distance"] = np.einsum("lp,pq,lq->l", moved, np.linalg.inv(fit.point.beta_cov), moved) / max(p, 1)
    return table


def of_posterior(fit: PosteriorRecord, group: str | None) -> pd.DataFrame:
    """Change of posterior means without each level, in posterior standard deviations, by importance weights.

    Draws are weighted by one over the density of the level's rows, its effects integrated out, smoothed by PSIS;
    ``pareto_k`` above 0.7 says that the weights cannot tell: the level is too influential, see ``logo(refit="all")``.
    """
    import pandas as pd

    found = find_group(fit.design, group)
    codes = codes_of(fit.design, found)
    draws = flatten(fit.design, fit.with_effects)
    draws = draws.reshape(-1, draws.shape[-1])
    rows = []
    for level in range(len(found.levels)):
        part = as_new(fit.design, np.flatnonzero(codes == level), found.group)
        log_weights, k = smoothed(-log_density(fit.spec, part, fit.with_effects).ravel(), tail_length(len(draws)))
        weights = np.exp(log_weights - log_weights.max())
        shift = weights @ draws / weights.sum() - draws.mean(axis=0)
        rows.append(np.append(shift / draws.std(axis=0, ddof=1), k))
    index = pd.Index(found.levels, name=found.group)
    return pd.DataFrame(np.array(rows), index=index, columns=[*fit.names, "pareto_k"])
