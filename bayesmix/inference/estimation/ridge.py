"""Ridges: covariance parameters of which the data tell only some function, whatever the responses.

The covariance matrix of the rows, ``V = sum_t Z_t (I x G_t) Z_t' + sigma^2 I``, is all that the likelihood knows of
the covariances. Where ``dV = 0`` along some direction of the parameters, nothing tells the points along it apart: two
columns of one term that are proportional within every level, two grouping factors that are the same. Inner products of
the derivatives of V need cross-products of the columns only:

    <Z_a G_i Z_a', Z_b G_k Z_b'>  =  sum over pairs of levels (j, l) of  tr(G_i K_jl G_k K_jl'),   K_jl = Z_aj' Z_bl.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.least_squares.cross_products import Moments, moments
from bayesmix.inference.least_squares.scaling import Coordinates
from bayesmix.inference.parameters.covariance import Structure
from bayesmix.inference.parameters.names import corr_names, sd_names

NULL = 1e-7  # squared sine of the angle between directions that no data will tell apart
STEP = 1e-5  # of differences by free numbers of order one: errors of 1e-10
MOVES = 1e-6  # change of a parameter along a direction of unit length


@dataclass(frozen=True, slots=True, eq=False)
class _Direction:
    """One covariance parameter: the term it belongs to, and the derivative of the term's covariance by it."""

    term: int  # -1 for the residual variance
    factor: int
    slope: Array  # (k, k) of the grouping factor's columns


def ridges(design: Design, working: Coordinates, *, has_residual: bool) -> list[list[str]]:
    """Names of the parameters that each ridge trades off against one another; empty where all are identified."""
    if not any(_is_independent(working, t) for t in range(len(working.structures))):
        return []
    rows = len(working.X)  # of the mean alone where residuals have a structure
    weights = None if design.counts is None else np.tile(design.counts, rows // len(design.counts))
    products = moments(working.pattern, working.factors, np.zeros((rows, 1)), weights)
    own = [(t, s) for t, s in enumerate(working.structures) if _is_independent(working, t)]
    directions = [d for t, s in own for d in _directions(working, t, s)]
    gram = np.array([[_inner(products, working, left, right) for right in directions] for left in directions])
    if has_residual:
        traces = np.array([_trace(products, d) for d in directions])
        gram = np.block([[gram, traces[:, None]], [traces[None], np.array([[float(design.n_used)]])]])
    size = np.sqrt(np.where(np.diagonal(gram) > 0.0, np.diagonal(gram), 1.0))
    values, vectors = np.linalg.eigh(gram / np.outer(size, size))
    null = vectors[:, values < NULL * values[-1]] / size[:, None]
    return [_named(design, working, vector) for vector in (null / np.linalg.norm(null, axis=0)).T]


def _is_independent(working: Coordinates, t: int) -> bool:
    """Whether the levels of a term are: what relates others tells them apart where the rows alone would not."""
    return working.pattern.is_independent(working.places[t].factor)


def _generic(structure: Structure) -> Array:
    """Free numbers where no standard deviation and no correlation is special."""
    k = structure.k
    return structure.inside(structure.theta(np.diag(1.0 + 0.1 * np.arange(k)) + 0.3 * np.tri(k, k, -1)))


def _directions(working: Coordinates, t: int, structure: Structure) -> list[_Direction]:
    place = working.places[t]
    whole = working.factors[place.factor].k
    directions = []
    for slope in _slopes(structure):
        block = np.zeros((whole, whole))
        block[place.columns, place.columns] = slope
        directions.append(_Direction(t, place.factor, block))
    return directions


def _slopes(structure: Structure) -> list[Array]:
    """Derivatives ``(k, k)`` of ``Lambda Lambda'`` by each free number at a generic point."""
    theta = _generic(structure)
    steps = STEP * np.eye(len(theta))
    roots = structure.factor(theta + np.concatenate([steps, -steps]))
    products = roots @ np.swapaxes(roots, -1, -2)
    return list((products[: len(theta)] - products[len(theta) :]) / (2.0 * STEP))


def _inner(products: Moments, working: Coordinates, left: _Direction, right: _Direction) -> float:
    """Inner product of the derivatives of V along two directions."""
    if left.factor == right.factor:
        D = products.D[left.factor]
        return float(np.einsum("jab,bc,jcd,da->", D, left.slope, D, right.slope, optimize=True))
    first, second = sorted((left, right), key=lambda d: d.factor)
    for pair, C in zip(working.pattern.pairs, products.C, strict=True):
        if (pair.first, pair.second) == (first.factor, second.factor):
            return float(np.einsum("ba,eac,cd,ebd->", first.slope, C, second.slope, C, optimize=True))
    return 0.0


def _trace(products: Moments, direction: _Direction) -> float:
    return float(np.sum(products.D[direction.factor] * direction.slope))


def _named(design: Design, working: Coordinates, vector: Array) -> list[str]:
    """Parameters that change along a direction of the free numbers."""
    names, begin = [], 0
    sds, corrs = sd_names(design.terms), corr_names(design.terms)
    for t, (structure, C, sd, corr) in enumerate(zip(working.structures, working.C, sds, corrs, strict=True)):
        if not _is_independent(working, t):
            continue
        own = vector[begin : begin + structure.size]
        begin += structure.size
        moved = _numbers(structure, C, 1e-4 * own) - _numbers(structure, C, -1e-4 * own)
        names += [name for name, change in zip([*sd, *corr], moved, strict=True) if abs(change) > MOVES]
    return names + (["sigma"] if abs(vector[begin:]).max(initial=0.0) > MOVES else [])


def _numbers(structure: Structure, C: Array, shift: Array) -> Array:
    """Logarithms of the standard deviations, and correlations, in the user's units, beside the generic point."""
    root = C @ structure.factor(_generic(structure) + shift)
    sd, corr = structure.parts(root @ root.T)
    return np.concatenate([np.log(sd[: structure.n_sd]), structure.correlation.numbers(corr)])
