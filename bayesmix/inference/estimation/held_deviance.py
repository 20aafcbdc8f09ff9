"""The deviance with one parameter held: its value and exact gradient, in coordinates that are smooth at the boundary.

Minus twice the log-likelihood is a function of the held parameter's coordinate ``c`` and of free numbers ``z``: those
of the covariances' roots, for generalized models also the other fixed effects and the log dispersion. Linear models
have their fixed effects at their best throughout, and sigma, too, unless a standard deviation is held.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.distinct_rows import distinct
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.generalized import MarginalLikelihood
from bayesmix.inference.estimation.held import Root, Unheld, coordinate_of, held_number, held_sd, triangular
from bayesmix.inference.estimation.held_coordinate import Held, HeldDispersion, HeldEffect, HeldNumber, HeldSd
from bayesmix.inference.estimation.identifiability import endless_effects, scaled, separated
from bayesmix.inference.estimation.methods import Agq, Laplace
from bayesmix.inference.estimation.optimise import descend, scout
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.estimation.reml import LinearProblem, criterion, linear_problem, profiled_deviance, solve_linear
from bayesmix.inference.parameters.covariance import from_factor, lower, split
from bayesmix.inference.parameters.names import corr_names, sd_names
from bayesmix.inference.parameters.natural_scale import scale_of
from bayesmix.inference.parameters.positive_numbers import PositiveNumbers
from bayesmix.language.formula.model_spec import ModelSpec

SIZES = (0.1, 1.0, 4.0)  # relative standard deviations that searches for other minima start from
REMOTE = 40.0  # linear predictor beyond which a probability of 0 or 1, or a rate of 0, is reached
SMALL = 1e-3  # move of a row, of the largest, that does not count
SHRUNK = 0.1  # share of a standard deviation that is small beside it
ROUGH = 0.1  # slope at which they end
ALIKE = 0.1  # difference of covariances that are the same minimum's
SAME = 1e-9  # relative difference of numbers that are the same but for rounding


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

    def elsewhere(self, z: Array, factors: Sequence[Array]) -> Array:
        """``z`` with the covariances of other relative factors ``(k, k)`` of the terms."""
        parts = [root.free(factor) for root, factor in zip(self.roots, factors, strict=True)]
        return np.concatenate([*parts, z[self.n_covariances :]])

    def shrunk(self, c: float, z: Array) -> Iterator[Array]:
        """``z`` with the effects of a term uncorrelated, and with each column in turn nearly without variance."""
        factors = self.factors(z, self.at(c, z))
        for t, root in enumerate(self.roots):
            if root.structure.k > 1:
                apart = np.linalg.solve(root.C, np.diag(np.linalg.norm(root.C @ factors[t], axis=1)))
                yield self.elsewhere(z, [*factors[:t], apart, *factors[t + 1 :]])
            for scale in np.where(np.eye(root.structure.k) > 0.0, SHRUNK, 1.0):
                own = np.linalg.solve(root.C, scale[:, None] * (root.C @ factors[t]))
                yield self.elsewhere(z, [*factors[:t], own, *factors[t + 1 :]])

    def upright(self, c: float, z: Array) -> Array:
        """``z`` with the signs that roots of positive diagonals have: columns of roots may have either sign."""
        roots = zip(self.roots, self.factors(z, self.at(c, z)), strict=True)
        turned = np.concatenate([*(root.free(lower(factor)) for root, factor in roots), z[self.n_covariances :]])
        with np.errstate(invalid="ignore"):
            is_same = np.abs(np.abs(turned) - np.abs(z)) <= SAME * np.maximum(np.abs(z), 1.0)
        return np.where(turned * z < 0.0, -z, z) if np.all(is_same) else z

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
                free.append(np.array([] if self.problem.has_known_noise else [by_log_sigma - by_at * at]))
            case HeldEffect():
                by_c = by_row * held.unit
            case HeldDispersion():
                by_c = by_log_sigma
            case _:
                by_c = by_at
        return value, by_c, np.concatenate([*free, np.zeros(0)])

    @override
    def at(self, c: float, z: Array) -> float:
        return self.held.value(c) / (self._sigma(c, z) or 1.0) if isinstance(self.held, HeldSd) else c

    @override
    def rest(self, c: float, z: Array, theta: Array) -> tuple[Array, float | None]:
        solution = solve_linear(self.problem, theta)
        beta = self.problem.beta_ols + solution.beta
        if self.problem.has_known_noise:
            return beta, None
        return beta, math.sqrt(float(solution.rss) / self.problem.n)

    def _sigma(self, c: float, z: Array) -> float | None:
        """Residual standard deviation; None where it is at its best, or known to be one."""
        match self.held:
            case HeldSd() if not self.problem.has_known_noise:
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
        return row, self.held.coefficient(c) - float(row @ self.problem.beta_ols)


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
        return float(slopes.value), float(by_c), np.concatenate(free)

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
        beta[j] = (self.held.coefficient(c) - float(row @ beta)) / row[j]
        return beta


class HeldDeviances:
    """The deviances of one estimate, by name of the parameter that is held."""

    def __init__(self, design: Design, spec: ModelSpec, point: PointEstimate) -> None:
        self.design, self.spec, self.point = distinct(design, spec), spec, point
        self.is_linear = not isinstance(point.method, Laplace | Agq)
        self._factors = [s.factor(t) for s, t in zip(point.coordinates.structures, self._thetas(), strict=True)]
        if isinstance(point.method, Laplace | Agq):
            problem = generalized_problem(self.design, point.coordinates, spec)
            self._marginal: MarginalLikelihood | None = MarginalLikelihood(problem, point.method)
            self._linear: LinearProblem | None = None
        else:
            self._marginal, self._linear = None, linear_problem(design, point.coordinates)
        direction = None if self.is_linear else separated(self.design, spec, point)
        self.lowest = self._lowest(direction)  # deviance, or what it tends to
        p = len(point.beta)
        self._endless = np.zeros((p, 2), bool) if direction is None else endless_effects(self.design, spec)

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

    def valleys(self, rise: float) -> list[list[Array]]:
        """Relative factors of the terms at other minima of the deviance, at most ``rise`` above the estimate's.

        Where the region of such a rise is not connected, each of its parts holds a minimum: limits must know them all.
        """
        point, structures = self.point, self.point.coordinates.structures
        found = [self._factors]
        for start in self._starts():
            x, value = scout(self._objective, start, tolerance=ROUGH)
            parts = split(structures, x[: point.coordinates.size])
            factors = [structure.factor(own) for structure, own in zip(structures, parts, strict=True)]
            if value < point.criterion + rise and not any(_are_alike(factors, known) for known in found):
                found.append(factors)
        return found[1:]

    def _lowest(self, direction: Array | None) -> float:
        """The deviance at the estimate; of separated rows, far along the ``direction`` in which it goes on falling."""
        if direction is None:
            return self.point.criterion
        working, moves = self.point.coordinates, scaled(self.design.X) @ direction
        sizes = np.abs(moves)
        step = REMOTE / sizes[sizes > SMALL * sizes.max()].min()
        x = self._whole()
        x[working.size : working.size + len(direction)] += (
            step * np.linalg.lstsq(self.design.X @ working.T, moves, rcond=None)[0]
        )
        try:
            return min(descend(self._objective, x, None)[1], self.point.criterion)
        except np.linalg.LinAlgError:
            return self.point.criterion

    def _starts(self) -> Iterator[Array]:
        """Parameters to search from: covariances from small to large, and large of one effect at a time."""
        structures, m = self.point.coordinates.structures, self.point.coordinates.size
        rest = self._whole()[m:]
        bounds = np.cumsum([0, *(structure.k for structure in structures)])
        k = int(bounds[-1])
        sizes = [np.full(k, size) for size in SIZES]
        if k > 1:
            sizes += list(np.where(np.eye(k) > 0.0, SIZES[-1], SIZES[0]))
        for size in sizes:
            parts = [np.diag(size[low:high]) for low, high in pairwise(bounds)]
            yield np.concatenate([from_factor(structures, parts), rest])

    def _whole(self) -> Array:
        """All parameters at the estimate, as `_objective` takes them."""
        point = self.point
        if self._linear is not None:
            return np.asarray(point.theta)
        log_dispersion = [] if point.dispersion is None else [math.log(point.dispersion)]
        return np.concatenate([point.theta, np.linalg.solve(point.coordinates.T, point.beta), log_dispersion])

    def _objective(self, x: Array) -> tuple[float, Array]:
        """The deviance of all parameters that are not profiled out, and its gradient."""
        if self._linear is not None:
            return criterion(self._linear, x, reml=False)
        assert self._marginal is not None
        return self._marginal(x)

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
        return HeldDeviances(self.design, self.spec, point)

    def _held(self, name: str) -> tuple[Held, tuple[Root, ...]]:
        design, point, working = self.design, self.point, self.point.coordinates
        plain = [Unheld(s, C) for s, C in zip(working.structures, working.C, strict=True)]
        if name in design.fixed:
            return self._effect(design.fixed.index(name)), tuple(plain)
        sds, corrs = sd_names(design.terms), corr_names(design.terms)
        for t, structure in enumerate(working.structures):
            before, after = plain[:t], plain[t + 1 :]
            if name in sds[t]:
                e = sds[t].index(name)
                sd, unit = self._sd(t, e)
                held = HeldSd(math.asinh(sd / unit), t, unit)
                return held, (*before, held_sd(structure, working.C[t], e), *after)
            if name in corrs[t]:
                m = corrs[t].index(name)
                return self._number(t, m), (*before, held_number(structure, working.C[t], m), *after)
        if point.dispersion is not None and name == self.spec.family.dispersion:
            return HeldDispersion(math.log(point.dispersion), self.spec.is_linear), tuple(plain)
        raise SpecError(f"There is no parameter `{name}` to profile.")

    def _effect(self, j: int) -> HeldEffect:
        point, layout = self.point, self.design.layout
        estimate, separates = float(point.beta[j]), (bool(self._endless[j, 0]), bool(self._endless[j, 1]))
        if layout.owners[j] in layout.numbers:
            return HeldEffect(0.0, j, estimate, 1.0, separates, scale_of(layout, layout.owners[j]))
        error = math.sqrt(max(float(point.beta_cov[j, j]), 0.0))
        unit = error if math.isfinite(error) and error > 0.0 else max(abs(estimate), 1.0)
        return HeldEffect(0.0, j, estimate, unit, separates)

    def _sd(self, t: int, e: int) -> tuple[float, float]:
        """A standard deviation and the unit of its coordinate: itself, or what a level's rows can tell from zero."""
        point, term = self.point, self.design.terms[t]
        sd = float(point.coordinates.structures[t].parts(point.covariances[t])[0][e])
        sigma = (point.dispersion or 1.0) if self.is_linear else 1.0
        rows = max(len(self.design.y) / len(term.levels), 1.0)
        natural = sigma * float(np.linalg.norm(point.coordinates.C[t][e])) / math.sqrt(rows)
        return sd, max(sd, natural)

    def _number(self, t: int, number: int) -> HeldNumber:
        family = self.point.coordinates.structures[t].correlation
        factor = self.point.coordinates.C[t] @ self._factors[t]
        structure = self.point.coordinates.structures[t]
        value = float(family.numbers(structure.parts(factor @ factor.T)[1])[number])
        low, high, middle = getattr(family, "lowest", -1.0), 1.0, 0.0
        if isinstance(family, PositiveNumbers):
            low, high, middle = (float(end[number]) for end in (*family.ends, family.middle))
        value = middle if math.isnan(value) else value
        return HeldNumber(coordinate_of(structure, number, value), t, structure, low, high, number)


def _are_alike(factors: Sequence[Array], known: Sequence[Array]) -> bool:
    """Whether relative factors are those of about the same covariances."""
    pairs = zip(factors, known, strict=True)
    return all(bool(np.max(np.abs(left @ left.T - right @ right.T)) < ALIKE) for left, right in pairs)
