"""Families of matrices that follow from positive numbers with priors of their own: ranges, smoothness, length scales.

The numbers are free on a logarithm. Where they are beyond what the data can tell, matrices are those at the end of what
these tell.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.correlation import Parametric

USUAL = 0.4, 1.5  # smoothness that a search starts from


@dataclass(frozen=True, slots=True)
class PositiveNumbers(Parametric):
    """A length, and what else a family has beside it."""

    has_lkj: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]]  # names of its numbers

    @property
    @abstractmethod
    def ends(self) -> tuple[Array, Array]:
        """Numbers ``(size,)`` beyond which matrices no longer change."""

    @property
    @abstractmethod
    def lengths(self) -> tuple[float, ...]:
        """Lengths that searches start from, the second to the last but one what data tell of most."""

    @property
    @abstractmethod
    def settled_length(self) -> float:
        """A length that is put at its lowest end."""

    @abstractmethod
    def by_logarithms(self, numbers: Array) -> Array:
        """Derivatives ``(..., size, k, k)`` of matrices by the logarithms of their numbers."""

    @abstractmethod
    def root_slopes(self, numbers: Array) -> tuple[Array, Array]:
        """A root ``(..., k, k)``, and its derivatives ``(..., size, k, k)`` by the logarithms of the numbers."""

    @property
    def middle(self) -> Array:
        """Numbers ``(size,)`` that stand for what is not defined, where a standard deviation is zero."""
        return np.array([self.lengths[1], 1.0][: self.size])

    def spread(self, coordinates: Array) -> Array:
        """Root mean square ``(...)`` of the sds of effects of one: ones, unless these have variances."""
        return np.ones(coordinates.shape[:-1])

    @property
    @override
    def size(self) -> int:
        return len(self.kinds)

    def kept(self, numbers: Array) -> Array:
        """Numbers within `ends`."""
        low, high = self.ends
        return np.clip(numbers, low, high)

    # ---- free numbers: these themselves

    @override
    def from_line(self, x: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(x)

    @override
    def to_line(self, free: Array) -> Array:
        return np.log(free)

    @override
    def log_slope(self, free: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(free).sum(axis=-1))

    @override
    def log_volume(self, free: Array) -> Array:
        return np.zeros(free.shape[:-1])

    @override
    def beta(self, eta: float) -> tuple[Array, Array]:
        raise TypeError("numbers with priors of their own have no LKJ prior")

    @override
    def partial(self, matrix: Array) -> Array:
        return self.numbers(matrix)

    # ---- search, by logarithms of the shares of their lowest values: above zero, since signs do not count there

    @override
    def turned(self, coordinates: Array) -> tuple[Array, Array]:
        low, high = self.ends
        numbers = low * self.from_line(coordinates)
        is_moving = (numbers > low) & (numbers < high)
        root, slopes = self.root_slopes(self.kept(numbers))
        return root, slopes * is_moving[..., None, None]

    @override
    def coordinates(self, numbers: Array) -> Array:
        return np.log(self.kept(numbers) / self.ends[0])

    @override
    def settled(self, coordinates: Array, tolerance: float) -> tuple[Array, Array]:
        low, high = self.ends
        lowest, highest = np.log(self.settled_length / low[0]), np.log(high[0] / low[0])
        y, found = coordinates[..., 0], coordinates.copy()
        found[..., 0] = np.where(y < lowest, 0.0, np.minimum(y, highest))
        return found, (y < lowest) | (y >= highest)

    def with_range(self, coordinates: Array, length: float) -> Array:
        """Coordinates with another length, and nothing else far from the usual."""
        return self._clipped(coordinates, length, length)

    def inside(self, coordinates: Array) -> Array:
        """Coordinates where a search may start: with the length within what the data tell of."""
        return self._clipped(coordinates, self.lengths[1], self.lengths[-2])

    def _clipped(self, coordinates: Array, shortest: float, longest: float) -> Array:
        low, high = (np.array([end, usual][: self.size]) for end, usual in zip((shortest, longest), USUAL, strict=True))
        return np.clip(coordinates, np.log(low / self.ends[0]), np.log(high / self.ends[0]))
