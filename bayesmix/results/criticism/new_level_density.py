"""The density of rows whose levels a fit has not seen: their random effects integrated out, draw by draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import FitError, SpecError
from bayesmix.inference.least_squares.row_weights import weigh, weigh_columns
from bayesmix.inference.parameters.covariance import side_by_side
from bayesmix.inference.parameters.heavy_tails import check_normal, scale_law
from bayesmix.inference.parameters.likelihood import Likelihood, SeveralPredictors, likelihood_of
from bayesmix.inference.parameters.names import Parameters, covariance, heavy_tailed
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor
from bayesmix.results.fits.linear_predictor import linear_predictor, log_likelihood
from bayesmix.results.fits.row_parameters import at_weights, residual_root, row_parameters

CHUNK = 4_000_000  # numbers held at once
POINTS = {1: 41, 2: 21, 3: 11}  # nodes of the quadrature by number of effects
NEWTON = 60
Tails = Mapping[str, Array]
ONE_LEVEL = ("one new level of gaussian responses is integrated out, no other", "Use loo(), or kfold() by rows.")
SCALES, STEP = (-6.0, 26.0), 0.5  # logarithms of scales of t distributed effects, in units of their standard deviation


def log_density(spec: ModelSpec, part: Design, values: Parameters) -> Array:
    """Joint log density of the rows of ``part``, their new levels (codes below zero) integrated out: ``(...,)``.

    In closed form where new levels have effects on means of gaussian responses with identity link only, by adaptive
    Gauss-Hermite quadrature elsewhere. Of t distributed effects the closed form is that given what the new level is
    scaled by, which is integrated out by the trapezoidal rule.

    Raises
    ------
    SpecError
        If quadrature would need more than three effects, or effects of several grouping factors; or if t distributed
        effects are those of several new levels, or not in closed form.
    """
    eta = linear_predictor(part.X, part.offset, part.terms, values)
    new = [t for t, term in enumerate(part.terms) if np.any(term.codes < 0)]
    if not new:
        return log_likelihood(part, spec, values, eta).sum(axis=-1)
    matrices = [covariance(values.sd[t], values.corr[t]) for t in new]
    terms = [part.terms[t] for t in new]
    normal = {r: one.response for r, one in enumerate(spec.parameters) if _is_normal_mean(spec, one)}
    if {r for term in terms for r in range(part.R) if term.columns_of(r)} <= normal.keys():
        return _closed_form(spec, part, terms, matrices, eta, values)
    check_normal(terms, *ONE_LEVEL)
    return _quadrature(spec, part, terms, matrices, eta, values)


def _is_normal_mean(spec: ModelSpec, one: Predictor | Auxiliary) -> bool:
    return one.parameter == 0 and spec.responses[one.response].is_linear


def _closed_form(
    spec: ModelSpec, part: Design, terms: Sequence[Term], matrices: Sequence[Array], eta: Array, values: Parameters
) -> Array:
    """Normal responses, whose means have the new effects, together; other responses by themselves."""
    normal = [(r, one.response) for r, one in enumerate(spec.parameters) if _is_normal_mean(spec, one)]
    residuals, spreads = [], []
    for _, number in normal:
        outcome = part.outcomes[number]
        mean, *others = row_parameters(spec, eta, values, response=number)
        family = spec.responses[number].family
        variance = family.variance(outcome.trials, mean, *at_weights(family, others, outcome.weights))
        residuals.append(outcome.y - mean)
        spreads.append(np.broadcast_to(np.sqrt(variance), mean.shape))
    at = np.concatenate([np.arange(part.n) + r * part.n for r, _ in normal])
    own = [replace(term, z=term.z[at], codes=term.codes[at]) for term in terms]
    noise = _correlations_of_residuals(spec, part, eta) if spec.rescor else np.eye(len(at))
    residual, spread = np.concatenate(residuals, axis=-1), np.concatenate(spreads, axis=-1)
    joint = _gaussian(own, matrices, residual, spread, (noise, values.df))
    return joint + _others(spec, part, eta, {number for _, number in normal})


def _others(spec: ModelSpec, part: Design, eta: Array, done: set[int]) -> Array:
    """Log density of the responses that are not done yet, ``(...,)``."""
    likelihood = likelihood_of(part, spec)
    if not isinstance(likelihood, SeveralPredictors) or len(done) == len(spec.responses):
        return np.zeros(())
    parts = tuple(own for number, own in enumerate(likelihood.parts) if number not in done)
    return replace(likelihood, parts=parts).value(eta, np.ones(())).sum(axis=-1)


def _correlations_of_residuals(spec: ModelSpec, part: Design, eta: Array) -> Array:
    """Correlation matrices ``(..., k n, k n)`` of the residuals of all rows, response by response."""
    root = residual_root(spec, eta)[..., 0, :, :]
    matrix = root @ np.swapaxes(root, -1, -2)
    k, n = matrix.shape[-1], part.n
    return np.einsum("...jk,mn->...jmkn", matrix, np.eye(n)).reshape(*matrix.shape[:-2], k * n, k * n)


def _gaussian(
    terms: Sequence[Term], matrices: Sequence[Array], residual: Array, sigma: Array, beside: tuple[Array, Tails]
) -> Array:
    """Multivariate normal of residuals ``(..., m)``.

    Its covariance is ``sum_t Z_t Sigma_t Z_t' + diag(sigma) C diag(sigma)``, ``C`` the correlations ``noise``; those
    parts of t distributed effects are scaled by ``w``, which is integrated out.

    Parameters
    ----------
    beside : the correlations, and degrees of freedom by group.
    """
    noise, freedom = beside
    lead, m = residual.shape[:-1], residual.shape[-1]
    residual, sigma = residual.reshape(-1, m), sigma.reshape(-1, m)
    noise = np.broadcast_to(noise, (*lead, m, m)).reshape(-1, m, m)
    flat = [matrix.reshape(-1, *matrix.shape[-2:]) for matrix in matrices]
    shared = [(t.codes[:, None] == t.codes) & (t.codes < 0) for t in terms]
    group = _one_level(terms)
    result = np.empty(len(residual))
    size = max(1, CHUNK // m**2)
    for begin in range(0, len(result), size):
        rows = slice(begin, begin + size)
        V = noise[rows] * sigma[rows, :, None] * sigma[rows, None, :]
        scaled = np.zeros_like(V)
        for term, same, matrix in zip(terms, shared, flat, strict=True):
            own = np.where(same, np.einsum("ia,sab,jb->sij", term.z, matrix[rows], term.z, optimize=True), 0.0)
            V, scaled = (V + own, scaled) if term.is_normal else (V, scaled + own)
        L = np.linalg.cholesky(V)
        half = np.linalg.solve(L, residual[rows, :, None])[..., 0]
        log_det = 2.0 * np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(axis=-1)
        if group is None:
            result[rows] = -0.5 * (m * np.log(2.0 * np.pi) + log_det + np.sum(half**2, axis=-1))
            continue
        inner = np.linalg.solve(L, np.swapaxes(np.linalg.solve(L, scaled), -1, -2))
        sizes, axes = np.linalg.eigh(0.5 * (inner + np.swapaxes(inner, -1, -2)))
        squares = np.einsum("sij,si->sj", axes, half) ** 2
        df = np.asarray(freedom[group]).reshape(-1)[rows]
        result[rows] = _over_scales(np.maximum(sizes, 0.0), squares, df) - 0.5 * (m * np.log(2.0 * np.pi) + log_det)
    return result.reshape(lead)


def _one_level(terms: Sequence[Term]) -> str | None:
    """The grouping factor whose one new level has t distributed effects; None where all effects are normal."""
    groups = heavy_tailed(terms)
    if len(groups) > 1 or any(len(np.unique(t.codes[t.codes < 0])) > 1 for t in terms if not t.is_normal):
        check_normal(terms, *ONE_LEVEL)
    return groups[0] if groups else None


def _over_scales(sizes: Array, squares: Array, df: Array) -> Array:
    """Log of the mean over ``w`` of the density, up to that at ``w = 0``, of normal variables of variance ``1 + w s``.

    The scale is ``w ~ InverseGamma(df / 2, df / 2)``. In ``log w``, in units of its standard deviation, the integrand
    is smooth and falls exponentially on either side, where the trapezoidal rule is exact but for rounding.

    Parameters
    ----------
    sizes, squares : ``s (draws, m)``, and squares of the variables.
    df : (draws,)
    """
    from scipy.special import gammaln

    law, total = scale_law(df, np, gammaln), np.full(len(df), -np.inf)
    for log_w, density in map(law, np.arange(*SCALES, STEP)):
        variance = 1.0 + np.exp(log_w)[:, None] * sizes
        total = np.logaddexp(total, density - 0.5 * np.sum(np.log(variance) + squares / variance, axis=-1))
    return total + np.log(STEP)


def _quadrature(
    spec: ModelSpec, part: Design, terms: Sequence[Term], matrices: Sequence[Array], eta: Array, values: Parameters
) -> Array:
    """Nodes around the mode of each draw's effects, of a likelihood that is quadratic around that of the mean draw.

    Effects are ``b = root u`` with ``u`` standard normal: nodes have to be as narrow as the prior of a draw whose
    standard deviation is near zero, where those of the mean draw would all be far out in its tails.
    """
    k = sum(term.z.shape[1] for term in terms)
    codes = np.unique(np.stack([term.codes for term in terms]), axis=1)
    if codes.shape[1] > 1 or len({term.group for term in terms}) > 1 or k > max(POINTS):
        raise SpecError(
            "Only one new level of one grouping factor, with at most three effects, can be integrated out for this"
            " family. Leave out rows by another grouping factor, or use loo()."
        )
    z = np.hstack([term.z for term in terms])
    Sigma = side_by_side(matrices)
    draws = tuple(range(eta.ndim - 1))
    middle = eta.mean(axis=draws)
    mode, first, weights = _mode(spec, part, z, middle, Sigma.mean(axis=draws), values)
    sizes, axes = np.linalg.eigh(z.T @ weigh_columns(weights, z))
    information = axes * np.maximum(sizes, 0.0) @ axes.T
    slopes = (first - weigh(weights, eta - middle)) @ z + information @ mode  # of each draw, at b = 0
    sizes, axes = np.linalg.eigh(Sigma)
    root = axes * np.sqrt(np.maximum(sizes, 0.0))[..., None, :]
    turned = np.swapaxes(root, -1, -2)
    L = np.linalg.cholesky(turned @ information @ root + np.eye(k))
    back = np.swapaxes(np.linalg.inv(L), -1, -2)
    centre = back @ np.swapaxes(back, -1, -2) @ turned @ slopes[..., None]
    x, w = np.polynomial.hermite.hermgauss(POINTS[k])
    index = np.indices((POINTS[k],) * k).reshape(k, -1).T
    terms_: list[Array] = []
    for node in index:
        u = centre + np.sqrt(2.0) * back @ x[node][:, None]
        rows = log_likelihood(part, spec, values, eta + (root @ u)[..., 0] @ z.T).sum(axis=-1)
        terms_.append(rows - 0.5 * np.sum(u**2, axis=(-1, -2)) + np.sum(x[node] ** 2) + np.log(w[node]).sum())
    log_det = np.log(np.diagonal(L, axis1=-1, axis2=-2)).sum(axis=-1)
    return np.asarray(np.logaddexp.reduce(terms_, axis=0) - 0.5 * k * np.log(np.pi) - log_det)


def _mode(
    spec: ModelSpec, part: Design, z: Array, eta: Array, Sigma: Array, values: Parameters
) -> tuple[Array, Array, Array]:
    """Mode of the effects by damped Newton steps; slopes ``(N,)`` by the predictors there, and weights of the rows."""
    precision = np.linalg.inv(Sigma)
    dispersion = np.ones(()) if values.dispersion is None else np.asarray(np.mean(values.dispersion))
    likelihood = likelihood_of(part, spec)

    def derivatives(b: Array) -> tuple[float, Array, Array, Array]:
        at = eta + z @ b
        jet = likelihood.jet(at, dispersion)
        weights = _weights(likelihood, at, jet[2], z, precision, dispersion)
        return float(jet[0].sum() - 0.5 * b @ precision @ b), z.T @ jet[1] - precision @ b, weights, jet[1]

    b = np.zeros(z.shape[1])
    value, slope, weights, first = derivatives(b)
    for _ in range(NEWTON):
        step = np.linalg.solve(z.T @ weigh_columns(weights, z) + precision, slope)
        trial, fraction = derivatives(b + step), 1.0
        while not trial[0] >= value and fraction > 1e-6:
            fraction *= 0.5
            trial = derivatives(b + fraction * step)
        b, rise = b + fraction * step, trial[0] - value
        value, slope, weights, first = trial
        if not rise > 1e-9:
            return b, first, weights
    raise FitError(
        f"The mode of the random effects of a new level was not found in {NEWTON} steps: its rows are too far from what"
        " the fit expects. Leave out rows by another grouping factor, or use loo()."
    )


def _weights(likelihood: Likelihood, eta: Array, second: Array, z: Array, precision: Array, dispersion: Array) -> Array:
    """Weights of the rows in the information of the effects: the observed ones where it has any, else others."""
    observed = np.maximum(-second, 0.0) if likelihood.R == 1 else -second
    try:
        np.linalg.cholesky(z.T @ weigh_columns(observed, z) + precision)
    except np.linalg.LinAlgError:
        return likelihood.descent(eta, second, dispersion)
    return observed
