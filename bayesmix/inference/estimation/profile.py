"""Profile likelihoods: confidence limits that follow the likelihood's own shape.

A limit is where the profile deviance has risen from its minimum to the chi-squared quantile. It is searched outwards
from the estimate, along the valley in which the others' best moves, and verified there: searches from other places, the
boundary among them, must not find a deeper one. What is not verified is not returned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.held_deviance import HeldDeviance, HeldDeviances
from bayesmix.inference.estimation.methods import Agq, Laplace, Ml
from bayesmix.inference.estimation.optimise import descend, difference
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link
from bayesmix.parallel.threads import one_blas_thread

MAX_POINTS = 100  # of a search for one limit
MAX_SUMMITS = 5  # maxima that are left for a higher one
GRADIENT = 1e-5  # of the deviance, by standard errors, at a minimum
ROUGH = 0.5  # the same of a first look at another valley
STALLED = 1e-2  # slope that a minimum must not have
CLOSE = 1e-6  # relative error of the root of the deviance
FLAT = 1e-8  # curvature that says nothing of how far a limit is
NEAR = 0.5  # standard errors within which a rough search has come to a minimum that is known
SHALLOW = 1.0  # rise of the deviance above the deepest minimum at which a rough search is given up
CLOSED = 1e-9  # relative width of a bracket
EQUAL = 1e-5  # of deviances: two searches have found the same minimum, or one a lower
VERIFIED = 1e-4  # of the deviance at a limit
SIZES = (0.1, 1.0, 4.0)  # relative standard deviations that other searches start from


class Outcome(Enum):
    """How the search for a limit ended; the values complete the sentences that users read."""

    FOUND = "the profile deviance has the critical value"
    END = "the profile deviance stays below the critical value up to the end of the parameter's range"
    INFINITE = "the profile deviance stays below the critical value however far out"
    NOT_FOUND = "the search did not end where the profile deviance has the critical value"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a profile interval."""

    value: float  # NaN if none was found
    outcome: Outcome


NOT_FOUND = Limit(math.nan, Outcome.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Interval:
    """Both limits of a parameter."""

    name: str
    lower: Limit
    upper: Limit


class _HigherError(Exception):
    """A search has found a higher likelihood than the estimate's."""

    def __init__(self, curve: _Curve, point: _Point) -> None:
        super().__init__()
        self.curve, self.point = curve, point


class _KnownError(Exception):
    """A search has come to a minimum that is known."""


@one_blas_thread()
def profile_intervals(
    design: Design, family: Family, link: Link, point: PointEstimate, names: Sequence[str], level: float
) -> list[Interval]:
    """Limits of parameters where their profile deviances rise to the chi-squared quantile of ``level``.

    REML fits are profiled by maximum likelihood, as lme4 does. A limit beyond the parameter's range is the end of the
    range: 0 for a standard deviation, -1 or 1 for a correlation, and infinity where nothing ends it. Where no place is
    found at which the deviance has the quantile to 1e-4, the limit is NaN.
    """
    rise = critical_rise(level)

    def limits(deviances: HeldDeviances) -> list[Interval]:
        curves = {name: _Curve(deviances.of(name), deviances.point.criterion) for name in names}
        return [Interval(name, *(_limit(curve, rise, side) for side in (-1, 1))) for name, curve in curves.items()]

    found = _around_the_maximum(design, family, link, point, limits)
    return [Interval(name, NOT_FOUND, NOT_FOUND) for name in names] if found is None else found


def profile_rise(design: Design, family: Family, link: Link, point: PointEstimate, name: str, at: float) -> float:
    """Rise of the profile deviance where a parameter is held ``at`` a value: an interval holds it if this is small.

    NaN where a minimum or the maximum of the likelihood was not found.
    """

    def rise(deviances: HeldDeviances) -> float:
        curve = _Curve(deviances.of(name), deviances.point.criterion)
        c = float(np.clip(curve.held.coordinate(at), *curve.held.ends))
        point = curve.deepest(curve.lowest(c, curve.moved(curve.summit, c)))
        return point.rise if point.is_minimum else math.nan

    found = _around_the_maximum(design, family, link, point, rise)
    return math.nan if found is None else max(found, 0.0)


def critical_rise(level: float) -> float:
    """The chi-squared quantile that bounds the rise of the deviance within an interval."""
    return NormalDist().inv_cdf(0.5 + 0.5 * level) ** 2


def _around_the_maximum[T](
    design: Design, family: Family, link: Link, point: PointEstimate, work: Callable[[HeldDeviances], T]
) -> T | None:
    """Work with the deviances around the estimate, or around a higher maximum where the work comes across one."""
    if not isinstance(point.method, Ml | Laplace | Agq):
        point = estimate(design, family, link, Ml())
    deviances = HeldDeviances(design, family, link, point)
    for _ in range(MAX_SUMMITS):
        try:
            return work(deviances)
        except _HigherError as higher:
            deviances = deviances.moved(higher.curve.deviance, *higher.curve.summit_near(higher.point))
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """The minimum of the deviance with the coordinate held, as far as a search from one place has found it."""

    c: float
    z: Array  # the others' best
    rise: float  # of the deviance above the estimate's; infinite where the search had no place to start from
    slope: float  # by the coordinate
    is_minimum: bool  # whether the gradient by the others vanishes

    @property
    def root(self) -> float:
        """Root of the rise: nearly a straight line over the coordinate."""
        return math.sqrt(max(self.rise, 0.0))


class _Curve:
    """The profile of the deviance along the coordinate of one parameter."""

    def __init__(self, deviance: HeldDeviance, criterion: float) -> None:
        self.deviance, self.held, self.criterion = deviance, deviance.held, criterion
        x = np.array([self.held.centre, *deviance.start])
        gradient = self._joint(x)[1]
        hessian = difference(self._joint, x, at=gradient)
        values, vectors = np.linalg.eigh(hessian[1:, 1:])
        sizes = np.maximum(np.abs(values), 1e-6 * max(float(np.abs(values).max(initial=0.0)), 1e-300))
        self.units = vectors / np.sqrt(sizes)  # of the searches: standard errors of the others
        self.tangent = -self.units @ (self.units.T @ hessian[1:, 0])  # of the others' best over the coordinate
        curvature = float(hessian[0, 0] + hessian[0, 1:] @ self.tangent)
        self.spread = math.sqrt(2.0 / curvature) if curvature > FLAT else 1.0  # rises the deviance by one
        self.summit = _Point(self.held.centre, deviance.start, 0.0, 0.0, is_minimum=True)

    def _joint(self, x: Array) -> tuple[float, Array]:
        value, by_c, by_z = self._at(float(x[0]), x[1:])
        return value, np.array([by_c, *by_z])

    def _at(self, c: float, z: Array) -> tuple[float, float, Array]:
        """The deviance and its gradient; infinite where it cannot be computed."""
        try:
            return self.deviance(c, z)
        except np.linalg.LinAlgError:
            return math.inf, 0.0, np.zeros_like(z)

    def summit_near(self, point: _Point) -> tuple[float, Array, float]:
        """The maximum of the likelihood near a point: coordinate, the others, deviance."""
        x, value, _ = descend(self._joint, np.array([point.c, *point.z]), None, tolerance=GRADIENT)
        return float(x[0]), x[1:], value

    def moved(self, point: _Point, c: float, tangent: Array | None = None) -> Array:
        """The others' best at another coordinate, along a line."""
        return np.asarray(point.z + (c - point.c) * (self.tangent if tangent is None else tangent))

    def lowest(self, c: float, start: Array) -> _Point:
        """The minimum with the coordinate held, by a search from one place.

        Raises
        ------
        _HigherError
            If it is lower than the estimate's.
        """
        y, value, _ = descend(self._held(c, start), np.zeros(len(start)), np.eye(len(start)), tolerance=GRADIENT)
        z = start + self.units @ y
        again, slope, by_z = self._at(c, z)
        if not math.isfinite(value) or not math.isfinite(again):
            return _Point(c, z, math.inf, 0.0, is_minimum=False)
        is_minimum = float(np.max(np.abs(self.units.T @ by_z), initial=0.0)) < STALLED
        point = _Point(c, z, value - self.criterion, slope, is_minimum)
        if point.rise < -EQUAL:
            raise _HigherError(self, point)
        return point

    def _held(self, c: float, start: Array) -> Callable[[Array], tuple[float, Array]]:
        """The deviance in units of the others' standard errors from a place."""

        def held(y: Array) -> tuple[float, Array]:
            value, _, by_z = self._at(c, start + self.units @ y)
            return value, self.units.T @ by_z

        return held

    def deepest(self, point: _Point) -> _Point:
        """The lowest of the minima at the coordinate of ``point``, by searches from other places, too."""
        for start in self._starts(point.c):
            place = self._elsewhere(point, start)
            if place is None:
                continue
            other = self.lowest(point.c, place)
            if other.rise < point.rise - EQUAL or (not point.is_minimum and other.rise < point.rise):
                point = other
        return point

    def _elsewhere(self, point: _Point, start: Array) -> Array | None:
        """Where a rough search leads to, None if that is no deeper than the minimum ``point`` or comes across it."""
        if not len(start):
            return None
        held, known = self._held(point.c, start), np.linalg.solve(self.units, point.z - start)

        def searched(y: Array) -> tuple[float, Array]:
            value, gradient = held(y)
            if np.max(np.abs(y - known)) < NEAR and value - self.criterion > point.rise - EQUAL:
                raise _KnownError
            return value, gradient

        try:
            y, value, _ = descend(searched, np.zeros(len(start)), np.eye(len(start)), tolerance=ROUGH)
        except _KnownError:
            return None
        return start + self.units @ y if value - self.criterion < point.rise + SHALLOW else None

    def _starts(self, c: float) -> Iterator[Array]:
        """Along the line from the estimate, the others as they are there, and covariances from small to large."""
        yield self.moved(self.summit, c)
        yield self.summit.z
        shapes = [root.structure.k for root in self.deviance.roots]
        for size in SIZES:
            yield self.deviance.spread([np.full(k, size) for k in shapes])
        if sum(shapes) > 1:
            for one in np.eye(sum(shapes)):
                sizes = np.where(one > 0.0, SIZES[-1], SIZES[0])
                yield self.deviance.spread(np.split(sizes, np.cumsum(shapes)[:-1]))


def _limit(curve: _Curve, rise: float, side: int) -> Limit:
    """Search outwards for where the profile deviance reaches ``rise``; verify it there."""
    goal, held = math.sqrt(rise), curve.held
    end, bound = held.ends[max(side, 0)], held.range[max(side, 0)]
    at_end = Limit(bound, Outcome.INFINITE if math.isinf(bound) else Outcome.END)
    if abs(end - held.centre) < CLOSED:
        return at_end
    search = _Search(curve.summit, side, goal, min(goal * curve.spread, held.longest))
    for _ in range(MAX_POINTS):
        c = float(np.clip(search.next(), *held.ends))
        point = curve.lowest(c, curve.moved(search.last, c, search.tangent()))
        if abs(point.root - goal) < CLOSE * goal or search.is_closed or (c == end and point.root < goal):
            best = curve.deepest(point)
            if c == end and best.root < goal:
                return at_end
            if abs(best.rise - rise) < VERIFIED:
                return Limit(held.value(c), Outcome.FOUND) if best.is_minimum else NOT_FOUND
            if search.is_closed and best.root > goal:
                break
            search.leave_for(best)
            continue
        search.add(point)
    return NOT_FOUND


class _Search:
    """Safeguarded Newton steps towards the coordinate at which the root of the deviance is ``goal``."""

    def __init__(self, summit: _Point, side: int, goal: float, step: float) -> None:
        self.summit, self.side, self.goal, self.step = summit, side, goal, step
        self.inner, self.last = summit, summit
        self.outer: _Point | None = None
        self.before: _Point | None = None  # the last but one
        self.widths: list[float] = []

    @property
    def is_closed(self) -> bool:
        """Whether the bracket is too narrow to search on."""
        return self.outer is not None and self._width < CLOSED * max(abs(self.outer.c), 1.0)

    @property
    def _width(self) -> float:
        return math.inf if self.outer is None else abs(self.outer.c - self.inner.c)

    def add(self, point: _Point) -> None:
        """Narrow the bracket, or move it outwards."""
        if point.root < self.goal:
            self.inner = point
        else:
            self.outer = point
        self.last, self.before = point, self.last
        self.widths.append(self._width)

    def leave_for(self, point: _Point) -> None:
        """Search on along a deeper valley, of which the slope and the far end of the one before say nothing."""
        self.outer = None
        self.add(point)
        self.before = None

    def tangent(self) -> Array | None:
        """Change of the others' best over the coordinate, by the last two points; None where there are not two."""
        if self.before is None or self.before.c == self.last.c:
            return None
        if not (self.before.is_minimum and self.last.is_minimum):
            return None
        return np.asarray((self.last.z - self.before.z) / (self.last.c - self.before.c))

    def next(self) -> float:
        """Where to look next: Newton's step inside the bracket, or a longer one outwards where there is none yet."""
        point, root = self.last, self.last.root
        if point is self.summit:
            return point.c + self.side * self.step
        slope = self.side * point.slope
        newton = self.side * 2.0 * root * (self.goal - root) / slope if slope > 0.0 < root else math.nan
        if self.outer is None:
            longest = max(self.step, abs(point.c - self.summit.c))
            share = self.side * newton / longest
            return point.c + self.side * longest * (min(max(share, 0.05), 1.0) if math.isfinite(share) else 1.0)
        low, high = self.inner.c, self.outer.c
        share = (point.c + newton - low) / (high - low)
        is_slow = math.isinf(self.outer.rise) or (len(self.widths) > 3 and self.widths[-1] > 0.5 * self.widths[-4])
        return low + (high - low) * (0.5 if is_slow or not math.isfinite(share) else min(max(share, 0.02), 0.98))
