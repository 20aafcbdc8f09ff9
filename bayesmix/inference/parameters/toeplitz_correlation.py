"""Correlations of effects that follow each other at equal steps, free but for being the same at every lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.correlation import Parametric
from bayesmix.inference.parameters.partial_correlations import partial_autocorrelations


@dataclass(frozen=True, slots=True)
class Toeplitz(Parametric):
    """Stationary effects: the correlation of effects i and j is that of their lag ``|i - j|``, the same for all.

    Positive definite matrices of this form and partial autocorrelations in (-1, 1) are one to one (Barndorff-Nielsen,
    Schou 1973, J. Multivar. Anal. 3): with ``|R| = prod_m (1 - phi_m^2)^(k - m)``. Roots follow by the lattice of
    normalised forward and backward errors, ``f_(m-1)(t) = c_m f_m(t) + s_m b_(m-1)(t-1)`` and ``b_m(t) = c_m
    b_(m-1)(t-1) - s_m f_m(t)``, where ``s_m = phi_m`` and ``c_m`` are sine and cosine of an angle.
    """

    words: ClassVar[str] = "stationary"
    fades: ClassVar[bool] = True

    @property
    @override
    def size(self) -> int:
        return self.k - 1

    @override
    def rows(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        cosines = [sqrt(1.0 - partial[m] ** 2) for m in range(self.size)]
        rows: list[list[Any]] = []
        before: list[list[Any]] = []
        for t in range(self.k):
            forward: list[Any] = [*[0.0 * one] * t, one]
            backward: list[list[Any]] = [[] for _ in range(t + 1)]
            for m in range(t, 0, -1):
                s, c, b = partial[m - 1], cosines[m - 1], [*before[m - 1], 0.0 * one]
                backward[m] = [c * old - s * new for old, new in zip(b, forward, strict=True)]
                forward = [c * new + s * old for old, new in zip(b, forward, strict=True)]
            backward[0], before = forward, backward
            rows.append(forward)
        return rows

    @override
    def beta(self, eta: float) -> tuple[Array, Array]:
        a = eta * np.arange(self.k - 1, 0, -1.0)  # |R|^(eta - 1), and the Jacobian of the lags
        return a, a

    @override
    def log_volume(self, free: Array) -> Array:
        return np.asarray((np.arange(self.k - 2, -1, -1) * np.log1p(-(free**2))).sum(axis=-1))

    @override
    def matrix(self, numbers: Array) -> Array:
        lag = np.abs(np.subtract.outer(np.arange(self.k), np.arange(self.k)))
        whole = np.concatenate([np.ones((*numbers.shape[:-1], 1)), numbers], axis=-1)
        return np.asarray(whole[..., lag])

    @override
    def numbers(self, matrix: Array) -> Array:
        lags = [np.diagonal(matrix, lag, axis1=-2, axis2=-1) for lag in range(1, self.k)]
        with np.errstate(invalid="ignore"):  # no correlation where a standard deviation is zero
            defined = [np.sum(~np.isnan(one), axis=-1) for one in lags]
            means = [np.nansum(one, axis=-1) / count for one, count in zip(lags, defined, strict=True)]
        return np.stack(means, axis=-1)

    @override
    def partial(self, matrix: Array) -> Array:
        return partial_autocorrelations(np.nan_to_num(self.numbers(matrix)))

    @override
    def turned(self, coordinates: Array) -> tuple[Array, Array]:
        lead, k, n = coordinates.shape[:-1], self.k, self.size
        sine, cosine = np.sin(coordinates)[..., None], np.cos(coordinates)[..., None]
        root, slopes = np.zeros((*lead, k, k)), np.zeros((*lead, n, k, k))
        before: list[tuple[Array, Array]] = []
        for t in range(k):
            forward, by_forward = np.zeros((*lead, k)), np.zeros((*lead, n, k))
            forward[..., t] = 1.0
            after: list[tuple[Array, Array]] = []
            for m in range(t, 0, -1):
                (b, by_b), s, c = before[m - 1], sine[..., m - 1, :], cosine[..., m - 1, :]
                backward, by_backward = c * b - s * forward, c[..., None] * by_b - s[..., None] * by_forward
                forward, by_forward = c * forward + s * b, c[..., None] * by_forward + s[..., None] * by_b
                by_forward[..., m - 1, :] += backward
                by_backward[..., m - 1, :] -= forward
                after.append((backward, by_backward))
            before = [(forward, by_forward), *reversed(after)]
            root[..., t, :], slopes[..., t, :] = forward, by_forward
        return root, slopes

    @override
    def coordinates(self, numbers: Array) -> Array:
        return np.arcsin(partial_autocorrelations(numbers))

    @override
    def settled(self, coordinates: Array, tolerance: float) -> tuple[Array, Array]:
        at_end = np.abs(np.cos(coordinates)) < tolerance
        ends = np.pi * (np.round(coordinates / np.pi - 0.5) + 0.5)
        return np.where(at_end, ends, coordinates), at_end.any(axis=-1)
