"""Matrix made from one variable that must remember what they learnt: scaling, polynomials, splines.

Each record here is what R's ``makepredictcall`` keeps: learnt once from the data of the fit, then called on any values.
Missing values do not take part in learning and stay missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Matrix
from bayesmix.errors import DataError, SpecError

MOST_COLUMNS = 1_000  # that one expression may make


@dataclass(frozen=True, slots=True)
class Scaling:
    """``(x - centre) / spread``."""

    centre: float
    spread: float

    def __call__(self, x: Array) -> Array:
        """Return the scaled values, (n,)."""
        return (x - self.centre) / self.spread


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Orthogonal polynomials on the data of the fit, by their three-term recurrence.

    References
    ----------
    Kennedy and Gentle (1980), *Statistical Computing*, pp. 343-344.
    """

    centres: tuple[float, ...]
    norms: tuple[float, ...]  # squared lengths of the polynomials of degree 0 .. d, the first preceded by 1

    def __call__(self, x: Array) -> Matrix:
        """Return the degrees 1 .. d at x."""
        degree = len(self.centres)
        z = np.ones((len(x), degree + 1))
        z[:, 1] = x - self.centres[0]
        for j in range(1, degree):
            ratio = self.norms[j + 1] / self.norms[j]
            z[:, j + 1] = (x - self.centres[j]) * z[:, j] - ratio * z[:, j - 1]
        return _numbered(z[:, 1:] / np.sqrt(self.norms[2:]))


@dataclass(frozen=True, slots=True)
class Powers:
    """``x, x^2, ..., x^degree``."""

    degree: int

    def __call__(self, x: Array) -> Matrix:
        """Return the powers 1 .. d at x."""
        return _numbered(x[:, None] ** np.arange(1, self.degree + 1))


@dataclass(frozen=True, slots=True)
class BSpline:
    """B-splines; beyond the boundary the outermost polynomials go on, as in R's ``bs``."""

    knots: tuple[float, ...]  # with the boundary repeated degree + 1 times
    degree: int
    intercept: bool

    def __call__(self, x: Array) -> Matrix:
        """Return the basis at x."""
        return _numbered(_bspline(self.knots, self.degree, x)[:, 0 if self.intercept else 1 :])


@dataclass(frozen=True, slots=True)
class NaturalSpline:
    """Cubic splines that are linear beyond the boundary, in the basis of R's ``ns``."""

    knots: tuple[float, ...]  # with the boundary repeated four times
    intercept: bool

    def __call__(self, x: Array) -> Matrix:
        """Return the basis at x."""
        first = 0 if self.intercept else 1
        low, high = self.knots[0], self.knots[-1]
        inside = np.clip(x, low, high)
        slopes = _bspline(self.knots, 3, np.array([low, high]), 1)
        basis = _bspline(self.knots, 3, inside) + (x - inside)[:, None] * slopes[(x > high).astype(np.intp)]
        bends = _bspline(self.knots, 3, np.array([low, high]), 2)[:, first:]  # these two second derivatives must vanish
        rotation = np.linalg.qr(bends.T, mode="complete")[0]
        return _numbered(basis[:, first:] @ rotation[:, 2:])


@dataclass(frozen=True, slots=True)
class CubicRegression:
    """Cubic regression splines: column j is the natural spline that is 1 at knot j and 0 at the other knots.

    References
    ----------
    Wood (2006), *Generalized Additive Models*, section 4.1.2.
    """

    knots: tuple[float, ...]

    def __call__(self, x: Array) -> Matrix:
        """Return the basis at x; it is linear beyond the outer knots."""
        from scipy.interpolate import CubicSpline

        spline = CubicSpline(self.knots, np.eye(len(self.knots)), bc_type="natural")
        inside = np.clip(x, self.knots[0], self.knots[-1])
        return _numbered(spline(inside) + (x - inside)[:, None] * spline(inside, 1))


type Basis = Scaling | Polynomial | Powers | BSpline | NaturalSpline | CubicRegression


def learn_scaling(x: Array, center: bool | float = True, scale: bool | float = True) -> Scaling:
    """R's ``scale()``: centre on the mean, divide by the standard deviation, or the root mean square if not centred."""
    seen = _present(x)
    centre = float(seen.mean()) if center is True else float(center)
    if scale is not True:
        return Scaling(centre, float(scale) if scale is not False else 1.0)
    spread = float(np.sqrt(np.sum((seen - centre) ** 2) / (len(seen) - 1)))
    if not spread > 0:
        raise DataError("A constant column cannot be scaled.")
    return Scaling(centre, spread)


def learn_center(x: Array) -> Scaling:
    """Centre on the mean."""
    return learn_scaling(x, True, False)


def learn_polynomial(x: Array, degree: float = 1, raw: bool = False) -> Polynomial | Powers:
    """R's ``poly()``."""
    degree = _whole("degree", degree, 1)
    if _flag("raw", raw):
        return Powers(degree)
    seen = _present(x)
    if len(np.unique(seen)) <= degree:
        raise DataError(f"`poly()` of degree {degree} needs more than {degree} different values.")
    return _recurrence(seen, degree)


def learn_bspline(
    x: Array,
    df: float | None = None,
    knots: float | Sequence[float] | None = None,
    degree: float = 3,
    intercept: bool = False,
    Boundary_knots: Sequence[float] | None = None,
) -> BSpline:
    """R's ``bs()``; ``df`` places knots at quantiles."""
    degree = _whole("degree", degree, 1)
    inner, boundary = _knots(x, df, degree + _flag("intercept", intercept), knots, Boundary_knots)
    return BSpline(_repeat_boundary(inner, boundary, degree + 1), degree, intercept)


def learn_natural_spline(
    x: Array,
    df: float | None = None,
    knots: float | Sequence[float] | None = None,
    intercept: bool = False,
    Boundary_knots: Sequence[float] | None = None,
) -> NaturalSpline:
    """R's ``ns()``; ``df`` places knots at quantiles."""
    inner, boundary = _knots(x, df, 1 + _flag("intercept", intercept), knots, Boundary_knots)
    return NaturalSpline(_repeat_boundary(inner, boundary, 4), intercept)


def learn_cubic_regression(x: Array, df: float = 3) -> CubicRegression:
    """Cubic regression splines with ``df`` knots at quantiles of the different values, as in mgcv."""
    values = np.unique(_present(x))
    count = _whole("df", df, 3)
    if len(values) < count:
        raise DataError(f"`cr()` with {count} knots needs as many different values.")
    return CubicRegression(tuple(np.quantile(values, np.linspace(0, 1, count)).tolist()))


def _present(x: Array) -> Array:
    seen = x[~np.isnan(x)]
    if len(seen) < 2:
        raise DataError("There are fewer than two values to learn from.")
    return seen


def _whole(name: str, value: float, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value.is_integer():
        raise SpecError(f"`{name}` is a whole number, not {value}.")
    if not least <= value <= MOST_COLUMNS:
        raise SpecError(f"`{name}` is between {least} and {MOST_COLUMNS}, not {value:g}.")
    return int(value)


def _flag(name: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise SpecError(f"`{name}` is TRUE or FALSE, not {value}.")
    return value


def _numbered(values: Array) -> Matrix:
    return Matrix(values, tuple(str(j + 1) for j in range(values.shape[1])))


def _recurrence(x: Array, degree: int) -> Polynomial:
    centres: list[float] = []
    norms = [1.0, float(len(x))]
    before, current = np.zeros_like(x), np.ones_like(x)
    for j in range(degree):
        centres.append(float(np.sum(x * current**2) / norms[-1]))
        ratio = norms[-1] / norms[-2] if j else 0.0
        before, current = current, (x - centres[-1]) * current - ratio * before
        norms.append(float(np.sum(current**2)))
    return Polynomial(tuple(centres), tuple(norms))


def _knots(
    x: Array,
    df: float | None,
    taken: int,
    knots: float | Sequence[float] | None,
    boundary: Sequence[float] | None,
) -> tuple[list[float], tuple[float, float]]:
    """Return inner knots (as given, or at the quantiles that leave ``df`` columns) and the boundary."""
    seen = _present(x)
    low, high = (float(seen.min()), float(seen.max())) if boundary is None else sorted(boundary)
    if not low < high:
        raise DataError("A spline needs at least two different values.")
    if knots is not None:
        inner = sorted([knots] if isinstance(knots, int | float) else knots)
        if not all(low < knot < high for knot in inner):
            raise DataError(f"Inner knots lie between the boundary knots {low:g} and {high:g}.")
        return inner, (low, high)
    count = _whole("df", df, taken) - taken if df is not None else 0
    inside = seen[(seen >= low) & (seen <= high)]
    if not len(inside):
        raise DataError("No values are within the boundary knots.")
    return np.quantile(inside, np.linspace(0, 1, count + 2)[1:-1]).tolist(), (low, high)


def _repeat_boundary(inner: Sequence[float], boundary: tuple[float, float], times: int) -> tuple[float, ...]:
    return (*[boundary[0]] * times, *inner, *[boundary[1]] * times)


def _bspline(knots: Sequence[float], degree: int, x: Array, derivative: int = 0) -> Array:
    """All B-splines, or a derivative of them, at x: (n, len(knots) - degree - 1)."""
    from scipy.interpolate import BSpline as Spline

    spline = Spline(np.asarray(knots), np.eye(len(knots) - degree - 1), degree)
    return np.asarray(spline(x, nu=derivative))
