"""Covariance of the effects of one level: free numbers theta, relative factor Lambda, SDs and correlations."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import override

import numpy as np

from bayesmix.arrays import Array, upper_triangle
from bayesmix.data.design.term import Term
from bayesmix.inference.parameters.correlation import (
    Autoregressive,
    Correlation,
    Exchangeable,
    Free,
    Independent,
    Parametric,
)
from bayesmix.inference.parameters.distance_correlation import ByDistance, Exponential, Gaussian, Matern
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers
from bayesmix.inference.parameters.spectral_covariance import KERNELS, Spectral
from bayesmix.inference.parameters.toeplitz_correlation import Toeplitz

WEAK = 0.5  # least size of effects in a row, relative to noise, that searches at other ranges start from


@dataclass(frozen=True, slots=True)
class Structure(ABC):
    """Which covariance matrices the effects of one level may have, and the free numbers an optimiser moves.

    The numbers are unbounded, the factor is smooth in them, and singular matrices are among the points it reaches.
    """

    correlation: Correlation
    is_homogeneous: bool = False  # one standard deviation for all effects

    @property
    def k(self) -> int:
        """Number of effects."""
        return self.correlation.k

    @property
    def n_sd(self) -> int:
        """Number of standard deviations that are parameters."""
        return 1 if self.is_homogeneous else self.k

    @property
    def size(self) -> int:
        """Number of free numbers."""
        return self.n_sd + self.correlation.size

    @property
    def is_invariant(self) -> bool:
        """Whether the structure survives any change of the effects' columns, not only of their units."""
        return isinstance(self.correlation, Free)

    @property
    def is_proportional(self) -> bool:
        """Whether the factor grows in proportion with the free numbers."""
        return not isinstance(self.correlation, Parametric)

    @property
    def has_few_correlations(self) -> bool:
        """Whether the correlations are functions of fewer numbers, of any sign."""
        return isinstance(self.correlation, Parametric) and not isinstance(self.correlation, PositiveNumbers)

    def inside(self, theta: Array) -> Array:
        """Free numbers ``(..., size)`` from which a search may start: ranges within the distances of the data."""
        if not isinstance(self.correlation, PositiveNumbers):
            return theta
        return self._with_numbers(theta, self.correlation.inside(theta[..., self.n_sd :]))

    def with_other_ranges(self, theta: Array) -> Iterator[Array]:
        """Free numbers ``(size,)`` with correlations that fade over a shorter or a longer range."""
        if isinstance(self.correlation, PositiveNumbers):
            least = WEAK / (math.sqrt(self.k) * self.correlation.spread(theta[self.n_sd :]))
            if np.abs(theta[: self.n_sd]).max() < least:  # where the numbers say little
                theta = np.append(np.full(self.n_sd, least), theta[self.n_sd :])
            for length in self.correlation.lengths:
                yield self._with_numbers(theta, self.correlation.with_range(theta[self.n_sd :], length))

    def _with_numbers(self, theta: Array, rest: Array) -> Array:
        """Free numbers with others in place of those of the correlations, and as much variance in all."""
        assert isinstance(self.correlation, PositiveNumbers)
        old, new = (self.correlation.spread(own) for own in (theta[..., self.n_sd :], rest))
        return np.concatenate([theta[..., : self.n_sd] * (old / new)[..., None], rest], axis=-1)

    def parts(self, covariance: Array) -> tuple[Array, Array]:
        """Standard deviations ``(..., k)`` that are parameters, and what beside them makes a covariance matrix.

        Correlations, but for Gaussian processes, whose effects have variances by their frequencies; those that are not
        defined, where a standard deviation is zero, are NaN.
        """
        if isinstance(self.correlation, Spectral):
            return self.correlation.parts(covariance)
        return sd_and_corr(covariance)

    def padded(self, covariance: Array, sizes: Array) -> Array:
        """A covariance matrix ``(k, k)`` with variances of effects of these sizes ``(k,)`` added: off the boundary."""
        if isinstance(self.correlation, Spectral):
            return self.correlation.padded(covariance, sizes)
        return np.asarray(covariance + np.diag(sizes**2))

    @property
    def turning(self) -> list[list[int]]:
        """Places of free numbers that may change their signs together: the covariance matrix stays as it is."""
        return [[i] for i in range(self.n_sd)]

    @abstractmethod
    def factor(self, theta: Array) -> Array:
        """Relative factors ``(..., k, k)`` at ``theta (..., size)``."""

    @abstractmethod
    def theta(self, factor: Array) -> Array:
        """Free numbers ``(..., size)`` of a root of a matrix of the structure; of its nearest kin for others."""

    @abstractmethod
    def gradient(self, theta: Array, by_factor: Array) -> Array:
        """Derivatives ``(..., size)`` of functions by theta from those by the entries of the factor ``(..., k, k)``."""

    @abstractmethod
    def settled(self, theta: Array, tolerance: float) -> tuple[Array, Array]:
        """Put what is within ``tolerance`` of the boundary exactly there; and say at which points ``(...,)``."""


@dataclass(frozen=True, slots=True)
class Unstructured(Structure):
    """All of the lower triangle of the factor, column by column, as lme4 orders theta."""

    @property
    @override
    def turning(self) -> list[list[int]]:
        column, _ = upper_triangle(self.k)
        return [np.flatnonzero(column == j).tolist() for j in range(self.k)]

    @override
    def factor(self, theta: Array) -> Array:
        factor = np.zeros((*theta.shape[:-1], self.k, self.k))
        column, row = upper_triangle(self.k)
        factor[..., row, column] = theta
        return factor

    @override
    def theta(self, factor: Array) -> Array:
        column, row = upper_triangle(self.k)
        return factor[..., row, column]

    @override
    def gradient(self, theta: Array, by_factor: Array) -> Array:
        return self.theta(by_factor)

    @override
    def settled(self, theta: Array, tolerance: float) -> tuple[Array, Array]:
        left, sizes, right = np.linalg.svd(self.factor(theta))
        small = sizes < tolerance * np.maximum(1.0, sizes.max(axis=-1, keepdims=True))
        moved = small.any(axis=-1)
        if not moved.any():
            return theta, moved
        settled = self.theta(lower((left * np.where(small, 0.0, sizes)[..., None, :]) @ right))
        return np.where(moved[..., None], settled, theta), moved


@dataclass(frozen=True, slots=True)
class Scaled(Structure):
    """Standard deviations times a root of the correlation matrix: ``theta = (sizes, coordinates of the correlations)``.

    Where only their squares matter, sizes are standard deviations of any sign; beside correlations, whose sign they
    would turn, they are the roots of standard deviations.
    """

    def _sd(self, theta: Array) -> tuple[Array, Array]:
        """Standard deviations ``(..., n_sd)`` and their derivatives by the sizes."""
        sizes = theta[..., : self.n_sd]
        signed = self.is_homogeneous or not self.correlation.size
        return (sizes, np.ones_like(sizes)) if signed else (sizes**2, 2.0 * sizes)

    def sizes(self, sd: Array) -> Array:
        """Sizes ``(..., n_sd)`` of standard deviations, none of them negative."""
        return sd if self.is_homogeneous or not self.correlation.size else np.sqrt(sd)

    def _root(self, theta: Array) -> tuple[Array, Array]:
        """Root of the correlation matrix ``(..., k, k)`` and its derivatives by its coordinates ``(..., m, k, k)``."""
        if isinstance(self.correlation, Parametric):
            return self.correlation.turned(theta[..., self.n_sd :])
        return np.eye(self.k), np.zeros((0, self.k, self.k))

    @override
    def factor(self, theta: Array) -> Array:
        return self._sd(theta)[0][..., None] * self._root(theta)[0]

    @override
    def theta(self, factor: Array) -> Array:
        sd, corr = self.parts(factor @ np.swapaxes(factor, -1, -2))
        if self.is_homogeneous:
            sd = np.sqrt(np.mean(sd**2, axis=-1, keepdims=True))
        if not isinstance(self.correlation, Parametric):
            return sd
        numbers = np.nan_to_num(self.correlation.numbers(corr))
        return np.concatenate([self.sizes(sd), self.correlation.coordinates(numbers)], axis=-1)

    @override
    def gradient(self, theta: Array, by_factor: Array) -> Array:
        (sd, by_size), (_, slopes) = self._sd(theta), self._root(theta)
        sizes = by_size * self.by_sd(theta, by_factor)
        if not self.correlation.size:
            return sizes
        rest = np.sum((by_factor * sd[..., None])[..., None, :, :] * slopes, axis=(-1, -2))
        return np.concatenate([sizes, rest], axis=-1)

    def by_sd(self, theta: Array, by_factor: Array) -> Array:
        """Derivatives ``(..., n_sd)`` by the standard deviations, which sizes may be roots of."""
        by_sd = np.sum(by_factor * self._root(theta)[0], axis=-1)
        return by_sd.sum(axis=-1, keepdims=True) if self.is_homogeneous else by_sd

    @override
    def settled(self, theta: Array, tolerance: float) -> tuple[Array, Array]:
        size = np.abs(self._sd(theta)[0])
        vanishing = np.zeros(theta.shape, bool)
        vanishing[..., : self.n_sd] = size < tolerance * np.maximum(1.0, size.max(axis=-1, keepdims=True))
        settled, moved = np.where(vanishing, 0.0, theta), vanishing.any(axis=-1)
        if not isinstance(self.correlation, Parametric):
            return settled, moved
        settled[..., self.n_sd :], at_end = self.correlation.settled(theta[..., self.n_sd :], tolerance)
        return settled, moved | at_end


def structure_of(term: Term) -> Structure:
    """The covariance structure of a term."""
    k = len(term.effects)
    if k == 1:
        return Scaled(Independent(1))
    if term.spectrum is not None:
        return Scaled(KERNELS[term.spectrum.kernel](k, term.spectrum), True)
    if term.structure == "us":
        return Unstructured(Free(k))
    if term.structure in _DECAYS:
        return Scaled(_DECAYS[term.structure](k, term.positions), True)
    if term.structure in _FAMILIES:
        family, is_homogeneous = _FAMILIES[term.structure]
        return Scaled(family(k), is_homogeneous)
    raise ValueError(f"unknown covariance structure {term.structure!r}")


_DECAYS: dict[str, type[ByDistance]] = {"ou": Exponential, "exp": Exponential, "gau": Gaussian, "mat": Matern}
_FAMILIES: dict[str, tuple[type[Correlation], bool]] = {
    "diag": (Independent, False),
    "homdiag": (Independent, True),
    "cs": (Exchangeable, False),
    "homcs": (Exchangeable, True),
    "ar1": (Autoregressive, True),
    "hetar1": (Autoregressive, False),
    "toep": (Toeplitz, False),
    "homtoep": (Toeplitz, True),
}


def turning_places(structures: Sequence[Structure]) -> list[list[int]]:
    """Free numbers of all terms that may change their signs together and stay the same covariance matrix.

    Those of a column of an unstructured factor, and each size of others; a correlation has the sign it has.
    """
    offsets = accumulate((structure.size for structure in structures), initial=0)
    return [[start + i for i in own] for s, start in zip(structures, offsets, strict=False) for own in s.turning]


def split(structures: Sequence[Structure], theta: Array) -> list[Array]:
    """Slice ``theta (..., size)`` by term."""
    bounds = accumulate((structure.size for structure in structures), initial=0)
    return [theta[..., low:high] for low, high in pairwise(bounds)]


def to_factor(structures: Sequence[Structure], theta: Array) -> list[Array]:
    """Relative factors ``(..., k, k)`` of all terms from ``theta (..., size)``."""
    return [structure.factor(own) for structure, own in zip(structures, split(structures, theta), strict=True)]


def from_factor(structures: Sequence[Structure], factors: Sequence[Array]) -> Array:
    """Free numbers ``(..., size)`` of factors, the inverse of `to_factor`."""
    parts = [structure.theta(factor) for structure, factor in zip(structures, factors, strict=True)]
    return np.concatenate(parts, axis=-1) if parts else np.zeros(0)


def inside(structures: Sequence[Structure], theta: Array) -> Array:
    """Free numbers ``(..., size)`` of all terms from which a search may start."""
    parts = [structure.inside(own) for structure, own in zip(structures, split(structures, theta), strict=True)]
    return np.concatenate(parts, axis=-1) if parts else theta


def lower(factor: Array) -> Array:
    """Lower-triangular factors of ``factor factor'``, exact where the rank is deficient: ``(..., k, k)``."""
    lower = np.swapaxes(np.linalg.qr(np.swapaxes(factor, -1, -2), mode="r"), -1, -2)
    signs = np.where(np.diagonal(lower, axis1=-2, axis2=-1) < 0.0, -1.0, 1.0)
    return np.asarray(lower * signs[..., None, :])


def side_by_side(factors: Sequence[Array]) -> Array:
    """Block-diagonal factor of several independent terms of one grouping factor."""
    k = sum(factor.shape[-1] for factor in factors)
    lead = np.broadcast_shapes(*(factor.shape[:-2] for factor in factors))
    whole = np.zeros((*lead, k, k))
    offset = 0
    for factor in factors:
        end = offset + factor.shape[-1]
        whole[..., offset:end, offset:end] = factor
        offset = end
    return whole


def sd_and_corr(covariance: Array) -> tuple[Array, Array]:
    """Standard deviations ``(..., k)`` and correlations ``(..., k, k)``; NaN correlations where an SD is zero."""
    sd = np.sqrt(np.maximum(np.diagonal(covariance, axis1=-2, axis2=-1), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        corr = covariance / (sd[..., :, None] * sd[..., None, :])
    corr = np.clip(corr, -1.0, 1.0)
    index = np.arange(sd.shape[-1])
    corr[..., index, index] = 1.0
    return sd, corr


def cholesky_psd(covariance: Array) -> Array:
    """Lower-triangular factors with non-negative diagonal of positive semi-definite matrices ``(..., k, k)``.

    A zero pivot gives a zero column, so singular matrices keep their exact rank.
    """
    factor = np.zeros(covariance.shape)
    for j in range(covariance.shape[-1]):
        done = factor[..., :j]
        rest = covariance[..., j] - np.einsum("...ij,...j->...i", done, done[..., j, :])
        pivot = rest[..., j]
        is_zero = pivot <= 1e-14 * np.maximum(covariance[..., j, j], 0.0)
        column = np.where(is_zero[..., None], 0.0, rest / np.sqrt(np.where(is_zero, 1.0, pivot))[..., None])
        factor[..., j:, j] = column[..., j:]
    return factor
