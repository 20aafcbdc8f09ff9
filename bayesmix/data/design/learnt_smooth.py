"""A smooth as learnt from data: columns of fixed effects, and of basis functions that have one standard deviation.

mgcv's ``smoothCon(absorb.cons = TRUE)`` and ``smooth2random(type = 2)``: the constraint that the smooth sums to zero is
absorbed, the penalty diagonalised; what is not penalised is fixed, the rest random with a variance that is the inverse
of the smoothing parameter. All of it is linear in the columns of the basis.

References
----------
Wood (2017), *Generalized Additive Models*, sections 5.4.1 and 5.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, SmoothColumns, Spectrum, drop_unused, factor_of, name_all
from bayesmix.data.design.hilbert_basis import HilbertBasis, learn_hilbert_basis
from bayesmix.data.design.natural_parametrisation import Tensor, natural_by_columns, tensor
from bayesmix.data.design.smooth_bases import PenalisedBasis, marginal_basis
from bayesmix.errors import DataError
from bayesmix.language.formula.smooths import Smooth, named

MARGIN = 5  # dimension of each margin of a tensor product where nothing is said


@dataclass(frozen=True, slots=True, eq=False)
class LearntSmooth:
    """How the columns of a smooth are made from values."""

    label: str  # of its coefficients: "sx"
    basis: PenalisedBasis | Tensor | HilbertBasis
    fixed: Array  # (K, m) columns of the basis to those of fixed effects
    penalised: tuple[Array, ...]  # (K, k) to those of each standard deviation
    first: Array  # (K,) the first column of mgcv's basis, which gives its test statistic a sign
    by: str = ""  # name of what the curve is multiplied by, or of the factor that has a curve for each level
    known: tuple[str, ...] | None = None  # levels of that factor
    levels: tuple[str, ...] = ()  # those of them that have a curve
    spectrum: Spectrum | None = None  # of a Gaussian process, whose functions have variances of their own

    def __call__(self, x: Array, by: Numeric | Factor | None) -> SmoothColumns:
        """Columns at values ``(n, d)``."""
        own = self.curve(x)
        beyond = np.isnan(own[1]).any(axis=1) if self.spectrum is not None else np.zeros(len(x), bool)
        own = [np.where(beyond[:, None], 0.0, column) for column in own] if beyond.any() else own
        parts = [[column * weight[:, None] for column in own] for weight in self._weights(by, len(x))]
        blocks = [block for _, *penalised in parts for block in penalised]
        fixed = np.column_stack([fixed for fixed, *_ in parts])
        return SmoothColumns(fixed, self.names, tuple(blocks), self.blocks, self.spectrum, beyond)

    def curve(self, x: Array) -> list[Array]:
        """Columns of one curve at values ``(n, d)``: of the fixed effects, and of each standard deviation."""
        raw = self.basis(x)
        return [raw @ self.fixed, *(raw @ one for one in self.penalised)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fixed effects, as brms has them: ``sx_1``, ``sx:fb_1``."""
        owners = [named(f":{own}") if own else "" for own in self._owners]
        return tuple(f"{self.label}{own}_{i + 1}" for own in owners for i in range(self.fixed.shape[1]))

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of what has a standard deviation of its own: ``sx_1``, ``sxfb_1``, ``gpxfb``."""
        owners = list(map(named, self._owners))
        if self.spectrum is not None:
            return tuple(f"{self.label}{own}" for own in owners)
        return tuple(f"{self.label}{own}_{i + 1}" for own in owners for i in range(len(self.penalised)))

    @property
    def owners(self) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """What each curve is of, ``fb``, its fixed effects and what of it has standard deviations."""
        m, count = self.fixed.shape[1], len(self.penalised)
        return [
            (own, self.names[j * m : (j + 1) * m], self.blocks[j * count : (j + 1) * count])
            for j, own in enumerate(self._owners)
        ]

    @property
    def _owners(self) -> list[str]:
        return [self.by] if self.known is None else [self.by + level for level in self.levels]

    def _weights(self, by: Numeric | Factor | None, n: int) -> list[Array]:
        """What the curve of each level is multiplied by."""
        if self.known is None:
            return [np.ones(n) if by is None else _number(by)]
        factor = factor_of(by) if by is not None else Factor(np.zeros(n, dtype=np.intp), ())
        unseen = [level for level in drop_unused(factor).levels if level not in self.known]
        if unseen:
            raise DataError(
                f"`{self.by}` has levels not seen in fitting, for which there is no curve: {name_all(unseen)}."
                f" The fit knows {name_all(self.known)}."
            )
        position = {level: j for j, level in enumerate(factor.levels)}
        return [_indicator(factor, position.get(level, -2)) for level in self.levels]


def learn_smooth(smooth: Smooth, x: Array, by: Numeric | Factor | None) -> LearntSmooth:
    """Learn a smooth from values ``(n, d)`` without missing ones, and what it is multiplied by.

    Raises
    ------
    DataError
        If there are too few different values.
    """
    known = drop_unused(by).levels if isinstance(by, Factor) and by.kind != "boolean" else None
    if smooth.function == "gp":
        return _process(smooth, x, known)
    is_free = by is not None and known is None and bool(np.ptp(_number(by)) > 0.0)  # what varies needs no constraint
    basis = _basis(smooth, x)
    raw = basis(x)
    first = np.eye(raw.shape[1])[0]
    if isinstance(basis, Tensor):
        fixed, penalised = _of_tensor(basis, raw, is_free=is_free)
    elif smooth.bases == ("fs",):
        fixed, penalised = _of_levels(basis, raw)
    else:
        Z = np.eye(raw.shape[1]) if is_free else _complement(raw.mean(axis=0))
        fixed, penalised, first = *_of_penalty(basis, raw, Z), Z[:, 0]
    directions = [*([np.ones(len(x))] if is_free else []), *x.T]
    fixed = fixed @ _towards(raw @ fixed, np.column_stack(directions))
    levels = known or ()
    if isinstance(by, Factor) and by.kind == "ordered" and len(levels) > 1:
        levels = levels[1:]  # the curve of the first level is another smooth's, from which the others differ
    return LearntSmooth(smooth.label, basis, fixed, tuple(penalised), first, smooth.by, known, levels)


def _process(smooth: Smooth, x: Array, known: tuple[str, ...] | None) -> LearntSmooth:
    """A Gaussian process: nothing is fixed, all functions are of one standard deviation and one length scale."""
    basis, spectrum = learn_hilbert_basis(smooth, x)
    K = len(basis.orders)
    penalised, first = (np.eye(K),), np.eye(K)[0]
    return LearntSmooth(
        smooth.label, basis, np.zeros((K, 0)), penalised, first, smooth.by, known, known or (), spectrum
    )


def _basis(smooth: Smooth, x: Array) -> PenalisedBasis | Tensor:
    if smooth.function == "t2":
        sizes = smooth.k or (MARGIN,)
        sizes = sizes if len(sizes) > 1 else sizes * x.shape[1]
        if len(sizes) != x.shape[1]:
            raise DataError(f"`{smooth}` has {len(sizes)} dimensions in `k` for {x.shape[1]} variables.")
        pairs = enumerate(zip(smooth.bases, sizes, strict=True))
        margins = [marginal_basis(kind, x[:, [j]], (k,), smooth.m, str(smooth)) for j, (kind, k) in pairs]
        return tensor(margins, x)
    return marginal_basis(smooth.bases[0], x, smooth.k, smooth.m, str(smooth))


# ---- fixed and random columns ---------------------------------------------------------------------------------------


def _of_penalty(basis: PenalisedBasis, raw: Array, Z: Array) -> tuple[Array, list[Array]]:
    """Null space and range of the penalty among the coefficients ``Z`` that a constraint leaves."""
    size = _size(raw) ** 2 / np.abs(basis.penalty).sum(axis=0).max()
    values, vectors = np.linalg.eigh(Z.T @ basis.penalty @ Z * size)
    values, vectors = values[::-1], Z @ vectors[:, ::-1]
    return vectors[:, basis.rank :], [vectors[:, : basis.rank] / np.sqrt(values[: basis.rank])]


def _of_tensor(basis: Tensor, raw: Array, *, is_free: bool) -> tuple[Array, list[Array]]:
    """Blocks of the penalties, each the identity; the constant is absorbed into the block without one."""
    unit, ends = np.eye(raw.shape[1]), np.cumsum([0, *basis.sizes])
    *penalised, null = [unit[:, begin:end] for begin, end in pairwise(ends)]
    fixed = null if is_free else null @ _complement((raw @ null).sum(axis=0))
    return fixed, [block / _size(raw) for block in penalised]


def _of_levels(basis: PenalisedBasis, raw: Array) -> tuple[Array, list[Array]]:
    """Curves of the levels of a factor: nothing is fixed, and each function of the null space has its own sd."""
    change = natural_by_columns(raw, basis)
    scaled = change / _size(raw @ change)
    ends = [0, *range(basis.rank, raw.shape[1] + 1)]
    return np.zeros((raw.shape[1], 0)), [scaled[:, begin:end] for begin, end in pairwise(ends)]


def _complement(constraint: Array) -> Array:
    """Orthonormal directions ``(K, K - 1)`` orthogonal to a constraint."""
    return np.linalg.qr(constraint[:, None], mode="complete")[0][:, 1:]


def _size(X: Array) -> float:
    """The norm that mgcv scales penalties by: the largest sum of the absolute values of a row."""
    return float(np.abs(X).sum(axis=1).max())


def _towards(fixed: Array, directions: Array) -> Array:
    """A rotation of fixed columns after which the first grows with the first variable, the next with the next.

    The null space of a penalty has no directions of its own: an eigenvalue's vectors are any rotation of each other.
    """
    m = fixed.shape[1]
    slopes = np.linalg.lstsq(fixed, directions - directions.mean(axis=0) * (m < directions.shape[1]), rcond=None)[0]
    turn, R = np.linalg.qr(np.column_stack([slopes, np.eye(m)]))
    signs = np.where(np.diagonal(R[:, :m]) < 0.0, -1.0, 1.0)
    return np.asarray(turn * signs)


def _number(by: Numeric | Factor) -> Array:
    """Values that a curve is multiplied by: those of a boolean are 0 and 1."""
    if isinstance(by, Numeric):
        return by.values
    return np.where(by.missing, np.nan, by.codes.astype(np.float64))


def _indicator(by: Factor, code: int) -> Array:
    return np.where(by.missing, np.nan, (by.codes == code).astype(np.float64))
