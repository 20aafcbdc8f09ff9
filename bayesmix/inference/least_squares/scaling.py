"""The coordinates in which numbers are computed: orthonormal fixed columns, whitened random-effects columns.

Users' predictors may be years or micrograms; the optimisers and samplers see columns of unit size instead, and results
are carried back: ``beta = T beta~``, ``b = C b~`` and so ``Cov(b) = C Cov(b~) C'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design, Term
from bayesmix.inference.least_squares.incidence import Factor, Incidence, incidence
from bayesmix.inference.least_squares.symbolic import Plan, plan
from bayesmix.inference.parameters.covariance import Structure, side_by_side, split, structure_of, to_factor

TALL = 1e8  # multiplications of inner products of columns from which on QR takes noticeable time
BLOCK = 4096  # rows of a product at a time
CLEAR = 1e-8  # smallest over largest eigenvalue of inner products up to which nothing is lost by them


@dataclass(frozen=True, slots=True)
class Place:
    """Where a term stands: which grouping factor, which of its columns."""

    factor: int
    columns: slice


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """A design in computational coordinates, with its symbolic factorisation."""

    X: Array  # (n, p), X'X = n I up to the units of the predictors; X T up to what no likelihood shows
    T: Array  # (p, p), beta = T beta~
    factors: tuple[Factor, ...]  # grouping factors, most levels first
    places: tuple[Place, ...]  # per term
    C: tuple[Array, ...]  # per term (k, k), b = C b~
    structures: tuple[Structure, ...]  # per term
    pattern: Incidence
    plan: Plan
    entries: int  # of the linear predictors of the data's rows: N, or more where rows stand for several

    @property
    def size(self) -> int:
        """Number of covariance parameters."""
        return sum(structure.size for structure in self.structures)

    def by_factor(self, theta: Array) -> list[Array]:
        """Relative factors ``(..., k, k)`` of the grouping factors at ``theta (..., size)``."""
        return self.joined(to_factor(self.structures, theta))

    def joined(self, terms: Sequence[Array]) -> list[Array]:
        """Relative factors of the grouping factors from those of the terms, all ``(..., k, k)``."""
        return [
            side_by_side([terms[t] for t, place in enumerate(self.places) if place.factor == f])
            for f in range(len(self.factors))
        ]

    @property
    def is_joint(self) -> bool:
        """Whether the levels of some factor are not independent."""
        return self.pattern.is_joint

    @property
    def takes_quadrature(self) -> bool:
        """Whether the integral over the effects is one for each level of the only factor."""
        return len(self.factors) == 1 and not self.is_joint

    def penalty(self, u: Sequence[Array]) -> Array:
        """Minus twice the log density of spherical effects, per factor ``(..., J, k)``, up to a constant: ``(...)``."""
        pairs = zip(u, self.pattern.relations, strict=True)
        parts = [
            np.sum(own**2, axis=(-1, -2)) if relation is None else relation.quadratic(own) for own, relation in pairs
        ]
        return np.asarray(sum(parts))

    def blocks(self, by_factor: Sequence[Array]) -> list[Array]:
        """Diagonal blocks ``(..., k, k)`` of the terms in matrices of the grouping factors, the inverse of `joined`."""
        return [by_factor[place.factor][..., place.columns, place.columns] for place in self.places]

    def gradient(self, theta: Array, by_factor: Sequence[Array]) -> Array:
        """Derivatives by ``theta (..., size)`` from those by the factors' entries ``(..., k, k)``."""
        terms = zip(self.structures, split(self.structures, theta), self.blocks(by_factor), strict=True)
        parts = [structure.gradient(own, block) for structure, own, block in terms]
        return np.concatenate(parts, axis=-1) if parts else np.zeros(theta.shape)

    def of_terms(self, per_factor: Sequence[Array]) -> list[Array]:
        """Slice ``(..., J, k_factor)`` arrays of the factors into one ``(..., J, k)`` array a term, in user's units."""
        return [
            per_factor[place.factor][..., place.columns] @ C.T for place, C in zip(self.places, self.C, strict=True)
        ]

    def covariances(self, theta: Array) -> list[Array]:
        """Relative covariances ``C Lambda Lambda' C'`` of the terms, user's units: ``(..., k, k)``."""
        roots = [C @ factor for C, factor in zip(self.C, to_factor(self.structures, theta), strict=True)]
        return [root @ np.swapaxes(root, -1, -2) for root in roots]


def coordinates(
    design: Design, units: Sequence[float] | None = None, means: dict[int, Array] | None = None
) -> Coordinates:
    """Change the design to computational coordinates.

    Parameters
    ----------
    units : sizes of the linear predictors, where they are so different that one step does not fit all: columns of each
        are of its unit's size.
    means : of columns ``(p,)``, by the places of thresholds: a likelihood sees those less linear predictors, so that
        numbers taken from both make no difference. Thresholds are taken where columns are at their means.
    """
    weights, means = None if design.counts is None else np.tile(design.counts, design.R), means or {}
    X, T = orthonormal(_centred(design, means), weights)
    if design.R > 1:  # reflections leave rounding where other predictors have their rows
        of_row, of_column = np.repeat(np.arange(design.R), design.n), np.array(design.layout.owners)
        X = np.where(of_row[:, None] == of_column, X, 0.0)
    for threshold, mean in means.items():
        T[threshold] += mean @ T
    structures = tuple(structure_of(term) for term in design.terms)
    pairs = zip(design.terms, structures, strict=True)
    changes = tuple(_whitening(term.z, s, _of_members(term, weights)) for term, s in pairs)
    if units is not None:
        sizes = np.array(units)[list(design.layout.owners)]
        X, T = X * sizes, T * sizes
        found = zip(changes, design.terms, structures, strict=True)
        changes = tuple(_in_units(C, term, s, np.array(units)) for C, term, s in found)
    return _of_changes(design, X, T, changes)


def _centred(design: Design, means: dict[int, Array]) -> Array:
    """The fixed columns, of those that thresholds take in, less their means."""
    if not means:
        return design.X
    X, own = design.X.copy(), np.array([max(column, key=abs) for column in zip(*means.values(), strict=True)])
    for j in np.flatnonzero(own):
        X[design.block(design.layout.owners[j]), j] -= own[j]
    return X


def on_rows(working: Coordinates, design: Design) -> Coordinates:
    """The same coordinates of other rows: of all that the rows they were learnt of stand for."""
    return _of_changes(design, design.X @ working.T, working.T, working.C)


def _of_changes(design: Design, X: Array, T: Array, changes: tuple[Array, ...]) -> Coordinates:
    groups, structures = _grouping_factors(design.terms), tuple(structure_of(term) for term in design.terms)
    places, factors = [], []
    for number, members in enumerate(groups):
        offset = 0
        for t in members:
            k = len(design.terms[t].effects)
            places.append((t, Place(number, slice(offset, offset + k))))
            offset += k
        z = np.hstack([design.terms[t].z @ changes[t] for t in members])
        first = design.terms[members[0]]
        factors.append(Factor(first.codes, z, len(first.levels), first.relation, first.slots))
    pattern = incidence(factors, R=design.R)
    ordered = tuple(place for _, place in sorted(places, key=lambda pair: pair[0]))
    entries = design.R * design.n_used
    return Coordinates(X, T, tuple(factors), ordered, changes, structures, pattern, plan(pattern), entries)


def _grouping_factors(terms: Sequence[Term]) -> list[list[int]]:
    """Terms of the same grouping factor together, and all smooths; factors by decreasing number of levels."""
    factors = [None if term.is_population else term.group for term in terms]
    groups = [[t for t, factor in enumerate(factors) if factor == name] for name in dict.fromkeys(factors)]
    return sorted(groups, key=lambda members: -len(terms[members[0]].levels))


def _of_members(term: Term, weights: Array | None) -> Array | None:
    """Weights of rows, for each of their memberships."""
    return weights if weights is None else np.tile(weights, term.slots)


def orthonormal(X: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """``X T`` with columns orthonormal up to ``sqrt(n)``, by QR: no squared condition number.

    ``weights (n,)`` are how many rows each one stands for.
    """
    n, p = X.shape
    if not p:
        return X, np.zeros((0, 0))
    if weights is not None:
        root = np.sqrt(weights / np.mean(weights))[:, None]
        T = orthonormal(root * X)[1]
        return X @ T, T
    if n * p * p > TALL:
        found = _by_products(X)
        if found is not None:
            return found
    scale = _sizes(X)
    Q, R = np.linalg.qr(X / scale)
    T = np.linalg.solve(R, np.eye(p)) * np.sqrt(n)
    return Q * np.sqrt(n), T / scale[:, None]


def _by_products(X: Array) -> tuple[Array, Array] | None:
    """`orthonormal` by the inner products of columns, and those of the result once more: CholeskyQR2.

    As exact as QR where the columns are far from depending on each other, a fifth of its work, and without copies of
    all rows; None elsewhere.

    References
    ----------
    Yamamoto, Nakatsukasa, Yanagisawa, Fukaya (2015), Electronic Transactions on Numerical Analysis 44: 306.
    """
    n, p = X.shape
    T = np.diag(1.0 / _sizes(X))
    for _ in range(2):
        products = np.zeros((p, p))
        for begin in range(0, n, BLOCK):
            part = X[begin : begin + BLOCK] @ T
            products += part.T @ part
        values = np.linalg.eigvalsh(products)
        if not values[0] > CLEAR * values[-1]:
            return None
        T = T @ np.linalg.inv(np.linalg.cholesky(products / n)).T
    return X @ T, T


def _in_units(C: Array, term: Term, structure: Structure, units: Array) -> Array:
    """Change of columns to those of the size of their predictor's unit; of one size where effects must have one."""
    sizes = units[list(term.owners or (0,))]  # empty where all are of the first
    return np.asarray(C * sizes) if np.ptp(sizes) == 0.0 or not structure.is_homogeneous else C


def _sizes(columns: Array) -> Array:
    """Root mean squares of columns, 1 for columns of zeros."""
    size = np.sqrt(np.mean(columns**2, axis=0))
    return np.where(size > 0.0, size, 1.0)


def _whitening(z: Array, structure: Structure, weights: Array | None) -> Array:
    """Change of columns ``C`` such that ``z C`` has orthonormal columns; as far as the structure stays what it is."""
    z = z if weights is None else z * np.sqrt(weights / np.mean(weights))[:, None]
    scale = _sizes(z)
    if structure.is_homogeneous:
        return np.eye(structure.k) / np.sqrt(np.mean(scale**2))
    if not structure.is_invariant:
        return np.diag(1.0 / scale)
    pivots = np.abs(np.diagonal(np.linalg.qr(z / scale, mode="r")))
    if len(z) < len(scale) or pivots.min() < 1e-9 * pivots.max():  # collinear effects: leave them as they are
        return np.diag(1.0 / scale)
    return orthonormal(z)[1]
