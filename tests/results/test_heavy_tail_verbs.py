"""What verbs say of models whose group effects have a t distribution: draws of new levels, tables, files, refusals."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from heavy_tailed import INTERCEPTS, SLOPES, by_hand, small
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.changed_parameters import changed_parameters
from bayesmix.results.fits.linear_predictor import flatten
from bayesmix.results.prediction.predict import predict
from bayesmix.results.prediction.prediction_table import Estimand, rows_of

LEAD = (2, 1000)
SCALES = np.array([0.8, 0.3])


@cache
def narrow(formula=SLOPES, df=3.0):
    """A posterior of one value of all parameters but the effects of the levels."""
    model = bmx.Model(formula, small())
    k = len(model.design.terms[0].effects)
    parts = {
        "df": {"g": np.full(LEAD, df)},
        "sd": (np.broadcast_to(SCALES[:k], (*LEAD, k)),),
        "corr": (np.broadcast_to(np.eye(k), (*LEAD, k, k)),),
        "beta": np.broadcast_to([1.0, 0.5], (*LEAD, 2)),
    }
    return by_hand(model, lead=LEAD, **parts)


def drawn(post, rows, groups, kind="linear", seed=3):
    """Draws ``(draws, n)`` of predictions by their definition, less the fixed part."""
    made = rows_of(post, Estimand(kind, groups), rows, None)
    found = predict(post.spec, made, post.values, kind=kind, groups=groups, seed=seed)
    return found.reshape(-1, len(rows)) - (1.0 + 0.5 * rows.x.to_numpy())


def test_effects_of_new_levels_have_the_t_distribution_and_one_scale():
    rows = small().head(3).assign(g=["n1", "n1", "n2"], x=[0.0, 2.0, 0.0])
    found = drawn(narrow(), rows, "new")
    law = stats.t(3.0)
    assert stats.kstest(found[:, 0] / SCALES[0], law.cdf).pvalue > 1e-3
    assert stats.kstest(found[:, 1] / np.hypot(SCALES[0], 2.0 * SCALES[1]), law.cdf).pvalue > 1e-3
    slope = (found[:, 1] - found[:, 0]) / 2.0
    assert stats.kstest(slope / SCALES[1], law.cdf).pvalue > 1e-3
    assert stats.spearmanr(found[:, 0], slope).pvalue > 1e-3
    assert stats.spearmanr(np.abs(found[:, 0]), np.abs(slope)).statistic > 0.15  # one scale of a level
    assert abs(stats.spearmanr(np.abs(found[:, 0]), np.abs(found[:, 2])).statistic) < 0.07  # another of another


def test_effects_of_independent_terms_of_a_level_have_one_scale():
    model = bmx.Model('y ~ x + (x || gr(g, dist = "student"))', small())
    unit = (np.broadcast_to(SCALES[:1], (*LEAD, 1)), np.broadcast_to(SCALES[1:], (*LEAD, 1)))
    beta = np.broadcast_to([1.0, 0.5], (*LEAD, 2))
    post = by_hand(model, lead=LEAD, df={"g": np.full(LEAD, 2.0)}, sd=unit, beta=beta)
    rows = small().head(2).assign(g="n1", x=[0.0, 1.0])
    found = drawn(post, rows, "new")
    slope = found[:, 1] - found[:, 0]
    assert stats.kstest(slope / SCALES[1], stats.t(2.0).cdf).pvalue > 1e-3
    assert stats.spearmanr(np.abs(found[:, 0]), np.abs(slope)).statistic > 0.2


def test_responses_of_new_groups_have_effects_and_noise():
    rows = small().head(2).assign(x=[0.0, 0.0])
    post = narrow(INTERCEPTS)
    sigma = post.values.dispersion.reshape(-1)
    found = drawn(post, rows, "average", kind="response")
    rng = np.random.default_rng(5)
    noise = rng.choice(sigma, 20_000) * rng.normal(size=20_000)
    expected = SCALES[0] * stats.t(3.0).rvs(20_000, random_state=rng) + noise
    assert stats.ks_2samp(found[:, 0], expected).pvalue > 1e-3
    assert stats.spearmanr(found[:, 0], found[:, 1]).statistic < 0.5  # rows of groups of their own


def test_means_of_an_identity_link_average_to_the_fixed_part():
    table = narrow(INTERCEPTS).predict(small().head(4), groups="average")
    np.testing.assert_allclose(table["mean"], 1.0 + 0.5 * small().x.head(4), rtol=1e-12)


@pytest.mark.parametrize("verb", ["r2", "icc"])
def test_variances_that_need_not_exist_are_refused(verb):
    with pytest.raises(SpecError, match=r'no variance.*r2\("bayesian"\)'):
        getattr(narrow(), verb)()
    assert np.isfinite(narrow().r2("bayesian")["mean"]).all()


def test_tables_have_the_degrees_of_freedom():
    post = narrow(df=4.5)
    assert post.parameters().loc["df(g)", "mean"] == pytest.approx(4.5)
    row = post.tidy().set_index("term").loc["df"]
    assert (row["group"], row["estimate"]) == ("g", pytest.approx(4.5))
    text = str(post.summary())
    assert "Effects of g have a t distribution: sd is its scale" in text
    assert max(map(len, text.splitlines())) <= 80
    assert post.hypothesis("df(g) < 5")["probability"].iloc[0] == 1.0


def test_several_predictors_name_them_once():
    model = bmx.Model(["y ~ x + (1 | gr(g, dist = 'student'))", "sigma ~ 1 + (1 | gr(g, dist = 'student'))"], small())
    post = by_hand(model)
    assert post.names.count("df(g)") == 1
    assert "df" in str(post.summary())
    assert set(model.priors.df) == {"g"}


def test_parameters_can_be_changed():
    post = narrow()
    found = changed_parameters(post, {"df(g)": 7.0, "sigma": 2.0})
    assert np.all(found.df["g"] == 7.0)
    assert np.all(found.dispersion == 2.0)
    same = flatten(post.design, changed_parameters(post, {"x": 0.5}))
    np.testing.assert_array_equal(same, flatten(post.design, post.values))
    with pytest.raises(SpecError, match="above 1"):
        changed_parameters(post, {"df(g)": 1.0})


def test_fits_are_kept_on_disk(tmp_path):
    post = by_hand(bmx.Model(SLOPES, small()))
    post.save(tmp_path / "fit.zarr")
    again = bmx.load(tmp_path / "fit.zarr")
    np.testing.assert_array_equal(again.values.df["g"], post.values.df["g"])
    assert again.parameters().equals(post.parameters())
    assert post.data["posterior"]["df_g"].dims == ("chain", "draw")


def test_brms_has_the_prior_by_its_own_class():
    code = bmx.Model('y ~ x + (x || gr(g, dist = "student"))', small(), priors={"df": "Gamma(3, 0.2)"}).code("brms")
    assert code.count('set_prior("gamma(3, 0.2)", class = "df", group = "g")') == 1
    assert 'gr(g, dist = "student")' in code


@pytest.mark.parametrize("package", ["lme4", "glmmTMB", "bambi", "pymc"])
def test_packages_without_them_are_named(package):
    with pytest.raises(SpecError, match=r"gr\(\)"):
        bmx.Model(SLOPES, small()).code(package)


@pytest.mark.slow
def test_figures_are_drawn():
    post = by_hand(bmx.Model(SLOPES, small()), lead=(2, 100))
    for name in ("sd_density", "prior_posterior", "shrinkage", "caterpillar"):
        assert getattr(bmx.plots, name)(post).axes
