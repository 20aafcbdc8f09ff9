"""Missing values of responses given all that was observed: brms's ``Ymi_z[i]``, integrated out in every fit.

Given the parameters and the effects of groups, the missing values of a row are normal: a posterior has a mixture of
these over its draws, an estimate the one at its parameters, whose mean is uncertain as these are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.memory import too_much
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.covariance import cholesky_psd
from bayesmix.inference.parameters.incomplete_responses import IncompleteResponses
from bayesmix.inference.parameters.likelihood import SeveralPredictors, likelihood_of
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.fits.fixed_inference import fixed_inference
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.linear_predictor import linear_predictor
from bayesmix.results.fits.records import EstimateRecord, FitRecord
from bayesmix.results.prediction.estimate_prediction import ResolvedEstimand, joint_predictors
from bayesmix.results.prediction.response_mean import mean_slopes
from bayesmix.results.prediction.rows import CHUNK, PredictionRows
from bayesmix.results.prediction.simulation import draws_at

if TYPE_CHECKING:
    import pandas as pd


def imputed(
    fit: FitRecord, response: str | None = None, *, n: int | None = None, interval: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Missing values of a response, one row a row of the data without one.

    Parameters
    ----------
    response : of several with missing values; the first by default.
    n : number of draws, a column each, in place of their summary.

    Raises
    ------
    SpecError
        If the model imputes none, or not those of the response.
    """
    import pandas as pd

    check_level(interval)
    number = _which(fit.spec, response)
    rows = np.flatnonzero(~fit.design.outcomes[number].seen)
    index = pd.Index(fit.design.rows[rows])
    if n is not None:
        drawn = _draws(fit, rows, number, _picked(fit, n, len(rows), seed), seed)
        return pd.DataFrame(drawn.T, index, [f"imp_{j + 1}" for j in range(n)])
    if isinstance(fit, EstimateRecord):
        return pd.DataFrame(_of_estimate(fit, rows, number, interval), index)
    return pd.DataFrame(_of_posterior(fit, rows, number, interval, seed), index)


def _which(spec: ModelSpec, response: str | None) -> int:
    if not spec.incomplete:
        raise SpecError(
            "The model imputes no missing values: rows with any were left out. A response whose missing values are part"
            ' of the model is written `z | mi() ~ w`, beside "y ~ x + mi(z)".'
        )
    if response is None:
        return min(spec.incomplete)
    number = choose(spec, response=response).response
    if number not in spec.incomplete:
        labels = ", ".join(spec.responses[i].label for i in sorted(spec.incomplete))
        raise SpecError(f"`{response}` has no missing values in the model; `| mi()` stands beside {labels}.")
    return number


def moments(spec: ModelSpec, design: Design, eta: Array) -> tuple[Array, Array, tuple[int, ...]]:
    """Means ``(..., n, m)`` and covariances ``(..., n, m, m)`` of the responses of each row that may be missing.

    Given all of the row that was observed; an observed one has its value and no variance. With their positions.

    Parameters
    ----------
    eta : (..., N), stacked predictor by predictor.
    """
    rows = likelihood_of(design, spec)
    assert isinstance(rows, SeveralPredictors)  # several responses have several predictors
    part = next(one for one in rows.parts if isinstance(one, IncompleteResponses))
    by_row = eta.reshape(*eta.shape[:-1], design.R, -1)
    state, own = part.moments([by_row[..., r, :] for r in part.places]), tuple(sorted(spec.incomplete))
    shape = by_row[..., 0, :].shape
    means = np.stack([np.broadcast_to(state.means[i], shape) for i in own], axis=-1)
    columns = [np.stack([np.broadcast_to(state.covariance(i, j), shape) for j in own], axis=-1) for i in own]
    return means, np.stack(columns, axis=-2), own


def _of_rows(fit: FitRecord, rows: Array, values: Parameters) -> tuple[Array, Array, tuple[int, ...]]:
    part = fit.design.take(rows)
    return moments(fit.spec, part, linear_predictor(part.X, part.offset, part.terms, values))


def _of_estimate(fit: EstimateRecord, rows: Array, number: int, interval: float) -> dict[str, Array]:
    """Conditional means; variances about them, and those of the means by the delta method."""
    from scipy.special import ndtri

    part = fit.design.take(rows)
    at = tuple(sorted(fit.spec.incomplete)).index(number)

    def mean(eta: Array) -> Array:
        return np.asarray(moments(fit.spec, part, eta)[0][..., at])

    estimand = ResolvedEstimand("mean", "fitted", interval, fixed_inference(fit), choose(fit.spec))
    eta, matrices = joint_predictors(fit, PredictionRows.of_fit(fit.design, number).take(rows), estimand)
    slopes = mean_slopes(fit.spec, mean, eta.ravel())
    variance = moments(fit.spec, part, eta.ravel())[1][..., at, at] + np.einsum(
        "rn,nrs,sn->n", slopes, matrices, slopes
    )
    centre, error = mean(eta.ravel()), np.sqrt(variance)
    reach = float(ndtri(0.5 + 0.5 * interval)) * error
    return {"estimate": centre, "std_error": error, "lower": centre - reach, "upper": centre + reach}


def _of_posterior(fit: FitRecord, rows: Array, number: int, interval: float, seed: int) -> dict[str, Array]:
    values = fit.with_effects
    size, found = max(1, CHUNK // (int(np.prod(values.lead)) * fit.design.R)), []
    for begin in range(0, len(rows), size):
        own = rows[begin : begin + size]
        means, matrices, order = _of_rows(fit, own, values)
        at = order.index(number)
        drawn = _drawn(means, matrices, own, seed)[..., at].reshape(-1, len(own))
        mean, within = (one.reshape(-1, len(own)) for one in (means[..., at], matrices[..., at, at]))
        bounds = np.percentile(drawn, [50.0 - 50.0 * interval, 50.0 + 50.0 * interval], axis=0)
        found.append(np.stack([mean.mean(axis=0), np.sqrt(within.mean(axis=0) + mean.var(axis=0)), *bounds]))
    columns = np.concatenate(found, axis=1) if found else np.zeros((4, 0))
    return dict(zip(("mean", "sd", "lower", "upper"), columns, strict=True))


def _draws(fit: FitRecord, rows: Array, number: int, values: Parameters, seed: int) -> Array:
    """Draws ``(n, rows)`` of the missing values of one response, one at each of some parameters."""
    means, matrices, order = _of_rows(fit, rows, values)
    return _drawn(means, matrices, rows, seed)[..., order.index(number)]


def _drawn(means: Array, matrices: Array, rows: Array, seed: int) -> Array:
    """Draws of all that may be missing of each row together; those of one seed and row are of one data set."""
    normal = np.zeros(means.shape)
    for k, row in enumerate(rows.tolist()):
        normal[..., k, :] = np.random.default_rng([seed, row]).standard_normal(normal[..., k, :].shape)
    return means + np.einsum("...ij,...j->...i", cholesky_psd(matrices), normal)


def _picked(fit: FitRecord, n: int, rows: int, seed: int) -> Parameters:
    """Parameters of ``n`` draws, an estimate's own each time."""
    if n < 1:
        raise SpecError(f"n={n}: draw at least one set of values.")
    size = too_much(float(n) * rows * fit.design.R)
    if size is not None:
        raise SpecError(f"n={n}: so many values of {rows} rows would take {size}.")
    flat = int(np.prod(fit.with_effects.lead))
    return draws_at(fit.with_effects, np.random.default_rng([seed, flat]).choice(flat, n, replace=flat < n))
