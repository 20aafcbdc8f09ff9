"""Incomplete gamma and beta functions of arrays and Taylor polynomials: logarithms of both tails of a distribution.

The smaller tail is computed by itself, by a series or a continued fraction that is carried on until no coefficient of a
polynomial changes any more; the larger one is one less it. What stands before them, ``x^a e^-x / Gamma(a)`` and
``x^a y^b / B(a, b)``, is a density times its variable, which families write without differences of large numbers.
(Press et al. 2007, *Numerical Recipes*, 6.2 and 6.4; DLMF 8.7, 8.9, 8.17.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.taylor import Taylor, select, value_of

CLOSE = 1e-15  # change of a sum or a fraction, relative to it, that ends it
TERMS = 20_000  # at most; they grow with the root of the parameters


def gamma_tails(xp: Any, a: Any, x: Any, log_front: Any) -> tuple[Any, Any]:
    """Logarithms of ``P(a, x)`` and of ``Q(a, x)``, the regularised incomplete gamma functions.

    Parameters
    ----------
    xp : namespace of arrays and polynomials.
    a, x : positive.
    log_front : logarithm of ``x^a e^-x / Gamma(a)``.
    """
    with np.errstate(all="ignore"):
        is_lower, edge = value_of(x) < value_of(a) + 1.0, a + 1.0
        below = log_front + xp.log(_series(a, select(is_lower, x, edge)) / a)
        above = log_front + xp.log(_gamma_fraction(a, select(is_lower, edge, x)))
        return _both(xp, is_lower, below, above)


def beta_tails(xp: Any, a: Any, b: Any, x: Any, y: Any, log_front: Any) -> tuple[Any, Any]:
    """Logarithms of ``I_x(a, b)`` and of ``1 - I_x(a, b) = I_y(b, a)``, the regularised incomplete beta functions.

    Parameters
    ----------
    xp : namespace of arrays and polynomials.
    a, b : positive.
    x, y : between zero and one, with sum one.
    log_front : logarithm of ``x^a y^b / B(a, b)``.
    """
    with np.errstate(all="ignore"):
        is_lower = _is_lower(a, b, x, y)
        first, second = select(is_lower, a, b), select(is_lower, b, a)
        fraction = _beta_fraction(first, second, select(is_lower, x, y), select(is_lower, y, x))
        tail = log_front + xp.log(fraction)
        return _both(xp, is_lower, tail, tail)


def student_tails(xp: Any, t: Any, nu: Any, log_density: Any) -> tuple[Any, Any]:
    """Logarithms of both tails of a standard t distribution at ``t``, of which the density is given.

    Near zero the distribution function is one half and what is added to it, an odd function of ``t``.
    """
    with np.errstate(all="ignore"):
        a, square = 0.5 * nu, t * t
        x, y = nu / (nu + square), square / (nu + square)
        is_far = _is_lower(a, 0.5, x, y)
        first = select(is_far, a, 0.0 * a + 0.5)
        fraction = _beta_fraction(first, select(is_far, 0.0 * a + 0.5, a), select(is_far, x, y), select(is_far, y, x))
        size = select(value_of(t) > 0.0, t, -t)
        far = log_density + xp.log(0.5 * select(is_far, size, np.ones(())) * fraction)
        added = select(is_far, np.zeros(()), t * xp.exp(log_density) * fraction * first)
        rest = xp.log1mexp(far)
        is_right = value_of(t) > 0.0
        return (
            select(is_far, select(is_right, rest, far), xp.log(0.5 + added)),
            select(is_far, select(is_right, far, rest), xp.log(0.5 - added)),
        )


def _both(xp: Any, is_lower: Array, below: Any, above: Any) -> tuple[Any, Any]:
    lower = select(is_lower, below, xp.log1mexp(above))
    return lower, select(is_lower, xp.log1mexp(below), above)


def _is_lower(a: Any, b: Any, x: Any, y: Any) -> Array:
    """Whether the fraction of the lower tail converges quickly, and begins above zero: below the mean."""
    return np.asarray(value_of(b) * value_of(x) < value_of(a) * value_of(y))


def _series(a: Any, x: Any) -> Any:
    """``1 + x / (a + 1) + x^2 / ((a + 1) (a + 2)) + ...``."""
    term = x / (a + 1.0)
    total = 1.0 + term
    for n in range(2, TERMS):
        term = term * (x / (a + float(n)))
        before, total = total, total + term
        if _is_still(before, total):
            break
    return total


def _gamma_fraction(a: Any, x: Any) -> Any:
    """``Q(a, x)`` over what stands before it, by Lentz's method."""
    b = x + 1.0 - a
    d = 1.0 / b
    c, found = None, d
    for n in range(1, TERMS):
        step, b = (a - float(n)) * float(n), b + 2.0
        d = 1.0 / (b + step * d)
        c = b if c is None else b + step / c
        before, found = found, found * (c * d)
        if _is_still(before, found):
            break
    return found


def _beta_fraction(a: Any, b: Any, x: Any, y: Any) -> Any:
    """``I_x(a, b)`` over what stands before it, ``y`` one less ``x``: DLMF 8.17.22, two steps at once.

    (Didonato and Morris 1992, *ACM Transactions on Mathematical Software* 18, equation 9.) By Lentz's method. Where a
    is large and x close to one, or b large and x close to zero, nothing of it is a difference of large numbers.
    """
    lead = a * y - b * x + 1.0
    found = a / (a + 1.0) * lead
    c, d = found, None
    for n in range(1, TERMS):
        m = float(n)
        over = a + (2.0 * m - 1.0)
        own = m * (b - m) * x / over
        up = (a + (m - 1.0)) * (a + b + (m - 1.0)) * x / over * own
        down = m + own + (a + m) / (a + (2.0 * m + 1.0)) * (lead + m * (1.0 + y))
        d = 1.0 / (down if d is None else down + up * d)
        c = down + up / c
        before, found = found, found * (c * d)
        if _is_still(before, found):
            break
    return 1.0 / found


def _is_still(before: Any, now: Any) -> bool:
    """Whether no coefficient has changed; those that are no numbers will not become any."""
    if not isinstance(now, Taylor):
        return _has_settled(before, now, now)
    old = before.coefficients if isinstance(before, Taylor) else {}
    return all(_has_settled(old.get(key, 0.0), one, now.value) for key, one in now.coefficients.items())


def _has_settled(before: Any, now: Array, size: Array) -> bool:
    return not np.any(np.abs(now - before) > CLOSE * (np.abs(now) + np.abs(size)))
