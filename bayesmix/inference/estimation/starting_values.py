"""Where the search for a generalized model's estimate starts: the fit without random effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.response import Outcome
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem
from bayesmix.inference.estimation.distributional_regression import fit_regression
from bayesmix.inference.estimation.glm import LARGEST, Glm, fit_glm
from bayesmix.inference.estimation.separation import separating_direction
from bayesmix.inference.parameters.likelihood import Likelihood, OnePredictor, SeveralPredictors
from bayesmix.inference.parameters.response_parts import ResponsePart
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link

SUSPECT = 15.0  # linear predictors of a regression beyond which separation is looked for


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Fixed effects and dispersion without random effects."""

    beta: Array  # (p,) computational coordinates
    dispersion: float
    is_separated: bool  # whether the fixed effects separate the outcomes: what a search is after has no end


def without_random_effects(problem: GeneralizedProblem) -> Start:
    """Fixed effects by Fisher scoring of the means, dispersions by the method of moments."""
    X, offset, likelihood = problem.coordinates.X, problem.offset, problem.likelihood
    match likelihood:
        case OnePredictor(family=family, link=link, outcome=outcome, observed=observed):
            part = ResponsePart(family, (link,), (0,), outcome, observed)
            if family.crude is not None:
                _, *others = family.crude(outcome.y, outcome.trials)
                beta, is_separated = _by_regression(likelihood, [part], X, offset)
                return Start(beta, others[0] if others else 1.0, is_separated)
            pooled, is_separated = _mean(part, X, offset)
            return Start(pooled.beta, pooled.dispersion, is_separated)
        case SeveralPredictors(n=n):
            responses = [one for part in likelihood.parts for one in part.responses]
            if any(one.family.crude is not None for one in responses):
                beta, is_separated = _by_regression(likelihood, responses, X, offset)
                return Start(beta, 1.0, is_separated)
            beta, is_separated = np.zeros(X.shape[1]), False
            for one in responses:
                own, separated = _of_response(one, X.reshape(-1, n, X.shape[1]), offset.reshape(-1, n))
                beta, is_separated = beta + own, is_separated or separated
            return Start(beta, 1.0, is_separated)
        case _:
            raise TypeError(type(likelihood))  # likelihoods are of these two kinds


def _by_regression(
    likelihood: Likelihood, parts: Sequence[ResponsePart], X: Array, offset: Array
) -> tuple[Array, bool]:
    """Fixed effects ``(p,)`` of the model without random effects, and whether they separate categories.

    From one number for each parameter, where they stay if the regression leads too far.
    """
    start = crude(likelihood.R, parts, X, offset)
    found = fit_regression(likelihood, X, offset, start).beta
    rows = X.reshape(likelihood.R, -1, X.shape[1])
    if any(_separates_categories(part, rows, found) for part in parts):
        return start, True
    return found if is_near(parts, (X @ found).reshape(likelihood.R, -1)) else start, False


def is_near(parts: Sequence[ResponsePart], eta: Array) -> bool:
    """Whether linear predictors ``(R, n)`` are none that a regression has run off with.

    Parameters of a nonlinear mean have units, in which no number is too large.
    """
    bounded = np.ones(len(eta), bool)
    for part in parts:
        for r, parameter in zip(part.predictors, part.family.parameters, strict=False):  # a dispersion has none
            bounded[r] = not (parameter.is_of_curve or parameter.is_monotonic)
        if part.family.steps is not None:
            bounded[part.predictors[0]] = not part.family.steps.link.is_identity
    return bool(np.isfinite(eta).all()) and bool(np.abs(eta[bounded]).max(initial=0.0) <= LARGEST)


def _separates_categories(part: ResponsePart, X: Array, beta: Array) -> bool:
    """Whether predictors ``X (R, n, p)`` separate categories; looked for where a regression has gone far."""
    family, outcome = part.family, part.outcome
    if family.rises is None:
        return False
    own = X[list(part.predictors[: family.rises.shape[-1]])]
    if not own.size or np.ptp(own @ beta, axis=1).max() < SUSPECT:
        return False
    rows = own.reshape(-1, own.shape[-1])
    return separating_direction(rows, outcome.y, outcome.trials, family, part.links[0]) is not None


def crude(R: int, parts: Sequence[ResponsePart], X: Array, offset: Array, *, apart: bool = False) -> Array:
    """Fixed effects ``(p,)`` of one number for each parameter, which no regression has moved; or those of `apart`."""
    levels = np.zeros((R, 1))
    for part in parts:
        family, outcome = part.family, part.outcome.present
        own = family.apart if apart and family.apart is not None else family.crude
        values = own(outcome.y, outcome.trials) if own is not None else None
        if values is None:
            mu = np.asarray(np.average(outcome.y / outcome.trials, weights=outcome.trials))
            mean = family.starting_mean(part.links[0], mu, np.asarray(np.mean(outcome.trials)))
            values = (float(mean), *family.start(outcome.y, np.full(outcome.y.shape, float(mean))))
        for r, link, value in zip(part.places, part.links, values, strict=False):  # a dispersion has no predictor
            levels[r] = float(link.of(np.asarray(value)))
    level = np.repeat(levels, len(X) // R, axis=0).ravel() - offset
    return np.linalg.lstsq(X, level, rcond=None)[0]


def _of_response(part: ResponsePart, X: Array, offset: Array) -> tuple[Array, bool]:
    """Fixed effects ``(p,)`` of the predictors of one response, ``X (R, n, p)``; zeros elsewhere."""
    beta = np.zeros(X.shape[-1])
    if not part.outcome.is_complete:
        part, X, offset = _observed_rows(part, X, offset)
    mean, *others = part.predictors
    own = np.any(X[mean] != 0.0, axis=0)
    pooled, is_separated = _mean(part, X[mean][:, own], offset[mean])
    beta[own] = pooled.beta
    mu = part.links[0].mean(np.clip(X[mean] @ beta + offset[mean], -LARGEST, LARGEST))
    for r, link, value in zip(others, part.links[1:], part.family.start(part.outcome.y, mu), strict=True):
        level = float(link.of(np.asarray(value))) - offset[r]
        beta += np.linalg.lstsq(X[r], level, rcond=None)[0]
    return beta, is_separated


def _observed_rows(part: ResponsePart, X: Array, offset: Array) -> tuple[ResponsePart, Array, Array]:
    """The rows in which a response was observed, of ``X (R, n, p)`` and ``offset (R, n)``."""
    seen = part.outcome.seen
    return replace(part, outcome=part.outcome.present), X[:, seen], offset[:, seen]


def _mean(part: ResponsePart, X: Array, offset: Array) -> tuple[Glm, bool]:
    outcome, family, link = part.outcome, part.family, part.links[0]
    pooled = fit_glm(X, outcome.y, outcome.trials, outcome.weights, offset, family, link)
    is_separated = _is_separated(pooled, X, outcome, family, link)
    reach = np.inf if link.is_identity else LARGEST  # in units of the response there is no largest coefficient
    beta = np.zeros_like(pooled.beta) if is_separated else np.clip(pooled.beta, -reach, reach)
    return Glm(beta, pooled.beta_cov, pooled.dispersion, pooled.converged), is_separated


def _is_separated(pooled: Glm, X: Array, outcome: Outcome, family: Family, link: Link) -> bool:
    if pooled.converged and float(np.max(np.abs(X @ pooled.beta), initial=0.0)) < SUSPECT:
        return False
    return separating_direction(X, outcome.y, outcome.trials, family, link, bounds=outcome.bounds) is not None
