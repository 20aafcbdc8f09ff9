"""Counts of several categories: nnet's regression, weighted categories, and quadrature."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln

import bayesmix as bmx
from bayesmix.errors import DesignError

FOLDER = Path(__file__).parents[2] / "reference" / "multinomial"


@cache
def data():
    return pd.read_csv(FOLDER / "data.csv")


@cache
def estimate(formula="cbind(a, b, c) | trials(n) ~ x + (1 | g)"):
    return bmx.Model(formula, data(), family="multinomial").estimate()


def coefficient():
    """Logarithm of the multinomial coefficients of all rows."""
    return float(np.sum(gammaln(data()["n"] + 1.0)) - np.sum(gammaln(data()[["a", "b", "c"]].to_numpy() + 1.0)))


@cache
def weighted():
    """A row for each category with its count."""
    long = data().melt(["x", "g"], ["a", "b", "c"], "what", "count").query("count > 0")
    return bmx.Model("what | weights(count) ~ x + (1 | g)", long, family="categorical")


def test_regression_is_that_of_nnet():
    expected = pd.read_csv(FOLDER / "nnet.csv")
    found = estimate("cbind(a, b, c) ~ x")
    table = found.parameters()
    np.testing.assert_allclose(table["estimate"], expected["estimate"], atol=2e-5)  # where multinom stops
    np.testing.assert_allclose(table["std_error"], expected["std_error"], rtol=1e-4)
    assert -0.5 * found.criterion == pytest.approx(expected["kernel"][0] + expected["constant"][0], rel=1e-9)


def test_estimates_are_those_of_weighted_categories():
    """With random effects; the likelihood has the coefficients of the rows besides."""
    other = weighted().estimate()
    assert -0.5 * estimate().criterion == pytest.approx(-0.5 * other.criterion + coefficient(), rel=1e-10)
    pd.testing.assert_frame_equal(estimate().parameters(), other.parameters(), rtol=1e-5, atol=1e-8)
    assert estimate().nobs == len(data())


def test_trials_may_be_left_to_the_counts():
    assert estimate("cbind(a, b, c) ~ x + (1 | g)").criterion == estimate().criterion


def test_two_categories_are_a_binomial_response():
    own = data().assign(rest=data()["n"] - data()["b"])
    found = bmx.Model("cbind(rest, b) ~ x + (1 | g)", own, family="multinomial").estimate()
    other = bmx.Model("cbind(b, rest) ~ x + (1 | g)", own, family="binomial").estimate()
    assert found.criterion == pytest.approx(other.criterion, rel=1e-10)
    np.testing.assert_allclose(found.parameters()["estimate"], other.parameters()["estimate"], rtol=1e-5)


@pytest.mark.filterwarnings("ignore::bayesmix.ConvergenceWarning")
def test_what_separates_categories_is_named():
    """Where ``x`` is positive there is no ``a``: the scores of both others grow for ever."""
    own = data().assign(z=(data()["a"] == 0).astype(float))
    found = bmx.Model("cbind(a, b, c) ~ z", own, family="multinomial").estimate()
    assert not found.converged
    assert any("`mub_z`" in one and "`muc_z`" in one and "there is no `a`" in one for one in found.problems)


def test_a_category_that_never_occurs_is_named():
    own = data().query("a + b > 0").assign(d=0)
    with pytest.raises(DesignError, match=r"counts no `d`.*model\.sample"):
        bmx.Model("cbind(a, b, d) ~ x", own, family="multinomial").estimate()


def test_levels_that_say_nothing_are_counted():
    """Flat priors of a standard deviation: levels with all or none of a category count for nothing."""
    counts = np.array([[4, 0], [0, 4], [2, 2], [0, 3]])
    model = bmx.Model(
        "cbind(a, b) ~ 1 + (1 | g)",
        {"a": counts[:, 0], "b": counts[:, 1], "g": list("wxyz")},
        family="multinomial",
        priors="flat",
    )
    with pytest.raises(bmx.SpecError, match="improper"):
        model.sample(draws=10, progress=False)


def test_more_effects_than_rows_are_refused():
    with pytest.raises(DesignError, match="cannot identify"):
        bmx.Model("cbind(a, b, c) ~ x", data()[:2], family="multinomial").estimate()
