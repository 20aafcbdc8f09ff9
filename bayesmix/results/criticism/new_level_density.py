"""The density of rows whose levels a fit has not seen: their random effects integrated out, draw by draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.errors import FitError, SpecError
from bayesmix.inference.parameters.covariance import side_by_side
from bayesmix.inference.parameters.names import Parameters, covariance
from bayesmix.language.families.derivatives import by_predictor
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.linear_predictor import linear_predictor, log_likelihood

CHUNK = 4_000_000  # numbers held at once
POINTS = {1: 41, 2: 21, 3: 11}  # nodes of the quadrature by number of effects
NEWTON = 60


def log_density(spec: ModelSpec, part: Design, values: Parameters) -> Array:
    """Joint log density of the rows of ``part``, their new levels (codes below zero) integrated out: ``(...,)``.

    In closed form for gaussian models with identity link, by adaptive Gauss-Hermite quadrature for others.

    Raises
    ------
    SpecError
        If quadrature would need more than three effects, or effects of several grouping factors.
    """
    eta = linear_predictor(part.X, part.offset, part.terms, values)
    new = [t for t, term in enumerate(part.terms) if np.any(term.codes < 0)]
    if not new:
        return log_likelihood(part, spec, values, eta).sum(axis=-1)
    matrices = [covariance(values.sd[t], values.corr[t]) for t in new]
    terms = [part.terms[t] for t in new]
    if spec.is_linear:
        return _gaussian(part, terms, matrices, eta, np.asarray(values.dispersion))
    return _quadrature(spec, part, terms, matrices, eta, values)


def _gaussian(part: Design, terms: Sequence[Term], matrices: Sequence[Array], eta: Array, sigma: Array) -> Array:
    """Multivariate normal with covariance ``sum_t Z_t Sigma_t Z_t' + sigma^2 / w``."""
    lead, n = sigma.shape, len(part.y)
    residual = (part.y - eta).reshape(-1, n)
    flat = [matrix.reshape(-1, *matrix.shape[-2:]) for matrix in matrices]
    shared = [(t.codes[:, None] == t.codes) & (t.codes < 0) for t in terms]
    result = np.empty(len(residual))
    size = max(1, CHUNK // n**2)
    for begin in range(0, len(result), size):
        rows = slice(begin, begin + size)
        V = np.eye(n) / part.weights * sigma.reshape(-1)[rows, None, None] ** 2
        for term, same, matrix in zip(terms, shared, flat, strict=True):
            V = V + np.where(same, np.einsum("ia,sab,jb->sij", term.z, matrix[rows], term.z, optimize=True), 0.0)
        L = np.linalg.cholesky(V)
        half = np.linalg.solve(L, residual[rows, :, None])[..., 0]
        log_det = 2.0 * np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(axis=-1)
        result[rows] = -0.5 * (n * np.log(2.0 * np.pi) + log_det + np.sum(half**2, axis=-1))
    return result.reshape(lead)


def _quadrature(
    spec: ModelSpec, part: Design, terms: Sequence[Term], matrices: Sequence[Array], eta: Array, values: Parameters
) -> Array:
    """Nodes around the mode of the effects at the mean of the draws, the same for all draws."""
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
    mode, L = _mode(spec, part, z, eta.mean(axis=draws), Sigma.mean(axis=draws), values)
    x, w = np.polynomial.hermite.hermgauss(POINTS[k])
    index = np.indices((POINTS[k],) * k).reshape(k, -1).T
    precision, log_det = np.linalg.inv(Sigma), np.linalg.slogdet(Sigma)[1]
    terms_: list[Array] = []
    for node in index:
        b = mode + np.sqrt(2.0) * np.linalg.solve(L.T, x[node])
        rows = log_likelihood(part, spec, values, eta + z @ b).sum(axis=-1)
        prior = -0.5 * (np.einsum("a,...ab,b->...", b, precision, b) + log_det + k * np.log(2.0 * np.pi))
        terms_.append(rows + prior + np.sum(x[node] ** 2) + np.log(w[node]).sum())
    constant = 0.5 * k * np.log(2.0) - np.log(np.diagonal(L)).sum()
    return np.asarray(np.logaddexp.reduce(terms_, axis=0) + constant)


def _mode(spec: ModelSpec, part: Design, z: Array, eta: Array, Sigma: Array, values: Parameters) -> tuple[Array, Array]:
    """Mode of the effects and Cholesky factor of their precision, by damped Newton steps."""
    precision = np.linalg.inv(Sigma)
    dispersion = np.ones(()) if values.dispersion is None else np.mean(values.dispersion)
    trials = part.trials

    def derivatives(b: Array) -> tuple[float, Array, Array]:
        jet = by_predictor(
            spec.family, spec.link, part.y, eta + z @ b, dispersion=dispersion, trials=trials, weights=part.weights
        )
        information = z.T @ (np.maximum(-jet[2], 0.0)[:, None] * z) + precision
        return float(jet[0].sum() - 0.5 * b @ precision @ b), z.T @ jet[1] - precision @ b, information

    b = np.zeros(z.shape[1])
    value, slope, information = derivatives(b)
    for _ in range(NEWTON):
        step = np.linalg.solve(information, slope)
        trial, fraction = derivatives(b + step), 1.0
        while not trial[0] >= value and fraction > 1e-6:
            fraction *= 0.5
            trial = derivatives(b + fraction * step)
        b, rise = b + fraction * step, trial[0] - value
        value, slope, information = trial
        if not rise > 1e-9:
            return b, np.linalg.cholesky(information)
    raise FitError(
        f"The mode of the random effects of a new level was not found in {NEWTON} steps: its rows are too far from what"
        " the fit expects. Leave out rows by another grouping factor, or use loo()."
    )
