"""Unconstrained coordinates of the covariances: log standard deviations and Fisher-transformed partial correlations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bayesmix.data.design import Term
from bayesmix.inference.covariance import sd_and_corr
from bayesmix.inference.vine import positions, to_cholesky, to_partial

Array = np.ndarray

TINY = 1e-6  # relative size of a standard deviation that stands for zero


@dataclass(frozen=True, slots=True)
class TermCoordinates:
    """The coordinates of one term: ``k`` log standard deviations, then the partial correlations.

    ``order`` says in which order the effects enter the vine: the partial correlation of the first two is their plain
    correlation, so every correlation is a coordinate in some order.
    """

    k: int
    correlated: bool
    order: tuple[int, ...]
    knees: tuple[float, ...] | None = None  # in that order; None: plain logarithms

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.k + (len(positions(self.k)) if self.correlated else 0)

    def pack(self, covariance: Array) -> Array:
        """Coordinates ``(size,)`` of a covariance matrix; one on the boundary is moved off it."""
        index = np.array(self.order)
        sd, corr = sd_and_corr(covariance[np.ix_(index, index)])
        logs = self._bend(np.log(np.maximum(sd, TINY * max(float(sd.max()), 1e-8))))
        if not self.correlated:
            return logs
        corr = 0.999 * np.where(np.isnan(corr), 0.0, corr) + 0.001 * np.eye(self.k)
        return np.concatenate([logs, np.arctanh(to_partial(np.linalg.cholesky(corr)))])

    def unpack(self, x: Array) -> tuple[Array, Array]:
        """Standard deviations ``(..., k)`` and Cholesky factor of the correlations ``(..., k, k)``, rows in order.

        The rows of the factor are put back to the order of the effects; it then is triangular no more, but still a
        root of the correlation matrix.
        """
        back = np.argsort(self.order)
        sd = np.exp(self._unbend(x[..., : self.k]))[..., back]
        if not self.correlated:
            return sd, np.broadcast_to(np.eye(self.k), (*x.shape[:-1], self.k, self.k))
        return sd, to_cholesky(np.tanh(x[..., self.k :]), self.k)[..., back, :]

    def log_jacobian(self, x: Array) -> Array:
        """Log derivative of standard deviations and partial correlations by the coordinates: ``(...,)``."""
        y = x[..., : self.k]
        total: Array = self._unbend(y).sum(axis=-1)
        if self.knees is not None:
            total = total + np.log1p(np.logaddexp(0.0, -y) / (1.0 + np.exp(y))).sum(axis=-1)
        if self.correlated:
            total = total + np.log1p(-(np.tanh(x[..., self.k :]) ** 2)).sum(axis=-1)
        return total

    def _unbend(self, y: Array) -> Array:
        """Logarithms of standard deviations from coordinates."""
        if self.knees is None:
            return y
        return np.log(self.knees) + y - 0.5 * np.logaddexp(0.0, -y) ** 2

    def _bend(self, logs: Array) -> Array:
        """Coordinates from logarithms of standard deviations, by Newton's method on a monotone function."""
        if self.knees is None:
            return logs
        target = logs - np.log(self.knees)
        y = np.where(target > 0.0, target, -np.sqrt(np.maximum(-2.0 * target, 0.0)))
        for _ in range(50):
            soft = np.logaddexp(0.0, -y)
            y = y - (y - 0.5 * soft**2 - target) / (1.0 + soft / (1.0 + np.exp(y)))
        return y


def term_coordinates(terms: Sequence[Term]) -> tuple[TermCoordinates, ...]:
    """Coordinates of each term, effects in the order of the design."""
    return tuple(
        TermCoordinates(k, k > 1 and term.structure != "diag", tuple(range(k)))
        for term in terms
        for k in (len(term.effects),)
    )


def split(coordinates: Sequence[TermCoordinates], x: Array) -> list[Array]:
    """Slice ``(..., m)`` coordinates by term."""
    bounds = np.cumsum([0, *(one.size for one in coordinates)])
    return [x[..., lo:hi] for lo, hi in pairwise(bounds)]
