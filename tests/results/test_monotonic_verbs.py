"""What verbs say of models with monotonic effects: predictions by the definition, tables, changes, files, refusals."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError
from bayesmix.inference.parameters.natural_scale import reported
from bayesmix.results.fits.changed_parameters import changed_parameters

N = 120
RNG = np.random.default_rng(11)
LEVELS = ["low", "middle", "high"]
CODES, RATING = RNG.integers(0, 3, N), RNG.integers(1, 5, N)
MEAN = 1.0 + 0.5 * np.array([0.0, 0.7, 1.0])[CODES] + 0.3 * (RATING - 1)
DATA = pd.DataFrame(
    {
        "y": RNG.poisson(np.exp(MEAN)),
        "o": pd.Categorical.from_codes(CODES, LEVELS, ordered=True),
        "rating": RATING,
        "f": np.resize(["a", "b"], N),
    }
)


@cache
def fit():
    return bmx.Model("y ~ mo(o) + f + mo(rating)", DATA, family="poisson").estimate()


def expected(o, rating, f="a"):
    """The mean by the definition."""
    own = fit().parameters().estimate
    steps = np.cumsum([0.0, *(own[f"simo_moo1[{i}]"] for i in (1, 2))])[LEVELS.index(o)]
    ratings = np.cumsum([0.0, *(own[f"simo_morating1[{i}]"] for i in (1, 2, 3))])[rating - 1]
    effect = 2.0 * own["moo"] * steps + 3.0 * own["morating"] * ratings
    return np.exp(own["Intercept"] + own["fb"] * (f == "b") + effect)


def test_the_fit_is_inside():
    assert fit().converged


def test_predictions_are_those_of_the_definition():
    new = pd.DataFrame({"o": ["high", "low"], "rating": [2, 4], "f": ["b", "a"]})
    wanted = [expected("high", 2, "b"), expected("low", 4)]
    np.testing.assert_allclose(fit().predict(new).estimate, wanted, rtol=1e-10)
    np.testing.assert_allclose(fit().fitted()[:2], fit().predict(DATA.iloc[:2]).estimate, rtol=1e-10)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [("o", "none", "not there in fitting: `none`"), ("rating", 2.5, "`2.5`"), ("rating", 9, "The fit knows `1`, `2`")],
)
def test_categories_that_are_none_are_refused(column, value, message):
    new = pd.DataFrame({"o": ["high"], "rating": [2], "f": ["b"]})
    with pytest.raises(DataError, match=message):
        fit().predict(new.assign(**{column: [value]}))


def test_missing_categories_have_no_mean():
    new = pd.DataFrame({"o": ["high", None], "rating": [2, 2], "f": ["b", "b"]})
    with pytest.warns(bmx.PredictionWarning):
        assert np.isnan(fit().predict(new).estimate[1])


def test_grids_are_of_categories():
    table = fit().conditional_effects("rating")
    assert list(table.rating) == [1, 2, 3, 4]
    typical = DATA.o.mode()[0]
    np.testing.assert_allclose(table.estimate, [expected(typical, r) for r in (1, 2, 3, 4)], rtol=1e-10)
    with pytest.raises(DataError, match=r"Use contrasts\('rating'\)"):
        fit().slopes("rating")


def test_tables():
    tidy = fit().tidy().set_index("term")
    assert tidy.loc["moo", "effect"] == "fixed"
    shares = [f"simo_moo1[{i}]" for i in (1, 2)]
    assert tidy.loc[shares, "estimate"].sum() == pytest.approx(1.0)
    assert tidy.loc[shares[0], "std.error"] == pytest.approx(tidy.loc[shares[1], "std.error"])  # of two
    text = str(fit().summary())
    assert "Shares of the steps of monotonic effects" in text
    assert "simo_morating1[3]" in text
    assert "Generalized linear model" in text
    assert "( mu = log )" in text or "( log )" in text
    assert "beta[moo] 2 sum(simo_moo1[1 .. mo(o)[i]])" in str(bmx.Model("y ~ mo(o)", DATA, family="poisson"))


@pytest.mark.slow
def test_terms_are_dropped_without_a_p_value_that_no_distribution_has():
    table = fit().drop1()
    assert list(table.index) == ["<none>", "f", "mo(o)", "mo(rating)"]
    assert np.isnan(table.p_value[["mo(o)", "mo(rating)"]]).all()
    assert np.isfinite(table.p_value["f"])
    small = fit().update("~ . - mo(rating)")
    assert table.lrt["mo(rating)"] == pytest.approx(small.criterion - fit().criterion)
    assert {"moo", "morating", "f"} <= set(bmx.anova(fit()).index)


@pytest.mark.slow
def test_files(tmp_path):
    fit().save(tmp_path / "fit")
    again = bmx.load(tmp_path / "fit")
    pd.testing.assert_frame_equal(again.parameters(), fit().parameters())
    np.testing.assert_array_equal(again.predict(DATA.iloc[:3]).estimate, fit().predict(DATA.iloc[:3]).estimate)


def test_shares_are_changed_one_by_one_but_the_last():
    own = fit()
    values = changed_parameters(own, {"simo_morating1[2]": 0.2})
    found = own.design.fixed.index("simo_morating1[2]")
    assert reported(own.design.layout, values.beta)[found] == pytest.approx(0.2)
    with pytest.raises(SpecError, match="what the other shares leave"):
        changed_parameters(own, {"simo_morating1[3]": 0.2})
    with pytest.raises(SpecError, match="leave some of it to the last"):
        changed_parameters(own, {"simo_morating1[2]": 0.999})


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (lambda fit: fit.linear_predictor(), "no linear predictor"),
        (lambda fit: fit.predict(kind="linear"), "no linear predictor"),
        (lambda fit: bmx.Model("y ~ mo(o)", DATA).code("lme4"), "no code for lme4 of models with monotonic effects"),
        (lambda fit: fit.r2(), "one of several linear predictors"),
        (lambda fit: bmx.Model("y ~ mo(o)", DATA, family="poisson").to_bambi(), "bambi has no monotonic effects"),
    ],
)
def test_what_has_no_answer_is_refused_by_name(verb, message):
    with pytest.raises(SpecError, match=message):
        verb(fit())
