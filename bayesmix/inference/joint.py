"""The joint covariance of fixed and random effects around a point estimate, for the predictors of any rows.

With ``M = Z'WZ + G^-1`` at the estimate, ``b_hat(beta) = M^-1 Z'W (y - X beta)`` moves with the fixed effects, so that

    Cov(b - b_hat) = s M^-1 + K V K',    Cov(b - b_hat, beta) = -K V,    K = M^-1 Z'WX,    V = Cov(beta),

with ``s`` the residual variance. For linear mixed models this is Henderson's inverse (SAS's prediction errors, what
lme4's issue 147 asks for); for generalized ones the delta method with the observed information as ``W``. Variances and
correlations of the random effects are held at their estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.data.design import Design, Term
from bayesmix.data.moments import Factor, incidence, leverages, moments
from bayesmix.inference.estimate import Ml, PointEstimate, Reml
from bayesmix.inference.pirls import generalized_problem
from bayesmix.inference.pls import factorise, plan, sensitivity, solve
from bayesmix.language.spec import ModelSpec

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """Rows of a design, all of levels seen in the fit."""

    X: Array  # (m, p)
    terms: Sequence[Term]


def fixed_variance(point: PointEstimate, X: Array) -> Array:
    """Variance of ``X beta``: ``(m,)``."""
    return np.asarray(np.einsum("mp,pq,mq->m", X, point.beta_cov, X))


def predictor_variance(design: Design, spec: ModelSpec, point: PointEstimate, rows: NewRows) -> Array:
    """Variance of ``x'beta + z'b`` for each row: ``(m,)``, by one pass backwards through the elimination.

    The rows join those of the fit with weight zero, so that the blocks of the inverse that they need are computed.
    """
    working, scale = point.coordinates, _scale(point)
    new = _factors(point, rows)
    both = [
        Factor(np.concatenate([old.codes, own.codes]), np.concatenate([old.z, own.z]), old.levels)
        for old, own in zip(working.factors, new, strict=True)
    ]
    pattern = incidence(both)
    weights = np.concatenate([_weights(design, spec, point), np.zeros(len(rows.X))])
    X = rows.X @ working.T
    products = moments(pattern, both, np.concatenate([working.X, X]), weights)
    S = _fixed_covariance(point) / scale
    inverse = sensitivity(factorise(plan(pattern), products, working.by_factor(point.theta)), S, pattern)
    own = slice(len(working.X), None)
    total = np.broadcast_to(leverages(pattern, both, inverse.D, inverse.C), len(weights))[own]
    total = total + np.einsum("mp,pq,mq->m", X, S, X)
    for factor, across in zip(new, inverse.B, strict=True):
        total += 2.0 * np.einsum("mk,mkp,mp->m", factor.z, across[factor.codes], X)
    return scale * np.maximum(total, 0.0)


def predictor_covariance(design: Design, spec: ModelSpec, point: PointEstimate, rows: NewRows) -> Array:
    """Covariance of ``x'beta + z'b`` between rows: ``(m, m)``, one solution of the system a row."""
    working, scale = point.coordinates, _scale(point)
    products = moments(working.pattern, working.factors, working.X, _weights(design, spec, point))
    factorisation = factorise(working.plan, products, working.by_factor(point.theta))
    new, m = _factors(point, rows), len(rows.X)
    slope = rows.X @ working.T
    conditional = np.zeros((m, m))
    for i in range(m):
        rhs = [np.zeros((factor.levels, factor.k)) for factor in new]
        for part, factor in zip(rhs, new, strict=True):
            part[factor.codes[i]] = factor.z[i]
        b, _ = solve(factorisation, rhs)
        for part, factor, B in zip(b, new, products.B, strict=True):
            slope[i] -= np.einsum("jk,jkp->p", part, B)
            conditional[i] += np.sum(part[factor.codes] * factor.z, axis=1)
    return np.asarray(scale * conditional + slope @ _fixed_covariance(point) @ slope.T)


def _scale(point: PointEstimate) -> float:
    """Residual variance of a linear mixed model, to which its covariances are relative."""
    return float(point.dispersion or 1.0) ** 2 if isinstance(point.method, Reml | Ml) else 1.0


def _fixed_covariance(point: PointEstimate) -> Array:
    """Covariance of the fixed effects in computational coordinates."""
    half = np.linalg.solve(point.coordinates.T, point.beta_cov)
    return np.linalg.solve(point.coordinates.T, half.T)


def _weights(design: Design, spec: ModelSpec, point: PointEstimate) -> Array:
    """Prior weights of a linear model, observed information of each row of a generalized one."""
    if isinstance(point.method, Reml | Ml):
        return design.weights
    problem = generalized_problem(design, point.coordinates, spec.family, spec.link)
    return np.asarray(-problem.jet(point.predictor(design), float(point.dispersion or 1.0))[2])


def _factors(point: PointEstimate, rows: NewRows) -> list[Factor]:
    """The rows' grouping factors, in computational coordinates."""
    working = point.coordinates
    factors = []
    for number, old in enumerate(working.factors):
        members = [t for t, place in enumerate(working.places) if place.factor == number]
        z = np.zeros((len(rows.X), old.k))
        for t in members:
            z[:, working.places[t].columns] = rows.terms[t].z @ working.C[t]
        factors.append(Factor(rows.terms[members[0]].codes, z, old.levels))
    return factors
