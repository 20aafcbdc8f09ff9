"""Posteriors of models with several linear predictors: weights by SciPy's densities, draws beside Stan's."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from breadth import POSTERIORS, frame, posterior_case
from scipy import stats
from scipy.linalg import block_diag

import bayesmix as bmx
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.centring import at_means
from bayesmix.inference.parameters.names import covariance
from bayesmix.inference.sampling.diagnostics import convergence
from bayesmix.inference.sampling.marginal.effect_proposals import propose
from bayesmix.inference.sampling.marginal.gaussian_approximation import (
    GaussianApproximation,
    coefficients,
    fit_approximation,
)
from bayesmix.inference.sampling.marginal.importance_correction import in_user_units
from bayesmix.inference.sampling.marginal.row_quadratics import BlockQuadratics
from bayesmix.results.fits.linear_predictor import flatten

EXACT = {"rtol": 1e-8, "atol": 1e-7}
MCSE = 4.5  # combined Monte Carlo standard errors of two samplers, the largest of some two hundred

MODELS: dict[str, tuple[Any, Any]] = {
    "sigma": (["y ~ x + (1 | g)", "sigma ~ x"], {"y": "gaussian"}),
    "shared": (["y ~ x + (1 | ID | g)", "sigma ~ 1 + (1 | ID | g)"], {"y": "gaussian"}),
    "crossed": (["y ~ x + (1 | g) + (1 | h)", "sigma ~ 1 + (1 | h)"], {"y": "gaussian"}),
    "shape": (["count ~ x + (1 | g)", "shape ~ x"], {"count": "negbinomial"}),
    "effects in shape": (["over ~ x + (1 | g)", "shape ~ 1 + (1 | g)"], {"over": "negbinomial"}),
    "residuals": (["y ~ x + (1 | p | g)", "v ~ 1 + (1 | p | g)", "sigma_v ~ x"], "gaussian"),
    "responses": (["y ~ x + (1 | p | g)", "count ~ 1 + (1 | p | g)"], {"y": "gaussian", "count": "poisson"}),
}


def model_of(name: str) -> bmx.Model:
    rng = np.random.default_rng(12)
    x, g = rng.normal(size=36), np.arange(36) % 6
    effects = rng.normal(size=6)
    data = {
        "x": x,
        "g": [f"g{j}" for j in g],
        "h": [f"h{j // 9}" for j in range(36)],
        "y": 1.0 + x + effects[g] + rng.normal(0.0, np.exp(0.3 * x)),
        "count": rng.poisson(np.exp(0.5 + 0.4 * effects[g])).astype(float),
    }
    data["v"] = 0.5 * data["y"] + effects[g[::-1]] + rng.normal(size=36)
    data["over"] = rng.negative_binomial(1, 0.2, 36).astype(float)  # SciPy has fewer digits where shapes run off
    formulas, families = MODELS[name]
    explicit = {"Intercept": "Normal(0, 2)", "sigma_Intercept": "Normal(0, 1)"}
    priors = explicit if name in ("sigma", "shared", "crossed") else None
    return bmx.Model(formulas, data, families, priors=priors, rescor=name == "residuals")


@cache
def point_of(model: bmx.Model) -> PointEstimate:
    return model.estimate().point


def approximation_of(model: bmx.Model) -> tuple[Design, GaussianApproximation]:
    stated = at_means(model.design, model.priors.changes)
    point = point_of(model)
    return stated, fit_approximation(stated, model.spec, model.priors, point, np.random.default_rng(1))


def densities(model: bmx.Model, eta: np.ndarray) -> float:
    """Log density of all responses at the stacked predictors ``(N,)``."""
    y = [outcome.y for outcome in model.design.outcomes]
    eta = eta.reshape(model.design.R, -1)
    if model.spec.rescor:
        corr = np.array([[1.0, np.tanh(0.5 * eta[4, 0])], [np.tanh(0.5 * eta[4, 0]), 1.0]])
        scaled = (np.array(y) - eta[[0, 2]]) * np.exp(-eta[[1, 3]])
        return float(stats.multivariate_normal(np.zeros(2), corr).logpdf(scaled.T).sum() - eta[[1, 3]].sum())
    if "shape ~ " in model.spec.text:
        shape, mean = np.exp(eta[1]), np.exp(eta[0])
        return float(stats.nbinom(shape, shape / (shape + mean)).logpmf(y[0]).sum())
    total = float(stats.norm(eta[0], np.exp(eta[1])).logpdf(y[0]).sum())
    return total + (float(stats.poisson(np.exp(eta[2])).logpmf(y[1]).sum()) if len(y) > 1 else 0.0)


def dense_conditional(design: Design, found: GaussianApproximation, contrast: Any, matrices: list[Any]) -> Any:
    """Distribution of (gamma, b) under the quadratics of the rows, given covariances, by dense matrices.

    Under the projected ones where those of any sign have none.
    """
    rows, target = found.rows, found.target
    assert isinstance(rows, BlockQuadratics)
    R, n = design.R, design.n
    Z = []
    for term in design.terms:
        own = np.zeros((R * n, len(term.levels), len(term.effects)))
        own[np.arange(R * n), term.codes] = term.z
        Z.append(own.reshape(R * n, -1))
    XZ = np.hstack([design.X @ np.linalg.inv(contrast), *Z])
    W = np.block([[np.diag(rows.blocks[r, s]) for s in range(R)] for r in range(R)])
    blocks = [np.linalg.inv(m) for m, term in zip(matrices, design.terms, strict=True) for _ in term.levels]
    precision = XZ.T @ W @ XZ + block_diag(np.diag(target.precision), *blocks)
    if np.linalg.eigvalsh(precision)[0] <= 0.0:
        assert found.positive is not None
        return dense_conditional(design, found.positive, contrast, matrices)
    h = XZ.T @ (rows.slope + W @ rows.centre)
    h[: len(target.mean)] += target.precision * target.mean
    return np.linalg.solve(precision, h), np.linalg.inv(precision)


def given_some(mean: Any, cov: Any, is_known: Any, known: Any) -> tuple[Any, Any]:
    """The normal distribution of the others given some components."""
    gain = cov[np.ix_(~is_known, is_known)] @ np.linalg.inv(cov[np.ix_(is_known, is_known)])
    own = cov[np.ix_(~is_known, ~is_known)] - gain @ cov[np.ix_(is_known, ~is_known)]
    return mean[~is_known] + gain @ (known - mean[is_known]), 0.5 * (own + own.T)


@pytest.mark.filterwarnings("ignore::bayesmix.errors.ConvergenceWarning")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in {"shape", "effects in shape", "crossed"} else [])
        for name in MODELS
    ],
)
def test_weights_are_joint_density_over_that_of_the_proposal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One proposal a level: SciPy's joint density over the dense Gaussian the effects were drawn from.

    With all fixed effects integrated out, and with the first and the last one as coordinates beside theta.
    """
    monkeypatch.setattr("bayesmix.inference.sampling.marginal.defence.SHARE", 1e-300)  # has a test of its own
    model = model_of(name)
    design, approximation = approximation_of(model)
    ends = np.isin(np.arange(design.X.shape[1]), (0, design.X.shape[1] - 1))
    for found in (approximation, approximation.exploring(ends)):
        check_weights(model, design, found)


def check_weights(model: bmx.Model, design: Design, found: GaussianApproximation) -> None:
    priors, target = model.priors, found.target
    start = target.start(point_of(model))
    theta = start + 0.2 * np.random.default_rng(2).standard_normal((3, len(start)))
    proposed = propose(found.at(start, None), theta, (1,), np.random.default_rng(3))
    values = in_user_units(found, theta, proposed, np.arange(3))
    gammas = coefficients(target, proposed.shift)
    np.testing.assert_allclose(gammas[:, target.explored], theta[:, target.covariances :], **EXACT)
    for i in range(3):
        eta, matrices, joint = design.X @ values.beta[i] + design.offset, [], 0.0
        for term, sd, corr, b in zip(design.terms, values.sd, values.corr, values.b, strict=True):
            matrices.append(covariance(sd[i], corr[i]))
            joint += float(stats.multivariate_normal(np.zeros(len(sd[i])), matrices[-1]).logpdf(b[i]).sum())
            eta = eta + np.sum(term.z * b[i][term.codes], axis=1)
        joint += densities(model, eta)
        joint += sum(float(p.log_density(gammas[i, j])) for j, p in enumerate(priors.fixed) if not target.explored[j])
        joint += float(target.log_prior(theta[i : i + 1])[0])  # of covariances, and of coefficients that are explored
        mean, cov = dense_conditional(design, found, priors.contrast, matrices)
        at = np.concatenate([gammas[i], *(b[i].ravel() for b in values.b)])
        is_known = np.concatenate([target.explored, np.zeros(len(at) - len(target.explored), bool)])
        mean, cov = given_some(mean, cov, is_known, at[is_known])
        own = stats.multivariate_normal(mean, cov, allow_singular=True).logpdf(at[~is_known])
        np.testing.assert_allclose(proposed.log_density[i], joint - own, **EXACT)


def of_stan(case: str) -> bmx.Model:
    """The model of a posterior by Stan, with its priors."""
    stan = posterior_case(case)
    formulas = [stan["formula"]["mu"], *(f"{k} {v}" for k, v in stan["formula"].items() if k != "mu")]
    return bmx.Model(formulas, frame(stan["data"]), stan["family"], priors=stan["priors"])


def check_against_stan(post: bmx.Posterior, case: str) -> None:
    """Means, standard deviations and quantiles of every parameter, within Monte Carlo error."""
    from arviz import mcse

    draws = flatten(post.design, post.values)
    for name, theirs in posterior_case(case)["parameters"].items():
        x = draws[..., post.names.index(name)]
        errors = [mcse(x, method="mean"), mcse(x, method="sd")]
        errors += [mcse(x, method="quantile", prob=q) for q in (0.025, 0.5, 0.975)]
        ours = np.array([x.mean(), x.std(), *np.quantile(x, (0.025, 0.5, 0.975))])
        known = np.array([theirs["mean"], theirs["sd"], *theirs["quantiles"]])
        known_errors = [theirs["mcse_mean"], theirs["mcse_sd"], *theirs["mcse_quantiles"]]
        assert np.all(np.abs(ours - known) < MCSE * np.hypot(np.array(errors, float), known_errors)), name


def certified(model: bmx.Model, seed: int) -> bmx.Posterior:
    """A posterior of the marginal sampler that has its certificate, for every parameter and random effect."""
    post = model.sample(seed=seed, method="marginal", progress=False)
    assert not post.problems
    assert post.draws.certificate["pareto_k"] < 0.5
    assert post.draws.certificate["acceptance"] > 0.2
    scalars = np.concatenate(
        [flatten(post.design, post.values), *(b.reshape(*b.shape[:2], -1) for b in post.values.b)], axis=-1
    )
    found = convergence(scalars)
    assert found.worst_r_hat <= 1.01
    assert found.smallest_ess >= 400.0
    return post


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("case", POSTERIORS)
def test_posteriors_are_stans_and_certified(case: str, seed: int) -> None:
    """The certificate at every seed."""
    check_against_stan(certified(of_stan(case), seed), case)


LONG_TAILS: dict[str, tuple[Any, str, str]] = {  # of a shape, an inflation of zeros, a share of an exponential
    "shape": (["TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", "shape ~ YEAR"], "grouseticks", "negbinomial"),
    "zi": (["count ~ zAge + zBase * Trt + (1 | patient)", "zi ~ Trt"], "epilepsy", "zero_inflated_poisson"),
    "beta": ("Reaction ~ Days + (1 | Subject)", "sleepstudy", "exgaussian"),
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("name", LONG_TAILS)
def test_coefficients_with_long_tails_are_certified(name: str, seed: int) -> None:
    formula, data, family = LONG_TAILS[name]
    certified(bmx.Model(formula, frame(data), family), seed)


CROSSED = (["diameter ~ 1 + (1 | plate) + (1 | sample)", "sigma ~ 1 + (1 | sample)"], "Penicillin", "gaussian")
OWN_EFFECTS: dict[str, tuple[Any, str, str]] = {  # in a parameter beside the mean
    "sigma": (["Reaction ~ Days + (1 | Subject)", "sigma ~ Days + (1 | Subject)"], "sleepstudy", "gaussian"),
    "crossed": CROSSED,
    "shape": (["count ~ spp + mined + (1 | site)", "shape ~ mined + (1 | site)"], "Salamanders", "negbinomial"),
}
DEAR = {"crossed", "shape"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.rotating if name in DEAR else []) for name in OWN_EFFECTS]
)
def test_effects_beside_the_mean_are_certified(name: str, seed: int) -> None:
    formulas, data, family = OWN_EFFECTS[name]
    certified(bmx.Model(formulas, bmx.load_dataset(data), family), seed)


@pytest.mark.slow
@pytest.mark.rotating
def test_crossed_factors_with_effects_in_sigma_have_the_posterior_of_nuts() -> None:
    """Means, standard deviations and quantiles of all parameters and effects, within Monte Carlo error."""
    formulas, data, family = CROSSED
    model = bmx.Model(formulas, bmx.load_dataset(data), family)
    nuts = model.sample(seed=1, method="nuts", draws=1500, progress=False)
    assert nuts.method == "nuts"
    (ours, own), (theirs, others) = (moments(post) for post in (certified(model, 1), nuts))
    assert ours.shape == (41, 5)
    assert np.all(np.abs(ours - theirs) < MCSE * np.hypot(own, others))


def moments(post: bmx.Posterior) -> tuple[np.ndarray, np.ndarray]:
    """Mean, standard deviation and three quantiles ``(m, 5)`` of parameters and effects, and their errors."""
    from arviz import mcse

    probs = (0.025, 0.5, 0.975)
    draws = [flatten(post.design, post.values), *(b.reshape(*b.shape[:2], -1) for b in post.values.b)]
    found, errors = [], []
    for x in np.moveaxis(np.concatenate(draws, axis=-1), -1, 0):
        found.append([x.mean(), x.std(), *np.quantile(x, probs)])
        own = [mcse(x, method="mean"), mcse(x, method="sd"), *(mcse(x, method="quantile", prob=q) for q in probs)]
        errors.append([float(one) for one in own])
    return np.array(found), np.array(errors)


@pytest.mark.slow
@pytest.mark.parametrize("case", POSTERIORS)
def test_nuts_draws_the_posteriors_of_stan(case: str) -> None:
    post = of_stan(case).sample(seed=1, method="nuts", progress=False)
    assert post.method == "nuts"
    assert not post.problems
    assert int(post.draws.stats["diverging"].sum()) == 0
    check_against_stan(post, case)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_ratings_are_certified_and_most_proposals_accepted(seed: int) -> None:
    """Under default priors."""
    model = bmx.Model("rating ~ temp + contact + (1 | judge)", bmx.load_dataset("wine"), family="cumulative")
    post = model.sample(seed=seed, method="marginal", progress=False)
    assert not post.problems
    assert post.draws.certificate["pareto_k"] < 0.5
    assert post.draws.certificate["acceptance"] > 0.7
    table = post.parameters()
    assert table.r_hat.max() <= 1.01
    assert min(table.ess_bulk.min(), table.ess_tail.min()) >= 400.0


@pytest.mark.slow
def test_an_approximation_without_proposals_is_refused_by_name() -> None:
    """Two outliers in five small levels: log weights of -1e74 and less ended in an error of linear algebra."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(5), 6)
    x = rng.normal(size=30)
    mean = 1.0 + 0.5 * x + 0.8 * rng.normal(size=5)[g]
    y = mean + np.exp(0.2 * x + 0.4 * rng.normal(size=5)[g]) * rng.normal(size=30)
    y[3], y[-1] = y[3] + 8.0, y[-1] - 8.0
    fixed = {"Intercept": "Normal(0, 3)", "x": "Normal(0, 2)", "sigma_Intercept": "Normal(0, 1)"}
    spread = {"sd(g, Intercept)": "Exponential(1)", "sd(g, sigma_Intercept)": "Exponential(2)"}
    priors = {**fixed, "sigma_x": "Normal(0, 1)", **spread}
    model = bmx.Model(["y ~ x + (1 | g)", "sigma ~ x + (1 | g)"], {"y": y, "x": x, "g": g.astype(str)}, priors=priors)
    with pytest.raises(bmx.FitError, match="was found to propose from"):
        model.sample(method="marginal", seed=3, progress=False)


def few_counts() -> bmx.Model:
    """A set of the calibration of `shape ~ x`: of eight groups with 35 zeros the densities of rows had no integral."""
    counts = {3: 1, 7: 4, 9: 1, 12: 4, 15: 9, 20: 1, 23: 3, 24: 1, 31: 7, 32: 1, 36: 3, 39: 14, 47: 2}
    x = """
        .189 -.523 -.413 -2.441 1.8 1.144 -.325 .774 .281 -.554 .978 -.311 -.329 -.792 .455 -.099 .545 -.607 .127 -.892
        .841 .188 .331 .411 -1.011 .783 2.057 -1.638 -1.729 -1.505 .841 .129 1.078 .722 .211 .284 -.17 .868 -1.13 -.422
        .243 1.801 -.764 -1.079 -.563 .969 -.235 1.324"""
    data = {"y": [counts.get(i, 0) for i in range(48)], "x": [float(one) for one in x.split()], "g": np.arange(48) % 8}
    priors = {
        "Intercept": "Normal(0.5596, 2.5)",
        "shape_Intercept": "Normal(2.725, 0.8031)",
        "fixed": "Normal(0, 0.7)",
        "sd": "HalfNormal(0.7)",
    }
    return bmx.Model(["y ~ x + (1 | g)", "shape ~ x"], data, "negbinomial", priors=priors)


@pytest.mark.slow
def test_proposals_of_few_counts_are_certified_and_draw_what_nuts_draws() -> None:
    post = few_counts().sample(seed=1, method="marginal", progress=False)
    assert not post.problems
    nuts = few_counts().sample(seed=2, method="nuts", progress=False)
    from arviz import mcse

    ours, theirs = (flatten(one.design, one.values) for one in (post, nuts))
    for j, name in enumerate(post.names):
        for kind, value in (("mean", np.mean), ("sd", np.std)):
            errors = [float(mcse(x[..., j], method=kind)) for x in (ours, theirs)]
            assert abs(value(ours[..., j]) - value(theirs[..., j])) < MCSE * np.hypot(*errors), (name, kind)
