"""Where the search for the covariances of a linear model starts: their estimates by the method of moments.

With ``r`` the least-squares residuals and ``M`` the projection off the fixed effects,

    E[Z_f'r r'Z_f] = sum over factors g of  Z_f'M Z_g (I x G_g) Z_g'M Z_f  +  sigma^2 Z_f'M Z_f

is linear in the covariances. Its diagonal blocks, summed over the levels of each factor, and ``E[r'r]`` are as many
equations as unknowns: MINQUE(0) (Searle, Casella, McCulloch 1992, section 11.3). Of balanced data that are the REML
estimates, where these are inside the parameter space.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np

from bayesmix.arrays import Array
from bayesmix.inference.estimation.reml import LinearProblem
from bayesmix.inference.parameters.covariance import from_factor

RANGE = (0.01, 100.0)  # of the relative variances the search starts from
NOISE = 0.05  # least share of the residual variance of least squares that is noise
FEW = 8  # effects of a level up to which covariances are estimated, not variances alone


def moment_start(problem: LinearProblem) -> Array:
    """Covariance parameters ``(..., size)``: relative factors by the method of moments."""
    working, products, p = problem.coordinates, problem.moments, problem.p
    M, kept = _equations(problem)
    squares = [_squares(part[..., -1]) for part in products.B]
    sides = [*(part.reshape(*part.shape[:-2], -1) for part in squares), products.XX[..., -1:, -1]]
    right = np.concatenate(sides, axis=-1)
    if problem.has_known_noise:
        kept, right = kept[:-1], right - M[-1]
    solution = np.zeros(right.shape)
    solution[..., kept] = right[..., kept] @ np.linalg.pinv(M[np.ix_(kept, kept)], rcond=1e-9, hermitian=True)
    whole = products.XX[..., -1, -1] / max(problem.n - p, 1)
    noise = np.clip(solution[..., -1], NOISE * whole, np.maximum(whole, 1e-300))
    noise = np.ones_like(noise) if problem.has_known_noise else noise
    covariances = [
        solution[..., low:high].reshape(*noise.shape, factor.k, factor.k) / noise[..., None, None]
        for factor, (low, high) in zip(working.factors, pairwise(_bounds(problem)), strict=True)
    ]
    blocks = [covariances[place.factor][..., place.columns, place.columns] for place in working.places]
    return from_factor(working.structures, [_inside(block) for block in blocks])


def _inside(covariance: Array) -> Array:
    """Factors ``(..., k, k)`` of covariances whose eigenvalues are taken into the range."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + np.swapaxes(covariance, -1, -2)))
    return np.linalg.cholesky((vectors * np.clip(values, *RANGE)[..., None, :]) @ np.swapaxes(vectors, -1, -2))


def _squares(scores: Array) -> Array:
    """Sums of ``s_j s_j'`` over levels: ``(..., k, k)`` of ``(..., J, k)``."""
    return np.swapaxes(scores, -1, -2) @ scores


def _bounds(problem: LinearProblem) -> list[int]:
    return list(accumulate((factor.k**2 for factor in problem.coordinates.factors), initial=0))


def _equations(problem: LinearProblem) -> tuple[Array, Array]:
    """Coefficients of the entries of the covariances, factor by factor, and of the noise; which entries are kept."""
    working, products, p = problem.coordinates, problem.moments, problem.p
    first = (0,) * (products.XX.ndim - 2)  # what is of the fixed effects is the same for all responses
    root = np.linalg.inv(np.linalg.cholesky(products.XX[first][:p, :p]))
    B = [part[first][..., :p] @ root.T for part in products.B]
    far = [np.einsum("jap,jbq->abpq", part, part).reshape(part.shape[1] ** 2, -1) for part in B]
    bounds = _bounds(problem)
    M = np.zeros((bounds[-1] + 1, bounds[-1] + 1))
    places = [slice(low, high) for low, high in pairwise(bounds)]
    for f, (place, D) in enumerate(zip(places, products.D, strict=True)):
        M[place, place] = _products(D, B[f], B[f]) + far[f] @ far[f].T
        M[place, -1] = M[-1, place] = (D.sum(axis=0) - np.einsum("jap,jbp->ab", B[f], B[f])).ravel()
    for pair, C in zip(working.pattern.pairs, products.C, strict=True):
        f, g = pair.first, pair.second
        M[places[f], places[g]] = _products(C, B[f][pair.i], B[g][pair.j]) + far[f] @ far[g].T
        M[places[g], places[f]] = M[places[f], places[g]].T
    M[-1, -1] = problem.n - p
    kept = [np.ones(f.k**2, bool) if f.k <= FEW else np.eye(f.k, dtype=bool).ravel() for f in working.factors]
    return M, np.flatnonzero(np.concatenate([*kept, [True]]))


def _products(blocks: Array, left: Array, right: Array) -> Array:
    """Sum of ``(C - c) x (C - c) - c x c`` over blocks ``C (m, a, b)`` that are not zero, ``c`` what is projected off.

    Kronecker products as a matrix ``(a a, b b)``. Blocks of zeros add ``c x c``, which is that of all less these.
    """
    m, a, b = blocks.shape
    off = (left @ np.swapaxes(right, -1, -2)).reshape(m, a * b)
    rest = blocks.reshape(m, a * b) - off
    total = rest.T @ rest - off.T @ off
    return np.asarray(total.reshape(a, b, a, b).transpose(0, 2, 1, 3)).reshape(a * a, b * b)
