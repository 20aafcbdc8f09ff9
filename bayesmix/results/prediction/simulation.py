"""New responses from a fit, and what a posterior predicts of summaries of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.memory import too_much
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.families.category_counts import counts_of
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.prediction.predict import Groups, check_options, predict
from bayesmix.results.prediction.prediction_table import Estimand, chosen_of, rows_of
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


def simulate(  # noqa: PLR0913 - options of a prediction, named
    fit: FitRecord,
    n: int,
    *,
    newdata: Any,
    groups: Groups,
    offset: Any,
    seed: int,
    response: str | None = None,
) -> pd.DataFrame:
    """``n`` sets of responses, a column each: at the estimates, or each at a draw of its own; categories by name.

    Of counts of several categories a column for each of them, below that of their set.
    """
    import pandas as pd

    check_options("response", groups, fit.design.terms)
    if n < 1:
        raise SpecError(f"n={n}: simulate at least one set of responses.")
    if newdata is not None and fit.spec.has_row_covariance:
        raise SpecError(
            f"`{fit.spec.formula.residual}` correlates residuals within the blocks of the data: simulate(newdata=) does"
            " not know those of other rows. Leave newdata out, or ask for single rows:"
            ' predict(newdata, kind="response").'
        )
    estimand = Estimand("response", groups, response=response)
    chosen, rows = chosen_of(fit, estimand), rows_of(fit, estimand, newdata, offset)
    size = too_much(float(n) * len(rows.index))
    if size is not None:
        raise SpecError(f"n={n}: so many responses of {len(rows.index)} rows would take {size}.")
    values = fit.with_effects
    flat = int(np.prod(values.lead))
    pick = np.random.default_rng([seed, flat]).choice(flat, n, replace=flat < n)
    draws = rows.drawn(draws_at(values, pick), seed)
    parts = [
        predict(
            fit.spec, chunk, draws, kind="response", groups=groups, seed=seed, chosen=chosen, jointly=newdata is None
        ).T
        for chunk in rows.chunks(n)
    ]
    table = pd.DataFrame(np.concatenate(parts), index=rows.index, columns=[f"sim_{j + 1}" for j in range(n)])
    family = fit.spec.responses[chosen.response].family
    if family.has_category_counts:
        table = _counted(table, rows.trials, family.levels)
    elif family.levels:
        whole = pd.CategoricalDtype(list(family.levels), ordered=True)
        table = table.apply(
            lambda codes: pd.Series(pd.Categorical.from_codes(codes.astype(int), dtype=whole), codes.index)
        )
    rows.warn_of_undetermined(fit.design.dropped)
    return rows.whole(table)


def _counted(table: pd.DataFrame, trials: Array, levels: Sequence[str]) -> pd.DataFrame:
    """Counts of categories, a column of each below that of its set, from the numbers that stand for them."""
    import pandas as pd

    counts = counts_of(table.to_numpy(), trials[:, None], len(levels)).reshape(len(table), -1).astype(int)
    return pd.DataFrame(counts, table.index, pd.MultiIndex.from_product([table.columns, levels]))


def replicated(spec: ModelSpec, design: Design, values: Parameters, *, groups: Groups, seed: int) -> list[Array]:
    """New responses ``(..., n)`` on the rows of a design, all those of a model: one data set for each draw.

    Of responses with missing values, these rows have values, too.
    """
    design.check_rows("A replication of the data")
    found = []
    for number, one in enumerate(spec.responses):
        rows, chosen = PredictionRows.of_fit(design, number), choose(spec, response=one.label)
        chunks = rows.chunks(int(np.prod(values.lead)))
        parts = [
            predict(spec, chunk, values, kind="response", groups=groups, seed=seed, chosen=chosen, jointly=True)
            for chunk in chunks
        ]
        found.append(np.concatenate(parts, axis=-1).astype(float))
    return found


def posterior_predictive(post: PosteriorRecord, *, groups: Groups, seed: int) -> xr.Dataset:
    """Replicated responses of the rows of the fit, ``(chain, draw, obs)``: ``y``, or several by their names.

    In place of censored responses stand whole ones, as in brms; truncated ones are inside their bounds. Counts of
    several categories have these along a last dimension.
    """
    import xarray as xr

    check_options("response", groups, post.design.terms)
    chains, draws = post.with_effects.lead
    coords = {"chain": np.arange(chains), "draw": np.arange(draws), "obs": post.design.rows}
    found = replicated(post.spec, post.design, post.with_effects, groups=groups, seed=seed)
    return xr.Dataset(responses_by_name(post, found, ("chain", "draw", "obs")), coords=coords)


def responses_by_name(post: PosteriorRecord, responses: Sequence[Array], dims: tuple[str, ...]) -> dict[str, Any]:
    """Variables of a data set: ``y``, or several by their names; counts of several categories along one dimension more.

    Parameters
    ----------
    responses : ``(..., n)`` each, along ``dims``.
    """
    import xarray as xr

    found = {}
    for one, outcome, y in zip(post.spec.responses, post.design.outcomes, responses, strict=True):
        name, own = one.name or "y", one.family.levels
        if one.family.has_category_counts:
            whole = f"category_{one.name}" if one.name else "category"
            counts = counts_of(y, outcome.trials, len(own))
            found[name] = xr.DataArray(counts, dims=(*dims, whole), coords={whole: list(own)})
        else:
            found[name] = xr.DataArray(y, dims=dims)
    return found


def completed(post: PosteriorRecord, number: int, seed: int) -> Array:
    """A response in which values stand for censored ones, drawn from what is known of them: ``(chain, draw, n)``.

    Of one that is seen in all rows ``(n,)``. Completed and replicated data have one distribution if the model is right
    (Gelman, Van Mechelen, Verbeke, Heitjan and Meulders 2005, *Biometrics* 61).
    """
    outcome, family = post.design.outcomes[number], post.spec.responses[number].family
    bounds = outcome.bounds
    if bounds is None or not bounds.is_censored.any():
        return outcome.y
    rows = np.flatnonzero(bounds.is_censored)
    behind = replace(PredictionRows.of_fit(post.design, number), bounds=bounds.inside(family)).take(rows)
    found = np.tile(outcome.y, (*post.with_effects.lead, 1))
    chosen, values = choose(post.spec, response=post.spec.responses[number].label), post.with_effects
    drawn = predict(post.spec, behind, values, kind="response", groups="fitted", seed=seed + 1, chosen=chosen)
    found[..., rows] = drawn
    return found


def check_statistics(
    post: PosteriorRecord,
    statistics: Mapping[str, Statistic] | Sequence[str] | str | None,
    *,
    groups: Groups,
    interval: float,
    seed: int,
    response: str | None = None,
) -> pd.DataFrame:
    """Summaries of the data beside those of replicated data: ``observed, mean, lower, upper, p``.

    Of censored responses those of completed data, on average; each draw is compared with its own.
    """
    import pandas as pd

    number = choose(post.spec, response=response).response
    post.design.check_rows("A predictive check")
    seen = post.design.outcomes[number].seen
    observed_y = completed(post, number, seed)[..., seen]
    drawn_y = replicated(post.spec, post.design, post.with_effects, groups=groups, seed=seed)[number][..., seen]
    family = post.spec.responses[number].family
    counts = family.values.is_discrete
    known = {name: f for name, f in STATISTICS.items() if counts or name != "share of zeros"}
    if family.has_category_counts:
        trials = post.design.outcomes[number].trials[seen]
        observed_y, drawn_y = (counts_of(y, trials, len(family.levels)) for y in (observed_y, drawn_y))
        known = {f"share of {level}": _share_of_counts(k) for k, level in enumerate(family.levels)}
    elif family.levels:
        known = {f"share of {level}": _share_of(k) for k, level in enumerate(family.levels)}
    tail = 50.0 * (1.0 - interval)
    rows = {}
    for name, function in _chosen(statistics, known).items():
        drawn, observed = np.asarray(function(drawn_y)), np.asarray(function(observed_y))
        lower, upper = np.percentile(drawn, [tail, 100.0 - tail])
        share = float(np.mean(drawn > observed) + 0.5 * np.mean(drawn == observed))
        rows[name] = {"observed": observed.mean(), "mean": drawn.mean(), "lower": lower, "upper": upper, "p": share}
    return pd.DataFrame.from_dict(rows, orient="index")


def _chosen(
    statistics: Mapping[str, Statistic] | Sequence[str] | str | None, known: Mapping[str, Statistic]
) -> Mapping[str, Statistic]:
    """Statistics of one's own, or some of the known ones by their names; all of these where nothing is said."""
    if isinstance(statistics, Mapping) and all(map(callable, statistics.values())):
        return statistics or known
    names = [statistics] if isinstance(statistics, str) else list(statistics or known)
    wrong = next((name for name in names if name not in known or isinstance(statistics, Mapping)), None)
    if wrong is not None:
        raise SpecError(
            f"There is no statistic `{wrong}`.{nearest(str(wrong), known)} Known are {', '.join(known)}; those of your"
            ' own are functions by name, {"median": lambda y: np.median(y, axis=-1)}.'
        )
    return {name: known[name] for name in names}


def _share_of(code: int) -> Statistic:
    return lambda y: np.mean(y == code, axis=-1)


def _share_of_counts(category: int) -> Statistic:
    return lambda y: y[..., category].sum(axis=-1) / y.sum(axis=(-1, -2))


def repeated(values: Parameters, n: int) -> Parameters:
    """Values without leading axes, ``n`` times along one."""
    return draws_at(values, np.zeros(n, int))


def draws_at(values: Parameters, pick: Array) -> Parameters:
    """Parameters of some draws, end to end; of an estimate the same again and again."""
    lead = len(values.lead)

    def chosen(array: Array) -> Array:
        return np.asarray(array).reshape(-1, *np.shape(array)[lead:])[pick]

    return values.each(chosen)
