"""Correlation matrices of residuals: the families of random effects, and autoregression with moving averages.

Of a series with autoregression of order p and moving averages of order q, ``y_t = sum ar_i y_(t-i) + e_t + sum ma_j
e_(t-j)``, the free numbers are partial autocorrelations: those of the autoregression, then those of the autoregression
that has the moving averages for its inverse. In (-1, 1) the series is stationary and invertible (Jones 1980,
Technometrics 22; Monahan 1984, Biometrika 71).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.layout import Layout
from bayesmix.data.design.residual_blocks import ResidualStructure
from bayesmix.inference.parameters.correlation import Autoregressive, Correlation, Exchangeable, Free, OneNumber

COMPLEX_STEP = 1e-100  # of derivatives, exact to rounding


@dataclass(frozen=True, slots=True)
class Arma(Correlation):
    """Autoregression of order ``p`` and moving averages of order ``q``."""

    p: int
    q: int
    words: ClassVar[str] = "an autoregressive moving average"
    fades: ClassVar[bool] = True

    @property
    @override
    def size(self) -> int:
        return self.p + self.q

    def coefficients(self, partial: Any) -> tuple[list[Any], list[Any]]:
        """``ar (p)`` and ``ma (q)`` from partial autocorrelations, by the recursion of Durbin and Levinson."""
        moving = _predicting([-one for one in partial[self.p :]])
        return _predicting(list(partial[: self.p])), [-one for one in moving]

    def autocorrelations(self, partial: Any, one: Any) -> list[Any]:
        """At lags from 0 to ``k - 1``: those of the autoregression, filtered by the moving averages."""
        ar, ma = self.coefficients(partial)
        series = _series(list(partial[: self.p]), ar, self.k + self.q, one)
        weights = [one, *ma]
        found = [
            sum(a * b * series[abs(lag + i - j)] for i, a in enumerate(weights) for j, b in enumerate(weights))
            for lag in range(self.k)
        ]
        return [one, *(value / found[0] for value in found[1:])]

    @override
    def entries(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        rho = self.autocorrelations(partial, one)
        return [[rho[i - j] for j in range(i + 1)] for i in range(self.k)]

    @override
    def rows(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        rows: list[list[Any]] = []
        for i, entries in enumerate(self.entries(partial, sqrt=sqrt, one=one)):
            row: list[Any] = []
            for j in range(i):
                before = sum((a * b for a, b in zip(row, rows[j], strict=False)), 0.0 * one)
                row.append((entries[j] - before) / rows[j][j])
            rows.append([*row, sqrt(one - sum((a**2 for a in row), 0.0 * one))])
        return rows

    @override
    def beta(self, eta: float) -> tuple[Array, Array]:
        return np.full(self.size, eta), np.full(self.size, eta)

    @override
    def reported(self, partial: Array) -> Array:
        ar, ma = self.coefficients(np.moveaxis(partial, -1, 0))
        return np.stack([*ar, *ma], axis=-1)

    @override
    def partial_of(self, numbers: Array) -> Array:
        ar, ma = np.moveaxis(numbers[..., : self.p], -1, 0), np.moveaxis(numbers[..., self.p :], -1, 0)
        return np.stack([*_partials(list(ar)), *(-one for one in _partials([-one for one in ma]))], axis=-1)

    @override
    def numbers(self, matrix: Array) -> Array:
        return np.stack([matrix[..., i + 1, 0] for i in range(min(self.size, self.k - 1))], axis=-1)

    @override
    def matrix(self, numbers: Array) -> Array:
        return correlation_matrix(self, self.partial_of(numbers))

    @override
    def partial(self, matrix: Array) -> Array:
        raise NotImplementedError("several moving averages have the same autocorrelations")


def _predicting(partial: list[Any]) -> list[Any]:
    """Coefficients of an autoregression from its partial autocorrelations."""
    found: list[Any] = []
    for own in partial:
        found = [*(a - own * b for a, b in zip(found, reversed(found), strict=True)), own]
    return found


def _partials(coefficients: list[Any]) -> list[Any]:
    """The inverse of `_predicting`."""
    found: list[Any] = []
    while coefficients:
        *rest, own = coefficients
        found.insert(0, own)
        coefficients = [(a + own * b) / (1.0 - own**2) for a, b in zip(rest, reversed(rest), strict=True)]
    return found


def _series(partial: list[Any], ar: list[Any], lags: int, one: Any) -> list[Any]:
    """Autocorrelations of an autoregression at lags from 0."""
    rho, found, left = [one], list[Any](), one
    for own in partial:  # rho_k = partial_k v_(k-1) + sum of what the lags before predict
        rho.append(own * left + sum((a * b for a, b in zip(found, reversed(rho), strict=False)), 0.0 * one))
        found = [*(a - own * b for a, b in zip(found, reversed(found), strict=True)), own]
        left = left * (1.0 - own**2)
    while len(rho) < lags:
        rho.append(sum((a * rho[-1 - i] for i, a in enumerate(ar)), 0.0 * one))
    return rho


def family_of(structure: ResidualStructure) -> Correlation:
    """The family of correlation matrices of a residual structure."""
    term, k = structure.term, structure.size
    match term.function:
        case "unstr":
            return Free(k)
        case "cosy":
            return Exchangeable(k)
        case "ar" if term.p == 1:
            return Autoregressive(k)
        case _:
            return Arma(k, term.p, term.q)


def residual_family(layout: Layout) -> Correlation:
    """The family of the correlations of residuals: of one response within blocks, or of several responses."""
    if layout.structure is not None:
        return family_of(layout.structure)
    return correlation_of(len(layout.residual))


def correlation_of(pairs: int) -> Free:
    """The family of correlation matrices with so many pairs below the diagonal."""
    return Free((1 + math.isqrt(1 + 8 * pairs)) // 2)


def correlation_matrix(family: Correlation, partial: Array) -> Array:
    """The matrix ``(..., k, k)`` at partial correlations ``(..., size)``, which may be complex."""
    one = np.ones(partial.shape[:-1], partial.dtype)
    if isinstance(family, Free):  # of which the sums of products are dear
        root = np.zeros((*partial.shape[:-1], family.k, family.k), partial.dtype)
        for i, row in enumerate(family.rows(np.moveaxis(partial, -1, 0), sqrt=np.sqrt, one=one)):
            root[..., i, : i + 1] = np.stack(row, axis=-1)
        return np.asarray(root @ np.swapaxes(root, -1, -2))  # of complex numbers not Hermitian
    rows = family.entries(np.moveaxis(partial, -1, 0), sqrt=np.sqrt, one=one)
    matrix = np.empty((*partial.shape[:-1], family.k, family.k), partial.dtype)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            matrix[..., i, j] = matrix[..., j, i] = value
    return matrix


def matrix_slopes(family: Correlation, partial: Array) -> Array:
    """Derivatives ``(size, k, k)`` of the matrix at partial correlations ``(size,)``, by complex steps."""
    points = partial + 1j * COMPLEX_STEP * np.eye(len(partial))
    return np.asarray(correlation_matrix(family, points).imag / COMPLEX_STEP)


def reported_slopes(family: Correlation, partial: Array) -> Array:
    """Derivatives ``(size, size)`` of the numbers as reported, a row each, by partial correlations ``(size,)``."""
    match family:
        case Free():
            return family.numbers(matrix_slopes(family, partial)).T
        case OneNumber():
            return np.array([[0.5 * (1.0 - family.lowest)]])
        case _:
            points = partial + 1j * COMPLEX_STEP * np.eye(len(partial))
            return np.asarray(family.reported(points).imag / COMPLEX_STEP).T
