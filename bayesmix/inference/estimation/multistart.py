"""Multistart: quasi-Newton searches from several points at once, each round of evaluations one batch.

Of few rows an evaluation costs its overhead: sixty values in one batch take less time than one with its gradient. So
gradients are central differences, and all searches that have not ended take their next trial together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.optimise import ARMIJO, PARALLEL, ROUNDING, SHORT

Values = Callable[[Array], Array]  # (n, m) points -> (n,) values, infinite where there is none

STEP = 1e-5  # of the differences: variables are of order one
ROUNDS = 100  # of trials; a search that has not ended by then, but is lower than others, has another go on from there
SHORTEST = 1e-6  # share of a step from which on it is given up


def multistart(
    values: Values, starts: Array, *, tolerance: float, is_known: Callable[[Array], Array]
) -> tuple[Array, Array]:
    """Points near the ends of searches from ``starts (S, m)``, and the values there ``(S,)``; steps as of `scout`.

    Parameters
    ----------
    tolerance : slope by the logarithms of variables, or by themselves where they are small, at which a search ends.
    is_known : which of points ``(S, m)`` are so near to where another search ended that theirs can stop.
    """
    x = starts.copy()
    value, gradient = _derivatives(values, x)
    inverse, share = _first_inverses(x, gradient), np.ones(len(x))
    for _ in range(ROUNDS):
        step, slope = _steps(x, gradient, inverse)
        active = np.flatnonzero((share > SHORTEST) & _goes_down(x, value, gradient, slope, tolerance) & ~is_known(x))
        if not len(active):
            break
        step, slope = share[active, None] * step[active], share[active] * slope[active]
        new, after = _derivatives(values, x[active] + step)
        taken = new <= value[active] + ARMIJO * slope
        share[active] *= np.where(taken, 1.0, _shorter(slope, new - value[active]))
        step, new, after, moved = step[taken], new[taken], after[taken], active[taken]
        inverse[moved] = _updated(inverse[moved], step, after - gradient[moved])
        share[moved] = new < value[moved]  # no gain is rounding: that search has ended
        x[moved], value[moved], gradient[moved] = x[moved] + step, new, after
    return x, value


def _derivatives(values: Values, x: Array) -> tuple[Array, Array]:
    """Values ``(S,)`` and gradients ``(S, m)`` at points ``(S, m)``; infinite, without slope, where one is missing."""
    S, m = x.shape
    steps = STEP * np.maximum(np.abs(x), 1.0)[:, None] * np.eye(m)
    points = np.concatenate([x[:, None], x[:, None] + steps, x[:, None] - steps], axis=1)
    heights = values(points.reshape(-1, m)).reshape(S, -1)
    is_whole = np.isfinite(heights).all(axis=1)
    heights = np.where(is_whole[:, None], heights, 0.0)
    slope = (heights[:, 1 : m + 1] - heights[:, m + 1 :]) / (2.0 * np.diagonal(steps, axis1=1, axis2=2))
    return np.where(is_whole, heights[:, 0], np.inf), slope


def _first_inverses(x: Array, gradient: Array) -> Array:
    """Inverse Hessians ``(S, m, m)`` by which the first step halves the largest variable."""
    size = SHORT * np.abs(x).max(axis=1) / np.maximum(np.abs(gradient).max(axis=1), 1e-300)
    return np.asarray(size[:, None, None] * np.eye(x.shape[1]))


def _steps(x: Array, gradient: Array, inverse: Array) -> tuple[Array, Array]:
    """Quasi-Newton steps of bounded length ``(S, m)``, and the slopes along them."""
    step = -(inverse @ gradient[..., None])[..., 0]
    longest = SHORT * np.maximum(np.abs(x).max(axis=1), 1.0)
    step *= np.minimum(1.0, longest / np.maximum(np.abs(step).max(axis=1), 1e-300))[:, None]
    return step, np.sum(gradient * step, axis=1)


def _goes_down(x: Array, value: Array, gradient: Array, slope: Array, tolerance: float) -> Array:
    """Which searches have not ended: they are steep, and a step can be seen in the value."""
    is_steep = np.max(np.abs(gradient) * np.maximum(np.abs(x), 1.0), axis=1) > tolerance
    return np.asarray(is_steep & np.isfinite(value) & (-slope > ROUNDING * np.maximum(np.abs(value), 1.0)))


def _shorter(slope: Array, rise: Array) -> Array:
    """Shares of steps that were too long at which parabolas through both values and the first slope are lowest."""
    dip = rise - slope
    return np.where(np.isfinite(dip), np.clip(-0.5 * slope / np.where(dip > 0.0, dip, np.inf), 0.1, 0.5), 0.1)


def _updated(inverse: Array, s: Array, y: Array) -> Array:
    """BFGS updates of inverse Hessians by steps and changes of the gradient (Nocedal and Wright 2006, 6.17)."""
    curvature = np.sum(s * y, axis=1)
    tells = curvature > PARALLEL * np.linalg.norm(s, axis=1) * np.linalg.norm(y, axis=1)
    c = np.where(tells, curvature, 1.0)[:, None, None]
    Hy = inverse @ y[..., None]
    along, across = s[..., None] * s[:, None], Hy * s[:, None]
    scale = (c + y[:, None] @ Hy) / c**2
    new = inverse + scale * along - (across + np.swapaxes(across, 1, 2)) / c
    return np.where(tells[:, None, None], new, inverse)
