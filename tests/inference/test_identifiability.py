"""What the data cannot tell is said before the fit, or after it where only the fit shows it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import ConvergenceWarning, DesignError

N = 24
RNG = np.random.default_rng(5)
DATA = {
    "x": RNG.normal(size=N),
    "g": [f"g{j % 6}" for j in range(N)],
    "each": [f"r{j}" for j in range(N)],
    "pair": [f"p{j % 12}" for j in range(N)],
    "y": RNG.normal(size=N),
    "zero": np.zeros(N),
    "one": np.ones(N),
    "count": RNG.poisson(3.0, N),
    "size": np.full(N, 4.0),
}


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("y ~ x + (1 | each)", {}, "`each` has 24 levels for 24 rows: its variance cannot be told from the residual"),
        ("y ~ x + (x | pair)", {}, "`pair` has 12 levels x 2 effects for 24 rows"),
        ("zero ~ x + (1 | g)", {"family": "poisson"}, "All counts of `zero` are zero"),
        ("zero ~ x + (1 | g)", {"family": "negbinomial"}, "All counts of `zero` are zero"),
        ("zero ~ x + (1 | g)", {"family": "bernoulli"}, "`zero` holds no success"),
        ("one ~ x + (1 | g)", {"family": "bernoulli"}, "`one` holds no failure"),
        ("cbind(zero, size) ~ x + (1 | g)", {"family": "binomial"}, "holds no success"),
        ("cbind(size, zero) ~ x + (1 | g)", {"family": "binomial"}, "holds no failure"),
    ],
)
def test_models_without_a_finite_estimate_are_refused(formula, options, message):
    with pytest.raises(DesignError) as raised:
        bmx.Model(formula, DATA, **options)
    assert message in str(raised.value)


def test_more_effects_than_rows_are_refused():
    data = {"y": [1.0, 2.0, 4.0], "a": [1.0, 2.0, 5.0], "b": [2.0, 1.0, 7.0], "g": ["u", "u", "v"]}
    with pytest.raises(DesignError, match="3 rows cannot identify 3 fixed effects"):
        bmx.Model("y ~ a + b + (1 | g)", data)


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("count ~ x + (1 | each)", {"family": "poisson"}),  # an effect of each row: overdispersion
        ("y ~ x + (x | g)", {}),
        ("count ~ x + (1 | g)", {"family": "poisson"}),
    ],
)
def test_models_that_can_be_told_are_accepted(formula, options):
    assert bmx.Model(formula, DATA, **options).estimate().problems == []


def test_a_predictor_that_separates_is_named():
    """x above zero is success, always: the slope has no finite estimate."""
    data = DATA | {"yes": (np.asarray(DATA["x"]) > 0.0).astype(float)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = bmx.Model("yes ~ x + (1 | g)", data, family="bernoulli").estimate()
    assert not fit.converged
    assert {warning.category for warning in caught} == {ConvergenceWarning}
    assert [str(warning.message) for warning in caught] == fit.problems
    assert any("`x`" in problem and "separates the outcomes" in problem for problem in fit.problems)


def test_a_weak_effect_is_no_problem():
    """Its standard error is larger than itself, but it stays small."""
    data = DATA | {"yes": np.random.default_rng(4).binomial(1, 0.5, N).astype(float)}
    fit = bmx.Model("yes ~ x + (1 | g)", data, family="bernoulli").estimate()
    table = fit.fixef().loc["x"]
    assert table["std_error"] > 0.5 * abs(table["estimate"]) > 0.4
    assert fit.problems == []


def test_a_large_effect_that_is_well_determined_is_no_problem():
    """One row far away from the others, which determine the slope well: 12.9 on the log scale."""
    x = np.append(-13.5, np.linspace(-3.0, 3.0, N - 1))
    data = {"x": x, "y": np.round(np.exp(x + 7.0)), "g": DATA["g"]}
    fit = bmx.Model("y ~ x + (1 | g)", data, family="poisson").estimate()
    assert fit.values.beta[1] == pytest.approx(1.0, rel=0.01)
    assert fit.problems == []
