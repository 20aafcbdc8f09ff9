"""Gradient of the log marginal posterior at one point, by one elimination and its reverse.

With ``g`` the deviation of gamma from least squares (explored coordinates as they are, integrated ones at their
conditional mean), ``w = (-K g, 1)`` and ``s = 1 / sigma^2``, minus twice the log-likelihood of `marginal` has the
derivatives

    by XX:         s w w' + s K H^-1 K',
    by log sigma:  2 n - 2 s w'XX w - 2 s tr(H^-1 A),
    by gamma_e:    2 s (A g - c)_e,

since at the conditional mode the quadratic form is stationary. `pls.sensitivity` carries the first back to the
covariances. What is left, covariances and log prior by their coordinates, are functions of a few numbers without data:
these are differenced.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.least_squares.derivatives import sensitivity

if TYPE_CHECKING:
    from bayesmix.inference.sampling.marginal.marginal_posterior import MarginalPosterior


STEP = 1e-5  # central differences of smooth functions of order one: errors of 1e-10


def value_and_gradient(target: MarginalPosterior, theta: Array) -> tuple[float, Array]:
    """Log marginal posterior and its gradient ``(m,)`` at ``theta (m,)``; minus infinity where it has no value."""
    m = len(theta)
    points = theta + STEP * np.vstack([np.zeros((1, m)), np.eye(m), -np.eye(m)])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            factorisation = target.factorise(theta)
            value = float(target.log_likelihood(theta, target.reduced(factorisation)))
            priors = target.log_prior(points)
            gradient = (priors[1 : m + 1] - priors[m + 1 :]) / (2.0 * STEP)
            gradient = gradient - 0.5 * _by_theta(target, theta, factorisation)
        except np.linalg.LinAlgError:
            return -math.inf, np.zeros(m)
    value += float(priors[0])
    if not (math.isfinite(value) and np.all(np.isfinite(gradient))):
        return -math.inf, np.zeros(m)
    return value, gradient


def _by_theta(target: MarginalPosterior, theta: Array, factorisation: Factorisation) -> Array:
    """Derivative of minus twice the log-likelihood by theta."""
    _, log_sigma, gamma = target.parts(theta)
    p, inside, K = target.problem.p, ~target.explored, target.to_gamma
    H, h, _ = target.gaussian(theta, target.reduced(factorisation))
    inverse = np.linalg.inv(H)
    g = np.empty(p)
    g[inside] = inverse @ h
    g[target.explored] = gamma - target.gamma_ols[target.explored]
    w = np.append(-K @ g, 1.0)
    s = math.exp(-2.0 * float(log_sigma))
    by_XX = s * np.outer(w, w)
    by_XX[:p, :p] += s * K[:, inside] @ inverse @ K[:, inside].T
    XX = factorisation.XX
    q = target.covariances
    result = np.zeros(len(theta))
    result[:q] = _by_covariances(target, theta[:q], factorisation, by_XX)
    if target.rows is not None:
        phi, by_moments = target.phi(theta), sensitivity(factorisation, by_XX, target.problem.coordinates.pattern)
        result[q : q + len(phi)] = target.rows.problem.rows.gradient(phi, by_moments, by_XX)
    elif not target.unit_sigma:
        # tr(by_XX XX) / s = w'XX w + tr(H^-1 A)
        result[q] = 2.0 * target.problem.n - 2.0 * float(np.sum(by_XX * XX))
    if target.explored.any():
        scores = K.T @ (XX[:p] @ w)  # c - A g
        result[len(theta) - int(target.explored.sum()) :] = -2.0 * s * scores[target.explored]
    return result


def _by_covariances(target: MarginalPosterior, x: Array, factorisation: Factorisation, by_XX: Array) -> Array:
    """Derivative by the covariance coordinates ``(d,)`` of the log determinant plus a function of ``XX``."""
    working = target.problem.coordinates
    by_G = sensitivity(factorisation, by_XX, working.pattern).G
    parts, begin = [], 0
    for coordinates, place, C in zip(target.terms, working.places, working.C, strict=True):
        own = x[begin : begin + coordinates.size]
        begin += coordinates.size
        around = own + STEP * np.vstack([np.eye(len(own)), -np.eye(len(own))])
        sd, root = coordinates.unpack(around)
        factor = np.linalg.solve(C, sd[..., :, None] * root)
        G = factor @ np.swapaxes(factor, -1, -2)
        slope = (G[: len(own)] - G[len(own) :]) / (2.0 * STEP)
        block = by_G[place.factor][place.columns][:, place.columns]
        parts.append(np.sum(slope * block, axis=(1, 2)))
    return np.concatenate(parts) if parts else np.zeros(0)
