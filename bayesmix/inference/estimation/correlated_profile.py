"""The deviance with one parameter held, of linear models whose residuals are correlated within blocks.

Minus twice the log-likelihood with the fixed effects of the mean at their best is a function of the random effects'
covariances and of the numbers ``phi`` of the residual covariance. Of an unstructured matrix a correlation is a number
of its own where its two visits come first: partial correlations with nothing before them are correlations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.layout import Layout
from bayesmix.inference.estimation.correlated import CorrelatedProblem, correlated_problem, criterion
from bayesmix.inference.estimation.held import triangular
from bayesmix.inference.estimation.held_coordinate import HeldEffect, HeldSd
from bayesmix.inference.estimation.held_deviance import HeldDeviance, HeldDeviances
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import held_least_squares, solve_linear
from bayesmix.inference.least_squares.cholesky import factorise
from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.parameters.correlation import Correlation, Free, OneNumber
from bayesmix.inference.parameters.covariance import from_factor
from bayesmix.inference.parameters.natural_scale import is_coordinate, residual_columns
from bayesmix.inference.parameters.residual_families import Arma, residual_family
from bayesmix.language.families.link import CORRELATION
from bayesmix.language.formula.model_spec import ModelSpec


def has_profile(layout: Layout, name: str) -> bool:
    """Whether a parameter can be held: of the coefficients of a series only the last of each kind."""
    own = [layout.fixed[j] for j in residual_columns(layout)]
    if layout.structure is None or name not in own:
        return is_coordinate(layout, name)
    family = residual_family(layout)
    return not isinstance(family, Arma) or own.index(name) + 1 in {family.p, family.size}


@dataclass(frozen=True, slots=True)
class HeldCorrelation(HeldEffect):
    """A correlation in ``(lowest, 1)``: what its logit gives is spread over that range."""

    lowest: float = -1.0

    @property
    @override
    def range(self) -> tuple[float, float]:
        return self.lowest, 1.0

    @override
    def value(self, c: float) -> float:
        return self.lowest + 0.5 * (1.0 - self.lowest) * (1.0 + HeldEffect.value(self, c))

    @override
    def coordinate(self, value: float) -> float:
        return HeldEffect.coordinate(self, 2.0 * (value - self.lowest) / (1.0 - self.lowest) - 1.0)


def _held_number(held: HeldEffect, estimate: float, family: Correlation) -> HeldEffect:
    """A held number of the correlation, at its estimate."""
    lowest = family.lowest if isinstance(family, OneNumber) else -1.0
    return HeldCorrelation(held.centre, held.index, estimate, held.unit, link=held.link, lowest=lowest)


@dataclass(frozen=True, slots=True, eq=False)
class CorrelatedDeviance(HeldDeviance):
    """That of a linear model whose residuals are correlated."""

    problem: CorrelatedProblem  # places in an order in which what is held is one number
    number: int  # which of those of the correlation that is
    order: tuple[int, ...]  # places in the problem's order; empty where they are as they were

    @override
    def __call__(self, c: float, z: Array) -> tuple[float, float, Array]:
        problem, at, m = self.problem, self.at(c, z), self.n_covariances
        phi, working = self._phi(c, z[m:]), problem.coordinates
        linear, factors = problem.at(phi), working.joined(self.factors(z, at))
        found = factorise(working.plan, linear.moments, factors)
        beta, rss, pull = held_least_squares(found.XX, self._row(c))
        residual = np.append(-beta, 1.0)
        S = np.outer(residual, residual)
        slopes = sensitivity(found, S, working.pattern)
        free, by_at = self._pull(z, at, working.blocks([2.0 * G @ L for G, L in zip(slopes.G, factors, strict=True)]))
        by_c, rest = self._along(c, by_at, problem.rows.gradient(phi, slopes, S), pull)
        value = linear.n * math.log(2.0 * math.pi) + rss - linear.log_weights + float(found.log_determinant)
        return float(value), by_c, np.concatenate([*free, rest])

    def _along(self, c: float, by_at: float, by_phi: Array, pull: float) -> tuple[float, Array]:
        """Derivatives by the held coordinate and by the free ones of the numbers of the residual covariance."""
        held, problem, s = self.held, self.problem, self.problem.rows.s
        match held:
            case HeldSd():
                return by_at * held.unit * math.cosh(c), by_phi
            case HeldEffect(index=j) if j in problem.mean:
                return 2.0 * pull * held.unit, by_phi
            case HeldEffect(index=j) if j in problem.spread:
                i = problem.spread.index(j)
                slope = by_phi[i] / problem.change[i, i]
                by_others = np.delete(by_phi[:s] - slope * problem.change[i], i)
                return slope * held.unit, np.concatenate([by_others, by_phi[s:]])
            case HeldEffect():
                return by_phi[s + self.number] * held.unit, np.delete(by_phi, s + self.number)
            case _:
                return by_at, by_phi

    @override
    def at(self, c: float, z: Array) -> float:
        return self.held.value(c) if isinstance(self.held, HeldSd) else c

    @override
    def rest(self, c: float, z: Array, theta: Array) -> tuple[Array, float | None]:
        solution = solve_linear(self.problem.at(phi := self._phi(c, z[self.n_covariances :])), theta)
        mean = self.problem.coordinates.T @ (self.problem.linear.beta_ols + solution.beta)
        if self.order:
            family, s = self.problem.rows.family, self.problem.rows.s
            back = np.argsort(self.order)
            matrix = self.problem.rows.correlation(phi)[np.ix_(back, back)]
            phi = np.concatenate([phi[:s], CORRELATION.of(family.partial(matrix))])
        return self.problem.beta_of(mean, phi), None

    def _phi(self, c: float, rest: Array) -> Array:
        """All numbers of the residual covariance: of the held one from the others and its value."""
        held, problem, s = self.held, self.problem, self.problem.rows.s
        if not isinstance(held, HeldEffect) or held.index in problem.mean:
            return rest
        if held.index not in problem.spread:
            return np.insert(rest, s + self.number, held.coefficient(c))
        i = problem.spread.index(held.index)
        row, gamma = problem.change[i], np.insert(rest[: s - 1], i, 0.0)
        gamma[i] = (held.coefficient(c) - float(row @ gamma)) / row[i]
        return np.concatenate([gamma, rest[s - 1 :]])

    def _row(self, c: float) -> tuple[Array, float] | None:
        """Row of T of a held effect of the mean, and what its deviation from least squares is held at."""
        if not isinstance(self.held, HeldEffect) or self.held.index not in self.problem.mean:
            return None
        row = self.problem.coordinates.T[self.problem.mean.index(self.held.index)]
        return row, self.held.coefficient(c) - float(row @ self.problem.linear.beta_ols)


class CorrelatedDeviances(HeldDeviances):
    """The deviances of one estimate, by name of the parameter that is held."""

    def __init__(self, design: Design, spec: ModelSpec, point: PointEstimate) -> None:
        self.design, self.spec, self.point, self.is_linear = design, spec, point, True
        self._factors = [s.factor(t) for s, t in zip(point.coordinates.structures, self._thetas(), strict=True)]
        self._problem = correlated_problem(design, spec, point.coordinates)
        self.lowest = point.criterion
        self._endless = np.zeros((len(point.beta), 2), bool)

    @override
    def of(self, name: str) -> HeldDeviance:
        held, roots = self._held(name)
        free = [root.free(factor) for root, factor in zip(roots, self._factors, strict=True)]
        problem, number = self._problem, 0
        order: tuple[int, ...] = ()
        phi = problem.phi_of(self.point.beta)
        if isinstance(held, HeldEffect) and held.index in problem.correlation:
            number = problem.correlation.index(held.index)
            if isinstance(problem.rows.family, Free):
                order = _first(number, problem.rows.family.k)
                problem, phi, number = _reordered(problem, order), _renumbered(problem, phi, order), 0
            held = _held_number(held, float(phi[problem.rows.s + number]), problem.rows.family)
        rest = phi
        if isinstance(held, HeldEffect) and held.index not in problem.mean:
            is_spread = held.index in problem.spread
            place = problem.spread.index(held.index) if is_spread else problem.rows.s + number
            rest = np.delete(phi, place)
        return CorrelatedDeviance(held, roots, np.concatenate([*free, rest]), problem, number, order)

    @override
    def valleys(self, rise: float) -> list[list[Array]]:
        return super().valleys(rise) if self.point.coordinates.structures else []

    @override
    def moved(self, deviance: HeldDeviance, c: float, z: Array, criterion: float) -> HeldDeviances:
        working = self.point.coordinates
        theta = from_factor(working.structures, [triangular(L) for L in deviance.factors(z, deviance.at(c, z))])
        beta, _ = deviance.rest(c, z, theta)
        covariances = tuple(working.covariances(theta))
        point = replace(self.point, beta=beta, covariances=covariances, theta=theta, criterion=criterion)
        return CorrelatedDeviances(self.design, self.spec, point)

    @override
    def _whole(self) -> Array:
        return np.concatenate([self.point.theta, self._problem.phi_of(self.point.beta)])

    @override
    def _objective(self, x: Array) -> tuple[float, Array]:
        return criterion(self._problem, x, reml=False)


def _first(number: int, k: int) -> tuple[int, ...]:
    """An order of places in which the two of a correlation are the first."""
    pair = list(combinations(range(k), 2))[number]
    return (*pair, *(place for place in range(k) if place not in pair))


def _reordered(problem: CorrelatedProblem, order: tuple[int, ...]) -> CorrelatedProblem:
    """The same with the places of its blocks in another order."""
    to = np.argsort(order)
    sizes = tuple(replace(blocks, places=to[blocks.places]) for blocks in problem.rows.sizes)
    return replace(problem, rows=replace(problem.rows, sizes=sizes))


def _renumbered(problem: CorrelatedProblem, phi: Array, order: tuple[int, ...]) -> Array:
    """Numbers of the same covariance with places in another order."""
    matrix = problem.rows.correlation(phi)[np.ix_(order, order)]
    return np.concatenate([phi[: problem.rows.s], CORRELATION.of(problem.rows.family.partial(matrix))])
