"""Minimisation of a smooth criterion: quasi-Newton steps, then Newton's method on differenced gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.curvature import (
    absolute_inverse,
    first_inverses,
    longest,
    newton_step,
    steps,
    symmetric,
)

MAX_BFGS, MAX_NEWTON = 500, 100  # narrow bent valleys took 30 of Newton's; a regular optimum takes two or three
FAR = 1e-2  # relative distance after which the Hessian is taken anew
ROUNDING, PATH = 1e-12, 1e-6  # of the value, and what is more than rounding where a point is come to again
MAX_TRIALS, MAX_LOST = 20, 3  # of a line search; of all trials where a mode is lost, before a search is given up
ARMIJO, STEEP = 1e-4, 0.9  # shares of the slope that a step must gain, and may leave
MAX_SCOUT = 60  # of its steps; where it has not ended by then, but is lower than another, it goes on
PARALLEL = 1e-10  # cosine of a step and the change of the gradient from which on the two tell a curvature
CURVATURE_FIRST = 6  # up to so many variables the Hessian at the start is worth its evaluations
STEEPEST = 1e-4  # slope at which quasi-Newton steps leave the rest to Newton's method ...
GAIN = 1e-3  # ... or predicted gain, where a Hessian costs little more than an evaluation or so

Objective = Callable[[Array], tuple[float, Array]]  # value and gradient


@dataclass(frozen=True, slots=True, eq=False)
class Batched:
    """An objective of which many points cost little more than one."""

    at_one: Objective
    at_many: Callable[[Array], tuple[Array, Array]]  # points (n, m) -> values (n,), gradients (n, m)

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Value and gradient."""
        return self.at_one(x)


@dataclass(frozen=True, slots=True, eq=False)
class Curved:
    """An objective about whose Hessian something is known at less than the price of its differences."""

    at_one: Objective
    curvature: Callable[[Array], Array]  # point (m,) -> about the Hessian (m, m)

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Value and gradient."""
        return self.at_one(x)


class LostModeError(np.linalg.LinAlgError):
    """What an objective is computed at is no mode, or hardly one: near there it falls without a bound."""


class Status(Enum):
    """How an optimisation ended; the values are the sentences users read."""

    CONVERGED = "converged: gradient and curvature at the optimum are those of a minimum"
    FLAT = "converged to a ridge: the criterion does not depend on some direction of the parameters"
    STALLED = "did not converge: no further progress although the gradient is not zero"
    LOST = (
        "did not converge: it was led to where the random effects have no conditional mode (model.sample() needs none)"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """A minimum with its derivatives."""

    x: Array  # (m,)
    value: float
    gradient: Array  # (m,)
    hessian: Array  # (m, m), differences of the gradient
    evaluations: int
    status: Status


class _Counted:
    """An objective that counts its evaluations, remembers the last one, and calls infeasible points infinite."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.evaluations = 0
        self.lost = 0  # of them, where a mode was
        self._last: tuple[Array, float, Array] | None = None

    def __call__(self, x: Array) -> tuple[float, Array]:
        if self._last is not None and np.array_equal(self._last[0], x):
            return self._last[1], self._last[2]
        self.evaluations += 1
        try:
            value, gradient = self.objective(x)
        except np.linalg.LinAlgError as error:
            self.lost += isinstance(error, LostModeError)
            value, gradient = np.inf, np.zeros_like(x)
        if not np.isfinite(value) or not np.isfinite(gradient).all():  # a slope without number leads nowhere
            value, gradient = np.inf, np.zeros_like(x)
        self._last = x.copy(), value, gradient
        return value, gradient

    @property
    def trials(self) -> range:
        """Trials of a line search: none where a search is led to lost modes."""
        return range(MAX_TRIALS if self.lost <= MAX_LOST else 0)

    def has_lost_mode(self, x: Array, value: float) -> bool:
        """Whether modes were lost on the way to a point, or since: then the objective has other values there, too."""
        self._last = None
        return bool(self.lost > 0 or abs(self(x)[0] - value) > PATH * max(abs(value), 1.0))

    def gradients(self, points: Array) -> Array:
        """Gradients ``(n, m)`` at points ``(n, m)``: in one batch where that is cheap, and all can be computed."""
        found = self._together(points)
        return np.array([self(point)[1] for point in points]) if found is None else found[1]

    def hessian(self, x: Array) -> Array:
        """Forward differences of the gradient ``(m, m)``, in one batch with the value where that is cheap."""
        if self._last is None and (found := self._together(np.vstack([x, x + np.diag(steps(x))]))) is not None:
            self._last = x.copy(), float(found[0][0]), found[1][0]
            return symmetric((found[1][1:] - found[1][0]) / steps(x)[:, None])
        return difference(self, x, at=self(x)[1])

    def _together(self, points: Array) -> tuple[Array, Array] | None:
        if not isinstance(self.objective, Batched):
            return None
        try:
            values, gradients = self.objective.at_many(points)
        except np.linalg.LinAlgError:  # at one of them
            return None
        self.evaluations += len(points)
        return (values, gradients) if np.isfinite(values).all() and np.isfinite(gradients).all() else None


def value_at(objective: Objective, x: Array) -> float:
    """The value at a point; infinite where it cannot be computed."""
    return _Counted(objective)(x)[0]


def minimise(objective: Objective, start: Array, *, tolerance: float = 1e-8, accurate: bool = True) -> Optimum:
    """Minimise a smooth function of a few dozen variables of order one.

    Parameters
    ----------
    objective : function of ``(m,)`` returning value and gradient; may raise `numpy.linalg.LinAlgError`.
    accurate : take the Hessian at the optimum by central differences, not by forward ones at half the price.
    tolerance : root of Newton's decrement at which the search stops, in units of the criterion.
    """
    counted = _Counted(objective)
    if not start.size:
        value, gradient = counted(start)
        return Optimum(start, value, gradient, np.zeros((0, 0)), 1, Status.CONVERGED)
    (x, value, gradient), hessian = _quasi_newton(counted, start, gain=0.0 if accurate else GAIN)
    origin = start
    if hessian is None or accurate or _is_far(x, start):
        hessian, origin = difference(counted, x, at=None if accurate else gradient), x
    for _ in range(MAX_NEWTON):
        step, decrement = newton_step(hessian, gradient)
        if decrement < tolerance**2 * max(abs(value), 1.0) or not counted.trials:  # rounding grows with the value
            break
        moved = _line_search(counted, x, value, gradient, step)
        if moved is None:
            break
        x, value, gradient = moved
        if _is_far(x, origin):
            hessian, origin = difference(counted, x, at=None if accurate else gradient), x
    step, decrement = newton_step(hessian, gradient)
    status = _status(counted, x, value, hessian, is_over=bool(np.isfinite(value) and decrement < 1e-8))
    return Optimum(x, value, gradient, hessian, counted.evaluations, status)


def _status(counted: _Counted, x: Array, value: float, hessian: Array, *, is_over: bool) -> Status:
    """How a search ended; where modes were lost only a minimum is an end."""
    if not is_over:
        return Status.LOST if counted.has_lost_mode(x, value) else Status.STALLED
    if counted.lost and np.linalg.eigvalsh(hessian)[0] < -STEEPEST:
        return Status.LOST
    return Status.FLAT if is_flat(hessian) else Status.CONVERGED


def _is_far(x: Array, origin: Array) -> bool:
    """Whether a Hessian at ``origin`` is not that at ``x``."""
    return bool(np.linalg.norm(x - origin) > FAR * max(float(np.linalg.norm(x)), 0.1))


def is_flat(hessian: Array) -> Array | bool:
    """Whether some direction of Hessians ``(..., m, m)`` has no curvature, or that of a maximum: ``(...,)``."""
    values = np.linalg.eigvalsh(hessian) if hessian.shape[-1] else np.ones(1)
    return values[..., 0] < 1e-9 * np.maximum(values[..., -1], 1.0)


def _quasi_newton(
    counted: _Counted, start: Array, *, gain: float = 0.0
) -> tuple[tuple[Array, float, Array], Array | None]:
    """BFGS: point, value and gradient; and the Hessian at the start, from which it goes where that is cheap.

    ``gain`` is what is predicted to be left where it ends.
    """
    hessian, inverse = None, None
    if isinstance(counted.objective, Curved):
        inverse = absolute_inverse(counted.objective.curvature(start))
    elif len(start) <= CURVATURE_FIRST:
        hessian = counted.hessian(start)
        inverse = absolute_inverse(hessian)
    x, value, _ = _bfgs(counted, start, inverse, tolerance=STEEPEST, gain=gain)
    return (x, value, counted(x)[1]), hessian


def _bfgs(
    counted: _Counted, x: Array, inverse: Array | None, *, tolerance: float, gain: float = 0.0
) -> tuple[Array, float, Array]:
    """Point, value and inverse Hessian (Nocedal and Wright 2006, section 6.1).

    Written here since loading ``scipy.optimize`` takes longer than the fit of most models.
    """
    value, gradient = counted(x)
    H = np.eye(len(x)) if inverse is None else 0.5 * (inverse + inverse.T)
    scaled = inverse is not None
    size = 1.0 if scaled else min(1.0, 1.0 / max(float(np.linalg.norm(gradient)), 1e-300))
    for _ in range(MAX_BFGS):
        direction = -H @ gradient
        if np.abs(gradient).max() <= tolerance or -0.5 * float(gradient @ direction) < gain * scaled:
            break
        found = _wolfe(counted, x, (value, gradient), direction, size)
        if found is None:
            break
        size = 1.0
        moved, lower, after = found
        s, y = moved - x, after - gradient
        gained, x, value, gradient = value - lower, moved, lower, after
        if not gained > 0.0:  # rounding: the same step would be tried for ever
            break
        curvature = float(s @ y)
        if not curvature > 0.0:
            continue
        if not scaled:
            H, scaled = curvature / float(y @ y) * np.eye(len(x)), True
        H = _updated(H, s, y)
    return x, value, H


def _wolfe(
    counted: _Counted, x: Array, at: tuple[float, Array], direction: Array, size: float
) -> tuple[Array, float, Array] | None:
    """A step that lowers the objective enough and leaves its slope less steep; None where none is found."""
    value, gradient = at
    slope = float(gradient @ direction)
    if not -slope > ROUNDING * max(abs(value), 1.0):  # no step can be seen in the value
        return None
    low, high = 0.0, np.inf
    best: tuple[Array, float, Array] | None = None
    for _ in counted.trials:
        trial = x + size * direction
        new, after = counted(trial)
        rise = float(after @ direction)
        if not new <= value + ARMIJO * size * slope:
            high = size
            size = low + _parabola(size, slope, new - value) * (high - low)
            continue
        best = trial, new, after
        if rise >= STEEP * slope:
            return best
        low = size
        size = 0.5 * (low + high) if np.isfinite(high) else 3.0 * size
    return best


def descend(
    objective: Objective, start: Array, inverse: Array | None, *, tolerance: float = 1e-6
) -> tuple[Array, float, Array]:
    """BFGS alone: a quick minimum for many similar searches; returns the point, its value and the inverse Hessian.

    ``inverse`` is the inverse Hessian to start from, taken by differences where it is None; ``tolerance`` the largest
    slope that a minimum has.
    """
    counted = _Counted(objective)
    if not start.size:
        return start, counted(start)[0], np.zeros((0, 0))
    if inverse is None:
        (x, value, _), _ = _quasi_newton(counted, start)
        return x, value, absolute_inverse(difference(counted, x), least=1e-8)
    return _bfgs(counted, start, inverse, tolerance=tolerance)


def scout(
    objective: Objective,
    start: Array,
    *,
    tolerance: float,
    rest: Array | None = None,
    is_known: Callable[[Array, float, Array], bool] = lambda x, value, gradient: False,
) -> tuple[Array, float]:
    """BFGS without any Hessian, in steps that are short: where another search would about end, and the value there.

    Far out a criterion is bent the wrong way in the sizes of effects, as a logarithm is. Steps there are as long as the
    line search lets them be, over the valleys and beyond zero, so that none is longer than half of where it begins.

    Parameters
    ----------
    tolerance : slope by the logarithms of variables, or by themselves where they are small, at which the search ends.
    rest : inverse Hessian of the last variables, near enough; the first step of all others halves the largest.
    is_known : whether a point, its value and gradient tell that this search is on its way to where another one ended;
        then it stops, and the value returned is infinite.
    """
    counted, x = _Counted(objective), start
    value, gradient = counted(x)
    H = first_inverses(x, gradient, rest)
    for _ in range(MAX_SCOUT):
        if not np.isfinite(value) or steepness(x, gradient) <= tolerance:
            break
        if is_known(x, value, gradient):
            return x, np.inf
        found = _short_step(counted, x, (value, gradient), -H @ gradient)
        if found is None:
            break
        s, y = found[0] - x, found[2] - gradient
        gain, (x, value, gradient) = value - found[1], found
        if not gain > 0.0:
            break
        H = _updated(H, s, y) if float(s @ y) > PARALLEL * np.linalg.norm(s) * np.linalg.norm(y) else H
    return x, value if counted.trials else np.inf


def steepness(x: Array, gradient: Array) -> Array:
    """Largest slopes ``(...,)`` by the logarithms of variables ``(..., m)``, or by themselves where they are small."""
    return np.asarray(np.max(np.abs(gradient) * np.maximum(np.abs(x), 1.0), axis=-1, initial=0.0))


def _short_step(
    counted: _Counted, x: Array, at: tuple[float, Array], direction: Array
) -> tuple[Array, float, Array] | None:
    """A step of bounded length that lowers the objective enough; None where none is found."""
    value, gradient = at
    slope = float(gradient @ direction)
    if not -slope > ROUNDING * max(abs(value), 1.0):
        return None
    size = min(1.0, float(longest(x)) / float(np.abs(direction).max()))
    for _ in counted.trials:
        trial = x + size * direction
        new, after = counted(trial)
        if new <= value + ARMIJO * size * slope:
            return trial, new, after
        size *= _parabola(size, slope, new - value)
    return None


def _parabola(size: float, slope: float, rise: float) -> float:
    """Share of a step that was too long at which the parabola through both values and the first slope is lowest."""
    dip = rise - size * slope
    return float(np.clip(-0.5 * size * slope / dip, 0.1, 0.5)) if np.isfinite(dip) and dip > 0.0 else 0.1


def _updated(H: Array, s: Array, y: Array) -> Array:
    """BFGS update of an inverse Hessian by a step and the change of the gradient (Nocedal and Wright 2006, 6.17)."""
    curvature, Hy = float(s @ y), H @ y
    H = H + np.outer(s, s) * (curvature + float(y @ Hy)) / curvature**2
    return np.asarray(H - (np.outer(Hy, s) + np.outer(s, Hy)) / curvature)


def difference(objective: Objective, x: Array, *, at: Array | None = None, step: float = 1e-4) -> Array:
    """Symmetrised Jacobian of the gradient ``(m, m)``: central differences, or forward given the gradient ``at`` x."""
    h = steps(x, step)
    if at is not None:
        return symmetric((_gradients(objective, x + np.diag(h)) - at) / h[:, None])
    both = _gradients(objective, np.concatenate([x + np.diag(h), x - np.diag(h)]))
    return symmetric((both[: len(x)] - both[len(x) :]) / (2.0 * h[:, None]))


def _gradients(objective: Objective, points: Array) -> Array:
    """Gradients ``(n, m)`` at points ``(n, m)``."""
    if isinstance(objective, _Counted):
        return objective.gradients(points)
    return np.array([objective(point)[1] for point in points])


def _line_search(
    counted: _Counted, x: Array, value: float, gradient: Array, step: Array
) -> tuple[Array, float, Array] | None:
    """Halve the step until the criterion does not rise (beyond rounding); None if it never does."""
    slack = 1e-12 * max(abs(value), 1.0)
    for halvings in range(12):
        trial = x + step * 0.5**halvings
        new_value, new_gradient = counted(trial)
        if new_value < value - slack:
            return trial, new_value, new_gradient
        if new_value <= value + slack and np.linalg.norm(new_gradient) < 0.5 * np.linalg.norm(gradient):
            return trial, new_value, new_gradient
    return None
