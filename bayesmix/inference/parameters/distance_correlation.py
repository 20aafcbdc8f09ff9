"""Correlations of effects that stand at positions: functions of the distance between two, by glmmTMB's names.

Each has a range, the distance over which correlations fade, and Matern's a smoothness, too. At the ends of what
distances in the data can tell of a range, effects are independent, or all the same.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers
from bayesmix.language.families.namespaces import NUMERIC, Namespace, symbolic

SHORT = 0.02  # of the smallest distance: a range below which all effects are independent
SETTLED = 0.1  # of it: a range that is put at zero, correlations of neighbours being 5e-5 at most
PROBES, NEAREST = 24, 6  # pairs of positions that a range is read off, and the nearest of them
MAX_STEPS, RISEN = 60, 8  # of the search for two numbers, and in turn without a fall before it ends
STARTS, CLOSE = 8, 1e-5  # searches, and the error at which no other is made
FITTED = 1e-14  # error of the correlations at which it ends
NODES = 256  # of the quadrature of Matern's function
STEP = 1e-5  # of the difference by the logarithm of the smoothness
SMOOTHEST, ROUGHEST = 30.0, 0.02  # smoothness beyond which a Matern correlation is Gaussian or none, to rounding


@dataclass(frozen=True, slots=True)
class ByDistance(PositiveNumbers):
    """Families of correlations that are a function of distance over range."""

    positions: tuple[tuple[float, ...], ...]  # (k, coordinates)
    fades: ClassVar[bool] = True
    kinds: ClassVar[tuple[str, ...]] = ("range",)  # names of its numbers
    long: ClassVar[float] = 1e6  # of the largest distance: a range above which all effects are the same
    nugget: ClassVar[float] = 0.0  # added to variances of one, without which smooth matrices are singular to rounding

    @abstractmethod
    def kernel(self, distance: Array, numbers: Array) -> Array:
        """Correlations ``(...)`` at distances, from numbers ``(..., size)``."""

    @abstractmethod
    def slopes(self, distance: Array, numbers: Array) -> Array:
        """Derivatives ``(..., size)`` of correlations by the logarithms of the numbers."""

    @abstractmethod
    def solved(self, distance: Array, correlation: Array) -> Array:
        """Numbers ``(..., size)`` of correlations ``(..., m)`` at distances ``(m,)``."""

    @property
    def distances(self) -> Array:
        """Distances ``(k, k)``."""
        return distances(self.positions)

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest distance."""
        return _span(self.positions)

    @property
    @override
    def ends(self) -> tuple[Array, Array]:
        nearest, farthest = self.span
        return np.array([SHORT * nearest]), np.array([self.long * farthest])

    @override
    def root(self, partial: Array) -> Array:
        return np.linalg.cholesky(self._with_nugget(self.matrix(partial)))

    @override
    def rows(self, partial: Any, *, sqrt: Any, one: Any) -> list[list[Any]]:
        xp = NUMERIC if isinstance(one, np.ndarray) else symbolic()
        entries = self.decay(partial, self.distances, xp)
        rows: list[list[Any]] = []
        for i in range(self.k):
            row: list[Any] = []
            for j in range(i):
                below = sum(a * b for a, b in zip(row, rows[j], strict=False))
                row.append((entries[i, j] / (1.0 + self.nugget) - below) / rows[j][j])
            rows.append([*row, sqrt(one - sum(value**2 for value in row))])
        return rows

    @abstractmethod
    def decay(self, numbers: Any, distance: Array, xp: Namespace) -> Any:
        """Correlations at distances ``(k, k)`` from numbers ``(size,)`` that may be symbols."""

    # ---- matrices

    @override
    def matrix(self, numbers: Array) -> Array:
        return self.kernel(self.distances, self.kept(numbers)[..., None, None, :])

    @override
    def numbers(self, matrix: Array) -> Array:
        i, j = _probes(self.positions)
        return self.solved(self.distances[i, j], matrix[..., i, j])

    def _with_nugget(self, matrix: Array) -> Array:
        return matrix if not self.nugget else (matrix + self.nugget * np.eye(self.k)) / (1.0 + self.nugget)

    @override
    def root_slopes(self, numbers: Array) -> tuple[Array, Array]:
        root, change = self.root(numbers), self.by_logarithms(numbers) / (1.0 + self.nugget)
        inverse = np.linalg.inv(root)[..., None, :, :]
        inner = np.tril(inverse @ change @ np.swapaxes(inverse, -1, -2))
        index = np.arange(self.k)
        inner[..., index, index] *= 0.5
        return root, root[..., None, :, :] @ inner

    @override
    def by_logarithms(self, numbers: Array) -> Array:
        return np.moveaxis(self.slopes(self.distances, numbers[..., None, None, :]), -1, -3)

    @property
    @override
    def settled_length(self) -> float:
        return SETTLED * self.span[0]

    @property
    @override
    def lengths(self) -> tuple[float, ...]:
        nearest, farthest = self.span
        return 0.5 * nearest, nearest, max(0.4 * farthest, nearest), 2.0 * farthest


@dataclass(frozen=True, slots=True)
class Exponential(ByDistance):
    """``exp(-d / range)``: glmmTMB's ``exp``, and ``ou`` with range one over its rate."""

    words: ClassVar[str] = "exponentially correlated"

    @override
    def kernel(self, distance: Array, numbers: Array) -> Array:
        return np.exp(-distance / numbers[..., 0])

    @override
    def slopes(self, distance: Array, numbers: Array) -> Array:
        u = distance / numbers[..., 0]
        return np.asarray((u * np.exp(-u))[..., None])

    @override
    def solved(self, distance: Array, correlation: Array) -> Array:
        return _most_telling(distance, correlation, self, lambda d, r: -d / np.log(r))

    @override
    def decay(self, numbers: Any, distance: Array, xp: Namespace) -> Any:
        return xp.exp(-distance / numbers[0])


@dataclass(frozen=True, slots=True)
class Gaussian(ByDistance):
    """``exp(-(d / range)^2)``: glmmTMB's ``gau``."""

    words: ClassVar[str] = "correlated by squared distance"
    long: ClassVar[float] = 1e4
    nugget: ClassVar[float] = 1e-10

    @override
    def kernel(self, distance: Array, numbers: Array) -> Array:
        return np.exp(-((distance / numbers[..., 0]) ** 2))

    @override
    def slopes(self, distance: Array, numbers: Array) -> Array:
        square = (distance / numbers[..., 0]) ** 2
        return np.asarray((2.0 * square * np.exp(-square))[..., None])

    @override
    def solved(self, distance: Array, correlation: Array) -> Array:
        return _most_telling(distance, correlation, self, lambda d, r: d / np.sqrt(-np.log(r)))

    @override
    def decay(self, numbers: Any, distance: Array, xp: Namespace) -> Any:
        return xp.exp(-((distance / numbers[0]) ** 2))


@dataclass(frozen=True, slots=True)
class Matern(ByDistance):
    """``2^(1 - s) / Gamma(s) u^s K_s(u)``, ``u = d / range``, s the smoothness: glmmTMB's ``mat``."""

    words: ClassVar[str] = "correlated by Matern's function"
    kinds: ClassVar[tuple[str, ...]] = ("range", "smoothness")
    long: ClassVar[float] = 1e4
    nugget: ClassVar[float] = 1e-10

    @property
    @override
    def ends(self) -> tuple[Array, Array]:
        nearest, farthest = self.span
        return np.array([SHORT * nearest / SMOOTHEST, ROUGHEST]), np.array([self.long * farthest, SMOOTHEST])

    @override
    def kernel(self, distance: Array, numbers: Array) -> Array:
        return _matern(distance / numbers[..., 0], numbers[..., 1])

    @override
    def slopes(self, distance: Array, numbers: Array) -> Array:
        u, smoothness = distance / numbers[..., 0], numbers[..., 1]
        more, less = smoothness * math.exp(STEP), smoothness * math.exp(-STEP)
        by_smoothness = (_matern(u, more) - _matern(u, less)) / (2.0 * STEP)
        return np.stack([_by_log_range(u, smoothness), by_smoothness], axis=-1)

    @override
    def solved(self, distance: Array, correlation: Array) -> Array:
        return _fitted(self, distance, correlation)

    @override
    def decay(self, numbers: Any, distance: Array, xp: Namespace) -> Any:
        low, high = self.ends
        length, smoothness = (xp.minimum(xp.maximum(numbers[i], low[i]), high[i]) for i in range(2))
        apart, place = np.unique(distance, return_inverse=True)
        values = _integrated(apart[apart > 0.0] / length, smoothness, self.span[0] / high[0], xp)
        place = place.reshape(distance.shape) - int(apart[0] == 0.0)
        return xp.where(distance > 0.0, values[np.maximum(place, 0)], np.ones(()))


def _integrated(u: Any, s: Any, lowest: float, xp: Namespace) -> Any:
    """Matern's function at ``u (m,)`` by ``K_s(u) = int_0^inf exp(-u cosh t) cosh(s t) dt`` and the trapezoidal rule.

    It has derivatives by ``s``, and errors of 1e-11 for ``s`` up to `SMOOTHEST`: the integrand is analytic, and beyond
    the last node, where ``u cosh t`` is 500 for the ``lowest`` u, it is nothing. The largest exponent, where
    ``sinh t = s / u``, stands before the sum. `DLMF 10.32.9 <https://dlmf.nist.gov/10.32.E9>`_.
    """
    end = math.acosh(1.0 + 500.0 / lowest)
    t = end / NODES * np.arange(NODES + 1)
    weights = np.full(NODES + 1, end / NODES)
    weights[[0, -1]] *= 0.5
    ratio, root = s / u, xp.sqrt(s * s + u * u)
    most = s * xp.log(ratio + xp.sqrt(ratio * ratio + 1.0)) - root
    terms = xp.exp(s * t - u[:, None] * np.cosh(t) - most[:, None])
    total = (terms * (weights * (1.0 + xp.exp(-2.0 * s * t)))).sum(axis=1)
    return xp.exp(most - s * math.log(2.0) - xp.gammaln(s) + s * xp.log(u)) * total


def _matern(u: Array, smoothness: Array) -> Array:
    from scipy import special

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log = (1.0 - smoothness) * math.log(2.0) - special.gammaln(smoothness) + smoothness * np.log(u)
        value = np.exp(log + np.log(special.kve(smoothness, u)) - u)
    return np.where(u > 0.0, np.where(np.isfinite(value), np.minimum(value, 1.0), 1.0), 1.0)


def _by_log_range(u: Array, smoothness: Array) -> Array:
    """``2^(1 - s) / Gamma(s) u^(s + 1) K_(s - 1)(u)``."""
    from scipy import special

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log = (1.0 - smoothness) * math.log(2.0) - special.gammaln(smoothness) + (smoothness + 1.0) * np.log(u)
        value = np.exp(log + np.log(special.kve(np.abs(smoothness - 1.0), u)) - u)
    return np.where(np.isfinite(value) & (u > 0.0), value, 0.0)


def _most_telling(
    distance: Array, correlation: Array, family: ByDistance, solve: Callable[[Array, Array], Array]
) -> Array:
    """Ranges ``(..., 1)`` from the correlations nearest to ``exp(-1)``, which tell them best."""
    r = np.clip(np.nan_to_num(correlation), 1e-300, 1.0 - 1e-16)
    at = np.argmin(np.abs(np.log(-np.log(r))), axis=-1)[..., None]
    found = solve(distance[at], np.take_along_axis(r, at, axis=-1))
    return family.kept(found)


def _fitted(family: ByDistance, distance: Array, correlation: Array) -> Array:
    """Numbers ``(..., 2)`` of the least error of correlations, from the best points of a grid, until one leads there.

    Correlations of no such function have numbers that come near: those of searches from all these points.
    """
    shape = correlation.shape[:-1]
    r = np.nan_to_num(correlation).reshape(-1, len(distance))
    grid, shapes = _grid(family)
    starts = np.argsort(((r[:, None] - shapes) ** 2).sum(axis=-1), axis=1)[:, :STARTS]
    best, least = grid[starts[:, 0]], np.full(len(r), np.inf)
    for start in starts.T:
        open_ = np.flatnonzero(least > CLOSE)
        if not len(open_):
            break
        found, size = _searched(family, distance, r[open_], grid[start[open_]])
        lower = size < least[open_]
        best[open_[lower]], least[open_[lower]] = found[lower], size[lower]
    return np.exp(best).reshape(*shape, 2)


def _searched(family: ByDistance, distance: Array, r: Array, at: Array) -> tuple[Array, Array]:
    """Logarithms of numbers ``(B, 2)`` by Gauss and Newton's least squares, and the largest error of each ``(B,)``."""
    low, high = np.log(np.array(family.ends))
    best, least, risen = at, np.full(len(r), np.inf), 0
    for _ in range(MAX_STEPS):
        numbers = np.exp(at)[:, None, :]
        error, J = r - family.kernel(distance, numbers), family.slopes(distance, numbers)
        size = np.abs(error).max(axis=1, initial=0.0)
        falls = size < least
        best, least = np.where(falls[:, None], at, best), np.where(falls, size, least)
        risen = 0 if falls.any() else risen + 1
        if not least.max(initial=0.0) > FITTED or risen == RISEN:
            break
        at = np.clip(at + np.clip(_step(J, error), -0.5, 0.5), low, high)
    return best, least


def _step(J: Array, error: Array) -> Array:
    """Steps ``(B, 2)`` of least squares."""
    normal = np.swapaxes(J, 1, 2) @ J
    damped = normal + 1e-13 * np.eye(2) * (1e-12 + np.trace(normal, axis1=1, axis2=2))[:, None, None]
    return np.asarray(np.linalg.solve(damped, np.swapaxes(J, 1, 2) @ error[..., None])[..., 0])


@lru_cache(maxsize=64)
def _grid(family: ByDistance) -> tuple[Array, Array]:
    """Logarithms of numbers ``(n, 2)`` to begin at, and the correlations by them at the distances that tell them."""
    nearest, farthest = family.span
    ranges = np.log(np.geomspace(0.02 * nearest, 10.0 * farthest, 18))
    grid = np.array([(a, b) for a in ranges for b in np.log([0.06, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0])])
    distance = family.distances[_probes(family.positions)]
    return grid, family.kernel(distance, np.exp(grid)[:, None, :])


@lru_cache(maxsize=64)
def distances(positions: tuple[tuple[float, ...], ...]) -> Array:
    """Euclidean distances ``(k, k)`` of positions."""
    points = np.array(positions)
    found = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1))
    found.setflags(write=False)
    return found


@lru_cache(maxsize=64)
def _span(positions: tuple[tuple[float, ...], ...]) -> tuple[float, float]:
    apart = distances(positions)[np.tril_indices(len(positions), -1)]
    return float(apart.min()), float(apart.max())


@lru_cache(maxsize=64)
def _probes(positions: tuple[tuple[float, ...], ...]) -> tuple[Array, Array]:
    """Pairs of positions of the smallest to the largest distance, evenly on a logarithm, and the nearest ones.

    Where one pair is far nearer than all others, the next ones tell what fades between.
    """
    i, j = np.tril_indices(len(positions), -1)
    apart = distances(positions)[i, j]
    order = np.argsort(apart, kind="stable")
    wanted = np.geomspace(apart[order[0]], apart[order[-1]], PROBES)
    at = np.clip(np.searchsorted(apart[order], wanted), 0, len(order) - 1)
    chosen = order[np.unique(np.concatenate([np.arange(min(NEAREST, len(order))), at, [len(order) - 1]]))]
    return i[chosen], j[chosen]
