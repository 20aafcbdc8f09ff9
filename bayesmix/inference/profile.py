"""Profile likelihoods: confidence limits that follow the likelihood's own shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import SpecError
from bayesmix.inference.correlation import OneNumber
from bayesmix.inference.covariance import cholesky_psd, from_factor
from bayesmix.inference.estimate import Agq, Laplace, MarginalLikelihood, Ml, PointEstimate, estimate
from bayesmix.inference.natural import TINY, TermCoordinates, split, term_coordinates
from bayesmix.inference.optimise import descend
from bayesmix.inference.parameters import corr_names, sd_names
from bayesmix.inference.pirls import generalized_problem
from bayesmix.inference.reml import deviance, linear_problem
from bayesmix.language.family import Family, Link

Array = np.ndarray

MAX_ROOT = 30
FAR = 60.0  # logarithms beyond this are not searched


@dataclass(frozen=True, slots=True, eq=False)
class Natural:
    """Free coordinates: fixed effects, those of the covariances, log dispersion."""

    terms: tuple[TermCoordinates, ...]
    p: int
    has_dispersion: bool

    def pack(self, beta: Array, covariances: tuple[Array, ...], dispersion: float | None) -> Array:
        """Coordinates of a parameter point."""
        parts = [beta, *(term.pack(matrix) for term, matrix in zip(self.terms, covariances, strict=True))]
        if self.has_dispersion and dispersion is not None:
            parts.append(np.array([math.log(dispersion)]))
        return np.concatenate(parts)

    def unpack(self, x: Array) -> tuple[Array, list[Array], float]:
        """Fixed effects, covariance matrices, dispersion (1 where there is none)."""
        covariances = []
        for term, own in zip(self.terms, split(self.terms, x[self.p :]), strict=True):
            sd, root = term.unpack(own)
            scaled = sd[:, None] * root
            covariances.append(scaled @ scaled.T)
        return x[: self.p], covariances, math.exp(x[-1]) if self.has_dispersion else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """Minus twice the log-likelihood of a design in natural coordinates, with its gradient."""

    natural: Natural
    point: PointEstimate
    objective: Callable[[Array], tuple[float, Array]]  # of (theta, beta~, log dispersion)
    linear: bool

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Value and gradient; the change of coordinates is differenced, the likelihood is not."""
        value, gradient = self.objective(self.inner(x))
        step = 1e-6
        unit = np.eye(len(x)) * step
        slopes = [(self.inner(x + shift) - self.inner(x - shift)) / (2.0 * step) for shift in unit]
        return value, np.array(slopes) @ gradient

    def inner(self, x: Array) -> Array:
        """Computational coordinates of natural ones; `LinAlgError` far out, where a search has lost its way."""
        if np.max(np.abs(x[self.natural.p :]), initial=0.0) > FAR:
            raise np.linalg.LinAlgError("coordinates out of range")
        beta, covariances, dispersion = self.natural.unpack(x)
        working = self.point.coordinates
        scale = dispersion if self.linear else 1.0
        roots = [
            cholesky_psd((inverse := np.linalg.inv(C) / scale) @ covariance @ inverse.T)
            for C, covariance in zip(working.C, covariances, strict=True)
        ]
        parts = [from_factor(working.structures, roots), np.linalg.solve(working.T, beta)]
        return np.concatenate([*parts, [math.log(dispersion)]] if self.natural.has_dispersion else parts)


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
    """Limits of a parameter where its profile deviance rises by the chi-squared quantile of ``level``.

    REML fits are profiled by maximum likelihood, as lme4 does. A limit beyond the parameter's range is the end of the
    range: 0 for a standard deviation, -1 or 1 for a correlation.
    """
    from scipy.special import chdtri

    curve, target = _profile(design, family, link, point, name)
    rise = float(chdtri(1, 1.0 - level))
    return _limit(curve, target, rise, -1.0), _limit(curve, target, rise, 1.0)


def profile_rise(design: Design, family: Family, link: Link, point: PointEstimate, name: str, at: float) -> float:
    """Rise of the profile deviance where a parameter is held ``at`` a value: an interval holds it if this is small."""
    curve, target = _profile(design, family, link, point, name)
    with np.errstate(divide="ignore"):
        coordinate = float(np.clip(target.forth(at), *target.ends))
    return curve.deviance(coordinate, curve.best)[0]


def _profile(design: Design, family: Family, link: Link, point: PointEstimate, name: str) -> tuple[_Curve, _Target]:
    if not isinstance(point.method, Ml | Laplace | Agq):
        point = estimate(design, family, link, Ml())
    target = _target(design, point, family, name)
    return _Curve.around(likelihood(design, family, link, point, target.terms), point, target.index), target


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


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """Signed root of the profile deviance along one coordinate, nearly a straight line."""

    objective: Likelihood
    index: int
    best: Array  # the maximum of the likelihood
    value: float
    inverse: Array  # inverse Hessian there

    @classmethod
    def around(cls, objective: Likelihood, point: PointEstimate, index: int) -> _Curve:
        start = objective.natural.pack(point.beta, point.covariances, point.dispersion)
        best, value, inverse = descend(objective, start, None)
        return cls(objective, index, best, min(value, point.criterion), inverse)

    @property
    def spread(self) -> float:
        """Standard error of the coordinate by the curvature at the maximum."""
        return math.sqrt(max(2.0 * float(self.inverse[self.index, self.index]), 1e-12))

    def deviance(self, at: float, start: Array) -> tuple[float, Array]:
        """Rise of the deviance with the coordinate held ``at``, the others at their best."""
        others = np.arange(len(start)) != self.index

        def held(rest: Array) -> tuple[float, Array]:
            x = np.full(len(start), at)
            x[others] = rest
            value, gradient = self.objective(x)
            return value, gradient[others]

        inverse = self.inverse[np.ix_(others, others)]
        column = self.inverse[others, self.index] / self.inverse[self.index, self.index]
        inverse = inverse - np.outer(column, column) * self.inverse[self.index, self.index]
        # two starts, the last point and the line the curvature predicts: profiles can have more than one valley
        predicted = self.best[others] + column * (at - self.best[self.index])
        found = [descend(held, begin, inverse) for begin in (start[others], predicted)]
        rest, value, _ = min(found, key=lambda result: result[1])
        x = np.full(len(start), at)
        x[others] = rest
        return max(value - self.value, 0.0), x


def _limit(curve: _Curve, target: _Target, rise: float, side: float) -> float:
    """Find by safeguarded secant steps where the signed root of the deviance reaches ``sqrt(rise)``."""
    centre, goal = float(curve.best[curve.index]), math.sqrt(rise)
    end, bound = (target.ends[0], target.range[0]) if side < 0 else (target.ends[1], target.range[1])
    inner, inner_root = centre, 0.0
    outer, outer_root = math.nan, math.nan
    x = curve.best
    step = side * goal * curve.spread
    at = centre + step
    for _ in range(MAX_ROOT):
        at = max(at, end) if side < 0 else min(at, end)
        deviance, x = curve.deviance(at, x)
        root = math.sqrt(deviance)
        if abs(root - goal) < 1e-6 * goal:
            return target.back(at)
        if root > goal:
            outer, outer_root = at, root
        else:
            if at == end:
                return bound
            inner, inner_root = at, root
        at = _next(inner, inner_root, outer, outer_root, goal, step)
    return target.back(at)


def _next(inner: float, inner_root: float, outer: float, outer_root: float, goal: float, step: float) -> float:
    """Secant step inside a bracket, a longer step outside where there is none yet."""
    if math.isnan(outer):
        return inner + step * max(0.5, 1.2 * (goal - inner_root) / goal) * (2.0 if inner_root < 0.5 * goal else 1.0)
    share = (goal - inner_root) / (outer_root - inner_root)
    return inner + min(max(share, 0.02), 0.98) * (outer - inner)
