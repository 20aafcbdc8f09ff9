"""The curvature of a linear model's criterion without derivatives of a factorisation: its average information.

With ``V_i`` the derivative of the covariance of the responses by a parameter, the trace ``tr(P V_i P V_j)`` of the
exact second derivative is about ``y'P V_i P V_j P y`` over the residual variance, its expectation (Gilmour, Thompson,
Cullis 1995, Biometrics 51). Quadratic forms take a few solutions with the factorisation. It is exact on average only: a
search begins with it, and ends with the curvature itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.reml import LinearProblem, LinearSolution
from bayesmix.inference.least_squares.solve import modes, solve

STEP = 1e-6  # of derivatives of relative factors, which are smooth in the parameters and of their size


def average_information(problem: LinearProblem, solution: LinearSolution, theta: Array, *, reml: bool) -> Array:
    """Approximate Hessian ``(size, size)`` of `reml.criterion` at one ``theta (size,)``, whose solution is given.

    What the second derivatives of the covariance add is left out: it vanishes at a minimum.
    """
    residual = np.append(-solution.beta, 1.0)
    b, _ = modes(solution.factorisation, residual)
    scores = _rest(problem, [part @ residual for part in problem.moments.B], b)  # Z'P y
    pulls = [_pull(problem, theta, i, scores) for i in range(len(theta))]
    images = [_image(problem, solution, pull) for pull in pulls]
    products = np.array([[_inner(pull, image) for image in images] for pull in pulls])
    if problem.has_known_noise:
        return products
    rss, freedom = float(solution.rss), problem.freedom(reml=reml)
    slopes = np.array([_inner(pull, scores) for pull in pulls])
    return freedom / rss * products - freedom / rss**2 * np.outer(slopes, slopes)


def _pull(problem: LinearProblem, theta: Array, i: int, scores: Sequence[Array]) -> list[Array]:
    """``q`` with ``V_i P y = Z q``, per factor ``(J, k)``."""
    h = STEP * max(abs(theta[i]), 1.0) * np.eye(len(theta))[i]
    working = problem.coordinates
    related = [
        own if relation is None else relation.times_covariance(own)
        for own, relation in zip(scores, working.pattern.relations, strict=True)
    ]
    pairs = zip(working.by_factor(theta + h), working.by_factor(theta - h), related, strict=True)
    return [own @ ((up @ up.T - down @ down.T) / (2.0 * h[i])) for up, down, own in pairs]


def _image(problem: LinearProblem, solution: LinearSolution, q: Sequence[Array]) -> list[Array]:
    """``Z'P Z q``, per factor ``(J, k)``."""
    p = problem.p
    direct = _times(problem, q)
    b, _ = solve(solution.factorisation, direct)
    own = [part - other for part, other in zip(direct, _times(problem, b), strict=True)]  # Z'V^-1 Z q
    X = [part[..., :p] for part in problem.moments.B]
    fixed = sum(np.einsum("jkc,jk->c", part, left - right) for part, left, right in zip(X, q, b, strict=True))
    moved = np.linalg.solve(solution.factorisation.XX[:p, :p], np.asarray(fixed))
    b_X, _ = modes(solution.factorisation, np.append(moved, 0.0))
    of_X = _rest(problem, [part @ moved for part in X], b_X)  # Z'V^-1 X (X'V^-1X)^-1 X'V^-1 Z q
    return [one - other for one, other in zip(own, of_X, strict=True)]


def _rest(problem: LinearProblem, direct: Sequence[Array], b: Sequence[Array]) -> list[Array]:
    """``Z'v - Z'Z b``."""
    return [one - other for one, other in zip(direct, _times(problem, b), strict=True)]


def _times(problem: LinearProblem, q: Sequence[Array]) -> list[Array]:
    """``Z'Z q``, per factor ``(J, k)``."""
    products, pairs = problem.moments, problem.coordinates.pattern.pairs
    total = [np.einsum("jab,jb->ja", D, own) for D, own in zip(products.D, q, strict=True)]
    for pair, C in zip(pairs, products.C, strict=True):
        first, second = pair.first, pair.second
        np.add.at(total[first], pair.i, np.einsum("mab,mb->ma", C, q[second][pair.j]))
        np.add.at(total[second], pair.j, np.einsum("mab,ma->mb", C, q[first][pair.i]))
    return total


def _inner(left: Sequence[Array], right: Sequence[Array]) -> float:
    return float(sum(np.sum(one * other) for one, other in zip(left, right, strict=True)))
