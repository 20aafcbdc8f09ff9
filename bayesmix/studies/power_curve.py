"""Power as a monotone curve: intervals of simulated shares, and the size at which a power is reached."""

from __future__ import annotations

import numpy as np

from bayesmix.arrays import Array

LEVEL = 0.95  # of intervals that say how far simulation may be off


def clopper_pearson(count: Array, n: Array) -> tuple[Array, Array]:
    """Limits of probabilities of which ``count`` of ``n`` trials were successes (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    tail = 0.5 * (1.0 - LEVEL)
    with np.errstate(invalid="ignore"):
        lower = np.where(count > 0, betaincinv(np.maximum(count, 1), n - count + 1.0, tail), 0.0)
        upper = np.where(count < n, betaincinv(count + 1.0, np.maximum(n - count, 1), 1.0 - tail), 1.0)
    return lower, upper


def monotone(values: Array) -> Array:
    """The nearest values that do not fall, in least squares (isotonic regression)."""
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(values).x)


def crossing(size: Array, power: Array, wanted: float) -> float:
    """The size at which a curve reaches a power; infinite where it does not.

    The normal quantile of the power, of which that of a z test is linear in the root of the size, is interpolated. A
    power that the smallest size has is reached at that.
    """
    from scipy.special import ndtri

    curve = monotone(power) if len(power) else power
    if not len(curve) or curve[-1] < wanted:
        return np.inf
    place = int(np.argmax(curve >= wanted))
    if place == 0:
        return float(size[0])
    z = ndtri(np.clip(curve[[place - 1, place]], 1e-6, 1.0 - 1e-6))
    share = (float(ndtri(wanted)) - z[0]) / (z[1] - z[0])
    low, high = np.sqrt(size[[place - 1, place]])
    return float((low + share * (high - low)) ** 2)
