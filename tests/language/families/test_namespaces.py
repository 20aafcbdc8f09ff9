"""Array namespaces: one text, the same numbers in NumPy and in PyTensor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from bayesmix.language.families.namespaces import NUMERIC, log_add, logistic, symbolic

X = np.linspace(-3.0, 3.0, 13)
P = np.linspace(0.1, 4.0, 13)
Y = np.arange(13.0)
TINY_OR_NOT = np.where(Y % 2.0 < 1.0, P, 1e-7 * P)
SIZES = np.where(Y < 7.0, P, 200.0 * P)
CASES = {
    "exp": (lambda xp: xp.exp(X), np.exp(X)),
    "log": (lambda xp: xp.log(P), np.log(P)),
    "log1p": (lambda xp: xp.log1p(P), np.log1p(P)),
    "floor": (lambda xp: xp.floor(X), np.floor(X)),
    "sqrt": (lambda xp: xp.sqrt(P), np.sqrt(P)),
    "gammaln": (lambda xp: xp.gammaln(P), special.gammaln(P)),
    "log_rising": (
        lambda xp: xp.log_rising(SIZES, Y),
        [sum(np.log1p(j / x) for j in range(int(y))) for x, y in zip(SIZES, Y, strict=True)],
    ),
    "log_factors": (
        lambda xp: xp.log_factors(TINY_OR_NOT, Y),
        [sum(np.log1p(j * x) for j in range(int(y))) for x, y in zip(TINY_OR_NOT, Y, strict=True)],
    ),
    "log1p_over": (lambda xp: xp.log1p_over(TINY_OR_NOT), np.log1p(TINY_OR_NOT) / TINY_OR_NOT),
    "expit": (lambda xp: xp.expit(X), special.expit(X)),
    "softplus": (lambda xp: xp.softplus(X), np.log1p(np.exp(X))),
    "ndtr": (lambda xp: xp.ndtr(X), special.ndtr(X)),
    "log_ndtr": (lambda xp: xp.log_ndtr(20.0 * X), special.log_ndtr(20.0 * X)),
    "log_erfcx": (lambda xp: xp.log_erfcx(X), np.log(special.erfcx(X))),
    "sin": (lambda xp: xp.sin(X), np.sin(X)),
    "arctan": (lambda xp: xp.arctan(X), np.arctan(X)),
    "log_i0e": (lambda xp: xp.log_i0e(P), np.log(special.i0e(P))),
    "cloglog": (lambda xp: xp.cloglog(X), -np.expm1(-np.exp(X))),
    "log1mexp": (lambda xp: xp.log1mexp(-P), np.log(-np.expm1(-P))),
    "gamma_tails": (
        lambda xp: xp.gamma_tails(P, 2.0, P * np.log(2.0) - 2.0 - special.gammaln(P))[0],
        np.log(special.gammainc(P, 2.0)),
    ),
    "beta_tails": (
        lambda xp: xp.beta_tails(P, 3.0, 0.4, 0.6, P * np.log(0.4) + 3.0 * np.log(0.6) - special.betaln(P, 3.0))[1],
        np.log(special.betaincc(P, 3.0, 0.4)),
    ),
    "student_tails": (lambda xp: xp.student_tails(X, P, stats.t.logpdf(X, P))[0], stats.t.logcdf(X, P)),
    "log_compound_tail": (  # a tail whose sum has no cancellation
        lambda xp: xp.log_compound_tail(P, np.log(0.3), 2.0, np.array(True)),
        np.log(sum(stats.poisson.pmf(j, 0.3) * special.gammainc(2.0 * j, P) for j in range(1, 30))),
    ),
    "log_sum": (
        lambda xp: xp.log_sum(lambda k: (X - 0.5 * k, k < 3.5), 5.0),
        np.logaddexp.reduce([X - 0.5 * k for k in range(4)]),
    ),
    "xlogy": (lambda xp: xp.xlogy(Y, P), special.xlogy(Y, P)),
    "xlog1py": (lambda xp: xp.xlog1py(Y, P), special.xlog1py(Y, P)),
    "where": (lambda xp: xp.where(X > 0.0, X, P), np.where(X > 0.0, X, P)),
    "minimum": (lambda xp: xp.minimum(X, 0.5), np.minimum(X, 0.5)),
    "maximum": (lambda xp: xp.maximum(X, 0.5), np.maximum(X, 0.5)),
}


@pytest.mark.parametrize("name", CASES)
def test_functions_of_arrays(name):
    function, expected = CASES[name]
    np.testing.assert_allclose(function(NUMERIC), expected, rtol=1e-14, atol=1e-15)


def test_functions_of_symbols():
    """Compiled in one graph: PyTensor's start is dear."""
    import pytensor
    import pytensor.tensor as pt
    from graphs import AS_WRITTEN

    graph = [pt.as_tensor_variable(function(symbolic())) for function, _ in CASES.values()]
    found = pytensor.function([], graph, mode=AS_WRITTEN)()
    for value, (_, expected) in zip(found, CASES.values(), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)


def test_every_function_is_checked():
    assert set(CASES) == set(NUMERIC.__slots__)


def test_logarithms_of_sums_neither_overflow_nor_vanish():
    a, b = np.array([-800.0, -1e4, 3.0, -0.5]), np.array([-1097.0, -1e4, -np.inf, 900.0])
    np.testing.assert_allclose(log_add(NUMERIC, a, b), np.logaddexp(a, b), rtol=1e-14)


def test_the_logistic_curve_is_scipys_to_its_ends():
    x = np.concatenate([np.linspace(-745.0, 745.0, 401), [-1e4, 1e4, -np.inf, np.inf, np.nan, 0.0]])
    np.testing.assert_allclose(logistic(x), special.expit(x), rtol=1e-14, atol=0.0)
