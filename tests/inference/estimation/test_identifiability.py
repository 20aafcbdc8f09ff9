"""What the data cannot tell is said before the fit, or after it where only the fit shows it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
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
    "half": np.arange(N) % 2,
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
        ("zero ~ x + (1 | g)", {"family": "poisson"}, "All values of `zero` are zero"),
        ("zero ~ x + (1 | g)", {"family": "negbinomial"}, "All values of `zero` are zero"),
        ("zero ~ x + (1 | g)", {"family": "bernoulli"}, "`zero` holds no success"),
        ("one ~ x + (1 | g)", {"family": "bernoulli"}, "`one` holds no failure"),
        ("half ~ x + (1 | each)", {"family": "bernoulli"}, "`each` has 24 levels for 24 single outcomes"),
        ("cbind(zero, size) ~ x + (1 | g)", {"family": "binomial"}, "holds no success"),
        ("cbind(size, zero) ~ x + (1 | g)", {"family": "binomial"}, "holds no failure"),
    ],
)
def test_models_without_a_finite_estimate_are_refused(formula, options, message):
    model = bmx.Model(formula, DATA, **options)
    with pytest.raises(DesignError) as raised:
        model.estimate()
    assert message in str(raised.value)


def test_more_effects_than_rows_are_refused():
    data = {"y": [1.0, 2.0, 4.0], "a": [1.0, 2.0, 5.0], "b": [2.0, 1.0, 7.0], "g": ["u", "u", "v"]}
    with pytest.raises(DesignError, match="3 rows cannot identify 3 fixed effects"):
        bmx.Model("y ~ a + b + (1 | g)", data).estimate()


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


SEPARATED = {  # family: what is named, and what is said of the rows where it has no end
    "cumulative": ("`fv`", "(at least 24 of 48 rows) there is only `high`"),
    "sratio": ("`fv`", "(at least 24 of 48 rows) there is only `high`"),
    "cratio": ("`fv`", "(at least 24 of 48 rows) there is only `high`"),
    "acat": ("`fv`", "(at least 24 of 48 rows) there is only `high`"),
    "categorical": ("`mumid_fv`, `muhigh_fv`", "(at least 24 of 48 rows) there is no `low`"),
}


def separated_categories(family):
    """A level ``v`` with the highest rating only; or without the reference, among scores."""
    y = np.r_[np.arange(24) % 3, np.full(24, 2) if family != "categorical" else 1 + np.arange(24) % 2]
    rating = pd.Categorical(np.array(["low", "mid", "high"])[y], ["low", "mid", "high"], ordered=True)
    data = {"rating": rating, "f": np.repeat(["u", "v"], 24), "z": np.cos(np.arange(48.0)), "g": np.arange(48) // 2 % 6}
    return pd.DataFrame(data)


@pytest.mark.parametrize("family", SEPARATED)
def test_categories_that_a_predictor_separates_are_named(family):
    names, where = SEPARATED[family]
    with pytest.warns(ConvergenceWarning) as caught:
        fit = bmx.Model("rating ~ f + z + (1 | g)", separated_categories(family), family=family).estimate()
    assert not fit.converged
    assert [str(warning.message) for warning in caught] == fit.problems
    (problem,) = fit.problems
    assert problem.startswith(f"The estimate of {names} runs off to infinity: it separates the outcomes")
    assert where in problem
    assert " ".join(problem.split()) in " ".join(str(fit.summary()).split())


def test_overlapping_categories_are_told():
    data = separated_categories("cumulative").assign(f=np.tile(["u", "v"], 24))
    assert bmx.Model("rating ~ f + z + (1 | g)", data, family="cumulative").estimate().problems == []


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


def problems_of(formula, data, family):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return bmx.Model(formula, data, family=family).estimate()


def test_a_level_with_counts_of_zero_only_is_named_and_the_others_are_estimated():
    """Its effect is minus infinity; the rest is the fit to the other rows."""
    code = np.arange(N) % 3
    counts = np.where(code == 1, 0, np.random.default_rng(2).poisson(3.0, N))
    frame = pd.DataFrame({"y": counts, "f": pd.Categorical(np.array(list("abc"))[code]), "g": DATA["g"]})
    fit = problems_of("y ~ f + (1 | g)", frame, "poisson")
    assert len(fit.problems) == 1
    assert "`fb` runs off" in fit.problems[0]
    left = frame[frame["f"] != "b"].assign(f=lambda d: d["f"].cat.remove_unused_categories())
    rest = problems_of("y ~ f + (1 | g)", left, "poisson")
    assert rest.problems == []
    for name in ("Intercept", "fc"):
        assert fit.fixef().loc[name, "estimate"] == pytest.approx(rest.fixef().loc[name, "estimate"], abs=1e-3)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_level_without_events_is_named_in_any_coding(ordered):
    """Polynomial contrasts spread what is infinite over several columns, each of moderate size."""
    code = np.repeat(np.arange(7), 20)
    rng = np.random.default_rng(1)
    counts = np.where(code == 3, 0, rng.poisson(np.exp(code / 6.0 + 0.4 * rng.normal(size=10)[np.arange(140) % 10])))
    data = {
        "y": counts,
        "f": pd.Categorical(np.array(list("abcdefg"))[code], ordered=ordered),
        "g": [f"g{j % 10}" for j in range(140)],
    }
    fit = problems_of("y ~ f + (1 | g)", data, "poisson")
    assert len(fit.problems) == 1
    assert ("`f.Q`, `f^4`, `f^6` runs off" if ordered else "`fd` runs off") in fit.problems[0]


def test_separation_is_found_with_few_evaluations():
    """Data whose likelihood has no maximum must not send the search on for hundreds of steps."""
    fit = problems_of("yes ~ x + (1 | g)", DATA | {"yes": (np.asarray(DATA["x"]) > 0.1).astype(float)}, "bernoulli")
    assert "`x` runs off" in fit.problems[0]
    assert fit.point.optimum.evaluations < 100


def test_a_large_intercept_far_from_the_data_is_no_problem():
    """Years: the intercept is an extrapolation over two thousand of them, not a separated outcome."""
    year = 2000.0 + np.arange(N) % 7
    data = {"y": np.random.default_rng(3).poisson(np.exp(0.1 * (year - 1990.0))), "year": year, "g": DATA["g"]}
    fit = problems_of("y ~ year + (1 | g)", data, "poisson")
    assert abs(fit.fixef().loc["Intercept", "estimate"]) > 12.0
    assert fit.problems == []


def test_levels_with_one_outcome_each_have_no_finite_spread():
    fit = problems_of(
        "y ~ 1 + (1 | g)", {"y": np.unique(DATA["g"], return_inverse=True)[1] % 2, "g": DATA["g"]}, "binomial"
    )
    assert len(fit.problems) == 1
    assert "standard deviation of `g` runs off" in fit.problems[0]


def test_counts_without_overdispersion_are_named():
    """Evenly spread counts: the shape's likelihood rises for ever."""
    counts = [2, 3, 4, 3] * (N // 4)
    fit = problems_of("y ~ x + (1 | g)", {"y": counts, "x": DATA["x"], "g": DATA["g"]}, "negbinomial")
    assert len(fit.problems) == 1
    assert "`shape` runs off to infinity" in fit.problems[0]
    assert 'Fit that family (family="poisson")' in fit.problems[0]
    poisson = bmx.Model("y ~ x + (1 | g)", {"y": counts, "x": DATA["x"], "g": DATA["g"]}, family="poisson").estimate()
    np.testing.assert_allclose(fit.values.beta, poisson.values.beta, rtol=1e-5)


def test_a_residual_of_zero_is_named():
    code = np.unique(DATA["g"], return_inverse=True)[1]
    fit = problems_of(
        "y ~ x + (1 | g)", {"y": np.asarray(DATA["x"]) + code, "x": DATA["x"], "g": DATA["g"]}, "gaussian"
    )
    assert len(fit.problems) == 1
    assert "explain `y` exactly" in fit.problems[0]


@pytest.mark.parametrize(
    ("method", "words"), [("laplace", "Laplace approximation fails"), ("agq", "standard deviation runs off")]
)
def test_spreads_beyond_what_outcomes_tell_are_named(method, words):
    """Eighty levels of two outcomes each, nearly all alike: quadrature runs off, Laplace farther than it should."""
    rng = np.random.default_rng(4)
    y = np.repeat(rng.integers(0, 2, 80), 2).astype(float)
    y[0] = 1.0 - y[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = bmx.Model(
            "y ~ 1 + (1 | g)", {"y": y, "g": np.repeat([f"g{j}" for j in range(80)], 2)}, family="bernoulli"
        ).estimate(method)
    assert [words in problem for problem in fit.problems] == [True]
    assert "Agq" in fit.problems[0] or method == "agq"
    text = " ".join(str(fit.summary()).split())
    assert " ".join(fit.problems[0].split()) in text
    assert "The optimiser converged" not in text


@pytest.mark.filterwarnings("ignore::bayesmix.errors.DroppedWarning")
def test_all_columns_are_counted_where_rows_are_too_few():
    rng = np.random.default_rng(0)
    data = {f"x{j}": rng.normal(size=10) for j in range(40)} | {"y": rng.normal(size=10), "g": list("ab") * 5}
    formula = f"y ~ {' + '.join(f'x{j}' for j in range(40))} + (1 | g)"
    with pytest.raises(DesignError, match="10 rows cannot identify 41 fixed effects"):
        bmx.Model(formula, data).estimate()
