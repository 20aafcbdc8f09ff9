"""The façade: what it adds to the stages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

FORMULA = "ncases ~ ncontrols + (ncontrols | agegp)"


@pytest.mark.slow
def test_prior_predictive_draws_from_the_priors_printed() -> None:
    model = bmx.Model(FORMULA, bmx.load_dataset("esoph"), priors={"sigma": "HalfNormal(2)"})
    tree = model.prior_predictive(draws=2000, seed=1)
    assert tree["prior_predictive"]["y"].shape == (1, 2000, 88)
    # the mean of a half-normal is sigma sqrt(2 / pi)
    assert float(tree["prior"]["sigma"].mean()) == pytest.approx(2.0 * np.sqrt(2.0 / np.pi), rel=0.06)


def test_flat_priors_cannot_be_drawn_from() -> None:
    model = bmx.Model(FORMULA, bmx.load_dataset("esoph"), priors="flat")
    with pytest.raises(bmx.SpecError, match="Flat priors cannot be drawn from"):
        model.prior_predictive()


@pytest.mark.parametrize("options", [{"seed": -1}, {"draws": 3}, {"chains": 0}])
def test_draws_that_cannot_be(options: dict[str, int]) -> None:
    model = bmx.Model(FORMULA, bmx.load_dataset("esoph"))
    with pytest.raises(bmx.SpecError, match=f"{next(iter(options))}={next(iter(options.values()))}"):
        model.sample(**options)


@pytest.mark.parametrize("method", [3, None, ["reml"], bmx.Agq, bmx.Nuts(), "nuts"])
def test_methods_of_estimates_that_are_none(method: Any) -> None:
    model = bmx.Model(FORMULA, bmx.load_dataset("esoph"))
    with pytest.raises(bmx.SpecError, match=r"An estimation method is text|Estimation method `nuts` does not exist"):
        model.estimate(method)


@pytest.mark.parametrize("method", [None, ["nuts"], bmx.Nuts, bmx.Reml(), "reml"])
def test_methods_of_samplers_that_are_none(method: Any) -> None:
    model = bmx.Model(FORMULA, bmx.load_dataset("esoph"))
    with pytest.raises(bmx.SpecError, match=r"A sampling method is text|Sampling method `reml` does not exist"):
        model.sample(method=method)


def test_diagnose_says_what_to_do_about_too_few_draws() -> None:
    model = bmx.Model(FORMULA, bmx.load_dataset("esoph"))
    good, short = model.sample(seed=1), model.sample(draws=20, chains=2, seed=1, method="marginal")
    assert "The chains converged" in str(good.diagnose())
    assert not short.converged
    assert "Next: draw more, model.sample(draws=" in str(short.diagnose())


def test_a_model_prints_its_priors_in_data_units() -> None:
    text = str(bmx.Model(FORMULA, bmx.load_dataset("esoph"), priors={"sd(agegp)": "HalfNormal(2)"}))
    assert "sd(agegp, Intercept) ~ HalfNormal(2)" in text
    assert "95 % below 3.92" in text  # 2 * 1.96
    assert "agegp with 6 levels" in text


def test_model_and_summary_say_which_category_is_success_and_how_many_rows_are_left_out() -> None:
    rng = np.random.default_rng(1)
    data = {"y": np.where(rng.random(60) < 0.5, "dead", "alive").tolist(), "g": list("abcdef") * 10}
    data["x"] = [np.nan, *rng.normal(size=59)]
    with pytest.warns(bmx.DroppedWarning, match=r"1 of 60 rows was left out: missing values in `x` \(1\)"):
        model = bmx.Model("y ~ x + (1 | g)", data, family="bernoulli")
    for text in (str(model), str(model.estimate().summary())):
        assert "Response y: `dead` is success, `alive` is failure." in text
    assert "59 rows (1 dropped for missing values)" in str(model)
    assert "(1 of 60 rows left out for missing values)" in str(model.estimate().summary())


@pytest.mark.parametrize("levels", [list("abcd"), ["low", "mu", "a|logistic"], [r"a\1", r"b\g<0>", "c"]])
def test_words_of_a_rating_do_not_depend_on_the_names_of_its_levels(levels: list[str]) -> None:
    data = {"y": pd.Categorical(levels * 4, levels, ordered=True), "x": np.arange(4.0 * len(levels))}
    text = str(bmx.Model("y ~ x", data, family="cumulative"))
    assert "y[i] ~ Cumulative(mu[i]): P(y <= k) = logistic(threshold[k] - mu[i])" in text


def test_words_name_what_correlates_residuals() -> None:
    text = str(bmx.Model("Reaction ~ Days + ar(Days, Subject)", bmx.load_dataset("sleepstudy")))
    assert "residuals of a block are correlated: ar(Days, Subject, p = 1)" in text


def test_a_formula_of_no_column_may_have_been_meant_to_be_of_a_parameter() -> None:
    data = {"y": [1.0, 2.0, 4.0, 3.0], "x": [0.0, 1.0, 2.0, 3.0]}
    says = "Column `sgima` .* taken for the formula of a response.*: family `gaussian` has mu, sigma."
    with pytest.raises(bmx.DataError, match=says):
        bmx.Model(["y ~ x", "sgima ~ x"], data)
    with pytest.raises(bmx.DataError, match=r"Column `z` .* Columns: x, y\.$"):
        bmx.Model(["y ~ x", "sigma ~ z"], data)
    with pytest.raises(bmx.SpecError, match=r'in a dict: family=\{"y": "gaussian", "n": "poisson"\}'):
        bmx.Model(["y ~ x", "x ~ 1"], data, family=["gaussian", "poisson"])
