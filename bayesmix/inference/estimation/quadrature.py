"""Adaptive Gauss-Hermite quadrature of the marginal likelihood and its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.conditional_mode import (
    GeneralizedProblem,
    Mode,
    Slopes,
    add_effects,
    by_log_dispersion,
    density_slope,
    project,
)
from bayesmix.inference.least_squares.cross_products import forms
from bayesmix.inference.least_squares.row_weights import contract, weigh

CELLS = 200_000  # numbers of a quadrature that are computed together


@np.errstate(all="ignore")  # of trials far out nodes may overflow; what they give is then not finite, and refused
def quadrature(
    problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, dispersion: float, points: int
) -> float:
    """Minus twice the log-likelihood by adaptive Gauss-Hermite quadrature; one grouping factor, any number of effects.

    Notes
    -----
    Costs ``points ** k`` evaluations of all rows. ``points=1`` is the Laplace approximation.
    """
    at_mode = _joint(problem, mode.jet[0], mode.u[0])
    sums: Array = np.zeros(len(mode.u[0]))
    for node in _nodes(problem, Lambdas, mode, points):
        joint = _joint(problem, problem.value(node.eta, np.asarray(dispersion)), node.u)
        sums = sums + np.exp(joint - at_mode + node.log_weight).sum(axis=0)
    return -2.0 * float(np.sum(at_mode + np.log(sums))) + float(mode.factorisation.log_determinant)


@np.errstate(all="ignore")  # of trials far out nodes may overflow; what they give is then not finite, and refused
def quadrature_gradient(
    problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, dispersion: float, points: int
) -> Slopes:
    """`quadrature` with its derivatives.

    With ``T`` the logarithms of the nodes' terms and ``pi`` their shares, the value is a sum over levels of

        -2 log sum_q exp T_q + log|H|,   H = Lambda' G Lambda + I,   u_q = u + sqrt(2) L^-T x_q,   L L' = H,

    where ``u`` is the mode and ``G`` the cross-products with the observed weights there. Derivatives run backwards:
    through the terms, the factor ``M = L^-T``, ``H``, the weights, and last the mode, ``H du = d(Lambda' score)``.
    """
    coordinates, Lambda = problem.coordinates, Lambdas[0]
    (factor,), (u,) = coordinates.factors, mode.u
    z, codes = factor.z, factor.codes
    at_mode = _joint(problem, mode.jet[0], u)
    sums = _summed(problem, Lambdas, mode, dispersion, points)
    value = -2.0 * float(np.sum(at_mode + np.log(sums.terms))) + float(mode.factorisation.log_determinant)
    (step,) = mode.factorisation.eliminated
    M = np.swapaxes(np.linalg.inv(step.L), -1, -2)
    K = math.sqrt(2.0) * np.swapaxes(M, -1, -2) @ (-2.0 * sums.by_M / sums.terms[:, None, None])
    upper = np.triu(K, 1)
    Q = -0.5 * (upper + np.swapaxes(upper, -1, -2) + K * np.eye(factor.k))
    by_H = M @ (Q + np.eye(factor.k)) @ np.swapaxes(M, -1, -2)
    Z_row = z @ Lambda
    by_weight = forms(Z_row, by_H[codes], Z_row, problem.likelihood.R)
    through_mode = -contract(by_weight, mode.jet[3])
    (moved,) = project(coordinates, through_mode)
    v = np.einsum("jab,jb->ja", M @ np.swapaxes(M, -1, -2), -2.0 * sums.by_u / sums.terms[:, None] + moved @ Lambda)
    (score,) = project(coordinates, mode.jet[1])
    direct = -2.0 * np.sum(sums.by_factor / sums.terms[:, None, None], axis=0)
    lean = moved - np.einsum("jab,bc,jc->ja", step.D, Lambda, v)
    gradient = direct + 2.0 * np.einsum("jab,bc,jcd->ad", step.D, Lambda, by_H) + lean.T @ u + score.T @ v
    leaning = np.einsum("na,na->n", Z_row, v[codes])
    by_dispersion = -2.0 * float(np.sum(sums.by_level / sums.terms)) + by_log_dispersion(
        problem, mode, dispersion, leaning, by_weight
    )
    by_eta = -2.0 * sums.by_eta / sums.terms[codes] + through_mode + weigh(mode.jet[2], leaning)
    return Slopes(value, by_eta, [gradient], by_dispersion)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums over the nodes of a quadrature: of their terms, and of the derivatives of these times the terms."""

    terms: Array  # (J,)
    by_eta: Array  # (N,)
    by_factor: Array  # (J, k, k), by the entries of Lambda
    by_u: Array  # (J, k)
    by_M: Array  # (J, k, k)
    by_level: Array  # (J,), by log dispersion


def _summed(problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, dispersion: float, points: int) -> _Sums:
    """Forward part of `quadrature_gradient`."""
    (factor,), (rows,), (u,) = problem.coordinates.factors, problem.coordinates.pattern.rows, mode.u
    at_mode = _joint(problem, mode.jet[0], u)
    square = np.zeros((len(u), factor.k, factor.k))
    sums = _Sums(np.zeros(len(u)), np.zeros(len(factor.z)), square, np.zeros_like(u), square, np.zeros(len(u)))
    has_dispersion = problem.has_dispersion
    for node in _nodes(problem, Lambdas, mode, points):
        jet = problem.jet(node.eta, dispersion)
        share = np.exp(_joint(problem, jet[0], node.u) - at_mode + node.log_weight)  # (nodes, J)
        score = rows.sum_rows(jet[1][..., None] * factor.z)
        slope = share[..., None] * (score @ Lambdas[0] - node.u)
        by_level = np.zeros(())
        if has_dispersion:
            by_level = np.sum(share * rows.sum(density_slope(problem, node.eta, dispersion)), axis=0)
        sums = _Sums(
            terms=sums.terms + share.sum(axis=0),
            by_eta=sums.by_eta + np.sum(share[:, factor.codes] * jet[1], axis=0),
            by_factor=sums.by_factor + np.einsum("qj,qja,qjb->jab", share, score, node.u),
            by_u=sums.by_u + slope.sum(axis=0),
            by_M=sums.by_M + np.einsum("qja,qb->jab", slope, node.x),
            by_level=sums.by_level + by_level,
        )
    return sums


def _joint(problem: GeneralizedProblem, log_density: Array, u: Array) -> Array:
    """Joint log density of each level ``(..., J)`` from that of the rows, up to a constant."""
    return problem.coordinates.pattern.observations[0].sum(log_density) - 0.5 * np.sum(u**2, axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class _Nodes:
    """Some nodes of a quadrature, adapted to every level."""

    x: Array  # (nodes, k) of the standard rule
    log_weight: Array  # (nodes, 1)
    u: Array  # (nodes, J, k)
    eta: Array  # (nodes, N)


def _nodes(problem: GeneralizedProblem, Lambdas: Sequence[Array], mode: Mode, points: int) -> Iterator[_Nodes]:
    """All nodes, as many at a time as fit into little memory."""
    factor, Lambda = problem.coordinates.factors[0], Lambdas[0]
    x, log_weights = _grid(points, factor.k)
    fixed = mode.eta - add_effects(problem.coordinates, mode.b)
    M = math.sqrt(2.0) * np.swapaxes(np.linalg.inv(mode.factorisation.eliminated[0].L), -1, -2)
    together = max(1, CELLS // max(len(fixed), 1))
    for begin in range(0, len(x), together):
        some = x[begin : begin + together]
        u = mode.u[0] + np.einsum("jab,qb->qja", M, some)
        eta = fixed + np.einsum("nk,qnk->qn", factor.z, (u @ Lambda.T)[:, factor.codes])
        weight = log_weights[begin : begin + together] + np.sum(some**2, axis=1)
        yield _Nodes(some, weight[:, None], u, eta)


@cache
def _grid(points: int, k: int) -> tuple[Array, Array]:
    """Product grid of Gauss-Hermite nodes ``(points**k, k)``, log weights normalised to one Gaussian."""
    x, w = np.polynomial.hermite.hermgauss(points)
    index = np.indices((points,) * k).reshape(k, -1)
    return x[index].T, np.log(w / math.sqrt(math.pi))[index].sum(axis=0)
