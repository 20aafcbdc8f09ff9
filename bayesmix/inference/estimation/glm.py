"""Generalized linear models without groups, by Fisher scoring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link

LARGEST = 50.0  # linear predictors beyond are those of separated data, on their way to infinity


@dataclass(frozen=True, slots=True, eq=False)
class Glm:
    """A generalized linear model fitted by maximum likelihood, the dispersion by the method of moments."""

    beta: Array  # (p,)
    beta_cov: Array  # (p, p), NaN where nothing is left to estimate a free dispersion from
    dispersion: float
    converged: bool


def fit_glm(  # noqa: PLR0913, PLR0917 - a family and what a row has
    X: Array, y: Array, trials: Array, weights: Array, offset: Array, family: Family, link: Link, *, rounds: int = 25
) -> Glm:
    """Fit by Fisher scoring, started at the response as R's glm does.

    Parameters
    ----------
    X : (n, p), of full column rank for a covariance.
    y, trials, weights, offset : (n,) successes or responses, binomial denominators or ones, prior weights, offset.
    """
    share = y / trials
    mu = family.starting_mean(link, share, trials)
    eta = link.of(mu)
    beta, dispersion, converged = np.zeros(X.shape[1]), 1.0, False
    for _ in range(rounds):
        mu, slope, _, _ = link.inverse(eta)
        information = weights * slope**2 / family.variance(trials, mu, *family.others(np.asarray(dispersion)))
        working = eta - offset + (share - mu) / slope
        root = np.sqrt(np.clip(information, 1e-12, 1e12))
        beta, *_ = np.linalg.lstsq(X * root[:, None], working * root, rcond=None)
        limit = LARGEST if link.is_open else np.inf
        before, eta = eta, np.clip(X @ beta + offset, -limit, limit)
        (dispersion,) = family.start(y, link.inverse(eta)[0]) or (1.0,)
        converged = bool(np.max(np.abs(eta - before), initial=0.0) < 1e-7 * (1.0 + np.max(np.abs(eta), initial=0.0)))
        if converged:
            break
    converged = converged and bool(np.max(np.abs(X @ beta + offset), initial=0.0) <= limit)  # not held back at it
    mu, slope, _, _ = link.inverse(eta)
    free = np.asarray(1.0 if family.has_scale else dispersion)
    variance = family.variance(trials, mu, *family.others(free))
    covariance = _inverse_information(X, slope, weights / variance)
    if family.has_scale:
        rows = len(y) if family.weights == "precision" or not family.is_normal else float(np.sum(weights))
        covariance = covariance * _pearson(weights * (share - mu) ** 2 / variance, rows - X.shape[1])
    return Glm(beta, covariance, dispersion, converged)


def _inverse_information(X: Array, slope: Array, precision: Array) -> Array:
    """Covariance ``(p, p)`` of the coefficients at a dispersion of 1; NaN where the data do not tell them."""
    triangle = np.linalg.qr(X * np.sqrt(precision)[:, None] * slope[:, None], mode="r")
    if triangle.shape[0] < X.shape[1] or not np.all(np.abs(np.diagonal(triangle)) > 0.0):
        return np.full((X.shape[1], X.shape[1]), np.nan)
    inverse = np.linalg.inv(triangle)
    return inverse @ inverse.T


def _pearson(squares: Array, left: float) -> float:
    """Free dispersion by Pearson's statistic over its degrees of freedom, as R's summaries; NaN if none are left."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.divide(np.sum(squares), left)) if left else float("nan")
