"""Tables of predictions, of estimates and posteriors alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.censoring import ranges_of_new
from bayesmix.data.design.sampling_errors import errors_of_new
from bayesmix.data.frame import Table, open_table
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.families.category_counts import by_category
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
    category: int | Literal["all"] | None = None  # whose probability is the mean; None for a table of all of them
    is_zero: bool = False  # whether it is the zero of a number, not a category
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
    return Estimand("mean", groups, interval, df, None, response, category=0, is_zero=True)


def categories_of(fit: FitRecord, chosen: ChosenParameter) -> tuple[str, ...]:
    """The categories whose probabilities a table of means has; none where it is of something else."""
    if not chosen.is_expectation or chosen.category is not None:
        return ()
    return fit.spec.responses[chosen.response].family.levels


def each_category(chosen: ChosenParameter, levels: Sequence[str]) -> list[ChosenParameter]:
    """What is asked for, category by category."""
    return [replace(chosen, category=k) for k in range(len(levels))] or [chosen]


def beside_categories(tables: Sequence[pd.DataFrame], levels: Sequence[str]) -> pd.DataFrame:
    """Tables of equal rows as one, with a column that says of which category each row is; the only one without any."""
    import pandas as pd

    if not levels:
        return tables[0]
    at = next(j for j, name in enumerate(tables[0]) if name in ("estimate", "mean"))
    for table, level in zip(tables, levels, strict=True):
        table.insert(
            at, "category", pd.Series(pd.Categorical([level] * len(table), list(levels), ordered=True), table.index)
        )
    return pd.concat(tables).sort_index(kind="stable")


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
    if estimand.is_zero and (family.levels or not family.values.has_zeros):
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
    rows = PredictionRows.of_new_data(fit.design, table, estimand.groups, offset, predictor=predictor, anywhere=True)
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


def prediction_table(fit: FitRecord, rows: PredictionRows, estimand: Estimand, *, seed: int = 0) -> pd.DataFrame:
    """Columns that describe the predictions of rows, NaN with a warning where they are not determined.

    Of the mean of a response of several categories the probabilities of all of them, row by row; of new observations
    how often each of them occurs.
    """
    import pandas as pd

    inference, chosen = inference_of(fit, estimand.df, vcov=estimand.vcov), chosen_of(fit, estimand)
    levels = () if estimand.kind == "linear" else categories_of(fit, chosen)
    columns = _columns(fit, rows, (estimand, chosen, levels), inference, seed)
    tables = [rows.whole(pd.DataFrame(one, index=rows.index)) for one in columns]
    rows.warn_of_undetermined(fit.design.dropped)
    return noted(beside_categories(tables, levels), inference)


def _columns(
    fit: FitRecord,
    rows: PredictionRows,
    wanted: tuple[Estimand, ChosenParameter, Sequence[str]],
    inference: FixedInference | None,
    seed: int,
) -> list[dict[str, Array]]:
    """The columns of each category, or the only ones."""
    estimand, chosen, levels = wanted
    kind, groups = estimand.kind, estimand.groups
    match fit:
        case EstimateRecord() if inference is not None:
            every = [
                ResolvedEstimand(kind, groups, estimand.interval, inference, one)
                for one in each_category(chosen, levels)
            ]
            return [predict_estimate(fit, rows, one, seed=seed) for one in every]
        case PosteriorRecord():
            values = rows.drawn(fit.with_effects, seed)
            parts = []
            for chunk in rows.chunks(values.lead[0] * values.lead[1]):
                drawn = predict_each(fit, chunk, wanted, seed=seed, values=values)
                parts.append([describe_draws(draws, estimand.interval) for draws in drawn])
            return [
                {name: np.concatenate([one[name] for one in own]) for name in own[0]}
                for own in zip(*parts, strict=True)
            ]
        case _:
            raise TypeError(type(fit))  # records of fits are of these two kinds


def predict_each(
    fit: PosteriorRecord,
    rows: PredictionRows,
    wanted: tuple[Estimand, ChosenParameter, Sequence[str]],
    *,
    seed: int = 0,
    values: Parameters | None = None,
) -> Array:
    """Draws of predictions of each category, or of what there is: ``(K or 1, chain, draw, n)``."""
    estimand, chosen, levels = wanted
    whole = replace(chosen, category="all") if levels else chosen
    own = fit.with_effects if values is None else values
    drawn = predict(fit.spec, rows, own, kind=estimand.kind, groups=estimand.groups, seed=seed, chosen=whole)
    if levels and estimand.kind == "response":
        return np.moveaxis(by_category(fit.spec.responses[chosen.response].family, drawn, rows.trials), -1, 0)
    return drawn if levels else drawn[None]
