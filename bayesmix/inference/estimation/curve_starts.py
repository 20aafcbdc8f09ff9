"""Where the search for a nonlinear mean begins: the least squares of one curve for all rows, found from many points.

Parameters that a curve is linear in are solved for; of the others, numbers of the size that the data suggest are tried:
values of the response and of the columns, their spreads and inverses (Golub and Pereyra 1973, SIAM J. Numer. Anal. 10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.language.families.curves import Curve, with_curve
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.formula.model_spec import ModelSpec

TRIED = 20_000  # points
ROWS = 200  # that are enough for a start
AT_ONCE = 500_000  # values of the curve
BEST = 500  # points
REFINED = 12  # of these
NEIGHBOUR = 0.2  # relative distance of points
APART = 0.1  # relative distance of minima that are two
WORSE = 2.0  # sum of squares of another minimum that is worth a search, relative to the lowest
RIDGE = 1e-12  # of squared columns
PLAIN = (0.1, 0.5, 1.0, 2.0, -0.5, -1.0, -3.0)  # shares, powers, logarithms


@dataclass(frozen=True, slots=True, eq=False)
class _Pooled:
    """One curve for all rows: responses on its scale, the columns, and the parameters without a start."""

    curve: Curve
    z: Array  # (n,)
    rows: dict[str, Array]  # columns
    names: tuple[str, ...]

    def values(self, points: Array) -> Array:
        """The curve ``(S, n)`` at values ``(S, K)`` of the parameters without a start."""
        own = {name: points[:, j, None] for j, name in enumerate(self.names)}
        with np.errstate(all="ignore"):
            found = self.curve.function(NUMERIC, {**self.curve.starts, **self.rows, **own})
        return np.broadcast_to(np.asarray(found, float), (len(points), len(self.z)))


def with_starts(spec: ModelSpec, design: Design) -> ModelSpec:
    """The model with values of all parameters of its nonlinear mean, where a search may begin.

    Those that the user has given are used as they are; where no point has a finite curve, an estimate says so.
    """
    curve = spec.family.curve
    names = () if curve is None else tuple(name for name in curve.parameters if name not in curve.starts)
    if not names:
        return spec
    found = tuple(dict(zip(names, map(float, x), strict=True)) for x in _minima(_pooled(curve, design, spec, names)))
    family = with_curve(replace(curve, found=found))
    return replace(spec, family=family, responses=(replace(spec.responses[0], family=family),))


def _pooled(curve: Curve, design: Design, spec: ModelSpec, names: tuple[str, ...]) -> _Pooled:
    outcome, base = design.outcomes[0], curve.base
    rows = np.unique(np.linspace(0, design.n - 1, ROWS).astype(int))
    share = outcome.y / outcome.trials
    z = curve.link.of(base.starting_mean(curve.link, base.on_scale(share), outcome.trials))
    places = {spec.family.parameters[one.parameter].name: r for r, one in enumerate(spec.parameters)}
    columns = {name: design.offset[design.block(places[name])][rows] for name in curve.data}
    return _Pooled(curve, z[rows], columns, names)


def _minima(data: _Pooled) -> list[Array]:
    """The lowest minimum of the sum of squares about the curve, and the next one if it is another."""
    linear = _linear(data)
    points = _solved(data, _points(data, linear), linear)
    squares = _squares(data, points)
    ends = sorted((_descend(data, point) for point in _scattered(points, squares)), key=lambda end: end[1])
    if not ends:
        return []
    first, least = ends[0]
    apart = [x for x, value in ends if value < WORSE * least and _distance(x, first) > APART]
    return [first, *apart[:1]]


def _scattered(points: Array, squares: Array) -> list[Array]:
    """The best of the points that are no neighbours."""
    found: list[Array] = []
    for i in np.argsort(squares, kind="stable")[:BEST]:
        if np.isfinite(squares[i]) and all(_distance(points[i], other) > NEIGHBOUR for other in found):
            found.append(points[i])
        if len(found) == REFINED:
            break
    return found


def _distance(x: Array, other: Array) -> float:
    """The largest relative difference."""
    return float(np.max(np.abs(x - other) / (1e-3 + np.abs(x) + np.abs(other))))


def _descend(data: _Pooled, point: Array) -> tuple[Array, float]:
    """Where a search from a point ends, and half the sum of squares there."""
    from scipy.optimize import least_squares

    size = np.where(point == 0.0, 1.0, np.abs(point))
    found = least_squares(lambda x: _residuals(data, x), point, x_scale=size, max_nfev=200)
    return found.x, float(found.cost)


def _residuals(data: _Pooled, x: Array) -> Array:
    found = data.values(x[None])[0] - data.z
    return np.where(np.isfinite(found), found, 1e3 * (1.0 + np.abs(data.z).max()))


def _squares(data: _Pooled, points: Array) -> Array:
    """Sums of squares ``(S,)`` about the curve, infinite where it is not finite."""
    with np.errstate(all="ignore"):
        found = np.concatenate([np.sum((data.values(part) - data.z) ** 2, axis=1) for part in _parts(data, points)])
    return np.where(np.isfinite(found), found, np.inf)


def _parts(data: _Pooled, points: Array) -> Iterator[Array]:
    size = max(AT_ONCE // len(data.z), 1)
    yield from (points[i : i + size] for i in range(0, len(points), size))


# ---- points -----------------------------------------------------------------------------------------------------


def _points(data: _Pooled, linear: Sequence[int]) -> Array:
    """Values ``(S, K)`` to try: all combinations, or as many as there may be; zero where the curve is linear."""
    K = len(data.names)
    sizes = _sizes(data)
    each = [np.zeros(1) if j in linear else sizes for j in range(K)]
    if prod(map(len, each)) <= TRIED:
        return np.array(list(product(*each)))
    rng = np.random.default_rng(1)
    return np.column_stack([rng.choice(values, TRIED) for values in each])


def _sizes(data: _Pooled) -> Array:
    found = [*PLAIN, data.z.max(), data.z.min(), data.z.mean(), np.ptp(data.z)]
    for x in data.rows.values():
        middle, spread = float(np.mean(np.abs(x))), float(np.std(x))
        found += [*np.quantile(x, (0.25, 0.5, 0.75)), 0.5 * spread, spread]
        found += [sign / size for size in (middle, 3.0 * middle, 0.3 * middle) if size > 0.0 for sign in (1.0, -1.0)]
        found += [np.log(1.0 / middle), np.log(3.0 / middle), np.log(0.3 / middle)] if middle > 0.0 else []
    return np.unique(np.array(found))


# ---- parameters that a curve is linear in -----------------------------------------------------------------------


def _linear(data: _Pooled) -> list[int]:
    """Positions of parameters that the curve is linear in together: second differences are zero."""
    rng = np.random.default_rng(2)
    points = rng.choice(_sizes(data), (20, len(data.names)))
    found: list[int] = []
    for j in range(len(data.names)):
        if all(_is_linear(data.values, points, j, k) for k in (*found, j)):
            found.append(j)
    return found


def _is_linear(values: Callable[[Array], Array], points: Array, j: int, k: int) -> bool:
    one, other = np.zeros(points.shape[1]), np.zeros(points.shape[1])
    one[j], other[k] = 1.3, 0.7
    corners = [values(points + shift) for shift in (0.0, one, other, one + other)]
    with np.errstate(all="ignore"):
        bend = np.abs(corners[3] - corners[2] - corners[1] + corners[0])
        size = 1e-8 * np.sum(np.abs(corners), axis=0)
    is_finite = np.isfinite(bend) & np.isfinite(size)
    return bool(is_finite.any()) and bool(np.all(bend[is_finite] <= size[is_finite]))


def _solved(data: _Pooled, points: Array, linear: Sequence[int]) -> Array:
    """Points with the least squares of the parameters that the curve is linear in."""
    return np.concatenate([_solve(data, part, linear) for part in _parts(data, points)]) if linear else points


def _solve(data: _Pooled, points: Array, linear: Sequence[int]) -> Array:
    units = np.eye(points.shape[1])[list(linear)]
    base = data.values(points)
    columns = np.stack([data.values(points + unit) - base for unit in units], axis=2)  # (S, n, L)
    usable = np.isfinite(columns).all(axis=(1, 2)) & np.isfinite(base).all(axis=1)
    columns, rest = np.where(usable[:, None, None], columns, 0.0), np.where(usable[:, None], data.z - base, 0.0)
    with np.errstate(all="ignore"):
        square = np.swapaxes(columns, 1, 2) @ columns
        size = np.sqrt(np.einsum("sll->sl", square)) + 1e-150
        scaled = square / (size[:, :, None] * size[:, None, :]) + RIDGE * np.eye(len(linear))
        right = np.einsum("snl,sn->sl", columns, rest) / size
        found = np.where(usable[:, None], np.linalg.solve(scaled, right[..., None])[..., 0] / size, np.nan)
    solved = points.copy()
    solved[:, list(linear)] = found
    return solved
