"""Polynomials in place of many factorisations, where one factorisation is dear.

What penalised least squares leaves, ``log|V|`` and ``[X y]' V^-1 [X y]``, is an analytic function of a few covariance
parameters. Over the region where the posterior has its mass it is fitted by Chebyshev polynomials of total degree at
most `DEGREES` in a ball of `RADIUS` posterior standard deviations; what lies outside is left out (of a Gaussian, less
than one part in a million), and the error is measured at points the fit has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array

DEGREES = {1: 12, 2: 9, 3: 7, 4: 5}  # total degree by dimension
FEW = 10  # dimensions up to which a proposal is fitted to polynomials of the first of these degrees
ROUGH_DEGREES = (4, 3)
RADIUS = 6.0  # of the region, in posterior standard deviations
BEYOND = 4.0  # the same beyond the root of the dimension, where that is large
SURPLUS = 1.6  # points for each coefficient
TOLERANCE = 0.01  # largest error of the log density that is let pass


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """What is left when the random effects are eliminated."""

    log_determinant: Array  # (...,)
    XX: Array  # (..., c, c) of ``[X y]``, in the coordinates of the fixed effects' priors


@dataclass(frozen=True, slots=True, eq=False)
class Polynomials:
    """Polynomials of ``z``, the whitened distance from ``centre``."""

    centre: Array  # (d,)
    root: Array  # (d, d): x = centre + root z
    radius: float
    powers: Array  # (terms, d)
    coefficients: Array  # (terms, r)

    def covers(self, x: Array) -> Array:
        """Whether points ``(n, d)`` lie in the region of the fit."""
        return np.asarray(np.sum(self._whitened(x) ** 2, axis=1) <= self.radius**2)

    def __call__(self, x: Array) -> Array:
        """Evaluate at ``(n, d)``: ``(n, r)``."""
        return np.asarray(_basis(self._whitened(x) / self.radius, self.powers) @ self.coefficients)

    def _whitened(self, x: Array) -> Array:
        return np.linalg.solve(self.root, (x - self.centre).T).T


@dataclass(frozen=True, slots=True, eq=False)
class Emulator:
    """Reduced quantities as polynomials."""

    polynomials: Polynomials
    columns: int

    def __call__(self, x: Array) -> Reduced:
        """Evaluate at ``(n, d)``."""
        values, c = self.polynomials(x), self.columns
        return Reduced(values[:, 0], values[:, 1:].reshape(len(x), c, c))


def fit_emulator(
    reduce: Callable[[Array], Reduced], centre: Array, covariance: Array, degree: int | None = None
) -> Emulator:
    """Fit polynomials to ``reduce``, a function of ``(n, d)`` points, over a ball of posterior standard deviations."""

    def numbers(x: Array) -> Array:
        reduced = reduce(x)
        return np.column_stack([reduced.log_determinant, reduced.XX.reshape(len(x), -1)])

    found = fit_polynomials(numbers, centre, covariance, degree)
    return Emulator(found, math.isqrt(found.coefficients.shape[1] - 1))


def fit_polynomials(
    function: Callable[[Array], Array], centre: Array, covariance: Array, degree: int | None = None
) -> Polynomials:
    """The same for any function of ``(n, d)`` points with ``r`` values each: ``(n, r)``."""
    from scipy.stats import qmc

    d = len(centre)
    degree = DEGREES[d] if degree is None else degree
    powers, radius = _powers(d, degree), max(RADIUS, BEYOND + np.sqrt(d))
    root = np.linalg.cholesky(covariance)
    n = int(np.ceil(SURPLUS * len(powers)))
    uniform = qmc.Sobol(d + 1, seed=0).random_base2(int(np.ceil(np.log2(n))))[:n]
    z = radius * _ball(uniform)
    coefficients = np.linalg.lstsq(_basis(z / radius, powers), function(centre + z @ root.T), rcond=None)[0]
    return Polynomials(centre, root, radius, powers, coefficients)


def _ball(uniform: Array) -> Array:
    """Points of the unit ball, denser towards its surface as Chebyshev nodes are: ``(n, d)`` from ``(n, d + 1)``."""
    from scipy.special import ndtri

    direction = ndtri(np.clip(uniform[:, :-1], 1e-12, 1.0 - 1e-12))
    size = np.sqrt(np.sum(direction**2, axis=1, keepdims=True))
    radius = np.sin(0.5 * np.pi * uniform[:, -1:] ** (1.0 / direction.shape[1]))
    return np.asarray(radius * direction / np.maximum(size, 1e-300))


def _powers(d: int, degree: int) -> Array:
    """Powers ``(terms, d)`` of the monomials of total degree at most ``degree``."""
    found = np.zeros((1, 0), int)
    for _ in range(d):
        longer = np.repeat(found, degree + 1, axis=0)
        found = np.column_stack([longer, np.tile(np.arange(degree + 1), len(found))])
        found = found[found.sum(axis=1) <= degree]
    return found


def _basis(z: Array, powers: Array) -> Array:
    """Products of Chebyshev polynomials: ``(n, terms)``."""
    tables = [np.polynomial.chebyshev.chebvander(z[:, j], int(powers.max())) for j in range(z.shape[1])]
    result = np.ones((len(z), len(powers)))
    for j, table in enumerate(tables):
        result *= table[:, powers[:, j]]
    return result
