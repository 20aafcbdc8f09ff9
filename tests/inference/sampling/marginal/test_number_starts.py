"""Numbers beside the mean that the estimate puts at their end: where their posterior is highest, by SciPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import bayesmix as bmx
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.parameters.centring import at_means
from bayesmix.inference.parameters.priors_in_force import resolve
from bayesmix.inference.sampling.marginal.number_starts import by_priors, with_numbers_moved, within_priors


def counts(family: str, seed: int) -> pd.DataFrame:
    """Counts with no more variance than Poisson's, beside their zeros."""
    rng = np.random.default_rng(seed)
    n, g, x = 96, np.repeat(np.arange(12), 8), rng.normal(size=96)
    y = rng.poisson(np.exp(1.0 + 0.3 * x + 0.3 * rng.normal(size=12)[g]))
    if family.startswith("hurdle"):
        y = np.where(rng.random(n) < 0.25, 0, np.maximum(y, 1))
    if family.startswith("truncated"):
        y = np.maximum(y, 1)
    return pd.DataFrame({"y": y, "x": x, "g": g})


@pytest.mark.filterwarnings("ignore:`phi` runs off to zero:bayesmix.ConvergenceWarning")
@pytest.mark.parametrize("seed", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_an_overdispersion_of_zero_is_moved_to_the_mode_given_all_else(seed):
    model = bmx.Model(
        "y ~ x + (1 | g)", counts("hurdle", seed), family="hurdle_nbinom1", priors={"phi": "Gamma(2, 0.1)"}
    )
    fit = model.estimate()
    design, spec, point = fit.design, fit.spec, fit.point
    problem = generalized_problem(design, point.coordinates, spec)
    found = with_numbers_moved(problem, design, resolve(spec, design), point)
    j = design.fixed.index("phi")
    mu = fit.fitted("mu").to_numpy()
    y, is_positive = design.y[: len(mu)], design.y[: len(mu)] > 0

    def loss(log_phi: float) -> float:
        phi = np.exp(log_phi)
        law = stats.nbinom(mu[is_positive] / phi, 1.0 / (1.0 + phi))
        rows = law.logpmf(y[is_positive]) - law.logsf(0)
        return -float(rows.sum() + stats.gamma(2.0, scale=10.0).logpdf(phi) + log_phi)

    least = optimize.minimize_scalar(loss, bounds=(-8.0, 4.0), method="bounded")
    assert point.beta[j] < least.x - 1.0
    assert found.beta[j] == pytest.approx(least.x, abs=0.01)
    h = 0.01
    curvature = (loss(least.x + h) - 2.0 * least.fun + loss(least.x - h)) / h**2
    assert found.beta_cov[j, j] == pytest.approx(1.0 / curvature, rel=0.02)
    others = [i for i in range(len(point.beta)) if i != j]
    np.testing.assert_array_equal(found.beta[others], point.beta[others])


# of a set of calibration: 48 counts that are not overdispersed, whose shape has a slope
FEW = [0, 0, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 4, 0, 0, 0, 1, 1, 1, 3, 0, 1, 1, 0]
FEW += [1, 1, 0, 0, 2, 2, 2, 0, 1, 0, 1, 2, 0, 0, 2, 1, 2, 0, 2, 2, 0, 0, 3, 0]
SOME = {"fixed": "Normal(0, 0.7)", "sd": "HalfNormal(0.7)"}


def slope_of_shape() -> bmx.Model:
    x = np.round(np.random.default_rng(2).normal(size=48), 3)
    data = pd.DataFrame({"y": FEW, "x": x, "g": [f"g{j}" for j in np.arange(48) % 8]})
    return bmx.Model(["y ~ x + (1 | g)", "shape ~ x"], data, family="negbinomial", priors=SOME)


def slope_of_sigma() -> bmx.Model:
    rng = np.random.default_rng(4)
    x, g = rng.normal(size=48), np.arange(48) % 8
    data = pd.DataFrame({"y": x + rng.normal(size=8)[g] + np.exp(0.3 * x) * rng.normal(size=48), "x": x, "g": g})
    return bmx.Model(["y ~ x + (1 | g)", "sigma ~ x"], data, priors=SOME)


@pytest.mark.slow
def test_coefficients_that_ran_off_are_moved_to_their_mode_without_random_effects():
    model = slope_of_sigma()
    design, priors, point = at_means(model.design, model.priors.changes), model.priors, model.estimate().point
    problem = generalized_problem(design, point.coordinates, model.spec)
    fixed = [(prior.arguments[0], prior.arguments[1] ** -2.0) for prior in priors.fixed]
    assert within_priors(problem, design, priors, point, fixed) is point
    far = replace(point, beta=point.beta + np.array([0.0, 0.0, 0.0, 20.0]))
    found = within_priors(problem, design, priors, far, fixed)
    y, centred = design.y[:48], design.X[:48, 1] - design.X[:48, 1].mean()

    def loss(gamma: np.ndarray) -> float:
        rows = stats.norm(gamma[0] + gamma[1] * centred, np.exp(gamma[2] + gamma[3] * centred)).logpdf(y)
        return -float(
            rows.sum() + sum(stats.norm(m, p**-0.5).logpdf(c) for c, (m, p) in zip(gamma, fixed, strict=True))
        )

    least = optimize.minimize(loss, np.array([m for m, _ in fixed]), method="BFGS", options={"gtol": 1e-6})
    np.testing.assert_allclose(priors.contrast @ found.beta, least.x, atol=1e-4)
    assert not any(np.any(one) for one in (*found.b, *found.b_cov, *found.covariances))
    cov = priors.contrast @ found.beta_cov @ priors.contrast.T
    step = 1e-3 * np.linalg.cholesky(cov)[:, -1]  # along the slope of sigma
    curvature = (loss(least.x + step) - 2.0 * least.fun + loss(least.x - step)) / 1e-6
    assert curvature == pytest.approx(1.0, rel=0.01)
    # of priors that are normal the same mode is found without an estimate, with random effects of their prior's size
    other = by_priors(problem, design, priors, far)
    np.testing.assert_allclose(other.beta, found.beta, atol=1e-5)
    np.testing.assert_allclose(other.beta_cov, found.beta_cov, rtol=1e-3, atol=1e-6)
    assert not np.any(other.b[0])
    middle = stats.halfnorm(scale=0.7).median() ** 2
    np.testing.assert_allclose(other.b_cov[0], np.full((8, 1, 1), middle), rtol=0.03)
    np.testing.assert_allclose(other.covariances[0], [[middle]], rtol=0.03)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmix.ConvergenceWarning")
def test_where_the_mode_is_at_a_pole_too_the_search_begins_at_the_priors_themselves():
    """A shift of response times goes to the smallest of them, where their logarithm has no end."""
    x = np.round(np.random.default_rng(2).normal(size=24), 3)
    y = 0.1 + np.exp(np.linspace(-20.0, 3.0, 24))
    data = pd.DataFrame({"y": y, "x": x, "g": np.arange(24) % 4})
    model = bmx.Model("y ~ x + (1 | g)", data, family="shifted_lognormal", priors={**SOME, "ndt": "Uniform(0, 0.2)"})
    design, priors = at_means(model.design, model.priors.changes), model.priors
    point = model.estimate().point
    found = by_priors(generalized_problem(design, point.coordinates, model.spec), design, priors, point)
    gamma, cov = priors.moments(found.beta, found.beta_cov)
    assert gamma[3] == pytest.approx(np.log(0.2) - 1.0, abs=0.02)
    assert cov[3, 3] == pytest.approx(1.0, rel=0.02)
    assert gamma[1] == 0.0
    assert cov[1, 1] == pytest.approx(0.49)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmix.ConvergenceWarning")
def test_a_slope_of_a_shape_that_runs_off_is_certified():
    """No approximation was found from its estimate, coefficients of 75 and -66 under priors of a unit."""
    post = slope_of_shape().sample(seed=1, draws=400, method="marginal", progress=False)
    assert post.draws.certificate["pareto_k"] < 0.5
    assert post.draws.certificate["acceptance"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("family", ["hurdle_nbinom1", "truncated_nbinom1"])
@pytest.mark.parametrize("seed", [1, 3])
def test_posteriors_without_overdispersion_are_certified(family, seed):
    """Without that the proposals were about log phi = 69 000, or none were found."""
    post = bmx.Model("y ~ x + (1 | g)", counts(family, seed), family=family).sample(seed=1, draws=400, progress=False)
    assert post.method == "marginal"
    assert post.draws.certificate["pareto_k"] < 0.5
    assert post.draws.certificate["acceptance"] > 0.2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmix.ConvergenceWarning")
def test_searches_without_overdispersion_or_zeros_of_their_own_end():
    """At a log phi of -369 derivatives were NaN, to which rounding in place of small ones had led."""
    fit = bmx.Model("y ~ x + (1 | g)", counts("zero_inflated_nbinom1", 3), family="zero_inflated_nbinom1").estimate()
    poisson = bmx.Model("y ~ x + (1 | g)", counts("zero_inflated_nbinom1", 3), family="poisson").estimate()
    assert fit.loglik == pytest.approx(poisson.loglik, abs=1e-6)
    drawn = fit.simulate(200, seed=1).to_numpy()
    assert drawn.mean() == pytest.approx(fit.fitted().mean(), abs=0.05)


@pytest.mark.slow
def test_priors_that_do_not_bend_move_no_estimate():
    """That of a shift of response times is flat far from zero: its normal match, 6 900 away, took the start along."""
    rng = np.random.default_rng(5)
    x, g = rng.normal(size=60), np.arange(60) % 6
    y = 0.2 + np.exp(-0.5 + 0.2 * x + 0.3 * rng.normal(size=6)[g] + 0.4 * rng.normal(size=60))
    model = bmx.Model("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": g}), family="shifted_lognormal")
    post = model.sample(60, 2, seed=1, method="marginal", progress=False)
    assert post.draws.certificate["remainder_sd"] < 1.0
