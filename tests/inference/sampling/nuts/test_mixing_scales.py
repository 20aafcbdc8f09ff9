"""Posteriors of models whose group effects have a t distribution, against brms's with the same priors."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from heavy_tailed import FOLDER, INTERCEPTS, PRIORS, SLOPES, data, small
from quantiles import apart, between

import bayesmix as bmx
from bayesmix.inference.sampling.nuts.mixing_scales import mixing_at, tail_move
from bayesmix.language.priors.above import Above
from bayesmix.language.priors.prior import parse_prior
from bayesmix.results.fits.linear_predictor import flatten

FORMULAS = {"intercepts": INTERCEPTS, "slopes": SLOPES}
NAMES = {
    "b_Intercept": "Intercept",
    "b_x": "x",
    "sd_g__Intercept": "sd(g, Intercept)",
    "sd_g__x": "sd(g, x)",
    "cor_g__Intercept__x": "corr(g, Intercept, x)",
    "df_g": "df(g)",
    "sigma": "sigma",
}
ERRORS = 4.0  # Monte Carlo standard errors of both


@pytest.mark.parametrize("prior", ["Gamma(2, 0.1)", "Uniform(2, 12)", "LogNormal(5.3, 0.02)"])
def test_free_numbers_are_of_unit_size_under_the_prior(prior):
    """Of the mixing scales, too, whatever the degrees of freedom."""
    own = Above(parse_prior(prior), 1.0)
    move, rng = tail_move(own), np.random.default_rng(1)
    df = own.quantile(rng.random(2000))
    bounds = own.prior.arguments if prior.startswith("Uniform") else (0.0, 1.0)
    free = move.backward(df, bounds)
    assert 0.5 < np.std(free) < 2.0
    unit = mixing_at({"g": own}, {"g": move}, {"df_g_free": free, "mix_g": np.ones((2000, 1))})
    np.testing.assert_allclose(unit[0]["g"], df, rtol=1e-9)
    log_w = np.log(df / rng.chisquare(df))
    assert 0.8 < np.std(log_w / (2.0 * np.log(unit[1]["g"][:, 0]))) < 1.3


@cache
def posterior(case):
    priors = {**PRIORS, "corr": "LKJ(1)"} if case == "slopes" else PRIORS
    return bmx.Model(FORMULAS[case], data(), priors=priors).sample(seed=3, draws=2000, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("case", FORMULAS)
def test_quantiles_are_those_of_brms(case):
    reference = pd.read_csv(FOLDER / f"{case}.csv", index_col="variable")
    post = posterior(case)
    assert post.converged
    assert "left for NUTS: effects of `g` have a t distribution" in post.draws.notes[0]
    (term,), values = post.design.terms, flatten(post.design, post.values)
    draws = {brms: values[..., post.names.index(name)] for brms, name in NAMES.items() if name in post.names}
    for e, effect in enumerate(term.effects):
        draws |= {f"r_g[{level},{effect}]": post.values.b[0][..., j, e] for j, level in enumerate(term.levels)}
    assert set(reference.index) == set(draws)
    assert apart(draws, reference).abs().max() < ERRORS


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
