"""Profile likelihoods: confidence limits that follow the likelihood's own shape.

A limit is where the profile deviance has risen from its minimum to the chi-squared quantile. It is searched outwards
from the estimate, along the valley in which the others' best moves, and verified there: saddles are left, and searches
for other valleys (`profile_curve`) must not find a deeper one. What is not verified is not returned. Of separated data
limits are infinite by the geometry of the predictors, and rises are measured from what the deviance tends to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import NormalDist

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.correlated_profile import CorrelatedDeviances, has_profile
from bayesmix.inference.estimation.estimate import estimate, less_far_out
from bayesmix.inference.estimation.held_deviance import HeldDeviances
from bayesmix.inference.estimation.methods import likelihood_method
from bayesmix.inference.estimation.optimise import Status
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.profile_curve import MAX_WORK, Curve, ExhaustedError, HigherError, Point
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.parallel.progress import shown, working
from bayesmix.parallel.threads import one_blas_thread

MAX_POINTS = 100  # of a search for one limit
MAX_SUMMITS = 5  # maxima that are left for a higher one
CLOSED = 1e-9  # relative width of a bracket
VERIFIED = 1e-4  # of the deviance at a limit
SLACK = 1.0  # of the deviance above the critical value to which other minima are looked for
APART = 1e-3  # of roots of the deviance, relative, between which a curve can be drawn
HIGH = 1.5  # root of the rise over its critical value from which on another valley may be meant
NEXT = 'Fixed effects have method="wald"; or sample (model.sample()), whose intervals need no search'


class Outcome(Enum):
    """How the search for a limit ended; the values complete the sentences that users read."""

    FOUND = "the profile deviance has the critical value"
    END = "the profile deviance stays below the critical value up to the end of the parameter's range"
    INFINITE = "the profile deviance stays below the critical value however far out"
    NOT_FOUND = f"the search did not end where the profile deviance has the critical value. {NEXT}"
    NO_COORDINATE = (
        "only what the search moves by itself is searched along: of several responses the residuals' correlations with"
        f" the first, of a series the last coefficient of each kind. {NEXT}"
    )
    EXHAUSTED = f"the search was given up after {MAX_WORK} evaluations of the deviance. {NEXT}"


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


@one_blas_thread()
def profile_intervals(
    design: Design,
    spec: ModelSpec,
    point: PointEstimate,
    names: Sequence[str],
    level: float,
    *,
    progress: bool = False,
) -> list[Interval]:
    """Limits of parameters where their profile deviances rise to the chi-squared quantile of ``level``.

    REML fits are profiled by maximum likelihood, as lme4 does. A limit beyond the parameter's range is the end of the
    range: 0 for a standard deviation, -1 or 1 for a correlation, and infinity where nothing ends it. Where no place is
    found at which the deviance has the quantile to 1e-4, the limit is NaN.
    """
    rise = critical_rise(level)

    def limits(deviances: HeldDeviances) -> list[Interval]:
        with working("Looking for other valleys", is_shown=progress):
            valleys = deviances.valleys(rise + SLACK)
        curves = {name: Curve(deviances.of(name), deviances.lowest, valleys) for name in held}
        sides = [(curve, side) for curve in curves.values() for side in (-1, 1)]
        watched = shown(sides, len(sides), "Profiling", transient=True, is_shown=progress)
        found = iter([_limit(curve, rise, side) for curve, side in watched])
        return [Interval(name, next(found), next(found)) for name in curves]

    held = [name for name in names if has_profile(design.layout, name)]
    intervals = _around_the_maximum(design, spec, point, limits) if held else None
    found = {one.name: one for one in intervals or ()}
    none = {name: NOT_FOUND if name in held else Limit(math.nan, Outcome.NO_COORDINATE) for name in names}
    return [found.get(name, Interval(name, none[name], none[name])) for name in names]


def profile_rise(design: Design, spec: ModelSpec, point: PointEstimate, name: str, at: float) -> float:
    """Rise of the profile deviance where a parameter is held ``at`` a value: an interval holds it if this is small.

    NaN where a minimum or the maximum of the likelihood was not found, or the parameter is no coordinate.
    """
    if not has_profile(design.layout, name):
        return math.nan

    def rise(deviances: HeldDeviances) -> float:
        curve = Curve(deviances.of(name), deviances.lowest, deviances.valleys(math.inf))
        c = float(np.clip(curve.held.coordinate(at), *curve.held.ends))
        try:
            point = curve.deepest(curve.lowest(c, curve.moved(curve.summit, c)))
        except ExhaustedError:
            return math.nan
        return point.rise if point.is_minimum else math.nan

    found = _around_the_maximum(design, spec, point, rise)
    return math.nan if found is None else max(found, 0.0)


def critical_rise(level: float) -> float:
    """The chi-squared quantile that bounds the rise of the deviance within an interval."""
    return NormalDist().inv_cdf(0.5 + 0.5 * level) ** 2


def _around_the_maximum[T](
    design: Design, spec: ModelSpec, point: PointEstimate, work: Callable[[HeldDeviances], T]
) -> T | None:
    """Work with the deviances around the estimate, or around a higher maximum where the work comes across one.

    None where the estimate is at the edge of where the random effects have a conditional mode: it is no maximum.
    """
    method = likelihood_method(point.method, spec)
    if method != point.method:
        point = estimate(design, spec, method)
    if point.optimum.status is Status.LOST:
        return None
    held = CorrelatedDeviances if spec.has_row_covariance else HeldDeviances
    deviances: HeldDeviances = held(design, spec, less_far_out(design, spec, point))
    for _ in range(MAX_SUMMITS):
        try:
            return work(deviances)
        except HigherError as higher:
            deviances = deviances.moved(higher.deviance, higher.c, higher.z, higher.value)
    return None


def _limit(curve: Curve, rise: float, side: int) -> Limit:
    """Search outwards for where the profile deviance reaches ``rise``; verify it there."""
    held = curve.held
    end, bound = held.ends[max(side, 0)], held.range[max(side, 0)]
    at_end = Limit(bound, Outcome.INFINITE if math.isinf(bound) else Outcome.END)
    if abs(end - held.centre) < CLOSED or held.is_endless[max(side, 0)]:
        return at_end
    curve.renew()
    try:
        if side < 0 and held.is_replaced and curve.rescaled(end).root < math.sqrt(rise):
            return at_end
        found = _searched(curve, rise, side, end)
    except ExhaustedError:
        return Limit(math.nan, Outcome.EXHAUSTED)
    return at_end if found is None else found


def _searched(curve: Curve, rise: float, side: int, end: float) -> Limit | None:
    """The limit; None where the deviance stays below the critical value up to the ``end``."""
    goal, held = math.sqrt(rise), curve.held
    search = _Search(curve.summit, side, goal, (curve.spread, min(goal * curve.spread, held.longest)))
    for _ in range(MAX_POINTS):
        c = float(np.clip(search.next(), *held.ends))
        point = _next(curve, search, c)
        if not (abs(point.rise - rise) < 0.5 * VERIFIED or search.is_closed or (c == end and point.root < goal)):
            search.add(point)
            continue
        best = curve.deepest(point)
        if c == end and best.root < goal:
            return None
        if abs(best.rise - rise) < VERIFIED:
            return Limit(held.value(_refined(best, rise)), Outcome.FOUND) if best.is_minimum else NOT_FOUND
        if search.is_closed and best.root > goal:
            break
        search.leave_for(best)
    return NOT_FOUND


def _next(curve: Curve, search: _Search, c: float) -> Point:
    """The minimum that the last one leads to along the tangent; where that is none, or high, the inner one as it is."""
    point = curve.lowest(c, curve.moved(search.last, c, search.tangent()), search.last.inverse)
    if (point.is_minimum and point.root < HIGH * search.goal) or search.inner.c == 0.0:
        return point
    other = curve.lowest(c, curve.stretched(search.inner, c))
    return other if other.is_minimum or other.rise < point.rise else point


def _refined(point: Point, rise: float) -> float:
    """The coordinate of a critical rise that a point is within `VERIFIED` of: a last step along its slope."""
    step = (rise - point.rise) / point.slope if point.slope else 0.0
    return point.c + step if abs(step) < VERIFIED * max(abs(point.c), 1.0) else point.c


class _Search:
    """Safeguarded steps towards the coordinate at which the root of the deviance is ``goal``."""

    def __init__(self, summit: Point, side: int, goal: float, sizes: tuple[float, float]) -> None:
        self.summit, self.side, self.goal = summit, side, goal
        self.spread, self.step = sizes
        self.inner, self.last = summit, summit
        self.outer: Point | None = None
        self.before: Point | None = None  # the last but one
        self.widths: list[float] = []

    @property
    def is_closed(self) -> bool:
        """Whether the bracket is too narrow to search on."""
        return self.outer is not None and self._width < CLOSED * max(abs(self.outer.c), 1.0)

    @property
    def _width(self) -> float:
        return math.inf if self.outer is None else abs(self.outer.c - self.inner.c)

    def add(self, point: Point) -> None:
        """Narrow the bracket, or move it outwards; where no minimum was found there is nothing to go on from."""
        is_beyond = not point.root < self.goal
        if is_beyond:
            self.outer = point if point.is_minimum else replace(point, rise=math.inf)
        else:
            self.inner = point
            if self.outer is not None and math.isinf(self.outer.rise) and len(self.widths) > 1:
                self.outer = None  # nothing was found there; from here something may be
        if point.is_minimum or not is_beyond:
            self.last, self.before = point, self.last
        self.widths.append(self._width)

    def leave_for(self, point: Point) -> None:
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
        """Where to look next: a predicted step inside the bracket, or a longer one outwards where there is none yet."""
        point = self.last
        if point is self.summit and self.outer is None:
            return point.c + self.side * self.step
        predicted = self._predicted()
        if self.outer is None:
            longest = max(self.step, abs(point.c - self.summit.c))
            share = self.side * (predicted - point.c) / longest
            return point.c + self.side * longest * (min(max(share, 0.05), 1.0) if math.isfinite(share) else 1.0)
        low, high = self.inner.c, self.outer.c
        share = (predicted - low) / (high - low)
        is_slow = math.isinf(self.outer.rise) or (len(self.widths) > 3 and self.widths[-1] > 0.5 * self.widths[-4])
        return low + (high - low) * (0.5 if is_slow or not math.isfinite(share) else min(max(share, 0.02), 0.98))

    def _predicted(self) -> float:
        """Coordinate of the goal by the cubic in the root through the last two points; by Newton's step without two."""
        last, before = self.last, self.before
        newton = last.c + self._by_root(last) * (self.goal - last.root)
        width = 0.0 if before is None else last.root - before.root
        if before is None or not abs(width) > APART * self.goal or not math.isfinite(width):
            return newton
        t = (self.goal - before.root) / width
        line = before.c + t * (last.c - before.c)
        bends = (1.0 - t) * (self._by_root(before) * width - (last.c - before.c))
        bends -= t * (self._by_root(last) * width - (last.c - before.c))
        cubic = line + t * (1.0 - t) * bends
        return cubic if math.isfinite(cubic) else newton

    def _by_root(self, point: Point) -> float:
        """Derivative of the coordinate by the root of the deviance; NaN where there is none."""
        if point is self.summit:
            return self.side * self.spread
        return 2.0 * point.root / point.slope if self.side * point.slope > 0.0 else math.nan
