"""Conditional modes at many parameter points, each with its own responses: Newton's iterations on a batch axis.

The same iterations as `conditional_mode.find_mode`; points whose mode is found leave the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.conditional_mode import (
    MAX_STEPS,
    NEWTON_CLOSE,
    SCORING_CLOSE,
    SHORTEST,
    UNDONE,
    Effects,
    GeneralizedProblem,
    Mode,
    add_effects,
    factorise_weights,
    solve_rows,
)
from bayesmix.inference.parameters.likelihood import OnePredictor


def with_responses(problem: GeneralizedProblem, responses: Array) -> GeneralizedProblem:
    """The problem of one predictor a row for responses ``(B, n)``."""
    rows = problem.likelihood
    assert isinstance(rows, OnePredictor)
    return replace(problem, likelihood=replace(rows, outcome=replace(rows.outcome, y=responses)))


def with_rows(problem: GeneralizedProblem, kept: Array) -> GeneralizedProblem:
    """The problem for some of the rows, ``kept (B, n)`` bool: the others have no weight."""
    rows = problem.likelihood
    assert isinstance(rows, OnePredictor)
    outcome = replace(rows.outcome, y=np.broadcast_to(rows.outcome.y, kept.shape), weights=rows.outcome.weights * kept)
    return replace(problem, likelihood=replace(rows, outcome=outcome))


def of_some(problem: GeneralizedProblem, some: Array) -> GeneralizedProblem:
    """That for some of the points of a batch."""
    rows = problem.likelihood
    assert isinstance(rows, OnePredictor)
    y, weights = rows.outcome.y[some], rows.outcome.weights
    outcome = replace(rows.outcome, y=y, weights=weights[some] if weights.ndim > 1 else weights)
    return replace(problem, likelihood=replace(rows, outcome=outcome))


@dataclass(slots=True, eq=False)
class _Points:
    """Where the iterations are: changed as they go on."""

    u: list[Array]  # per factor (S, J, k)
    eta: Array  # (S, n)
    objective: Array  # (S,)

    def some(self, at: Array) -> _Points:
        """Those at some places."""
        return _Points([part[at] for part in self.u], self.eta[at], self.objective[at])

    def put(self, at: Array, others: _Points, some: Array | slice) -> None:
        """Take over some of the others."""
        for own, other in zip(self.u, others.u, strict=True):
            own[at] = other[some]
        self.eta[at], self.objective[at] = others.eta[some], others.objective[some]


@np.errstate(all="ignore")  # trial steps may overflow; what they give is then not finite, and refused
def find_modes(
    problem: GeneralizedProblem, Lambdas: Sequence[Array], fixed: Array, dispersion: Array, start: Sequence[Array]
) -> Mode:
    """Maximise the joint densities over the random effects; objectives are infinite where no mode is found.

    Parameters
    ----------
    problem : of `with_responses`, one response a point.
    Lambdas : per factor ``(S, k, k)``.
    fixed : (S, n) the part of the linear predictors that is not integrated out.
    dispersion : (S, 1)
    start : spherical effects to start from, per factor ``(S, J, k)``.
    """
    search = _Search(problem, Lambdas, fixed, dispersion)
    points = search.at(list(start))
    lost = np.flatnonzero(~np.isfinite(points.objective))
    if len(lost):
        again = search.of(lost).at([np.zeros_like(part[lost]) for part in start])
        points.put(lost, again, np.arange(len(lost)))
    found = search.run(points)
    points.objective[~found] = np.inf
    jet = problem.jet(points.eta, dispersion)
    factorisation = factorise_weights(problem, Lambdas, -jet[2])
    b = [u @ np.swapaxes(Lambda, -1, -2) for u, Lambda in zip(points.u, Lambdas, strict=True)]
    return Mode(points.u, b, np.zeros((len(fixed), 0)), points.eta, jet, factorisation, points.objective)


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """The joint densities that modes are of."""

    problem: GeneralizedProblem
    Lambdas: Sequence[Array]
    fixed: Array
    dispersion: Array

    def of(self, some: Array) -> _Search:
        """That of some of the points."""
        Lambdas = [Lambda[some] for Lambda in self.Lambdas]
        return _Search(of_some(self.problem, some), Lambdas, self.fixed[some], self.dispersion[some])

    def at(self, u: list[Array]) -> _Points:
        """Linear predictors and objectives at effects ``u``."""
        b = [part @ np.swapaxes(Lambda, -1, -2) for part, Lambda in zip(u, self.Lambdas, strict=True)]
        eta = self.fixed + add_effects(self.problem.coordinates, b)
        value = self.problem.value(eta, self.dispersion)
        objective = -2.0 * value.sum(axis=-1) + self.problem.coordinates.penalty(u)
        return _Points(u, eta, np.where(np.isfinite(objective), objective, np.inf))

    def run(self, points: _Points) -> Array:
        """Damped Newton steps until all modes are found: which were."""
        polished = np.zeros(len(self.fixed), bool)
        found = polished.copy()
        active = np.flatnonzero(np.isfinite(points.objective))
        own = self.of(active)
        for _ in range(MAX_STEPS):
            if not len(active):
                break
            now = points.some(active)
            step, is_newton = own.steps(now)
            descends = own.descend(now, step)
            points.put(active, now, slice(None))
            size, length = _norm(step), _norm(now.u)
            ended = polished[active] | ~descends
            found[active] = ended & (polished[active] | (size < UNDONE * (1.0 + length)))
            polished[active] = size < np.where(is_newton, NEWTON_CLOSE, SCORING_CLOSE) * (1.0 + length)
            if ended.any():
                active = active[~ended]
                own = self.of(active)
        return found

    def steps(self, now: _Points) -> tuple[list[Array], Array]:
        """Newton steps, scoring ones where the observed information of some row is not positive; which are which."""
        first, second = self.problem.slopes(now.eta, self.dispersion)
        is_newton = np.all(second < 0.0, axis=-1)
        weights = -second
        if not is_newton.all():
            descent = self.problem.likelihood.descent(now.eta, second, self.dispersion)
            weights = np.where(is_newton[:, None], weights, descent)
        factorisation = factorise_weights(self.problem, self.Lambdas, weights)
        _, target = solve_rows(self.problem, factorisation, weights, weights * (now.eta - self.fixed) + first)
        return target.minus(Effects(now.u, target.flat)).u, is_newton

    def descend(self, now: _Points, step: list[Array]) -> Array:
        """Take the longest of the steps, halves of them, ... that do not ascend; which points there are such for."""
        fraction, left, own = 1.0, np.arange(len(self.fixed)), self
        while len(left) and fraction >= SHORTEST:
            trial = own.at([part[left] + fraction * move[left] for part, move in zip(now.u, step, strict=True)])
            before = now.objective[left]
            taken = trial.objective <= before + 1e-10 * (np.abs(before) + 1.0)
            now.put(left[taken], trial, taken)
            left, fraction = left[~taken], 0.5 * fraction
            own = self.of(left) if len(left) else own
        descends = np.ones(len(self.fixed), bool)
        descends[left] = False
        return descends


def _norm(parts: Sequence[Array]) -> Array:
    """Euclidean norms ``(S,)`` of all effects together."""
    return np.sqrt(sum(np.sum(part**2, axis=(-1, -2)) for part in parts))
