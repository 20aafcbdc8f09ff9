"""Predictions of a point estimate with their uncertainty: normal on the scale of the linear predictor.

Fixed and random effects are uncertain together; the variances and correlations of the groups are held at their
estimates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmix.inference.joint import NewRows, fixed_variance, predictor_variance
from bayesmix.results.effects import average_mean, linear_predictor, population_variance
from bayesmix.results.predict import Groups, Kind, Rows, require_seen, sample_response

if TYPE_CHECKING:
    from bayesmix.results.fit import Estimate

Array = np.ndarray

DRAWS = 4000  # of new observations that are not Gaussian


def predict_estimate(
    fit: Estimate, rows: Rows, *, kind: Kind, groups: Groups, interval: float, seed: int
) -> dict[str, Array]:
    """Columns ``estimate, std_error, lower, upper``, one row a row of data.

    Raises
    ------
    DataError
        If ``groups="fitted"`` and a level was not seen in fitting.
    """
    from scipy.special import ndtri

    if groups == "fitted":
        require_seen(rows.terms)
        variance = predictor_variance(fit.design, fit.spec, fit.point, NewRows(rows.X, rows.terms))
    else:
        variance = fixed_variance(fit.point, rows.X)
    eta = linear_predictor(rows.X, rows.offset, rows.terms, fit.values, with_effects=groups == "fitted")
    spread = population_variance(rows.terms, fit.values) if groups in ("new", "average") else np.zeros(len(eta))
    q = float(ndtri(0.5 + 0.5 * interval))
    if kind == "linear":
        return _normal(eta, np.sqrt(variance + (spread if groups == "new" else 0.0)), q)
    if kind == "mean":
        return _means(fit, groups, eta, variance, spread, q)
    return _responses(fit, rows, eta, variance, spread, interval, seed)


def _normal(centre: Array, sd: Array, q: float) -> dict[str, Array]:
    return {"estimate": centre, "std_error": sd, "lower": centre - q * sd, "upper": centre + q * sd}


def _means(fit: Estimate, groups: Groups, eta: Array, variance: Array, spread: Array, q: float) -> dict[str, Array]:
    """Bounds carried through the link; standard errors by the delta method, of a new group by integration."""
    link = fit.spec.link
    centre = average_mean(link, eta, spread)
    total = variance + spread if groups == "new" else variance
    if groups == "new":
        error = np.sqrt(average_mean(link, eta, total, power=2) - average_mean(link, eta, total) ** 2)
        bounds = [link.inverse(eta + side * q * np.sqrt(total))[0] for side in (-1.0, 1.0)]
    else:
        error = np.abs(average_mean(link, eta, spread, derivative=1)) * np.sqrt(total)
        bounds = [average_mean(link, eta + side * q * np.sqrt(total), spread) for side in (-1.0, 1.0)]
    return {"estimate": centre, "std_error": error, "lower": np.minimum(*bounds), "upper": np.maximum(*bounds)}


def _responses(
    fit: Estimate, rows: Rows, eta: Array, variance: Array, spread: Array, interval: float, seed: int
) -> dict[str, Array]:
    """New observations: in closed form for gaussian models, by draws otherwise."""
    from scipy.special import ndtri

    spec, total = fit.spec, variance + spread
    if spec.family.name == "gaussian" and spec.link.name == "identity":
        sigma = float(np.asarray(fit.values.dispersion))
        return _normal(eta, np.sqrt(total + sigma**2 / rows.weights), float(ndtri(0.5 + 0.5 * interval)))
    estimate = rows.trials * average_mean(spec.link, eta, spread)
    parts, begin = [], 0
    for chunk in rows.chunks(DRAWS):
        own = slice(begin, begin := begin + len(chunk.X))
        rng = np.random.default_rng([seed, own.start])
        drawn = eta[own] + np.sqrt(total[own]) * rng.standard_normal((DRAWS, len(chunk.X)))
        y = sample_response(spec.family, chunk, spec.link.inverse(drawn)[0], fit.values, rng)
        bounds = np.percentile(y, [50.0 - 50.0 * interval, 50.0 + 50.0 * interval], axis=0)
        parts.append(np.vstack([y.std(axis=0), bounds]))
    error, lower, upper = np.concatenate(parts, axis=1)
    return {"estimate": estimate, "std_error": error, "lower": lower, "upper": upper}
