"""Offsets far from zero: searches see them near it, and coefficients are carried back.

An exposure in other units, or years in place of times, moves an intercept, or thresholds, by a number that is known
beforehand. A search would have to find it first, from where no likelihood is finite, and would lose its digits after.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.row_statistics import mean
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem
from bayesmix.inference.estimation.glm import LARGEST
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.language.formula.model_spec import ModelSpec


def brought_near(design: Design, spec: ModelSpec) -> tuple[Design, Array]:
    """The design with offsets far from zero less their means, and the fixed effects ``(p,)`` that these come back as.

    Of a predictor whose columns have an intercept among them, or dummies of all levels, these are its own; of a latent
    mean the thresholds that it falls between. Zero where there are none.
    """
    level, offset = np.zeros(len(design.fixed)), design.offset.copy()
    for r in range(design.R):
        rows, own = design.block(r), list(design.of_predictor(r))
        middle = float(mean(design.offset[rows], design.counts))
        if abs(middle) <= LARGEST:
            continue
        X, target = design.X[rows][:, own], np.full(design.n, -middle)
        found, thresholds = np.linalg.lstsq(X, target, rcond=None)[0], _thresholds(design, spec, r)
        if own and np.allclose(X @ found, target):
            level[own] = found
        for threshold in thresholds:
            level[design.of_predictor(threshold)] = middle
        offset[rows] -= middle if np.any(level[own]) or thresholds else 0.0
    return (design.with_rows(offset=offset) if level.any() else design), level


def _thresholds(design: Design, spec: ModelSpec, r: int) -> list[int]:
    """The thresholds between which a predictor falls, where it is a latent mean."""
    if not design.layout.thresholds or spec.parameters[r].parameter != 0:
        return []
    response = spec.parameters[r].response
    return [t for t in design.layout.thresholds if t != r and spec.parameters[t].response == response]


def carried_back(point: PointEstimate, problem: GeneralizedProblem, level: Array) -> PointEstimate:
    """An estimate of a design brought near, as that of the design."""
    x = point.optimum.x + _moved(point.optimum.x, problem, level)
    return replace(point, beta=point.beta + level, optimum=replace(point.optimum, x=x))


def brought(point: PointEstimate, problem: GeneralizedProblem, level: Array) -> Array:
    """Where an estimate of a design is in the search for that of the design brought near."""
    return np.asarray(point.optimum.x - _moved(point.optimum.x, problem, level))


def _moved(x: Array, problem: GeneralizedProblem, level: Array) -> Array:
    """What the level adds to the variables of a search."""
    m, move = problem.coordinates.size, np.zeros(len(x))
    move[m : m + len(problem.free)] = np.linalg.solve(problem.coordinates.T, level)[problem.free]
    return move
