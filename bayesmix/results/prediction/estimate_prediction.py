"""Predictions of a point estimate with their uncertainty: t or normal on the scale of the linear predictor.

Fixed and random effects are uncertain together, at the estimated variances and correlations of the groups. How
uncertain these are is, in linear models, in Satterthwaite's degrees of freedom of the whole variance of the error:
of ``x'beta``, of ``x'beta + z'b``, and of both with the variance of a new level or a new observation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.prediction_variance import (
    NewRows,
    VarianceFunction,
    fixed_variance,
    variance_function,
)
from bayesmix.inference.parameters.covariance import cholesky_psd
from bayesmix.language.families.category_counts import by_category
from bayesmix.language.families.link import LINKS, Link
from bayesmix.results.fits.chosen_parameter import ChosenParameter
from bayesmix.results.fits.degrees_of_freedom import containment, interval_columns, is_linear, quantile
from bayesmix.results.fits.fixed_inference import FixedInference
from bayesmix.results.fits.linear_predictor import average_mean, linear_predictor, population_variance
from bayesmix.results.fits.row_parameters import at_weights, row_parameters
from bayesmix.results.prediction.predict import Kind, sample_response
from bayesmix.results.prediction.response_mean import mean_of_rows, mean_slopes
from bayesmix.results.prediction.rows import PredictionRows
from bayesmix.results.prediction.scopes import (
    Groups,
    averaged_terms,
    drawn_rows,
    resolve_scopes,
    with_own,
    without_z,
)

if TYPE_CHECKING:
    from bayesmix.results.fits.records import EstimateRecord


MEAN_SCALES = {"real": "identity", "positive": "log", "unit": "logit"}  # of bounds, by the range of means
DRAWS = 4000  # of new observations that are not Gaussian


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """The linear predictor of rows and the variances around it, ``(m,)`` each."""

    eta: Array
    variance: Array  # of the estimated part, new levels included
    drawn: Array  # the part of it that new levels have
    averaged: Array  # variance of the effects that are integrated out
    df: Array


@dataclass(frozen=True, slots=True)
class ResolvedEstimand:
    """An estimand of a point estimate, its parameter and its degrees of freedom looked up."""

    kind: Kind
    groups: Groups
    interval: float
    inference: FixedInference
    chosen: ChosenParameter


def predict_estimate(
    fit: EstimateRecord, rows: PredictionRows, estimand: ResolvedEstimand, *, seed: int
) -> dict[str, Array]:
    """Columns ``estimate, std_error, df, lower, upper``, one row a row of data.

    Raises
    ------
    DataError
        If ``groups="fitted"`` and a level was not seen in fitting.
    """
    if estimand.kind == "mean" and estimand.chosen.is_expectation:
        return _expectations(fit, rows, estimand)
    found = _predictor(fit, rows.of_predictor(estimand.chosen.predictor), estimand)
    if estimand.kind == "linear" or (estimand.kind == "response" and is_linear(fit)):
        return interval_columns(found.eta, np.sqrt(found.variance), found.df, quantile(found.df, estimand.interval))
    if estimand.kind == "mean":
        return _means(estimand.chosen.link, found, estimand.interval)
    return _responses(fit, rows, found, estimand, seed)


def _predictor(fit: EstimateRecord, rows: PredictionRows, estimand: ResolvedEstimand) -> Predictor:
    """Of rows with a single linear predictor."""
    scopes = resolve_scopes(rows.terms, estimand.groups)
    own, drawn = with_own(rows.terms, scopes, rows.data.n), drawn_rows(rows.terms, scopes)
    has_own = any(scope in ("fitted", "known") for scope in scopes)
    new, averaged = without_z(rows.terms, drawn), averaged_terms(rows.terms, scopes)
    adds_noise = estimand.kind == "response" and is_linear(fit)
    values = rows.at_positions(fit.point).parameters
    if has_own or adds_noise or any(rows_of_term.any() for rows_of_term in drawn):
        noise = averaged if adds_noise else None
        variance, freedom = _beyond_fixed(fit, rows, own if has_own else (), (drawn, noise), estimand.inference)
    else:
        variance, freedom = estimand.inference.variance(rows.X), estimand.inference.df(rows.X)
    return Predictor(
        linear_predictor(rows.X, rows.offset, own, values, with_effects=has_own),
        variance,
        population_variance(new, values) + np.zeros(len(variance)),
        population_variance(averaged, values) + np.zeros(len(variance)),
        freedom,
    )


def _beyond_fixed(
    fit: EstimateRecord,
    rows: PredictionRows,
    own: tuple[Term, ...],
    added: tuple[Sequence[Array], Sequence[Term] | None],
    inference: FixedInference,
) -> tuple[Array, Array]:
    """Variance of fixed effects together with those of levels, and new observations; degrees of freedom: ``(m,)``.

    Parameters
    ----------
    own : terms with the effects of levels of the fit.
    added : rows of each term whose effects are new, and the terms that vary between new observations; None for means.
    """
    drawn, averaged = added
    known = [term.codes >= 0 for term in own] or [np.zeros(len(term.codes), bool) for term in rows.terms]
    estimated, new = _estimated(fit, rows, without_z(own, known) if own else ()), without_z(rows.terms, drawn)

    def total(at: PointEstimate) -> Array:
        at = rows.at_positions(at)
        values = at.parameters
        result = estimated(at) + population_variance(new, values)
        if averaged is not None:
            noise = np.asarray(1.0 if at.dispersion is None else at.dispersion)
            (sigma,) = at_weights(fit.spec.family, [noise], rows.weights)
            result = result + population_variance(averaged, values) + sigma**2
        return np.asarray(result)

    variance = total(fit.point)
    fewest = containment(rows.terms, [one | other for one, other in zip(drawn, known, strict=True)], len(rows.X))
    return variance, np.maximum(inference.of_variance(total, variance), fewest)


def _estimated(fit: EstimateRecord, rows: PredictionRows, own: tuple[Term, ...]) -> VarianceFunction:
    """Variance of ``x'beta``, with the effects of the levels of the fit that rows have."""
    if own:
        design = fit.design if rows.positions is None else rows.positions.design
        return variance_function(design, fit.spec, rows.at_positions(fit.point), NewRows(rows.X, own))
    return lambda at: fixed_variance(at, rows.X)


def _means(link: Link, found: Predictor, interval: float) -> dict[str, Array]:
    """Bounds carried through the link; standard errors by the delta method, with new levels by integration."""
    spread, total = found.averaged, found.variance
    error = np.abs(average_mean(link, found.eta, spread, derivative=1)) * np.sqrt(total)
    centre = average_mean(link, found.eta, spread + found.drawn)
    is_new = found.drawn > 0.0
    if np.any(is_new):
        error = np.where(is_new, _spread_of_mean(link, found), error)
    reach = quantile(found.df, interval) * np.sqrt(total)
    bounds = [average_mean(link, found.eta + side * reach, spread) for side in (-1.0, 1.0)]
    limits = {"lower": np.minimum(*bounds), "upper": np.maximum(*bounds)}
    return {"estimate": centre, "std_error": error, "df": found.df, **limits}


def _expectations(fit: EstimateRecord, rows: PredictionRows, estimand: ResolvedEstimand) -> dict[str, Array]:
    """Means of all linear predictors of a row, by the delta method; bounds on a scale that keeps them in range."""
    mean, eta = _expectation(fit, rows, estimand)
    slopes, (_, matrices) = (
        mean_slopes(fit.spec, mean, eta),
        joint_predictors(fit, rows, estimand, with_averaged=False),
    )
    error = np.sqrt(np.maximum(np.einsum("rn,nrs,sn->n", slopes, matrices, slopes), 0.0))
    chosen = estimand.chosen
    own_range = "unit" if chosen.category is not None else fit.spec.responses[chosen.response].family.values.range
    scale = LINKS[MEAN_SCALES[own_range]]
    centre = mean(eta)
    with np.errstate(all="ignore"):
        linked = scale.of(centre)
        reach = quantile(np.full(len(centre), np.inf), estimand.interval) * error / np.abs(scale.inverse(linked)[1])
        limits = {"lower": scale.mean(linked - reach), "upper": scale.mean(linked + reach)}
    return {"estimate": centre, "std_error": error, "df": np.full(len(centre), np.inf), **limits}


def _expectation(
    fit: EstimateRecord, rows: PredictionRows, estimand: ResolvedEstimand
) -> tuple[Callable[[Array], Array], Array]:
    """The mean as a function of all linear predictors, averaged over new levels, too, and where these are: ``(N,)``."""
    scopes = resolve_scopes(rows.terms, estimand.groups)
    has_own = any(scope in ("fitted", "known") for scope in scopes)
    values = rows.at_positions(fit.point).parameters
    eta = linear_predictor(rows.X, rows.offset, with_own(rows.terms, scopes, rows.data.n), values, with_effects=has_own)
    averaged, new = averaged_terms(rows.terms, scopes), without_z(rows.terms, drawn_rows(rows.terms, scopes))
    both = tuple(replace(one, z=one.z + other.z) for one, other in zip(averaged, new, strict=True))
    return mean_of_rows(fit.spec, values, rows.trials, both, estimand.chosen), eta


def _spread_of_mean(link: Link, found: Predictor) -> Array:
    """Standard deviation of the mean, averaged over some groups, while the effects of others are drawn."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    root = np.sqrt(found.variance)
    means = np.array([average_mean(link, found.eta + node * root, found.averaged) for node in nodes])
    weights = weights[:, None] / weights.sum()
    return np.sqrt(np.maximum(np.sum(weights * means**2, axis=0) - np.sum(weights * means, axis=0) ** 2, 0.0))


def _responses(
    fit: EstimateRecord, rows: PredictionRows, found: Predictor, estimand: ResolvedEstimand, seed: int
) -> dict[str, Array]:
    """New observations that are not Gaussian, by draws of all linear predictors of a row together."""
    spec, number = fit.spec, estimand.chosen.response
    eta, matrices = joint_predictors(fit, rows, estimand, known={estimand.chosen.predictor: found})
    root = cholesky_psd(matrices)
    if estimand.chosen.is_expectation:
        mean, at = _expectation(fit, rows, estimand)
        estimate = rows.trials * mean(at)
    else:
        estimate = rows.trials * average_mean(estimand.chosen.link, found.eta, found.averaged + found.drawn)
    R, parts, means, begin = rows.data.R, [], [], 0
    for chunk in rows.chunks(DRAWS):
        own = slice(begin, begin := begin + len(chunk.index))
        rng = np.random.default_rng([seed, own.start])
        normal = rng.standard_normal((DRAWS, R, len(chunk.index)))
        drawn = (eta[:, own] + np.einsum("nrs,dsn->drn", root[own], normal)).reshape(DRAWS, -1)
        parameters = row_parameters(spec, drawn, fit.values, response=number)
        y = sample_response(spec.responses[number].family, chunk, parameters, rng)
        if isinstance(estimand.chosen.category, int):
            y = by_category(spec.responses[number].family, y, chunk.trials)[..., estimand.chosen.category]
        bounds = np.percentile(y, [50.0 - 50.0 * estimand.interval, 50.0 + 50.0 * estimand.interval], axis=0)
        parts.append(np.vstack([y.std(axis=0), bounds]))
        means.append(y.mean(axis=0))
    if rows.bounds is not None and rows.bounds.has_range:  # the mean of the parameters is that without truncation
        estimate = np.concatenate(means)
    error, lower, upper = np.concatenate(parts, axis=1)
    return {"estimate": estimate, "std_error": error, "df": found.df, "lower": lower, "upper": upper}


def joint_predictors(
    fit: EstimateRecord,
    rows: PredictionRows,
    estimand: ResolvedEstimand,
    *,
    with_averaged: bool = True,
    known: Mapping[int, Predictor] | None = None,
) -> tuple[Array, Array]:
    """All linear predictors of the rows ``(R, n)`` and their covariance matrices ``(n, R, R)``.

    A covariance is half of what the variance of a sum is more than the sum of the variances.

    Parameters
    ----------
    known : linear predictors that have been computed, by position.
    """
    R = rows.data.R
    single = [(known or {}).get(r) or _predictor(fit, rows.of_predictor(r), estimand) for r in range(R)]

    def _total(found: Predictor) -> Array:
        return found.variance + found.averaged if with_averaged else found.variance

    own = np.array([_total(one) for one in single])
    matrices = np.zeros((len(rows.index), R, R))
    for r, s in combinations_with_replacement(range(R), 2):
        both = own[r] if r == s else _total(_predictor(fit, rows.of_predictor(r, s), estimand)) - own[r] - own[s]
        matrices[:, r, s] = matrices[:, s, r] = both if r == s else 0.5 * both
    return np.array([one.eta for one in single]), matrices
