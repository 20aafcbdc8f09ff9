"""Correlations of the effects of one level: a closed set of families, each handled here and nowhere else.

A family has a few free numbers in (-1, 1), called partial correlations, from which a root of the correlation matrix
follows; under a prior LKJ(eta) they are independent, ``(1 + partial) / 2 ~ Beta(a, b)``. For families of one number the
prior is the LKJ density on the matrices of that family, proportional to ``|R|^(eta - 1)``; LKJ(1) is uniform in rho.

Families of few numbers also have a root that is smooth in unbounded coordinates, angles, and reaches the ends of the
range, where matrices are singular, as a search without bounds needs it. Correlations by lag are in
`toeplitz_correlation`; those that go by distance, in `distance_correlation`, have positive numbers with priors of their
own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.partial_correlations import beta_parameters, build_cholesky, to_partial


@dataclass(frozen=True, slots=True)
class Correlation(ABC):
    """A family of ``(k, k)`` correlation matrices."""

    k: int
    words: ClassVar[str]  # of the effects, in the model's text
    has_lkj: ClassVar[bool] = True  # one prior of all its numbers; otherwise each has its own
    fades: ClassVar[bool] = False  # with distance: what tells three effects or more of single rows from noise

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of partial correlations."""

    @abstractmethod
    def rows(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        """Rows of a root of the matrix, trailing zeros left out, from partials that support arithmetic."""

    @abstractmethod
    def beta(self, eta: float) -> tuple[Array, Array]:
        """Parameters ``a, b (size,)`` of the Beta distributions of ``(1 + partial) / 2`` under LKJ(eta)."""

    @abstractmethod
    def numbers(self, matrix: Array) -> Array:
        """Free entries ``(..., size or pairs)`` of matrices of the family ``(..., k, k)``, as reported to users."""

    @abstractmethod
    def matrix(self, numbers: Array) -> Array:
        """Matrices of the family from their free entries, the inverse of `numbers`."""

    @abstractmethod
    def partial(self, matrix: Array) -> Array:
        """Partial correlations ``(..., size)`` of positive definite matrices; nearest ones where not of the family."""

    def reported(self, partial: Array) -> Array:
        """Numbers ``(..., size)`` as reported to users, from partial correlations."""
        root = self.root(partial)
        return self.numbers(root @ np.swapaxes(root, -1, -2))

    def partial_of(self, numbers: Array) -> Array:
        """The inverse of `reported`."""
        return self.partial(self.matrix(numbers))

    def entries(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        """Rows of the matrix itself on and below the diagonal, from partials that support arithmetic."""
        rows = self.rows(partial, sqrt=sqrt, one=one)
        return [
            [sum(a * b for a, b in zip(rows[i], rows[j], strict=False)) if j < i else one for j in range(i + 1)]
            for i in range(self.k)
        ]

    def root(self, partial: Array) -> Array:
        """A root ``(..., k, k)`` of the matrix from its free numbers ``(..., size)``."""
        root = np.zeros((*partial.shape[:-1], self.k, self.k))
        rows = self.rows(np.moveaxis(partial, -1, 0), sqrt=np.sqrt, one=np.ones(partial.shape[:-1]))
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                root[..., i, j] = value
        return root

    def inward(self, matrix: Array, share: float) -> Array:
        """A matrix moved off the boundary by a share of the identity; one that is not defined is the identity."""
        return (1.0 - share) * np.where(np.isnan(matrix), 0.0, matrix) + share * np.eye(self.k)

    def from_line(self, x: Array) -> Array:
        """Free numbers from unbounded ones, elementwise: Fisher's transformation."""
        return np.tanh(x)

    def to_line(self, free: Array) -> Array:
        """Unbounded numbers of free ones, the inverse of `from_line`."""
        return np.arctanh(free)

    def log_slope(self, free: Array) -> Array:
        """Log derivative ``(...,)`` of all free numbers ``(..., size)`` by the unbounded ones."""
        return np.asarray(np.log1p(-(free**2)).sum(axis=-1))

    def log_volume(self, free: Array) -> Array:
        """Log derivative ``(...,)`` of the reported numbers by the free ones."""
        raise NotImplementedError  # of free matrices, whose density has a form of its own


@dataclass(frozen=True, slots=True)
class Free(Correlation):
    """Every correlation matrix; partial correlations of the C-vine."""

    words: ClassVar[str] = "correlated"

    @property
    @override
    def size(self) -> int:
        return self.k * (self.k - 1) // 2

    @override
    def rows(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        return build_cholesky(partial, self.k, sqrt=sqrt, one=one)

    @override
    def beta(self, eta: float) -> tuple[Array, Array]:
        a = beta_parameters(self.k, eta)
        return a, a

    @override
    def numbers(self, matrix: Array) -> Array:
        column, row = np.triu_indices(self.k, 1)  # below the diagonal, column by column
        return matrix[..., row, column]

    @override
    def matrix(self, numbers: Array) -> Array:
        matrix = np.broadcast_to(np.eye(self.k), (*numbers.shape[:-1], self.k, self.k)).copy()
        column, row = np.triu_indices(self.k, 1)
        matrix[..., row, column] = matrix[..., column, row] = numbers
        return matrix

    @override
    def partial(self, matrix: Array) -> Array:
        return to_partial(np.linalg.cholesky(matrix))


@dataclass(frozen=True, slots=True)
class Independent(Correlation):
    """The identity."""

    words: ClassVar[str] = "independent"

    @property
    @override
    def size(self) -> int:
        return 0

    @override
    def rows(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        return [[*[0.0 * one] * i, one] for i in range(self.k)]

    @override
    def beta(self, eta: float) -> tuple[Array, Array]:
        return np.zeros(0), np.zeros(0)

    @override
    def numbers(self, matrix: Array) -> Array:
        return np.zeros((*matrix.shape[:-2], 0))

    @override
    def matrix(self, numbers: Array) -> Array:
        return np.broadcast_to(np.eye(self.k), (*numbers.shape[:-1], self.k, self.k))

    @override
    def partial(self, matrix: Array) -> Array:
        return self.numbers(matrix)


@dataclass(frozen=True, slots=True)
class Parametric(Correlation):
    """Families of few numbers, with a root that is smooth in as many coordinates without bounds."""

    @abstractmethod
    def turned(self, coordinates: Array) -> tuple[Array, Array]:
        """Root ``(..., k, k)`` at coordinates ``(..., size)``, and its derivatives ``(..., size, k, k)``."""

    @abstractmethod
    def coordinates(self, numbers: Array) -> Array:
        """Coordinates ``(..., size)`` at which `turned` is a root of the matrix of the numbers."""

    @abstractmethod
    def settled(self, coordinates: Array, tolerance: float) -> tuple[Array, Array]:
        """Put what is within ``tolerance`` of an end of its range exactly there; and say at which points ``(...,)``."""


@dataclass(frozen=True, slots=True)
class OneNumber(Parametric):
    """Families of a single number rho."""

    @property
    @override
    def size(self) -> int:
        return 1

    @property
    @abstractmethod
    def lowest(self) -> float:
        """Lower end of the range of rho; the upper one is 1."""

    @abstractmethod
    def at_angle(self, angle: Array) -> tuple[Array, Array]:
        """Root ``(..., k, k)`` at an angle ``(...)``, and its derivative."""

    @abstractmethod
    def angle(self, rho: Array) -> Array:
        """Angle at which `at_angle` gives a root of the matrix of rho."""

    @abstractmethod
    def edges(self, angle: Array) -> Array:
        """Distances ``(..., ends)`` from the ends of the range: small singular values of the root, up to a factor."""

    @override
    def turned(self, coordinates: Array) -> tuple[Array, Array]:
        root, slope = self.at_angle(coordinates[..., 0])
        return root, slope[..., None, :, :]

    @override
    def coordinates(self, numbers: Array) -> Array:
        return self.angle(numbers)

    @override
    def settled(self, coordinates: Array, tolerance: float) -> tuple[Array, Array]:
        angle = coordinates[..., 0]
        at_end = (self.edges(angle) < tolerance).any(axis=-1)
        return np.where(at_end, 0.5 * np.pi * np.round(2.0 * angle / np.pi), angle)[..., None], at_end

    @override
    def log_volume(self, free: Array) -> Array:
        return np.full(free.shape[:-1], math.log(0.5 * (1.0 - self.lowest)))

    def rho(self, partial: Any) -> Any:
        """Correlation from the number in (-1, 1)."""
        return self.lowest + 0.5 * (1.0 - self.lowest) * (1.0 + partial)

    @override
    def matrix(self, numbers: Array) -> Array:
        root, _ = self.at_angle(self.angle(numbers[..., 0]))
        return root @ np.swapaxes(root, -1, -2)

    @override
    def numbers(self, matrix: Array) -> Array:
        neighbours = np.stack([matrix[..., i + 1, i] for i in range(self.k - 1)], axis=-1)
        defined = ~np.isnan(neighbours)  # no correlation where a standard deviation is zero
        with np.errstate(invalid="ignore"):
            mean = np.sum(np.where(defined, neighbours, 0.0), axis=-1) / np.sum(defined, axis=-1)
        return np.clip(mean, self.lowest, 1.0)[..., None]

    @override
    def partial(self, matrix: Array) -> Array:
        return 2.0 * (self.numbers(matrix) - self.lowest) / (1.0 - self.lowest) - 1.0


@dataclass(frozen=True, slots=True)
class Exchangeable(OneNumber):
    """Compound symmetry: every correlation is rho, in ``(-1 / (k - 1), 1)``.

    ``R`` has the eigenvalue ``1 + (k - 1) rho`` on the vector of ones and ``1 - rho`` on what is orthogonal to it; the
    roots ``b`` and ``a`` of these lie on the ellipse ``(k - 1) a^2 + b^2 = k``.
    """

    words: ClassVar[str] = "equally correlated"

    @property
    @override
    def lowest(self) -> float:
        return -1.0 / (self.k - 1)

    def _root(self, a: Any, b: Any) -> list[list[Any]]:
        off = (b - a) / self.k
        return [[off + a if i == j else off for j in range(self.k)] for i in range(self.k)]

    @override
    def rows(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        rho = self.rho(partial[0])
        return self._root(sqrt(1.0 - rho), sqrt(1.0 + (self.k - 1) * rho))

    @override
    def beta(self, eta: float) -> tuple[Array, Array]:
        # |R| = (1 + (k - 1) rho) (1 - rho)^(k - 1)
        return np.array([eta]), np.array([(self.k - 1) * (eta - 1.0) + 1.0])

    @override
    def at_angle(self, angle: Array) -> tuple[Array, Array]:
        long, short = np.sqrt(self.k / (self.k - 1)), np.sqrt(self.k)
        sine, cosine = np.sin(angle), np.cos(angle)
        pairs = (long * cosine, short * sine), (-long * sine, short * cosine)
        root, slope = (np.moveaxis(np.array(self._root(a, b)), (0, 1), (-2, -1)) for a, b in pairs)
        return root, slope

    @override
    def angle(self, rho: Array) -> Array:
        a, b = np.maximum(1.0 - rho, 0.0) * (self.k - 1), np.maximum(1.0 + (self.k - 1) * rho, 0.0)
        return np.arctan2(np.sqrt(b), np.sqrt(a))

    @override
    def edges(self, angle: Array) -> Array:
        return np.abs(np.stack([np.sin(angle), np.cos(angle)], axis=-1))


@dataclass(frozen=True, slots=True)
class Autoregressive(OneNumber):
    """First-order autoregression: the correlation of effects i and j is ``rho^|i - j|``, rho in ``(-1, 1)``."""

    words: ClassVar[str] = "autoregressive"
    fades: ClassVar[bool] = True

    @property
    @override
    def lowest(self) -> float:
        return -1.0

    def _root(self, rho: Any, left: Any, one: Any) -> list[list[Any]]:
        powers = [one]
        for _ in range(self.k - 1):
            powers.append(powers[-1] * rho)
        return [[powers[i], *(powers[i - j] * left for j in range(1, i + 1))] for i in range(self.k)]

    @override
    def rows(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        rho = self.rho(partial[0])
        return self._root(rho, sqrt(1.0 - rho**2), one)

    @override
    def beta(self, eta: float) -> tuple[Array, Array]:
        a = np.array([(self.k - 1) * (eta - 1.0) + 1.0])  # |R| = (1 - rho^2)^(k - 1)
        return a, a

    @override
    def at_angle(self, angle: Array) -> tuple[Array, Array]:
        sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
        row, column = np.indices((self.k, self.k))
        lag, lower, first = np.maximum(row - column, 0), row >= column, column == 0
        power = sine**lag
        by_power = np.where(lag > 0, lag * sine ** np.maximum(lag - 1, 0), 0.0) * cosine
        root = np.where(lower, np.where(first, power, power * cosine), 0.0)
        slope = np.where(lower, np.where(first, by_power, by_power * cosine - power * sine), 0.0)
        return root, slope

    @override
    def angle(self, rho: Array) -> Array:
        return np.arcsin(np.clip(rho, -1.0, 1.0))

    @override
    def edges(self, angle: Array) -> Array:
        return np.abs(np.cos(angle))[..., None]
