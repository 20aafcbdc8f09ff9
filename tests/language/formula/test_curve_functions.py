"""Functions of nonlinear formulas: R's values, slopes by differences, PyTensor's graph."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from bayesmix.language.families.namespaces import NUMERIC, symbolic
from bayesmix.language.families.taylor import Taylor, value_of, variables
from bayesmix.language.formula.curve_functions import FUNCTIONS

X = np.array([0.2, 0.7, 1.6])


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


VALUES = {  # arguments after the first, and the function in NumPy; of the curves as in R's help pages
    "exp": ((), np.exp),
    "log": ((), np.log),
    "log10": ((), np.log10),
    "log2": ((), np.log2),
    "log1p": ((), np.log1p),
    "expm1": ((), np.expm1),
    "sqrt": ((), np.sqrt),
    "square": ((), np.square),
    "abs": ((), np.abs),
    "pow": ((1.7,), np.power),
    "step": ((), lambda x: 1.0 * (x >= 0.0)),
    "inv_logit": ((), special.expit),
    "plogis": ((), special.expit),
    "logit": ((), special.logit),
    "qlogis": ((), special.logit),
    "Phi": ((), stats.norm.cdf),
    "pnorm": ((), stats.norm.cdf),
    "inv_cloglog": ((), lambda x: 1.0 - np.exp(-np.exp(x))),
    "sin": ((), np.sin),
    "cos": ((), np.cos),
    "tan": ((), np.tan),
    "atan": ((), np.arctan),
    "tanh": ((), np.tanh),
    "I": ((), lambda x: x),
    "SSasymp": ((2.0, -1.0, 0.3), lambda x, a, r, k: a + (r - a) * np.exp(-np.exp(k) * x)),
    "SSasympOff": ((2.0, 0.3, 0.1), lambda x, a, k, c: a * (1.0 - np.exp(-np.exp(k) * (x - c)))),
    "SSasympOrig": ((2.0, 0.3), lambda x, a, k: a * (1.0 - np.exp(-np.exp(k) * x))),
    "SSbiexp": ((3.0, 1.0, 0.6, -1.3), lambda x, a, k, b, m: a * np.exp(-np.exp(k) * x) + b * np.exp(-np.exp(m) * x)),
    "SSfol": (
        (0.8, -2.5, 0.5, -3.0),
        lambda d, x, e, a, c: (
            d * np.exp(e + a - c) * (np.exp(-np.exp(e) * x) - np.exp(-np.exp(a) * x)) / (np.exp(a) - np.exp(e))
        ),
    ),
    "SSfpl": ((1.0, 4.0, 0.5, 0.3), lambda x, a, b, m, s: a + (b - a) / (1.0 + np.exp((m - x) / s))),
    "SSgompertz": ((5.0, 2.0, 0.6), lambda x, a, b, c: a * np.exp(-b * c**x)),
    "SSlogis": ((5.0, 0.6, 0.4), lambda x, a, m, s: a / (1.0 + np.exp((m - x) / s))),
    "SSmicmen": ((200.0, 0.05), lambda x, v, k: v * x / (k + x)),
    "SSweibull": ((3.0, 2.0, -0.4, 1.3), lambda x, a, d, k, p: a - d * np.exp(-np.exp(k) * x**p)),
}
DOMAIN = {"logit": 0.5, "qlogis": 0.5}  # what the first argument is multiplied by


def arguments(name):
    others, function = VALUES[name]
    return [X * DOMAIN.get(name, 1.0), *(np.full(3, other) for other in others)], function


def test_every_function_has_a_value():
    assert set(FUNCTIONS) == set(VALUES)
    assert all(len(FUNCTIONS[name].arguments) == 1 + len(others) for name, (others, _) in VALUES.items())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_slopes(name):
    given, function = arguments(name)
    np.testing.assert_allclose(FUNCTIONS[name].value(NUMERIC, *given), function(*given), rtol=1e-12)
    found = FUNCTIONS[name].value(NUMERIC, *variables(given))
    np.testing.assert_allclose(value_of(found), function(*given), rtol=1e-12)
    for j in range(len(given)):
        up, down = ([x + sign * 1e-6 * (i == j) for i, x in enumerate(given)] for sign in (1, -1))
        slope = (function(*up) - function(*down)) / 2e-6
        unit = tuple(int(i == j) for i in range(len(given)))
        np.testing.assert_allclose(found.derivative(unit), slope, rtol=1e-6, atol=1e-8 * np.abs(slope).max())


def test_zero_to_a_power_that_is_a_parameter():
    """At time zero a growth curve is zero, and does not depend on its power."""
    (exponent,) = variables([np.array([0.5, 1.5])])
    found = FUNCTIONS["pow"].value(NUMERIC, np.array([0.0, 2.0]), exponent)
    assert isinstance(found, Taylor)
    np.testing.assert_allclose(found.value, [0.0, 2.0**1.5])
    np.testing.assert_allclose(found.derivative((1,)), [0.0, 2.0**1.5 * math.log(2.0)])


def test_a_negative_number_has_no_such_power():
    with np.errstate(invalid="ignore"):
        assert np.isnan(FUNCTIONS["pow"].value(NUMERIC, np.array([-1.0]), np.array([0.5]))).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_graphs_of_pytensor(name):
    import pytensor.tensor as pt

    given, function = arguments(name)
    found = FUNCTIONS[name].value(symbolic(), *map(pt.as_tensor, given)).eval()
    np.testing.assert_allclose(found, function(*given), rtol=1e-10)
