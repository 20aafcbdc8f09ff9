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
from bayesmix.inference.least_squares.incidence import Factor
from bayesmix.inference.parameters.covariance import from_factor, inside

RANGE = (0.01, 100.0)  # of the relative variances the search starts from
NOISE = 0.05  # least share of the residual variance of least squares that is noise
FEW = 8  # effects of a level up to which covariances are estimated, not variances alone


def moment_start(problem: LinearProblem) -> Array:
    """Covariance parameters ``(..., size)``: relative factors by the method of moments."""
    working, products, p = problem.coordinates, problem.moments, problem.p
    M = _equations(problem)
    squares = [_own(factor, _squares(part[..., -1])) for factor, part in zip(working.factors, products.B, strict=True)]
    right, kept = np.concatenate([*squares, products.XX[..., -1:, -1]], axis=-1), np.arange(len(M))
    if problem.has_known_noise:
        kept, right = kept[:-1], right - M[-1]
    solution = np.zeros(right.shape)
    solution[..., kept] = right[..., kept] @ np.linalg.pinv(M[np.ix_(kept, kept)], rcond=1e-9, hermitian=True)
    whole = products.XX[..., -1, -1] / max(problem.n - p, 1)
    noise = np.clip(solution[..., -1], NOISE * whole, np.maximum(whole, 1e-300))
    noise = np.ones_like(noise) if problem.has_known_noise else noise
    covariances = [
        _matrices(factor, solution[..., low:high]) / noise[..., None, None]
        for factor, (low, high) in zip(working.factors, pairwise(_bounds(problem)), strict=True)
    ]
    blocks = [covariances[place.factor][..., place.columns, place.columns] for place in working.places]
    return inside(working.structures, from_factor(working.structures, [_inside(block) for block in blocks]))


def _inside(covariance: Array) -> Array:
    """Factors ``(..., k, k)`` of covariances whose eigenvalues are taken into the range."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + np.swapaxes(covariance, -1, -2)))
    return np.linalg.cholesky((vectors * np.clip(values, *RANGE)[..., None, :]) @ np.swapaxes(vectors, -1, -2))


def _squares(scores: Array) -> Array:
    """Sums of ``s_j s_j'`` over levels: ``(..., k, k)`` of ``(..., J, k)``."""
    return np.swapaxes(scores, -1, -2) @ scores


def _pairs(factor: Factor) -> tuple[Array, Array]:
    """Row and column of the entries of its covariance that are unknowns: all, or the variances alone."""
    index = np.arange(factor.k)
    return (np.repeat(index, factor.k), np.tile(index, factor.k)) if factor.k <= FEW else (index, index)


def _own(factor: Factor, matrix: Array) -> Array:
    """Entries ``(..., m)`` of matrices ``(..., k, k)`` that are unknowns."""
    row, column = _pairs(factor)
    return matrix[..., row, column]


def _matrices(factor: Factor, entries: Array) -> Array:
    """Matrices ``(..., k, k)`` of their entries, the inverse of `_own`."""
    row, column = _pairs(factor)
    found = np.zeros((*entries.shape[:-1], factor.k, factor.k))
    found[..., row, column] = entries
    return found


def _bounds(problem: LinearProblem) -> list[int]:
    return list(accumulate((len(_pairs(factor)[0]) for factor in problem.coordinates.factors), initial=0))


def _equations(problem: LinearProblem) -> Array:
    """Coefficients of the entries of the covariances, factor by factor, and of the noise."""
    working, products, p = problem.coordinates, problem.moments, problem.p
    factors = working.factors
    first = (0,) * (products.XX.ndim - 2)  # what is of the fixed effects is the same for all responses
    root = np.linalg.inv(np.linalg.cholesky(products.XX[first][:p, :p]))
    B = [part[first][..., :p] @ root.T for part in products.B]
    far = [_far(factor, part) for factor, part in zip(factors, B, strict=True)]
    bounds = _bounds(problem)
    M = np.zeros((bounds[-1] + 1, bounds[-1] + 1))
    places = [slice(low, high) for low, high in pairwise(bounds)]
    for f, (place, D) in enumerate(zip(places, products.D, strict=True)):
        M[place, place] = _products(D, B[f], B[f], (factors[f], factors[f])) + far[f] @ far[f].T
        M[place, -1] = M[-1, place] = _own(factors[f], D.sum(axis=0) - np.einsum("jap,jbp->ab", B[f], B[f]))
    for pair, C in zip(working.pattern.pairs, products.C, strict=True):
        f, g = pair.first, pair.second
        if f == g:  # of rows of several levels: what they share is left out of a start
            continue
        own = _products(C, B[f][pair.i], B[g][pair.j], (factors[f], factors[g]))
        M[places[f], places[g]] = own + far[f] @ far[g].T
        M[places[g], places[f]] = M[places[f], places[g]].T
    M[-1, -1] = problem.n - p
    return M


def _far(factor: Factor, part: Array) -> Array:
    """``sum_j B_j B_j'`` of the pairs of effects that are unknowns, by pairs of fixed columns ``(m, p p)``."""
    pattern = "jap,jbq->abpq" if factor.k <= FEW else "jap,jaq->apq"
    return np.asarray(np.einsum(pattern, part, part).reshape(len(_pairs(factor)[0]), -1))


def _products(blocks: Array, left: Array, right: Array, factors: tuple[Factor, Factor]) -> Array:
    """Sum of ``(C - c) x (C - c) - c x c`` over blocks ``C (m, a, b)`` that are not zero, ``c`` what is projected off.

    Kronecker products as a matrix ``(a a, b b)``, or the rows and columns of it that are unknowns. Blocks of zeros add
    ``c x c``, which is that of all less these.
    """
    m, a, b = blocks.shape
    first, second = factors
    off = left @ np.swapaxes(right, -1, -2)
    rest = blocks - off
    if first.k <= FEW and second.k <= FEW:
        flat, flat_off = rest.reshape(m, a * b), off.reshape(m, a * b)
        total = flat.T @ flat - flat_off.T @ flat_off
        return np.asarray(total.reshape(a, b, a, b).transpose(0, 2, 1, 3)).reshape(a * a, b * b)
    (i, other_i), (j, other_j) = _pairs(first), _pairs(second)
    return _sums(rest, i, other_i, j, other_j) - _sums(off, i, other_i, j, other_j)


def _sums(blocks: Array, i: Array, other_i: Array, j: Array, other_j: Array) -> Array:
    """Sums over blocks of products of two entries each: ``(pairs of rows, pairs of columns)``."""
    return np.asarray((blocks[:, i][:, :, j] * blocks[:, other_i][:, :, other_j]).sum(axis=0))
