"""Derivatives of covariance matrices by their natural numbers, in directions that are covariances themselves.

Variances and covariances wherever the matrix is linear in them: unstructured, diagonal and homogeneous exchangeable
ones, where second derivatives are zero. Variances and the correlation elsewhere, as SAS has them. Derivatives are of
linear combinations of these numbers such that a matrix may move a little in each direction, be it singular or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array, upper_triangle
from bayesmix.inference.parameters.correlation import Exchangeable, Free, Independent, OneNumber, Parametric
from bayesmix.inference.parameters.covariance import Structure
from bayesmix.inference.parameters.natural_scale import entries_of
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers
from bayesmix.inference.parameters.toeplitz_correlation import Toeplitz
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.taylor import variables

STEP = 1e-5  # of differences, of the number
MARGIN = 1.1  # more of the matrix than is needed to stay positive


@dataclass(frozen=True, slots=True, eq=False)
class CovarianceDerivatives:
    """Of the covariance matrix of the effects of one level by linear combinations of its ``s`` numbers."""

    first: Array  # (s, k, k) positive semi-definite
    second: Array  # (s, s, k, k)


def covariance_derivatives(structure: Structure, covariance: Array) -> CovarianceDerivatives:
    """Derivatives at a covariance matrix ``(k, k)``; NaN at correlations of 1 and -1 and standard deviations of 0,
    where a matrix is not linear in its numbers.
    """
    k = structure.k
    match structure.correlation:
        case Free():
            return _linear(_sums_of_two(k))
        case Independent() if structure.is_homogeneous:
            return _linear(np.eye(k)[None])
        case Independent():
            return _linear(np.einsum("ai,aj->aij", np.eye(k), np.eye(k)))
        case Exchangeable() if structure.is_homogeneous:
            return _linear(np.array([np.eye(k), np.ones((k, k))]))
        case Toeplitz() if structure.is_homogeneous:
            return _linear(np.array([np.eye(k), *(2.0 * np.eye(k) + band for band in _bands(k))]))
        case Parametric() as correlation:
            return _curved(correlation, structure.parts(covariance), covariance, structure.is_homogeneous)
        case other:
            raise TypeError(type(other))  # families of correlations are closed


def _linear(first: Array) -> CovarianceDerivatives:
    s, k = first.shape[:2]
    return CovarianceDerivatives(first, np.zeros((s, s, k, k)))


def _sums_of_two(k: int) -> Array:
    """A basis of the symmetric matrices: squares of the sums of two unit vectors."""
    column, row = upper_triangle(k)
    sums = np.maximum(np.eye(k)[row], np.eye(k)[column])
    return np.asarray(np.einsum("ai,aj->aij", sums, sums))


def _bands(k: int) -> Array:
    """Derivatives ``(k - 1, k, k)`` of a Toeplitz matrix by its entries at lags from 1."""
    return np.array([np.eye(k, k=lag) + np.eye(k, k=-lag) for lag in range(1, k)])


def _curved(
    correlation: Parametric, parts: tuple[Array, Array], covariance: Array, is_homogeneous: bool
) -> CovarianceDerivatives:
    """Of ``D(v) R(rho) D(v)``, ``D`` the roots of the variances, ``rho (m,)`` what correlations follow from."""
    sd, corr = parts
    k = len(sd)
    R, by_rho, by_rho_twice = _of_correlation(correlation, correlation.numbers(corr))
    members = np.ones((1, k)) if is_homogeneous else np.eye(k)
    variance = np.array([float(np.mean(sd**2))]) if is_homogeneous else sd**2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = members * 0.5 / sd  # of the standard deviations by the variances: (s, k)
        curve = -members * 0.25 / sd**3
    n = len(variance)
    s = n + len(by_rho)
    first, second = np.zeros((s, k, k)), np.zeros((s, s, k, k))
    sides = np.einsum("ai,j->aij", slope, sd) + np.einsum("i,aj->aij", sd, slope)
    first[:n], first[n:] = sides * R, np.outer(sd, sd) * by_rho
    both = np.einsum("ai,bj->abij", slope, slope)
    second[:n, :n] = (both + np.swapaxes(both, 0, 1)) * R
    bent = np.einsum("ai,j->aij", curve, sd) + np.einsum("i,aj->aij", sd, curve)
    own = np.arange(n)
    second[own, own] += bent * R
    second[:n, n:] = sides[:, None] * by_rho
    second[n:, :n] = np.swapaxes(second[:n, n:], 0, 1)
    second[n:, n:] = np.outer(sd, sd) * by_rho_twice
    return _inward(covariance, variance, CovarianceDerivatives(first, second))


def _inward(covariance: Array, variance: Array, found: CovarianceDerivatives) -> CovarianceDerivatives:
    """As much of the matrix itself, the derivative in the direction of its variances, added as each direction takes."""
    if not (np.all(np.isfinite(found.first)) and np.all(np.isfinite(found.second))):
        return found
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return CovarianceDerivatives(np.full_like(found.first, np.nan), found.second)
    relative = np.linalg.solve(root, np.swapaxes(np.linalg.solve(root, found.first), 1, 2))
    needed = np.maximum(-MARGIN * np.linalg.eigvalsh(relative)[:, 0], 0.0)
    change = np.eye(len(needed)) + np.outer(needed, np.append(variance, np.zeros(len(needed) - len(variance))))
    second = np.einsum("ab,cd,bdij->acij", change, change, found.second)
    return CovarianceDerivatives(np.einsum("ab,bij->aij", change, found.first), second)


def _of_correlation(correlation: Parametric, numbers: Array) -> tuple[Array, Array, Array]:
    """The correlation matrix and its derivatives by its numbers, ``(m, k, k)`` and ``(m, m, k, k)``."""
    match correlation:
        case OneNumber():
            return _of_one_number(correlation, float(numbers[0]))
        case PositiveNumbers():
            return _of_positive_numbers(correlation, numbers)
        case _:
            bands = _bands(correlation.k)
            return correlation.matrix(numbers), bands, np.zeros((len(bands), *bands.shape))


def _of_positive_numbers(correlation: PositiveNumbers, numbers: Array) -> tuple[Array, Array, Array]:
    """Second derivatives are differences of exact first ones."""

    def first(at: Array) -> Array:
        return correlation.by_logarithms(at) / at[:, None, None]

    steps = STEP * np.diag(numbers)
    pairs = [(first(numbers + step) - first(numbers - step)) / (2.0 * step.sum()) for step in steps]
    return correlation.matrix(numbers), first(numbers), np.array(pairs)


def _of_one_number(correlation: OneNumber, rho: float) -> tuple[Array, Array, Array]:
    """The correlation matrix and its first two derivatives by rho, ``(1, k, k)`` and ``(1, 1, k, k)``."""
    unit = 2.0 / (1.0 - correlation.lowest)  # of the number in (-1, 1) that roots are made of
    partial = np.asarray(unit * (rho - correlation.lowest) - 1.0)
    (variable,) = variables([partial], order=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = entries_of(correlation.rows([variable], sqrt=NUMERIC.sqrt, one=np.ones(())))
    column, row = np.triu_indices(correlation.k, 1)
    found = np.zeros((3, correlation.k, correlation.k))
    for order in range(3):
        found[order, row, column] = [float(pair.derivative((order,))) * unit**order for pair in pairs]
        found[order, column, row] = found[order, row, column]
    found[0] += np.eye(correlation.k)
    return found[0], found[1:2], found[2:][None]
