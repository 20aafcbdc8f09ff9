"""Tables of predictions, of estimates and posteriors alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.censoring import ranges_of_new
from bayesmix.data.design.sampling_errors import errors_of_new
from bayesmix.data.frame import Table, open_table
from bayesmix.errors import SpecError
from bayesmix.results.fits.chosen_parameter import ChosenParameter, check_linear, choose
from bayesmix.results.fits.credible_regions import Rope
from bayesmix.results.fits.fixed_inference import FixedInference, inference_of, noted
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.marginal_summary import describe_draws
from bayesmix.results.fits.records import EstimateRecord, FitRecord, PosteriorRecord
from bayesmix.results.fits.robust_covariance import RobustCovariance
from bayesmix.results.prediction.estimate_prediction import ResolvedEstimand, predict_estimate
from bayesmix.results.prediction.predict import Kind, check_options, predict
from bayesmix.results.prediction.rows import PredictionRows
from bayesmix.results.prediction.scopes import Groups

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Estimand:
    """The quantity to predict in every row, for which groups, with which intervals."""

    kind: Kind
    groups: Groups
    interval: float = 0.95
    df: str | None = None  # None for the fit's own; see `fixed_inference`
    parameter: str | None = None  # of the response's distribution; None for the mean
    response: str | None = None  # None for the first
    category: int | None = None  # value whose probability is the mean; None for a table of those of all categories
    adjust: str = "none"  # of tests, for their number
    vcov: RobustCovariance | None = None  # of the fixed effects, in place of the model's
    rope: Rope = None  # region of practical equivalence

    def __post_init__(self) -> None:
        check_level(self.interval)


def estimand_of(
    kind: Kind,
    groups: Groups,
    interval: float,
    df: str | None,
    parameter: str | None,
    response: str | None,
) -> Estimand:
    """The quantity that is asked for: the probability of a zero is a mean, that of an event."""
    if kind != "zero":
        return Estimand(kind, groups, interval, df, parameter, response)
    if parameter is not None:
        raise SpecError(
            f'kind="zero" is the probability of a zero, whatever its parameters: leave parameter={parameter!r} out, or'
            ' ask for kind="mean" or "linear".'
        )
    return Estimand("mean", groups, interval, df, None, response, category=0)


def by_category[**P](function: Callable[P, pd.DataFrame]) -> Callable[P, pd.DataFrame]:
    """Let a table of means be one of the probabilities of all categories, row by row, where the response has such.

    Parameters
    ----------
    function : of a fit and, among further arguments by position, an `Estimand`.
    """

    @wraps(function)
    def whole(*args: P.args, **options: P.kwargs) -> pd.DataFrame:
        fit = cast("FitRecord", args[0])
        place = next(i for i, value in enumerate(args) if isinstance(value, Estimand))
        estimand = cast("Estimand", args[place])
        levels = _categories(fit, estimand)
        if not levels:
            return function(*args, **options)
        tables = []
        for k in range(len(levels)):
            own: Any = (*args[:place], replace(estimand, category=k), *args[place + 1 :])
            with warnings.catch_warnings(action="ignore" if k else "default"):
                tables.append(function(*own, **options))
        return _beside_categories(tables, levels)

    return whole


def _categories(fit: FitRecord, estimand: Estimand) -> tuple[str, ...]:
    """The categories of which a table of means is; none where it is of something else."""
    if estimand.kind != "mean" or estimand.category is not None:
        return ()
    chosen = choose(fit.spec, estimand.parameter, estimand.response)
    return fit.spec.responses[chosen.response].family.levels if chosen.is_expectation else ()


def _beside_categories(tables: Sequence[pd.DataFrame], levels: Sequence[str]) -> pd.DataFrame:
    """Tables of equal rows as one, with a column that says of which category each row is."""
    import pandas as pd

    at = next(j for j, name in enumerate(tables[0]) if name in ("estimate", "mean"))
    for table, level in zip(tables, levels, strict=True):
        table.insert(
            at, "category", pd.Series(pd.Categorical([level] * len(table), list(levels), ordered=True), table.index)
        )
    whole = pd.concat(tables).sort_index(kind="stable")
    whole.attrs = dict(tables[0].attrs)
    return whole


def predictions(
    fit: FitRecord, estimand: Estimand, newdata: Any = None, *, offset: Any = None, seed: int = 0
) -> pd.DataFrame:
    """Predictions of new data, or of the rows of the fit."""
    check_options(estimand.kind, estimand.groups, fit.design.terms)
    rows = rows_of(fit, estimand, newdata, offset)
    return prediction_table(fit, rows, estimand, seed=seed)


def chosen_of(fit: FitRecord, estimand: Estimand) -> ChosenParameter:
    """The parameter that is asked for.

    Raises
    ------
    SpecError
        If there is none of this name, or draws are asked for of another parameter than the mean.
    """
    if estimand.kind == "response" and estimand.parameter is not None:
        raise SpecError(
            f'kind="response" draws responses, whatever their parameters: leave parameter={estimand.parameter!r} out,'
            ' or ask for kind="mean" or "linear".'
        )
    chosen = choose(fit.spec, estimand.parameter, estimand.response)
    family = fit.spec.responses[chosen.response].family
    if estimand.kind == "linear":
        check_linear(fit.spec, chosen)
    if estimand.category is None:
        return chosen
    if not family.levels and not family.values.has_zeros:
        raise SpecError(f'kind="zero" is of counts and of families with zeros of their own, not of `{family.name}`.')
    return replace(chosen, category=estimand.category, is_expectation=True)


def rows_of(fit: FitRecord, estimand: Estimand, newdata: Any = None, offset: Any = None) -> PredictionRows:
    """Rows of new data, or of the fit where there are none, with what the parameter that is asked for needs."""
    chosen = chosen_of(fit, estimand)
    if newdata is None:
        return PredictionRows.of_fit(fit.design, chosen.response)
    is_of_all = estimand.kind == "response" or (estimand.kind == "mean" and chosen.is_expectation)
    predictor = None if is_of_all else chosen.predictor
    table = open_table(newdata)
    rows = PredictionRows.of_new_data(fit.design, table, estimand.groups, offset, predictor=predictor)
    if estimand.kind != "response":
        return rows
    return _as_observed(fit, chosen.response, rows, table)


def _as_observed(fit: FitRecord, response: int, rows: PredictionRows, table: Table) -> PredictionRows:
    """New observations within what could be observed, with the known standard errors that new data have."""
    additions = fit.spec.responses[response].additions
    ranges = ranges_of_new(additions, table)
    rows = replace(rows, bounds=None if ranges is None else ranges.take(rows.index))
    if not fit.design.outcomes[response].has_known_noise:
        return rows
    return replace(rows, weights=errors_of_new(additions, table, rows.index) ** -2.0)


@by_category
def prediction_table(fit: FitRecord, rows: PredictionRows, estimand: Estimand, *, seed: int = 0) -> pd.DataFrame:
    """Columns that describe the predictions of rows, NaN with a warning where they are not determined."""
    import pandas as pd

    inference = inference_of(fit, estimand.df, vcov=estimand.vcov)
    table = pd.DataFrame(_columns(fit, rows, estimand, inference, seed), index=rows.index)
    rows.warn_of_undetermined(fit.design.dropped)
    return noted(rows.whole(table), inference)


def _columns(
    fit: FitRecord, rows: PredictionRows, estimand: Estimand, inference: FixedInference | None, seed: int
) -> dict[str, Array]:
    kind, groups, chosen = estimand.kind, estimand.groups, chosen_of(fit, estimand)
    match fit:
        case EstimateRecord() if inference is not None:
            resolved = ResolvedEstimand(kind, groups, estimand.interval, inference, chosen)
            return predict_estimate(fit, rows, resolved, seed=seed)
        case PosteriorRecord():
            values = fit.with_effects
            chunks = rows.chunks(values.lead[0] * values.lead[1])
            drawn = (
                predict(fit.spec, chunk, values, kind=kind, groups=groups, seed=seed, chosen=chosen) for chunk in chunks
            )
            parts = [describe_draws(draws, estimand.interval) for draws in drawn]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        case _:
            raise TypeError(type(fit))  # records of fits are of these two kinds
