"""Simulated responses and predictive checks."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.errors import SpecError


@pytest.fixture(scope="module")
def sleepstudy():
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    return model.sample(draws=1000, chains=4, seed=1, progress=False)


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


def test_checks_are_chosen_by_name(sleepstudy):
    whole = sleepstudy.ppc()
    assert sleepstudy.ppc("sd").equals(whole.loc[["sd"]])
    assert sleepstudy.ppc(["max", "mean"]).equals(whole.loc[["max", "mean"]])
    for wrong in ("sdd", ["mean", "sdd"], {"sdd": "sd"}):
        with pytest.raises(
            bmx.SpecError, match=r"There is no statistic `sdd`\. Did you mean `sd`\? Known are mean, sd"
        ):
            sleepstudy.ppc(wrong)


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
