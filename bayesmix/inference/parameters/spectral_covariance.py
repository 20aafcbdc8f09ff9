"""Variances of the functions of a Gaussian process' basis: its spectral density at their frequencies.

They take the place of a correlation matrix, and are none: variances of independent effects for a process with a
standard deviation of one.

References
----------
Rasmussen and Williams (2006), *Gaussian Processes for Machine Learning*, section 4.2; Riutort-Mayol et al. (2023),
Statistics and Computing 33, 17, equation 1.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Spectrum
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers

FLAT = 0.05  # length scale times the highest frequency below which all variances are the same
SETTLED = 2.0  # of that: put at it
TELLING = 2.0  # logarithm of the ratio of two variances that tells the length scale best
FARTHEST = 1e6  # of such logarithms: of variances that are all the same, or zero but for the first
SHARES = 4  # length scales that searches start from, between the ends


@dataclass(frozen=True, slots=True)
class Spectral(PositiveNumbers):
    """Families of spectral densities of one length scale."""

    spectrum: Spectrum
    words: ClassVar[str] = "independent"
    fades: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("lscale",)
    steep: ClassVar[float]  # length scale times the lowest frequency above which nothing but the first function is left

    @abstractmethod
    def entry(self, length: Any, frequency: Any) -> Any:
        """Square root of the spectral density, of arrays or symbols."""

    @abstractmethod
    def slope(self, u: Array) -> Array:
        """Derivative of its logarithm by that of the length scale, at ``u``, length scale times frequency."""

    @abstractmethod
    def solved(self, ratio: Array, first: Array, second: Array) -> Array:
        """Length scales at which the density at the first frequency is ``ratio > 1`` times that at the second."""

    @property
    def frequencies(self) -> Array:
        """Frequencies ``(k,)``."""
        return np.array(self.spectrum.frequencies)

    def roots(self, numbers: Array) -> Array:
        """Standard deviations ``(..., k)`` of the functions, from the length scale ``(..., 1)``."""
        with np.errstate(under="ignore"):
            return np.asarray(self.entry(self.kept(numbers), self.frequencies))

    def parts(self, covariance: Array) -> tuple[Array, Array]:
        """Standard deviation ``(..., k)`` of the process, and the matrix of one with a standard deviation of one.

        Of other matrices the nearest by their diagonal.
        """
        variances = np.diagonal(covariance, axis1=-2, axis2=-1)
        matrix = self.matrix(self._length(variances))
        whole = np.maximum(variances.sum(axis=-1), 0.0)
        shares = np.trace(matrix, axis1=-2, axis2=-1)
        sd = np.sqrt(np.where(whole > 0.0, whole / shares, 0.0))
        return np.repeat(sd[..., None], self.k, axis=-1), matrix

    def padded(self, covariance: Array, sizes: Array) -> Array:
        """A matrix of the family with a standard deviation above zero, and with as much variance more as these have."""
        sd, matrix = self.parts(covariance)
        matrix = self.inward(matrix, 0.0)
        more = np.sum(sizes**2) / np.trace(matrix)
        return np.asarray((sd[0] ** 2 + more) * matrix)

    @override
    def spread(self, coordinates: Array) -> Array:
        return np.asarray(np.sqrt(np.mean(self.roots(self.ends[0] * self.from_line(coordinates)) ** 2, axis=-1)))

    # ---- the family

    @property
    @override
    def ends(self) -> tuple[Array, Array]:
        frequencies = self.frequencies
        return np.array([FLAT / frequencies.max()]), np.array([self.steep / frequencies.min()])

    @property
    @override
    def lengths(self) -> tuple[float, ...]:
        (low,), (high,) = self.ends
        return SETTLED * low, *np.geomspace(*self.spectrum.lengths, SHARES).tolist(), high / SETTLED

    @property
    @override
    def settled_length(self) -> float:
        return SETTLED * float(self.ends[0][0])

    @override
    def rows(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        frequencies = self.spectrum.frequencies
        return [[*[0.0] * i, self.entry(partial[0], w)] for i, w in enumerate(frequencies)]

    @override
    def root(self, partial: Array) -> Array:
        return _diagonal(self.roots(partial))

    @override
    def matrix(self, numbers: Array) -> Array:
        return _diagonal(self.roots(numbers) ** 2)

    @override
    def numbers(self, matrix: Array) -> Array:
        return self._length(np.diagonal(matrix, axis1=-2, axis2=-1))

    def _length(self, variances: Array) -> Array:
        """Length scale ``(..., 1)`` from the ratio of two variances that tells it best; NaN where all are zero."""
        frequencies = self.frequencies
        first = int(np.argmin(frequencies))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = variances[..., first, None] / variances
            ratio[..., frequencies <= frequencies[first] * (1.0 + 1e-9)] = np.nan
            distance = np.abs(np.log(np.abs(np.log(ratio))) - math.log(TELLING))
            at = np.argmin(np.where(np.isnan(ratio), np.inf, np.minimum(distance, FARTHEST)), axis=-1)
            told = np.maximum(np.take_along_axis(ratio, at[..., None], axis=-1), 1.0)
            found = self.solved(told, frequencies[first], frequencies[at][..., None])
        return self.kept(found)

    @property
    def usual(self) -> float:
        """A length scale that the functions follow and the data tell."""
        return math.sqrt(math.prod(self.spectrum.lengths))

    @override
    def inward(self, matrix: Array, share: float) -> Array:
        numbers = self.numbers(matrix)
        return self.matrix(np.where(np.isnan(numbers), self.usual, numbers))

    @override
    def by_logarithms(self, numbers: Array) -> Array:
        slopes = 2.0 * self.slope(numbers * self.frequencies) * self.roots(numbers) ** 2
        return _diagonal(slopes)[..., None, :, :]

    @override
    def root_slopes(self, numbers: Array) -> tuple[Array, Array]:
        roots = self.roots(numbers)
        slopes = self.slope(numbers * self.frequencies) * roots
        return _diagonal(roots), _diagonal(slopes)[..., None, :, :]


@dataclass(frozen=True, slots=True)
class SquaredExponential(Spectral):
    """Of ``exp(-(d / l)^2 / 2)``: brms's ``exp_quad``."""

    steep: ClassVar[float] = 6.0

    @override
    def entry(self, length: Any, frequency: Any) -> Any:
        return ((2.0 * math.pi) ** 0.5 * length) ** (0.5 * self.spectrum.dimensions) * math.e ** (
            -0.25 * (length * frequency) ** 2
        )

    @override
    def slope(self, u: Array) -> Array:
        return 0.5 * self.spectrum.dimensions - 0.5 * u**2

    @override
    def solved(self, ratio: Array, first: Array, second: Array) -> Array:
        return np.asarray(np.sqrt(2.0 * np.log(ratio) / (second**2 - first**2)))


@dataclass(frozen=True, slots=True)
class SpectralMatern(Spectral):
    """Of Matern's function ``2^(1 - s) / Gamma(s) u^s K_s(u)``, ``u = sqrt(2 s) d / l``, of a known smoothness s."""

    steep: ClassVar[float] = 50.0
    smoothness: ClassVar[float]

    @property
    def power(self) -> float:
        """Of the density at high frequencies."""
        return self.smoothness + 0.5 * self.spectrum.dimensions

    @override
    def entry(self, length: Any, frequency: Any) -> Any:
        s, d = self.smoothness, self.spectrum.dimensions
        log = d * math.log(2.0) + 0.5 * d * math.log(math.pi) + s * math.log(2.0 * s)
        log += math.lgamma(self.power) - math.lgamma(s)
        return math.exp(0.5 * log) * length ** (0.5 * d) * (2.0 * s + (length * frequency) ** 2) ** (-0.5 * self.power)

    @override
    def slope(self, u: Array) -> Array:
        return 0.5 * self.spectrum.dimensions - self.power * u**2 / (2.0 * self.smoothness + u**2)

    @override
    def solved(self, ratio: Array, first: Array, second: Array) -> Array:
        t = ratio ** (1.0 / self.power)
        return np.asarray(np.sqrt(2.0 * self.smoothness * (t - 1.0) / np.maximum(second**2 - t * first**2, 0.0)))


@dataclass(frozen=True, slots=True)
class SpectralMatern32(SpectralMatern):
    """Of smoothness 3/2."""

    smoothness: ClassVar[float] = 1.5


@dataclass(frozen=True, slots=True)
class SpectralMatern52(SpectralMatern):
    """Of smoothness 5/2."""

    smoothness: ClassVar[float] = 2.5


KERNELS: dict[str, type[Spectral]] = {
    "exp_quad": SquaredExponential,
    "matern32": SpectralMatern32,
    "matern52": SpectralMatern52,
}


def _diagonal(values: Array) -> Array:
    """Diagonal matrices ``(..., k, k)``."""
    return values[..., None] * np.eye(values.shape[-1])
