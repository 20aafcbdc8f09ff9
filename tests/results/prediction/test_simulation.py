"""Quantile residuals, simulated responses, predictive checks and influence, against SciPy and against refits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.residuals import cumulative, quantile_residuals


@pytest.fixture(scope="module")
def sleepstudy():
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    return model.sample(draws=1000, chains=4, seed=1, progress=False)


# ---- quantile residuals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sleepstudy weights", "esoph poisson", "cbpp", "gammasim", "nbsim"])
def test_cumulative_probabilities_are_scipys(fitted, name):
    fit = fitted(name)
    design, mu = fit.design, fit.fitted()
    shape = None if fit.values.dispersion is None else float(fit.values.dispersion)
    distribution = {
        "gaussian": lambda: stats.norm(mu, (shape or 1.0) / np.sqrt(design.weights)),
        "poisson": lambda: stats.poisson(mu),
        "binomial": lambda: stats.binom(design.trials, mu),
        "gamma": lambda: stats.gamma(shape, scale=mu / (shape or 1.0)),
        "negbinomial": lambda: stats.nbinom(shape, (shape or 1.0) / ((shape or 1.0) + mu)),
    }[fit.spec.family.name]()
    below, upto = cumulative(design, fit.spec.family, mu, fit.values.dispersion)
    np.testing.assert_allclose(upto, distribution.cdf(design.y), rtol=1e-9, atol=1e-300)
    discrete = fit.spec.family.name in {"poisson", "binomial", "negbinomial"}
    np.testing.assert_allclose(below, distribution.cdf(design.y - 1.0) if discrete else upto, rtol=1e-9, atol=1e-300)
    residuals = stats.norm.cdf(fit.residuals("quantile", seed=3))
    assert np.all((residuals >= below - 1e-9) & (residuals <= upto + 1e-9))


def test_quantile_residuals_of_gaussian_models_are_scaled_ones(fitted):
    fit = fitted("sleepstudy")
    np.testing.assert_allclose(fit.residuals("quantile"), fit.residuals() / fit.point.dispersion, rtol=1e-8)


def test_quantile_residuals_are_standard_normal_where_the_model_is_true(fitted):
    """Poisson counts simulated from the fit, residuals at the true means."""
    fit = fitted("esoph poisson")
    drawn = fit.simulate(40, groups="fitted", seed=1).to_numpy()
    pooled = []
    for j, y in enumerate(drawn.T):
        design = replace(fit.design, y=y)
        pooled.append(quantile_residuals(cumulative(design, fit.spec.family, fit.fitted(), None), seed=j))
    assert stats.kstest(np.concatenate(pooled), "norm").pvalue > 0.01


def test_posteriors_average_the_probabilities(posterior_of):
    posterior = posterior_of("cbpp", 2, 20, 0.1)
    design = posterior.design
    b = posterior.values.b[0][..., design.terms[0].codes, 0]
    mu = stats.logistic.cdf(posterior.values.beta @ design.X.T + b)
    exact = stats.binom(posterior.design.trials, mu)
    residuals = stats.norm.cdf(posterior.residuals("quantile"))
    y = design.y
    assert np.all(residuals >= exact.cdf(y - 1).mean(axis=(0, 1)) - 1e-12)
    assert np.all(residuals <= exact.cdf(y).mean(axis=(0, 1)) + 1e-12)


# ---- simulation ----------------------------------------------------------------------------------------------------


def test_simulated_responses_have_the_models_covariance(fitted):
    """Between rows of one new subject: z Sigma z' + sigma^2 I."""
    fit = fitted("sleepstudy")
    y = fit.simulate(4000, seed=2).to_numpy()[:10]
    Z = fit.design.terms[0].z[:10]
    expected = Z @ fit.point.covariances[0] @ Z.T + fit.point.dispersion**2 * np.eye(10)
    error = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / 4000)
    assert np.all(np.abs(np.cov(y) - expected) < 5.0 * error)
    mean = fit.design.X[:10] @ fit.values.beta
    assert np.all(np.abs(y.mean(axis=1) - mean) < 5.0 * np.sqrt(np.diag(expected) / 4000))
    kept = fit.simulate(500, groups="fitted", seed=2).to_numpy()
    assert np.all(np.abs(kept.mean(axis=1) - fit.fitted()) < 5.0 * fit.point.dispersion / np.sqrt(500))


def test_simulations_repeat_and_take_new_data(fitted, posterior_of):
    for fit in (fitted("cbpp"), posterior_of("cbpp", 2, 30, 0.1)):
        table = fit.simulate(3, seed=5)
        assert table.equals(fit.simulate(3, seed=5))
        assert not table.equals(fit.simulate(3, seed=6))
        assert list(table.columns) == ["sim_1", "sim_2", "sim_3"]
        assert np.all(table.to_numpy() <= fit.design.trials[:, None])
        new = fit.simulate(2, bmx.load_dataset("cbpp").head(4))
        assert set(np.unique(new)) <= {0.0, 1.0}  # single trials
    with pytest.raises(SpecError, match="n=0"):
        fitted("cbpp").simulate(0)


def test_a_posteriors_simulations_are_at_different_draws(posterior_of):
    """Far more variable than one draw's: each set has parameters of its own, and more sets than draws repeat some."""
    posterior = posterior_of("sleepstudy", 2, 30, 0.2)
    means = posterior.simulate(60, groups="fitted").mean()
    assert means.std() > 3.0 * posterior.values.dispersion.mean() / np.sqrt(180)
    assert posterior.simulate(70).shape == (180, 70)


# ---- predictive checks ---------------------------------------------------------------------------------------------


def test_checks_of_a_model_that_fits_and_one_that_does_not(sleepstudy):
    table = sleepstudy.ppc()
    assert list(table.index) == ["mean", "sd", "min", "max"]
    y = bmx.load_dataset("sleepstudy")["Reaction"]
    np.testing.assert_allclose(table["observed"], [y.mean(), y.std(), y.min(), y.max()])
    assert table["p"]["mean"] == pytest.approx(0.5, abs=0.05)
    assert ((table["lower"] < table["mean"]) & (table["mean"] < table["upper"])).all()
    shifted = sleepstudy.ppc({"above 10000": lambda y: (y > 10000).mean(axis=-1)})
    assert shifted["p"]["above 10000"] == 0.5  # ties count half


def test_replications_leave_the_tree_as_it_is(posterior_of):
    """The tree has those of the defaults from the start: it is cached, and nobody's question may change it."""
    posterior = posterior_of("cbpp", 2, 30, 0.1)
    before, tree = posterior.data.copy(deep=True), posterior.data
    found = posterior.posterior_predictive(groups="new", seed=4)
    assert found["y"].shape == (2, 30, 56)
    assert posterior.data is tree
    assert tree.identical(before)
    assert tree["posterior_predictive"].to_dataset().equals(posterior.posterior_predictive())
    assert not tree["posterior_predictive"].to_dataset().equals(found)
    assert list(posterior.ppc().index)[-1] == "share of zeros"


# ---- influence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "data", "group"), [("sleepstudy", "sleepstudy", "Subject"), ("cbpp", "cbpp", "herd")])
def test_influence_is_that_of_refits(fitted, name, data, group):
    fit = fitted(name)
    table = fit.influence()
    assert list(table.columns) == [*fit.names, "cooks_distance"]
    frame = bmx.load_dataset(data)
    level = table.index[3]
    without = frame[frame[group].astype(str) != level]
    other = bmx.Model(fit.spec.formula.text, without, family=fit.spec.family).estimate()
    change = other.parameters()["estimate"] - fit.parameters()["estimate"]
    np.testing.assert_allclose(table.loc[level].drop("cooks_distance"), change, rtol=1e-3, atol=1e-4)
    moved = change[: len(fit.design.fixed)].to_numpy()
    cook = moved @ np.linalg.solve(fit.point.beta_cov, moved) / len(moved)
    np.testing.assert_allclose(table.loc[level, "cooks_distance"], cook, rtol=1e-3)


def test_influence_on_posteriors_is_that_of_refits(sleepstudy):
    table = sleepstudy.influence("Subject")
    frame = bmx.load_dataset("sleepstudy")
    level = "310"
    assert table.loc[level, "pareto_k"] < 0.7
    other = bmx.Model("Reaction ~ Days + (Days | Subject)", frame[frame["Subject"].astype(str) != level])
    refitted = other.sample(draws=1000, chains=4, seed=2, progress=False).parameters()
    whole = sleepstudy.parameters()
    shift = (refitted["mean"] - whole["mean"]) / whole["sd"]
    np.testing.assert_allclose(table.loc[level].drop("pareto_k"), shift, atol=0.12)
    assert abs(table.loc[level, "Intercept"]) > 0.2


def test_groups_that_do_not_exist(fitted):
    with pytest.raises(SpecError, match=r"`subject` is not a grouping factor\. Did you mean `Subject`"):
        fitted("sleepstudy").influence("subject")


def test_levels_that_cannot_be_left_out():
    """`x` is 1 in one group alone."""
    frame = {"y": [1.0, 2.0, 3.0, 5.0, 4.0, 6.5, 1.5, 2.5], "x": [1.0, 1.0, 0, 0, 0, 0, 0, 0], "g": list("aabbccdd")}
    table = bmx.Model("y ~ x + (1 | g)", frame).estimate().influence()
    assert table.loc["a"].isna().all()
    assert table.loc["b"].notna().all()
