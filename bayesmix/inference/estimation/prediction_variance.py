"""The joint covariance of fixed and random effects around a point estimate, for the predictors of any rows.

With ``M = Z'WZ + G^-1`` at the estimate, ``b_hat(beta) = M^-1 Z'W (y - X beta)`` moves with the fixed effects, so that

    Cov(b - b_hat) = s M^-1 + K V K',    Cov(b - b_hat, beta) = -K V,    K = M^-1 Z'WX,    V = Cov(beta),

with ``s`` the residual variance. For linear mixed models this is Henderson's inverse (SAS's prediction errors, what
lme4's issue 147 asks for); for generalized ones the delta method with the observed information as ``W``. Variances and
correlations of the random effects are held at their estimates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.data.design.distinct_rows import distinct
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.correlated import correlated_problem
from bayesmix.inference.estimation.methods import Ml, Reml
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.cross_products import Moments, column_leverages, leverages, moments
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.incidence import Factor, incidence
from bayesmix.inference.least_squares.solve import solve
from bayesmix.inference.least_squares.symbolic import plan
from bayesmix.language.formula.model_spec import ModelSpec

VarianceFunction = Callable[[PointEstimate], Array]  # of covariance parameters, weights as they were


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """Rows of a design, all of levels seen in the fit."""

    X: Array  # (m, p)
    terms: Sequence[Term]


def fixed_variance(point: PointEstimate, X: Array) -> Array:
    """Variance of ``X beta``: ``(m,)``."""
    return np.asarray(np.einsum("mp,pq,mq->m", X, point.beta_cov, X))


def predictor_variance(design: Design, spec: ModelSpec, point: PointEstimate, rows: NewRows) -> Array:
    """Variance of ``x'beta + z'b`` for each row: ``(m,)``."""
    return variance_function(design, spec, point, rows)(point)


def variance_function(design: Design, spec: ModelSpec, point: PointEstimate, rows: NewRows) -> VarianceFunction:
    """Variances of ``x'beta + z'b`` of the rows ``(m,)``, as a function of the covariance parameters of an estimate.

    One pass backwards through the elimination: the rows join those of the fit with weight zero, so that the blocks of
    the inverse that they need are computed.
    """
    if spec.has_row_covariance:
        return combination_variance(design, spec, point, rows, np.eye(len(rows.X)))
    design = distinct(design, spec)
    working, scale, n, m = point.coordinates, residual_scale(spec, point), design.n, len(rows.X)
    new = _factors(point, rows)
    both = [_with_rows(old, own, n) for old, own in zip(working.factors, new, strict=True)]
    pattern = incidence(both)
    symbolic = plan(pattern)
    weights = row_information(design, spec, point)
    weights = np.concatenate([weights, np.zeros((*weights.shape[:-1], m))], axis=-1)
    X = rows.X @ working.T
    products = moments(pattern, both, _joined(working.X, X, n, fill=0.0), weights)

    def variance(at: PointEstimate) -> Array:
        S = _fixed_covariance(at) / scale
        inverse = sensitivity(factorise(symbolic, products, working.by_factor(at.theta)), S, pattern)
        total = np.broadcast_to(leverages(pattern, both, inverse.D, inverse.C), design.R * (n + m))[n : n + m]
        total = total + column_leverages(new, X, inverse.B, S)
        return scale * np.maximum(total, 0.0)

    return variance


def _with_rows(old: Factor, new: Factor, n: int) -> Factor:
    """A factor with further rows after its ``n``."""
    if old.slots == 1:
        return replace(old, codes=_joined(old.codes, new.codes, n), z=_joined(old.z, new.z, n, fill=0.0))
    pairs = ((old.codes, new.codes), (old.z, new.z))
    codes, z = (
        np.concatenate(
            [part for slot in zip(np.split(a, old.slots), np.split(b, old.slots), strict=True) for part in slot]
        )
        for a, b in pairs
    )
    return replace(old, codes=codes, z=z)


def _joined(stacked: Array, new: Array, n: int, *, fill: float | None = None) -> Array:
    """Stacked arrays of ``n`` rows and of new ones, which have a single predictor: the first; what others have of them.

    Parameters
    ----------
    fill : None repeats the new rows.
    """
    others = new if fill is None else np.full_like(new, fill)
    blocks = stacked.reshape(-1, n, *stacked.shape[1:])
    return np.concatenate([part for r, own in enumerate(blocks) for part in (own, others if r else new)])


def combination_variance(
    design: Design, spec: ModelSpec, point: PointEstimate, rows: NewRows, L: Array
) -> VarianceFunction:
    """Variances of ``L (x'beta + z'b)`` over the rows, ``(r,)`` for ``L (r, m)``: one solution a combination."""
    working, scale, products = point.coordinates, residual_scale(spec, point), _products(design, spec, point)
    own = [j for j, owner in enumerate(design.layout.owners) if owner == 0 or not spec.has_row_covariance]
    factors, X = _factors(point, rows), L @ rows.X[:, own] @ working.T

    def variance(at: PointEstimate) -> Array:
        sums = products(at)
        factorisation = factorise(working.plan, sums, working.by_factor(at.theta))
        S, total = _fixed_covariance(at, own), np.zeros(len(L))
        for i in range(len(L)):
            rhs = [_combined(factor, L[i]) for factor in factors]
            b, _ = solve(factorisation, rhs)
            slope = X[i] - sum(np.einsum("jk,jkp->p", part, B) for part, B in zip(b, sums.B, strict=True))
            total[i] = scale * sum(float(np.sum(part * own)) for part, own in zip(b, rhs, strict=True))
            total[i] += slope @ S @ slope
        return total

    return variance


def _products(design: Design, spec: ModelSpec, point: PointEstimate) -> Callable[[PointEstimate], Moments]:
    """Cross-products of ``[Z X]`` at estimates with other covariance parameters."""
    working = point.coordinates
    if not spec.has_row_covariance:
        products = moments(working.pattern, working.factors, working.X, row_information(design, spec, point))
        return lambda at: products
    problem = correlated_problem(design, spec, working)

    def of_covariance(at: PointEstimate) -> Moments:
        found = problem.rows.moments(problem.phi_of(at.beta))[0]
        p = problem.linear.p
        return replace(found, B=tuple(B[..., :p] for B in found.B), XX=found.XX[:p, :p])

    return of_covariance


def _combined(factor: Factor, weights: Array) -> Array:
    """Coefficients of the effects of each level in one combination of the rows: ``(J, k)``."""
    columns = (factor.of_rows(weights)[:, None] * factor.z).T
    return np.column_stack([np.bincount(factor.codes, column, factor.levels) for column in columns])


def _is_linear(spec: ModelSpec, point: PointEstimate) -> bool:
    return spec.is_linear and isinstance(point.method, Reml | Ml)


def residual_scale(spec: ModelSpec, point: PointEstimate) -> float:
    """Residual variance of a linear mixed model, to which its covariances are relative."""
    return float(point.dispersion or 1.0) ** 2 if _is_linear(spec, point) else 1.0


def _fixed_covariance(point: PointEstimate, own: Sequence[int] | slice = slice(None)) -> Array:
    """Covariance of the fixed effects, or of some of them, in computational coordinates."""
    half = np.linalg.solve(point.coordinates.T, point.beta_cov[own][:, own])
    return np.linalg.solve(point.coordinates.T, half.T)


def row_information(design: Design, spec: ModelSpec, point: PointEstimate) -> Array:
    """Prior weights of a linear model, observed information of each distinct row of all others: see `row_weights`."""
    if _is_linear(spec, point):
        return design.weights
    design = distinct(design, spec)
    problem = generalized_problem(design, point.coordinates, spec)
    return np.asarray(-problem.jet(point.predictor(design), float(point.dispersion or 1.0))[2])


def _factors(point: PointEstimate, rows: NewRows) -> list[Factor]:
    """The rows' grouping factors, in computational coordinates."""
    working = point.coordinates
    factors = []
    for number, old in enumerate(working.factors):
        members = [t for t, place in enumerate(working.places) if place.factor == number]
        z = np.zeros((old.slots * len(rows.X), old.k))
        for t in members:
            z[:, working.places[t].columns] = rows.terms[t].z @ working.C[t]
        factors.append(Factor(rows.terms[members[0]].codes, z, old.levels, old.relation, old.slots))
    return factors
