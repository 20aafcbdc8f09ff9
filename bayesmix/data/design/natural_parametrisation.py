"""Natural parametrisations of penalised bases: columns of unit size whose penalty is a multiple of the identity.

References
----------
Wood (2017), *Generalized Additive Models*, section 5.4.2; Wood, Scheipl and Faraway (2013), Stat. Comput. 23, 341-360.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.smooth_bases import PenalisedBasis


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """Tensor product of bases whose penalties do not overlap: blocks of products of ranges and null spaces."""

    margins: tuple[PenalisedBasis, ...]
    changes: tuple[Array, ...]  # of the columns of each margin to its natural parametrisation

    def __call__(self, x: Array) -> Array:
        """Columns ``(n, K)`` at values ``(n, d)``: block by block, that of the null spaces last."""
        return np.column_stack(self._blocks(x))

    @property
    def sizes(self) -> list[int]:
        """Number of columns of each block."""
        ranks, widths = self._ranks, [change.shape[1] for change in self.changes]
        return [int(np.prod(block)) for block in _combined([[r, w - r] for r, w in zip(ranks, widths, strict=True)])]

    @property
    def _ranks(self) -> list[int]:
        return [margin.rank for margin in self.margins]

    def _blocks(self, x: Array) -> list[Array]:
        natural = [
            margin(x[:, [j]]) @ change
            for j, (margin, change) in enumerate(zip(self.margins, self.changes, strict=True))
        ]
        parts = [[X[:, :rank], X[:, rank:]] for X, rank in zip(natural, self._ranks, strict=True)]
        return [_row_products(block) for block in _combined(parts)]


def tensor(margins: Sequence[PenalisedBasis], x: Array) -> Tensor:
    """The tensor product of marginal bases, in the natural parametrisations that they have on values ``(n, d)``."""
    changes = [natural_by_penalty(margin(x[:, [j]]), margin) for j, margin in enumerate(margins)]
    return Tensor(tuple(margins), tuple(changes))


def natural_by_penalty(X: Array, basis: PenalisedBasis) -> Array:
    """Change of columns to those in which the penalty is diagonal; the null space begins with the constant.

    Parameters
    ----------
    X : columns of the basis on the data ``(n, k)``.
    """
    values, vectors = _eigen(basis.penalty)
    rank = basis.rank
    made = X @ vectors
    size = np.ones(len(values))
    size[:rank] = np.sqrt(values[:rank])
    norms = np.sum(made**2, axis=0) / size**2
    size[rank:] = np.sqrt(norms[rank:] / np.mean(norms[:rank]))
    change = vectors / size
    if len(values) > rank + 1:
        null = X @ change[:, rank:]
        centred = null - null.mean(axis=0)
        turned = _eigen(centred.T @ centred)[1]
        change[:, rank:] = change[:, rank:] @ turned[:, ::-1]
    return _unit_size(X, change, rank)


def natural_by_columns(X: Array, basis: PenalisedBasis) -> Array:
    """Change of columns to orthonormal ones in which the penalty is the identity, up to units of the two parts.

    mgcv leaves the rotation of the null space to its eigenvectors, where all are equal; here the constant is first.
    """
    rank = basis.rank
    R = np.linalg.qr(X, mode="r")
    inverse = np.linalg.solve(R, np.eye(len(R)))
    values, vectors = _eigen(inverse.T @ basis.penalty @ inverse)
    change = inverse @ vectors
    change[:, :rank] /= np.sqrt(values[:rank])
    null = X @ change[:, rank:]
    ones = np.linalg.lstsq(null, np.ones(len(X)), rcond=None)[0]
    turn = np.linalg.qr(np.column_stack([ones, np.eye(len(ones))]))[0]
    change[:, rank:] = change[:, rank:] @ (turn * np.sign(turn.T @ ones + 1e-9))
    return _unit_size(X, change, rank)


def _unit_size(X: Array, change: Array, rank: int) -> Array:
    """The change that makes both parts, range and null space, of columns of mean square one."""
    change = change.copy()
    for part in (slice(0, rank), slice(rank, change.shape[1])):
        if change[:, part].size:
            change[:, part] /= np.sqrt(np.mean((X @ change[:, part]) ** 2))
    return change


def _eigen(matrix: Array) -> tuple[Array, Array]:
    """Eigenvalues, the largest first, and eigenvectors: by LAPACK's routine that R takes.

    A null space has no eigenvectors of its own; those of a cubic spline's penalty are then mgcv's as well.
    """
    from scipy.linalg import eigh

    values, vectors = eigh(0.5 * (matrix + matrix.T), driver="evr")
    return values[::-1], vectors[:, ::-1].copy()


def _combined[T](parts: Sequence[Sequence[T]]) -> list[list[T]]:
    """One part of each margin in all combinations, the first margin's varying fastest: null spaces come last."""
    found: list[list[T]] = [[]]
    for own in parts:
        found = [[*before, one] for one in own for before in found]
    return found


def _row_products(factors: Sequence[Array]) -> Array:
    """Products of the columns of several matrices row by row, those of the last varying fastest."""
    made = factors[0]
    for other in factors[1:]:
        made = (made[:, :, None] * other[:, None, :]).reshape(len(made), -1)
    return made
