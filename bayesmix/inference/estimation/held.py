"""Roots of the covariance matrix of one term with one of its parameters held, smooth up to the boundary.

A profile holds a standard deviation or a correlation and moves the rest. The free numbers here are unbounded and reach
singular matrices, like those of the estimates; the held parameter may be at the end of its range, too. All roots are
relative factors in computational coordinates, not triangular in general: likelihoods depend on ``Lambda Lambda'`` only.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import combinations
from typing import override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.correlation import OneNumber
from bayesmix.inference.parameters.covariance import Scaled, Structure, lower, sd_and_corr
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers
from bayesmix.inference.parameters.toeplitz_correlation import Toeplitz


@dataclass(frozen=True, slots=True, eq=False)
class Root(ABC):
    """A root of the covariance matrix, from free numbers ``(size,)`` and the held number."""

    structure: Structure
    C: Array  # (k, k), b = C b~

    @property
    def size(self) -> int:
        """Number of free numbers."""
        return self.structure.size - 1

    @abstractmethod
    def factor(self, free: Array, held: float) -> Array:
        """Relative factor ``(k, k)``."""

    @abstractmethod
    def pull(self, free: Array, held: float, by_factor: Array) -> tuple[Array, float]:
        """Derivatives by the free numbers and the held one from those by the factor's entries."""

    @abstractmethod
    def free(self, factor: Array) -> Array:
        """Free numbers of a relative factor."""


@dataclass(frozen=True, slots=True, eq=False)
class Unheld(Root):
    """All parameters free."""

    @property
    @override
    def size(self) -> int:
        return self.structure.size

    @override
    def factor(self, free: Array, held: float) -> Array:
        return self.structure.factor(free)

    @override
    def pull(self, free: Array, held: float, by_factor: Array) -> tuple[Array, float]:
        return self.structure.gradient(free, by_factor), 0.0

    @override
    def free(self, factor: Array) -> Array:
        return self.structure.theta(triangular(factor))


@dataclass(frozen=True, slots=True, eq=False)
class _Rows(Root):
    """Unstructured covariances: a lower triangular root in user's units, the effects that are held first."""

    order: tuple[int, ...]

    @property
    def units(self) -> Array:
        """Sizes of the rows ``(k,)``, in order: standard deviations in user's units of spherical effects."""
        return np.asarray(np.linalg.norm(self.C, axis=1)[list(self.order)])

    def _to_factor(self, rows: Array) -> Array:
        return np.asarray(np.linalg.solve(self.C, rows[np.argsort(self.order)]))

    def _by_rows(self, by_factor: Array) -> Array:
        return np.asarray(np.linalg.solve(self.C.T, by_factor)[list(self.order)])

    def _rows(self, factor: Array) -> Array:
        return lower((self.C @ factor)[list(self.order)])

    def _below(self, first: int) -> tuple[Array, Array]:
        """Row and column of the entries of the lower triangle from a row on."""
        row, column = np.tril_indices(self.structure.k)
        return row[row >= first], column[row >= first]


@dataclass(frozen=True, slots=True, eq=False)
class RowsWithSd(_Rows):
    """The first effect's relative standard deviation, in user's units, is held: it is the first row."""

    @override
    def factor(self, free: Array, held: float) -> Array:
        row, column = self._below(1)
        rows = np.zeros((self.structure.k, self.structure.k))
        rows[row, column] = free * self.units[row]
        rows[0, 0] = held
        return self._to_factor(rows)

    @override
    def pull(self, free: Array, held: float, by_factor: Array) -> tuple[Array, float]:
        row, column = self._below(1)
        by_rows = self._by_rows(by_factor)
        return by_rows[row, column] * self.units[row], float(by_rows[0, 0])

    @override
    def free(self, factor: Array) -> Array:
        row, column = self._below(1)
        return self._rows(factor)[row, column] / self.units[row]


@dataclass(frozen=True, slots=True, eq=False)
class RowsWithAngle(_Rows):
    """The first two effects' correlation is held by its angle, ``rho = sin(angle)``.

    Their rows are ``s^2 (1, 0)`` and ``t^2 (sin, cos)``: squares, since signs would turn the correlation.
    """

    @override
    def factor(self, free: Array, held: float) -> Array:
        row, column = self._below(2)
        rows = np.zeros((self.structure.k, self.structure.k))
        rows[row, column] = free[2:] * self.units[row]
        (s, t), (a, b) = free[:2] ** 2, self.units[:2]
        rows[0, 0], rows[1, 0], rows[1, 1] = s * a, t * b * np.sin(held), t * b * np.cos(held)
        return self._to_factor(rows)

    @override
    def pull(self, free: Array, held: float, by_factor: Array) -> tuple[Array, float]:
        row, column = self._below(2)
        by_rows = self._by_rows(by_factor)
        (a, b), (sine, cosine) = self.units[:2], (np.sin(held), np.cos(held))
        along = by_rows[1, 0] * sine + by_rows[1, 1] * cosine
        sizes = 2.0 * free[:2] * np.array([a * by_rows[0, 0], b * along])
        across = free[1] ** 2 * b * (by_rows[1, 0] * cosine - by_rows[1, 1] * sine)
        return np.concatenate([sizes, by_rows[row, column] * self.units[row]]), float(across)

    @override
    def free(self, factor: Array) -> Array:
        row, column = self._below(2)
        rows = self._rows(factor)
        sizes = np.sqrt(np.linalg.norm(rows[:2], axis=1) / self.units[:2])
        return np.concatenate([sizes, rows[row, column] / self.units[row]])


@dataclass(frozen=True, slots=True, eq=False)
class ScaledWithSd(Root):
    """Standard deviations times correlations of one number or none: an effect's relative standard deviation is held."""

    structure: Scaled
    effect: int

    def _theta(self, free: Array, held: float) -> Array:
        return np.insert(free, self.effect, self.structure.sizes(np.array(held / self.C[self.effect, self.effect])))

    @override
    def factor(self, free: Array, held: float) -> Array:
        return self.structure.factor(self._theta(free, held))

    @override
    def pull(self, free: Array, held: float, by_factor: Array) -> tuple[Array, float]:
        theta = self._theta(free, held)
        by_sd = self.structure.by_sd(theta, by_factor)[self.effect] / self.C[self.effect, self.effect]
        return np.delete(self.structure.gradient(theta, by_factor), self.effect), float(by_sd)

    @override
    def free(self, factor: Array) -> Array:
        return np.delete(self.structure.theta(triangular(factor)), self.effect)


@dataclass(frozen=True, slots=True, eq=False)
class ScaledWithNumber(Root):
    """The coordinate of one of the numbers that all correlations follow from is held: an angle, a logarithm."""

    structure: Scaled
    number: int

    def _theta(self, free: Array, held: float) -> Array:
        return np.insert(free, self.structure.n_sd + self.number, held)

    @override
    def factor(self, free: Array, held: float) -> Array:
        return self.structure.factor(self._theta(free, held))

    @override
    def pull(self, free: Array, held: float, by_factor: Array) -> tuple[Array, float]:
        gradient, place = self.structure.gradient(self._theta(free, held), by_factor), self.structure.n_sd + self.number
        return np.delete(gradient, place), float(gradient[place])

    @override
    def free(self, factor: Array) -> Array:
        return np.delete(self.structure.theta(triangular(factor)), self.structure.n_sd + self.number)


def held_sd(structure: Structure, C: Array, effect: int) -> Root:
    """The root that holds the standard deviation of an effect."""
    if isinstance(structure, Scaled):
        return ScaledWithSd(structure, C, effect)
    return RowsWithSd(structure, C, (effect, *(e for e in range(structure.k) if e != effect)))


def held_number(structure: Structure, C: Array, number: int) -> Root:
    """The root that holds one of the numbers that correlations follow from: that of two effects, or one that rules all.

    Raises
    ------
    SpecError
        Of correlations by lag beyond the first, which no coordinate has for itself.
    """
    match structure:
        case Scaled(correlation=Toeplitz()) if number > 0:
            raise SpecError(
                f"The correlation of lag {number + 1} has no profile: its range depends on those of shorter lags. Use"
                ' confint(method="bootstrap"), or sample: model.sample().'
            )
        case Scaled():
            return ScaledWithNumber(structure, C, number)
        case _:
            pair = list(combinations(range(structure.k), 2))[number]
            return RowsWithAngle(structure, C, (*pair, *(e for e in range(structure.k) if e not in pair)))


def coordinate_of(structure: Structure, number: int, value: float) -> float:
    """The coordinate that `held_number` holds, of a correlation or another number."""
    match structure.correlation:
        case PositiveNumbers(ends=(low, _)):
            return math.log(value / float(low[number])) if value > 0.0 else -math.inf
        case OneNumber() as one:
            return float(one.angle(np.asarray(value)))
        case _:
            return float(np.arcsin(value))


def number_of(structure: Structure, number: int, coordinate: float) -> float:
    """The number at a coordinate, the inverse of `coordinate_of`."""
    match structure.correlation:
        case PositiveNumbers(ends=(low, _)):
            return float(low[number] * math.exp(coordinate))
        case OneNumber() as one:
            root, _ = one.at_angle(np.asarray(coordinate))
            return float(one.numbers(sd_and_corr(root @ root.T)[1])[0])
        case _:
            return float(np.sin(coordinate))


def triangular(factor: Array) -> Array:
    """A lower triangular root of the same matrix; the structures' free numbers are read off it."""
    return factor if np.array_equal(factor, np.tril(factor)) else lower(factor)
