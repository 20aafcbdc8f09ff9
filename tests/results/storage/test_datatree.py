"""The draws as ArviZ reads them: names, dims, coordinates, and ArviZ itself on top."""

from __future__ import annotations

import arviz as az
import matplotlib as mpl
import numpy as np
import pytest
from conftest import around, thinned
from distributional import posterior_of as several
from matplotlib import pyplot as plt

import bayesmix as bmx
from bayesmix.inference.parameters.priors_in_force import log_prior
from bayesmix.results.storage import datatree
from bayesmix.results.storage.datatree import to_datatree

CHAINS, DRAWS, SPREAD = 2, 200, 0.05


@pytest.fixture(scope="module")
def tree(posterior_of):
    return lambda name: posterior_of(name, CHAINS, DRAWS, SPREAD).data


def test_groups_are_arvizs(tree):
    found = tree("sleepstudy")
    groups = {"posterior", "sample_stats", "log_likelihood", "log_prior", "observed_data", "constant_data"}
    assert set(found.children) == groups | {"posterior_predictive"}
    assert found["posterior"].attrs["formula"] == "Reaction ~ Days + (Days | Subject)"
    assert found["posterior"].attrs["method"] == "by hand"
    for child in found.children.values():
        assert child.attrs["created_by"] == "bayesmix"
        assert child.attrs["bayesmix_version"] == bmx.__version__


DIMS = {
    "sleepstudy": {
        "fixef": ("fixed",),
        "sd_Subject": ("Subject_effect",),
        "corr_Subject": ("Subject_pair",),
        "ranef_Subject": ("Subject", "Subject_effect"),
        "sigma": (),
    },
    "sleepstudy ||": {
        "fixef": ("fixed",),
        "sd_Subject": ("Subject_effect",),
        "ranef_Subject": ("Subject", "Subject_effect"),
        "sigma": (),
    },
    "penicillin": {
        "fixef": ("fixed",),
        "sd_plate": ("plate_effect",),
        "ranef_plate": ("plate", "plate_effect"),
        "sd_sample": ("sample_effect",),
        "ranef_sample": ("sample", "sample_effect"),
        "sigma": (),
    },
    "esoph poisson": {
        "fixef": ("fixed",),
        "sd_agegp": ("agegp_effect",),
        "corr_agegp": ("agegp_pair",),
        "ranef_agegp": ("agegp", "agegp_effect"),
    },
    "gammasim": {
        "fixef": ("fixed",),
        "sd_g": ("g_effect",),
        "ranef_g": ("g", "g_effect"),
        "shape": (),
    },
}


@pytest.mark.parametrize("name", DIMS)
def test_variables_and_dims_are_the_documented_ones(tree, name):
    posterior = tree(name)["posterior"].to_dataset()
    found = {str(variable): array.dims for variable, array in posterior.data_vars.items()}
    assert found == {variable: ("chain", "draw", *dims) for variable, dims in DIMS[name].items()}
    assert posterior.sizes["chain"] == CHAINS
    assert posterior.sizes["draw"] == DRAWS


def test_coordinates_are_labels(tree):
    posterior = tree("sleepstudy")["posterior"]
    assert list(posterior["fixed"].values) == ["Intercept", "Days"]
    assert list(posterior["Subject_effect"].values) == ["Intercept", "Days"]
    assert list(posterior["Subject_pair"].values) == ["Intercept, Days"]
    assert posterior["Subject"].values[0] == "308"
    assert len(posterior["Subject"]) == 18


def test_numbers_are_the_draws(posterior_of, tree):
    values = posterior_of("sleepstudy", CHAINS, DRAWS, SPREAD).values
    posterior = tree("sleepstudy")["posterior"]
    np.testing.assert_array_equal(posterior["fixef"], values.beta)
    np.testing.assert_array_equal(posterior["sd_Subject"], values.sd[0])
    corr = posterior["corr_Subject"].sel(Subject_pair="Intercept, Days")
    np.testing.assert_array_equal(corr, values.corr[0][..., 1, 0])
    np.testing.assert_array_equal(posterior["ranef_Subject"], values.b[0])
    np.testing.assert_array_equal(posterior["sigma"], values.dispersion)


def test_terms_of_one_group_are_one_variable(posterior_of, tree):
    values = posterior_of("sleepstudy ||", CHAINS, DRAWS, SPREAD).values
    posterior = tree("sleepstudy ||")["posterior"]
    np.testing.assert_array_equal(posterior["sd_Subject"].sel(Subject_effect="Days"), values.sd[1][..., 0])
    np.testing.assert_array_equal(posterior["ranef_Subject"].sel(Subject_effect="Intercept"), values.b[0][..., 0])


def test_three_effects_have_their_pairs_below_the_diagonal():
    data = bmx.load_dataset("cake")
    cake = bmx.Model("angle ~ recipe + temp + (recipe | replicate)", data)
    posterior = around(cake.estimate(), cake, chains=2, draws=5, spread=0.01)
    found = posterior.data["posterior"]
    assert list(found["replicate_pair"].values) == [
        "Intercept, recipeB",
        "Intercept, recipeC",
        "recipeB, recipeC",
    ]
    corr = posterior.values.corr[0]
    expected = np.stack([corr[..., 1, 0], corr[..., 2, 0], corr[..., 2, 1]], axis=-1)
    np.testing.assert_array_equal(found["corr_replicate"], expected)


def test_other_groups(posterior_of, tree):
    posterior = posterior_of("cbpp", CHAINS, DRAWS, SPREAD)
    found, design = tree("cbpp"), posterior.design
    assert found["log_likelihood"]["y"].dims == ("chain", "draw", "obs")
    np.testing.assert_array_equal(found["log_likelihood"]["y"], posterior.log_likelihood())
    np.testing.assert_array_equal(found["observed_data"]["y"], design.y)
    assert found["constant_data"]["X"].dims == ("obs", "fixed")
    np.testing.assert_array_equal(found["constant_data"]["X"], design.X)
    np.testing.assert_array_equal(found["constant_data"]["trials"], design.trials)
    np.testing.assert_array_equal(found["constant_data"]["level_herd"], design.terms[0].codes)
    assert {"weights", "offset"} <= set(found["constant_data"].data_vars)
    assert set(found["sample_stats"].data_vars) == {"diverging", "energy", "lp", "n_steps"}
    assert not found["sample_stats"]["diverging"].any()
    assert set(found["log_prior"].data_vars) == {"fixef", "sd_herd"}
    for name, values in log_prior(posterior.priors, design, posterior.values).items():
        assert found["log_prior"][name].dims == ("chain", "draw")
        np.testing.assert_array_equal(found["log_prior"][name], values)


@pytest.mark.parametrize("name", ["fixed", "chain", "draw"])
def test_any_name_of_a_grouping_factor_will_do(name):
    rng = np.random.default_rng(0)
    model = bmx.Model(f"y ~ 1 + (1 | {name})", {"y": rng.normal(size=20), name: [f"l{j % 4}" for j in range(20)]})
    assert f"sd_{name}" in around(model.estimate(), model, chains=2, draws=5, spread=0.1).data["posterior"]


def test_rows_keep_their_positions_in_the_data():
    data = bmx.load_dataset("sleepstudy")
    data.loc[3, "Reaction"] = np.nan
    with pytest.warns(bmx.DroppedWarning):
        model = bmx.Model("Reaction ~ Days + (1 | Subject)", data)
    found = around(model.estimate(), model, chains=2, draws=5, spread=0.01).data
    for group in ("log_likelihood", "observed_data", "constant_data"):
        assert list(found[group]["obs"].values[:5]) == [0, 1, 2, 4, 5]


def test_big_models_keep_less(posterior_of, monkeypatch):
    """Where they would be too many numbers, log likelihoods and the random effects of all draws are left out."""
    posterior = posterior_of("sleepstudy", 2, 10, SPREAD)
    monkeypatch.setattr(datatree, "LARGEST", 180 * 20 - 1)
    assert "log_likelihood" not in to_datatree(posterior).children
    monkeypatch.setattr(datatree, "LARGEST_PREDICTIVE", 180 * 20 - 1)
    assert "posterior_predictive" not in to_datatree(posterior).children
    monkeypatch.setattr(datatree, "LARGEST", 180 * 20)
    assert "log_likelihood" in to_datatree(posterior).children
    found = to_datatree(thinned(posterior))
    assert "log_likelihood" not in found.children
    assert set(found["posterior"].data_vars) == {"fixef", "sd_Subject", "corr_Subject", "sigma"}


# ---- ArviZ ---------------------------------------------------------------------------------------------------------


def test_arviz_summarises(posterior_of, tree):
    table = az.summary(tree("sleepstudy"), var_names=["fixef", "sd_Subject", "corr_Subject", "sigma"], round_to="none")
    ours = posterior_of("sleepstudy", CHAINS, DRAWS, SPREAD).parameters()
    assert len(table) == len(ours)
    np.testing.assert_allclose(table["mean"].astype(float), ours["mean"], rtol=1e-10)
    np.testing.assert_allclose(table["sd"].astype(float), ours["sd"], rtol=1e-10)
    np.testing.assert_allclose(table["ess_bulk"].astype(float), ours["ess_bulk"], rtol=1e-6)
    np.testing.assert_allclose(table["r_hat"].astype(float), ours["r_hat"], rtol=1e-6)


@pytest.mark.parametrize("name", ["sleepstudy", "cbpp"])
def test_arviz_leaves_one_out(posterior_of, name):
    posterior = posterior_of(name, CHAINS, DRAWS, 0.01)  # draws so close that no row is influential
    found = az.loo(posterior.data)
    log_likelihood = posterior.log_likelihood().reshape(CHAINS * DRAWS, -1)
    lppd = np.sum(np.log(np.mean(np.exp(log_likelihood), axis=0)))
    assert np.isfinite(found.elpd)
    assert found.elpd < lppd  # leaving a row out predicts it worse


def test_arviz_plots(tree):
    mpl.use("Agg")
    collection = az.plot_forest(tree("sleepstudy"), var_names=["fixef", "sd_Subject"])
    assert collection is not None
    plt.close("all")


def test_the_tree_is_made_once(posterior_of):
    posterior = posterior_of("sleepstudy", CHAINS, DRAWS, SPREAD)
    assert posterior.data is posterior.data


# ---- several linear predictors -----------------------------------------------------------------------------------


def test_numbers_are_variables_on_their_own_scale():
    fit = several("two_gaussian")
    posterior = fit.data["posterior"]
    assert list(posterior["fixed"].values) == ["a_Intercept", "a_x", "b_Intercept", "b_x"]
    for name in ("sigma_a", "sigma_b"):
        values = fit.values.beta[..., fit.design.fixed.index(name)]
        np.testing.assert_allclose(posterior[name], np.exp(values), rtol=1e-14)
    assert list(posterior["g_effect"].values) == ["a_Intercept", "b_Intercept"]


def test_each_response_is_observed_data():
    fit = several("two_gaussian")
    names = set(fit.data["observed_data"].data_vars)
    assert names == {"a", "b"} == set(fit.data["posterior_predictive"].data_vars)
    for name, outcome in zip(("a", "b"), fit.design.outcomes, strict=True):
        np.testing.assert_array_equal(fit.data["observed_data"][name], outcome.y)
    total = fit.data["log_likelihood"]["y"]
    assert total.shape == (2, 100, 180)


def test_columns_of_each_predictor_are_constant_data():
    data = several("sleepstudy_locscale").data["constant_data"]
    assert list(data["predictor"].values) == ["mu", "sigma"]
    assert data["X"].dims == ("predictor", "obs", "fixed")
    np.testing.assert_array_equal(data["X"].sel(predictor="sigma", fixed="sigma_Intercept"), np.ones(180))
    np.testing.assert_array_equal(data["X"].sel(predictor="mu", fixed="sigma_Intercept"), np.zeros(180))
    assert data["level_Subject"].shape == (180,)
