"""Residuals at fitted means, and randomised quantile residuals (Dunn and Smyth 1996, J. Comput. Graph. Stat. 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.response import Outcome
from bayesmix.errors import SpecError, nearest
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.families.bounds import truncated
from bayesmix.language.families.family import Family
from bayesmix.results.fits.accessors import over_rows
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.fits.correlated_residuals import normalized_residuals
from bayesmix.results.fits.records import FitRecord
from bayesmix.results.fits.row_parameters import at_weights, row_parameters

KINDS = ("response", "pearson", "deviance", "quantile", "normalized")
EDGE = 1e-15  # probabilities closer to 0 or 1 have no finite normal quantile


def check_kind(kind: str) -> None:
    """Raise `SpecError` for residuals that do not exist."""
    if kind not in KINDS:
        raise SpecError(f"There are no residuals of kind `{kind}`.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")


def cumulative(family: Family, outcome: Outcome, parameters: Sequence[Array]) -> Array:
    """Probability of a response below the one observed, and of one up to it: ``(2, ..., n)``.

    Of a censored response these are the probabilities up to the two ends of what is known of it.

    Parameters
    ----------
    parameters : of `row_parameters`: the mean, shares for binomial data, and those beside it.
    """
    mean, *rest = parameters
    y, trials, others = outcome.y, outcome.trials, at_weights(family, rest, outcome.weights)
    bounds, family = outcome.bounds, truncated(family, outcome.bounds, outcome.trials)
    upto = family.cdf(y, trials, mean, *others)
    before = family.values.below(y)
    below = upto if before is y else family.cdf(before, trials, mean, *others)
    if bounds is not None and bounds.is_censored.any():
        ends = ((bounds.low, below, 0.0), (bounds.high, upto, 1.0))
        below, upto = (
            np.where(bounds.is_censored, _at_end(family, end, limit, trials, mean, *others), seen)
            for end, seen, limit in ends
        )
    return np.stack(np.broadcast_arrays(below, upto))


def _at_end(family: Family, end: Array, limit: float, trials: Array, mean: Array, *others: Array) -> Array:
    """Probability of responses up to an end of intervals, which is infinite where there is none."""
    is_end = np.isfinite(end)
    return np.where(is_end, family.cdf(np.where(is_end, end, 1.0), trials, mean, *others), limit)


def quantile_residuals(bounds: Array, seed: int) -> Array:
    """Normal quantiles of a uniform draw between the two probabilities of each row, ``bounds (2, n)``: ``(n,)``."""
    from scipy.special import ndtri

    share = bounds[0] + np.random.default_rng(seed).random(bounds.shape[1]) * (bounds[1] - bounds[0])
    return np.asarray(ndtri(np.clip(share, EDGE, 1.0 - EDGE)))


def response_residuals(family: Family, outcome: Outcome, parameters: Sequence[Array], kind: str) -> Array:
    """Residuals ``(n,)`` at fitted parameters (means are shares for binomial data): response, pearson or deviance."""
    trials, weights = outcome.trials, outcome.weights
    raw = outcome.y / trials - family.mean(trials, *parameters)
    match kind:
        case "pearson":
            return np.asarray(raw * np.sqrt(weights / family.variance(trials, *parameters)))
        case "deviance":
            deviance = family.unit_deviance(outcome.y, trials, *parameters)
            return np.asarray(np.sign(raw) * np.sqrt(np.maximum(weights * deviance, 0.0)))
        case _:
            return np.asarray(raw)


def _check_suited(family: Family, outcome: Outcome, kind: str) -> None:
    if family.has_category_counts:
        raise SpecError(
            f"Counts of several categories are no one number, and have no {kind} residuals. `diagnose()` compares how"
            " much they vary with what the model expects, `simulate()` draws others to compare them with."
        )
    if family.levels and kind != "quantile":
        raise SpecError(
            f"Categories are no numbers and have no {kind} residuals. Their quantile residuals are normal if the model"
            ' is right: residuals("quantile").'
        )
    if outcome.bounds is not None and kind != "quantile":
        raise SpecError(
            f"Residuals of kind `{kind}` compare values with means: of censored or truncated responses neither is what"
            ' was observed. Quantile residuals take bounds into account: kind="quantile".'
        )


def _normalized(fit: FitRecord) -> Array:
    if not fit.spec.has_row_covariance:
        raise SpecError(
            'Residuals of kind "normalized" are those of a residual structure made independent; this model has none'
            ' and they are those over their standard deviation: kind="pearson", or "quantile".'
        )

    def normalized(eta: Array, values: Parameters) -> Array:
        return normalized_residuals(fit.design, fit.spec, values, eta)

    return over_rows(fit, normalized)


def residuals(fit: FitRecord, kind: str, *, response: str | None = None, seed: int = 0) -> Array:
    """Residuals of the rows of a fit, ``(n,)``; of a posterior's predictive distribution where they are quantiles.

    Parameters
    ----------
    response : of several; the first by default.
    """
    check_kind(kind)
    fit.design.check_rows("A residual")
    number = choose(fit.spec, response=response).response
    if kind == "normalized":
        return _normalized(fit)
    family, outcome = fit.spec.responses[number].family, fit.design.outcomes[number]
    _check_suited(family, outcome, kind)

    def parameters(eta: Array, values: Parameters) -> tuple[Array, ...]:
        return row_parameters(fit.spec, eta, values, response=number)

    def bounds(eta: Array, values: Parameters) -> Array:
        return np.moveaxis(cumulative(family, outcome, parameters(eta, values)), 0, -1)

    def stacked(eta: Array, values: Parameters) -> Array:
        return np.stack(np.broadcast_arrays(*parameters(eta, values)), axis=-1)

    if kind == "quantile":
        return quantile_residuals(over_rows(fit, bounds).T, seed)
    mean, *others = over_rows(fit, stacked).T
    if kind == "pearson" and family.has_scale and fit.spec.is_simple:
        # lme4's: by the variance function, without the residual variance of a gaussian or the shape of a gamma
        others = [np.ones(()) for _ in others]
    return response_residuals(family, outcome, [mean, *others], kind)
