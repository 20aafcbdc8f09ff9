"""Linear combinations of predictions: conditional effects, marginal means, contrasts and slopes.

All are ``L m`` of predicted means ``m`` of the rows of a grid: averages, differences, difference quotients. For draws
that is a matrix product; for a point estimate the delta method with ``Cov(m) = D C D``, ``C`` the covariance of the
linear predictors and ``D`` the derivatives of the means by them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.errors import DataError, PredictionWarning, SpecError, nearest, warn_user
from bayesmix.inference.estimation.prediction_variance import NewRows, combination_variance
from bayesmix.results.fits.adjustment import SeveralTests, adjusted
from bayesmix.results.fits.chosen_parameter import ChosenParameter
from bayesmix.results.fits.credible_regions import check_rope, rope_columns, simultaneous_limits
from bayesmix.results.fits.degrees_of_freedom import containment, interval_columns, statistic_columns
from bayesmix.results.fits.fixed_inference import FixedInference, inference_of, noted
from bayesmix.results.fits.linear_predictor import average_mean, linear_predictor, population_variance
from bayesmix.results.fits.marginal_summary import describe_draws
from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord
from bayesmix.results.prediction.contrast_weights import Method, contrast_weights
from bayesmix.results.prediction.estimate_prediction import ResolvedEstimand
from bayesmix.results.prediction.observed_columns import is_factor, observed_columns, rows_to_average
from bayesmix.results.prediction.predict import check_options
from bayesmix.results.prediction.prediction_table import (
    Estimand,
    beside_categories,
    categories_of,
    chosen_of,
    each_category,
    predict_each,
    predictions,
)
from bayesmix.results.prediction.reference_grid import (
    check_predictor,
    code,
    grid,
    levels_of,
    mean_offset,
    spread_out,
)
from bayesmix.results.prediction.response_mean import mean_of_rows, mean_slopes
from bayesmix.results.prediction.rows import PredictionRows
from bayesmix.results.prediction.scopes import averaged_terms, drawn_rows, resolve_scopes, with_own, without_z

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import FitRecord


By = str | Sequence[str] | None

STEP = 1e-4  # of a slope's difference quotient, in standard deviations of the predictor
ROUNDING = 1e-8  # of a combination of parts outside the row space that may be nothing
NOTHING = 64.0 * np.finfo(float).eps  # of the parts of a combination of means: differences of equal ones


def conditional_effects(
    fit: FitRecord, variable: str, by: str | None, estimand: Estimand, *, at: Mapping[str, Any] | None, points: int
) -> pd.DataFrame:
    """Predictions over the range of a predictor, for each level of another."""
    design, r = fit.design, _grid_of(fit, estimand)
    check_options(estimand.kind, estimand.groups, design.terms)
    varying: dict[str, Sequence[Any]] = {}
    for name in (variable, *(() if by is None else (by,))):
        check_predictor(design, name, r)
        varying[name] = _by_values(design, name) if name == by else spread_out(design, name, points)
    frame = grid(design, varying | _fixed_at(fit, at), cross=False, predictor=r)
    table = predictions(fit, estimand, frame, offset=mean_offset(design, len(frame)))
    return noted(_beside(frame[list(varying)], table), inference_of(fit, estimand.df, vcov=estimand.vcov))


@dataclass(frozen=True, slots=True, eq=False)
class Combinations:
    """Linear combinations of predictions, with their names and their families of tests."""

    L: Array  # (r, m)
    labels: pd.DataFrame  # r rows
    family: Array  # (r,) number of the family that a combination is tested in
    means: int | None = None  # of which those of a family are all pairs


def marginal_means(
    fit: FitRecord, variables: Sequence[str], by: By, estimand: Estimand, *, at: Mapping[str, Any] | None
) -> pd.DataFrame:
    """Means of the combinations of variables, averaged over the levels of all other factors with equal weights."""
    import pandas as pd

    within, r = _columns_of(by), _grid_of(fit, estimand)
    frame, cells, L = _cells(fit, [*within, *variables], at, r)
    labels = pd.DataFrame(cells, columns=[*within, *variables])[[*variables, *within]]
    wanted = Combinations(L, labels, _numbered([cell[: len(within)] for cell in cells]))
    return combine(fit, code(fit.design, frame, estimand.groups, r), wanted, estimand)


def contrasts(
    fit: FitRecord, variable: str, by: By, estimand: Estimand, *, method: Method, at: Mapping[str, Any] | None
) -> pd.DataFrame:
    """Contrasts of the marginal means of a variable's values, within each combination of values of others."""
    import pandas as pd

    within, r = _columns_of(by), _grid_of(fit, estimand)
    frame, cells, L = _cells(fit, [*within, variable], at, r)
    family = _numbered([cell[:-1] for cell in cells])
    rows, names, numbers = [], [], []
    for number in range(int(family.max()) + 1):
        own = np.flatnonzero(family == number)
        for name, weights in contrast_weights(method, [cells[i][-1] for i in own]).items():
            rows.append(weights @ L[own])
            names.append((name, *cells[own[0]][:-1]))
            numbers.append(number)
    if not rows:
        raise DataError(f"`{variable}` has a single value here: there is nothing to compare.")
    labels = pd.DataFrame(names, columns=["contrast", *within])
    is_all_pairs = isinstance(method, str) and method in ("pairwise", "revpairwise")
    means = int(np.sum(family == 0)) if is_all_pairs else None
    wanted = Combinations(np.array(rows), labels, np.array(numbers), means)
    return combine(fit, code(fit.design, frame, estimand.groups, r), wanted, estimand)


def slopes(fit: FitRecord, variable: str, by: By, estimand: Estimand) -> pd.DataFrame:
    """Average slope of the mean over the rows of the fit, for each combination of levels of factors."""
    import pandas as pd

    design, r, within = fit.design, _grid_of(fit, estimand), _columns_of(by)
    check_predictor(design, variable, r)
    if is_factor(design, variable):
        raise DataError(f"`{variable}` has no slope: it is a factor. Use contrasts({variable!r}).")
    for name in within:
        if not is_factor(design, name):
            raise DataError(f"`{name}` is a number: slopes are within the levels of factors. Use contrasts with at=.")
    frame, counts = rows_to_average(design, variable)
    step = STEP * observed_columns(design)[variable].sd
    both = pd.concat([frame.assign(**{variable: frame[variable] + side * step}) for side in (-1.0, 1.0)])
    cells = list(product(*(levels_of(design, name) for name in within)))
    chosen = [
        np.all([frame[name] == level for name, level in zip(within, cell, strict=True)], axis=0) for cell in cells
    ]
    members = np.array(chosen, float) * np.ones((len(cells), len(frame))) * counts
    occurs = np.any(members > 0.0, axis=1)
    weight = members[occurs] / members[occurs].sum(axis=1, keepdims=True) / (2.0 * step)
    coded = code(design, both.reset_index(drop=True), estimand.groups, r)
    labels = pd.DataFrame([cell for cell, own in zip(cells, occurs, strict=True) if own], columns=within)
    labels.insert(0, "slope", [variable] * len(weight))
    wanted = Combinations(np.hstack([-weight, weight]), labels, np.zeros(len(weight), int))
    return combine(fit, coded, wanted, estimand)


def _columns_of(by: By) -> list[str]:
    return [] if by is None else [by] if isinstance(by, str) else list(by)


def _numbered(keys: Sequence[tuple[Any, ...]]) -> Array:
    """Number of each key among those that differ: ``(n,)``."""
    known = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([known[key] for key in keys])


def combine(fit: FitRecord, rows: PredictionRows, wanted: Combinations, estimand: Estimand) -> pd.DataFrame:
    """Linear combinations of the predictions of ``rows``: the fit's columns, with tests against zero.

    Of the mean of a response of several categories those of the probabilities of all of them, row by row.
    NaN, with one warning that names them by their labels, where the data of the fit do not determine them.

    Raises
    ------
    SpecError
        For ``kind="response"`` and ``groups="new"``: combinations are of means, not of noise.
    """
    import pandas as pd

    L, labels = wanted.L, wanted.labels
    check_rope(fit, estimand.rope)
    inference = inference_of(fit, estimand.df, estimand.adjust, estimand.vcov)
    chosen = chosen_of(fit, replace(estimand, kind="mean"))
    scopes = check_options(estimand.kind, estimand.groups, rows.terms)
    chosen = replace(chosen, is_expectation=chosen.is_expectation and estimand.kind == "mean")
    rows = rows if chosen.is_expectation else rows.of_predictor(chosen.predictor)
    if estimand.kind == "response" or any(drawn.any() for drawn in drawn_rows(rows.terms, scopes)):
        raise SpecError('Effects are of means: kind="mean" or "linear", groups="average", "zero" or "fitted".')
    if rows.data.n < L.shape[1]:
        raise DataError(
            f"Values of {', '.join(f'`{name}`' for name in rows.data.missing)} to hold columns at are missing."
        )
    levels = categories_of(fit, chosen)
    if isinstance(fit, EstimateRecord) and inference is not None:
        every = [
            ResolvedEstimand(estimand.kind, estimand.groups, estimand.interval, inference, one)
            for one in each_category(chosen, levels)
        ]
        columns = [_by_delta(fit, rows, wanted, one, estimand.adjust) for one in every]
    else:
        columns = _by_draws(fit, rows, wanted, estimand, (chosen, levels))
    is_linear = estimand.kind == "linear" or (chosen.link.is_identity and not chosen.is_expectation)
    lost, tables = _undetermined(fit, rows, L, labels, is_linear=is_linear), [pd.DataFrame(one) for one in columns]
    for table in tables:
        table[lost] = np.nan
    return noted(beside_categories([_beside(labels, table) for table in tables], levels), inference, estimand.adjust)


def _beside(labels: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Labels, then numbers; beside a predictor named ``t`` the statistic is the ``t value``."""
    return labels.join(table.rename(columns={name: f"{name} value" for name in table if name in labels}))


def _undetermined(fit: FitRecord, rows: PredictionRows, L: Array, labels: pd.DataFrame, *, is_linear: bool) -> Array:
    """Which combinations the data of the fit do not determine: ``(r,)``; warns of them.

    Parts outside the row space may cancel, but only where means are linear in the parameters.
    """
    size = np.abs(L) @ np.abs(rows.outside)
    parts = np.abs(L @ rows.outside) > ROUNDING * size if is_linear else size > 0.0
    lost = np.any(parts, axis=1)
    if lost.any():
        named = [", ".join(f"{name} {value}" for name, value in row.items()) for row in labels[lost].to_dict("records")]
        warn_user(
            f"The data of the fit do not determine {'; '.join(named[:10])}{'; ...' * (len(named) > 10)}: NaN. What was"
            f" left out for depending linearly on other columns: {', '.join(fit.design.dropped)}.",
            PredictionWarning,
        )
    return np.asarray(lost)


def _by_draws(
    fit: FitRecord,
    rows: PredictionRows,
    wanted: Combinations,
    estimand: Estimand,
    of: tuple[ChosenParameter, Sequence[str]],
) -> list[dict[str, Array]]:
    """Columns of each category, or the only ones; ``of`` is the parameter with its categories."""
    assert isinstance(fit, PosteriorRecord)  # estimates have no draws
    L, begin, (chosen, levels) = wanted.L, 0, of
    draws = np.zeros((max(len(levels), 1), *fit.with_effects.lead, len(L)))
    parts = np.zeros(draws.shape)
    for chunk in rows.chunks(draws[0, ..., 0].size):
        own = slice(begin, begin := begin + chunk.data.n)
        mean = predict_each(fit, chunk, (estimand, chosen, levels))
        draws += mean @ L[:, own].T
        parts += np.abs(mean) @ np.abs(L[:, own]).T
    return [_described(one, wanted, estimand) for one in _exact(draws, parts)]


def _described(draws: Array, wanted: Combinations, estimand: Estimand) -> dict[str, Array]:
    """Columns of combinations ``(chain, draw, r)``."""
    positive, negative = (np.mean(sign * draws > 0.0, axis=(0, 1)) for sign in (1.0, -1.0))
    direction = np.where(positive + negative > 0.0, np.maximum(positive, 1.0 - positive), np.nan)
    described, flat = describe_draws(draws, estimand.interval), draws.reshape(-1, draws.shape[-1])
    if estimand.adjust != "none":
        limits = simultaneous_limits(flat, wanted.family, estimand.interval)
        described |= dict(zip(("lower", "upper"), limits, strict=True))
    judged = rope_columns(flat, (described["lower"], described["upper"]), estimand.rope)
    return {**described, "p_direction": direction, **judged}


def _exact(combination: Array, parts: Array) -> Array:
    """A combination, zero where its parts cancel but for rounding: means that do not depend on what is varied."""
    return np.where(np.abs(combination) <= NOTHING * parts, 0.0, combination)


def _by_delta(
    fit: EstimateRecord, rows: PredictionRows, wanted: Combinations, resolved: ResolvedEstimand, adjust: str
) -> dict[str, Array]:
    L, scopes, link = wanted.L, resolve_scopes(rows.terms, resolved.groups), resolved.chosen.link
    has_own = any(scope in ("fitted", "known") for scope in scopes)
    own = with_own(rows.terms, scopes, rows.data.n)
    eta = linear_predictor(rows.X, rows.offset, own, fit.values, with_effects=has_own)
    spread = population_variance(averaged_terms(rows.terms, scopes), fit.values) + np.zeros(len(eta))
    if resolved.chosen.is_expectation:
        mean = mean_of_rows(fit.spec, fit.values, rows.trials, averaged_terms(rows.terms, scopes), resolved.chosen)
        means, slopes = mean(eta), mean_slopes(fit.spec, mean, eta)
        J = np.concatenate([L * own for own in slopes], axis=1)
    elif resolved.kind == "linear":
        means, J = eta, L
    else:
        means = average_mean(link, eta, spread)
        J = L * average_mean(link, eta, spread, derivative=1)
    has_own = has_own and not _cancel(own, J)
    variance, freedom = _uncertainty(fit, rows, (L, J), own if has_own else (), resolved.inference)
    value = _exact(L @ means, np.abs(L) @ np.abs(means))
    error = _exact(np.sqrt(variance), np.abs(J) @ np.abs(rows.X) @ np.sqrt(np.diagonal(fit.point.beta_cov)))
    K = J @ rows.X
    tests = statistic_columns(value, error, freedom, letter=resolved.inference.letter)
    cov = None if has_own else K @ resolved.inference.cov @ K.T
    found = SeveralTests(tests[resolved.inference.letter], freedom, tests["p_value"], cov, wanted.means)
    tests["p_value"], reach = adjusted(adjust, found, wanted.family, resolved.interval)
    return interval_columns(value, error, freedom, reach) | tests


def _cancel(terms: Sequence[Term], J: Array) -> bool:
    """Whether combinations ``J (r, N)`` of rows are free of the effects of levels, and of curves."""
    return not any(np.any(_exact(_by_level(term, one), _by_level(term, one, size=True))) for term in terms for one in J)


def _by_level(term: Term, weights: Array, *, size: bool = False) -> Array:
    """Coefficients of the effects of each level in a combination of rows ``(k, J)``; or the sums of their sizes."""
    own = np.tile(weights, len(term.codes) // len(weights))[:, None] * term.z
    own = np.where(term.codes[:, None] >= 0, np.abs(own) if size else own, 0.0)
    return np.array([np.bincount(np.maximum(term.codes, 0), column) for column in own.T])


def _grid_of(fit: FitRecord, estimand: Estimand) -> int | None:
    """The linear predictor that effects are of; None for the mean of a response that is one of all of them."""
    chosen = chosen_of(fit, replace(estimand, kind="mean"))
    return None if chosen.is_expectation and estimand.kind == "mean" else chosen.predictor


def _uncertainty(
    fit: EstimateRecord,
    rows: PredictionRows,
    combinations: tuple[Array, Array],
    own: tuple[Term, ...],
    inference: FixedInference,
) -> tuple[Array, Array]:
    """Variances of ``J (x'beta + z'b)`` and their degrees of freedom, ``(r,)``; of fixed effects alone without terms.

    Parameters
    ----------
    combinations : of means ``L``, and the derivatives ``J`` of these by the linear predictors.
    """
    L, J = combinations
    if not own:
        return inference.variance(J @ rows.X), inference.df(J @ rows.X)
    known = [term.codes >= 0 for term in own]
    variance = combination_variance(fit.design, fit.spec, fit.point, NewRows(rows.X, without_z(own, known)), J)
    stacked = np.tile(L, J.shape[1] // L.shape[1])  # predictor by predictor
    used = [np.any((stacked != 0.0) & rows_of_term, axis=1) for rows_of_term in known]
    here = np.maximum(variance(fit.point), 0.0)
    return here, np.maximum(inference.of_variance(variance, here), containment(rows.terms, used, len(L)))


def _cells(
    fit: FitRecord, variables: Sequence[str], at: Mapping[str, Any] | None, predictor: int | None
) -> tuple[pd.DataFrame, list[tuple[Any, ...]], Array]:
    """Grid, combinations of the variables in its order, and the averages over its rows within each."""
    design = fit.design
    varying: dict[str, Sequence[Any]] = {}
    for name in variables:
        check_predictor(design, name, predictor)
        varying[name] = _by_values(design, name)
    frame = grid(design, varying | _fixed_at(fit, at), cross=True, predictor=predictor)
    keys = list(frame[list(variables)].itertuples(index=False, name=None))
    cells = list(dict.fromkeys(keys))
    member = np.array([cells.index(key) for key in keys])
    L = (member == np.arange(len(cells))[:, None]).astype(float)
    return frame, cells, L / L.sum(axis=1, keepdims=True)


def _by_values(design: Any, name: str) -> list[Any]:
    """Levels of a factor; of a number that has two values these, of others the mean and one sd to either side."""
    if is_factor(design, name):
        return levels_of(design, name)
    column, n = observed_columns(design)[name], design.n_used
    low, high = column.range
    largest = (column.mean - low) * (high - column.mean) * n / (n - 1)  # variance: that of two values (Bhatia, Davis)
    if low < high and math.isclose(column.sd**2, largest, rel_tol=1e-9):
        return [low, high]
    return [column.mean + side * column.sd for side in (-1.0, 0.0, 1.0)]


def _fixed_at(fit: FitRecord, at: Mapping[str, Any] | None) -> dict[str, Sequence[Any]]:
    """Values that the user sets: one or several a column."""
    known = [] if fit.design.source is None else list(fit.design.source.columns)
    found: dict[str, Sequence[Any]] = {}
    for name, value in (at or {}).items():
        if name not in known:
            raise DataError(f"`{name}` of at= is not a column of the model.{nearest(name, known)}")
        found[name] = [value] if isinstance(value, str) or np.ndim(value) == 0 else list(value)
    return found
