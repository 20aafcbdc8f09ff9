"""Posterior of a monotonic effect against the density on a grid of its slope and its first share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from quantiles import apart
from scipy import stats

import bayesmix as bmx
from bayesmix.results.fits.linear_predictor import flatten

N = 45
X = np.arange(N) % 3
Y = np.random.default_rng(4).poisson(np.exp(np.array([0.0, 0.1, 0.9])[X]))
PRIORS = {"mox": "Normal(0, 1)", "simo_mox1": "Dirichlet(2, 3)"}
ERRORS = 4.5  # Monte Carlo standard errors


def on_a_grid():
    """Means and standard deviations of the slope and of the first share, by Bayes' formula."""
    b, s = np.linspace(-3.0, 3.0, 1201)[:, None], np.linspace(0.0, 1.0, 1202)[None, 1:-1]
    eta = [np.zeros_like(b * s), 2.0 * b * s, 2.0 * b + 0.0 * s]
    log_density = sum(
        stats.poisson.logpmf(Y[code == X].sum(), np.sum(code == X) * np.exp(eta[code])) for code in range(3)
    )
    log_density = log_density + stats.norm.logpdf(b) + stats.beta.logpdf(s, 2, 3)
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    for value in (b, s):
        mean = np.sum(weights * value)
        yield mean, np.sqrt(np.sum(weights * (value - mean) ** 2))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nuts", "marginal"])
def test_moments_are_those_of_the_density(method):
    model = bmx.Model("y ~ 0 + mo(x)", {"y": Y, "x": X}, family="poisson", priors=PRIORS)
    found = model.sample(method=method, draws=1000, seed=2)
    assert found.converged
    own = found.parameters()
    for name, (mean, sd) in zip(("mox", "simo_mox1[1]"), on_a_grid(), strict=True):
        error = sd / np.sqrt(float(own.loc[name, "ess_bulk"]))
        assert abs(own.loc[name, "mean"] - mean) < ERRORS * error, name
        assert own.loc[name, "sd"] == pytest.approx(sd, rel=0.08), name
    assert own.loc["simo_mox1[2]", "mean"] == pytest.approx(1.0 - own.loc["simo_mox1[1]", "mean"], rel=1e-9)


FOLDER = Path(__file__).parents[3] / "reference" / "monotonic"
NAMES = {
    "b_Intercept": "Intercept",
    "b_age": "age",
    "bsp_moincome": "moincome",
    "sd_city__Intercept": "sd(city, Intercept)",
    "sigma": "sigma",
    **{f"simo_moincome1[{step}]": f"simo_moincome1[{step}]" for step in (1, 2, 3)},
}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nuts", "marginal"])
def test_posterior_is_that_of_brms(method):
    data = pd.read_csv(FOLDER / "income.csv")
    levels = ["below20", "20to40", "40to100", "over100"]
    data = data.assign(income=pd.Categorical(data.income, levels, ordered=True))
    priors = {
        **dict.fromkeys(("Intercept", "age"), "Normal(0, 50)"),
        **{"moincome": "Normal(0, 10)", "simo": "Dirichlet(1)"},
        **{"sigma": "Exponential(0.1)", "sd": "Exponential(0.2)"},
    }
    post = bmx.Model("ls ~ mo(income) + age + (1 | city)", data, priors=priors).sample(
        method=method, seed=3, draws=2000
    )
    assert post.converged
    (term,) = post.design.terms
    flat = dict(zip(post.names, np.moveaxis(flatten(post.design, post.values), -1, 0), strict=True))
    draws = {brms: flat[name] for brms, name in NAMES.items()}
    draws |= {f"r_city[{city},Intercept]": post.values.b[0][..., j, 0] for j, city in enumerate(term.levels)}
    assert apart(draws, pd.read_csv(FOLDER / "brms.csv", index_col="variable")).abs().max() < 4.0
