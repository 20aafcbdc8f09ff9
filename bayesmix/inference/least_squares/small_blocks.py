"""Linear algebra of many small matrices at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.parallel.threads import one_blas_thread

FEW = 4  # rows up to which many triangular systems are solved row by row, all at once


MANY = 8  # effects from which products of whole matrices cost less than those of their entries


ROUNDING = 100.0 * np.finfo(float).eps  # times the size squared: what a factorisation cannot be off by, relatively
SMALL = 100  # systems up to which NumPy's functions do as well as loading SciPy's
TILE = 128  # rows of a square that are mirrored at once: as many as the processor keeps near


class NotPositiveError(np.linalg.LinAlgError):
    """Some of many small matrices are not positive definite."""

    def __init__(self, positive: Array) -> None:
        super().__init__("a block is not positive definite")
        self.positive = positive  # (...,) which of them are, as each by itself would be found

    def points(self, n: int) -> Array | None:
        """Which of ``n`` points that blocks ``(n, ...)`` are of have none that is not, ``(n,) bool``; or None."""
        if len(self.positive) != n:
            return None
        return np.asarray(self.positive.reshape(n, -1).all(axis=1))


def log_det(L: Array) -> Array:
    """Log determinants of ``L L'``."""
    if L.shape[-1] == 2:  # one logarithm, not two and their sum
        return np.asarray(2.0 * np.log(L[..., 0, 0] * L[..., 1, 1]))
    return 2.0 * np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(axis=-1)


def congruent(blocks: Array, Lambda: Array) -> Array:
    """``Lambda' block Lambda`` of blocks ``(..., J, k, k)``: one product of matrices, the entries of a block a row.

    Of large blocks, whose entries are too many for that, two products a block.
    """
    k = Lambda.shape[-1]
    if k > MANY:
        return np.asarray(np.swapaxes(Lambda, -1, -2)[..., None, :, :] @ blocks @ Lambda[..., None, :, :])
    both = Lambda[..., :, None, :, None] * Lambda[..., None, :, None, :]
    entries = blocks.reshape(*blocks.shape[:-2], k * k) @ both.reshape(*Lambda.shape[:-2], k * k, k * k)
    return np.asarray(entries.reshape(*entries.shape[:-1], k, k))


def gram(A: Array) -> Array:
    """``A' A`` of many small lower triangular matrices."""
    if A.shape[-1] > 2:
        return np.swapaxes(A, -1, -2) @ A
    if A.shape[-1] == 1:
        return A**2
    gram = np.empty(A.shape)
    gram[..., 0, 0] = A[..., 0, 0] ** 2 + A[..., 1, 0] ** 2
    gram[..., 1, 0] = gram[..., 0, 1] = A[..., 1, 0] * A[..., 1, 1]
    gram[..., 1, 1] = A[..., 1, 1] ** 2
    return gram


def cholesky_and_inverse(M: Array) -> tuple[Array, Array]:
    """Cholesky factors of many small matrices ``(..., k, k)`` and the inverses of the factors."""
    if M.shape[-1] == 1:
        if not np.all(M > 0.0):
            raise NotPositiveError(M[..., 0, 0] > 0.0)
        L = np.sqrt(M)
        return L, 1.0 / L
    if M.shape[-1] == 2:
        return _two_by_two(M)
    try:
        L = np.linalg.cholesky(M)
    except np.linalg.LinAlgError as error:
        raise NotPositiveError(_are_positive(M)) from error
    return L, np.linalg.inv(L)


def _are_positive(M: Array) -> Array:
    """Which of many matrices ``(..., k, k)`` LAPACK factorises: eigenvalues tell, and itself what is near zero."""
    values = np.linalg.eigvalsh(M)
    rounding = ROUNDING * M.shape[-1] ** 2 * np.abs(values).max(axis=-1)
    found = values[..., 0] > rounding
    for place in zip(*np.nonzero(~(np.abs(values[..., 0]) > rounding)), strict=True):  # numbers that are none, too
        found[place] = _is_positive(M[place])
    return np.asarray(found)


def _is_positive(M: Array) -> bool:
    try:
        np.linalg.cholesky(M)
    except np.linalg.LinAlgError:
        return False
    return True


def inverse_of_lower(L: Array) -> Array:
    """Inverses of many small lower triangular matrices ``(..., k, k)``."""
    if L.shape[-1] == 1:
        return np.asarray(1.0 / L)
    if L.shape[-1] > 2:
        return np.asarray(np.linalg.inv(L))
    inverse = np.zeros(L.shape)  # written out, as in `_two_by_two`
    inverse[..., 0, 0], inverse[..., 1, 1] = 1.0 / L[..., 0, 0], 1.0 / L[..., 1, 1]
    inverse[..., 1, 0] = -L[..., 1, 0] * inverse[..., 0, 0] * inverse[..., 1, 1]
    return inverse


def cholesky_and_half(M: Array, h: Array) -> tuple[Array, Array]:
    """Cholesky factors of many matrices ``(..., k, k)``, and right-hand sides ``(..., k)`` solved by the factors."""
    if M.shape[-1] <= SMALL:
        L, inverse = cholesky_and_inverse(M)
        return L, (inverse @ h[..., None])[..., 0]
    L = np.linalg.cholesky(M)
    return L, solve_lower(L, h[..., None])[..., 0]


def _two_by_two(M: Array) -> tuple[Array, Array]:
    """Written out: LAPACK spends most of its time on being called for each matrix."""
    a, b, c = M[..., 0, 0], M[..., 1, 0], M[..., 1, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.sqrt(a)
        low = b / first
        last = np.sqrt(c - low**2)
    if not (np.all(first > 0.0) and np.all(last > 0.0)):
        raise NotPositiveError((first > 0.0) & (last > 0.0))
    L, inverse = np.zeros(M.shape), np.zeros(M.shape)
    L[..., 0, 0], L[..., 1, 0], L[..., 1, 1] = first, low, last
    inverse[..., 0, 0], inverse[..., 1, 1] = 1.0 / first, 1.0 / last
    inverse[..., 1, 0] = -low / (first * last)
    return L, inverse


def rows_of(blocks: Array) -> Array:
    """Blocks ``(..., J, k, c)`` one below the other: ``(..., J k, c)``."""
    levels, k, c = blocks.shape[-3:]
    return blocks.reshape(*blocks.shape[:-3], levels * k, c)


def stack_rows(B: Sequence[Array], c: int) -> Array:
    """Rows ``(..., sum J k, c)`` of blocks ``(..., J, k, c)``, one factor after the other."""
    parts = [rows_of(b) for b in B]
    return np.concatenate(parts, axis=-2) if parts else np.zeros((0, c))


def transposed_times(shapes: Sequence[tuple[int, int]], Lambdas: Sequence[Array], rows: Array) -> Array:
    """``Lambda' rows`` for block-diagonal ``Lambda``, one ``(..., k, k)`` block a factor; ``rows (..., q, c)``."""
    return block_rows(shapes, [np.swapaxes(Lambda, -1, -2) for Lambda in Lambdas], rows)


def block_rows(shapes: Sequence[tuple[int, int]], blocks: Sequence[Array], rows: Array) -> Array:
    """Products of block diagonal matrices, factor by factor, with rows ``(..., sum J k, c)``."""
    lead = np.broadcast_shapes(rows.shape[:-2], *(block.shape[:-2] for block in blocks))
    products, offset = np.empty((*lead, *rows.shape[-2:])), 0
    for (levels, k), block in zip(shapes, blocks, strict=True):
        place = slice(offset, offset + levels * k)
        own, product = rows[..., place, :], products[..., place, :]
        if k == 1:
            np.multiply(block, own, out=product)
        else:
            split = own.reshape(*own.shape[:-2], levels, k, own.shape[-1])
            product[...] = (block[..., None, :, :] @ split).reshape(product.shape)
        offset += levels * k
    return products


def solve_upper(L: Array, rhs: Array) -> Array:
    """Solve ``L' x = rhs`` for ``(..., k)`` right-hand sides."""
    if L.shape[-1] == 1:
        return rhs / L[..., 0]
    if L.shape[-1] > SMALL:
        return _triangular(L, rhs[..., None], transposed=True)[..., 0]
    if 0 < L.shape[-1] <= FEW:
        return _row_by_row(np.swapaxes(L, -1, -2)[..., ::-1, ::-1], rhs[..., ::-1, None])[..., ::-1, 0]
    return np.asarray(np.linalg.solve(np.swapaxes(L, -1, -2), rhs[..., None])[..., 0])


def solve_lower(L: Array, rhs: Array) -> Array:
    """Solve ``L x = rhs`` for ``(..., k, c)`` right-hand sides."""
    if L.shape[-1] == 1:
        return rhs / L
    if L.shape[-1] > SMALL:
        return _triangular(L, rhs, transposed=False)
    if 0 < L.shape[-1] <= FEW:
        return _row_by_row(L, rhs)
    return np.asarray(np.linalg.solve(L, rhs))


def _row_by_row(L: Array, rhs: Array) -> Array:
    """Forward substitution in many systems of few rows at once."""
    rows: list[Array] = []
    for i in range(L.shape[-1]):
        left = rhs[..., i, :]
        for j, row in enumerate(rows):
            left = left - L[..., i, j, None] * row
        rows.append(left / L[..., i, i, None])
    return np.stack(rows, axis=-2)


def _triangular(L: Array, rhs: Array, *, transposed: bool) -> Array:
    """Solve large triangular systems ``(..., q, q)`` one by one: half of what factorising them again would take."""
    from scipy.linalg import solve_triangular

    lead = np.broadcast_shapes(L.shape[:-2], rhs.shape[:-2])
    L, rhs = np.broadcast_to(L, (*lead, *L.shape[-2:])), np.broadcast_to(rhs, (*lead, *rhs.shape[-2:]))
    solution = np.empty(rhs.shape)
    with one_blas_thread():  # again: SciPy's BLAS is another library, loaded by the line above
        for at in np.ndindex(lead):
            solution[at] = solve_triangular(L[at], rhs[at], lower=True, trans=int(transposed), check_finite=False)
    return solution


def congruent_square(shapes: Sequence[tuple[int, int]], Lambdas: Sequence[Array], square: Array) -> Array:
    """``Lambda' S Lambda`` of symmetric ``S (..., q, q)`` and block-diagonal ``Lambda``."""
    if any(k > 1 for _, k in shapes):
        half = transposed_times(shapes, Lambdas, square)
        return transposed_times(shapes, Lambdas, np.swapaxes(half, -1, -2))
    pairs = zip(shapes, Lambdas, strict=True)
    lead = np.broadcast_shapes(*(Lambda.shape[:-2] for Lambda in Lambdas))
    sizes = np.concatenate([np.broadcast_to(Lambda[..., 0], (*lead, levels)) for (levels, _), Lambda in pairs], axis=-1)
    product = square * sizes[..., None, :]
    product *= sizes[..., :, None]
    return np.asarray(product)


def cholesky_of_square(M: Array) -> Array:
    """Cholesky factors ``(..., q, q)``; of one large matrix in its place.

    Raises
    ------
    numpy.linalg.LinAlgError
        If one is not positive definite.
    """
    if M.ndim > 2 or len(M) <= SMALL:
        return np.linalg.cholesky(M)
    from scipy.linalg.lapack import dpotrf

    with one_blas_thread():
        root, failed = dpotrf(M.T, lower=0, overwrite_a=1)  # LAPACK reads by columns: its upper triangle is our lower
    if failed:
        raise np.linalg.LinAlgError("a matrix is not positive definite")
    return np.asarray(root.T)


def inverse_of_square(L: Array) -> Array:
    """``(L L')^-1`` of triangles ``(..., q, q)``."""
    if L.shape[-1] <= SMALL:
        root = np.linalg.inv(L)
        return np.asarray(np.swapaxes(root, -1, -2) @ root)
    if L.ndim > 2:
        return np.stack([inverse_of_square(one) for one in L])
    from scipy.linalg.lapack import dpotri

    with one_blas_thread():
        inverse = np.asarray(dpotri(L.T, lower=0)[0].T)
    mirror(inverse)
    return inverse


def mirror(square: Array) -> None:
    """Put the lower triangle of a square ``(q, q)`` on its upper one, too."""
    q = len(square)
    for begin in range(0, q, TILE):
        end = min(begin + TILE, q)
        tile = square[begin:end, begin:end]
        tile += np.tril(tile, -1).T - np.triu(tile, 1)
        square[begin:end, end:] = square[end:, begin:end].T
