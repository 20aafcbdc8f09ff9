"""Tests of linear combinations of fixed effects: F of several at once, and the normal ones of large samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array

RANK = 1e-8  # of the variances of combinations, below which one says nothing that the others do not


@dataclass(frozen=True, slots=True)
class FTest:
    """An F test; of infinite denominator degrees of freedom, a chi-square test divided by its own."""

    statistic: float
    numerator_df: float  # not whole of smooths
    denominator_df: float
    p: float
    scale: float = 1.0  # of the statistic: what Wald's was multiplied with


@dataclass(frozen=True, slots=True, eq=False)
class Principal:
    """Uncorrelated combinations that span those asked for: as many as are linearly independent."""

    rows: Array  # (q, p)
    value: Array  # (q,) estimates less what the hypothesis says
    variance: Array  # (q,)

    @property
    def wald(self) -> float:
        """Mean square of the standardised values: Wald's F."""
        return float(np.mean(self.value**2 / self.variance)) if len(self.variance) else math.nan

    def wald_by(self, cov: Array) -> float:
        """The same by another covariance of the fixed effects ``(p, p)``; NaN where that is of lower rank."""
        matrix = self.rows @ cov @ self.rows.T
        if not len(matrix) or not np.all(np.isfinite(matrix)):
            return math.nan
        size = np.sqrt(np.diagonal(matrix))
        if not np.all(size > 0.0) or np.linalg.eigvalsh(matrix / np.outer(size, size))[0] < RANK:
            return math.nan
        return float(self.value @ np.linalg.solve(matrix, self.value)) / len(matrix)


def principal(L: Array, value: Array, cov: Array) -> Principal:
    """Principal combinations of ``L beta``, whose estimates less the hypothesis are ``value (r,)``.

    In units of the standard errors where some would be lost otherwise, beside others that are a million times as large:
    those of ``x`` and ``x^2``.
    """
    matrix = L @ cov @ L.T
    size = np.sqrt(np.maximum(np.diagonal(matrix), 0.0))
    own, scaled = (_principal(matrix, unit) for unit in (np.ones(len(L)), np.where(size > 0.0, size, 1.0)))
    P, variance = max((own, scaled), key=lambda found: len(found[1]))
    return Principal(P @ L, P @ value, variance)


def _principal(matrix: Array, size: Array) -> tuple[Array, Array]:
    """Uncorrelated combinations ``(q, r)`` of numbers in units of ``size (r,)``, and their variances."""
    variance, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    kept = variance > RANK * max(float(np.max(variance, initial=0.0)), 0.0)
    return vectors[:, kept][:, ::-1].T / size, variance[kept][::-1]


def f_test(wald: float, numerator_df: int, denominator_df: float, scale: float = 1.0) -> FTest:
    """The test of Wald's statistic, or of a multiple of it."""
    from scipy.special import chdtrc, fdtrc

    statistic = scale * wald
    if not numerator_df or math.isnan(statistic) or math.isnan(denominator_df):
        return FTest(math.nan, numerator_df, math.nan, math.nan)
    if math.isinf(denominator_df):
        return FTest(statistic, numerator_df, math.inf, float(chdtrc(numerator_df, numerator_df * statistic)))
    return FTest(statistic, numerator_df, denominator_df, float(fdtrc(numerator_df, denominator_df, statistic)), scale)


@dataclass(frozen=True, slots=True, eq=False)
class Asymptotic:
    """Normal and chi-square tests: the covariance of the fixed effects taken as known."""

    cov: Array  # (p, p)
    reference: Array | None = None  # (p, p) of full rank, by which rows of L are independent; cov itself if None

    def df(self, L: Array) -> Array:
        """Infinite: ``(r,)``."""
        return np.full(len(L), np.inf)

    def joint(self, L: Array, value: Array) -> FTest:
        """Wald's test of all rows of ``L`` at once."""
        found = principal(L, value, self.cov if self.reference is None else self.reference)
        return f_test(found.wald_by(self.cov), len(found.value), math.inf)
