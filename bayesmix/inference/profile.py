"""Profile likelihoods: confidence limits that follow the likelihood's own shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import SpecError
from bayesmix.inference.batches import one_blas_thread
from bayesmix.inference.correlation import OneNumber
from bayesmix.inference.covariance import cholesky_psd, from_factor
from bayesmix.inference.estimate import Agq, Laplace, MarginalLikelihood, Ml, PointEstimate, estimate
from bayesmix.inference.natural import TINY, TermCoordinates, split, term_coordinates
from bayesmix.inference.optimise import descend, difference
from bayesmix.inference.parameters import corr_names, sd_names
from bayesmix.inference.pirls import generalized_problem
from bayesmix.inference.reml import deviance, linear_problem
from bayesmix.language.family import Family, Link

Array = np.ndarray

MAX_ROOT = 30
FAR = 60.0  # logarithms beyond this are not searched
STEP = 1e-6  # of the differenced change of coordinates
GRADIENT = 1e-4  # of the deviance, by standard errors: its minimum is then exact to 1e-8
CLOSE = 1e-6  # relative error of the root of the deviance
NEAR = 0.1  # standard errors within which the curvature is not taken anew


@dataclass(frozen=True, slots=True, eq=False)
class Natural:
    """Free coordinates: fixed effects, those of the covariances, log dispersion. Leading axes are free."""

    terms: tuple[TermCoordinates, ...]
    p: int
    has_dispersion: bool

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.p + sum(term.size for term in self.terms) + int(self.has_dispersion)

    def pack(self, beta: Array, covariances: tuple[Array, ...], dispersion: float | None) -> Array:
        """Coordinates of a parameter point."""
        parts = [beta, *(term.pack(matrix) for term, matrix in zip(self.terms, covariances, strict=True))]
        if self.has_dispersion and dispersion is not None:
            parts.append(np.array([math.log(dispersion)]))
        return np.concatenate(parts)

    def unpack(self, x: Array) -> tuple[Array, list[Array], Array]:
        """Fixed effects, covariance matrices, log dispersion (0 where there is none)."""
        covariances = []
        for term, own in zip(self.terms, split(self.terms, x[..., self.p :]), strict=True):
            sd, root = term.unpack(own)
            scaled = sd[..., None] * root
            covariances.append(scaled @ np.swapaxes(scaled, -1, -2))
        return x[..., : self.p], covariances, x[..., -1] if self.has_dispersion else np.zeros(x.shape[:-1])


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """Minus twice the log-likelihood of a design in natural coordinates, with its gradient."""

    natural: Natural
    point: PointEstimate
    objective: Callable[[Array], tuple[float, Array]]  # of (theta, beta~, log dispersion)
    linear: bool

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Value and gradient; the change of coordinates is differenced, the likelihood is not."""
        shift = STEP * np.eye(len(x))
        inner = self.inner(np.vstack([x, x + shift, x - shift]))
        value, gradient = self.objective(inner[0])
        up, down = np.split(inner[1:], 2)
        return value, (up - down) @ gradient / (2.0 * STEP)

    def along(self, terms: tuple[TermCoordinates, ...]) -> Likelihood:
        """The same likelihood in other coordinates of the covariances."""
        return replace(self, natural=replace(self.natural, terms=terms))

    def inner(self, x: Array) -> Array:
        """Computational coordinates of natural ones; `LinAlgError` far out, where a search has lost its way."""
        if np.max(np.abs(x[..., self.natural.p :]), initial=0.0) > FAR:
            raise np.linalg.LinAlgError("coordinates out of range")
        beta, covariances, log_dispersion = self.natural.unpack(x)
        working = self.point.coordinates
        scale = np.exp(2.0 * log_dispersion)[..., None, None] if self.linear else 1.0
        roots = [
            cholesky_psd((inverse := np.linalg.inv(C)) @ covariance @ inverse.T / scale)
            for C, covariance in zip(working.C, covariances, strict=True)
        ]
        theta = np.broadcast_to(from_factor(working.structures, roots), (*x.shape[:-1], working.size))
        parts = [theta, beta @ np.linalg.inv(working.T).T]
        return np.concatenate([*parts, log_dispersion[..., None]] if self.natural.has_dispersion else parts, axis=-1)


def likelihood(
    design: Design, family: Family, link: Link, point: PointEstimate, terms: tuple[TermCoordinates, ...]
) -> Likelihood:
    """The likelihood that ``point``, an ML, Laplace or quadrature estimate, maximises."""
    natural = Natural(terms, len(point.beta), point.dispersion is not None)
    if isinstance(point.method, Laplace | Agq):
        problem = generalized_problem(design, point.coordinates, family, link)
        return Likelihood(natural, point, MarginalLikelihood(problem, point.method), False)
    linear = linear_problem(design, point.coordinates)
    m = point.coordinates.size

    def objective(inner: Array) -> tuple[float, Array]:
        beta = inner[m:-1] - linear.beta_ols
        value, by_theta, by_beta, by_sigma = deviance(linear, inner[:m], beta, math.exp(inner[-1]))
        return value, np.concatenate([by_theta, by_beta, [by_sigma]])

    return Likelihood(natural, point, objective, True)


def profile_interval(
    design: Design, family: Family, link: Link, point: PointEstimate, name: str, level: float
) -> tuple[float, float]:
    """Limits of one parameter, see `profile_intervals`."""
    return profile_intervals(design, family, link, point, [name], level)[0]


@one_blas_thread()
def profile_intervals(
    design: Design, family: Family, link: Link, point: PointEstimate, names: Sequence[str], level: float
) -> list[tuple[float, float]]:
    """Limits of parameters where their profile deviances rise by the chi-squared quantile of ``level``.

    REML fits are profiled by maximum likelihood, as lme4 does. A limit beyond the parameter's range is the end of the
    range: 0 for a standard deviation, -1 or 1 for a correlation.
    """
    from scipy.special import chdtri

    rise = float(chdtri(1, 1.0 - level))
    curves = _curves(design, family, link, point, names)
    return [(_limit(curve, target, rise, -1.0), _limit(curve, target, rise, 1.0)) for curve, target in curves]


def profile_rise(design: Design, family: Family, link: Link, point: PointEstimate, name: str, at: float) -> float:
    """Rise of the profile deviance where a parameter is held ``at`` a value: an interval holds it if this is small."""
    [(curve, target)] = _curves(design, family, link, point, [name])
    with np.errstate(divide="ignore"):
        coordinate = float(np.clip(target.forth(at), *target.ends))
    return min(curve.lowest(start)[0] for start in curve.starts(coordinate))


def _curves(
    design: Design, family: Family, link: Link, point: PointEstimate, names: Sequence[str]
) -> list[tuple[_Curve, _Target]]:
    """The profiles of parameters, around one maximum of the likelihood for each set of coordinates."""
    if not isinstance(point.method, Ml | Laplace | Agq):
        point = estimate(design, family, link, Ml())
    targets = [_target(design, point, family, name) for name in names]
    objective = likelihood(design, family, link, point, term_coordinates(design.terms))
    summits = {terms: _Summit(objective.along(terms), point) for terms in {target.terms for target in targets}}
    return [(_Curve(summits[target.terms], target.index), target) for target in targets]


@dataclass(frozen=True, slots=True)
class _Target:
    """A parameter as a natural coordinate."""

    terms: tuple[TermCoordinates, ...]
    index: int
    back: Callable[[float], float]  # coordinate -> parameter
    forth: Callable[[float], float]  # parameter -> coordinate
    ends: tuple[float, float]  # coordinates at which the search gives up
    range: tuple[float, float]  # limits reported then


def _target(design: Design, point: PointEstimate, family: Family, name: str) -> _Target:
    """Find the coordinate of a parameter by its name."""
    coordinates = term_coordinates(design.terms)
    p = len(design.fixed)
    if name in design.fixed:
        return _Target(coordinates, design.fixed.index(name), float, float, (-np.inf, np.inf), (-np.inf, np.inf))
    offset, sds, corrs = p, sd_names(design.terms), corr_names(design.terms)
    for t, term in enumerate(design.terms):
        if name in sds[t]:
            e = sds[t].index(name)
            sd = math.sqrt(max(point.covariances[t][e, e], 0.0))
            low = math.log(TINY * max(sd, 1e-8))
            return _Target(coordinates, offset + e, math.exp, np.log, (low, np.inf), (0.0, np.inf))
        if name in corrs[t]:
            one, at = coordinates[t].structure.correlation, offset + coordinates[t].n_sd
            if isinstance(one, OneNumber):
                return _Target(
                    coordinates, at, partial(_rho, one), partial(_coordinate, one), (-8.0, 8.0), (one.lowest, 1.0)
                )
            k = len(term.effects)
            j, i = list(combinations(range(k), 2))[corrs[t].index(name)]
            order = (j, i, *(e for e in range(k) if e not in (j, i)))
            turned = (*coordinates[:t], replace(coordinates[t], order=order), *coordinates[t + 1 :])
            return _Target(turned, at, math.tanh, np.arctanh, (-8.0, 8.0), (-1.0, 1.0))
        offset += coordinates[t].size
    if family.dispersion is not None and name == family.dispersion:
        return _Target(coordinates, offset, math.exp, np.log, (-np.inf, np.inf), (0.0, np.inf))
    raise SpecError(f"There is no parameter `{name}` to profile.")


def _rho(family: OneNumber, x: float) -> float:
    return float(family.rho(math.tanh(x)))


def _coordinate(family: OneNumber, rho: float) -> float:
    """The inverse of `_rho`."""
    return float(np.arctanh(2.0 * (rho - family.lowest) / (1.0 - family.lowest) - 1.0))


class _Summit:
    """The maximum of the likelihood and its curvature, in units in which it is round for fixed effects."""

    def __init__(self, objective: Likelihood, point: PointEstimate) -> None:
        self.objective = objective
        self.scale = np.ones(objective.natural.size)
        errors = np.sqrt(np.maximum(np.diagonal(point.beta_cov), 0.0))
        self.scale[: len(errors)] = np.where(errors > 0.0, errors, 1.0)
        start = objective.natural.pack(point.beta, point.covariances, point.dispersion)

        def scaled(z: Array) -> tuple[float, Array]:
            value, gradient = objective(start + self.scale * z)
            return value, self.scale * gradient

        origin = np.zeros(len(start))
        inverse = _inverse(difference(scaled, origin, at=scaled(origin)[1]))
        z, value, _ = descend(scaled, origin, inverse, tolerance=GRADIENT)
        self.x = start + self.scale * z
        self.value = min(value, point.criterion)
        self.inverse = inverse if np.max(np.abs(z)) < NEAR else _inverse(difference(scaled, z))


def _inverse(hessian: Array) -> Array:
    """Inverse with negative curvature reflected, and nearly flat directions made less so."""
    values, vectors = np.linalg.eigh(hessian)
    size = np.maximum(np.abs(values), 1e-6 * max(float(np.abs(values).max()), 1e-300))
    return np.asarray((vectors / size) @ vectors.T)


class _Curve:
    """The profile of the deviance along one coordinate, whose signed root is nearly a straight line."""

    def __init__(self, summit: _Summit, index: int) -> None:
        self.summit = summit
        self.index = index
        self.others = np.arange(len(summit.x)) != index
        variance, scale = float(summit.inverse[index, index]), summit.scale
        slopes = summit.inverse[self.others, index] / variance
        rest = summit.inverse[np.ix_(self.others, self.others)] - np.outer(slopes, slopes) * variance
        values, vectors = np.linalg.eigh(rest)
        sizes = np.sqrt(np.maximum(values, 1e-12 * max(float(values.max(initial=0.0)), 1e-300)))
        self.spread = math.sqrt(2.0 * variance) * float(scale[index])  # standard error by the curvature
        self.slopes = slopes * scale[self.others] / scale[index]  # of the others' best by the coordinate
        self.root = scale[self.others, None] * vectors * sizes

    @property
    def centre(self) -> float:
        """The coordinate at the maximum."""
        return float(self.summit.x[self.index])

    def moved(self, x: Array, at: float) -> Array:
        """Predict the best with the coordinate held ``at`` from that at another place, ``x``, along a line."""
        start = np.full(len(x), at)
        start[self.others] = x[self.others] + self.slopes * (at - x[self.index])
        return start

    def starts(self, at: float) -> list[Array]:
        """Two places to search from: profiles can have more than one valley."""
        stay = self.summit.x.copy()
        stay[self.index] = at
        return [self.moved(self.summit.x, at), stay]

    def lowest(self, start: Array) -> tuple[float, float, Array]:
        """Rise of the deviance with the coordinate held as in ``start``, the others at their best; slope; where.

        The search runs in units of the others' standard errors.
        """

        def place(z: Array) -> Array:
            x = start.copy()
            x[self.others] += self.root @ z
            return x

        def held(z: Array) -> tuple[float, Array]:
            value, gradient = self.summit.objective(place(z))
            return value, self.root.T @ gradient[self.others]

        free = len(start) - 1
        z, value, _ = descend(held, np.zeros(free), np.eye(free), tolerance=GRADIENT)
        x = place(z)
        slope = float(self.summit.objective(x)[1][self.index]) if math.isfinite(value) else 0.0
        return max(value - self.summit.value, 0.0), slope, x


def _limit(curve: _Curve, target: _Target, rise: float, side: float) -> float:
    """Find by safeguarded Newton steps where the root of the deviance reaches ``sqrt(rise)``.

    Once found, other valleys are looked for; where one is deeper, the search goes on in it.
    """
    goal = math.sqrt(rise)
    end, bound = (target.ends[0], target.range[0]) if side < 0 else (target.ends[1], target.range[1])
    bracket, x, is_sure = (curve.centre, math.nan), curve.summit.x, False
    at = curve.centre + side * goal * curve.spread
    for _ in range(MAX_ROOT):
        at = max(at, end) if side < 0 else min(at, end)
        deviance, slope, x = curve.lowest(curve.moved(x, at))
        if not is_sure and (abs(math.sqrt(deviance) - goal) < CLOSE * goal or (at == end and deviance < rise)):
            other = min(map(curve.lowest, curve.starts(at)), key=lambda found: found[0])
            is_sure = other[0] > deviance - CLOSE
            if not is_sure:
                deviance, slope, x = other
        root = math.sqrt(deviance)
        if abs(root - goal) < CLOSE * goal:
            return target.back(at)
        if root < goal and at == end:
            return bound
        step = side * goal * curve.spread
        bracket = (bracket[0], at) if root > goal else (at, bracket[1])
        if abs(bracket[1] - bracket[0]) < 1e-9 * abs(step):  # a valley that a search found once and missed once
            bracket = (at, math.nan) if root < goal else (curve.centre, at)
        newton = 2.0 * root * (goal - root) / slope if slope * side > 0.0 else math.nan
        at = _next(at, newton, bracket, step, curve.centre)
    return target.back(at)


def _next(at: float, newton: float, bracket: tuple[float, float], step: float, centre: float) -> float:
    """Newton's step inside the bracket, or a longer one outwards where there is none yet."""
    inner, outer = bracket
    if math.isnan(outer):
        longest = math.copysign(max(abs(step), abs(at - centre)), step)
        share = newton / longest
        return at + longest * (min(max(share, 0.05), 1.0) if math.isfinite(share) else 1.0)
    share = (at + newton - inner) / (outer - inner)
    return inner + (outer - inner) * (min(max(share, 0.02), 0.98) if math.isfinite(share) else 0.5)
