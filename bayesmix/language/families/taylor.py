"""Truncated Taylor arithmetic: derivatives of a log density in all its linear predictors, up to third order.

A number stands for the polynomial ``sum_a c_a h^a`` of a function around a point, ``a`` the exponents of the ``R``
variables with ``|a| <= 3``. Sums and products are those of polynomials, cut off above the order; a function ``f`` of a
polynomial ``c_0 + d`` is ``f(c_0) + f'(c_0) d + f''(c_0) d^2 / 2 + f'''(c_0) d^3 / 6``. Derivatives are coefficients
times factorials. (Griewank and Walther 2008, *Evaluating Derivatives*, chapter 13.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import numpy as np

from bayesmix.arrays import Array

Exponents = tuple[int, ...]

ORDER = 3


@dataclass(frozen=True, slots=True, eq=False)
class Taylor:
    """A truncated polynomial: coefficient arrays by exponents, those that are zero left out."""

    coefficients: dict[Exponents, Array]
    order: int
    __array_ufunc__ = None  # NumPy arrays leave arithmetic with it to this class

    @property
    def value(self) -> Array:
        """The constant term: the function's value."""
        return self.coefficients[self._zero]

    @property
    def _zero(self) -> Exponents:
        return (0,) * len(next(iter(self.coefficients)))

    def derivative(self, exponents: Exponents) -> Array:
        """A partial derivative, ``exponents`` saying how often by each variable."""
        if exponents not in self.coefficients:
            return np.zeros_like(self.value)
        return self.coefficients[exponents] * math.prod(map(math.factorial, exponents))

    def compose(self, derivatives: Sequence[Array]) -> Taylor:
        """A function of it by the function's value and derivatives at `value`: ``f, f', ..., f^(order)``."""
        inner = Taylor({a: c for a, c in self.coefficients.items() if any(a)}, self.order)
        total, power = Taylor({self._zero: np.asarray(derivatives[0])}, self.order), inner
        for k in range(1, self.order + 1):
            power = power * inner if k > 1 else inner
            total = total + power * (np.asarray(derivatives[k]) / math.factorial(k))
        return total

    def __add__(self, other: Any) -> Taylor:
        if not isinstance(other, Taylor):
            return Taylor(self.coefficients | {self._zero: self.value + other}, self.order)
        total = dict(self.coefficients)
        for a, c in other.coefficients.items():
            total[a] = total[a] + c if a in total else c
        return Taylor(total, self.order)

    def __mul__(self, other: Any) -> Taylor:
        if not isinstance(other, Taylor):
            return Taylor({a: c * other for a, c in self.coefficients.items()}, self.order)
        total: dict[Exponents, Array] = {}
        within = other._up_to_each_order()
        for a, c in self.coefficients.items():
            for b, d in within[self.order - _degree(a)]:
                both = _added(a, b)
                total[both] = total[both] + c * d if both in total else c * d
        return Taylor(total, self.order)

    def _up_to_each_order(self) -> list[list[tuple[Exponents, Array]]]:
        """The terms of an order or a lower one, for each order: most products of many variables are of a higher."""
        terms = [(_degree(b), b, d) for b, d in self.coefficients.items()]
        return [[(b, d) for degree, b, d in terms if degree <= order] for order in range(self.order + 1)]

    def __pow__(self, exponent: float) -> Taylor:
        x = self.value
        factors = [math.prod(exponent - i for i in range(k)) for k in range(self.order + 1)]
        return self.compose([factor * x ** (exponent - k) if factor else 0.0 * x for k, factor in enumerate(factors)])

    def __neg__(self) -> Taylor:
        return self * -1.0

    def __sub__(self, other: Any) -> Taylor:
        return self + (-other)

    def __rsub__(self, other: Any) -> Taylor:
        return -self + other

    def __truediv__(self, other: Any) -> Taylor:
        return self * (other**-1.0 if isinstance(other, Taylor) else 1.0 / np.asarray(other))

    def __rtruediv__(self, other: Any) -> Taylor:
        return self**-1.0 * other

    __radd__ = __add__
    __rmul__ = __mul__

    # comparisons choose a branch of a formula: they are those of the values

    def __lt__(self, other: Any) -> Array:
        return np.asarray(self.value < value_of(other))

    def __gt__(self, other: Any) -> Array:
        return np.asarray(self.value > value_of(other))


@cache
def _added(a: Exponents, b: Exponents) -> Exponents:
    """Exponents of a product."""
    return tuple(map(int.__add__, a, b))


@cache
def _degree(a: Exponents) -> int:
    """Order of a term."""
    return sum(a)


def value_of(x: Any) -> Any:
    """The value of a polynomial; anything else as it is."""
    return x.value if isinstance(x, Taylor) else x


def variables(values: Sequence[Array], order: int = ORDER) -> tuple[Taylor, ...]:
    """The variables themselves at ``values``: coefficient one of themselves."""
    R = len(values)
    units = [tuple(int(i == r) for i in range(R)) for r in range(R)]
    shape = np.broadcast_shapes(*(np.shape(value) for value in values))
    whole = [np.broadcast_to(np.asarray(value, float), shape) for value in values]
    return tuple(Taylor({(0,) * R: x, unit: np.ones(shape)}, order) for x, unit in zip(whole, units, strict=True))


def select(condition: Array, yes: Any, no: Any) -> Any:
    """Rows of one polynomial where a condition holds, of another elsewhere."""
    if not isinstance(yes, Taylor) and not isinstance(no, Taylor):
        return np.where(condition, yes, no)
    some = next(one for one in (yes, no) if isinstance(one, Taylor))
    parts = [one.coefficients if isinstance(one, Taylor) else {some._zero: np.asarray(one)} for one in (yes, no)]
    nothing = np.zeros(())
    both = {a: np.where(condition, parts[0].get(a, nothing), parts[1].get(a, nothing)) for a in parts[0] | parts[1]}
    return Taylor(both, some.order)


def taken(x: Any, rows: Array, n: int) -> Any:
    """Some of ``n`` rows along the last axis, of what has one number for each."""
    if isinstance(x, Taylor):
        return Taylor({a: taken(c, rows, n) for a, c in x.coefficients.items()}, x.order)
    return np.asarray(x)[..., rows] if np.shape(x)[-1:] == (n,) else x


def with_rows(x: Any, rows: Array, own: Any) -> Any:
    """A polynomial or array ``(..., n)`` whose ``rows`` are those of another one."""
    if not isinstance(x, Taylor) and not isinstance(own, Taylor):
        lead = np.broadcast_shapes(np.shape(x)[:-1], np.shape(own)[:-1])
        found = np.broadcast_to(x, (*lead, np.shape(x)[-1])).copy()
        found[..., rows] = own
        return found
    some = x if isinstance(x, Taylor) else own
    parts = [one.coefficients if isinstance(one, Taylor) else {some._zero: np.asarray(one)} for one in (x, own)]
    nothing = np.zeros(np.shape(value_of(x)))
    both = {
        a: with_rows(parts[0].get(a, nothing) + nothing, rows, parts[1].get(a, np.zeros(len(rows))))
        for a in parts[0] | parts[1]
    }
    return Taylor(both, some.order)


def add_up(x: Any) -> Any:
    """The sum over the first axis."""
    if not isinstance(x, Taylor):
        return np.sum(x, axis=0)
    return Taylor({a: np.broadcast_to(c, x.value.shape).sum(axis=0) for a, c in x.coefficients.items()}, x.order)


def composed(derivatives: Mapping[Exponents, Array], arguments: Sequence[Any]) -> Any:
    """A function of several polynomials or numbers by its derivatives at their values, by how often by each."""
    some = next((one for one in arguments if isinstance(one, Taylor)), None)
    value = derivatives[(0,) * len(arguments)]
    if some is None:
        return value
    moves = [_move(one) for one in arguments]
    total = Taylor({some._zero: value}, some.order)
    for exponents, derivative in derivatives.items():
        factors = [move for move, times in zip(moves, exponents, strict=True) for _ in range(times)]
        polynomials = [move for move in factors if move is not None]
        if factors and len(polynomials) == len(factors):
            product = reduce(Taylor.__mul__, polynomials)
            total = total + product * (derivative / math.prod(map(math.factorial, exponents)))
    return total


def _move(x: Any) -> Taylor | None:
    """A polynomial without its constant term; none of a number."""
    return Taylor({a: c for a, c in x.coefficients.items() if any(a)}, x.order) if isinstance(x, Taylor) else None


def elementary(derivatives: Callable[[Array, int], Sequence[Array]]) -> Callable[[Any], Any]:
    """A function of arrays and polynomials from its value and derivatives: ``derivatives(x, order)``."""

    def function(x: Any) -> Any:
        if isinstance(x, Taylor):
            return x.compose(derivatives(x.value, x.order))
        return derivatives(np.asarray(x), 0)[0]

    return function
