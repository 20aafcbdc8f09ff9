"""The Gaussian approximation of a generalized model: expectations in closed form, remainders by `scipy.stats`."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from densities import MEAN, PRIOR, log_density
from scipy import stats
from scipy.special import logsumexp

import bayesmix as bmx
from bayesmix.data.design.build import build
from bayesmix.data.design.layout import parts_of
from bayesmix.inference.estimation.conditional_mode import generalized_problem
from bayesmix.inference.estimation.estimate import estimate
from bayesmix.inference.estimation.methods import Laplace
from bayesmix.inference.least_squares.cholesky import Factorisation
from bayesmix.inference.least_squares.incidence import effects_on_rows
from bayesmix.inference.parameters.priors_in_force import resolve
from bayesmix.inference.sampling.marginal import gaussian_approximation as module
from bayesmix.inference.sampling.marginal.gaussian_approximation import (
    MARGIN,
    SMALL,
    GaussianApproximation,
    coefficients,
    fit_approximation,
    predictor,
)
from bayesmix.inference.sampling.marginal.log_dispersion import dispersion_given
from bayesmix.inference.sampling.marginal.marginal_posterior import MarginalPosterior
from bayesmix.inference.sampling.marginal.row_quadratics import match_rows
from bayesmix.language.formula.model_spec import make_spec

EXACT = {"rtol": 1e-9, "atol": 1e-9}

MODELS: dict[str, dict[str, Any]] = {
    "poisson": {"formula": "count ~ x + offset(off) + (x | g)", "family": "poisson", "weights": "w"},
    "gamma": {
        "formula": "size ~ x + (1 | g)",
        "family": "gamma",
        "priors": {"x": "StudentT(3, 0, 1)", "Intercept": "Cauchy(0, 2)", "shape": "Gamma(2, 0.5)"},
    },
    "gaussian": {"formula": "y ~ x + offset(off) + (1 | g)", "family": "gaussian", "weights": "w"},
}


def simulated() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    n = 40
    g, x = np.arange(n) % 5, rng.normal(1.0, 1.0, n)
    eta = 0.3 + 0.4 * x + 0.5 * rng.normal(size=5)[g]
    return {
        "g": [f"g{i}" for i in g],
        "x": x,
        "w": rng.uniform(0.5, 2.0, n),
        "off": 0.3 * rng.normal(size=n),
        "count": rng.poisson(np.exp(eta)),
        "size": rng.gamma(3.0, np.exp(eta) / 3.0),
        "y": eta + rng.normal(size=n),
    }


@cache
def model_of(name: str) -> bmx.Model:
    given = dict(MODELS[name])
    return bmx.Model(given.pop("formula"), simulated(), **given)


@cache
def approximation_of(name: str) -> GaussianApproximation:
    model = model_of(name)
    return fit_approximation(model.design, model.spec, model.priors, model.estimate().point, np.random.default_rng(1))


def rows_by_scipy(name: str, eta: np.ndarray, dispersion: Any) -> np.ndarray:
    design = model_of(name).design
    mean = MEAN[model_of(name).spec.link.name](eta + design.offset)
    return np.asarray(design.weights * log_density(name, design.y, mean, dispersion))


# ---- linear predictors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
def test_effects_of_the_rows(intercept: bool) -> None:
    rng = np.random.default_rng(0)
    z, codes, effects = rng.normal(size=(6, 2)), np.array([0, 2, 1, 1, 0, 2]), rng.normal(size=(4, 3, 2))
    z[:, 0] = 1.0 if intercept else z[:, 0]
    expected = [[z[i] @ one[codes[i]] for i in range(6)] for one in effects]
    np.testing.assert_allclose(effects_on_rows(z, codes, effects), expected, **EXACT)


@pytest.mark.parametrize("name", MODELS)
def test_predictors_are_fixed_and_random_effects(name: str) -> None:
    model, target = model_of(name), approximation_of(name).target
    rng, term = np.random.default_rng(1), model.design.terms[0]
    working, k = target.problem.coordinates, len(term.effects)
    shift, b = 0.1 * rng.normal(size=(3, 2)), rng.normal(size=(3, 5, k))
    beta = (target.problem.beta_ols + shift) @ working.T.T
    np.testing.assert_allclose(coefficients(target, shift), beta @ model.priors.contrast.T, **EXACT)
    own = b @ working.C[0].T
    expected = beta @ model.design.X.T + np.einsum("nk,bnk->bn", term.z, own[:, term.codes])
    np.testing.assert_allclose(predictor(target, shift, [b]), expected, **EXACT)


# ---- remainders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_remainders_are_the_density_less_the_gaussian(name: str) -> None:
    found = approximation_of(name)
    eta, log_dispersion = 0.5 + 0.3 * np.random.default_rng(2).normal(size=(3, 40)), np.log([0.7, 1.0, 2.0])
    for own, log_d, remainder in zip(eta, log_dispersion, found.remainder(eta, log_dispersion), strict=True):
        dispersion = float(np.exp(log_d))
        if name == "gaussian":  # weights divide the variance
            mean, sd = own + model_of(name).design.offset, dispersion / np.sqrt(model_of(name).design.weights)
            density = stats.norm(mean, sd).logpdf(model_of(name).design.y)
        else:
            density = rows_by_scipy(name, own, dispersion)
        gaussian = stats.norm(own, 1.0 / np.sqrt(found.rows.weights)).logpdf(found.rows.z)
        np.testing.assert_allclose(remainder, density - gaussian, **EXACT)


def test_remainders_of_priors_are_those_that_are_not_normal() -> None:
    found, priors = approximation_of("gamma"), model_of("gamma").priors
    shift = 0.2 * np.random.default_rng(3).normal(size=(4, 2))
    gamma, expected = coefficients(found.target, shift), np.zeros(4)
    for j, prior in enumerate(priors.fixed):
        sd = found.target.precision[j] ** -0.5
        expected += PRIOR[prior.kind](*prior.arguments).logpdf(gamma[:, j])  # type: ignore[attr-defined]
        expected -= stats.norm(found.target.mean[j], sd).logpdf(gamma[:, j])
    np.testing.assert_allclose(found.prior_remainder(shift), expected, **EXACT)
    np.testing.assert_array_equal(approximation_of("poisson").prior_remainder(shift), np.zeros(4))
    np.testing.assert_array_equal(found.jointly().prior_remainder(shift), np.zeros(4))  # coordinates of their own


@pytest.mark.parametrize("name", ["poisson", "gamma"])
def test_joint_coordinates(name: str) -> None:
    found = approximation_of(name)
    joint = found.jointly()
    assert joint.is_joint
    assert joint.target.explored.all()
    theta = np.ones((2, found.target.covariances))
    shift, log_dispersion = np.full((2, 2), 0.1), np.array([0.3, 0.4])
    expected = [theta, coefficients(found.target, shift), *([log_dispersion[:, None]] if name == "gamma" else [])]
    np.testing.assert_array_equal(joint.coordinates(theta, shift, log_dispersion), np.hstack(expected))
    some = found.exploring(np.array([False, True]))
    assert not some.is_joint
    own = [theta, coefficients(found.target, shift)[:, 1:]]
    np.testing.assert_array_equal(some.coordinates(theta, shift, log_dispersion), np.hstack(own))


# ---- projections ----------------------------------------------------------------------------------------------------


def test_gaussian_responses_are_their_own_approximation() -> None:
    """The pseudo-responses are the responses, and nothing remains."""
    found, design = approximation_of("gaussian"), model_of("gaussian").design
    np.testing.assert_allclose(found.rows.z, design.y - design.offset, rtol=1e-8, atol=1e-8)
    ratio = found.rows.weights / design.weights
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-8)
    np.testing.assert_allclose(found.remainder(found.rows.z[None], -0.5 * np.log(ratio[:1])), 0.0, atol=1e-8)


@pytest.mark.parametrize("name", ["poisson", "gamma"])
def test_the_approximation_is_close_and_repeats_with_its_seed(name: str) -> None:
    model, found = model_of(name), approximation_of(name)
    assert found.spread < SMALL
    again = fit_approximation(model.design, model.spec, model.priors, model.estimate().point, np.random.default_rng(1))
    np.testing.assert_array_equal(again.rows.z, found.rows.z)
    assert again.spread == found.spread


def test_the_spread_is_by_quartiles() -> None:
    """Of a normal distribution its standard deviation, and a few wild draws change nothing."""
    values = stats.norm(2.0, 3.0).ppf((np.arange(4000) + 0.5) / 4000)
    assert module._spread(values) == pytest.approx(3.0, rel=1e-3)
    values[[0, 1, -1]] = [-np.inf, np.nan, 1e9]
    assert module._spread(values) == pytest.approx(3.0, rel=2e-3)
    assert module._spread(np.full(5, np.nan)) == np.inf


def test_the_log_dispersion_has_the_moments_of_a_fine_grid() -> None:
    """Averaged over the draws of the linear predictor, each with its own posterior."""
    model = model_of("gamma")
    problem = generalized_problem(model.design, model.estimate().point.coordinates, model.spec)
    eta = 0.7 + 0.2 * np.random.default_rng(8).normal(size=(6, 40))
    found = dispersion_given(problem, model.priors, eta, 3.0)
    assert found is not None
    grid = np.linspace(-6.0, 6.0, 1201)
    logs = np.array([rows_by_scipy("gamma", own, np.exp(grid)[:, None]).sum(axis=1) for own in eta])
    logs += stats.gamma(2.0, scale=2.0).logpdf(np.exp(grid)) + grid
    density = np.exp(logs - logsumexp(logs, axis=1, keepdims=True)).mean(axis=0)
    mean = density @ grid
    assert found.mean == pytest.approx(mean, abs=1e-3)
    assert found.sd == pytest.approx(np.sqrt(density @ (grid - mean) ** 2), rel=1e-2)
    assert dispersion_given(problem, replace(model.priors, dispersion=None), eta, 0.0) is None


# ---- rows of several predictors, whose curvatures may be negative ----------------------------------------------------


@cache
def bent_upwards() -> tuple[GaussianApproximation, float]:
    """An approximation whose rows have curvatures of both signs, and its gain over positive weights at the estimate."""
    spec = make_spec(["y ~ x + (1 | g)", "sigma ~ 1 + (x | g)"], "gaussian", None, None)
    design = build(parts_of(spec), simulated())
    point = estimate(design, spec, Laplace())
    problem = generalized_problem(design, point.coordinates, spec)
    eta = 0.7 * np.random.default_rng(3).normal(size=(20, 2 * design.n))
    rows = match_rows(problem, eta, np.zeros(()))
    fixed = [(0.0, 1.0)] * len(point.beta)
    found = module._approximation(design, resolve(spec, design), point, problem, rows, fixed)
    assert found.positive is not None
    at = found.target.start(point)[None]
    return found, float((replace(found.target, fallback=None)(at) - found.positive.target(at))[0])


def test_where_rows_bend_upwards_the_density_is_that_of_positive_weights() -> None:
    """Of variances so large that the integral has no end, or nearly none; elsewhere the density is the rows' own."""
    found, gain = bent_upwards()
    assert found.positive is not None
    own, positive = replace(found.target, fallback=None), found.positive.target
    theta = np.random.default_rng(4).normal(0.0, 2.5, (60, own.size))
    values, others = own(theta), positive(theta)
    np.testing.assert_allclose(values, np.concatenate([own(one[None]) for one in theta]), **EXACT)
    assert np.all(np.isfinite(others))
    assert np.all(values[np.isfinite(values)] > others[np.isfinite(values)])  # they bend less than projected rows
    is_own = np.isfinite(values) & (values < others + gain + MARGIN)
    assert 5 < is_own.sum() <= np.isfinite(values).sum() < 55
    np.testing.assert_allclose(found.target(theta), np.where(is_own, values, others), **EXACT)


@pytest.mark.parametrize("excess", [-np.inf, np.nan])
def test_where_rows_have_no_integral_at_the_estimate_the_density_is_that_of_positive_weights(excess: float) -> None:
    """Of how far it may be above them nothing is known there: it was taken for any distance, up to a pole."""
    found, _ = bent_upwards()
    assert found.positive is not None
    theta = np.random.default_rng(4).normal(0.0, 2.5, (60, found.target.size))
    target = replace(found.target, excess=excess)
    assert not target.is_own(theta)[0].any()
    np.testing.assert_allclose(target(theta), found.positive.target(theta), **EXACT)


def test_points_that_cannot_be_factorised_are_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where none can be: halves of halves of these were tried, most of the time of a posterior by few rows."""
    found, _ = bent_upwards()
    own, whole = replace(found.target, fallback=None), MarginalPosterior.factorise
    tried: list[int] = []

    def counting(target: MarginalPosterior, theta: np.ndarray) -> Factorisation:
        tried.append(len(theta))
        return whole(target, theta)

    monkeypatch.setattr(MarginalPosterior, "factorise", counting)
    theta = np.random.default_rng(4).normal(0.0, 2.5, (60, own.size))
    values = own(theta)
    assert tried[0] == 60
    assert tried[-1] == np.isfinite(values).sum()
    assert len(tried) <= 3
    tried.clear()
    none = np.repeat(theta[~np.isfinite(values)], 10, axis=0)[:10]
    assert np.isneginf(own(none)).all()
    assert tried == [10]


def test_estimates_without_standard_errors_have_those_of_their_priors() -> None:
    """Where modes beside the optimum are lost nothing is known of the errors: it ended in eigenvalues of NaN."""
    told = {"Intercept": "Normal(0.5, 0.5)", "fixed": "Normal(0.2, 0.5)"}
    spec = make_spec(["y ~ x + (1 | g)", "sigma ~ x"], "gaussian", None, told)
    design = build(parts_of(spec), simulated())
    point, priors = estimate(design, spec, Laplace()), resolve(spec, design)
    lost = point.beta_cov.copy()
    lost[:2, :2] = np.nan
    found = fit_approximation(design, spec, priors, replace(point, beta_cov=lost), np.random.default_rng(0))
    known = fit_approximation(design, spec, priors, point, np.random.default_rng(0))
    assert found.spread < 2.0 * known.spread
    assert np.isfinite(found.target(found.centre[None])).all()


def few_positive() -> bmx.Model:
    """Six of 48 values are positive, no two of one effect: with these the residual standard deviation is zero."""
    rng, row = np.random.default_rng(0), np.arange(48)
    x = rng.normal(size=48)
    y = np.where(rng.permutation(row) < 6, np.exp(0.5 * rng.normal(size=48)), 0.0)
    data = {"y": y, "x": x, "g": row % 8, "v": [f"v{i}" for i in row // 8 % 3]}
    given = {"fixed": "Normal(0, 0.7)", "sd": "HalfNormal(0.7)"}
    return bmx.Model("y ~ x + diag(0 + v | g)", data, family="hurdle_lognormal", priors=given)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmix.ConvergenceWarning")
def test_where_the_estimate_is_at_a_pole_of_the_likelihood_the_search_begins_at_the_priors() -> None:
    """Of a residual standard deviation of exp(-35) no approximation was found."""
    model = few_positive()
    point = estimate(model.design, model.spec, Laplace())
    assert point.beta[2] < -20.0
    found = fit_approximation(model.design, model.spec, model.priors, point, np.random.default_rng(1))
    assert found.spread < SMALL


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmix.ConvergenceWarning")
def test_an_estimate_beyond_the_end_of_a_prior_is_where_no_search_begins() -> None:
    """A shift of at most 0.1 of times above 1.5: the posterior is at that end, all of the draws were beyond it."""
    rng, row = np.random.default_rng(3), np.arange(48)
    x, g = rng.normal(size=48), row % 8
    y = 1.5 + np.exp(0.3 + 0.3 * x + 0.5 * rng.normal(size=8)[g] + 0.4 * rng.normal(size=48))
    data, given = {"y": y, "x": x, "g": g}, {"ndt": "Uniform(0, 0.1)"}
    model = bmx.Model("y ~ x + (1 | g)", data, family="shifted_lognormal", priors=given)
    assert model.estimate().point.beta[3] > np.log(0.1)
    post = model.sample(400, 2, seed=1, method="marginal", progress=False)
    assert post.draws.certificate["remainder_sd"] < SMALL
    assert post.draws.certificate["acceptance"] > 0.3
    share = post.draws.parameters.beta[..., 3].ravel()  # of a likelihood that hardly knows of it, the prior's own
    assert share.max() < np.log(0.1)
    assert stats.kstest(np.exp(share[::4]) / 0.1, "uniform").pvalue > 0.001


@pytest.mark.slow
def test_parts_are_factorised_by_the_posterior_whose_density_they_have() -> None:
    found, _ = bent_upwards()
    theta = np.random.default_rng(4).normal(0.0, 2.5, (60, found.target.size))
    parts = list(found.target.where_factorised(theta))
    assert sorted(map(tuple, np.concatenate([part for _, part, _ in parts]))) == sorted(map(tuple, theta))
    for target, part, factorisation in parts:
        density = target.log_likelihood(part, target.reduced(factorisation)) + target.log_prior(part)
        np.testing.assert_allclose(density, found.target(part), **EXACT)
    assert {target is found.target for target, *_ in parts} == {True, False}
