"""New responses from a fit, and what a posterior predicts of summaries of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.memory import too_much
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.results.prediction.predict import Groups, check_options, predict
from bayesmix.results.prediction.rows import PredictionRows

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesmix.results.fits.records import FitRecord, PosteriorRecord


Statistic = Callable[[Array], Array]  # (..., n) responses -> (...)
STATISTICS: dict[str, Statistic] = {
    "mean": lambda y: y.mean(axis=-1),
    "sd": lambda y: y.std(axis=-1, ddof=1),
    "min": lambda y: y.min(axis=-1),
    "max": lambda y: y.max(axis=-1),
    "share of zeros": lambda y: np.mean(y == 0.0, axis=-1),
}


def simulate(fit: FitRecord, n: int, *, newdata: Any, groups: Groups, offset: Any, seed: int) -> pd.DataFrame:
    """``n`` sets of responses, a column each: at the estimates, or each at a draw of its own."""
    import pandas as pd

    check_options("response", groups, fit.design.terms)
    if n < 1:
        raise SpecError(f"n={n}: simulate at least one set of responses.")
    rows = PredictionRows.of(fit.design, newdata, groups, offset)
    size = too_much(float(n) * len(rows.index))
    if size is not None:
        raise SpecError(f"n={n}: so many responses of {len(rows.index)} rows would take {size}.")
    values = fit.with_effects
    flat = int(np.prod(values.lead))
    pick = np.random.default_rng([seed, flat]).choice(flat, n, replace=flat < n)
    chosen = _at(values, pick)
    parts = [predict(fit.spec, chunk, chosen, kind="response", groups=groups, seed=seed).T for chunk in rows.chunks(n)]
    table = pd.DataFrame(np.concatenate(parts), index=rows.index, columns=[f"sim_{j + 1}" for j in range(n)])
    rows.warn_of_undetermined(fit.design.dropped)
    return rows.whole(table)


def posterior_predictive(post: PosteriorRecord, *, groups: Groups, seed: int) -> xr.Dataset:
    """Replicated responses of the rows of the fit, ``y (chain, draw, obs)``, under ArviZ's name of the group."""
    import xarray as xr

    check_options("response", groups, post.design.terms)
    values = post.with_effects
    rows = PredictionRows.of_fit(post.design)
    parts = [
        predict(post.spec, chunk, values, kind="response", groups=groups, seed=seed)
        for chunk in rows.chunks(int(np.prod(values.lead)))
    ]
    y = np.concatenate(parts, axis=-1)
    chains, draws = values.lead
    coords = {"chain": np.arange(chains), "draw": np.arange(draws), "obs": post.design.rows}
    return xr.Dataset({"y": (("chain", "draw", "obs"), y)}, coords=coords)


def check_statistics(
    post: PosteriorRecord, statistics: Mapping[str, Statistic] | None, *, groups: Groups, interval: float, seed: int
) -> pd.DataFrame:
    """Summaries of the data beside those of replicated data: ``observed, mean, lower, upper, p``."""
    import pandas as pd

    replicated = posterior_predictive(post, groups=groups, seed=seed)["y"].to_numpy()
    counts = post.spec.family.values.is_discrete
    known = {name: f for name, f in STATISTICS.items() if counts or name != "share of zeros"}
    tail = 50.0 * (1.0 - interval)
    rows = {}
    for name, function in (statistics or known).items():
        drawn, observed = np.asarray(function(replicated)), float(function(post.design.y))
        lower, upper = np.percentile(drawn, [tail, 100.0 - tail])
        share = float(np.mean(drawn > observed) + 0.5 * np.mean(drawn == observed))
        rows[name] = {"observed": observed, "mean": drawn.mean(), "lower": lower, "upper": upper, "p": share}
    return pd.DataFrame.from_dict(rows, orient="index")


def _at(values: Parameters, pick: Array) -> Parameters:
    """Parameters of some draws, end to end; of an estimate the same again and again."""
    lead = len(values.lead)

    def chosen(array: Array) -> Array:
        return np.asarray(array).reshape(-1, *np.shape(array)[lead:])[pick]

    return Parameters(
        chosen(values.beta),
        tuple(map(chosen, values.sd)),
        tuple(map(chosen, values.corr)),
        tuple(map(chosen, values.b)),
        None if values.dispersion is None else chosen(values.dispersion),
    )
