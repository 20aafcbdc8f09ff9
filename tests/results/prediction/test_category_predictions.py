"""Everything that a fit of ratings answers: tables of probabilities, simulation, storage, messages."""

from __future__ import annotations

from functools import cache
from time import process_time

import numpy as np
import pandas as pd
import pytest
from breadth import FOLDER
from conftest import around
from scipy import integrate, stats
from scipy.special import expit

import bayesmix as bmx
from bayesmix.errors import DataError, FormulaError, SpecError

NEW = pd.DataFrame({"temp": ["warm"], "contact": ["no"]})


@cache
def wine():
    data = pd.read_csv(FOLDER / "data" / "wine.csv", dtype={"judge": "str"})
    return data.assign(temp=pd.Categorical(data["temp"], ["cold", "warm"]))


@cache
def model():
    return bmx.Model("rating ~ temp + contact + (1 | judge)", wine(), family="cumulative")


@cache
def estimate():
    return model().estimate()


@cache
def posterior():
    return model().sample(draws=300, seed=2, method="marginal", progress=False)


def probabilities(mu):
    found = estimate().parameters()["estimate"]
    below = expit(found[["1|2", "2|3", "3|4", "4|5"]].to_numpy() - mu)
    return np.diff([0.0, *below, 1.0])


def test_predictions_are_a_table_of_probabilities():
    table = estimate().predict(NEW, groups="zero")
    assert list(table["category"]) == ["1", "2", "3", "4", "5"]
    assert list(table.index) == [0] * 5
    warm = estimate().parameters()["estimate"]["tempwarm"]
    np.testing.assert_allclose(table["estimate"], probabilities(warm), rtol=1e-10)
    assert (table["lower"] > 0.0).all()
    assert (table["upper"] < 1.0).all()
    assert table["estimate"].sum() == pytest.approx(1.0, rel=1e-12)


def test_averages_over_judges_are_integrals():
    found = estimate().parameters()["estimate"]
    sd, warm = found["sd(judge, Intercept)"], found["tempwarm"]
    expected = [
        integrate.quad(lambda b, k=k: probabilities(warm + b)[k] * stats.norm.pdf(b, 0.0, sd), -9.0, 9.0)[0]
        for k in range(5)
    ]
    np.testing.assert_allclose(estimate().predict(NEW, groups="average")["estimate"], expected, rtol=1e-6)


def test_error_is_the_delta_methods():
    """Gradient by differences of the formula, covariance of all coefficients from the fit."""
    names = ["tempwarm", "1|2", "2|3", "3|4", "4|5"]
    at = estimate().parameters()["estimate"][names].to_numpy()

    def third(values):
        below = expit(values[1:] - values[0])
        return below[2] - below[1]

    gradient = [(third(at + h) - third(at - h)) / 2e-6 for h in 1e-6 * np.eye(5)]
    vcov = estimate().vcov.loc[names, names].to_numpy()
    table = estimate().predict(NEW, groups="zero")
    assert table["std_error"].iloc[2] == pytest.approx(np.sqrt(gradient @ vcov @ gradient), rel=1e-5)


def test_draws_are_described_category_by_category():
    table = posterior().predict(NEW, groups="zero")
    values = posterior().values
    names = list(model().design.fixed)
    tau = values.beta[..., [names.index(f"{k}|{k + 1}") for k in range(1, 5)]]
    below = expit(tau - values.beta[..., names.index("tempwarm"), None])
    third = below[..., 2] - below[..., 1]
    assert table["mean"].iloc[2] == pytest.approx(third.mean(), rel=1e-12)


@pytest.mark.parametrize("fit", [estimate, posterior], ids=["estimate", "posterior"])
def test_effects_have_a_row_for_each_category(fit):
    assert len(fit().marginal_means("temp")) == 10
    differences = fit().contrasts("temp")
    assert len(differences) == 5
    column = "estimate" if "estimate" in differences else "mean"
    assert differences[column].sum() == pytest.approx(0.0, abs=1e-12)
    assert len(fit().conditional_effects("temp")) == 10


def test_draws_of_probabilities_are_averaged_once_for_all_categories():
    """The mean of a draw over judges, category by category, by adaptive quadrature; slopes are of a rise in mu."""
    fit, draws = posterior(), posterior().values
    names = list(model().design.fixed)
    row = fit.predict(NEW, groups="average")["mean"].to_numpy()
    beta, sd = draws.beta.reshape(-1, len(names)), draws.sd[0].reshape(-1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    at = beta[:, None, names.index("tempwarm")] + sd[:, None] * nodes
    tau = beta[:, [names.index(f"{k}|{k + 1}") for k in range(1, 5)]]
    below = np.insert(expit(tau[:, None, :] - at[..., None]), [0, 4], [0.0, 1.0], axis=-1)
    expected = np.mean((weights / weights.sum()) @ np.diff(below, axis=-1), axis=0)
    np.testing.assert_allclose(row, expected, rtol=1e-6)


@pytest.mark.slow
def test_slopes_of_draws_take_seconds():
    """All categories at once, 2 000 draws of 180 rows: two seconds, not 867."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=180), "g": np.arange(180) % 12, "y": rng.choice(list("abc"), 180)})
    nominal = bmx.Model("y ~ x + (1 | g)", data, family="categorical")
    fit = around(nominal.estimate(), nominal, chains=4, draws=500, spread=0.1)
    begin = process_time()
    table = fit.slopes("x")
    assert process_time() - begin < 20.0
    assert abs(table["mean"].sum()) < 1e-9


def test_fitted_values_have_a_column_for_each_category():
    assert estimate().fitted().shape == (72, 5)
    np.testing.assert_allclose(estimate().fitted().sum(axis=1), 1.0, rtol=1e-12)
    assert posterior().fitted().shape == (72, 5)


def test_simulated_ratings_are_categories_by_name():
    table = estimate().simulate(200, seed=3)
    assert list(table["sim_1"].cat.categories) == ["1", "2", "3", "4", "5"]
    shares = np.mean([[np.mean(table[name] == level) for level in "12345"] for name in table], axis=0)
    np.testing.assert_allclose(shares, estimate().fitted().mean(axis=0), atol=0.01)


def test_replicated_data_are_summed_up_by_category():
    table = posterior().ppc()
    assert list(table.index) == [f"share of {k}" for k in range(1, 6)]
    np.testing.assert_allclose(table["observed"], np.bincount(wine()["rating"])[1:] / 72.0)


def test_quantile_residuals_are_between_the_cumulative_probabilities():
    z = estimate().residuals("quantile")
    below = np.concatenate([np.zeros((72, 1)), np.cumsum(estimate().fitted(), axis=1)], axis=1)
    y = model().design.y.astype(int)
    u = stats.norm.cdf(z)
    assert np.all((u >= below[np.arange(72), y] - 1e-12) & (u <= below[np.arange(72), y + 1] + 1e-12))


def test_other_residuals_are_refused():
    with pytest.raises(SpecError, match="Categories are no numbers"):
        estimate().residuals("pearson")


def test_thresholds_are_fixed_effects():
    assert list(estimate().fixef().index) == ["tempwarm", "contactyes", "1|2", "2|3", "3|4", "4|5"]
    text = str(estimate().summary())
    assert "Thresholds:" in text
    assert "Response rating: 1 < 2 < 3 < 4 < 5." in text


def test_moving_a_predictor_changes_nothing_but_thresholds():
    data = wine().assign(x=np.linspace(0.0, 1.0, 72), far=np.linspace(0.0, 1.0, 72) + 2000.0)
    near, far = (
        bmx.Model(f"rating ~ {name} + (1 | judge)", data, family="cumulative").priors.rows() for name in ("x", "far")
    )
    for (_, first, _), (_, second, _) in zip(near, far, strict=True):
        np.testing.assert_allclose(first.arguments, second.arguments, rtol=1e-9)


def test_a_prior_of_a_threshold_is_meant_at_zero():
    priors = {"2|3": "Normal(0, 3)"}
    found = bmx.Model("rating ~ temp", wine(), family="cumulative", priors=priors).priors
    assert "2|3" in found.names
    assert {str(prior) for name, prior, _ in found.rows() if name == "2|3"} == {"Normal(0, 3)"}
    whole = bmx.Model("rating ~ temp", wine(), family="cumulative", priors={"thresholds": "Normal(0, 4)"}).priors
    assert [str(prior) for name, prior, _ in whole.rows() if "|" in name] == ["Normal(0, 4)"] * 4


def test_no_prior_of_a_threshold_is_passed_over():
    """Without predictors zero and the means are one place; with them all thresholds are stated in one."""
    alone = {"1|2(centred)": "Normal(0, 9)"}
    found = bmx.Model("rating ~ 1 + (1 | judge)", wine(), family="cumulative", priors=alone).priors
    assert {name: str(prior) for name, prior, _ in found.rows()}["1|2"] == "Normal(0, 9)"
    for other in ("2|3", "thresholds"):
        with pytest.raises(SpecError, match="state all of them in one place"):
            _ = bmx.Model("rating ~ temp", wine(), family="cumulative", priors={**alone, other: "Normal(0, 8)"}).priors


def test_a_stored_fit_is_the_same(tmp_path):
    posterior().save(tmp_path / "fit.zarr")
    again = bmx.load(tmp_path / "fit.zarr")
    np.testing.assert_array_equal(again.values.beta, posterior().values.beta)
    pd.testing.assert_frame_equal(again.predict(NEW, groups="zero"), posterior().predict(NEW, groups="zero"))


def test_categories_without_order_are_stored_and_named(tmp_path):
    data = wine().assign(rating=wine()["rating"].clip(2, 4))
    fit = bmx.Model("rating ~ temp + (1 | judge)", data, family="categorical").estimate()
    fit.save(tmp_path / "fit.zarr")
    again = bmx.load(tmp_path / "fit.zarr")
    np.testing.assert_array_equal(again.values.beta, fit.values.beta)
    text = str(again.summary())
    assert text.count("rating ~ temp") == 1
    assert "Response rating: 2, 3, 4; `2` is the reference." in text


def test_prior_draws_have_thresholds_in_order():
    from bayesmix.studies.prior_simulation import draw_parameters

    rng = np.random.default_rng(1)
    drawn = np.array([draw_parameters(model().priors, model().design, rng).beta[2:] for _ in range(50)])
    assert np.all(np.diff(drawn, axis=1) > 0.0)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rating": 3}, DataError, "the single category `3`"),
        ({"rating": np.linspace(0.0, 1.0, 72) ** 2, "judge": "a"}, DataError, "nothing differs|categories"),
    ],
)
def test_bad_responses(change, error, message):
    data = wine().assign(**change)
    if "judge" in change:
        data = pd.concat([data, data.assign(rating=data["rating"] + 1.5)])
    with pytest.raises(error, match=message):
        bmx.Model("rating ~ temp", data, family="cumulative")


def test_the_intercept_is_the_thresholds():
    with pytest.raises(FormulaError, match="thresholds"):
        bmx.Model("rating ~ 0 + temp", wine(), family="cumulative")


def test_categories_that_do_not_occur_are_left_out():
    data = wine().assign(rating=pd.Categorical(wine()["rating"].clip(2, 4), [1, 2, 3, 4, 5], ordered=True))
    assert bmx.Model("rating ~ temp", data, family="cumulative").spec.family.levels == ("2", "3", "4")
