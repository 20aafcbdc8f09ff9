"""Effects with a t distribution: what scales them, what is refused beside them, names and priors."""

from __future__ import annotations

import numpy as np
import pytest
from heavy_tailed import INTERCEPTS, SLOPES, by_hand, small
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import DesignError, SpecError
from bayesmix.inference.parameters.heavy_tails import scales_of
from bayesmix.inference.parameters.priors_in_force import log_prior
from bayesmix.studies.prior_simulation import draw_parameters


def test_scaled_normal_effects_have_a_t_distribution():
    rng = np.random.default_rng(2)
    df = np.array([1.5, 4.0, 60.0])
    scales = scales_of(df, (20_000,), rng)
    assert scales.shape == (3, 20_000)
    for own, number in zip(scales * rng.standard_normal(scales.shape), df, strict=True):
        assert stats.kstest(own, stats.t(number).cdf).pvalue > 1e-3


def test_parameters_from_the_priors_have_the_distribution_of_the_model():
    """All effects of a level are scaled by one number: two of a level are uncorrelated, their squares are not."""
    model = bmx.Model('y ~ x + (x || gr(g, dist = "student"))', small(), priors={"df": "Uniform(2.99, 3.01)"})
    rng = np.random.default_rng(3)
    found = [draw_parameters(model.priors, model.design, rng) for _ in range(800)]
    assert {tuple(one.df) for one in found} == {("g",)}
    units = np.array([[one.b[t][:, 0] / one.sd[t] for t in (0, 1)] for one in found])
    assert stats.kstest(units[:, 0].ravel(), stats.t(3.0).cdf).pvalue > 1e-3
    assert stats.spearmanr(units[:, 0].ravel(), units[:, 1].ravel()).pvalue > 1e-3
    assert stats.spearmanr(np.abs(units[:, 0]).ravel(), np.abs(units[:, 1]).ravel()).statistic > 0.15


def test_names_and_priors():
    model = bmx.Model(SLOPES, small())
    post = by_hand(model)
    expected = ["Intercept", "x", "sd(g, Intercept)", "sd(g, x)", "corr(g, Intercept, x)", "df(g)", "sigma"]
    assert post.names == expected
    assert "df(g)                     ~ Gamma(2, 0.1)" in str(model)
    assert "MvStudentT(df(g), 0, Sigma)" in str(model)
    df = post.values.df["g"]
    prior = stats.gamma(2, scale=10.0)
    np.testing.assert_allclose(
        log_prior(post.priors, post.design, post.values)["df_g"], prior.logpdf(df) - prior.logsf(1.0), rtol=1e-9
    )
    assert np.all(df > 1.0)


@pytest.mark.parametrize("prior", ["Normal(4, 1)", "HalfFlat()", "Uniform(0.5, 4)", "HalfStudentT(3, 2)", "LKJ(2)"])
def test_priors_that_are_none_of_degrees_of_freedom(prior):
    with pytest.raises(SpecError, match=r"LKJ|above 1|is positive"):
        _ = bmx.Model(INTERCEPTS, small(), priors={"df(g)": prior}).priors


def test_there_are_no_degrees_of_freedom_of_normal_effects():
    with pytest.raises(SpecError, match="No parameter is called `df"):
        _ = bmx.Model("y ~ x + (1 | g)", small(), priors={"df(g)": "Gamma(2, 0.1)"}).priors


@pytest.mark.parametrize("method", ["auto", "reml", "ml"])
def test_estimates_are_refused_with_what_to_do(method):
    with pytest.raises(SpecError, match=r'`g` have a t distribution.*model\.sample\(\).*leave `dist = "student"` out'):
        bmx.Model(INTERCEPTS, small()).estimate(method)


def test_the_marginal_sampler_is_refused_with_what_to_do():
    with pytest.raises(SpecError, match=r'have a t distribution.*method="nuts"'):
        bmx.Model(INTERCEPTS, small()).sample(method="marginal", progress=False)


def test_priors_are_set_beside_the_estimate_with_normal_effects():
    table = bmx.Model(SLOPES, small()).prior_table()
    normal = bmx.Model("y ~ x + (x | g)", small()).prior_table()
    assert table.drop(index="df(g)").equals(normal)
    assert table.loc["df(g)", "says"].startswith("above 1: 95 % within 2.65")


@pytest.mark.parametrize(
    ("bar", "message"),
    [
        ('(1 | gr(g, cov = A, dist = "student"))', "cov = A"),
        ('(1 | gr(g, by = h, dist = "student"))', "by = h"),
        ('ar1(0 + h | gr(g, dist = "student"))', r"ar1\(\)"),
        ('(1 | gr(g, dist = "student")) + (0 + x | g)', "have one distribution"),
    ],
)
def test_what_is_of_normal_effects_is_refused_beside_them(bar, message):
    data = small().assign(h=["a", "b"] * (len(small()) // 2))
    with pytest.raises(DesignError, match=message):
        bmx.Model(f"y ~ x + {bar}", data)
