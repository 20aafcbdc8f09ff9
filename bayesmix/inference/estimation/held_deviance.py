"""The deviance with one parameter held: its value and exact gradient, in coordinates that are smooth at the boundary.

Minus twice the log-likelihood is a function of the held parameter's coordinate ``c`` and of free numbers ``z``: those
of the covariances' roots, for generalized models also the other fixed effects and the log dispersion. Linear models
have their fixed effects at their best throughout, and sigma, too, unless a standard deviation is held.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.held import Root, Unheld, angle_of, held_angle, held_sd, triangular
from bayesmix.inference.estimation.held_coordinate import Held, HeldAngle, HeldDispersion, HeldEffect, HeldSd
from bayesmix.inference.estimation.methods import Agq, Laplace
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import LinearProblem, linear_problem, profiled_deviance, solve_linear
from bayesmix.inference.parameters.covariance import from_factor, split
from bayesmix.inference.parameters.names import corr_names, sd_names
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link


@dataclass(frozen=True, slots=True, eq=False)
class HeldDeviance(ABC):
    """Minus twice the log-likelihood as a function of the held coordinate and of free numbers."""

    held: Held
    roots: tuple[Root, ...]  # per term
    start: Array  # (q,) free numbers at the estimate

    @abstractmethod
    def __call__(self, c: float, z: Array) -> tuple[float, float, Array]:
        """Value, its derivatives by the coordinate and by the free numbers."""

    @abstractmethod
    def at(self, c: float, z: Array) -> float:
        """What the held term's root takes: the relative standard deviation, or the angle."""

    @abstractmethod
    def rest(self, c: float, z: Array, theta: Array) -> tuple[Array, float | None]:
        """Fixed effects, computational, and dispersion at a minimum over all parameters, the held one included."""

    @property
    def n_covariances(self) -> int:
        """Number of free numbers of the covariances, the first ones."""
        return sum(root.size for root in self.roots)

    def spread(self, sizes: Sequence[Array]) -> Array:
        """The start with other covariances: diagonal relative factors of ``sizes (k,)`` of each term."""
        parts = [root.free(np.diag(own)) for root, own in zip(self.roots, sizes, strict=True)]
        return np.concatenate([*parts, self.start[self.n_covariances :]])

    def _split(self, z: Array) -> list[Array]:
        bounds = np.cumsum([0, *(root.size for root in self.roots)])
        return [z[low:high] for low, high in pairwise(bounds)]

    def factors(self, z: Array, held: float) -> list[Array]:
        """Relative factors ``(k, k)`` of the terms."""
        return [root.factor(own, held) for root, own in zip(self.roots, self._split(z), strict=True)]

    def _pull(self, z: Array, held: float, blocks: Sequence[Array]) -> tuple[list[Array], float]:
        """Derivatives by the covariances' free numbers and by the number that a root holds."""
        pulled = [
            root.pull(own, held, block) for root, own, block in zip(self.roots, self._split(z), blocks, strict=True)
        ]
        return [free for free, _ in pulled], sum(by_held for _, by_held in pulled)


@dataclass(frozen=True, slots=True, eq=False)
class LinearDeviance(HeldDeviance):
    """That of a linear mixed model."""

    problem: LinearProblem

    @override
    def __call__(self, c: float, z: Array) -> tuple[float, float, Array]:
        held, working = self.held, self.problem.coordinates
        sigma, at = self._sigma(c, z), self.at(c, z)
        value, by_factor, by_log_sigma, by_row = profiled_deviance(
            self.problem, working.joined(self.factors(z, at)), sigma=sigma, held=self._row(c)
        )
        free, by_at = self._pull(z, at, working.blocks(by_factor))
        match held:
            case HeldSd():
                by_c = by_at * held.unit * math.cosh(c) / (sigma or 1.0)
                free.append(np.array([by_log_sigma - by_at * at]))
            case HeldEffect():
                by_c = by_row * held.unit
            case HeldDispersion():
                by_c = by_log_sigma
            case _:
                by_c = by_at
        return value, by_c, np.concatenate([*free, np.zeros(0)])

    @override
    def at(self, c: float, z: Array) -> float:
        return self.held.value(c) / math.exp(z[-1]) if isinstance(self.held, HeldSd) else c

    @override
    def rest(self, c: float, z: Array, theta: Array) -> tuple[Array, float | None]:
        solution = solve_linear(self.problem, theta)
        return self.problem.beta_ols + solution.beta, math.sqrt(float(solution.rss) / self.problem.n)

    def _sigma(self, c: float, z: Array) -> float | None:
        """Residual standard deviation; None where it is at its best."""
        match self.held:
            case HeldSd():
                return math.exp(z[-1])
            case HeldDispersion():
                return math.exp(c)
            case _:
                return None

    def _row(self, c: float) -> tuple[Array, float] | None:
        """Row of T and what the deviation from least squares is held at."""
        if not isinstance(self.held, HeldEffect):
            return None
        row = self.problem.coordinates.T[self.held.index]
        return row, self.held.value(c) - float(row @ self.problem.beta_ols)


@dataclass(frozen=True, slots=True, eq=False)
class GeneralizedDeviance(HeldDeviance):
    """That of a generalized linear mixed model, by the approximation that its estimate maximises."""

    marginal: MarginalLikelihood

    @override
    def __call__(self, c: float, z: Array) -> tuple[float, float, Array]:
        held, working, m = self.held, self.marginal.problem.coordinates, self.n_covariances
        at = self.at(c, z)
        factors = working.joined(self.factors(z, at))
        beta, dispersion = self._beta(c, z[m:]), self._dispersion(c, z)
        slopes = self.marginal.slopes(factors, beta, dispersion)
        by_beta, slope = working.X.T @ slopes.by_eta, slopes.by_dispersion
        free, by_at = self._pull(z, at, working.blocks(slopes.by_factor))
        match held:
            case HeldEffect(index=j, unit=unit):
                row = working.T[j]
                pull = by_beta[j] / row[j]
                free.append(np.delete(by_beta - pull * row, j))
                by_c = pull * unit
            case HeldSd():
                free.append(by_beta)
                by_c = by_at * held.unit * math.cosh(c)
            case _:
                free.append(by_beta)
                by_c = slope if isinstance(held, HeldDispersion) else by_at
        if self.marginal.has_dispersion and not isinstance(held, HeldDispersion):
            free.append(np.array([slope]))
        return slopes.value, float(by_c), np.concatenate(free)

    @override
    def at(self, c: float, z: Array) -> float:
        return self.held.value(c) if isinstance(self.held, HeldSd) else c

    @override
    def rest(self, c: float, z: Array, theta: Array) -> tuple[Array, float | None]:
        dispersion = self._dispersion(c, z) if self.marginal.has_dispersion else None
        return self._beta(c, z[self.n_covariances :]), dispersion

    def _dispersion(self, c: float, z: Array) -> float:
        """Dispersion, 1 where the family has none."""
        if not self.marginal.has_dispersion:
            return 1.0
        return math.exp(c if isinstance(self.held, HeldDispersion) else z[-1])

    def _beta(self, c: float, rest: Array) -> Array:
        """All fixed effects, computational: that of the held one's column follows from the others and its value."""
        p = len(self.marginal.problem.coordinates.T)
        if not isinstance(self.held, HeldEffect):
            return rest[:p]
        j, row = self.held.index, self.marginal.problem.coordinates.T[self.held.index]
        beta = np.insert(rest[: p - 1], j, 0.0)
        beta[j] = (self.held.value(c) - float(row @ beta)) / row[j]
        return beta


class HeldDeviances:
    """The deviances of one estimate, by name of the parameter that is held."""

    def __init__(self, design: Design, family: Family, link: Link, point: PointEstimate) -> None:
        self.design, self.family, self.link, self.point = design, family, link, point
        self.is_linear = not isinstance(point.method, Laplace | Agq)
        self._factors = [s.factor(t) for s, t in zip(point.coordinates.structures, self._thetas(), strict=True)]
        if isinstance(point.method, Laplace | Agq):
            problem = generalized_problem(design, point.coordinates, family, link)
            self._marginal: MarginalLikelihood | None = MarginalLikelihood(problem, point.method)
            self._linear: LinearProblem | None = None
        else:
            self._marginal, self._linear = None, linear_problem(design, point.coordinates)

    def _thetas(self) -> list[Array]:
        return split(self.point.coordinates.structures, self.point.theta)

    def of(self, name: str) -> HeldDeviance:
        """The deviance that holds a parameter.

        Raises
        ------
        SpecError
            If there is none of that name.
        """
        held, roots = self._held(name)
        free = [root.free(factor) for root, factor in zip(roots, self._factors, strict=True)]
        log_dispersion = [] if self.point.dispersion is None else [math.log(self.point.dispersion)]
        if self._linear is not None:
            rest = log_dispersion if isinstance(held, HeldSd) else []
            return LinearDeviance(held, roots, np.concatenate([*free, np.array(rest)]), self._linear)
        assert self._marginal is not None
        beta = np.linalg.solve(self.point.coordinates.T, self.point.beta)
        if isinstance(held, HeldEffect):
            beta = np.delete(beta, held.index)
        rest = [] if isinstance(held, HeldDispersion) else log_dispersion
        return GeneralizedDeviance(held, roots, np.concatenate([*free, beta, np.array(rest)]), self._marginal)

    def moved(self, deviance: HeldDeviance, c: float, z: Array, criterion: float) -> HeldDeviances:
        """The deviances of another estimate: that at a coordinate and free numbers of one of these."""
        working = self.point.coordinates
        at = deviance.at(c, z)
        factors = [triangular(factor) for factor in deviance.factors(z, at)]
        theta = from_factor(working.structures, factors)
        beta, dispersion = deviance.rest(c, z, theta)
        scale = dispersion**2 if self.is_linear and dispersion is not None else 1.0
        point = replace(
            self.point,
            beta=working.T @ beta,
            dispersion=dispersion,
            covariances=tuple(scale * G for G in working.covariances(theta)),
            theta=theta,
            criterion=criterion,
        )
        return HeldDeviances(self.design, self.family, self.link, point)

    def _held(self, name: str) -> tuple[Held, tuple[Root, ...]]:
        design, point, working = self.design, self.point, self.point.coordinates
        plain = [Unheld(s, C) for s, C in zip(working.structures, working.C, strict=True)]
        if name in design.fixed:
            j = design.fixed.index(name)
            error = math.sqrt(max(float(point.beta_cov[j, j]), 0.0))
            estimate = float(point.beta[j])
            unit = error if math.isfinite(error) and error > 0.0 else max(abs(estimate), 1.0)
            return HeldEffect(0.0, j, estimate, unit), tuple(plain)
        sds, corrs = sd_names(design.terms), corr_names(design.terms)
        for t, structure in enumerate(working.structures):
            before, after = plain[:t], plain[t + 1 :]
            if name in sds[t]:
                e = sds[t].index(name)
                sd, unit = self._sd(t, e)
                held = HeldSd(math.asinh(sd / unit), t, unit)
                return held, (*before, held_sd(structure, working.C[t], e), *after)
            if name in corrs[t]:
                pair = list(combinations(range(structure.k), 2))[corrs[t].index(name)]
                return self._angle(t, pair), (*before, held_angle(structure, working.C[t], pair), *after)
        if point.dispersion is not None and name == self.family.dispersion:
            return HeldDispersion(math.log(point.dispersion)), tuple(plain)
        raise SpecError(f"There is no parameter `{name}` to profile.")

    def _sd(self, t: int, e: int) -> tuple[float, float]:
        """A standard deviation and the unit of its coordinate: itself, or what a level's rows can tell from zero."""
        point, term = self.point, self.design.terms[t]
        sd = math.sqrt(max(float(point.covariances[t][e, e]), 0.0))
        sigma = (point.dispersion or 1.0) if self.is_linear else 1.0
        rows = max(len(self.design.y) / len(term.levels), 1.0)
        natural = sigma * float(np.linalg.norm(point.coordinates.C[t][e])) / math.sqrt(rows)
        return sd, max(sd, natural)

    def _angle(self, t: int, pair: tuple[int, int]) -> HeldAngle:
        structure = self.point.coordinates.structures[t]
        factor = self.point.coordinates.C[t] @ self._factors[t]
        G = factor @ factor.T
        sds = np.sqrt(np.diagonal(G))
        i, j = pair
        rho = float(np.clip(G[i, j] / (sds[i] * sds[j]), -1.0, 1.0)) if sds[i] > 0.0 and sds[j] > 0.0 else 0.0
        return HeldAngle(angle_of(structure, rho), t, structure, getattr(structure.correlation, "lowest", -1.0))
