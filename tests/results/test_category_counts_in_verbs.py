"""What fits of counts of several categories answer: all of rows, and of the counts in them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from conftest import around
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError

LEVELS = ["a", "b", "c"]
FORMULA = "cbind(a, b, c) | trials(n) ~ x + (1 | g)"


@cache
def data():
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(6), 5), rng.normal(size=30)
    scores = np.column_stack([np.zeros(30), 0.4 + 0.5 * x + rng.normal(0.0, 0.4, 6)[g], -0.3 * x])
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    n = rng.integers(4, 12, 30)
    counts = pd.DataFrame(rng.multinomial(n, shares), columns=LEVELS)
    return counts.assign(n=n, x=x, g=[f"g{j}" for j in g])


@cache
def estimate():
    return bmx.Model(FORMULA, data(), family="multinomial").estimate()


@cache
def regression():
    return bmx.Model("cbind(a, b, c) ~ x", data(), family="multinomial").estimate()


@cache
def posterior():
    fit = estimate()
    return around(fit, bmx.Model(FORMULA, data(), family="multinomial"), chains=2, draws=40, spread=0.05)


def test_fitted_values_are_probabilities():
    fitted = estimate().fitted()
    assert list(fitted.columns) == LEVELS
    np.testing.assert_allclose(fitted.sum(axis=1), 1.0, rtol=1e-12)
    scores = np.exp(np.column_stack([np.zeros(30), estimate().linear_predictor(parameter=None)]))
    np.testing.assert_allclose(fitted["b"] / fitted["a"], scores[:, 1], rtol=1e-10)


def test_log_likelihood_is_that_of_rows():
    fitted = posterior().predict(kind="mean")
    assert len(fitted) == 3 * 30
    rows = posterior().log_likelihood()
    eta = posterior().design.X.reshape(2, 30, -1) @ posterior().values.beta[0, 0]
    for t, term in enumerate(posterior().design.terms):
        b = posterior().values.b[t][0, 0]
        eta += (term.z * b[term.codes]).sum(axis=1).reshape(2, 30)
    p = np.exp(np.vstack([np.zeros(30), eta]))
    expected = stats.multinomial.logpmf(data()[LEVELS].to_numpy(), data()["n"].to_numpy(), (p / p.sum(axis=0)).T)
    np.testing.assert_allclose(rows[0, 0], expected, rtol=1e-10)
    assert rows.shape == (2, 40, 30)


@pytest.mark.parametrize("fit", [estimate, posterior])
def test_draws_are_counts_of_the_trials(fit):
    drawn = fit().simulate(400, groups="fitted", seed=1)
    assert drawn.shape == (30, 1200)
    one = drawn["sim_1"]
    assert list(one.columns) == LEVELS
    np.testing.assert_array_equal(one.sum(axis=1), data()["n"])
    mean = drawn.T.groupby(level=1).mean().T
    error = 0.5 * np.sqrt(data()["n"] / 400.0)
    expected = fit().fitted().mul(data()["n"], axis=0)
    assert (np.abs(mean - expected).div(error, axis=0) < 6.0).all().all()


def test_new_observations_are_tables_of_counts():
    for fit in (estimate(), posterior()):
        table = fit.predict(kind="response", groups="fitted")
        centre = table["estimate" if "estimate" in table else "mean"]
        assert list(table["category"][:3]) == LEVELS
        np.testing.assert_allclose(centre.groupby(level=0).sum(), data()["n"], rtol=1e-10)
        assert (table["lower"] <= centre).all()
        assert (table["upper"] <= np.repeat(data()["n"].to_numpy(), 3)).all()


def test_codes_of_categories_are_not_predicted():
    """Nor are those of single categories: their shares are."""
    own = data().assign(what=np.resize(LEVELS, 30))
    table = bmx.Model("what ~ x", own, family="categorical").estimate().predict(kind="response")
    assert list(table["category"][:3]) == LEVELS
    np.testing.assert_allclose(table["estimate"].groupby(level=0).sum(), 1.0, rtol=1e-12)
    assert set(np.unique(table[["lower", "upper"]])) <= {0.0, 1.0}


def test_it_is_fitted_again_to_counts():
    drawn = regression().simulate(1, seed=3)["sim_1"]
    found = regression().refit(drawn)
    expected = bmx.Model("cbind(a, b, c) ~ x", data().assign(**drawn), family="multinomial").estimate()
    pd.testing.assert_frame_equal(found.parameters(), expected.parameters())
    assert regression().refit(drawn.to_numpy()).criterion == found.criterion


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda one: one["a"], "has one column; the model's has the counts of a, b, c"),
        (lambda one: one[["a", "b"]], "no counts of `c`"),
        (lambda one: one + 1, "where the model has"),
        (lambda one: one - 0.5, "counts something, but is"),
    ],
)
def test_other_responses_are_refused(changed, said):
    with pytest.raises(DataError, match=said):
        regression().refit(changed(data()[LEVELS]))


def test_predictive_checks_are_of_shares():
    table = posterior().ppc()
    assert list(table.index) == ["share of a", "share of b", "share of c"]
    expected = data()[LEVELS].sum() / data()["n"].sum()
    np.testing.assert_allclose(table["observed"], expected, rtol=1e-12)
    own = posterior().ppc({"most a": lambda y: y[..., 0].max(axis=-1)})
    assert own.loc["most a", "observed"] == data()["a"].max()


def test_trees_have_a_dimension_of_categories():
    tree = posterior().data
    assert tree["observed_data"]["y"].dims == ("obs", "category")
    np.testing.assert_array_equal(tree["observed_data"]["y"], data()[LEVELS])
    assert tree["posterior_predictive"]["y"].shape == (2, 40, 30, 3)
    np.testing.assert_array_equal(tree["constant_data"]["trials"], data()["n"])


def test_it_is_saved_with_new_responses(tmp_path):
    drawn = regression().simulate(1, seed=3)["sim_1"]
    fit = regression().refit(drawn)
    fit.save(tmp_path / "fit.zarr")
    again = bmx.load(tmp_path / "fit.zarr")
    assert str(again.summary()) == str(fit.summary())
    np.testing.assert_array_equal(again.refit(drawn).criterion, fit.criterion)


def test_dispersion_is_diagnosed():
    """Counts that vary more than those of a multinomial distribution: all of a row are of one category."""
    assert "Dispersion" in str(estimate().diagnose())
    alike = np.eye(3, dtype=int)[np.random.default_rng(2).integers(0, 3, 30)] * data()["n"].to_numpy()[:, None]
    own = data().assign(**dict(zip(LEVELS, alike.T, strict=True)))
    found = bmx.Model("cbind(a, b, c) ~ x", own, family="multinomial").estimate().diagnose()
    assert "! Dispersion" in str(found)


@pytest.mark.parametrize("kind", ["response", "pearson", "quantile"])
def test_residuals_are_refused(kind):
    with pytest.raises(SpecError, match=f"have no {kind} residuals"):
        estimate().residuals(kind)


@pytest.mark.parametrize("verb", ["r2", "icc"])
def test_variances_are_refused(verb):
    with pytest.raises(SpecError, match="have no order"):
        getattr(estimate(), verb)()
    with pytest.raises(SpecError, match="have no order"):
        estimate().r2("bayesian")


def test_figures():
    bars = bmx.plots.ppc(posterior()).axes[0]
    np.testing.assert_allclose([bar.get_height() for bar in bars.patches], posterior().ppc()["observed"], rtol=1e-12)
    assert bars.get_ylabel() == "share of trials"
    assert bmx.plots.categories(estimate()).axes
    with pytest.raises(SpecError, match="no point"):
        bmx.plots.scatter(estimate())


def test_code_for_brms():
    """Each prior says the category that it is of; the trials are those of the formula, or sums."""
    model = bmx.Model("cbind(a, b, c) ~ x + (1 | g)", data(), family="multinomial")
    assert "cbind(a, b, c) | trials(a + b + c) ~ x + (1 | g)" in model.code("brms")
    code = bmx.Model(FORMULA, data(), family="multinomial").code("brms")
    assert "cbind(a, b, c) | trials(n) ~ x + (1 | g)" in code
    priors = [line for line in code.splitlines() if "set_prior" in line]
    assert all("dpar = " in line for line in priors)


def test_equal_rows_are_one():
    """Only where counts are equal, too: likelihood of all rows."""
    half = data().iloc[:4]
    own = pd.concat([half] * 300, ignore_index=True)
    few = bmx.Model("cbind(a, b, c) ~ x", half, family="multinomial")
    many = bmx.Model("cbind(a, b, c) ~ x", own, family="multinomial").estimate()
    assert many.criterion == pytest.approx(300.0 * few.estimate().criterion, rel=1e-10)


@pytest.mark.slow
def test_pymc_has_counts():
    model = bmx.Model(FORMULA, data(), family="multinomial").to_pymc()
    assert model.named_vars_to_dims["y"] == ("obs", "category")
    point = model.initial_point()
    own = bmx.Model("cbind(a, b) ~ 1", data().query("a + b > 0"), family="multinomial").to_pymc()
    value = own.compile_logp(vars=own.observed_RVs)({"fixef_centred": np.array([0.3])})
    counts = data().query("a + b > 0")[["a", "b"]].to_numpy()
    expected = stats.binom.logpmf(counts[:, 1], counts.sum(axis=1), 1.0 / (1.0 + np.exp(-0.3))).sum()
    assert float(value) == pytest.approx(expected, rel=1e-10)
    assert np.isfinite(model.compile_logp()(point))


@pytest.mark.slow
def test_levels_left_out_are_rows():
    """Leave-one-row-out by importance against refits."""
    post = bmx.Model(FORMULA, data(), family="multinomial").sample(draws=1500, seed=1, progress=False)
    found, exact = post.loo(), post.kfold(30)
    assert found.elpd_i.shape == (30,)
    assert found.elpd == pytest.approx(exact.elpd, abs=0.8)
