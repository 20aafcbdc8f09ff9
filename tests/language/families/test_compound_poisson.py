"""Tails of sums of a Poisson number of gamma variables against mpmath's and SciPy's, term by term."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from bayesmix.language.families.compound_poisson import log_compound_tail, log_compound_tail_by_terms
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.taylor import variables

ROWS = json.loads((Path(__file__).parents[2] / "reference/families/compound_tails.json").read_text())
X, LOG_NUMBER, SHAPE, IS_LOWER = (np.array(column) for column in zip(*(row["at"] for row in ROWS), strict=True))


def test_tails_and_their_derivatives_are_those_of_130_digits():
    found = log_compound_tail(NUMERIC, *variables([X, LOG_NUMBER, SHAPE]), IS_LOWER)
    np.testing.assert_allclose(found.value, [row["value"] for row in ROWS], rtol=1e-13, atol=1e-14)
    for by in ROWS[0]["partial"]:
        expected = np.array([row["partial"][by] for row in ROWS])
        np.testing.assert_allclose(found.derivative(tuple(map(int, by))), expected, rtol=1e-8, atol=1e-11)


def test_numbers_and_polynomials_may_be_mixed():
    (shape,) = variables([SHAPE], 1)
    found = log_compound_tail(NUMERIC, X, LOG_NUMBER, shape, IS_LOWER)
    np.testing.assert_allclose(found.derivative((1,)), [row["partial"]["001"] for row in ROWS], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(log_compound_tail(NUMERIC, X, LOG_NUMBER, SHAPE, IS_LOWER), found.value, rtol=1e-14)


def test_the_sum_of_terms_is_the_integral():
    found = log_compound_tail_by_terms(NUMERIC, X, LOG_NUMBER, SHAPE, IS_LOWER)
    np.testing.assert_allclose(found, [row["value"] for row in ROWS], rtol=1e-11)


@pytest.mark.parametrize("n", [40, pytest.param(600, marks=pytest.mark.slow)])
def test_tails_of_any_numbers_are_scipys_sums(n):
    rng = np.random.default_rng(20261129)
    shape = np.exp(rng.uniform(np.log(0.01), np.log(100.0), n))
    number = np.exp(rng.uniform(np.log(1e-5), np.log(100.0), n))
    x = shape * np.maximum(number, rng.uniform(0.2, 2.0, n)) * np.exp(rng.uniform(-3.0, 2.5, n))
    is_lower = x < shape * number
    terms = np.arange(1.0, 401.0)[:, None]
    own = np.where(is_lower, stats.gamma.logcdf(x, shape * terms), stats.gamma.logsf(x, shape * terms))
    expected = logsumexp(stats.poisson.logpmf(terms, number) + own, axis=0)
    told = expected > -600.0  # SciPy's tails are zero where they are smaller
    found = log_compound_tail(NUMERIC, x, np.log(number), shape, is_lower)
    assert told.sum() > 0.9 * n
    np.testing.assert_allclose(found[told], expected[told], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("number", [1e4, 1e8])
def test_very_many_variables_are_normal_but_for_their_skewness(number):
    """By the expansion of Edgeworth of the distribution function (its error is of the order of ``1 / number``)."""
    shape, z = 1.5, np.array([-3.0, -1.0, 1.0, 2.5])
    deviation = np.sqrt(number * shape * (shape + 1.0))
    skewness = (shape + 2.0) * number * shape * (shape + 1.0) / deviation**3
    found = log_compound_tail(NUMERIC, shape * number + z * deviation, np.full(4, np.log(number)), shape, z < 0.0)
    sign = np.where(z < 0.0, 1.0, -1.0)
    expected = stats.norm.cdf(sign * z) - sign * skewness / 6.0 * (z**2 - 1.0) * stats.norm.pdf(z)
    np.testing.assert_allclose(np.exp(found), expected, rtol=30.0 / number + 1e-8)


def test_shapes_too_large_for_the_integral_have_none():
    """There the sum is a number of variables times a constant."""
    shape = np.array([1e9, 1.0])
    found = log_compound_tail(NUMERIC, 1.5 * shape, np.zeros(2), shape, np.zeros(2, bool))
    np.testing.assert_array_equal(np.isnan(found), [True, False])
