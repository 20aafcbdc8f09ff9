"""Multistart: quasi-Newton searches from several points at once, each round of evaluations one batch.

Where an evaluation costs its overhead, several in one batch take little more time than one. So all searches that have
not ended take their next trial together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.curvature import first_inverses
from bayesmix.inference.estimation.optimise import steepness
from bayesmix.inference.estimation.searches import Derivatives, in_pieces, quasi_newton

Values = Callable[[Array], Array]  # (n, m) points -> (n,) values, infinite where there is none
Known = Callable[[Array, float | Array, Array], Array]  # (..., m) points, (...,) values, gradients -> (...,) bool

STEP = 1e-5  # of the differences: variables are of order one


def multistart(
    derivatives: Derivatives,
    starts: Array,
    *,
    tolerance: float,
    is_known: Known | None = None,
    which: Array | None = None,
    rest: Array | None = None,
) -> tuple[Array, Array]:
    """Points near the ends of searches from ``starts (S, m)``, and the values there ``(S,)``; steps as of `scout`.

    Parameters
    ----------
    tolerance : slope by the logarithms of variables, or by themselves where they are small, at which a search ends.
    is_known : which points, their values and gradients tell that their searches are on their way to where another one
        ended; these stop, and their values are infinite. None if None.
    which : numbers ``(S,)`` that the objective knows the searches by; 0, 1, ... if None.
    rest : as in `scout`.
    """

    def is_over(x: Array, value: Array, gradient: Array, slope: Array) -> Array:
        is_steep = steepness(x, gradient) > tolerance
        return ~is_steep if is_known is None else ~is_steep | is_known(x, value, gradient)

    which = np.arange(len(starts)) if which is None else which
    derivatives = in_pieces(derivatives, len(starts))
    value, gradient = derivatives(which, starts)
    inverse = first_inverses(starts, gradient, rest)
    x, value, gradient = quasi_newton(derivatives, which, (starts, value, gradient), inverse, is_over=is_over)
    return x, value if is_known is None else np.where(is_known(x, value, gradient), np.inf, value)


def differenced(values: Values) -> Derivatives:
    """With gradients by differences: sixty values in one batch take less time than one with its gradient."""

    def derivatives(which: Array, x: Array) -> tuple[Array, Array]:
        S, m = x.shape
        steps = STEP * np.maximum(np.abs(x), 1.0)[:, None] * np.eye(m)
        points = np.concatenate([x[:, None], x[:, None] + steps, x[:, None] - steps], axis=1)
        heights = values(points.reshape(-1, m)).reshape(S, -1)
        is_whole = np.isfinite(heights).all(axis=1)
        heights = np.where(is_whole[:, None], heights, 0.0)
        slope = (heights[:, 1 : m + 1] - heights[:, m + 1 :]) / (2.0 * np.diagonal(steps, axis1=1, axis2=2))
        return np.where(is_whole, heights[:, 0], np.inf), slope

    return derivatives
