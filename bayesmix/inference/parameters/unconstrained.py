"""Unconstrained coordinates of the covariances: log standard deviations, Fisher-transformed partial correlations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Term
from bayesmix.errors import FitError
from bayesmix.inference.parameters.covariance import Structure, structure_of

MAX_NEWTON = 100
ROUNDING = 1e-12
TINY = 1e-6  # relative size of a standard deviation that stands for zero


@dataclass(frozen=True, slots=True)
class TermCoordinates:
    """The coordinates of one term: its log standard deviations, then the free numbers of its correlations."""

    structure: Structure
    detection_limits: tuple[float, ...] | None = None  # sds below which coordinates leave the logarithm; None: nowhere

    @property
    def k(self) -> int:
        """Number of effects."""
        return self.structure.k

    @property
    def n_sd(self) -> int:
        """Number of standard deviations, the first coordinates."""
        return self.structure.n_sd

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.structure.size

    def common(self, sizes: Array) -> Array:
        """Sizes of the effects ``(k,)`` as those of the standard deviations ``(n_sd,)``: root mean square if shared."""
        return np.sqrt(np.mean(sizes**2, keepdims=True)) if self.structure.is_homogeneous else sizes

    def pack(self, covariance: Array) -> Array:
        """Coordinates ``(size,)`` of a covariance matrix; one on the boundary is moved off it."""
        sd, corr = self.structure.parts(covariance)
        sd = self.common(sd)
        logs = self.coordinates(np.log(np.maximum(sd, TINY * max(float(sd.max()), 1e-8))))
        family = self.structure.correlation
        return np.concatenate([logs, family.to_line(family.partial(family.inward(corr, 0.001)))])

    def unpack(self, x: Array) -> tuple[Array, Array]:
        """Standard deviations ``(..., k)`` and Cholesky factor of the correlations ``(..., k, k)``."""
        return self.sd(x), self.structure.correlation.root(self.free(x))

    def sd(self, x: Array) -> Array:
        """Standard deviations ``(..., k)`` by themselves."""
        sd = np.exp(self._logs(x[..., : self.n_sd]))
        return np.broadcast_to(sd, (*sd.shape[:-1], self.k))

    def free(self, x: Array) -> Array:
        """Free numbers of the correlations ``(..., size - n_sd)``: partial correlations, or a range."""
        return self.structure.correlation.from_line(x[..., self.n_sd :])

    def log_jacobian(self, x: Array) -> Array:
        """Log derivative of standard deviations and free numbers by the coordinates: ``(...,)``."""
        y = x[..., : self.n_sd]
        total: Array = self._logs(y).sum(axis=-1)
        if self.detection_limits is not None:
            total = total + np.log1p(np.logaddexp(0.0, -y) / (1.0 + np.exp(y))).sum(axis=-1)
        return total + self.structure.correlation.log_slope(self.free(x))

    def _logs(self, y: Array) -> Array:
        """Logarithms of standard deviations from coordinates."""
        if self.detection_limits is None:
            return y
        return np.log(self.detection_limits) + y - 0.5 * np.logaddexp(0.0, -y) ** 2

    def coordinates(self, logs: Array) -> Array:
        """Coordinates from logarithms of standard deviations, by Newton's method on a convex monotone function."""
        if self.detection_limits is None:
            return logs
        target = logs - np.log(self.detection_limits)
        y = np.where(target > 0.0, target, -np.sqrt(np.maximum(-2.0 * target, 0.0)))
        for _ in range(MAX_NEWTON):
            soft = np.logaddexp(0.0, -y)
            step = (y - 0.5 * soft**2 - target) / (1.0 + soft / (1.0 + np.exp(y)))
            y = y - step
            if np.all(np.abs(step) <= ROUNDING * (1.0 + np.abs(y))):
                return y
        raise FitError(
            f"Coordinates of the standard deviations {np.exp(logs)} were not found in {MAX_NEWTON} Newton steps. Check"
            " the scales of the predictors and of the response."
        )


def term_coordinates(terms: Sequence[Term]) -> tuple[TermCoordinates, ...]:
    """Coordinates of each term."""
    return tuple(TermCoordinates(structure_of(term)) for term in terms)


def split(coordinates: Sequence[TermCoordinates], x: Array) -> list[Array]:
    """Slice ``(..., m)`` coordinates by term."""
    bounds = np.cumsum([0, *(one.size for one in coordinates)])
    return [x[..., lo:hi] for lo, hi in pairwise(bounds)]
