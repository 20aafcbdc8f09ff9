"""Tails of sums of a Poisson number of gamma variables, and their derivatives in closed form.

``N`` variables of shape ``a`` and scale one, ``N`` Poisson with mean ``l``; those without any have an atom at zero. The
generating function of the sum is known, its tails are its inverse (Feller 1971, *An Introduction to Probability Theory
and Its Applications* II, XIII.2)::

    P(0 < sum <= x) or P(sum > x) = +-exp(-x - l) / (2 pi i) integral of exp(x z) (exp(l z^-a) - 1) / (z - 1) dz

along a contour around the negative axis that crosses the positive one above one for the lower tail, below it for the
upper. It crosses near the saddle point, so that a small tail is computed without loss, and bends as Talbot's does; the
trapezoidal rule along it converges exponentially (Trefethen and Weideman 2014, *SIAM Review* 56). The contour is chosen
by the values alone, for the integral does not depend on it: derivatives are those of what is integrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.taylor import Exponents, Taylor, composed, value_of

HALVINGS = 16  # of the logarithm of the distance of the crossing from the pole, between these
NEAREST, FARTHEST = -25.0, 4.0
PULL = 4.0  # by what power of the distance the pole is kept off: two widths of what is integrated
CUT = 40.0  # logarithm of what is integrated, below its largest, that is left out
STEP = 0.15  # of the distance to where the rule's error begins: exp(-2 pi / STEP)
WIDTHS, REACH, GROWTH = 3.5, 1.5, 3.0  # those distances: of the saddle, of the logarithm, of exp(l z^-a)
LARGE = 30.0  # l z^-a from which on exp(l z^-a) is computed with relative to its largest value
SMALL = 1e-20  # and up to which exp(l z^-a) - 1 is l z^-a, computed with relative to that
CLOSE = 0.1  # and up to which exp(l z^-a) is not one plus rounding
FIRST = 1e-2  # angles up to which Taylor's series are
AT_ONCE = 20_000  # nodes
MOST = 200_000  # nodes of one sum: a shape of tens of thousands
DEVIATIONS = 9.0  # of terms on either side of those that count: the others are smaller by exp(-40)
BESIDE = 15.0  # terms in any case, where these are few
SMALLEST = -600.0  # logarithm of a density of gamma variables from which on it is computed with
MANY = 1e6  # variables that are not added up any more


def log_compound_tail(xp: Any, x: Any, log_number: Any, shape: Any, is_lower: Array) -> Any:
    """Logarithm of ``P(0 < sum <= x)`` where ``is_lower``, else of ``P(sum > x)``; NaN where shapes are huge.

    Parameters
    ----------
    xp : namespace of arrays and polynomials.
    x : positive.
    log_number : logarithm of the mean number of variables.
    shape : of each of them.
    is_lower : which tail; that on the side of `x` away from the mean is computed without loss.
    """
    values = np.broadcast_arrays(*map(value_of, (x, log_number, shape)), is_lower)
    with np.errstate(all="ignore"):
        log_crossing, width = _crossing(*values)
        arguments = x, log_number - shape * log_crossing, shape  # of what is integrated over its value there
        order = max((one.order for one in arguments if isinstance(one, Taylor)), default=0)
        keys = [(i, m - k, k) for m in range(order + 1) for k in range(m + 1) for i in range(order + 1 - m)]
        rows = (*map(value_of, arguments), is_lower, log_crossing, width)
        sums, scale = _sums([np.ravel(one) for one in np.broadcast_arrays(*rows)], keys)
    found = composed({key: one.reshape(width.shape) for key, one in zip(keys, sums, strict=True)}, arguments)
    return xp.log(found) + scale.reshape(width.shape) + x * np.expm1(log_crossing) - xp.exp(log_number)


def log_compound_tail_by_terms(xp: Any, x: Any, log_number: Any, shape: Any, is_lower: Any) -> Any:
    """The same, of each number of variables the tail, added up: for symbols, which have no complex numbers.

    The numbers that count are between the expected one and that whose term of the density is the largest at ``x``, and
    around them.
    """
    number = xp.exp(log_number)
    largest = xp.exp((shape * xp.log(x) + log_number - shape * xp.log(shape)) / (1.0 + shape))
    is_far = largest > number
    few, many = xp.where(is_far, number, largest), xp.minimum(xp.where(is_far, largest, number), MANY)
    width = DEVIATIONS * xp.sqrt(many) + BESIDE
    first, last = xp.maximum(xp.floor(few - width), 1.0), xp.floor(many + width)

    def log_term(j: Any) -> Any:
        own = shape * j
        front = own * xp.log(x) - x - xp.gammaln(own)
        told, over = front > SMALLEST, x > own  # else one tail is all, the other less than can be told
        lower, upper = xp.gamma_tails(own, xp.where(told, x, own), front)
        lower = xp.where(told, lower, xp.where(over, 0.0, SMALLEST))
        upper = xp.where(told, upper, xp.where(over, SMALLEST, 0.0))
        return j * log_number - number - xp.gammaln(j + 1.0) + xp.where(is_lower, lower, upper)

    found = xp.log_sum(lambda k: (log_term(first + k), first + k <= last), last - first)
    return xp.where(number < MANY, found, np.nan)  # so many that they could not be added up


def _sums(rows: Sequence[Array], keys: Sequence[Exponents]) -> tuple[Array, Array]:
    """The integrals ``(keys, n)`` of which tails and derivatives are made, over ``exp`` of a scale ``(n,)``.

    A derivative by x is a factor ``z``, less the crossing; one by the logarithm of what ``l z^-a`` is there a step of
    `_steps`, one by a minus ``log z``, less the crossing's, times it.

    Parameters
    ----------
    rows : x, that logarithm, shape, whether the lower tail, logarithm of the crossing, step of the rule.
    """
    x, log_height, shape, is_lower, log_crossing, width = rows
    height = np.exp(log_height)
    top = np.where(height > LARGE, height, 0.0)
    low = np.where(height < SMALL, log_height, 0.0)
    over = CUT / (x * np.exp(log_crossing))
    end = np.pi * np.arctanh(np.sqrt(over / (2.0 + over)))
    nodes = np.ceil(end / width)
    found, order = np.full((len(keys), len(x)), np.nan), sum(keys[-1])
    left, start = np.argsort(-nodes), 0
    left = left[nodes[left] <= MOST]
    while start < len(left):
        count = int(nodes[left[start]])
        part = left[start : start + max(AT_ONCE // (count + 1), 1)]
        start += len(part)
        k = np.arange(count + 1.0)[:, None]
        log_z, slope = _contour(np.minimum(k * width[part], end[part]))
        sign = np.where(is_lower[part], width[part], -width[part]) / np.pi
        weight = np.where(k <= nodes[part], sign * np.where(k == 0, 0.5, 1.0), 0.0)
        crossing = np.exp(log_crossing[part])
        move = crossing * np.expm1(log_z)
        z = crossing + move
        outer = weight * slope * z / (np.expm1(log_crossing[part]) + move) * np.exp(x[part] * move)
        steps = _steps(np.exp(log_height[part] - low[part] - shape[part] * log_z), top[part], low[part] < 0.0, order)
        for one, (i, j, m) in zip(found, keys, strict=True):
            one[part] = (outer * steps[j + m] * move**i * (-log_z) ** m).imag.sum(axis=0)
    return found, top + low


def _steps(inner: Array, top: Array, is_small: Array, order: int) -> list[Array]:
    """``exp(inner) - 1`` over ``exp(top)`` and ``inner d / d inner`` of it, up to an order of times."""
    own = np.where(is_small, 0.0, inner) if np.any(is_small) else inner
    high = np.exp(own - top)
    steps = [high - np.exp(-top)]
    if np.any(is_exact := np.abs(own[0]) < CLOSE):
        steps[0][:, is_exact] = np.expm1(own[:, is_exact])
    if order:
        first = own * high
        steps += [first, first * (1.0 + own), first * (1.0 + own * (3.0 + own))][:order]
    return [np.where(is_small, inner, one) for one in steps] if np.any(is_small) else steps


def _crossing(x: Array, log_number: Array, shape: Array, is_lower: Array) -> tuple[Array, Array]:
    """Where the contour crosses the axis, as a logarithm, and the rule's step: by halving, on the side of the pole.

    Where ``x z + log(exp(l z^-a) - 1)``, convex in ``log z``, is least with the pole's logarithm subtracted.
    """
    sign = np.where(is_lower, 1.0, -1.0)
    low, high = np.full(x.shape, NEAREST), np.full(x.shape, FARTHEST)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        at = sign * np.exp(middle)
        height = np.exp(log_number - shape * at)
        slope = x * np.exp(at) - shape * _mean_above_zero(height) + PULL / np.expm1(-at)
        is_short = sign * slope < 0.0
        low, high = np.where(is_short, middle, low), np.where(is_short, high, middle)
    at = sign * np.exp(0.5 * (low + high))
    height = np.exp(log_number - shape * at)
    mean = _mean_above_zero(height)
    spread = 1.0 / np.sqrt(x * np.exp(at) + shape**2 * mean * (1.0 - mean + height))
    growth = np.log1p(GROWTH / height + GROWTH / np.sqrt(height)) / shape
    return at, STEP * np.minimum.reduce([np.abs(at), WIDTHS * spread, np.full(x.shape, REACH), growth])


def _mean_above_zero(rate: Array) -> Array:
    """Of a Poisson number that is not zero."""
    return np.where(rate > 1e-12, rate / -np.expm1(-rate), 1.0)


def _contour(s: Array) -> tuple[Array, Array]:
    """Logarithms of ``theta / sin(theta) exp(i theta)``, ``theta = pi tanh(s / pi)``, and their derivatives.

    Near pi by what is left to it, near zero by Taylor's series: without loss.
    """
    theta, rest = np.pi * np.tanh(s / np.pi), 2.0 * np.pi / (1.0 + np.exp(2.0 * s / np.pi))
    is_last, is_first, square = rest < 1.0, theta < FIRST, theta**2
    sine = np.sin(np.where(is_last, rest, theta))
    cotangent = np.where(is_last, -np.cos(rest), np.cos(theta)) / sine
    stretch = np.where(is_first, square * (1.0 / 6.0 + square / 180.0), np.log(theta / sine))
    series = theta * (1.0 / 3.0 + square * (1.0 / 45.0 + square * (2.0 / 945.0)))
    slope = np.where(is_first, series, 1.0 / theta - cotangent)
    return stretch + 1j * theta, (slope + 1j) * (rest / np.pi) * (2.0 - rest / np.pi)
