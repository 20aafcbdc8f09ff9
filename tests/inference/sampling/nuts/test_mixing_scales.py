"""Posteriors of models whose group effects have a t distribution, beside those of normal effects."""

from __future__ import annotations

import numpy as np
import pytest
from heavy_tailed import PRIORS, SLOPES, small
from quantiles import between

import bayesmix as bmx
from bayesmix.inference.sampling.nuts.mixing_scales import mixing_at, tail_move
from bayesmix.language.priors.above import Above
from bayesmix.language.priors.prior import parse_prior
from bayesmix.results.fits.linear_predictor import flatten

ERRORS = 4.0  # Monte Carlo standard errors of both


@pytest.mark.parametrize("prior", ["Gamma(2, 0.1)", "Uniform(2, 12)", "LogNormal(5.3, 0.02)"])
def test_free_numbers_are_of_unit_size_under_the_prior(prior):
    """Of the mixing scales, too, whatever the degrees of freedom."""
    own = Above(parse_prior(prior), 1.0)
    move, rng = tail_move(own), np.random.default_rng(1)
    df = own.quantile(rng.random(2000))
    bounds = own.prior.arguments if prior.startswith("Uniform") else (0.0, 1.0)
    free = move.backward(df if prior.startswith("Uniform") else df - 1.0, bounds)
    assert 0.5 < np.std(free) < 2.0
    unit = mixing_at({"g": own}, {"g": move}, {"df_g_free": free, "mix_g": np.ones((2000, 1))})
    np.testing.assert_allclose(unit[0]["g"], df, rtol=1e-9)
    log_w = np.log(df / rng.chisquare(df))
    assert 0.8 < np.std(log_w / (2.0 * np.log(unit[1]["g"][:, 0]))) < 1.3


@pytest.mark.slow
def test_many_degrees_of_freedom_are_the_normal_model():
    """At 2 000, all quantiles are those of normal effects."""
    rows = small()
    heavy = bmx.Model(SLOPES, rows, priors={**PRIORS, "df": "LogNormal(7.6, 0.02)"}).sample(seed=2, progress=False)
    normal = bmx.Model("y ~ x + (x | g)", rows, priors=PRIORS).sample(seed=4, method="nuts", progress=False)
    assert heavy.converged
    assert normal.converged
    first, second = flatten(heavy.design, heavy.values), flatten(normal.design, normal.values)
    for name in normal.names:
        one, two = first[..., heavy.names.index(name)], second[..., normal.names.index(name)]
        assert np.abs(between(one, two)).max() < ERRORS, name


@pytest.mark.slow
def test_counts_and_a_bounded_prior():
    """Draws from the priors by PyMC, and NUTS, of a Poisson response and independent terms."""
    rows = small()
    model = bmx.Model(
        'count ~ x + (x || gr(g, dist = "student"))', rows, family="poisson", priors={"df": "Uniform(2, 30)"}
    )
    post = model.sample(draws=500, seed=1, progress=False)
    assert post.converged
    assert np.all((post.values.df["g"] > 2.0) & (post.values.df["g"] < 30.0))
    prior = model.prior_predictive(draws=50, seed=1)["prior"]
    assert prior["df_g"].to_numpy().min() > 2.0
    assert prior["mix_g"].shape == (1, 50, 8)
