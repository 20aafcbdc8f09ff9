"""How much columns vary, by which default priors of their coefficients are as wide as they are.

A product such as ``x:z`` far from ``x = 0`` varies mostly with ``mean(x) z``, and the coefficient of ``z`` beside it is
that at ``x = 0``, far from the data. Priors by the columns as they are would leave the interaction no room at all. The
coefficients ``gamma = C beta`` at the means of numeric factors,

    gamma_S = beta_S + sum_T ways(S, T) mean(prod of T without S) beta_T,    T a product of S and of numbers,

with ``ways`` to take the factors of S out of T, two of ``x`` out of ``x^2`` (mean slopes, that is), belong to the
columns ``X C^-1``, which do not change where a number is added to ``x``. Where ``x`` is no column, but multiplied with
dummies of levels, as in ``0 + f + f:x``, its values are found in these products. Default priors of fixed effects are
those of gamma. Standard deviations of random effects, which are stated at zero, are as wide as those at the means make
them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.row_statistics import mean, spread

BETWEEN = ":"  # the factors of a product
POWER = re.compile(r"I\((?P<base>.+?)\s*\^\s*(?P<power>[2-9])\)")  # as columns are called
AT_ZERO = 1e-9  # mean of a column, over its spread, that counts as zero


def column_scale(column: Array, counts: Array | None = None) -> float:
    """Standard deviation of a column; the size of its value where it is constant.

    ``counts (n,)`` are the rows of the data that each of its rows stands for.
    """
    size = float(spread(column, counts, ddof=1)) if len(column) > 1 else 0.0
    level = float(np.max(np.abs(column), initial=0.0))
    return size if size > 1e-12 * max(level, 1e-300) else (level or 1.0)


def scales_at_means(names: Sequence[str], columns: Array, counts: Array | None = None) -> list[float]:
    """Scales of columns ``(n, p)`` where the numbers that they are multiplied with are at their means."""
    return _scales(at_factor_means(names, columns, counts), columns, counts)


def scale_at_zero(names: Sequence[str], columns: Array, j: int, counts: Array | None = None) -> float:
    """The scale by which a coefficient at zero is as wide as independent ones at the means make it."""
    change = at_factor_means(names, columns, counts)
    if np.array_equal(change, np.eye(len(change))):
        return column_scale(columns[:, j], counts)
    return float(1.0 / np.sqrt(np.linalg.inv(change)[j] ** 2 @ np.array(_scales(change, columns, counts)) ** -2.0))


def _scales(change: Array, columns: Array, counts: Array | None) -> list[float]:
    is_changed = not np.array_equal(change, np.eye(len(change)))
    moved = np.linalg.solve(change.T, columns.T) if is_changed else columns.T
    return [column_scale(column, counts) for column in moved]


def at_factor_means(names: Sequence[str], columns: Array, counts: Array | None = None) -> Array:
    """The change of coordinates ``C (p, p)``; the identity without products of numbers that are not centred.

    A column is told to be a product or a power by its name and by its numbers; its factors are columns, too.
    """
    products = [factors(name) for name in names]
    places = {name: j for j, name in enumerate(names) if products[j].total() == 1}
    change = np.eye(len(names))
    for j, i in ((j, i) for j, one in enumerate(products) if one.total() > 1 for i in range(len(names))):
        whole, part = products[j], products[i]
        if not part < whole:
            continue
        rest = list((whole - part).elements())
        own = [places[factor] for factor in rest if factor in places]
        if len(own) == len(rest) and all(is_number(columns[:, k]) for k in own):
            factor = columns[:, own].prod(axis=1)
            if np.allclose(columns[:, i] * factor, columns[:, j], rtol=1e-9, atol=0.0):
                ways = math.prod(math.comb(whole[one], part[one]) for one in whole)
                change[i, j] = ways * middle(factor, counts)
    for own, x in _numbers_of_levels(products, places, columns):
        if at := middle(x, counts):
            change[:, own] += at * _dummies(own, x, columns)
    return change


def middle(numbers: Array, counts: Array | None = None) -> float:
    """Mean over rows ``(n,)``; zero where it is so near zero, beside the spread, that it is rounding."""
    found = float(mean(numbers, counts))
    return found if abs(found) > AT_ZERO * float(spread(numbers, counts)) else 0.0


def _numbers_of_levels(
    products: Sequence[Counter[str]], places: dict[str, int], columns: Array
) -> Iterator[tuple[list[int], Array]]:
    """Products ``fa:x, fb:x`` of one number that is no column with dummies of levels, and the number of each row."""
    pairs = [sorted(one) if len(one) == one.total() == 2 else [] for one in products]
    levels = {name for name, j in places.items() if np.isin(columns[:, j], (0.0, 1.0)).all()}
    for name in {name for pair in pairs for name in pair if name not in places and levels & set(pair)}:
        own = [j for j, pair in enumerate(pairs) if name in pair]
        is_apart = ((columns[:, own] != 0.0).sum(axis=1) <= 1).all()
        if is_apart and is_number(x := columns[:, own].sum(axis=1)):
            yield own, x


def _dummies(own: Sequence[int], x: Array, columns: Array) -> Array:
    """Coefficients ``(p, len(own))`` of the dummies that ``x`` is multiplied with; zeros where these are no sums."""
    rest = [j for j in range(columns.shape[1]) if j not in own]
    rows = x != 0.0
    wanted = (columns[rows][:, own] != 0.0) * 1.0
    found, *_ = np.linalg.lstsq(columns[rows][:, rest], wanted, rcond=None)
    is_sum = np.allclose(columns[rows][:, rest] @ found, wanted, atol=1e-8)
    is_of_all = np.allclose((columns[:, rest] @ found).sum(axis=1), 1.0, atol=1e-8)
    whole = np.zeros((columns.shape[1], len(own)))
    if is_sum and is_of_all:
        whole[rest] = np.where(np.abs(found) > 1e-8, found, 0.0)
    return whole


def factors(name: str) -> Counter[str]:
    """What a column is the product of, and how often: of ``x:I(z ^ 2)`` one ``x`` and two ``z``."""
    found: Counter[str] = Counter()
    for one in name.split(BETWEEN):
        power = POWER.fullmatch(one)
        found[power["base"] if power else one] += int(power["power"]) if power else 1
    return found


def is_number(column: Array) -> bool:
    """Whether a column is no dummy of a factor's level: its zero is one among other numbers."""
    return not np.isin(column, (-1.0, 0.0, 1.0)).all()


def place_of(names: Sequence[str], j: int, row: Array) -> str:
    """Where a coefficient is that a row of ``C`` makes: ``x = 4.5``; empty at zero."""
    products = [factors(name) for name in names]
    found = []
    for k in np.flatnonzero(row):
        rest = products[k] - products[j]
        if rest.total() == 1:
            (factor,) = rest
            found.append(f"{factor} = {row[k] / products[k][factor]:.6g}")
    return ", ".join(dict.fromkeys(found))
