from functools import cache

import numpy as np
import pytest
from residuals import FORMULAS, data, model, whole
from scipy.stats import multivariate_normal

import bayesmix as bmx
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.methods import Reml
from bayesmix.inference.parameters.natural_scale import reported
from bayesmix.inference.parameters.priors_in_force import log_prior
from bayesmix.inference.sampling.marginal.gradient import value_and_gradient
from bayesmix.inference.sampling.marginal.marginal_posterior import correlated_posterior
from bayesmix.inference.sampling.marginal.sampler import in_units

EXPLORED = {"base": "StudentT(4, 0, 1)", "rescor": "LKJ(2)", "sigma": "Gamma(2, 1)"}
CASES = ["trial_unstr", "trial_site_ar", "trial_cosy_strata", "orthodont_arma", "trial_smooth_ar", "explored"]


@cache
def target_of(case):
    made = bmx.Model(FORMULAS["trial_ar"], data("trial"), priors=EXPLORED) if case == "explored" else model(case)
    point = estimate(made.design, made.spec, Reml())
    return made, correlated_posterior(made.design, made.spec, made.priors, point), point


def dense_density(made, target, theta):
    """Log density of y and the parameters that are explored, entry by entry."""
    import pandas as pd

    design, priors = made.design, made.priors
    p = len(target.problem.beta_ols)
    shift = np.zeros(p)
    shift[target.explored] = target.parts(theta)[2] - target.gamma_ols[target.explored]
    values = in_units(target, theta, target.to_gamma @ shift, (), None)
    named = pd.Series(reported(design.layout, values.beta), index=design.fixed)
    block, place = design.data.blocks.block, design.data.blocks.place
    sd = np.exp((design.X @ values.beta + design.offset)[design.block(1)])

    class Fit:
        pass

    fit = Fit()
    fit.design = design
    C = whole(fit, named)[place[:, None], place[None, :]]
    V = (block[:, None] == block[None, :]) * C * np.outer(sd, sd)
    for term, own in zip(design.terms, values.sd, strict=True):
        codes, z = term.codes[: design.n], term.z[: design.n] * own
        V += z @ z.T * (codes[:, None] == codes[None, :])
    mean = design.of_predictor(0)
    X, K = design.X[: design.n, mean], np.linalg.inv(priors.contrast[np.ix_(mean, mean)])
    m, S = np.zeros(p), np.zeros(p)
    for j in range(p):
        if target.explored[j]:
            m[j] = (priors.contrast @ values.beta)[mean[j]]
        else:
            m[j], S[j] = priors.fixed[mean[j]].arguments[0], priors.fixed[mean[j]].arguments[1] ** 2
    total = multivariate_normal.logpdf(design.y, X @ K @ m, V + X @ K @ np.diag(S) @ K.T @ X.T)
    gamma = priors.contrast @ values.beta
    others = [j for j in range(len(gamma)) if j not in mean] + [mean[j] for j in np.flatnonzero(target.explored)]
    total += sum(float(priors.fixed[j].log_density(gamma[j])) for j in others)
    total += np.linalg.slogdet(target.rows.problem.change)[1]
    for own, prior in zip(values.sd, priors.sd, strict=True):
        total += float(prior[0].log_density(own[0]))
    return total


@pytest.mark.parametrize("case", CASES)
def test_density_is_that_of_dense_formulas(case):
    made, target, point = target_of(case)
    at, rng = target.start(point), np.random.default_rng(1)
    theta = at + 0.3 * rng.standard_normal((3, target.size))
    for density, own in zip(target(theta), theta, strict=True):
        expected = dense_density(made, target, own)
        if target.terms:  # the coordinate of a standard deviation, by differences
            h = 1e-5
            up, down = (target.terms[0].sd(own[:1] + side * h)[0] for side in (1, -1))
            expected += np.log((up - down) / (2 * h))
        assert density == pytest.approx(expected, abs=1e-6 if target.terms else 1e-8)


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_exact(case):
    _, target, point = target_of(case)
    theta = target.start(point) + 0.2 * np.cos(np.arange(target.size))
    _, gradient = value_and_gradient(target, theta)
    steps = 1e-5 * np.eye(target.size)
    np.testing.assert_allclose(gradient, (target(theta + steps) - target(theta - steps)) / 2e-5, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", ["trial_unstr", "orthodont_arma"])
def test_draws_are_near_the_estimate(case):
    post = model(case).sample(draws=500, chains=2, seed=1)
    assert post.method == "marginal"
    reml = model(case).estimate().parameters()["estimate"]
    found = post.parameters()
    assert np.all(np.abs(found["mean"] - reml) < 1.1 * found["sd"])
    assert log_prior(post.priors, post.design, post.values)["fixef"].shape == (2, 500)


@pytest.mark.slow
def test_nuts_draws_the_same_posterior():
    """At full size, 4 x 1000 draws of `trial_unstr` and `trial_site_ar`, it agrees as well, in six minutes."""
    exact = model("orthodont_cosy").sample(method="marginal", draws=2000, chains=4, seed=1).parameters()
    nuts = model("orthodont_cosy").sample(method="nuts", draws=1000, chains=2, seed=2)
    found = nuts.parameters()
    error = found["sd"] / np.sqrt(found["ess_bulk"]) + exact["sd"] / np.sqrt(exact["ess_bulk"])
    assert not nuts.problems
    assert np.all(np.abs(found["mean"] - exact["mean"]) < 4.0 * error)
    np.testing.assert_allclose(found["sd"], exact["sd"], rtol=0.15)


@pytest.mark.slow
def test_proposals_around_the_mode_are_of_the_same_posterior(monkeypatch):
    """An unstructured matrix of four visits by a fitted mixture, and as those of many visits are explored."""
    where = "bayesmix.inference.sampling.marginal.sampler.SEVERAL_NUMBERS"
    drawn = {}
    for numbers in (5, 100):
        monkeypatch.setattr(where, numbers)
        drawn[numbers] = model("trial_unstr").sample(draws=600, seed=3, progress=False)
    near, mixed = drawn[5], drawn[100]
    first, second = near.draws.certificate, mixed.draws.certificate
    error = np.hypot(first["log_evidence_error"], second["log_evidence_error"])
    assert 0.0 < abs(first["log_evidence"] - second["log_evidence"]) < 5.0 * error < 0.3
    one, two = near.parameters(), mixed.parameters()
    error = np.hypot(one["sd"] / np.sqrt(one["ess_bulk"]), two["sd"] / np.sqrt(two["ess_bulk"]))
    assert (np.abs(one["mean"] - two["mean"]) / error).max() < 4.5
    np.testing.assert_allclose(one["sd"] / two["sd"], 1.0, atol=0.12)


@pytest.mark.slow
def test_six_visits_are_drawn_without_hamiltonian_chains():
    """21 numbers of a covariance took 36 000 gradients, 70 seconds; a proposal at their mode takes one or two."""
    rng, visits = np.random.default_rng(3), 6
    sds = np.linspace(1.0, 2.0, visits)
    root = np.linalg.cholesky(0.7 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6))) * np.outer(sds, sds))
    y = rng.normal(size=(150, visits)) @ root.T
    patient, visit = np.repeat(np.arange(150), visits), np.tile(np.arange(visits), 150)
    seen = visit < np.repeat(rng.integers(2, 10, 150), visits)  # those who drop out
    table = {"y": y.ravel()[seen], "patient": [f"p{j}" for j in patient[seen]], "visit": [f"v{t}" for t in visit[seen]]}
    fit = bmx.Model(["y ~ visit + unstr(visit, patient)", "sigma ~ 0 + visit"], table).sample(seed=1, progress=False)
    assert fit.method == "marginal"
    assert fit.draws.certificate["pareto_k"] < 0.5
    assert fit.draws.certificate["evaluations"] < 120_000
    found = fit.parameters()
    assert found["ess_bulk"].min() > 1_000
    assert np.abs(found.loc["rescor(v0, v1)", "mean"] - 0.7) < 4.0 * found.loc["rescor(v0, v1)", "sd"]
