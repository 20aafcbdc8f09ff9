"""Many searches for minima at once: each round of evaluations is one batch, searches that have ended leave it.

Of small problems an evaluation costs its overhead, so that a thousand in one batch take little more time than a few.
Quasi-Newton steps lead near each minimum, Newton's method on differenced gradients to it, as `optimise.minimise` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.curvature import absolute_inverse, longest, newton_step, steps, symmetric
from bayesmix.inference.estimation.optimise import (
    ARMIJO,
    PARALLEL,
    ROUNDING,
)

Derivatives = Callable[[Array, Array], tuple[Array, Array]]  # searches (S,), points (S, m) -> values, gradients

ROUNDS = 100  # of trials; a search that has not ended by then, but is lower than others, has another go on from there
SHORTEST = 1e-6  # share of a step from which on it is given up
NEAR = 1e-3  # predicted gain at which quasi-Newton steps leave the rest to Newton's
MAX_NEWTON = 20
DECREMENT = 1e-13  # predicted gain at which Newton's method ends, in units of the criterion
CONVERGED = 1e-8  # predicted gain from which on a search has not converged
FAR = 1e-2  # relative distance after which Hessians are taken anew


@dataclass(frozen=True, slots=True, eq=False)
class Minima:
    """Where searches ended."""

    x: Array  # (S, m)
    value: Array  # (S,)
    gradient: Array  # (S, m)
    hessian: Array  # (S, m, m), differences of the gradient
    converged: Array  # (S,) whether the gradient is that of a minimum

    def some(self, places: Array) -> Minima:
        """Those at some places."""
        return Minima(
            self.x[places], self.value[places], self.gradient[places], self.hessian[places], self.converged[places]
        )

    def put(self, at: Array, others: Minima) -> None:
        """Put others in the place of some."""
        self.x[at], self.value[at], self.gradient[at] = others.x, others.value, others.gradient
        self.hessian[at], self.converged[at] = others.hessian, others.converged


def in_pieces(derivatives: Derivatives, size: int) -> Derivatives:
    """The same, ``size`` points at a time; infinite, without slope, at points where it cannot be computed."""

    def at(which: Array, x: Array) -> tuple[Array, Array]:
        if len(x) > size:
            parts = [at(which[i : i + size], x[i : i + size]) for i in range(0, len(x), size)]
        else:
            try:
                value, gradient = derivatives(which, x)
                is_finite = np.isfinite(value) & np.isfinite(gradient).all(axis=1)
                return np.where(is_finite, value, np.inf), np.where(is_finite[:, None], gradient, 0.0)
            except np.linalg.LinAlgError:  # at one of them
                if len(x) == 1:
                    return np.full(1, np.inf), np.zeros_like(x)
                halves = zip(np.array_split(which, 2), np.array_split(x, 2), strict=True)
                parts = [at(*half) for half in halves]
        return np.concatenate([value for value, _ in parts]), np.concatenate([gradient for _, gradient in parts])

    return at


def minimise_together(
    derivatives: Derivatives, starts: Array, *, inverse: Array | None = None, which: Array | None = None
) -> Minima:
    """Minima to which searches from ``starts (S, m)`` lead.

    Parameters
    ----------
    inverse : inverse Hessians ``(..., m, m)`` to begin with; those at the starts if None.
    which : numbers ``(S,)`` that the objective knows the searches by; 0, 1, ... if None.
    """
    which = np.arange(len(starts)) if which is None else which
    value, gradient = derivatives(which, starts)
    if not starts.shape[1]:
        return Minima(starts, value, gradient, np.zeros((len(starts), 0, 0)), np.isfinite(value))
    if inverse is None:
        inverse = absolute_inverse(hessians(derivatives, which, starts, gradient))
    inverse = np.broadcast_to(inverse, (*starts.shape, starts.shape[1])).copy()

    def is_over(x: Array, value: Array, gradient: Array, slope: Array) -> Array:
        return -slope < NEAR

    x, value, gradient = quasi_newton(derivatives, which, (starts, value, gradient), inverse, is_over=is_over)
    return _newton(derivatives, which, x, value, gradient)


def quasi_newton(
    derivatives: Derivatives,
    which: Array,
    at: tuple[Array, Array, Array],
    inverse: Array,
    *,
    is_over: Callable[[Array, Array, Array, Array], Array],
) -> tuple[Array, Array, Array]:
    """Points ``(S, m)``, values ``(S,)`` and gradients to which BFGS steps of bounded length lead; ``at`` the starts.

    Parameters
    ----------
    inverse : (S, m, m) inverse Hessians to begin with; overwritten.
    is_over : which searches have ended, from points, values, gradients, and slopes along the next steps.
    """
    x, value, gradient = (part.copy() for part in at)
    share = np.ones(len(x))
    for _ in range(ROUNDS):
        step, slope = _steps(x, gradient, inverse)
        can_be_seen = np.isfinite(value) & (-slope > ROUNDING * np.maximum(np.abs(value), 1.0))
        active = np.flatnonzero((share > SHORTEST) & can_be_seen & ~is_over(x, value, gradient, slope))
        if not len(active):
            break
        step, slope = share[active, None] * step[active], share[active] * slope[active]
        new, after = derivatives(which[active], x[active] + step)
        taken = new <= value[active] + ARMIJO * slope
        share[active] *= np.where(taken, 1.0, _shorter(slope, new - value[active]))
        step, new, after, moved = step[taken], new[taken], after[taken], active[taken]
        inverse[moved] = _updated(inverse[moved], step, after - gradient[moved])
        share[moved] = new < value[moved]  # no gain is rounding: that search has ended
        x[moved], value[moved], gradient[moved] = x[moved] + step, new, after
    return x, value, gradient


def hessians(derivatives: Derivatives, which: Array, x: Array, gradient: Array) -> Array:
    """Symmetrised forward differences ``(S, m, m)`` of gradients; the identity where these are not finite."""
    m = x.shape[1]
    h = steps(x)
    points = x[:, None] + h[..., None] * np.eye(m)
    _, after = derivatives(np.repeat(which, m), points.reshape(-1, m))
    found = symmetric((after.reshape(points.shape) - gradient[:, None]) / h[..., None])
    return np.where(np.isfinite(found).all(axis=(-1, -2), keepdims=True), found, np.eye(m))


def _newton(derivatives: Derivatives, which: Array, x: Array, value: Array, gradient: Array) -> Minima:
    """Newton's method from near minima."""
    hessian, origin, share = hessians(derivatives, which, x, gradient), x.copy(), np.ones(len(x))
    step, decrement = newton_step(hessian, gradient)
    for _ in range(MAX_NEWTON):
        active = np.flatnonzero((decrement > DECREMENT) & (share > SHORTEST) & np.isfinite(value))
        if not len(active):
            break
        trial = x[active] + share[active, None] * step[active]
        new, after = derivatives(which[active], trial)
        taken = _is_lower(value[active], gradient[active], new, after)
        share[active] = np.where(taken, 1.0, 0.25 * share[active])
        moved = active[taken]
        x[moved], value[moved], gradient[moved] = trial[taken], new[taken], after[taken]
        size = np.linalg.norm(x[moved] - origin[moved], axis=1)
        far = moved[size > FAR * np.maximum(np.linalg.norm(x[moved], axis=1), 0.1)]
        if len(far):
            hessian[far], origin[far] = hessians(derivatives, which[far], x[far], gradient[far]), x[far]
        step[moved], decrement[moved] = newton_step(hessian[moved], gradient[moved])
    return Minima(x, value, gradient, hessian, (decrement < CONVERGED) & np.isfinite(value))


def _is_lower(value: Array, gradient: Array, new: Array, after: Array) -> Array:
    """Whether Newton steps go down; where rounding hides that, whether slopes get less."""
    slack = ROUNDING * np.maximum(np.abs(value), 1.0)
    flatter = np.linalg.norm(after, axis=1) < 0.5 * np.linalg.norm(gradient, axis=1)
    return np.asarray((new < value - slack) | ((new <= value + slack) & flatter))


def _steps(x: Array, gradient: Array, inverse: Array) -> tuple[Array, Array]:
    """Quasi-Newton steps of bounded length ``(S, m)``, and the slopes along them."""
    step = -(inverse @ gradient[..., None])[..., 0]
    step *= np.minimum(1.0, longest(x) / np.maximum(np.abs(step).max(axis=1), 1e-300))[:, None]
    return step, np.sum(gradient * step, axis=1)


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
