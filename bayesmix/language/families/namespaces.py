"""Array namespaces: the functions in which a density is written once and read as NumPy, Taylor or PyTensor.

A density is a function of a namespace ``xp`` and of numbers that it takes as they come: arrays, `Taylor` polynomials
(both by `NUMERIC`), or PyTensor's symbols (`symbolic()`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.compound_poisson import log_compound_tail, log_compound_tail_by_terms
from bayesmix.language.families.gamma_function import (
    FEW,
    SMALL,
    STIRLING,
    factors_of_small,
    log1p_over,
    log1p_over_small,
    log_factors,
    log_gamma,
    log_rising,
    stirling,
)
from bayesmix.language.families.incomplete import beta_tails, gamma_tails, student_tails
from bayesmix.language.families.taylor import Taylor, add_up, elementary, select, value_of

EPSILON = float(np.finfo(float).eps)
OVERFLOW = 700.0  # exponents beyond which exp overflows
BESSEL = 1e3  # from which on four terms of the series of a Bessel function are exact to rounding
AT_ONCE = 100_000  # terms of sums that are computed together
RATE = 340.0  # whose square must not overflow either


@dataclass(frozen=True, slots=True)
class Namespace:
    """What densities and links are written in."""

    exp: Callable[[Any], Any]
    log: Callable[[Any], Any]
    log1p: Callable[[Any], Any]
    floor: Callable[[Any], Any]  # which has no derivatives
    sqrt: Callable[[Any], Any]
    gammaln: Callable[[Any], Any]
    log_rising: Callable[[Any, Any], Any]  # log Gamma(x + y) - log Gamma(x) - y log x, zero for large x
    log_factors: Callable[[Any, Any], Any]  # log(1 + x) + ... + log(1 + (y - 1) x)
    log1p_over: Callable[[Any], Any]  # log(1 + x) / x, x positive
    expit: Callable[[Any], Any]  # the logistic curve
    softplus: Callable[[Any], Any]  # log(1 + exp(x))
    ndtr: Callable[[Any], Any]  # the normal distribution function
    log_ndtr: Callable[[Any], Any]  # its logarithm
    log_erfcx: Callable[[Any], Any]  # log(exp(x^2) erfc(x)), x not below -5
    sin: Callable[[Any], Any]
    arctan: Callable[[Any], Any]
    log_i0e: Callable[[Any], Any]  # log(exp(-x) I0(x)), I0 the modified Bessel function, x positive
    cloglog: Callable[[Any], Any]  # 1 - exp(-exp(x))
    log1mexp: Callable[[Any], Any]  # log(1 - exp(x)), x negative
    gamma_tails: Callable[[Any, Any, Any], tuple[Any, Any]]  # as in `incomplete`: of a, x and what stands before them
    beta_tails: Callable[[Any, Any, Any, Any, Any], tuple[Any, Any]]
    student_tails: Callable[[Any, Any, Any], tuple[Any, Any]]
    log_compound_tail: Callable[[Any, Any, Any, Any], Any]  # as in `compound_poisson`
    log_sum: Callable[[Callable[[Any], tuple[Any, Any]], Any], Any]  # see `_log_sum`
    xlogy: Callable[[Any, Any], Any]  # y log x, zero where y is
    xlog1py: Callable[[Any, Any], Any]  # y log(1 + x)
    where: Callable[[Any, Any, Any], Any]
    minimum: Callable[[Any, float], Any]
    maximum: Callable[[Any, float], Any]


def _exp(x: Array, order: int) -> list[Array]:
    value = np.exp(x if np.max(x, initial=0.0) <= OVERFLOW else np.minimum(x, OVERFLOW))
    return [value] * (order + 1)


def _log(x: Array, order: int) -> list[Array]:
    return [np.log(x), *_powers(x, order)]


def _log1p(x: Array, order: int) -> list[Array]:
    return [np.log1p(x), *_powers(1.0 + x, order)]


def _powers(x: Array, order: int) -> list[Array]:
    """Derivatives of a logarithm, those asked for."""
    if not order:
        return []
    inverse = 1.0 / x
    square = inverse * inverse
    return [inverse, -square, 2.0 * square * inverse][:order]


def _log_rising(x: Any, y: Any) -> Any:
    """Of numbers y."""
    return elementary(lambda value, order: log_rising(value, np.asarray(y), order))(x)


def _log_factors(x: Any, y: Any) -> Any:
    """Of numbers y."""
    return elementary(lambda value, order: log_factors(value, np.asarray(y), order))(x)


def _bounded(p: Array) -> Array:
    """Keep probabilities off 0 and 1, so that their logarithms are finite."""
    return np.clip(p, EPSILON, 1.0 - EPSILON)


def logistic(x: Array) -> Array:
    """``1 / (1 + exp(-x))``; SciPy's takes a fifth of a second to load."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-x)))


def log1p_exp(x: Array) -> Array:
    """``log(1 + exp(x))``; NumPy's `logaddexp` takes five times as long."""
    found = np.asarray(np.abs(x), float)
    np.negative(found, out=found)
    np.exp(found, out=found)
    np.log1p(found, out=found)
    found += np.maximum(x, 0.0)
    return found


def logistic_slopes(x: Array, p: Array) -> Sequence[Array]:
    """Derivatives of the logistic curve, ``p`` its value."""
    first = p * logistic(-x)
    return first, first * (1.0 - 2.0 * p), first * (1.0 - 6.0 * p + 6.0 * p**2)


def normal_slopes(x: Array) -> Sequence[Array]:
    """Derivatives of the normal distribution function."""
    density = np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi)
    return density, -x * density, (x**2 - 1.0) * density


def cloglog_slopes(x: Array) -> Sequence[Array]:
    """Derivatives of ``1 - exp(-exp(x))``."""
    x = np.clip(x, -RATE, RATE)
    rate = np.exp(x)
    first = np.exp(x - rate)
    return first, first * (1.0 - rate), first * (1.0 - 3.0 * rate + rate**2)


def _expit(x: Array, order: int) -> list[Array]:
    p = _bounded(logistic(x))
    return [p, *(logistic_slopes(x, p) if order else ())][: order + 1]


def _softplus(x: Array, order: int) -> list[Array]:
    """Its slope goes to zero, unlike a probability that is kept off it: it multiplies powers of large slopes."""
    p = logistic(x) if order else x
    return [log1p_exp(x), *([p, *logistic_slopes(x, p)] if order else ())][: order + 1]


def _ndtr(x: Array, order: int) -> list[Array]:
    from scipy.special import ndtr

    return [_bounded(ndtr(x)), *(normal_slopes(x) if order else ())][: order + 1]


def _log_ndtr(x: Array, order: int) -> list[Array]:
    from scipy.special import erfcx, log_ndtr

    value = np.asarray(log_ndtr(x))
    if not order:
        return [value]
    first = np.sqrt(2.0 / np.pi) / erfcx(-x / np.sqrt(2.0))  # density over distribution function, also far below zero
    second = -first * (x + first)
    return [value, first, second, -second * (x + first) - first * (1.0 + second)][: order + 1]


def _log_erfcx(x: Array, order: int) -> list[Array]:
    """By ``q = 2 x - 2 / (sqrt(pi) erfcx(x))``, whose derivative is ``2 + q (2 x - q)``."""
    from scipy.special import erfcx

    value = erfcx(x)
    if not order:
        return [np.log(value)]
    q = 2.0 * x - 2.0 / (np.sqrt(np.pi) * value)
    first = 2.0 + q * (2.0 * x - q)
    return [np.log(value), q, first, first * (2.0 * x - 2.0 * q) + 2.0 * q][: order + 1]


def _sin(x: Array, order: int) -> list[Array]:
    value, slope = np.sin(x), np.cos(x)
    return [value, slope, -value, -slope][: order + 1]


def _arctan(x: Array, order: int) -> list[Array]:
    first = 1.0 / (1.0 + x**2)
    return [np.arctan(x), first, -2.0 * x * first**2, (6.0 * x**2 - 2.0) * first**3][: order + 1]


def _log_i0e(x: Array, order: int) -> list[Array]:
    """By ``a = I1 / I0``, whose derivative is ``1 - a / x - a^2``; of large numbers by the series in ``1 / x``."""
    from scipy.special import i0e, i1e

    if not order:
        return [np.log(i0e(x))]
    small = np.clip(x, EPSILON, BESSEL)
    a = i1e(small) / i0e(small)
    first = 1.0 - a / small - a**2
    second = (a / small - first) / small - 2.0 * a * first
    exact = [a - 1.0, first, second]
    power = 1.0 / np.maximum(x, BESSEL)
    series = [
        -power * (0.5 + power * (1.0 / 8.0 + power * (1.0 / 8.0 + power * (25.0 / 128.0)))),
        power**2 * (0.5 + power * (1.0 / 4.0 + power * (3.0 / 8.0 + power * (25.0 / 32.0)))),
        -(power**3) * (1.0 + power * (3.0 / 4.0 + power * (3.0 / 2.0 + power * (125.0 / 32.0)))),
    ]
    chosen = [np.where(x < BESSEL, one, other) for one, other in zip(exact, series, strict=True)]
    return [np.log(i0e(x)), *chosen][: order + 1]


def _cloglog(x: Array, order: int) -> list[Array]:
    p = _bounded(-np.expm1(-np.exp(np.clip(x, -RATE, RATE))))
    return [p, *(cloglog_slopes(x) if order else ())][: order + 1]


def _log1mexp(x: Array, order: int) -> list[Array]:
    value = np.where(x > -np.log(2.0), np.log(-np.expm1(x)), np.log1p(-np.exp(x)))
    if not order:
        return [value]
    r = 1.0 / np.expm1(np.minimum(-x, OVERFLOW))
    second = r * (1.0 + r)
    return [value, -r, -second, -second * (1.0 + 2.0 * r)][: order + 1]


def _sqrt(x: Any) -> Any:
    return x**0.5 if isinstance(x, Taylor) else np.sqrt(x)


def _xlogy(y: Any, x: Any) -> Any:
    if not isinstance(x, Taylor):
        return np.where(y == 0.0, 0.0, y * np.log(x))  # SciPy's own takes three times as long
    return elementary(_log)(select(np.asarray(y) == 0.0, np.ones(()), x)) * y


def _xlog1py(y: Any, x: Any) -> Any:
    return elementary(_log1p)(x) * y


def _minimum(x: Any, bound: float) -> Any:
    return select(value_of(x) < bound, x, np.asarray(bound))


def _maximum(x: Any, bound: float) -> Any:
    return select(value_of(x) > bound, x, np.asarray(bound))


def _log_sum(term: Callable[[Any], tuple[Any, Any]], most: Any) -> Any:
    """Log of a sum of terms k = 0 .. ``most``; ``term``: their logs by k, and where they count, all for k = 0."""
    total, _ = term(0.0)
    at, count = value_of(total), int(np.max(most, initial=0.0)) + 1
    block = max(AT_ONCE // max(np.size(at), 1), 1)
    for k in range(0, count, block):
        value, counts = term(np.arange(float(k), min(k + block, count)).reshape(-1, *[1] * np.ndim(at)))
        some = np.any(counts, axis=0)
        top = np.where(counts | ~some, value_of(value), -np.inf).max(axis=0)
        part = NUMERIC.log(add_up(NUMERIC.exp(select(counts | ~some, value - top, np.asarray(-OVERFLOW))))) + top
        total = select(some, log_add(NUMERIC, total, part), total) if k else part
    return total


# arrays and `Taylor` polynomials
NUMERIC: Namespace = Namespace(
    exp=elementary(_exp),
    log=elementary(_log),
    log1p=elementary(_log1p),
    floor=lambda x: np.floor(value_of(x)),
    sqrt=_sqrt,
    gammaln=elementary(log_gamma),
    log_rising=_log_rising,
    log_factors=_log_factors,
    log1p_over=elementary(log1p_over),
    expit=elementary(_expit),
    softplus=elementary(_softplus),
    ndtr=elementary(_ndtr),
    log_ndtr=elementary(_log_ndtr),
    log_erfcx=elementary(_log_erfcx),
    sin=elementary(_sin),
    arctan=elementary(_arctan),
    log_i0e=elementary(_log_i0e),
    cloglog=elementary(_cloglog),
    log1mexp=elementary(_log1mexp),
    gamma_tails=lambda a, x, front: gamma_tails(NUMERIC, a, x, front),
    beta_tails=lambda a, b, x, y, front: beta_tails(NUMERIC, a, b, x, y, front),
    student_tails=lambda t, nu, density: student_tails(NUMERIC, t, nu, density),
    log_compound_tail=lambda *arguments: log_compound_tail(NUMERIC, *arguments),
    log_sum=_log_sum,
    xlogy=_xlogy,
    xlog1py=_xlog1py,
    where=select,
    minimum=_minimum,
    maximum=_maximum,
)


def log_add(xp: Namespace, a: Any, b: Any) -> Any:
    """``log(exp(a) + exp(b))``, ``a`` finite."""
    return a + xp.softplus(b - a)


@cache
def symbolic() -> Namespace:
    """The namespace of PyTensor."""
    import pytensor.tensor as pt
    from pymc.distributions.dist_math import logpow

    def log_rising(x: Any, y: Any) -> Any:
        small, large = pt.minimum(x, STIRLING), pt.maximum(x, STIRLING)
        total = large + y
        series = (total - 0.5) * pt.log1p(y / large) - y + stirling(total)[0] - stirling(large)[0]
        return pt.switch(x < STIRLING, pt.gammaln(small + y) - pt.gammaln(small) - y * pt.log(small), series)

    def symbolic_log_factors(x: Any, y: Any) -> Any:
        is_small = y * x < FEW
        small, inverse = pt.switch(is_small, x, 0.0), 1.0 / pt.switch(is_small, 1.0, x)
        return pt.switch(is_small, factors_of_small(small, y, 0)[0], log_rising(inverse, y))

    def symbolic_log1p_over(x: Any) -> Any:
        small, large = pt.minimum(x, SMALL), pt.maximum(x, SMALL)
        return pt.switch(x < SMALL, log1p_over_small(small)[0], pt.log1p(large) / large)

    def log_sum(term: Callable[[Any], tuple[Any, Any]], most: Any) -> Any:
        value, counts = term(pt.arange(pt.max(pt.as_tensor(most)) + 1.0)[:, None])
        return pt.logsumexp(pt.switch(counts, value, -np.inf), axis=0)

    return Namespace(
        exp=pt.exp,
        log=pt.log,
        log1p=pt.log1p,
        floor=pt.floor,
        sqrt=pt.sqrt,
        gammaln=pt.gammaln,
        log_rising=log_rising,
        log_factors=symbolic_log_factors,
        log1p_over=symbolic_log1p_over,
        expit=pt.sigmoid,
        softplus=pt.softplus,
        ndtr=lambda x: 0.5 * pt.erfc(-x / np.sqrt(2.0)),
        log_ndtr=_symbolic_log_ndtr,
        log_erfcx=lambda x: pt.log(pt.erfcx(x)),
        sin=pt.sin,
        arctan=pt.arctan,
        log_i0e=lambda x: pt.log(pt.ive(0, x)),
        cloglog=lambda x: 1.0 - pt.exp(-pt.exp(x)),
        log1mexp=pt.log1mexp,
        gamma_tails=lambda a, x, front: (pt.log(pt.gammainc(a, x)), pt.log(pt.gammaincc(a, x))),
        beta_tails=lambda a, b, x, y, front: (pt.log(pt.betainc(a, b, x)), pt.log(pt.betainc(b, a, y))),
        student_tails=_symbolic_student_tails,
        log_compound_tail=lambda *arguments: log_compound_tail_by_terms(symbolic(), *arguments),
        log_sum=log_sum,
        xlogy=lambda y, x: logpow(x, y),
        xlog1py=lambda y, x: logpow(1.0 + x, y),
        where=pt.switch,
        minimum=pt.minimum,
        maximum=pt.maximum,
    )


def _symbolic_log_ndtr(x: Any) -> Any:
    """By the scaled complementary error function below zero, where it is the logarithm of almost nothing."""
    import pytensor.tensor as pt

    low, high = pt.minimum(x, 0.0), pt.maximum(x, 0.0)
    below = pt.log(0.5 * pt.erfcx(-low / np.sqrt(2.0))) - 0.5 * low**2
    return pt.switch(x < 0.0, below, pt.log1p(-0.5 * pt.erfc(high / np.sqrt(2.0))))


def _symbolic_student_tails(t: Any, nu: Any, _: Any) -> tuple[Any, Any]:
    import pytensor.tensor as pt

    half = pt.log(0.5 * pt.betainc(0.5 * nu, 0.5, nu / (nu + t * t)))
    return pt.switch(t > 0.0, pt.log1mexp(half), half), pt.switch(t > 0.0, half, pt.log1mexp(half))
