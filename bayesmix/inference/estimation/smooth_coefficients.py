"""Coefficients of the population, fixed effects and basis functions of smooths, with their joint covariance.

Random effects of groups are integrated out: with ``V`` the covariance of the rows given the population, ``C`` its
columns ``[X Z]`` and ``S`` the inverse variances of the basis functions,

    Cov = (C'V^-1 C + S)^-1,    F = Cov C'V^-1 C,    effective degrees of freedom  diag(F).

These are mgcv's ``Vp`` and ``edf`` of ``gamm4``, variances and correlations held at their estimates. All effects of
curves of levels, ``bs = "fs"``, may be columns of ``Z``, as they are of ``gam``: a dense matrix of them all.

References
----------
Wood (2017), *Generalized Additive Models*, sections 6.1 and 6.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.correlated import population_products
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.prediction_variance import (
    NewRows,
    predictor_variance,
    residual_scale,
    row_information,
)
from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.cross_products import Moments, moments
from bayesmix.inference.least_squares.incidence import Factor, Incidence, incidence
from bayesmix.inference.least_squares.symbolic import plan
from bayesmix.language.formula.model_spec import ModelSpec


@dataclass(frozen=True, slots=True, eq=False)
class SmoothCoefficients:
    """Coefficients ``(m,)``: the fixed effects, the basis functions of each smooth's term, curves of levels."""

    mean: Array  # (m,)
    covariance: Array  # (m, m), zero of functions whose standard deviation is
    information: Array  # (m, m) what the data say: C'V^-1 C
    places: dict[int, slice]  # of the functions of each term

    @property
    def degrees(self) -> Array:
        """Effective degrees of freedom ``(m,)`` of each coefficient."""
        return np.diagonal(self._shrinkage)

    @property
    def reference_degrees(self) -> Array:
        """Degrees of freedom of the distribution of a test, ``2 diag(F) - diag(F F)``: ``(m,)``."""
        F = self._shrinkage
        return 2.0 * np.diagonal(F) - np.sum(F * F.T, axis=1)

    @property
    def sampling_covariance(self) -> Array:
        """Covariance of the coefficients over data sets, smooths held fixed: ``(m, m)``."""
        return np.asarray(self._shrinkage @ self.covariance)

    @property
    def _shrinkage(self) -> Array:
        return np.asarray(self.covariance @ self.information)


def smooth_coefficients(
    design: Design, spec: ModelSpec, point: PointEstimate, curves: Sequence[int] = ()
) -> SmoothCoefficients:
    """The coefficients of the population of an estimate.

    Parameters
    ----------
    curves : terms whose levels have curves, and whose effects are coefficients, too.
    """
    working, scale = point.coordinates, residual_scale(spec, point)
    Lambdas, terms = working.by_factor(point.theta), [*_smooths(design), *curves]
    others = [(f, kept) for f in range(len(working.factors)) if (kept := _columns_without(point, f, terms))]
    blocks = [_block(design, point, Lambdas, t) for t in terms]
    factors = [_part(working.factors[f], kept) for f, kept in others]
    columns = np.column_stack([working.X, *(block.Z for block in blocks)])
    pattern, products = _products(design, spec, point, factors, columns)
    XX = factorise(plan(pattern), products, [Lambdas[f][np.ix_(kept, kept)] for f, kept in others]).XX
    sizes = np.concatenate([np.full(working.X.shape[1], np.inf), *(block.sizes for block in blocks)])
    change = _block_diagonal([working.T, *(block.change for block in blocks)])
    ends = np.cumsum([len(working.T), *(len(block.sizes) for block in blocks)])
    return SmoothCoefficients(
        mean=np.concatenate([point.beta[: len(working.T)], *(point.b[t].ravel() for t in terms)]),
        covariance=scale * change @ _penalised_inverse(XX, sizes) @ change.T,
        information=np.linalg.solve(change.T, np.linalg.solve(change.T, XX).T) / scale,
        places={t: slice(int(ends[i]), int(ends[i + 1])) for i, t in enumerate(terms)},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The effects of all levels of a term as columns."""

    Z: Array  # (R n, m)
    sizes: Array  # (m,) their standard deviations, relative to that of residuals
    change: Array  # (m, m) from computational coordinates to the user's units


def _block(design: Design, point: PointEstimate, Lambdas: Sequence[Array], t: int) -> _Block:
    working, levels = point.coordinates, len(design.terms[t].levels)
    place = working.places[t]
    factor, own = working.factors[place.factor], place.columns
    z, C = factor.z[:, own], working.C[t]
    Z = np.zeros((len(z), levels, z.shape[1]))
    Z[np.arange(len(z)), factor.codes] = z
    sizes = np.abs(np.diagonal(Lambdas[place.factor])[own])
    return _Block(Z.reshape(len(z), -1), np.tile(sizes, levels), np.kron(np.eye(levels), C))


def _smooths(design: Design) -> list[int]:
    return [t for t, term in enumerate(design.terms) if term.is_population]


def _columns_without(point: PointEstimate, number: int, terms: Sequence[int]) -> list[int]:
    """Columns of a factor but those of some terms."""
    working = point.coordinates
    every = range(working.factors[number].k)
    gone = {j for t in terms if working.places[t].factor == number for j in every[working.places[t].columns]}
    return [j for j in every if j not in gone]


def _part(factor: Factor, columns: list[int]) -> Factor:
    return factor if len(columns) == factor.k else replace(factor, z=factor.z[:, columns])


def level_degrees(design: Design, spec: ModelSpec, point: PointEstimate, terms: Sequence[int]) -> float:
    """Effective degrees of freedom of the curves of levels that terms of a grouping factor make.

    The same trace: ``F = I - Cov S``, of which an effect of variance ``s^2`` adds ``1 - Var(b - b_hat) / s^2``.
    """
    return sum(_term_degrees(design, spec, point, t) for t in terms)


def _term_degrees(design: Design, spec: ModelSpec, point: PointEstimate, t: int) -> float:
    prior = np.tile(np.diagonal(point.covariances[t]), len(design.terms[t].levels))
    if not np.any(prior):
        return 0.0
    left = predictor_variance(design, spec, point, _single_effects(design, t))
    return float(np.sum(1.0 - np.divide(left, prior, out=np.ones(len(prior)), where=prior > 0.0)))


def _single_effects(design: Design, t: int) -> NewRows:
    """Rows of which each is one effect of one level of a term; levels of others are those of a row of the data."""
    own = design.terms[t]
    k = len(own.effects)
    rows = np.repeat(np.unique(own.codes, return_index=True)[1], k)
    terms = []
    for other in design.terms:
        places = other.places(rows)
        terms.append(replace(other, codes=other.codes[places], z=np.zeros_like(other.z[places])))
    terms[t] = replace(terms[t], z=np.tile(np.eye(k), (len(own.levels), 1)))
    return NewRows(np.zeros((len(rows), design.X.shape[1])), terms)


def _products(
    design: Design, spec: ModelSpec, point: PointEstimate, factors: Sequence[Factor], columns: Array
) -> tuple[Incidence, Moments]:
    """Cross-products of the effects of groups and the columns of the population."""
    if spec.has_row_covariance:
        return population_products(design, spec, point, factors, columns)
    pattern = incidence(factors, R=design.R)
    return pattern, moments(pattern, factors, columns, row_information(design, spec, point))


def _penalised_inverse(XX: Array, sizes: Array) -> Array:
    """Inverse of cross-products with inverse variances added, zero where a standard deviation is."""
    scale = np.where(np.isinf(sizes), 1.0, sizes)  # of functions whose variances are tiny, inverses overflow
    own = scale[:, None] * XX * scale + np.diag(np.where(np.isinf(sizes), 0.0, 1.0))
    inverse = scale[:, None] * np.linalg.inv(own) * scale
    return 0.5 * (inverse + inverse.T)


def _block_diagonal(blocks: Sequence[Array]) -> Array:
    from scipy.linalg import block_diag

    return np.asarray(block_diag(*blocks))
