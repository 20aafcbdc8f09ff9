"""NUTS: where it starts (fast), and its posteriors against Stan's (slow)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.nuts import Nuts, _initial_point, _nudged
from bayesmix.inference.parameters import covariance

STAN = Path(__file__).parents[1] / "reference" / "stan"

EXACT = {"rtol": 1e-9, "atol": 1e-9}
MCSE = 4.5  # combined Monte Carlo standard errors that any of about a hundred means may be off
DRAWS = {"draws": 1000, "chains": 4, "seed": 11, "method": Nuts(tune=1000), "progress": False}


# ---- the start -----------------------------------------------------------------------------------------------------


def start_values(model, graph, change=dict):
    """The initial point, as values of the unconstrained variables."""
    start = change(_initial_point(model.design, model.priors, model.estimate().point))
    values = {}
    for variable in graph.free_RVs:
        assert np.shape(start[variable.name]) == tuple(graph.initial_point()[graph.rvs_to_values[variable].name].shape)
        transform = graph.rvs_to_transforms[variable]
        value = start[variable.name]
        if transform is not None:
            value = transform.forward(np.asarray(value, float), *variable.owner.inputs).eval(mode="FAST_COMPILE")
        values[graph.rvs_to_values[variable].name] = np.asarray(value, float)
    assert set(start) == {variable.name for variable in graph.free_RVs}
    return values


def at_start(model, variables):
    """Values of variables of the PyMC model at the initial point, and its log density there."""
    graph = model.to_pymc()
    values = start_values(model, graph)
    outputs = graph.replace_rvs_by_values([graph[name] for name in variables])
    found = graph.compile_fn(outputs, inputs=graph.value_vars, mode="FAST_COMPILE", on_unused_input="ignore")(values)
    density = graph.compile_logp(mode="FAST_COMPILE")(values)
    return dict(zip(variables, found, strict=True)), float(density)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("sleepstudy", ["Subject"]),
        ("sleepstudy ||", ["Subject", "Subject.1"]),
        ("penicillin", ["plate", "sample"]),
        ("cbpp", ["herd"]),
        ("gammasim", ["g"]),
    ],
)
def test_chains_start_at_the_point_estimate(model, fitted, name, labels):
    fit = fitted(name)
    names = ["fixef", *(f"{what}_{label}" for label in labels for what in ("sd", "ranef"))]
    found, density = at_start(model(name), names)
    assert np.isfinite(density)
    np.testing.assert_allclose(found["fixef"], fit.values.beta, **EXACT)
    for label, sd, b in zip(labels, fit.values.sd, fit.values.b, strict=True):
        np.testing.assert_allclose(found[f"sd_{label}"], sd, **EXACT)
        np.testing.assert_allclose(found[f"ranef_{label}"], b, **EXACT)


def test_correlations_start_off_their_bounds(model, fitted):
    found, _ = at_start(model("sleepstudy"), ["corr_Subject"])
    assert found["corr_Subject"][0] == pytest.approx(0.95 * fitted("sleepstudy").values.corr[0][1, 0])


def test_singular_estimates_start_inside():
    data = bmx.load_dataset("Dyestuff2")
    data = data.assign(x=np.tile([0.0, 1.0, 2.0, 3.0, 4.0], 6))
    model = bmx.Model("Yield ~ x + (x | Batch)", data)
    fit = model.estimate()
    assert fit.singular
    found, density = at_start(model, ["sd_Batch", "corr_Batch", "ranef_Batch"])
    assert np.isfinite(density)
    assert np.all(found["sd_Batch"] > 0.0)
    assert np.all(np.abs(found["corr_Batch"]) < 1.0)
    np.testing.assert_allclose(found["ranef_Batch"], fit.values.b[0], atol=1e-9)


MIXED = {
    "Intercept": "StudentT(3, 250, 50)",
    "Days": "Cauchy(0, 10)",
    "sd(Subject, Intercept)": "HalfStudentT(3, 20)",
    "sd(Subject, Days)": "Gamma(2, 0.3)",
    "sigma": "Uniform(0, 100)",
}


def test_mixed_kinds_of_priors_start_at_the_estimate(fitted):
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"), priors=MIXED)
    found, density = at_start(model, ["fixef", "sd_Subject"])
    assert np.isfinite(density)
    np.testing.assert_allclose(found["fixef"], fitted("sleepstudy").values.beta, **EXACT)
    np.testing.assert_allclose(found["sd_Subject"], fitted("sleepstudy").values.sd[0], **EXACT)


@pytest.mark.parametrize(
    "priors", [{"Days": "HalfNormal(10)"}, {"sigma": "Uniform(0, 20)"}, {"sd(Subject)": "Uniform(0, 4)"}]
)
def test_chains_start_in_the_support_of_the_prior(priors):
    data = bmx.load_dataset("sleepstudy")
    data = data.assign(Reaction=-data["Reaction"])  # so that the slope is estimated negative
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", data, priors=priors)
    with np.errstate(invalid="ignore"):
        _, density = at_start(model, ["fixef"])
    assert np.isfinite(density)


def an_effect_each_row(seed):
    rng = np.random.default_rng(seed)
    data = {"row": [f"r{j}" for j in range(40)], "x": rng.normal(size=40), "y": rng.negative_binomial(3, 0.5, 40)}
    return bmx.Model("y ~ x + (1 | row)", data, family="poisson")


def test_no_gradient_is_exactly_zero_at_the_start():
    """nutpie calls a starting point invalid if any component of its gradient is zero or not finite."""
    model = an_effect_each_row(0)
    graph = model.to_pymc()
    gradient = graph.compile_dlogp(mode="FAST_COMPILE")(
        start_values(model, graph, lambda point: _nudged(point, np.random.default_rng(0)))
    )
    assert np.all(np.isfinite(gradient))
    assert np.all(gradient != 0.0)


@pytest.mark.slow
def test_an_effect_of_each_row_is_sampled():
    post = an_effect_each_row(0).sample(draws=50, chains=1, seed=1, method=Nuts(tune=100), progress=False)
    assert post.values.b[0].shape == (1, 50, 40, 1)


# ---- Stan ----------------------------------------------------------------------------------------------------------

CASES = {
    "esoph_poisson": (
        "ncases ~ ncontrols + (ncontrols | agegp)",
        "poisson",
        {
            "Intercept": "Normal(0, 2.5)",
            "ncontrols": "Normal(0, 0.5)",
            "sd(agegp, Intercept)": "Exponential(1)",
            "sd(agegp, ncontrols)": "HalfNormal(0.1)",
            "corr(agegp)": "LKJ(2)",
        },
    ),
    "cbpp": (
        "cbind(incidence, size - incidence) ~ period + (1 | herd)",
        "binomial",
        {"Intercept": "Normal(0, 2.5)", "fixed": "Normal(0, 2.5)", "sd": "HalfNormal(1)"},
    ),
    "gammasim": (
        "y ~ x + (1 | g)",
        "gamma",
        {"Intercept": "Normal(0, 2)", "fixed": "Normal(0, 2)", "sd": "Exponential(1)", "shape": "Gamma(2, 0.5)"},
    ),
}


def stan_name(name):
    inside = name[name.find("(") + 1 : -1].replace(", ", "__")
    for ours, theirs in (("sd(", "sd_"), ("corr(", "cor_")):
        if name.startswith(ours):
            return theirs + inside
    return name if name == "shape" else f"b_{name}"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_posteriors_are_stans(case):
    formula, family, priors = CASES[case]
    given = json.loads((STAN / f"{case}.json").read_text(encoding="utf-8"))
    assert len(given["priors"]) <= len(priors)
    model = bmx.Model(formula, bmx.load_dataset(given["data"]), family=family, priors=priors)
    post = model.sample(**DRAWS)
    assert post.divergences == 0
    assert post.converged
    table = post.parameters()
    for name, row in table.iterrows():
        expected = given["parameters"][stan_name(name)]
        error = np.hypot(row["sd"] / np.sqrt(row["ess_bulk"]), expected["mcse_mean"])
        assert abs(row["mean"] - expected["mean"]) < MCSE * error, name
        spread = np.hypot(2.0 * row["sd"] / np.sqrt(row["ess_tail"]), expected["mcse_sd"])  # kurtosis up to 17
        assert abs(row["sd"] - expected["sd"]) < MCSE * spread, name
    for group, levels in post.ranef().items():
        for level, effects in levels.iterrows():
            for effect, value in effects.items():
                expected = given["parameters"][f"r_{group}[{str(level).replace(' ', '.')},{effect}]"]
                error = np.hypot(expected["sd"] / np.sqrt(500.0), expected["mcse_mean"])
                assert abs(value - expected["mean"]) < MCSE * error, (group, level, effect)


@pytest.mark.slow
def test_nuts_and_the_marginal_sampler_agree(model):
    """Two engines, one posterior: sleepstudy's, default priors."""
    nuts = model("sleepstudy").sample(**DRAWS).parameters()
    marginal = model("sleepstudy").sample(**(DRAWS | {"method": "marginal", "draws": 4000})).parameters()
    error = np.hypot(nuts["sd"] / np.sqrt(nuts["ess_bulk"]), marginal["sd"] / np.sqrt(marginal["ess_bulk"]))
    assert np.all(np.abs(nuts["mean"] - marginal["mean"]) < MCSE * error)
    np.testing.assert_allclose(nuts["sd"], marginal["sd"], rtol=0.15)


@pytest.mark.slow
def test_a_seed_repeats_every_draw(model):
    first, second, other = (
        model("cbpp").sample(draws=50, chains=2, seed=seed, method=Nuts(tune=100), progress=False) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.values.beta, second.values.beta)
    np.testing.assert_array_equal(first.values.b[0], second.values.b[0])
    assert not np.array_equal(first.values.beta, other.values.beta)


@pytest.mark.slow
def test_draws_obey_the_models_own_identities(model):
    """The deterministics read back: covariance of the effects drawn for many levels is the drawn covariance."""
    post = model("sleepstudy").sample(draws=200, chains=2, seed=3, method=Nuts(tune=300), progress=False)
    assert post.method == "nuts"
    assert post.values.lead == (2, 200)
    (sd,), (corr,), (b,) = post.values.sd, post.values.corr, post.values.b
    assert np.all(sd > 0.0)
    np.testing.assert_array_equal(corr, np.swapaxes(corr, -1, -2))
    assert np.all(np.linalg.eigvalsh(covariance(sd, corr)) > 0.0)
    assert b.shape == (2, 200, 18, 2)
    assert {"diverging", "energy", "lp", "n_steps", "step_size", "acceptance_rate"} <= set(post.draws.stats)
