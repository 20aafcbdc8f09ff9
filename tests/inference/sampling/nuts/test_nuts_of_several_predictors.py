"""Rows with several linear predictors: the reader's PyMC model, the sampler's and NumPy have one density."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from breadth import POSTERIORS, covariance, frame, posterior_case
from graphs import AS_WRITTEN
from scipy.stats import multivariate_normal
from test_reparametrised_model import Both, log_determinant, quick

import bayesmix as bmx
from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.centring import to_zero
from bayesmix.inference.parameters.likelihood import likelihood_of
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.natural_scale import reported
from bayesmix.inference.parameters.priors_in_force import log_prior
from bayesmix.inference.sampling.nuts.pymc_model import to_pymc

LOG_JOINT = {"rel": 1e-8, "abs": 1e-8}
RNG = np.random.default_rng(8)
N, LEVELS = 60, 6  # enough for estimates inside: where they run off, derivatives of the coordinates are rounding
X, G = RNG.normal(size=N), np.arange(N) % LEVELS
NOISE = RNG.normal(0.0, 0.6, (4, LEVELS))
DATA = {
    "x": X,
    "w": RNG.normal(3.0, 2.0, N),
    "g": [f"g{j}" for j in G],
    "h": [f"h{j}" for j in RNG.integers(0, 4, N)],
    "y": 10.0 + X + NOISE[0, G] * X + 2.0 * NOISE[1, G] + np.exp(NOISE[2, G] + NOISE[3, G] * X) * RNG.normal(size=N),
    "count": RNG.poisson(np.exp(1.0 + 0.3 * X + NOISE[0, G])),
    "over": RNG.negative_binomial(1, 0.1, N),
    "positive": RNG.gamma(3.0, np.exp(NOISE[1, G])),
    "successes": RNG.integers(0, 4, N),
    "failures": RNG.integers(1, 5, N),
    "wt": RNG.uniform(0.5, 2.0, N),
    "off": RNG.normal(0.0, 0.1, N),
    "dose": 1 + np.arange(N) % 4,
}
DATA |= {
    "status": np.resize(["none", "right", "left", "interval", "none"], N),
    "late": np.arange(N) % 4 == 0,
    "top": np.maximum(DATA["y"], DATA["positive"]) + 1.0,
    "bottom": DATA["y"] - 1.0 - np.abs(X),
    "rating": np.resize([1, 2, 3, 2, 1, 3, 3, 2], N),
}
TWO = {"y": "gaussian", "count": "poisson"}
FOUR = TWO | {"positive": "gamma", "cbind(successes, failures)": "binomial"}

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "sigma ~ x": (["y ~ x + (x | g)", "sigma ~ x + w"], {"weights": "wt"}),
    "shared effects": (["y ~ x + (1 | ID | g)", "sigma ~ x + offset(off) + (1 | ID | g)"], {}),
    "shared slopes": (["y ~ x + (x | ID | g)", "sigma ~ w + (x | ID | g)"], {}),
    "effects of their own": (["y ~ x + (1 | g)", "sigma ~ 1 + (1 | g)"], {"priors": {"corr": "LKJ(1)"}}),
    "crossed": (["y ~ x + (1 | g) + (1 | ID | h)", "sigma ~ 1 + (1 | ID | h)"], {}),
    "nested": (["y ~ x + (1 | g/h)", "sigma ~ 1 + (1 | g)"], {}),
    "shape ~ x": (["over ~ x + (1 | g)", "shape ~ x"], {"family": "negbinomial", "weights": "wt"}),
    "shape of gamma": (["positive ~ x + (1 | ID | g)", "shape ~ w + (1 | ID | g)"], {"family": "gamma"}),
    "no columns": (["y ~ 0 + (1 | g)", "sigma ~ 0 + w"], {}),
    "two responses": (["y ~ x + (1 | ID | g)", "count ~ w + (1 | ID | g)"], {"family": TWO}),
    "four responses": (
        [
            "y ~ x + (1 | ID | g)",
            "positive ~ offset(off) + (x | ID | g)",
            "cbind(successes, failures) ~ w + (1 | h)",
            "count ~ 1",
            "shape_positive ~ x",
        ],
        {"family": FOUR, "weights": "wt", "priors": {"sigma_y": "Uniform(0, 9)"}},
    ),
}
CASES |= {
    "censored": (["y | cens(status, top) + trunc(lb = bottom) ~ x + (1 | g)", "sigma ~ x"], {"weights": "wt"}),
    "censored times": ("positive | cens(status, top) ~ x + (1 | g)", {"family": "lognormal"}),
    "censored counts": (["over | cens(late) + weights(wt) ~ x + (1 | g)", "shape ~ x"], {"family": "negbinomial"}),
    "two residuals": (["y ~ x + (1 | ID | g)", "w ~ 1 + (1 | ID | g)"], {"rescor": True}),
    "three residuals": (
        ["y ~ x + (1 | g)", "w ~ 1", "off ~ x", "sigma_w ~ x"],
        {"rescor": True, "weights": "wt", "priors": {"rescor": "LKJ(3)"}},
    ),
}
CASES |= {
    "known errors": ("y | se(wt) ~ x + (1 | g)", {}),
    "noise beside known errors": ("y | se(wt, sigma = TRUE) ~ x + (1 | g)", {}),
    "known errors of two": (["y | se(wt) ~ x + (1 | ID | g)", "count ~ w + (1 | ID | g)"], {"family": TWO}),
    "known errors of tails": ("y | se(wt) ~ x + (1 | g)", {"family": "student"}),
}
CASES |= {  # families that PyMC has not
    "zeros": (["over ~ x + (1 | g)", "zi ~ x"], {"family": "zero_inflated_poisson"}),
    "zeros and dispersion": (["over ~ x + (1 | g)", "zi ~ x"], {"family": "zero_inflated_negbinomial"}),
    "effects on single thresholds": ("rating ~ x + cs(w) + (1 | g)", {"family": "acat"}),
    "hurdle": (["count ~ x + (1 | g)", "hu ~ w"], {"family": "hurdle_poisson", "weights": "wt"}),
}
CURVE = {"fixed": "Normal(0, 3)", "sd": "HalfNormal(1)"}
CASES |= {  # nonlinear means
    "curve": (
        ["y ~ asym * (1 - exp(-exp(rate) * (x + 4)))", "asym ~ w + (1 | ID | g)", "rate ~ 1 + (1 | ID | g)"],
        {"priors": CURVE, "weights": "wt"},
    ),
    "curve of counts": (
        ["count ~ high * inv_logit(x - at)", "high ~ 1 + (1 | g)", "at ~ 1"],
        {"family": "poisson", "priors": CURVE, "offset": "off"},
    ),
    "curve and sigma": (
        ["y ~ asym + step(x) * pow(w^2, rate)", "asym ~ 1", "rate ~ 1", "sigma ~ x"],
        {"priors": CURVE},
    ),
}
DATA |= {
    "gap": np.where(RNG.random(N) < 0.4, np.nan, 1.0 + DATA["w"] + RNG.normal(size=N)),
    "hole": np.where(RNG.random(N) < 0.3, np.nan, 2.0 * X + RNG.normal(size=N)),
}
CASES |= {
    "imputed": (["y ~ x + mi(gap) + mi(gap):x + (1 | g)", "gap | mi() ~ w + (1 | h)", "sigma_y ~ x"], {}),
    "imputed by imputed": (
        ["y ~ mi(gap) + mi(hole)", "gap | mi() ~ w + mi(hole) + (1 | g)", "hole | mi() ~ x", "count ~ w"],
        {"family": {"y": "gaussian", "gap": "gaussian", "hole": "gaussian", "count": "poisson"}},
    ),
}
CASES |= {
    "monotonic effects": (
        "y ~ mo(dose) * x + (1 | g)",
        {"priors": {"simo_modose1": "Dirichlet(2, 1, 1.5)", "modose": "Normal(1, 2)"}, "weights": "wt"},
    ),
    "monotonic effects on counts": ("count ~ x:mo(rating) + mo(late) + (1 | g)", {"family": "poisson"}),
}
QUICK = {"shared effects", "zeros", "known errors"}


@cache
def both(name: str) -> Both:
    formula, options = CASES[name]
    return Both(bmx.Model(formula, DATA, **options))


def log_joint(own: Both, x: np.ndarray) -> float:
    """Likelihood, density of the random effects and priors, of the parameters themselves."""
    design, values = own.design, own.parameters(x[None])
    eta = values.beta[0, 0] @ design.X.T + design.offset
    total = 0.0
    for term, sd, corr, b in zip(design.terms, values.sd, values.corr, values.b, strict=True):
        covariance = corr[0, 0] * np.outer(sd[0, 0], sd[0, 0])
        total += multivariate_normal(np.zeros(len(sd[0, 0])), covariance).logpdf(b[0, 0]).sum()
        eta = eta + np.sum(term.z * b[0, 0][term.codes], axis=1)
    total += float(likelihood_of(design, own.model.spec).value(eta, np.ones(())).sum())
    at_zero = to_zero(values, own.priors.changes)
    return total + sum(float(np.squeeze(part)) for part in log_prior(own.priors, own.model.design, at_zero).values())


def coordinates(own: Both, x: np.ndarray) -> np.ndarray:
    """The parameters that `log_joint` is a density of, side by side: ``(points, size)``."""
    values = own.parameters(x)
    below = [corr[0][:, *np.tril_indices(corr.shape[-1], -1)] for corr in values.corr]
    correlated = [part for part, priors in zip(below, own.priors.corr, strict=True) if priors]
    return np.concatenate([values.beta[0], *(sd[0] for sd in values.sd), *correlated, *map(flat, values.b)], axis=1)


def flat(b: np.ndarray) -> np.ndarray:
    return b[0].reshape(b.shape[1], -1)


@pytest.mark.parametrize("name", quick(sorted(CASES), QUICK))
def test_three_densities_are_one(name: str) -> None:
    own = both(name)
    ours = own.ours.model.compile_logp(mode=AS_WRITTEN)
    theirs = to_pymc(own.model.design, own.model.spec, own.priors).compile_logp(mode=AS_WRITTEN)
    rng = np.random.default_rng(5)
    for _ in range(3):
        x = 0.5 * rng.standard_normal(own.size)
        expected = log_joint(own, x)
        assert np.isfinite(expected)
        whole = expected + log_determinant(lambda points: coordinates(own, points), x)
        assert float(ours(own.split(x))) == pytest.approx(whole, **LOG_JOINT)
        point = {name: value[0] for name, value in own.theirs(x[None]).items()}
        assert float(theirs(point)) + own.log_determinant(x) == pytest.approx(whole, **LOG_JOINT)


# ---- the reader's model ----------------------------------------------------------------------------------------------


def test_each_predictor_has_its_own_names() -> None:
    own = both("shared effects").model
    graph = own.to_pymc()
    assert list(graph.coords["fixed"]) == ["Intercept", "x", "sigma_Intercept", "sigma_x"]
    assert list(graph.coords["fixed_sigma"]) == ["sigma_Intercept", "sigma_x"]
    dims = {name: tuple(value) for name, value in graph.named_vars_to_dims.items()}
    assert dims["X_sigma"] == ("obs", "fixed_sigma")
    assert dims["offset_sigma"] == dims["eta_sigma"] == dims["eta"] == dims["y"] == ("obs",)
    assert dims["X"] == ("obs", "fixed_mu")
    assert dims["columns_g"] == ("obs", "g_effect")
    assert list(graph.coords["g_effect"]) == ["Intercept", "sigma_Intercept"]
    free = {variable.name for variable in graph.free_RVs}
    assert free == {"fixef_centred", "sd_free_g", "lkj_g", "z_g"}


def test_responses_and_parameters_that_are_one_number_are_variables_of_their_own() -> None:
    own = both("two responses").model
    graph = own.to_pymc()
    assert {variable.name for variable in graph.observed_RVs} == {"y", "count"}
    assert "sigma_y" in {variable.name for variable in graph.free_RVs}
    assert list(graph.coords["fixed"]) == ["y_Intercept", "y_x", "count_Intercept", "count_w"]
    assert {"eta_y", "eta_count", "fixef"} <= {variable.name for variable in graph.deterministics}


def test_correlations_of_residuals_are_named_as_reported() -> None:
    graph = both("three residuals").model.to_pymc()
    names = [f"rescor({pair})" for pair in ("y, w", "y, off", "w, off")]
    assert {f"lkj_{name}" for name in names} <= {variable.name for variable in graph.free_RVs}
    assert set(names) <= {variable.name for variable in graph.deterministics}
    assert {variable.name for variable in graph.observed_RVs} == {"y", "w", "off"}


def test_reported_correlations_are_those_of_the_sampler() -> None:
    own = both("three residuals")
    graph, values = own.model.to_pymc(), own.parameters(0.5 * RNG.standard_normal(own.size)[None])
    point = {name: value[0] for name, value in own.unconstrained(values, {}).items()}
    outputs = graph.replace_rvs_by_values([graph[name] for name in own.design.fixed[-3:]])
    options = {"mode": AS_WRITTEN, "on_unused_input": "ignore"}
    found = graph.compile_fn(outputs, inputs=graph.value_vars, **options)(point)
    np.testing.assert_allclose(found, reported(own.design.layout, values.beta[0, 0])[-3:], rtol=1e-10)


@pytest.mark.slow
def test_priors_predict_correlated_responses() -> None:
    drawn = both("two residuals").model.prior_predictive(20, seed=1)
    assert set(drawn["prior_predictive"].data_vars) == {"y", "w"}


@pytest.mark.slow
def test_priors_predict_every_response() -> None:
    with pytest.warns(
        bmx.PriorWarning, match="values of `count` are over 1000 times as far from the middle of the data"
    ):
        drawn = both("two responses").model.prior_predictive(20, seed=1)
    assert set(drawn["prior_predictive"].data_vars) == {"y", "count"}
    assert np.all(drawn["prior_predictive"]["count"] >= 0)
    scale = drawn["prior"]["sigma_y"].to_numpy().ravel()
    assert np.all(scale > 0.0)


def model_of(name: str) -> bmx.Model:
    """The model of a posterior by Stan, with its priors."""
    case = posterior_case(name)
    formulas = [text if what == "mu" else f"{what} {text}" for what, text in case["formula"].items()]
    return bmx.Model(formulas, frame(case["data"]), family=case["family"], priors=case["priors"])


def at(design: Design, point: dict[str, Any]) -> Parameters:
    """Parameters by their names, as one draw."""
    given, effects = point["parameters"], point["effects"]
    beta = np.array([given[name] for name in design.fixed])
    for j, owner in enumerate(design.layout.owners):
        link = design.layout.numbers.get(owner)
        beta[j] = beta[j] if link is None else link.of(beta[j])
    sds = [np.array([given[f"sd({term.group}, {effect})"] for effect in term.effects]) for term in design.terms]
    corrs = [covariance({"group": term.group, "columns": term.effects}, given) for term in design.terms]
    corrs = [matrix / np.outer(sd, sd) for matrix, sd in zip(corrs, sds, strict=True)]
    bs = [
        np.array([[effects[term.group][level][effect] for effect in term.effects] for level in term.levels])
        for term in design.terms
    ]
    others = [value for name, value in given.items() if "(" not in name and name not in design.fixed]
    dispersion = np.array([others]) if others else None  # of models of one linear predictor
    return Parameters(
        beta[None, None], *(tuple(part[None, None] for part in parts) for parts in (sds, corrs, bs)), dispersion
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", POSTERIORS)
def test_the_likelihood_is_that_of_stan(name: str) -> None:
    own = Both(model_of(name))
    graph = own.model.to_pymc()
    likelihood = graph.compile_logp(vars=graph.observed_RVs, mode=AS_WRITTEN)
    for point in posterior_case(name)["points"]:
        values = own.unconstrained(at(own.design, point), {})
        found = likelihood({key: value[0] for key, value in values.items()})
        assert float(found) == pytest.approx(point["log_likelihood"], rel=1e-10)
