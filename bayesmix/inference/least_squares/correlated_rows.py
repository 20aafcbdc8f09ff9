"""Cross-products of rows whose residuals are correlated within blocks, as functions of their covariance.

The covariance of a block is ``V = D C D``: ``D`` has the standard deviations of its rows, ``exp(S gamma + offset)``,
and ``C`` is a submatrix of the correlation matrix of a whole block. Blocks with the same places and the same ``S`` have
one ``V``, and of those that are of the same levels of all grouping factors, a cell, no more is needed than the sum of
``A (x) A`` over blocks, ``A (m, c)`` their rows of ``[Z X y]``. What then depends on the covariance costs as much for a
million rows as for a thousand of the same patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.residual_blocks import RowBlocks
from bayesmix.errors import DesignError
from bayesmix.inference.least_squares.cross_products import Moments
from bayesmix.inference.least_squares.derivatives import Sensitivity
from bayesmix.inference.least_squares.incidence import Factor, Incidence, incidence
from bayesmix.inference.parameters.correlation import Correlation
from bayesmix.inference.parameters.residual_families import correlation_matrix, matrix_slopes
from bayesmix.language.families.link import CORRELATION

MOST = 250_000_000  # numbers of the sums over blocks: two gigabytes


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """All blocks of one size, ``P`` patterns of them and ``L`` cells."""

    places: Array  # (P, m)
    S: Array  # (P, m, s)
    offset: Array  # (P, m)
    count: Array  # (P,) blocks of each pattern
    of_cell: Array  # (L,) pattern of each cell
    products: Array  # (L, m m, c c) sums over blocks of a cell
    rows: tuple[Array, ...]  # per pattern (blocks, m), the rows


@dataclass(frozen=True, slots=True, eq=False)
class CorrelatedRows:
    """Rows of a linear model, by blocks of their covariance.

    The numbers ``phi`` of the covariance are ``gamma (s)``, then what `CORRELATION` takes to partial correlations.
    """

    family: Correlation
    s: int
    sizes: tuple[Blocks, ...]
    cells: Incidence  # cells by levels of the grouping factors
    widths: tuple[int, ...]  # columns of each factor
    levels: tuple[Array, ...]  # per factor (cells,)
    n: int

    @property
    def size(self) -> int:
        """Numbers of the covariance."""
        return self.s + self.family.size

    @property
    def numbers(self) -> int:
        """Size of the arrays of one evaluation: a measure of its cost."""
        return sum(
            blocks.offset.size * blocks.offset.shape[1] + len(blocks.of_cell) * blocks.products.shape[-1]
            for blocks in self.sizes
        )

    def covariances(self, blocks: Blocks, phi: Array, *, correlation: Array | None = None) -> Array:
        """Covariance of each pattern ``(..., P, m, m)`` at ``phi (..., size)``."""
        C = self.correlation(phi) if correlation is None else correlation
        sd = np.exp(np.einsum("pms,...s->...pm", blocks.S, phi[..., : self.s]) + blocks.offset)
        own = C[..., blocks.places[:, :, None], blocks.places[:, None, :]]
        return np.asarray(sd[..., :, None] * own * sd[..., None, :])

    def correlation(self, phi: Array) -> Array:
        """Correlation matrix of a whole block ``(..., T, T)``."""
        return correlation_matrix(self.family, CORRELATION.mean(phi[..., self.s :]))

    def moments(self, phi: Array) -> tuple[Moments, Array]:
        """Cross-products ``[Z X y]'V^-1 [Z X y]`` at ``phi (..., size)``, and ``log|V| (...,)``.

        Raises
        ------
        numpy.linalg.LinAlgError
            If a covariance is not positive definite there.
        """
        C, found, log_det = self.correlation(phi), [], np.zeros(phi.shape[:-1])
        for blocks in self.sizes:
            V = self.covariances(blocks, phi, correlation=C)
            L = np.linalg.cholesky(V)
            log_det = log_det + 2.0 * np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(axis=-1) @ blocks.count
            P = _inverse(L).reshape(*phi.shape[:-1], len(blocks.count), -1)
            flat = P[..., blocks.of_cell, :].reshape(-1, len(blocks.of_cell), P.shape[-1])
            sums = np.matmul(flat.transpose(1, 0, 2), blocks.products).transpose(1, 0, 2)
            found.append(sums.reshape(*phi.shape[:-1], *sums.shape[1:]))
        c = _side(self.sizes[0].products.shape[-1])
        whole = np.concatenate(found, axis=-2)
        return self._moments(whole.reshape(*whole.shape[:-1], c, c)), log_det

    def _moments(self, products: Array) -> Moments:
        """From cross-products of cells ``(..., cells, c, c)``."""
        places = _places(self.widths)
        rest = slice(sum(self.widths), None)
        D = [_sums(self.cells.rows[f].sum, products[..., own, own]) for f, own in enumerate(places)]
        C = [_sums(pair.rows.sum, products[..., places[pair.first], places[pair.second]]) for pair in self.cells.pairs]
        B = [_sums(self.cells.rows[f].sum, products[..., own, rest]) for f, own in enumerate(places)]
        return Moments(tuple(D), tuple(C), tuple(B), products[..., rest, rest].sum(axis=-3), self.n)

    def gradient(self, phi: Array, by_moments: Sensitivity, S_XX: Array) -> Array:
        """Derivative ``(size,)`` by ``phi (size,)`` of ``log|V|`` plus a function of the moments.

        Parameters
        ----------
        by_moments, S_XX : derivatives of that function, as `sensitivity` gives them.
        """
        local = self._by_cell(by_moments, S_XX)
        C, T = self.correlation(phi), self.family.k
        by_gamma, by_C, begin = np.zeros(self.s), np.zeros((T, T)), 0
        for blocks in self.sizes:
            V = self.covariances(blocks, phi, correlation=C)
            H = self._by_covariance(blocks, V, local[begin : (begin := begin + len(blocks.of_cell))])
            by_gamma += 2.0 * np.einsum("pab,pab,pas->s", H, V, blocks.S)
            sd = np.exp(blocks.S @ phi[: self.s] + blocks.offset)
            where = blocks.places[:, :, None], blocks.places[:, None, :]
            np.add.at(by_C, where, H * sd[:, :, None] * sd[:, None, :])
        slopes = matrix_slopes(self.family, CORRELATION.mean(phi[self.s :]))
        by_partial = np.einsum("ab,sab->s", by_C, slopes)
        return np.concatenate([by_gamma, by_partial * CORRELATION.inverse(phi[self.s :])[1]])

    def _by_covariance(self, blocks: Blocks, V: Array, local: Array) -> Array:
        """Derivative by the covariance of each pattern ``(P, m, m)``."""
        m = V.shape[-1]
        own = (blocks.products @ local.reshape(len(local), -1, 1)).reshape(-1, m, m)
        by_inverse = np.zeros(V.shape)
        np.add.at(by_inverse, blocks.of_cell, own)
        P = np.linalg.inv(V)
        return np.asarray(blocks.count[:, None, None] * P - P @ by_inverse @ P)

    def _by_cell(self, by_moments: Sensitivity, S_XX: Array) -> Array:
        """Derivatives by the cross-products of each cell ``(cells, c, c)``."""
        c, places = sum(self.widths) + len(S_XX), _places(self.widths)
        rest, whole = slice(sum(self.widths), None), np.zeros((sum(len(one.of_cell) for one in self.sizes), c, c))
        whole[:, rest, rest] = S_XX
        for f, own in enumerate(places):
            whole[:, own, own] = by_moments.D[f][self.levels[f]]
            whole[:, own, rest] = by_moments.B[f][self.levels[f]]
            whole[:, rest, own] = np.swapaxes(whole[:, own, rest], 1, 2)
        for pair, block in zip(self.cells.pairs, by_moments.C, strict=True):
            first, second = places[pair.first], places[pair.second]
            whole[:, first, second] = block[pair.member]
            whole[:, second, first] = np.swapaxes(whole[:, first, second], 1, 2)
        return whole


def correlated_rows(
    family: Correlation, at: RowBlocks, factors: Sequence[Factor], columns: Array, S: Array, offset: Array
) -> CorrelatedRows:
    """Sum the cross-products of blocks once.

    Parameters
    ----------
    columns : (n, c) fixed columns and response side by side.
    S, offset : (n, s) and (n,) of the log standard deviations of the residuals.

    Raises
    ------
    DesignError
        If a block is of several levels of a grouping factor, or the sums are too many to hold.
    """
    _check_independent(factors)
    levels = np.stack([factor.codes for factor in factors], axis=1) if factors else np.zeros((len(offset), 0), np.intp)
    whole = np.hstack([*(factor.z for factor in factors), columns])
    sizes, of_cells = [], []
    for rows, _ in at.by_block():
        blocks, cells = _of_size(rows, at.place, S, offset, levels, whole)
        sizes.append(blocks)
        of_cells.append(cells)
    every = np.concatenate(of_cells)
    grouping = [
        Factor(every[:, f], np.zeros((len(every), factor.k)), factor.levels) for f, factor in enumerate(factors)
    ]
    codes = tuple(every[:, f] for f in range(len(factors)))
    widths = tuple(factor.k for factor in factors)
    return CorrelatedRows(family, S.shape[1], tuple(sizes), incidence(grouping), widths, codes, len(offset))


def _check_independent(factors: Sequence[Factor]) -> None:
    if any(factor.relation is not None or factor.slots > 1 for factor in factors):
        raise DesignError(
            "Levels that are related, `gr(g, cov = A)`, and memberships, `mm(g1, g2)`, are not there beside a residual"
            " structure: leave one of them out."
        )


def _of_size(rows: Array, place: Array, S: Array, offset: Array, levels: Array, whole: Array) -> tuple[Blocks, Array]:
    """Blocks of one size, rows ``(blocks, m)``, and the levels ``(cells, factors)`` of their cells."""
    m, c = rows.shape[1], whole.shape[1]
    own = levels[rows]
    if np.any(own != own[:, :1]):
        raise DesignError(
            "A level of residuals that are correlated lies in several levels of a grouping factor of random effects:"
            " this is for factors that it is nested in. Leave the crossed effects out, or write the structure as"
            " correlated effects, `ar1(0 + factor(time) | g)`."
        )
    said = np.concatenate([place[rows], *np.moveaxis(S[rows], -1, 0), offset[rows]], axis=1)
    _, first, pattern = np.unique(said, axis=0, return_index=True, return_inverse=True)
    pattern = pattern.reshape(-1)
    keys = np.column_stack([pattern, own[:, 0]])
    found, cell = np.unique(keys, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    if len(found) * (m * c) ** 2 > MOST:
        raise DesignError(
            f"Sums over {len(rows)} blocks of {m} rows with {c} columns take {len(found) * (m * c) ** 2 * 8 / 1e9:.0f}"
            " GB: leave predictors or random effects out, or give each block fewer rows."
        )
    products = np.stack([_outer(whole[rows[cell == i]]) for i in range(len(found))])
    blocks = Blocks(
        place[rows[first]],
        S[rows[first]],
        offset[rows[first]],
        np.bincount(pattern).astype(float),
        found[:, 0].astype(np.intp),
        products,
        tuple(rows[pattern == i] for i in range(len(first))),
    )
    return blocks, found[:, 1:].astype(np.intp)


def _outer(A: Array) -> Array:
    """Sum of ``A (x) A`` of blocks ``(b, m, c)``: ``(m m, c c)``."""
    b, m, c = A.shape
    flat = A.reshape(b, m * c)
    return (flat.T @ flat).reshape(m, c, m, c).transpose(0, 2, 1, 3).reshape(m * m, c * c)


def _inverse(L: Array) -> Array:
    """Inverse of ``L L'``."""
    root = np.linalg.inv(L)
    return np.asarray(np.swapaxes(root, -1, -2) @ root)


def _places(widths: Sequence[int]) -> list[slice]:
    ends = np.cumsum([0, *widths])
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]


def _side(square: int) -> int:
    return round(square**0.5)


def _sums(total: Callable[[Array], Array], blocks: Array) -> Array:
    """Sums of blocks ``(..., cells, a, b)`` over the cells of each level, or combination of levels."""
    a, b = blocks.shape[-2:]
    moved = np.moveaxis(blocks.reshape(*blocks.shape[:-2], a * b), -1, -2)
    return np.moveaxis(total(moved), -2, -1).reshape(*blocks.shape[:-3], -1, a, b)
