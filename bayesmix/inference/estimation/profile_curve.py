"""The profile of the deviance along one parameter: its minima with the parameter held, and the lowest of them.

A minimum is followed from that at the estimate. Where a limit has been found it is verified: a point may be a saddle,
as boundaries are (the deviance is even in a standard deviation, so that its slope is zero there whatever the data), or
a minimum beside a lower one, to which searches from other covariances lead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.held_coordinate import HeldSd
from bayesmix.inference.estimation.held_deviance import HeldDeviance
from bayesmix.inference.estimation.optimise import descend, difference

MAX_WORK = 2500  # evaluations of the deviance for one limit: regular ones take 15 to 100, of separated rows up to 2 100
GRADIENT = 1e-4  # of the deviance, by standard errors, at a minimum
ROUGH = 0.5  # the same of a first look at another valley
STALLED = 1e-2  # slope that a minimum must not have
STEEP = 1.0  # slope that a higher maximum must not have
FLAT = 1e-8  # curvature that says nothing of how far a limit is
SADDLE = 1e-3  # curvature below minus which a point is none of a minimum
ASIDE = 0.3  # standard errors that a search steps off a saddle
ALIKE = 0.3  # relative difference from a parabola that is still one
NOTHING = 1e-3  # relative standard deviation that is next to zero
WIDEST = 25.0  # rise of the deviance up to which it may be a parabola, or lead to another valley
UNLIKE = 1e4  # rise of the deviance that no other covariance makes up for: without replacement it is 1e7 a row
SHALLOW = 1.0  # rise of the deviance above the deepest minimum at which a rough search is given up
EQUAL = 1e-5  # of deviances: two searches have found the same minimum, or one a lower
ASTRIDE = 2.0  # standard errors from a minimum at which its valley must be a parabola, or is searched from
LEAST = 0.04  # curvature below which standard errors are not taken any longer


class HigherError(Exception):
    """A search has found a higher maximum of the likelihood than the estimate."""

    def __init__(self, deviance: HeldDeviance, c: float, z: Array, value: float) -> None:
        super().__init__()
        self.deviance, self.c, self.z, self.value = deviance, c, z, value


class ExhaustedError(Exception):
    """A search has taken all the evaluations that it may."""


class _KnownError(Exception):
    """A search has come to a minimum that is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """The minimum of the deviance with the coordinate held, as far as a search from one place has found it."""

    c: float
    z: Array  # the others' best
    rise: float  # of the deviance above the estimate's; infinite where the search had no place to start from
    slope: float  # by the coordinate
    is_minimum: bool  # whether the gradient by the others vanishes
    inverse: Array  # Hessian by the others in standard errors, inverted, as the search knows it

    @property
    def root(self) -> float:
        """Root of the rise: nearly a straight line over the coordinate."""
        return math.sqrt(max(self.rise, 0.0))


class Curve:
    """The profile of the deviance along the coordinate of one parameter.

    Parameters
    ----------
    lowest : the deviance that rises are measured from, the lowest there is.
    valleys : relative factors of the terms at other minima over all parameters, as `HeldDeviances.valleys` finds them.
    """

    def __init__(self, deviance: HeldDeviance, lowest: float, valleys: Sequence[Sequence[Array]] = ()) -> None:
        self.deviance, self.held, self.criterion, self.valleys = deviance, deviance.held, lowest, valleys
        self._work = 0
        self._known: tuple[float, Array, tuple[float, float, Array]] | None = None
        x = np.array([self.held.centre, *deviance.start])
        value, gradient = self._joint(x)
        hessian = difference(self._joint, x, at=gradient)
        values, vectors = np.linalg.eigh(hessian[1:, 1:])
        sizes = np.maximum(np.abs(values), 1e-6 * max(float(np.abs(values).max(initial=0.0)), 1e-300))
        self.units = vectors / np.sqrt(sizes)  # of the searches: standard errors of the others
        self.tangent = -self.units @ (self.units.T @ hessian[1:, 0])  # of the others' best over the coordinate
        curvature = float(hessian[0, 0] + hessian[0, 1:] @ self.tangent)
        self.spread = math.sqrt(2.0 / curvature) if curvature > FLAT else 1.0  # rises the deviance by one
        rise = max(value - lowest, 0.0)
        self.summit = Point(self.held.centre, deviance.start, rise, 0.0, is_minimum=True, inverse=np.eye(len(values)))

    def renew(self) -> None:
        """Count evaluations from none, for another limit."""
        self._work = 0

    def _joint(self, x: Array) -> tuple[float, Array]:
        value, by_c, by_z = self._at(float(x[0]), x[1:])
        return value, np.array([by_c, *by_z])

    def _at(self, c: float, z: Array) -> tuple[float, float, Array]:
        """The deviance and its gradient; infinite where it cannot be computed."""
        if self._known is not None and self._known[0] == c and np.array_equal(self._known[1], z):
            return self._known[2]
        self._work += 1
        if self._work > MAX_WORK:
            raise ExhaustedError
        found = math.inf, 0.0, np.zeros_like(z)
        try:
            with np.errstate(all="ignore"):  # far out numbers may overflow; what they give is not finite, and refused
                value, by_c, by_z = self.deviance(c, z)
            if math.isfinite(value + by_c + float(np.sum(by_z))):
                found = value, by_c, by_z
        except (np.linalg.LinAlgError, ArithmeticError):
            pass
        self._known = c, z.copy(), found
        return found

    def moved(self, point: Point, c: float, tangent: Array | None = None) -> Array:
        """The others' best at another coordinate, along a line."""
        return np.asarray(point.z + (c - point.c) * (self.tangent if tangent is None else tangent))

    def stretched(self, point: Point, c: float) -> Array:
        """The others as they are at a point, but for the covariance of a held standard deviation, which is as large."""
        deviance, z = self.deviance, point.z
        if not isinstance(self.held, HeldSd):
            return z
        factors, ratio = deviance.factors(z, deviance.at(point.c, z)), deviance.at(c, z) / deviance.at(point.c, z)
        factors[self.held.term] = ratio * factors[self.held.term]
        return deviance.elsewhere(z, factors)

    def rescaled(self, c: float) -> Point:
        """A low place at another dispersion: a search from where covariances of effects are those of the estimate.

        Where the deviance is far above there, as it is unless effects take the place of residuals, it is not searched.
        """
        z = self.summit.z
        factors = self.deviance.factors(z, self.deviance.at(self.summit.c, z))
        start = self.deviance.elsewhere(z, [math.exp(self.summit.c - c) * factor for factor in factors])
        if not self._at(c, start)[0] - self.criterion < UNLIKE:
            return Point(c, start, math.inf, 0.0, is_minimum=False, inverse=np.eye(len(z)))
        return self.lowest(c, start)

    def lowest(self, c: float, start: Array, inverse: Array | None = None) -> Point:
        """The minimum with the coordinate held, by a search from one place.

        Raises
        ------
        HigherError
            If it is lower than the estimate's.
        """
        H = np.eye(len(start)) if inverse is None else inverse
        y, value, H = descend(self._held(c, start), np.zeros(len(start)), H, tolerance=GRADIENT)
        z = start + self.units @ y
        again, slope, by_z = self._at(c, z)
        if not math.isfinite(value) or not math.isfinite(again):
            return Point(c, z, math.inf, 0.0, is_minimum=False, inverse=np.eye(len(z)))
        is_minimum = float(np.max(np.abs(self.units.T @ by_z), initial=0.0)) < STALLED
        if value < self.criterion - EQUAL:
            self._leave_for(c, z)
            return Point(c, z, math.inf, 0.0, is_minimum=False, inverse=np.eye(len(z)))
        return Point(c, z, value - self.criterion, slope, is_minimum, H)

    def _leave_for(self, c: float, z: Array) -> None:
        """Raise `HigherError` if a higher maximum is near a point; do nothing where rounding alone made it low."""
        x, value, _ = descend(self._joint, np.array([c, *z]), None, tolerance=0.1 * GRADIENT)
        if self.criterion - EQUAL > value and float(np.max(np.abs(self._joint(x)[1]))) < STEEP:
            raise HigherError(self.deviance, float(x[0]), x[1:], value)

    def _held(self, c: float, start: Array) -> Callable[[Array], tuple[float, Array]]:
        """The deviance in units of the others' standard errors from a place."""

        def held(y: Array) -> tuple[float, Array]:
            value, _, by_z = self._at(c, start + self.units @ y)
            return value, self.units.T @ by_z

        return held

    def deepest(self, point: Point) -> Point:
        """The lowest of the minima at the coordinate of ``point``."""
        if not len(point.z):
            return point
        point, hessian = self._off_saddles(point)
        for start in self._starts(point, hessian):
            place = self._elsewhere(point, hessian, start)
            if place is None:
                continue
            other = self.lowest(point.c, place)
            if other.rise < point.rise - EQUAL or (not point.is_minimum and other.rise < point.rise):
                point, hessian = self._off_saddles(other)
        return point

    def _off_saddles(self, point: Point) -> tuple[Point, Array]:
        """A minimum that a saddle leads to, the point itself where it is none; and the Hessian there."""
        point = self._upright(point)
        for _ in range(len(point.z)):
            hessian = self._hessian(point)
            values, vectors = np.linalg.eigh(hessian)
            if values[0] > -SADDLE:
                break
            aside = ASIDE * self.units @ vectors[:, 0]
            lower = min((self.lowest(point.c, point.z + way * aside) for way in (-1.0, 1.0)), key=lambda p: p.rise)
            if not lower.rise < point.rise:
                break
            point = self._upright(lower)
        return point, hessian

    def _upright(self, point: Point) -> Point:
        """The same covariances with the columns of their roots turned as those that searches start from."""
        z = self.deviance.upright(point.c, point.z)
        return point if np.array_equal(z, point.z) else replace(point, z=z, inverse=np.eye(len(z)))

    def _hessian(self, point: Point) -> Array:
        """Hessian by the others at a point, in standard errors."""
        held, zero = self._held(point.c, point.z), np.zeros(len(point.z))
        return difference(held, zero, at=held(zero)[1])

    def _elsewhere(self, point: Point, hessian: Array, start: Array) -> Array | None:
        """Where a rough search leads to, None if that is no deeper than the minimum ``point`` or comes across it."""
        held, known = self._held(point.c, start), np.linalg.solve(self.units, point.z - start)

        def searched(y: Array) -> tuple[float, Array]:
            value, gradient = held(y)
            if _is_parabola(hessian, y - known, value - self.criterion - point.rise, gradient):
                raise _KnownError
            return value, gradient

        try:
            y, value, _ = descend(searched, np.zeros(len(start)), np.eye(len(start)), tolerance=ROUGH)
        except _KnownError:
            return None
        return start + self.units @ y if value - self.criterion < point.rise + SHALLOW else None

    def _starts(self, point: Point, hessian: Array) -> Iterator[Array]:
        """Where other valleys are looked for, all but the covariances as it is at the point.

        At other minima over all parameters; where all effects are independent and of the noise's size, if some are
        next to zero, which no step inside leaves; where one standard deviation is small, if that is not far above; and
        two standard errors from the point along each axis of the covariances.
        """
        for factors in self.valleys:
            yield self.deviance.elsewhere(point.z, factors)
        own = self.deviance.factors(point.z, self.deviance.at(point.c, point.z))
        if any(np.linalg.norm(factor, axis=0).min() < NOTHING for factor in own):
            yield self.deviance.elsewhere(point.z, [np.eye(len(factor)) for factor in own])
        for start in self.deviance.shrunk(point.c, point.z):
            if self._at(point.c, start)[0] - self.criterion < point.rise + WIDEST:
                yield start
        m = self.deviance.n_covariances
        values, vectors = np.linalg.eigh(hessian)
        half = self.units @ vectors / np.sqrt(np.maximum(values, LEAST))
        covariance = half @ half[:m].T
        sizes, axes = np.linalg.eigh(covariance[:m])
        for size, axis in zip(sizes, axes.T, strict=True):
            for way in (-ASTRIDE, ASTRIDE):
                yield point.z + way * covariance @ axis / math.sqrt(size)


def _is_parabola(hessian: Array, distance: Array, rise: float, gradient: Array) -> bool:
    """Whether a place is in the valley of a minimum: rise and gradient are those of the parabola around it."""
    slope = hessian @ distance
    expected = 0.5 * float(slope @ distance)
    if not expected < WIDEST:
        return False
    if expected < EQUAL:
        return rise > -EQUAL
    is_near = abs(rise - expected) < ALIKE * expected
    return is_near and float(np.linalg.norm(gradient - slope)) < ALIKE * float(np.linalg.norm(slope))
