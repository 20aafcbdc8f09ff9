"""The gamma function's logarithm, its derivatives and its differences against mpmath's values of thirty digits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gammaln

from bayesmix.language.families.gamma_function import (
    log1p_over,
    log_factors,
    log_gamma,
    log_rising,
    polygamma,
)

# mpmath 1.3, mp.dps = 30: mp.polygamma(k, x) for k = 0, 1, 2; the last of k = 0, where that errs, log(x) - 1 / (2 x)
AT = np.array([1e-8, 1e-3, 0.1, 0.5, 1.0, 2.5, 7.0, 10.0, 50.0, 1e3, 1e6])
POLYGAMMA = [
    [-100000000.57721564, -1000.5755719318103, -10.423754940411076, -1.9635100260214235, -0.5772156649015329,
     0.7031566406452432, 1.8727843350984672, 2.251752589066721, 3.901989673427892, 6.907255195648812,
     13.81551005796419],
    [1.0000000000000002e16, 1000001.6425331958, 101.43329915079275, 4.934802200544679, 1.6449340668482264,
     0.49035775610023485, 0.15354517795933756, 0.10516633568168575, 0.020201333226697125, 0.0010005001666666333,
     1.0000005000001667e-06],
    [-2e24, -2000000002.3976321, -2001.8614573783436, -16.82879664423432, -2.4041138063191885, -0.2362040516417274,
     -0.023530472985855238, -0.011049834970802067, -0.0004080799893375969, -1.0010004999998333e-06,
     -1.0000010000005e-12],
]  # fmt: skip
# mp.loggamma(x + y) - mp.loggamma(x) - y mp.log(x), and its derivatives by x
RISING = {
    (0.3, 7.0): [14.479904158485725, -17.912988775495215, 65.67920899980147, -443.2674927442342],
    (2.5, 60.0): [139.5384715902649, -20.576011416690154, 9.125770926531485, -7.444056077123477],
    (99.0, 7.0): [0.20762465283461415, -0.002053216935151445, 4.0617787238802346e-05, -1.2055456274798958e-06],
    (101.0, 7.0): [0.2035978783392195, -0.001974330365485838, 3.829907463065327e-05, -1.1146515530802356e-06],
    (1e5, 60.0): [0.017696490543927367, -1.769298213140962e-07, 3.537894952414883e-12, -1.0611581061329742e-16],
}


@pytest.mark.parametrize("k", range(3))
def test_polygamma_functions_are_exact(k: int) -> None:
    np.testing.assert_allclose(polygamma(k, AT), POLYGAMMA[k], rtol=1e-14 if k else 1e-13)  # the first is SciPy's
    assert polygamma(k, np.array(2.5)) == pytest.approx(POLYGAMMA[k][5], rel=1e-14)


def test_derivatives_of_the_logarithm_are_those_functions() -> None:
    value, *derivatives = log_gamma(AT, 3)
    np.testing.assert_allclose(value, gammaln(AT))
    np.testing.assert_allclose(derivatives, POLYGAMMA, rtol=1e-13)
    assert len(log_gamma(AT, 1)) == 2


@pytest.mark.parametrize("at", RISING)
def test_differences_and_their_derivatives_are_exact(at: tuple[float, float]) -> None:
    """Where they are differences of large numbers, to the rounding of these."""
    x, y = at
    rounding = (
        np.array([abs(gammaln(x + y)), np.log(x + y) + 1.0, 2.0 / x, 2.0 / x**2])
        if x < 100.0
        else np.array([y, 0.0, 0.0, 0.0])
    )
    found = np.array([part[0] for part in log_rising(np.array([x]), np.array([y]), 3)])
    np.testing.assert_array_less(np.abs(found - RISING[at]), 1e-13 * np.abs(RISING[at]) + 1e-14 * rounding)


def test_small_and_large_numbers_are_put_together() -> None:
    x, y = np.array([0.3, 101.0]), np.array([7.0, 7.0])
    found = np.array(log_rising(x, y, 3))
    np.testing.assert_allclose(found.T, [RISING[0.3, 7.0], RISING[101.0, 7.0]], rtol=1e-10)
    one = np.array(log_rising(np.array([[0.3], [101.0]]), np.array([7.0, 60.0]), 3))[..., 0]
    np.testing.assert_allclose(one.T, found.T, rtol=1e-12)


def test_rows_that_are_alike_are_computed_once_and_have_their_own_values() -> None:
    """Columns of one shape and one count; those that agree in the first line only are not alike."""
    rng = np.random.default_rng(3)
    x = np.exp(rng.normal(size=(4, 3)))[:, np.arange(30) % 3] * np.where(np.arange(30) < 3, 50.0, 1.0)
    y = rng.integers(0, 5, 30).astype(float)
    apart = np.where(np.arange(4)[:, None] == 2, x * np.linspace(1.0, 2.0, 30), x)
    for own in (x, apart):
        found = np.array(log_rising(own, y, 3))
        assert not found[..., y < 2.0].any()
        for i, j in np.argwhere(np.broadcast_to(y >= 2.0, own.shape)):
            one = np.array(log_rising(own[i, j : j + 1], y[j : j + 1], 3))[:, 0]
            np.testing.assert_array_equal(found[:, i, j], one)


def test_small_counts_are_sums_of_their_terms() -> None:
    """Of numbers down to the least that they are taken of, and beside counts that are not small, or not whole."""
    y = np.array([2.0, 3.0, 7.5, 24.0, 25.0, 0.0, 9.0])
    x = np.array([1e-9, 0.3, 1.0, 4.0, 50.0, 1e3, 1e6, 1e9])[:, None] * np.linspace(1.0, 2.0, len(y))
    found = np.array(log_rising(x, y, 3))
    j = np.arange(1.0, 25.0)[:, None, None]
    within, far = j < y, x + j
    terms = np.log1p(j / x), -j / (x * far), j * (x + far) / (x * far) ** 2
    terms = *terms, -2.0 * j * (x**2 + x * far + far**2) / (x * far) ** 3
    for k in np.flatnonzero(y == np.floor(y)):
        exact = [np.where(within, term, 0.0).sum(axis=0)[:, k] for term in terms]
        np.testing.assert_allclose(found[..., k], exact, rtol=1e-13 if y[k] < 25.0 else 1e-6)


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-20, 1e-9, 9e-6, 2e-5, 1e-3, 0.1, 7.0, 1e3])
def test_factors_are_added_up_one_by_one_and_so_are_their_derivatives(x: float) -> None:
    """Derivatives to what counts, those by ``log x``: multiplied by powers of x."""
    y, j = np.array([0.0, 1.0, 2.0, 9.0, 60.0]), np.arange(60.0)[:, None]
    inside = j < y
    over = np.where(inside, j / (1.0 + j * x), 0.0)
    terms = np.where(inside, np.log1p(j * x), 0.0), over, -(over**2), 2.0 * over**3
    found = log_factors(np.full(5, x), y, 3)
    for k, (own, term) in enumerate(zip(found, terms, strict=True)):
        np.testing.assert_allclose(x**k * own, x**k * term.sum(axis=0), rtol=1e-11, atol=1e-13)
        if x < 1e-6:
            np.testing.assert_allclose(own, term.sum(axis=0), rtol=1e-7)


def test_a_logarithm_over_its_number_is_an_integral() -> None:
    """Of ``1 / (1 + x t)`` for t from 0 to 1, and derivatives under it."""
    x = np.array([0.0, 1e-300, 1e-12, 9e-4, 1.1e-3, 0.05, 0.8, 3.0])
    at, weight = np.polynomial.legendre.leggauss(60)
    t, weight = 0.5 * (1.0 + at)[:, None], 0.5 * weight
    for k, found in enumerate(log1p_over(x, 3)):
        expected = weight @ ((-1.0) ** k * [1, 1, 2, 6][k] * t**k / (1.0 + x * t) ** (k + 1))
        np.testing.assert_allclose(x**k * found, x**k * expected, rtol=1e-12, atol=3e-15)
        np.testing.assert_allclose(found[:4], expected[:4], rtol=[1e-14, 1e-13, 1e-10, 1e-7][k])  # the series
