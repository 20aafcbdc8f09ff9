"""Hilbert-space basis of a Gaussian process: sines on a box around the data, whose variances are spectral densities.

A stationary covariance function is approximated by eigenfunctions of the Laplacian that vanish at the ends of a box:
``k(x, x') = sum_j S(omega_j) phi_j(x) phi_j(x')``, with ``omega_j`` the frequency of the j-th function and ``S`` the
spectral density. The functions do not depend on the length scale, which makes the process linear in independent normal
effects.

References
----------
Solin and Saerkkae (2020), Statistics and Computing 30, 419-446; Riutort-Mayol et al. (2023), Statistics and Computing
33, 17.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import pi, sqrt

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Spectrum
from bayesmix.data.memory import too_much
from bayesmix.errors import DataError, PredictionWarning, warn_user
from bayesmix.language.formula.smooths import Smooth

FUNCTIONS = (30, 12, 6)  # along each variable where nothing is said, of one, two and three of them
BOX = 1.25  # half the width of the box over the range of the data, where nothing is said: brms's advice
SLACK = 0.01  # of the range of the data: values outside of it that say nothing new
RESOLUTION = {"exp_quad": 1.75, "matern52": 2.65, "matern32": 3.42}  # shortest length scale, over half box by functions


@dataclass(frozen=True, slots=True, eq=False)
class HilbertBasis:
    """Eigenfunctions of the Laplacian on a box, of ``d`` variables."""

    name: str  # of the process, in R's spelling
    centre: Array  # (d,)
    unit: float  # what values are divided by
    half: float  # half the width of the box, in this unit
    orders: Array  # (K, d) of the sines along each variable: the first varies fastest
    low: Array  # (d,) ends of the data
    high: Array  # (d,)

    def __call__(self, x: Array) -> Array:
        """Columns ``(n, K)`` at values ``(n, d)``; NaN beyond the box, where there are no functions."""
        t = (x - self.centre) / self.unit
        angles = 0.5 * pi * (t + self.half) / self.half
        columns: Array = np.ones((len(x), len(self.orders)))
        for j, orders in enumerate(self.orders.T):
            columns = columns * np.sin(angles[:, [j]] * orders) / sqrt(self.half)
        is_beyond = np.any(np.abs(t) > self.half, axis=1)
        columns[is_beyond] = np.nan
        margin = SLACK * (self.high - self.low)
        self._warn(np.any((x < self.low - margin) | (x > self.high + margin), axis=1), is_beyond)
        return columns

    @property
    def frequencies(self) -> Array:
        """Lengths ``(K,)`` of the vectors of frequencies."""
        return np.asarray(np.sqrt(np.sum((0.5 * pi / self.half * self.orders) ** 2, axis=1)))

    def _warn(self, outside: Array, beyond: Array) -> None:
        """Warn of rows where the process is not told by data: it returns to its mean."""
        if not outside.any():
            return
        reach = self.half * self.unit
        ends = [f"{self.centre[j] - reach:.4g} .. {self.centre[j] + reach:.4g}" for j in range(len(self.centre))]
        data = [f"{a:.4g} .. {b:.4g}" for a, b in zip(self.low, self.high, strict=True)]
        nothing = f" {int(beyond.sum())} of them are beyond the box of its basis: NaN." if beyond.any() else ""
        warn_user(
            f"`{self.name}`: {int(outside.sum())} row(s) are outside of the data, {', '.join(data)}. There the process"
            f" returns to its mean, at the ends of the box, {', '.join(ends)}, exactly: a larger `c` moves these"
            f" away.{nothing}",
            PredictionWarning,
        )


def learn_hilbert_basis(process: Smooth, x: Array) -> tuple[HilbertBasis, Spectrum]:
    """Learn the basis of a Gaussian process from values ``(n, d)`` without missing ones, as brms does.

    Raises
    ------
    DataError
        If all values are the same, or nothing is said of how many functions there are of more than three variables.
    """
    d, different = x.shape[1], np.unique(x, axis=0)
    farthest = _farthest(different)
    if not farthest > 0.0:
        raise DataError(f"`{process}` needs several different values, and there is one. Leave it out.")
    unit = farthest if process.is_scaled else 1.0
    scaled = (different - different.mean(axis=0)) / unit
    span = float(np.ptp(scaled))
    half = (BOX if process.c is None else process.c) * (max(span, 1.0) if process.is_scaled else span)
    if np.abs(scaled).max() >= half:
        raise DataError(f"`{process}`: the box of its basis does not hold all data. Write a larger `c`, such as 5/4.")
    k = _functions(process, d)
    if (size := too_much(float(k) ** d * max(len(x), k**d))) is not None:
        raise DataError(f"`{process}` has {k}^{d} functions, which would take {size}: write a smaller `k`.")
    orders = np.array([order[::-1] for order in product(range(1, k + 1), repeat=d)], float)
    basis = HilbertBasis(str(process), different.mean(axis=0), unit, half, orders, x.min(axis=0), x.max(axis=0))
    kernel, longest = process.bases[0], farthest / unit
    shortest = min(RESOLUTION[kernel] * half / k, 0.5 * longest)
    frequencies = tuple(basis.frequencies.tolist())
    return basis, Spectrum(kernel, frequencies, d, (shortest, longest), unit if process.is_scaled else 0.0)


def _functions(process: Smooth, d: int) -> int:
    """How many functions there are along each variable."""
    if len(process.k) > 1:
        raise DataError(f"`{process}` has {len(process.k)} numbers in `k`: write one, of each variable.")
    if not process.k and d > len(FUNCTIONS):
        raise DataError(f"`{process}` is of {d} variables: say how many functions each has, `k = 4`; all are k^{d}.")
    k = process.k[0] if process.k else FUNCTIONS[d - 1]
    if k < 2:
        raise DataError(f"`{process}` has k = {k}: one function tells no length scale. Write `k = 10`, or more.")
    return k


def _farthest(points: Array) -> float:
    """The largest distance between points ``(u, d)``: between corners of their convex hull, of many."""
    if points.shape[1] == 1:
        return float(np.ptp(points))
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    try:
        corners = points[ConvexHull(points).vertices] if len(points) > 100 else points
    except QhullError:  # all on one line
        corners = points
    return float(pdist(corners).max()) if len(corners) > 1 else 0.0
