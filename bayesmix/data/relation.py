"""Known covariance of the levels of a grouping factor: kinship, descent, distance.

Effects of related levels are ``b ~ N(0, A x G)``, ``A`` the relation of the levels and ``G`` the covariance of the
effects of one level. What is computed with is the precision ``P = A^-1 = R'R``, ``R`` lower triangular: of a pedigree
it is sparse, one row an animal with entries for itself and its parents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import label
from bayesmix.errors import DataError, SpecError

ASYMMETRIC = 1e-8  # difference of mirrored entries, relative to the largest, that is rounding
ROUNDING = 1e-13  # entries of R, in units of the effects they are of, that are zero
COLUMNS = 500  # of a matrix that are computed at once
SHOWN = 6  # labels of levels in print
SINGULAR = 1e-10  # smallest pivot of a Cholesky factor, squared and relative to the diagonal, that tells of a rank


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """Covariance ``A`` of levels by a triangular root of its inverse, ``A^-1 = R'R``."""

    labels: tuple[str, ...]
    row: Array  # (m,) entries of R that are not zero, those of its diagonal among them
    column: Array  # column <= row
    value: Array

    def __repr__(self) -> str:
        few = self.labels if self.size <= SHOWN else (*self.labels[: SHOWN - 1], "...", self.labels[-1])
        return f"Relation of {self.size} levels: {', '.join(few)}\nRoot of its precision: {len(self.value)} entries"

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(self.labels)

    @property
    def is_diagonal(self) -> bool:
        """Whether no level is related to another."""
        return len(self.value) == self.size

    def is_same(self, other: Relation) -> bool:
        """Whether another one is of the same levels, and the same covariance."""
        mine, theirs = ((one.row, one.column, one.value) for one in (self, other))
        return self.labels == other.labels and all(map(np.array_equal, mine, theirs))

    @property
    def variances(self) -> Array:
        """Diagonal of ``A``: ``(J,)``."""
        return _variances(self)

    @property
    def log_det(self) -> float:
        """Log determinant of ``A``."""
        return float(-2.0 * np.log(self.value[self.row == self.column]).sum())

    @property
    def precision(self) -> tuple[Array, Array, Array]:
        """Row, column and value of the entries of ``A^-1`` that are not zero, ``row <= column``."""
        return _precision(self)

    def times_precision(self, vectors: Array) -> Array:
        """``A^-1 v`` of vectors ``(..., J, k)``."""
        R = _root(self)
        return _along(vectors, lambda flat: R.T @ (R @ flat))

    def times_covariance(self, vectors: Array) -> Array:
        """``A v`` of vectors ``(..., J, k)``."""
        return _along(vectors, lambda flat: _solved(self, _solved(self, flat, transposed=True)))

    def correlated(self, noise: Array) -> Array:
        """Draws with covariance ``A`` from independent ones: ``R^-1 z``, ``(..., J, k)``."""
        return _along(noise, lambda flat: _solved(self, flat))

    def covariance(self) -> Array:
        """``A`` itself ``(J, J)``, dense."""
        return self.times_covariance(np.eye(self.size))

    def quadratic(self, vectors: Array) -> Array:
        """``sum_e v_e' A^-1 v_e`` of vectors ``(..., J, k)``: ``(...)``."""
        R = _root(self)
        return np.asarray(np.sum(_along(vectors, lambda flat: R @ flat) ** 2, axis=(-1, -2)))


def _along(vectors: Array, function: Any) -> Array:
    """A function of columns ``(J, m)``, of vectors ``(..., J, k)``."""
    moved = np.moveaxis(vectors, -2, 0)
    found = np.asarray(function(np.ascontiguousarray(moved.reshape(len(moved), -1))))
    return np.moveaxis(found.reshape(moved.shape), 0, -2)


@lru_cache(maxsize=16)
def _root(relation: Relation) -> Any:
    """``R`` as a matrix: dense where most of its triangle is not zero."""
    from scipy import sparse

    J = relation.size
    R = sparse.csr_array((relation.value, (relation.row, relation.column)), shape=(J, J))
    return R.toarray() if _is_dense(relation) else R


def _is_dense(relation: Relation) -> bool:
    return 8 * len(relation.value) > relation.size**2


def _solved(relation: Relation, flat: Array, *, transposed: bool = False) -> Array:
    """``R^-1 v`` or ``R'^-1 v``."""
    if _is_dense(relation):
        from scipy.linalg import solve_triangular

        return np.asarray(solve_triangular(_root(relation), flat, lower=True, trans=int(transposed)))
    return np.asarray(_factor(relation).solve(flat, trans="T" if transposed else "N"))


@lru_cache(maxsize=16)
def _factor(relation: Relation) -> Any:
    """``R`` as a factorisation that solves with it and its transpose: it is triangular, nothing fills in."""
    from scipy.sparse.linalg import splu

    return splu(_root(relation).tocsc(), permc_spec="NATURAL", diag_pivot_thresh=0.0)


@lru_cache(maxsize=16)
def _variances(relation: Relation) -> Array:
    J = relation.size
    parts = [np.sum(_half(relation, _units(J, begin)) ** 2, axis=0) for begin in range(0, J, COLUMNS)]
    return np.concatenate(parts)


def _half(relation: Relation, columns: Array) -> Array:
    """``R'^-1 v``: with it ``v'A v`` is a sum of squares."""
    return _solved(relation, columns, transposed=True)


def _units(J: int, begin: int) -> Array:
    """Some columns of the identity matrix."""
    width = min(COLUMNS, J - begin)
    units = np.zeros((J, width))
    units[begin + np.arange(width), np.arange(width)] = 1.0
    return units


@lru_cache(maxsize=16)
def _precision(relation: Relation) -> tuple[Array, Array, Array]:
    from scipy import sparse

    R = _root(relation)
    found = sparse.coo_array(np.triu(R.T @ R)) if _is_dense(relation) else sparse.triu(R.T @ R, format="coo")
    return found.row.astype(np.int64), found.col.astype(np.int64), np.asarray(found.data)


def read_relations(data2: Any) -> dict[str, Relation]:
    """Relations by their names, of ``data2={"A": matrix}``."""
    if data2 is None:
        return {}
    if not isinstance(data2, Mapping):
        raise SpecError(f'data2 is a dictionary of matrices by name, {{"A": A}}, not {type(data2).__name__}.')
    return {str(name): relation_of(value, str(name)) for name, value in data2.items()}


def relation_of(matrix: Any, name: str) -> Relation:
    """Relation by a covariance matrix with labels: a pandas table whose rows and columns are called as the levels.

    Raises
    ------
    DataError
        If it has no labels or the same twice, is not symmetric, or not positive definite.
    """
    import pandas as pd

    if isinstance(matrix, Relation):
        return matrix
    if not isinstance(matrix, pd.DataFrame):
        what = f"`{name}` of data2 is {type(matrix).__name__}, which does not say which row is of which level."
        advice = "Give a table with the levels as rows and columns: pandas.DataFrame(A, index=levels, columns=levels)."
        raise DataError(f"{what} {advice} A pedigree is bmx.pedigree(table), a phylogeny bmx.phylogeny(text).")
    labels = _labels(matrix, name)
    A = _numbers(matrix, labels, name)
    root = _cholesky(A, name)
    inverse = np.linalg.solve(root, np.eye(len(A))) if len(A) < 100 else _inverse_triangle(root)
    inverse = np.where(np.abs(inverse) * np.sqrt(np.diagonal(A)) > ROUNDING, np.tril(inverse), 0.0)
    row, column = np.nonzero(inverse)
    return Relation(labels, row, column, inverse[row, column])


def _inverse_triangle(root: Array) -> Array:
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(root, np.eye(len(root)), lower=True))


def check_labels(labels: tuple[str, ...], what: str) -> None:
    """Refuse labels that occur twice."""
    twice = [name for name, count in Counter(labels).items() if count > 1]
    if twice:
        raise DataError(f"{what} has `{twice[0]}` twice: each level has one row. Remove or rename the others.")


def _labels(matrix: Any, name: str) -> tuple[str, ...]:
    rows, columns = (tuple(label(value) for value in axis) for axis in (matrix.index, matrix.columns))
    check_labels(rows, f"`{name}` of data2")
    if set(rows) != set(columns) or len(rows) != len(columns):
        odd = [*(set(rows) - set(columns)), *(set(columns) - set(rows))]
        what = f"Rows and columns of `{name}` of data2 are not called alike: `{sorted(odd)[0] if odd else columns[0]}`"
        raise DataError(f"{what} is not among both. Write pandas.DataFrame(A, index=levels, columns=levels).")
    return rows


def _numbers(matrix: Any, labels: tuple[str, ...], name: str) -> Array:
    """The matrix ``(J, J)``, columns in the order of the rows, symmetric to the last digit."""
    columns = {label(value): j for j, value in enumerate(matrix.columns)}
    try:
        A = np.asarray(matrix.to_numpy(), dtype=np.float64)[:, [columns[one] for one in labels]]
    except (TypeError, ValueError):
        raise DataError(f"`{name}` of data2 has entries that are no numbers.") from None
    if not np.all(np.isfinite(A)):
        i, j = (int(at[0]) for at in np.nonzero(~np.isfinite(A)))
        raise DataError(f"`{name}` of data2 is {A[i, j]} in row `{labels[i]}`, column `{labels[j]}`: fill it in.")
    apart = np.abs(A - A.T)
    if apart.max(initial=0.0) > ASYMMETRIC * max(np.abs(A).max(initial=0.0), 1e-300):
        i, j = divmod(int(apart.argmax()), len(A))
        what = f"`{name}` of data2 is not symmetric: {A[i, j]:.6g} for `{labels[i]}` and `{labels[j]}`, {A[j, i]:.6g}"
        raise DataError(f"{what} the other way round. A covariance is: check how it was made.")
    return 0.5 * (A + A.T)


def _cholesky(A: Array, name: str) -> Array:
    try:
        root = np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        root = np.zeros((0, 0))
    pivots = np.diagonal(root) ** 2
    if len(root) and np.all(pivots > SINGULAR * np.diagonal(A)):
        return np.asarray(root)
    smallest = float(np.linalg.eigvalsh(A)[0])
    raise DataError(
        f"`{name}` of data2 is not positive definite: its smallest eigenvalue is {smallest:.3g}. Levels that are the"
        " same to it (twins, clones, duplicates) are one level; a genomic matrix of centred markers has an eigenvalue"
        " of zero: blend it, 0.99 * A + 0.01 * I."
    )
