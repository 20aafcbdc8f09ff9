"""Penalised bases of smooths: thin plate and cubic regression splines, as mgcv makes them.

A basis is columns and the penalty of their coefficients. What it needs for other values is kept in it.

References
----------
Wood (2003), Thin plate regression splines, JRSS B 65, 95-114; Wood (2017), *Generalized Additive Models*, chapter 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import comb, factorial, gamma, pi

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.r_random import r_sample
from bayesmix.errors import DataError

MOST_KNOTS = 2_000  # of thin plate splines: of more different values some are drawn, as mgcv does
CHUNK = 4_000_000  # numbers of a block of distances


@dataclass(frozen=True, slots=True, eq=False)
class ThinPlate:
    """Thin plate regression spline of ``d`` variables: the best ``k`` functions of the full spline's space."""

    centre: Array  # (d,)
    knots: Array  # (u, d) different values
    order: int  # of the derivative that is penalised
    radial: Array  # (u, k - M)
    scale: Array  # (k,) root mean squares of the columns
    penalty: Array  # (k, k)

    @property
    def rank(self) -> int:
        """Rank of the penalty."""
        return self.radial.shape[1]

    def __call__(self, x: Array) -> Array:
        """Columns ``(n, k)`` at values ``(n, d)``: wiggly ones, then polynomials."""
        moved = x - self.centre
        size = max(1, CHUNK // len(self.knots))
        parts = [self._radial(moved[begin : begin + size]) for begin in range(0, max(len(moved), 1), size)]
        return np.column_stack([np.concatenate(parts), _polynomials(moved, self.order)]) / self.scale

    def _radial(self, x: Array) -> Array:
        return _radial_functions(x, self.knots, self.order) @ self.radial


@dataclass(frozen=True, slots=True, eq=False)
class CubicSpline:
    """Cubic spline by its values at the knots; linear beyond them, or cyclic."""

    knots: Array  # (q,)
    is_cyclic: bool
    penalty: Array  # (k, k)

    @property
    def rank(self) -> int:
        """Rank of the penalty."""
        return len(self.penalty) - (1 if self.is_cyclic else 2)

    def __call__(self, x: Array) -> Array:
        """Columns ``(n, k)`` at values ``(n, 1)``."""
        from scipy.interpolate import CubicSpline as Spline

        value = x[:, 0]
        low, high = self.knots[0], self.knots[-1]
        if self.is_cyclic:
            inside = low + (value - low) % (high - low)
            unit = np.eye(len(self.knots) - 1)
            return np.asarray(Spline(self.knots, np.vstack([unit, unit[:1]]), bc_type="periodic")(inside))
        spline = Spline(self.knots, np.eye(len(self.knots)), bc_type="natural")
        inside = np.clip(value, low, high)
        return np.asarray(spline(inside) + (value - inside)[:, None] * spline(inside, 1))


type PenalisedBasis = ThinPlate | CubicSpline


def thin_plate(x: Array, k: int | None, order: int | None, name: str) -> ThinPlate:
    """Learn a thin plate regression spline from values ``(n, d)``.

    Parameters
    ----------
    k : number of columns; mgcv's default for None.
    order : of the penalised derivative; the smallest that makes continuous first derivatives for None.
    name : of the smooth, for messages.

    Raises
    ------
    DataError
        If there are fewer different values than columns.
    """
    d = x.shape[1]
    order = _order(d, order)
    null = comb(order + d - 1, d)
    k = null + (8, 27, 100)[min(d, 3) - 1] if k is None else k
    centre = x.mean(axis=0)
    different = np.unique(x, axis=0)
    check_size(name, k, least=null + 1, different=len(different))
    knots = different - centre
    if len(x) > MOST_KNOTS and len(knots) > MOST_KNOTS:
        knots = knots[r_sample(len(knots), MOST_KNOTS, seed=1)]
    vectors, values = _largest(_radial_functions(knots, knots, order), k)
    constraints = _polynomials(knots, order).T @ vectors
    Z = np.linalg.qr(constraints[:, ::-1].T, mode="complete")[0][::-1, : null - 1 : -1]
    radial = vectors @ Z
    penalty = np.zeros((k, k))
    penalty[: k - null, : k - null] = Z.T @ values @ Z
    raw = ThinPlate(centre, knots, order, radial, np.ones(k), penalty)
    scale = np.sqrt(np.mean(raw(x) ** 2, axis=0))
    return ThinPlate(centre, knots, order, radial, scale, _symmetric(penalty / np.outer(scale, scale)))


def cubic(x: Array, k: int, name: str, *, is_cyclic: bool = False) -> CubicSpline:
    """Learn a cubic regression spline from values ``(n, 1)``: ``k`` knots at quantiles of the different values.

    Raises
    ------
    DataError
        If there are fewer different values than knots.
    """
    different = np.unique(x)
    check_size(name, k, least=4 if is_cyclic else 3, different=len(different))
    knots = np.quantile(different, np.linspace(0.0, 1.0, k))
    return CubicSpline(knots, is_cyclic, _cyclic_penalty(knots) if is_cyclic else _natural_penalty(knots))


def check_size(name: str, k: int, *, least: int, different: int) -> None:
    """Raise a `DataError` where values are too few for a basis, or a basis is too small for its penalty."""
    if k > different:
        if different < least:
            raise DataError(
                f"`{name}` needs at least {least} different values, and there are {different}. Write the variable as it"
                " is, or as `factor()`."
            )
        raise DataError(
            f"`{name}` has a basis of dimension k = {k} and {different} different values: k is at most {different}."
            f" Write `k = {different}`, or fewer."
        )
    if k < least:
        raise DataError(f"`{name}` has k = {k}, and k is at least {least} for this basis.")


# ---- thin plate splines ---------------------------------------------------------------------------------------------


def _order(d: int, order: int | None) -> int:
    """The order of the penalty, mgcv's where none is given or ``2 m > d`` does not hold."""
    if order is not None and 2 * order > d:
        return order
    return next(m for m in range(1, d + 2) if 2 * m >= d + 2)


def _radial_functions(x: Array, knots: Array, order: int) -> Array:
    """The thin plate spline's radial function of the distances between values ``(n, d)`` and knots ``(u, d)``."""
    d = x.shape[1]
    square = sum((x[:, None, j] - knots[None, :, j]) ** 2 for j in range(d))
    if d % 2:
        return np.asarray(gamma(d / 2 - order) / _divisor(2 * order, d, order) * square ** (order - d / 2))
    sign = (-1) ** (order + 1 + d // 2)
    factor = sign / (_divisor(2 * order - 1, d, order) * factorial(order - d // 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.where(square > 0.0, 0.5 * np.log(square), 0.0)
    return np.asarray(factor * square ** (order - d // 2) * log)


def _divisor(power: int, d: int, order: int) -> float:
    return float(2**power * pi ** (d / 2) * factorial(order - 1))


def _polynomials(x: Array, order: int) -> Array:
    """Polynomials of a degree less than the order, by increasing degree: ``(n, M)``."""
    d = x.shape[1]
    powers = [p for p in product(range(order), repeat=d) if sum(p) < order]
    powers.sort(key=lambda p: (sum(p), [-q for q in p]))
    return np.column_stack([np.prod(x ** np.array(p), axis=1) for p in powers])


def _largest(E: Array, k: int) -> tuple[Array, Array]:
    """Eigenvectors ``(u, k)`` of the ``k`` eigenvalues of largest size, and these as a matrix ``(k, k)``.

    Where all would be taken, the unit vectors do as well.
    """
    if k == len(E):
        return np.eye(k), E
    values, vectors = np.linalg.eigh(E)
    chosen = np.sort(np.argsort(-np.abs(values), kind="stable")[:k])[::-1]
    return vectors[:, chosen], np.diag(values[chosen])


# ---- cubic splines --------------------------------------------------------------------------------------------------


def _natural_penalty(knots: Array) -> Array:
    """Integrated squared second derivatives of the natural spline through values at the knots: ``D' B^-1 D``."""
    h, q = np.diff(knots), len(knots)
    D, B = np.zeros((q - 2, q)), np.zeros((q - 2, q - 2))
    for i in range(q - 2):
        D[i, i : i + 3] = 1.0 / h[i], -1.0 / h[i] - 1.0 / h[i + 1], 1.0 / h[i + 1]
        B[i, i] = (h[i] + h[i + 1]) / 3.0
        if i + 1 < q - 2:
            B[i, i + 1] = B[i + 1, i] = h[i + 1] / 6.0
    return _symmetric(D.T @ np.linalg.solve(B, D))


def _cyclic_penalty(knots: Array) -> Array:
    """The same of the spline that goes on at the first knot where the last one ends."""
    h, q = np.diff(knots), len(knots) - 1
    D, B = np.zeros((q, q)), np.zeros((q, q))
    for i in range(q):
        before, after = (i - 1) % q, (i + 1) % q
        D[i, before] += 1.0 / h[before]
        D[i, i] -= 1.0 / h[before] + 1.0 / h[i]
        D[i, after] += 1.0 / h[i]
        B[i, before] += h[before] / 6.0
        B[i, i] += (h[before] + h[i]) / 3.0
        B[i, after] += h[i] / 6.0
    return _symmetric(D.T @ np.linalg.solve(B, D))


def _symmetric(matrix: Array) -> Array:
    return 0.5 * (matrix + matrix.T)


def marginal_basis(kind: str, x: Array, k: Sequence[int], order: int | None, name: str) -> PenalisedBasis:
    """A basis by mgcv's name; ``k`` is empty where nothing is said."""
    if kind in ("tp", "fs"):
        return thin_plate(x, k[0] if k else None, order, name)
    return cubic(x, k[0] if k else 10, name, is_cyclic=kind == "cc")
