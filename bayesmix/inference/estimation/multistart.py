"""Multistart: quasi-Newton searches from several points at once, each round of evaluations one batch.

Of few rows an evaluation costs its overhead: sixty values in one batch take less time than one with its gradient. So
gradients are central differences, and all searches that have not ended take their next trial together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.searches import first_inverses, quasi_newton

Values = Callable[[Array], Array]  # (n, m) points -> (n,) values, infinite where there is none

STEP = 1e-5  # of the differences: variables are of order one


def multistart(
    values: Values, starts: Array, *, tolerance: float, is_known: Callable[[Array], Array]
) -> tuple[Array, Array]:
    """Points near the ends of searches from ``starts (S, m)``, and the values there ``(S,)``; steps as of `scout`.

    Parameters
    ----------
    tolerance : slope by the logarithms of variables, or by themselves where they are small, at which a search ends.
    is_known : which of points ``(S, m)`` are so near to where another search ended that theirs can stop.
    """

    def is_over(x: Array, value: Array, gradient: Array, slope: Array) -> Array:
        is_steep = np.max(np.abs(gradient) * np.maximum(np.abs(x), 1.0), axis=1) > tolerance
        return ~is_steep | is_known(x)

    value, gradient = _derivatives(values, starts)
    at = starts, value, gradient
    numbers = np.arange(len(starts))
    x, value, _ = quasi_newton(
        lambda _, x: _derivatives(values, x), numbers, at, first_inverses(starts, gradient), is_over=is_over
    )
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
