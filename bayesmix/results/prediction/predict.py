"""Predictions with an explicit scope for the groups, draw by draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.covariance import cholesky_psd
from bayesmix.inference.parameters.heavy_tails import check_normal, scales_of
from bayesmix.inference.parameters.names import Parameters, covariance, heavy_tailed
from bayesmix.language.families.bounds import truncated
from bayesmix.language.families.family import Family
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.chosen_parameter import ChosenParameter, choose
from bayesmix.results.fits.correlated_residuals import correlated_noise
from bayesmix.results.fits.linear_predictor import linear_predictor, population_variance
from bayesmix.results.fits.row_parameters import at_weights, residual_root, row_parameters
from bayesmix.results.prediction.group_averages import NO_AVERAGE, averaged_over_groups
from bayesmix.results.prediction.response_mean import averaged_mean
from bayesmix.results.prediction.rows import PredictionRows
from bayesmix.results.prediction.scopes import (
    Groups,
    Scope,
    averaged_terms,
    drawn_rows,
    resolve_scopes,
    with_own,
)

__all__ = ["Groups", "Kind", "PredictionRows", "check_options", "predict", "sample_response"]

TAILS = 1  # of the seed of what t distributed effects are scaled by
Kind = Literal["mean", "linear", "response", "zero"]


def check_options(kind: str, groups: Any, terms: Sequence[Term]) -> tuple[Scope, ...]:
    """The scopes of the terms; `SpecError` for options that do not exist."""
    if kind not in get_args(Kind):
        known = get_args(Kind)
        hint = nearest(kind, known) if isinstance(kind, str) else ""
        raise SpecError(f"predict has no kind=`{kind}`.{hint} Choices: {', '.join(known)}.")
    return resolve_scopes(terms, groups)


def predict(  # noqa: PLR0913 - options of a prediction, named
    spec: ModelSpec,
    rows: PredictionRows,
    values: Parameters,
    *,
    kind: Kind,
    groups: Groups,
    seed: int,
    chosen: ChosenParameter | None = None,
    jointly: bool = False,
) -> Array:
    """Predict ``rows``: ``(..., n)``, with the leading axes of the parameters.

    The effects of a new level depend on the seed and the level alone, whatever other rows and parameters are predicted
    with it: responses drawn one after the other with a seed are of one data set.

    Parameters
    ----------
    chosen : parameter, the mean of the first response by default; or the response that is drawn.
    jointly : whether a response that is drawn depends on draws of others, where it does on imputed ones, and not on
        the values that the rows have.

    Raises
    ------
    DataError
        If ``groups="fitted"`` and a level was not seen in fitting.
    """
    chosen = chosen or choose(spec)
    if kind == "response":
        drawn = (chosen.response, jointly)
        return _responses(spec, rows, values, resolve_scopes(rows.terms, groups), seed, drawn)
    if kind == "mean" and chosen.is_expectation:
        scopes = resolve_scopes(rows.terms, groups)
        _check_average(rows.terms, scopes)
        eta, averaged = _predictors(rows, values, scopes, seed), averaged_terms(rows.terms, scopes)
        return averaged_mean(spec, eta, values, rows.trials, averaged, chosen)
    rows = rows.of_predictor(chosen.predictor)
    scopes = resolve_scopes(rows.terms, groups)
    eta = _predictors(rows, values, scopes, seed)
    if kind == "linear":
        return eta
    if "average" in scopes and not chosen.link.is_identity:
        return averaged_over_groups(chosen.link, eta, averaged_terms(rows.terms, scopes), values)
    return chosen.link.mean(eta)


def _predictors(rows: PredictionRows, values: Parameters, scopes: Sequence[Scope], seed: int) -> Array:
    """Linear predictors ``(..., N)`` with the effects of the levels of the fit and of new ones."""
    own = with_own(rows.terms, scopes, rows.data.n)
    has_own = any(scope in ("fitted", "known") for scope in scopes)
    eta = linear_predictor(rows.X, rows.offset, own, values, with_effects=has_own)
    return eta + _new_groups(rows.terms, drawn_rows(rows.terms, scopes), values, seed)


def _check_average(terms: Sequence[Term], scopes: Sequence[Scope]) -> None:
    """Raise `SpecError` for means of several linear predictors over t distributed effects."""
    check_normal([term for term, scope in zip(terms, scopes, strict=True) if scope == "average"], *NO_AVERAGE)


def _responses(
    spec: ModelSpec,
    rows: PredictionRows,
    values: Parameters,
    scopes: Sequence[Scope],
    seed: int,
    drawn: tuple[int, bool],
) -> Array:
    """Draws of one response; the effects that are averaged over are drawn anew for each row.

    Parameters
    ----------
    drawn : position of the response, and whether those that it depends on are drawn, too.
    """
    response, jointly = drawn
    eta = _predictors(rows, values, scopes, seed)
    for value, missing, parent in _copies(spec, response) if jointly else ():
        by_row = eta.reshape(*eta.shape[:-1], spec.R, -1).copy()
        by_row[..., value, :] = _responses(spec, rows, values, scopes, seed, (parent, True))
        by_row[..., missing, :] = 0.0
        eta = by_row.reshape(eta.shape)
    rng = _generator(rows, seed, 0)
    if "average" in scopes:
        eta = eta + _averaged_effects(averaged_terms(rows.terms, scopes), values, rows.data.R, rng)
    if spec.rescor:
        streams = [rng, *(_generator(rows, seed, other) for other in range(1, response + 1))]
        return _correlated_response(spec, rows, row_parameters(spec, eta, values, response=response), eta, streams)
    if rows.data.blocks is not None:
        mean, sigma = row_parameters(spec, eta, values)
        (spread,) = at_weights(spec.responses[0].family, [sigma], rows.weights)
        return mean + spread * correlated_noise(rows.data.blocks, values.beta, seed)
    rng = rng if response == 0 else _generator(rows, seed, response)
    parameters = row_parameters(spec, eta, values, response=response)
    return sample_response(spec.responses[response].family, rows, parameters, rng)


def _copies(spec: ModelSpec, response: int) -> Iterator[tuple[int, int, int]]:
    """The predictors that are values and missingness of the responses that one depends on, and which these are."""
    place = {one.parameter: r for r, one in enumerate(spec.parameters) if one.response == response}
    for k, parent in enumerate(spec.imputed.get(response, ())):
        _, value, missing = spec.responses[response].family.slopes.places(k)
        yield place[value], place[missing], parent


def _correlated_response(
    spec: ModelSpec,
    rows: PredictionRows,
    parameters: tuple[Array, ...],
    eta: Array,
    streams: Sequence[np.random.Generator],
) -> Array:
    """Draws of a gaussian response whose residual is correlated with those of the responses before.

    Each response has a stream of its own, so that those of one seed are drawn together though one after the other.
    """
    mean, sigma = parameters
    (spread,) = at_weights(spec.responses[0].family, [sigma], rows.weights)
    root = residual_root(spec, eta)[..., len(streams) - 1, : len(streams)]
    noise = [root[..., j] * stream.standard_normal(mean.shape) for j, stream in enumerate(streams)]
    return mean + spread * np.sum(noise, axis=0)


def _generator(rows: PredictionRows, seed: int, response: int) -> np.random.Generator:
    return np.random.default_rng([seed, *(rows.index[:1] + rows.first).tolist(), *([response] if response else [])])


def _averaged_effects(terms: Sequence[Term], values: Parameters, R: int, rng: np.random.Generator) -> Array:
    """One draw of the random part of the predictors for each row: ``(..., N)``."""
    if R == 1 and not heavy_tailed(terms):
        spread = population_variance(terms, values)
        return np.sqrt(spread) * rng.standard_normal(spread.shape)
    n = len(terms[0].z) // R
    total = np.zeros((*values.lead, R, n))
    scales = {group: scales_of(df, (n,), rng) for group, df in values.df.items()}
    for term, sd, corr in zip(terms, values.sd, values.corr, strict=True):
        root = cholesky_psd(covariance(sd, corr))
        b = rng.standard_normal((*values.lead, n, sd.shape[-1])) @ np.swapaxes(root, -1, -2)
        b = b if term.relation is None else b * np.sqrt(term.variances[:n, None])
        b = b if term.is_normal else b * scales[term.group][..., None]
        total += np.einsum("rnk,...nk->...rn", term.z.reshape(R, n, -1), b)
    return total.reshape(*values.lead, R * n)


def _new_groups(terms: Sequence[Term], drawn: Sequence[Array], values: Parameters, seed: int) -> Array:
    """One draw of the effects for each level that has rows to draw, shared by these rows: ``(..., n)``."""
    if not any(rows.any() for rows in drawn):
        return np.zeros(())
    total = np.zeros((*values.lead, len(drawn[0]) // terms[0].slots))
    for t, (term, rows, sd, corr) in enumerate(zip(terms, drawn, values.sd, values.corr, strict=True)):
        levels, level = np.unique(term.codes[rows], return_inverse=True)
        if not len(levels):
            continue
        root = cholesky_psd(covariance(sd, corr))
        spherical = _spherical(term, levels, (*values.lead, sd.shape[-1]), [seed, t])
        if not term.is_normal:
            first = next(s for s, one in enumerate(terms) if one.group == term.group)  # effects of a level are scaled
            spherical = _scales(levels, values.df[term.group], [seed, first])[..., None] * spherical  # together
        b = spherical @ np.swapaxes(root, -1, -2)
        own = total if term.slots == 1 else np.zeros((*values.lead, len(rows)))
        for e, column in enumerate(term.z[rows].T):
            own[..., rows] += column * np.take(b[..., e], level, axis=-1)
        total = own if term.slots == 1 else total + term.over_slots(own)
    return total


def _spherical(term: Term, levels: Array, shape: tuple[int, ...], seed: list[int]) -> Array:
    """Effects ``(..., levels, k)`` of some levels in units of their covariance; related ones as they are related."""
    streams = (np.random.default_rng([*seed, int(code) + 2**31]) for code in levels)
    own = np.stack([stream.standard_normal(shape) for stream in streams], axis=-2)
    if term.relation is None:
        return own
    rng = np.random.default_rng([*seed, 2**32])
    joint = term.relation.correlated(rng.standard_normal((*shape[:-1], term.relation.size, shape[-1])))
    unit = np.sqrt(np.mean(term.relation.variances))
    known = (levels >= 0)[:, None]
    return np.where(known, joint[..., np.maximum(levels, 0), :], unit * own)


def _scales(levels: Array, df: Array, seed: list[int]) -> Array:
    """What the effects of some levels are scaled by, ``(..., levels)``, where they have a t distribution."""
    streams = (np.random.default_rng([*seed, int(code) + 2**31, TAILS]) for code in levels)
    return np.stack([scales_of(df, (), stream) for stream in streams], axis=-1)


def sample_response(
    family: Family, rows: PredictionRows, parameters: tuple[Array, ...], rng: np.random.Generator
) -> Array:
    """Draw responses ``(..., n)`` of `row_parameters`: counts of successes for binomial data.

    Truncated ones are inside their bounds; none is censored.
    """
    mean, *others = parameters
    others = [np.broadcast_to(one, mean.shape) for one in at_weights(family, others, rows.weights)]
    trials = np.broadcast_to(rows.trials, mean.shape)
    return truncated(family, rows.bounds, rows.trials).sample(rng, trials, mean, *others)
