"""Regressions of several linear predictors without random effects, by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.least_squares.row_weights import weigh_columns
from bayesmix.inference.parameters.likelihood import Likelihood

ROUNDS = 30
HALVINGS = 30
NEAR = 0.1  # steps, in the same units, from which on Newton's own are taken
CLOSE = 1e-8  # steps, in units of one more than the coefficients, that end the search


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Fixed effects by maximum likelihood."""

    beta: Array  # (p,)
    beta_cov: Array  # (p, p) inverse of the observed information
    converged: bool  # to a maximum: not where the likelihood rises for ever


def fit_regression(  # noqa: PLR0913 - a likelihood, where it begins, and what it is multiplied by
    likelihood: Likelihood,
    X: Array,
    offset: Array,
    start: Array,
    *,
    dispersion: Array | float = 1.0,
    is_start: bool = True,
    prior: tuple[Array, Array] | None = None,
) -> Regression:
    """Maximise the likelihood of rows by their fixed effects, times a normal prior of these if there is one.

    Parameters
    ----------
    X : (N, p) stacked predictor by predictor, of full column rank.
    offset : (N,)
    start : (p,)
    dispersion : the parameter beside the mean where that is one number, held.
    is_start : whether a search starts there; else steps near the end are Newton's own, for those of Fisher's kind go on
        for a hundred rounds where predictors weigh on each other.
    prior : mean ``(p,)`` and precision ``(p, p)``.
    """
    mean, precision = (start, np.zeros((len(start), len(start)))) if prior is None else prior
    beta, step = start, np.full(len(start), np.inf)
    dispersion = np.asarray(dispersion)

    def value(at: Array) -> float:
        away = at - mean
        return float(np.sum(likelihood.value(X @ at + offset, dispersion)) - 0.5 * away @ precision @ away)

    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            first, second = likelihood.newton(X @ beta + offset, dispersion)
            information = X.T @ weigh_columns(likelihood.descent(X @ beta + offset, second, dispersion), X)
            information += precision
            if not is_start and _size(step, beta) < NEAR:
                observed = X.T @ weigh_columns(-second, X) + precision
                information = observed if _is_of_maximum(observed) else information
            gradient = X.T @ first - precision @ (beta - mean)
            if not (np.isfinite(information).all() and np.isfinite(gradient).all()):  # where coefficients run off
                break
            step = np.linalg.lstsq(information, gradient, rcond=None)[0]
            beta, length = _shorter(value, beta, step)
            if not length or _size(step, beta) < CLOSE:
                break
        observed = X.T @ weigh_columns(-likelihood.newton(X @ beta + offset, dispersion)[1], X) + precision
    is_maximum = _is_of_maximum(observed)
    covariance = np.linalg.inv(observed) if is_maximum else np.full(observed.shape, np.nan)
    return Regression(beta, covariance, is_maximum and _size(step, beta) < np.sqrt(CLOSE))


def _size(step: Array, beta: Array) -> float:
    """The largest step of a coefficient, in units of one more than it."""
    return float(np.max(np.abs(step) / (1.0 + np.abs(beta)), initial=0.0))


def _is_of_maximum(information: Array) -> bool:
    return bool(np.isfinite(information).all()) and bool(np.all(np.linalg.eigvalsh(information) > 0.0))


def _shorter(value: Callable[[Array], float], beta: Array, step: Array) -> tuple[Array, float]:
    """The coefficients after as much of a step as raises the likelihood, and how much that is."""
    length, before = 1.0, value(beta)
    for _ in range(HALVINGS):
        if value(beta + length * step) >= before:
            return beta + length * step, length
        length *= 0.5
    return beta, 0.0
