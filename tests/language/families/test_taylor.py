"""Truncated Taylor arithmetic: partial derivatives up to third order in several variables."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.taylor import add_up, select, variables

xp = NUMERIC
A, B, C = np.linspace(0.4, 1.6, 7), np.linspace(-0.8, 0.9, 7), np.linspace(2.0, 0.3, 7)
ORDERS = [a for a in product(range(4), repeat=2) if 0 < sum(a) <= 3]


def derivative(function, values, exponents, h=7e-3):
    """Central differences of eighth order, one variable after the other."""
    weights = {-4: 1 / 280, -3: -4 / 105, -2: 1 / 5, -1: -4 / 5, 1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    if not any(exponents):
        return function(*values)
    i = next(i for i, e in enumerate(exponents) if e)
    less = tuple(e - (j == i) for j, e in enumerate(exponents))
    moved = lambda k: [v + h * k * (j == i) for j, v in enumerate(values)]  # noqa: E731
    return sum(w * derivative(function, moved(k), less, h) for k, w in weights.items()) / h


FUNCTIONS = {
    "product and quotient": lambda a, b: a * b / (1.0 + a) - 2.0 / a + (3.0 - b) * a**3,
    "exponential": lambda a, b: xp.exp(a * b) + xp.sqrt(a),
    "logarithms": lambda a, b: xp.log(a) * xp.log1p(b) - b * xp.xlogy(np.arange(7.0), a),
    "log-gamma": lambda a, b: xp.gammaln(a + 1.0) - xp.gammaln(a * 2.0) * b,
    "logistic": lambda a, b: xp.expit(a - 2.0 * b) + xp.softplus(b * a),
    "normal": lambda a, b: xp.ndtr(a * b) * a,
    "scaled error function": lambda a, b: xp.log_erfcx(a * b + 1.0),
    "angles": lambda a, b: xp.sin(a * b) + xp.arctan(a - b) * b,
    "Bessel": lambda a, b: xp.log_i0e(a * 2.0) * b,
    "complementary log-log": lambda a, b: xp.cloglog(b) ** 2.0 * a,
    "bounds and branches": lambda a, b: xp.maximum(a, 1.1) * xp.minimum(b, 0.2) + xp.where(a > 1.1, a * b, b * b),
}


@pytest.mark.parametrize("exponents", ORDERS, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_partial_derivatives_are_differences(name, exponents):
    found = FUNCTIONS[name](*variables([A, B])).derivative(exponents)
    np.testing.assert_allclose(found, derivative(FUNCTIONS[name], [A, B], exponents), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_those_of_arrays(name):
    np.testing.assert_allclose(FUNCTIONS[name](*variables([A, B])).value, FUNCTIONS[name](A, B), rtol=1e-14)


def test_three_variables_meet_in_the_third_derivative():
    a, b, c = variables([A, B, C])
    found = xp.exp(a * b * c)
    s = A * B * C
    np.testing.assert_allclose(found.derivative((1, 1, 1)), (1.0 + 3.0 * s + s**2) * np.exp(s), rtol=1e-12)
    np.testing.assert_allclose(found.derivative((0, 2, 1)), A**2 * C * (2.0 + s) * np.exp(s), rtol=1e-12)


def test_a_power_of_zero_has_finite_derivatives():
    (x,) = variables([np.zeros(2)])
    assert [list((x**2).derivative((k,))) for k in (1, 2, 3)] == [[0.0, 0.0], [2.0, 2.0], [0.0, 0.0]]


def test_arrays_leave_the_arithmetic_to_the_polynomial():
    (x,) = variables([A])
    for found, slope in (((C - x), -1.0), ((C * x), C), ((C / x), -C / A**2), ((C + x), 1.0)):
        np.testing.assert_allclose(found.derivative((1,)), np.broadcast_to(slope, A.shape), rtol=1e-14)


def test_a_constant_branch_has_no_slope():
    (x,) = variables([A])
    found = select(A > 1.0, x, np.zeros(()))
    np.testing.assert_array_equal(found.derivative((1,)), (A > 1.0).astype(float))


def test_lower_orders_cost_and_say_less():
    (x,) = variables([A], order=1)
    assert set(xp.exp(x * x).coefficients) == {(0,), (1,)}


def test_sums_over_the_first_axis_are_those_of_the_terms():
    (x,) = variables([np.array([0.3, -1.2])])
    terms = [x**2.0 * k + x * 0.5 for k in range(4)]
    found = add_up(x**2.0 * np.arange(4.0)[:, None] + x * 0.5)
    for k in range(4):
        np.testing.assert_allclose(found.derivative((k,)), sum(one.derivative((k,)) for one in terms), atol=1e-14)
    np.testing.assert_array_equal(add_up(np.ones((3, 2))), [3.0, 3.0])
