"""Penalised least squares by block elimination: one Cholesky, its solutions and its derivatives.

The random-effects part of every mixed model is the symmetric matrix ``A`` of cross-products of ``[Z_1 ... Z_F | X y]``,
one block column a grouping factor. With ``G = Lambda Lambda'`` the relative covariance of the effects of one level
(Bates, Maechler, Bolker, Walker 2015, J. Stat. Softw. 67(1), eqs. 2-4), eliminating a factor with diagonal blocks ``D``
and couplings ``a`` to what is left replaces the latter by its Schur complement

    H <- H - a' P a,     P = Lambda (Lambda' D Lambda + I)^-1 Lambda' = (G^-1 + D)^-1.

The factor with most levels goes first; factors whose blocks stay diagonal after that (nesting) are eliminated the same
way; what is truly crossed ends in one dense block. ``P`` is well defined for singular ``G``, so fits on the boundary
need no special case.

Derivatives come from running the elimination backwards. With ``S = df/dH`` known for what is left,

    df/dP = -a S a',    df/dD = P - P (df/dP) P,    df/dG = D - D P D + (I - D P) (df/dP) (I - P D),

where the terms without ``df/dP`` belong to ``log|I + G D|``. The same pass yields the blocks of the inverse on the
pattern of ``A``: the conditional variances of the random effects.

Numerical arrays may carry leading batch axes ``...``, one entry a parameter point; derivatives are for one point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bayesmix.data.moments import Incidence, Moments, Segments, unique_keys, upper_triangle
from bayesmix.inference.batches import one_blas_thread

Array = np.ndarray

FEW = 4  # rows up to which many triangular systems are solved row by row, all at once
SMALL = 100  # triangular systems up to which NumPy's general solver does as well as loading SciPy's
PAIR_COST, ENTRY_COST = 20.0, 20.0  # of a product of couplings, of an entry of the dense end, in its multiplications
SPARSE = 20  # how many times dearer a product of the list is than one of a dense matrix product
PIECE = 100_000  # products of couplings computed at once: more of them would take more memory than all else
PAIR_LIMIT = 40_000_000  # more products than this in one elimination: dense matrices instead


@dataclass(frozen=True, slots=True, eq=False)
class Couplings:
    """Products ``a' P a`` of one elimination, listed pair by pair; edges are sorted by level, then column."""

    edge_level: Array  # (E,) level of the eliminated factor
    edge_column: Array  # (E,) column of what is left
    by_level: Segments
    levels: Array  # levels that have edges
    by_column: Segments
    columns: Array  # columns that have edges
    first: Array  # (pairs,) edges of each product, sorted by the entry they add to
    second: Array
    entry: Array  # (pairs,) entry of the pattern of what is left
    by_entry: Segments
    entries: Array  # entries that receive products


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Symbolic elimination of one block-diagonal factor."""

    levels: int
    k: int
    couplings: Couplings
    keep: Array  # positions, in the previous entries, of the entries that stay
    kept: Array  # where those stand in the entries left by this stage
    n_entries: int  # entries left by this stage
    diagonal: Array  # (J, k, k) positions of D in the previous entries
    coupling: Array  # (E, k) positions of a in the previous entries
    row: Array  # (n_entries,) pattern left by this stage (row <= column)
    column: Array
    left: int  # columns left by this stage

    @property
    def is_dense(self) -> bool:
        """Whether dense matrix products cost less than the list of pairs: most levels meet most columns."""
        return self.levels * self.k * self.left**2 <= SPARSE * len(self.couplings.first)

    @property
    def numbers(self) -> int:
        """Size of the arrays of one elimination."""
        return self.levels * self.k * self.left if self.is_dense else len(self.couplings.first)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The order of elimination of a design: symbolic, computed once."""

    shapes: tuple[tuple[int, int], ...]  # (J, k) of each factor
    stages: tuple[Stage, ...]
    source: Array  # (sources,) entry of the full pattern for each number of D and C, see `_sources`
    n_source: int
    row: Array  # pattern left for the dense end (row <= column)
    column: Array

    @property
    def dense(self) -> tuple[tuple[int, int], ...]:
        """Shapes of the factors left for the dense end."""
        return self.shapes[len(self.stages) :]

    @property
    def q(self) -> int:
        """Size of the dense end."""
        return sum(levels * k for levels, k in self.dense)


def plan(pattern: Incidence) -> Plan:
    """Decide which factors are eliminated block by block, and list the products that takes."""
    offsets = np.concatenate([[0], np.cumsum([J * k for J, k in pattern.shapes])]).astype(np.int64)
    total = int(offsets[-1])
    rows, columns = _sources(pattern, offsets)
    keys, source = unique_keys(rows * total + columns, total * total)
    n_source = len(keys)
    stages: list[Stage] = []
    for levels, k in pattern.shapes:
        row, column = np.divmod(keys, max(total, 1))
        if not _is_block_diagonal(row, column, levels, k):
            break
        stage, left_keys, left = _stage(levels, k, row, column, total)
        if _is_cheaper_dense(stage, total, left):
            break
        keys, total = left_keys, left
        stages.append(stage)
        if stage.n_entries > PAIR_LIMIT:
            break
    row, column = np.divmod(keys, max(total, 1))
    return Plan(pattern.shapes, tuple(stages), source, n_source, row, column)


def _is_cheaper_dense(stage: Stage, total: int, left: int) -> bool:
    """Whether a factor is better left to the dense end: one that meets most levels of the others in a small design."""
    one_by_one = PAIR_COST * len(stage.couplings.first) * stage.k
    return one_by_one > (total**3 - left**3) / 3.0 + ENTRY_COST * (total**2 - left**2)


def _sources(pattern: Incidence, offsets: Array) -> tuple[Array, Array]:
    """Row and column, upper triangle, of every number in ``D`` (row <= column only) and ``C``, in that order."""
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for (levels, k), offset in zip(pattern.shapes, offsets, strict=False):
        alpha, beta = upper_triangle(k)
        base = offset + np.arange(levels, dtype=np.int64)[:, None] * k
        rows.append((base + alpha).ravel())
        columns.append((base + beta).ravel())
    for pair in pattern.pairs:
        k_first, k_second = pattern.shapes[pair.first][1], pattern.shapes[pair.second][1]
        alpha, beta = (index.ravel() for index in np.indices((k_first, k_second)))
        rows.append((offsets[pair.first] + pair.i[:, None] * k_first + alpha).ravel())
        columns.append((offsets[pair.second] + pair.j[:, None] * k_second + beta).ravel())
    return np.concatenate(rows), np.concatenate(columns)


def _is_block_diagonal(row: Array, column: Array, levels: int, k: int) -> bool:
    inside = column < levels * k
    return bool(np.all(row[inside] // k == column[inside] // k))


def _stage(levels: int, k: int, row: Array, column: Array, total: int) -> tuple[Stage, Array, int]:
    """Eliminate the first ``levels * k`` columns symbolically; return the stage, the keys and the size left."""
    width, left = levels * k, total - levels * k
    inside = column < width
    diagonal = _diagonal_positions(row[inside], column[inside], np.flatnonzero(inside), levels, k)
    across = np.flatnonzero((row < width) & (column >= width))
    edge_keys, edge_of = unique_keys(row[across] // k * left + column[across] - width, levels * max(left, 1))
    coupling = np.full((len(edge_keys), k), -1)
    coupling[edge_of, row[across] % k] = across
    edge_level, edge_column = np.divmod(edge_keys, max(left, 1))
    keep = np.flatnonzero(row >= width)
    old_keys = (row[keep] - width) * left + column[keep] - width
    first, second = _edge_pairs(edge_level)
    fill = edge_column[first]
    fill *= left
    fill += edge_column[second]
    keys, position = unique_keys(np.concatenate([old_keys, fill]), left * left)
    del fill
    kept, entry = position[: len(keep)], position[len(keep) :]
    couplings = _couplings(edge_level, edge_column, first, second, entry)
    after = np.divmod(keys, max(left, 1))
    return Stage(levels, k, couplings, keep, kept, len(keys), diagonal, coupling, *after, left), keys, left


def _diagonal_positions(row: Array, column: Array, position: Array, levels: int, k: int) -> Array:
    diagonal = np.zeros((levels, k, k), np.intp)
    diagonal[row // k, row % k, column % k] = position
    diagonal[row // k, column % k, row % k] = position
    return diagonal


def _edge_pairs(edge_level: Array) -> tuple[Array, Array]:
    """All pairs ``e <= e'`` of edges of the same level, edges sorted by level: millions, hence in four bytes each."""
    starts = np.flatnonzero(np.r_[True, edge_level[1:] != edge_level[:-1]]) if len(edge_level) else np.zeros(0, np.intp)
    degrees = np.diff(np.r_[starts, len(edge_level)])
    ends = np.repeat(starts + degrees, degrees)
    counts = ends - np.arange(len(edge_level))
    edges = np.arange(len(edge_level), dtype=np.int32)
    first = np.repeat(edges, counts)
    second = np.repeat((edges - (np.cumsum(counts) - counts)).astype(np.int32), counts)
    second += np.arange(len(first), dtype=np.int32)
    return first, second


def _couplings(level: Array, column: Array, first: Array, second: Array, entry: Array) -> Couplings:
    by_entry = Segments.of(entry)
    if by_entry.order is not None:
        order = by_entry.order
        first, second, entry = first[order], second[order], entry[order]
    return Couplings(
        edge_level=level,
        edge_column=column,
        by_level=Segments.of(level),
        levels=level[_first_of_run(level)],
        by_column=(by_column := Segments.of(column)),
        columns=column[by_column.starts] if by_column.order is None else column[by_column.order][by_column.starts],
        first=first,
        second=second,
        entry=entry.astype(np.int32),
        by_entry=Segments(None, by_entry.starts),
        entries=entry[by_entry.starts],
    )


def _first_of_run(values: Array) -> Array:
    return np.r_[True, values[1:] != values[:-1]] if len(values) else np.zeros(0, bool)


@dataclass(frozen=True, slots=True, eq=False)
class Eliminated:
    """One eliminated factor at a parameter point: what solving and differentiating need again."""

    Lambda: Array  # (..., k, k)
    D: Array  # (..., J, k, k) after the eliminations before
    a: Array  # (..., E, k)
    B: Array  # (..., J, k, c)
    L: Array  # (..., J, k, k) Cholesky factor of Lambda' D Lambda + I
    P: Array  # (..., J, k, k)


@dataclass(frozen=True, slots=True, eq=False)
class DenseEnd:
    """The crossed rest at a parameter point."""

    Lambdas: tuple[Array, ...]  # per factor (..., k, k)
    H: Array  # (..., q, q)
    B: Array  # (..., q, c)
    L: Array  # (..., q, q)


@dataclass(frozen=True, slots=True, eq=False)
class Factorisation:
    """The factorised system at a parameter point."""

    plan: Plan
    eliminated: tuple[Eliminated, ...]
    end: DenseEnd | None
    log_determinant: Array  # (...,) log|Lambda' Z'WZ Lambda + I|
    XX: Array  # (..., c, c) cross-products of [X y] with the random effects eliminated: [X y]' V^-1 [X y]


def factorise(plan: Plan, moments: Moments, Lambdas: Sequence[Array], lead: tuple[int, ...] = ()) -> Factorisation:
    """Eliminate the random effects at relative factors ``Lambdas``, one ``(..., k, k)`` per grouping factor.

    ``lead`` are the leading axes of the parameter points, which a model without random effects cannot tell from its
    (no) factors.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a block is not positive definite, which only observed weights of a GLMM can cause.
    """
    entries = _entries(plan, moments)
    B = [np.asarray(b) for b in moments.B]
    XX = np.broadcast_to(moments.XX, np.broadcast_shapes(moments.XX.shape, (*lead, 1, 1)))
    log_determinant: Array = np.zeros(lead)
    done: list[Eliminated] = []
    rest = _stack_rows(B[1:], XX.shape[-1])
    current = B[0] if B else rest
    for stage, Lambda in zip(plan.stages, Lambdas, strict=False):
        step = _eliminate(stage, entries, current, Lambda)
        log_determinant = log_determinant + _log_det(step.L).sum(axis=-1)
        entries, rest, XX = _complement(stage, step, entries, rest, XX)
        done.append(step)
        if len(done) < len(plan.shapes):
            levels, k = plan.shapes[len(done)]
            current = rest[..., : levels * k, :].reshape(*rest.shape[:-2], levels, k, rest.shape[-1])
            if len(done) < len(plan.stages):
                rest = rest[..., levels * k :, :]
    if len(done) == len(plan.shapes):
        return Factorisation(plan, tuple(done), None, log_determinant, XX)
    if not done:
        rest = _stack_rows(B, XX.shape[-1])
    end = _dense_end(plan, entries, rest, Lambdas[len(done) :])
    W = _solve_lower(end.L, _transposed_times(plan.dense, end.Lambdas, end.B))
    XX = XX - np.swapaxes(W, -1, -2) @ W
    return Factorisation(plan, tuple(done), end, log_determinant + _log_det(end.L), XX)


def _entries(plan: Plan, moments: Moments) -> Array:
    """Numbers of ``D`` and ``C`` on the pattern of the upper triangle."""
    parts = [_upper(D) for D in moments.D] + [C.reshape(*C.shape[:-3], -1) for C in moments.C]
    lead = np.broadcast_shapes(*(part.shape[:-1] for part in parts)) if parts else ()
    entries = np.zeros((*lead, plan.n_source))
    if parts:
        entries[..., plan.source] = np.concatenate([np.broadcast_to(p, (*lead, p.shape[-1])) for p in parts], axis=-1)
    return entries


def _upper(D: Array) -> Array:
    alpha, beta = upper_triangle(D.shape[-1])
    return D[..., alpha, beta].reshape(*D.shape[:-3], -1)


def _stack_rows(B: Sequence[Array], c: int) -> Array:
    parts = [b.reshape(*b.shape[:-3], -1, c) for b in B]
    return np.concatenate(parts, axis=-2) if parts else np.zeros((0, c))


def _log_det(L: Array) -> Array:
    return 2.0 * np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(axis=-1)


def _eliminate(stage: Stage, entries: Array, B: Array, Lambda: Array) -> Eliminated:
    D = entries[..., stage.diagonal]
    a = np.where(stage.coupling >= 0, entries[..., stage.coupling], 0.0)
    M = _congruent(D, Lambda) + np.eye(stage.k)
    L, inverse = cholesky_and_inverse(M)
    return Eliminated(Lambda, D, a, B, L, _congruent(_gram(inverse), np.swapaxes(Lambda, -1, -2)))


def _congruent(blocks: Array, Lambda: Array) -> Array:
    """``Lambda' block Lambda`` of blocks ``(..., J, k, k)``: one product of matrices, the entries of a block a row."""
    k = Lambda.shape[-1]
    both = Lambda[..., :, None, :, None] * Lambda[..., None, :, None, :]
    entries = blocks.reshape(*blocks.shape[:-2], k * k) @ both.reshape(*Lambda.shape[:-2], k * k, k * k)
    return np.asarray(entries.reshape(*entries.shape[:-1], k, k))


def _gram(A: Array) -> Array:
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
            raise np.linalg.LinAlgError("a 1 x 1 block is not positive")
        L = np.sqrt(M)
        return L, 1.0 / L
    if M.shape[-1] == 2:
        return _two_by_two(M)
    L = np.linalg.cholesky(M)
    return L, np.linalg.inv(L)


def _two_by_two(M: Array) -> tuple[Array, Array]:
    """Written out: LAPACK spends most of its time on being called for each matrix."""
    a, b, c = M[..., 0, 0], M[..., 1, 0], M[..., 1, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.sqrt(a)
        low = b / first
        last = np.sqrt(c - low**2)
    if not (np.all(first > 0.0) and np.all(last > 0.0)):
        raise np.linalg.LinAlgError("a 2 x 2 block is not positive definite")
    L, inverse = np.zeros(M.shape), np.zeros(M.shape)
    L[..., 0, 0], L[..., 1, 0], L[..., 1, 1] = first, low, last
    inverse[..., 0, 0], inverse[..., 1, 1] = 1.0 / first, 1.0 / last
    inverse[..., 1, 0] = -low / (first * last)
    return L, inverse


def _complement(stage: Stage, step: Eliminated, entries: Array, rest: Array, XX: Array) -> tuple[Array, Array, Array]:
    """Schur complements of the entries, the rows of ``[X y]`` and their own cross-products."""
    pairs = stage.couplings
    PB = step.P @ step.B
    XX = XX - np.swapaxes(_rows(step.B), -1, -2) @ _rows(PB)
    if not len(pairs.edge_level):
        lead = np.broadcast_shapes(entries.shape[:-1], step.P.shape[:-3])
        return np.broadcast_to(entries[..., stage.keep], (*lead, len(stage.keep))), rest, XX
    if stage.is_dense:
        products, across = _dense_products(stage, step, PB)
        left = np.zeros((*products.shape[:-2], stage.n_entries))
        left[..., stage.kept] = entries[..., stage.keep]
        return left - products[..., stage.row, stage.column], rest - across, XX
    Pa = np.einsum("...ekl,...el->...ek", step.P[..., pairs.edge_level, :, :], step.a)
    sums = _sums_of_products(pairs, step.a, Pa)
    left = np.zeros((*sums.shape[:-1], stage.n_entries))
    left[..., stage.kept] = entries[..., stage.keep]
    left[..., pairs.entries] -= sums
    across = pairs.by_column.sum_rows(np.einsum("...ek,...ekc->...ec", step.a, PB[..., pairs.edge_level, :, :]))
    rest = np.broadcast_to(rest, (*across.shape[:-2], *rest.shape[-2:])).copy()
    rest[..., pairs.columns, :] -= across
    return left, rest, XX


def _sums_of_products(pairs: Couplings, a: Array, Pa: Array) -> Array:
    """Products ``a[first]' Pa[second]`` summed by entry, ``(..., entries)``, a piece of the list at a time."""
    starts, size = pairs.by_entry.starts, len(pairs.first)
    bounds = np.append(starts, size)
    cuts = np.unique(np.append(np.searchsorted(starts, np.arange(0, size, PIECE)), len(starts)))
    parts = []
    for low, high in pairwise(cuts):
        some = slice(bounds[low], bounds[high])
        products = np.einsum("...pk,...pk->...p", a[..., pairs.first[some], :], Pa[..., pairs.second[some], :])
        parts.append(np.add.reduceat(products, starts[low:high] - bounds[low], axis=-1))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


def _rows(blocks: Array) -> Array:
    """Blocks ``(..., J, k, c)`` one below the other: ``(..., J k, c)``."""
    return blocks.reshape(*blocks.shape[:-3], -1, blocks.shape[-1])


def _dense_products(stage: Stage, step: Eliminated, PB: Array) -> tuple[Array, Array]:
    """``a' P a (..., left, left)`` and ``a' P B (..., left, c)`` by dense matrices."""
    pairs = stage.couplings
    a = np.zeros((*step.a.shape[:-2], stage.levels, stage.left, stage.k))
    a[..., pairs.edge_level, pairs.edge_column, :] = step.a
    a = np.swapaxes(a, -1, -2)
    Pa = (step.P * a if stage.k == 1 else step.P @ a).reshape(*step.P.shape[:-3], -1, stage.left)
    transposed = np.swapaxes(a.reshape(*a.shape[:-3], -1, stage.left), -1, -2)
    return transposed @ Pa, transposed @ _rows(PB)


def _dense_end(plan: Plan, entries: Array, B: Array, Lambdas: Sequence[Array]) -> DenseEnd:
    q = plan.q
    H = np.zeros((*entries.shape[:-1], q, q))
    H[..., plan.row, plan.column] = entries
    H[..., plan.column, plan.row] = entries
    half = _transposed_times(plan.dense, Lambdas, H)
    M = _transposed_times(plan.dense, Lambdas, np.swapaxes(half, -1, -2))
    del half
    index = np.arange(q)
    M[..., index, index] += 1.0
    return DenseEnd(tuple(Lambdas), H, B, np.linalg.cholesky(M))


def _transposed_times(shapes: Sequence[tuple[int, int]], Lambdas: Sequence[Array], rows: Array) -> Array:
    """``Lambda' rows`` for block-diagonal ``Lambda``, one ``(..., k, k)`` block a factor; ``rows (..., q, c)``."""
    return _block_rows(shapes, [np.swapaxes(Lambda, -1, -2) for Lambda in Lambdas], rows)


def _block_rows(shapes: Sequence[tuple[int, int]], blocks: Sequence[Array], rows: Array) -> Array:
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


def modes(factorisation: Factorisation, combination: Array) -> tuple[list[Array], list[Array]]:
    """Solve for the random effects given a combination of the columns of ``[X y]``.

    Parameters
    ----------
    combination : (..., c) weights; ``[-beta, 1]`` gives the conditional modes of Bates et al. eq. 11.

    Returns
    -------
    b, u : per factor ``(..., J, k)``, on the response scale (``b = Lambda u``) and spherical.
    """
    rhs = [np.einsum("...jkc,...c->...jk", step.B, combination) for step in factorisation.eliminated]
    end = factorisation.end
    return _substitute(factorisation, rhs, None if end is None else np.einsum("...qc,...c->...q", end.B, combination))


def draw(
    factorisation: Factorisation, combination: Array, sigma: Array, rng: np.random.Generator, *, end_only: bool = False
) -> list[Array]:
    """Draw random effects given the rest: per factor ``b (..., J, k)`` around the modes of ``combination``.

    Back-substitution with noise, ``u = L^-T (L^-1 Lambda' (...) + sigma e)``: one pass gives mean and draw alike.
    ``combination (..., c)`` and ``sigma (...,)`` have the batch axes of the factorisation. With ``end_only``, factors
    eliminated level by level are left out: `given_later` has their distribution.
    """
    steps = () if end_only else factorisation.eliminated
    rhs = [np.einsum("...jkc,...c->...jk", step.B, combination) for step in steps]
    end = factorisation.end
    rhs_end = None if end is None else np.einsum("...qc,...c->...q", end.B, combination)
    b, _ = _substitute(factorisation, rhs, rhs_end, _Noise(sigma, rng))
    return b


def given_later(
    factorisation: Factorisation, number: int, combination: Array, later: Sequence[Array]
) -> tuple[Array, Array]:
    """Distribution of the effects of one factor that is eliminated level by level, given those eliminated after it.

    Effects eliminated before it are integrated out; the residual variance is one.

    Parameters
    ----------
    combination : (..., c) as for `modes`.
    later : effects of the factors after it, ``b (..., J, k)`` each.

    Returns
    -------
    mean (..., J, k), root (..., J, k, k)
        ``b = mean + root e`` with ``e`` standard normal, independently for every level.
    """
    stage, step = factorisation.plan.stages[number], factorisation.eliminated[number]
    rhs = np.einsum("...jkc,...c->...jk", step.B, combination)
    flat = [part.reshape(*part.shape[:-2], -1) for part in later]
    rest = _without(stage, step, rhs, np.concatenate(flat, axis=-1) if flat else np.zeros(0))
    inverse = 1.0 / step.L if stage.k == 1 else np.linalg.inv(step.L)
    root = step.Lambda[..., None, :, :] @ np.swapaxes(inverse, -1, -2)
    return np.einsum("...jkl,...jl->...jk", step.P, rest), root


@dataclass(frozen=True, slots=True, eq=False)
class _Noise:
    """Gaussian noise for `draw`."""

    sigma: Array
    rng: np.random.Generator

    def like(self, values: Array, trailing: int) -> Array:
        """Noise of the shape of ``values``, scaled along its leading axes."""
        return self.sigma.reshape(*self.sigma.shape, *[1] * trailing) * self.rng.standard_normal(values.shape)


def solve(factorisation: Factorisation, rhs: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """Solve ``(Lambda' A Lambda + I) u = Lambda' rhs``, ``rhs`` per factor ``(..., J, k)``; return ``b``, ``u``."""
    stages = factorisation.plan.stages
    forward: list[Array] = []
    rest = _stack_rows([part[..., None] for part in rhs], 1)[..., 0]
    for stage, step in zip(stages, factorisation.eliminated, strict=True):
        width = stage.levels * stage.k
        own = rest[..., :width].reshape(*rest.shape[:-1], stage.levels, stage.k)
        forward.append(own)
        rest = rest[..., width:]
        pairs = stage.couplings
        if len(pairs.edge_level):
            Pr = np.einsum("...jkl,...jl->...jk", step.P, own)
            across = pairs.by_column.sum(np.einsum("...ek,...ek->...e", step.a, Pr[..., pairs.edge_level, :]))
            rest = np.broadcast_to(rest, (*across.shape[:-1], rest.shape[-1])).copy()
            rest[..., pairs.columns] -= across
    return _substitute(factorisation, forward, rest)


def _substitute(
    factorisation: Factorisation, rhs: Sequence[Array], rhs_end: Array | None, noise: _Noise | None = None
) -> tuple[list[Array], list[Array]]:
    """Back-substitution, the dense end first, then the eliminated factors; of these only where they are in ``rhs``."""
    plan_, end = factorisation.plan, factorisation.end
    b_later: Array = np.zeros(0)
    b_parts: list[Array] = []
    u_parts: list[Array] = []
    if end is not None and rhs_end is not None:
        half = _solve_lower(end.L, _transposed_times(plan_.dense, end.Lambdas, rhs_end[..., None]))[..., 0]
        u = _solve_upper(end.L, half if noise is None else half + noise.like(half, 1))
        b_later = _block_rows(plan_.dense, end.Lambdas, u[..., None])[..., 0]
        b_parts, u_parts = _split(plan_.dense, b_later), _split(plan_.dense, u)
    steps = zip(plan_.stages, factorisation.eliminated, rhs, strict=True) if rhs else ()
    for stage, step, own in reversed(list(steps)):
        target = np.einsum("...kl,...jk->...jl", step.Lambda, _without(stage, step, own, b_later))
        half = _solve_lower(step.L, target[..., None])[..., 0]
        u = _solve_upper(step.L, half if noise is None else half + noise.like(half, 2))
        b = np.einsum("...kl,...jl->...jk", step.Lambda, u)
        b_parts.insert(0, b)
        u_parts.insert(0, u)
        flat = b.reshape(*b.shape[:-2], -1)
        b_later = np.concatenate([flat, b_later], axis=-1) if b_later.size else flat
    return b_parts, u_parts


def _without(stage: Stage, step: Eliminated, rhs: Array, b_later: Array) -> Array:
    """Subtract from ``rhs (..., J, k)`` what the effects solved for already explain."""
    pairs = stage.couplings
    if not len(pairs.edge_level):
        return rhs
    across = pairs.by_level.sum_rows(step.a * b_later[..., pairs.edge_column, None])
    lead = np.broadcast_shapes(rhs.shape[:-2], across.shape[:-2])
    rhs = np.broadcast_to(rhs, (*lead, *rhs.shape[-2:])).copy()
    rhs[..., pairs.levels, :] -= across
    return rhs


def _solve_upper(L: Array, rhs: Array) -> Array:
    """Solve ``L' x = rhs`` for ``(..., k)`` right-hand sides."""
    if L.shape[-1] == 1:
        return rhs / L[..., 0]
    if L.shape[-1] > SMALL:
        return _triangular(L, rhs[..., None], transposed=True)[..., 0]
    if L.shape[-1] <= FEW:
        return _row_by_row(np.swapaxes(L, -1, -2)[..., ::-1, ::-1], rhs[..., ::-1, None])[..., ::-1, 0]
    return np.asarray(np.linalg.solve(np.swapaxes(L, -1, -2), rhs[..., None])[..., 0])


def _solve_lower(L: Array, rhs: Array) -> Array:
    """Solve ``L x = rhs`` for ``(..., k, c)`` right-hand sides."""
    if L.shape[-1] == 1:
        return rhs / L
    if L.shape[-1] > SMALL:
        return _triangular(L, rhs, transposed=False)
    if L.shape[-1] <= FEW:
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


def _split(shapes: Sequence[tuple[int, int]], vector: Array) -> list[Array]:
    bounds = np.cumsum([0, *(levels * k for levels, k in shapes)])
    return [
        vector[..., lo:hi].reshape(*vector.shape[:-1], levels, k)
        for (levels, k), lo, hi in zip(shapes, bounds[:-1], bounds[1:], strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """Derivatives of ``log|Lambda'AΛ + I| + g(XX)``, the symmetric matrices ``S`` with ``df = sum S dA``.

    With ``dg/dXX = 0`` the blocks ``D`` and ``C`` are those of ``Lambda M^-1 Lambda'``, the conditional covariance of
    the random effects relative to the residual variance; with ``dg/dXX = (X'V^-1X)^-1`` they include the uncertainty of
    the fixed effects.
    """

    G: tuple[Array, ...]  # per factor (k, k), summed over levels
    D: tuple[Array, ...]  # per factor (J, k, k)
    C: tuple[Array, ...]  # per pair of factors (m, k_f, k_g)
    B: tuple[Array, ...]  # per factor (J, k, c)


def sensitivity(factorisation: Factorisation, S_XX: Array, pattern: Incidence) -> Sensitivity:
    """Differentiate one point of the log determinant plus a function of ``XX`` with derivative ``S_XX (c, c)``."""
    plan_ = factorisation.plan
    G: list[Array] = []
    S_entries, S_B = np.zeros(0), np.zeros((0, S_XX.shape[0]))
    if factorisation.end is not None:
        G_dense, S, S_B = _dense_adjoint(factorisation.end, S_XX, plan_.dense)
        G = list(G_dense)
        S_entries = S[plan_.row, plan_.column]
    for stage, step in zip(reversed(plan_.stages), reversed(factorisation.eliminated), strict=True):
        G_stage, S_entries, S_B = _adjoint(stage, step, S_entries, S_B, S_XX)
        G.insert(0, G_stage)
    D, C = _unpack(plan_, S_entries, pattern)
    return Sensitivity(tuple(G), D, C, tuple(_split_rows(plan_.shapes, S_B)))


def _dense_adjoint(end: DenseEnd, S_XX: Array, shapes: Sequence[tuple[int, int]]) -> tuple[list[Array], Array, Array]:
    inverse = _inverse_of_square(end.L)
    traces = _block_traces(shapes, inverse)
    half = _block_rows(shapes, end.Lambdas, inverse)
    del inverse  # the largest arrays there are: as few of them at once as will do
    P = _block_rows(shapes, end.Lambdas, half.T)
    del half
    PB = P @ end.B
    U = end.B - end.H @ PB
    # df/dG = D - DPD + (I - DP) a S a' (I - PD), diagonal blocks only
    spread = _reduced_blocks(end, P, traces, shapes)
    sums = []
    for own, (levels, k), rows in zip(spread, shapes, _split_rows(shapes, U), strict=True):
        sums.append(own - np.einsum("jac,jbc->ab", rows.reshape(levels, k, -1) @ S_XX, rows))
    S_B = -(PB @ S_XX)
    S = -S_B @ PB.T
    S += P
    return sums, S, S_B


def _block_traces(shapes: Sequence[tuple[int, int]], matrix: Array) -> list[Array]:
    """Sum of the diagonal blocks of each factor ``(k, k)``."""
    traces, offset = [], 0
    for levels, k in shapes:
        place = slice(offset, offset + levels * k)
        traces.append(np.einsum("jajb->ab", matrix[place, place].reshape(levels, k, levels, k)))
        offset += levels * k
    return traces


def _inverse_of_square(L: Array) -> Array:
    """``(L L')^-1``."""
    if len(L) <= SMALL:
        root = np.linalg.inv(L)
        return root.T @ root
    from scipy.linalg.lapack import dpotri

    with one_blas_thread():
        inverse, _ = dpotri(L, lower=1)  # its upper triangle is still that of L: zeros
    inverse += np.tril(inverse, -1).T
    return np.asarray(inverse)


def _reduced_blocks(end: DenseEnd, P: Array, traces: Sequence[Array], shapes: Sequence[tuple[int, int]]) -> list[Array]:
    """Diagonal blocks of ``D - D P D``, summed over the levels of each factor.

    Away from the boundary ``D - DPD = Lambda^-T (I - M^-1) Lambda^-1`` needs no matrix product. Close to it, where that
    difference cancels, the product is formed.
    """
    blocks, offset = [], 0
    product: Array | None = None
    for (levels, k), Lambda, trace in zip(shapes, end.Lambdas, traces, strict=True):
        place = slice(offset, offset + levels * k)
        remainder = levels * np.eye(k) - trace
        if np.linalg.eigvalsh(remainder)[0] > 1e-4 * levels and np.linalg.cond(Lambda) < 1e4:
            root = np.linalg.inv(Lambda)
            blocks.append(root.T @ remainder @ root)
        else:
            product = end.H @ P if product is None else product
            reduced = end.H[place].reshape(levels, k, -1) - (product[place] @ end.H).reshape(levels, k, -1)
            diagonal = reduced.reshape(levels, k, -1)[:, :, place].reshape(levels, k, levels, k)
            blocks.append(np.einsum("jajb->ab", diagonal))
        offset += levels * k
    return blocks


def _adjoint(stage: Stage, step: Eliminated, S_left: Array, S_rest: Array, S_XX: Array) -> tuple[Array, Array, Array]:
    """Undo one elimination: from derivatives of what is left to those of what was there before."""
    pairs = stage.couplings
    v_B = step.B @ S_XX
    P_bar = np.zeros_like(step.P)
    v = np.zeros_like(step.a)
    if len(pairs.edge_level):
        v = _times_couplings(pairs, S_left, step.a)
        S_edges = S_rest[pairs.edge_column]
        v += np.einsum("ec,ekc->ek", S_edges, step.B[pairs.edge_level])
        v_B[pairs.levels] += _outer_sums(pairs.by_level, step.a, S_edges)
        P_bar[pairs.levels] -= _outer_sums(pairs.by_level, step.a, v)
    P_bar -= np.einsum("jkc,jlc->jkl", step.B, v_B)
    IDP = np.eye(stage.k) - step.D @ step.P
    G = (step.D - step.D @ step.P @ step.D + IDP @ P_bar @ np.swapaxes(IDP, -1, -2)).sum(axis=0)
    S_D = step.P - step.P @ P_bar @ step.P
    S_a = -np.einsum("ekl,el->ek", step.P[pairs.edge_level], v)
    S_before = np.zeros(_entries_before(stage))
    S_before[stage.keep] = S_left[stage.kept] if len(stage.keep) else 0.0
    S_before[stage.diagonal] = S_D
    used = stage.coupling >= 0
    S_before[stage.coupling[used]] = S_a[used]
    own = (-step.P @ v_B).reshape(stage.levels * stage.k, -1)
    return G, S_before, np.concatenate([own, S_rest], axis=0)


def _entries_before(stage: Stage) -> int:
    return int(max([*(part.max() + 1 for part in (stage.keep, stage.diagonal, stage.coupling) if part.size), 0]))


def _times_couplings(pairs: Couplings, S: Array, a: Array) -> Array:
    """``S a`` edge by edge: ``v[e] = sum over e' of the same level of S[column e, column e'] a[e']``."""
    v = np.zeros(a.shape)
    for begin in range(0, len(pairs.first), PIECE):
        some = slice(begin, begin + PIECE)
        first, second = pairs.first[some].astype(np.intp), pairs.second[some].astype(np.intp)
        weight = S[pairs.entry[some]]
        off = np.where(first == second, 0.0, weight)
        for j, own in enumerate(a.T):
            v[:, j] += np.bincount(first, weight * own[second], minlength=len(a))
            v[:, j] += np.bincount(second, off * own[first], minlength=len(a))
    return v


def _outer_sums(by_level: Segments, left: Array, right: Array) -> Array:
    """Sum outer products of edges within levels: ``(levels with edges, k, c)``."""
    outer = (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
    return by_level.sum_rows(outer).reshape(-1, left.shape[1], right.shape[1])


def _unpack(plan_: Plan, S_entries: Array, pattern: Incidence) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Derivatives on the entries, in the shapes of ``Moments.D`` and ``Moments.C``."""
    values = S_entries[plan_.source] if plan_.n_source else np.zeros(0)
    D, C, offset = [], [], 0
    for levels, k in plan_.shapes:
        alpha, beta = upper_triangle(k)
        upper = values[offset : offset + levels * len(alpha)].reshape(levels, -1)
        block = np.zeros((levels, k, k))
        block[:, alpha, beta] = upper
        block[:, beta, alpha] = upper
        D.append(block)
        offset += levels * len(alpha)
    for pair in pattern.pairs:
        shape = (len(pair.i), plan_.shapes[pair.first][1], plan_.shapes[pair.second][1])
        size = int(np.prod(shape))
        C.append(values[offset : offset + size].reshape(shape))
        offset += size
    return tuple(D), tuple(C)


def _split_rows(shapes: Sequence[tuple[int, int]], S_B: Array) -> list[Array]:
    bounds = np.cumsum([0, *(levels * k for levels, k in shapes)])
    return [
        S_B[lo:hi].reshape(levels, k, -1) for (levels, k), lo, hi in zip(shapes, bounds[:-1], bounds[1:], strict=True)
    ]
