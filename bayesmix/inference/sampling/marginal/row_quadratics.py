"""Quadratics nearest to the log densities of rows over draws of their linear predictors.

The projection on Hermite polynomials: with ``m = E[eta]``, ``g = E[l'(eta)]`` and ``W = E[-l''(eta)]`` of a row,

    l(eta) ~ constant + g'(eta - m) - (eta - m)'W(eta - m) / 2.

Of a row with one predictor that is a normal density of a pseudo-response, its weight kept positive. Blocks ``W`` of
rows with several predictors are seldom positive: a gaussian row with a log standard deviation never has one. They are
taken as they are, and projected to positive ones only where the whole cannot be factorised, or nearly so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.conditional_mode import GeneralizedProblem
from bayesmix.inference.estimation.reml import LinearProblem, linear_problem
from bayesmix.inference.least_squares.cross_products import moments
from bayesmix.inference.least_squares.row_weights import weigh
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.parameters.row_blocks import with_eigenvalues
from bayesmix.parallel.threads import in_threads

SMALLEST = 1e-9  # weight of a row that tells nothing
POSITIVE = 1e-6  # least eigenvalue of a projected block, over the largest of its row
NUMBERS = 500_000  # held at once


@dataclass(frozen=True, slots=True, eq=False)
class RowQuadratics(ABC):
    """A quadratic of the linear predictors for each row."""

    @abstractmethod
    def problem(self, design: Design, working: Coordinates) -> LinearProblem:
        """The linear mixed model with these log densities, offsets taken off, up to constants of their own."""

    @abstractmethod
    def taken_from(self, log_density: Array, eta: Array) -> Array:
        """Log densities of rows ``(..., n)`` minus the quadratics at ``eta (..., N)``, the offset not included."""

    @abstractmethod
    def projected(self) -> RowQuadratics | None:
        """The same with positive weights; None where they are."""


@dataclass(frozen=True, slots=True, eq=False)
class PseudoResponses(RowQuadratics):
    """Normal densities of pseudo-responses: rows with one predictor."""

    z: Array  # (n,) the offset taken off
    weights: Array  # (n,) positive
    constants: Array = field(init=False)  # (n,) log densities at the pseudo-responses

    def __post_init__(self) -> None:
        object.__setattr__(self, "constants", 0.5 * np.log(self.weights / (2.0 * np.pi)))

    @override
    def problem(self, design: Design, working: Coordinates) -> LinearProblem:
        pseudo = design.with_rows(offset=np.zeros_like(self.z))
        pseudo = replace(pseudo, outcomes=(replace(pseudo.outcome, y=self.z, weights=self.weights, is_counted=False),))
        return linear_problem(pseudo, working)

    @override
    def taken_from(self, log_density: Array, eta: Array) -> Array:
        square = self.z - eta
        square *= square
        square *= 0.5 * self.weights
        log_density += square
        log_density -= self.constants
        return log_density

    @override
    def projected(self) -> None:
        return None


@dataclass(frozen=True, slots=True, eq=False)
class BlockQuadratics(RowQuadratics):
    """Quadratics of rows with several predictors, without their constants."""

    centre: Array  # (N,) m, the offset taken off
    slope: Array  # (N,) g
    blocks: Array  # (R, R, n) W

    @override
    def problem(self, design: Design, working: Coordinates) -> LinearProblem:
        """With ``eta = X beta_0 + t``: the linear part in ``t`` stands for the cross-products with a response."""
        X = working.X
        beta = np.linalg.lstsq(X, self.centre, rcond=None)[0]
        rest = self.centre - X @ beta
        whole = moments(working.pattern, working.factors, X, self.blocks)
        pull = self.slope + weigh(self.blocks, rest)
        pairs = zip(working.pattern.rows, working.factors, whole.B, strict=True)
        B = [np.concatenate([own, rows.sum_rows(f.z * pull[:, None])[..., None]], -1) for rows, f, own in pairs]
        c = X.T @ pull
        at_zero = float(rest @ (pull + self.slope))
        XX = np.block([[whole.XX, c[:, None]], [c[None], np.array([[at_zero]])]])
        products = replace(whole, B=tuple(B), XX=XX, n=0)  # no constants of normal densities
        return LinearProblem(working, products, beta, 0.0, 0.0)

    @override
    def taken_from(self, log_density: Array, eta: Array) -> Array:
        return log_density - self.value_of(np.split(eta, len(self.blocks), axis=-1))

    def value_of(self, own: Sequence[Array]) -> Array:
        """Quadratics at predictors ``(..., n)`` each by itself, of which some may have fewer leading entries."""
        slopes, centres = self.slope.reshape(len(own), -1), self.centre.reshape(len(own), -1)
        away = [eta - centre for eta, centre in zip(own, centres, strict=True)]
        total: Array = np.zeros(())
        for r, one in enumerate(away):
            pull = slopes[r] - 0.5 * self.blocks[r, r] * one
            for s in range(r):
                pull = pull - self.blocks[r, s] * away[s]
            total = total + pull * one
        return total

    def towards(self, other: BlockQuadratics, share: float) -> BlockQuadratics:
        """Quadratics a share of the way to others, by their coefficients."""
        blocks = self.blocks + share * (other.blocks - self.blocks)
        own, theirs = (one.slope + weigh(one.blocks, one.centre) for one in (self, other))
        slope = own + share * (theirs - own) - weigh(blocks, other.centre)
        return BlockQuadratics(other.centre, slope, blocks)

    @override
    def projected(self) -> BlockQuadratics:
        def positive(values: Array) -> Array:
            return np.maximum(values, POSITIVE * np.abs(values).max(axis=-1, keepdims=True) + SMALLEST)

        return replace(self, blocks=with_eigenvalues(self.blocks, positive))


def match_rows(problem: GeneralizedProblem, eta: Array, log_dispersion: Array) -> RowQuadratics:
    """The quadratics nearest to the rows' log densities over draws ``eta (B, N)``, the offset not included."""
    size = max(1, NUMBERS // eta.shape[1])

    def sums(begin: int) -> tuple[Array, Array]:
        first, second = problem.slopes(eta[begin : begin + size] + problem.offset, float(np.exp(log_dispersion)))
        return _finite(first).sum(axis=0), -_finite(second).sum(axis=0)

    parts = list(in_threads(sums, range(0, len(eta), size)))
    slope = np.sum([first for first, _ in parts], axis=0) / len(eta)
    curvature = np.sum([second for _, second in parts], axis=0) / len(eta)
    if problem.likelihood.R > 1:
        return BlockQuadratics(eta.mean(axis=0), slope, curvature)
    floor = SMALLEST + 1e-3 * np.abs(slope)  # a row may not be moved by more than that
    weights = np.maximum(curvature, floor)
    return PseudoResponses(eta.mean(axis=0) + slope / weights, weights)


def _finite(values: Array) -> Array:
    """Derivatives with zeros where a draw is so far out that they are not finite."""
    return values if np.isfinite(values).all() else np.where(np.isfinite(values), values, 0.0)
