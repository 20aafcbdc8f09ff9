"""The dense formulas of rows with several linear predictors: equal to TMB's, Stan's and brute-force integrals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from breadth import (
    ESTIMATES,
    FOLDER,
    POSTERIORS,
    dense_effects,
    dense_model,
    dense_posteriors,
    dense_values,
    estimate_case,
    posterior_case,
)
from dense import central
from dense_rows import (
    Block,
    DenseRows,
    Response,
    conditional_mode,
    exact,
    laplace,
    log_joint,
    log_likelihood,
    predictors,
    root,
    rows_of,
)
from scipy import stats

# relative: TMB's conditional modes have a gradient of about 1e-10, its log gamma function is its own
CRITERION = 1e-11
GRADIENT = 1e-6  # in units of the criterion a standard error: central differences
SURVEY = {
    "sleepstudy_locscale": "sleepstudy_locscale",
    "sleepstudy_sigma_days": "sleepstudy_sigma_days",
    "epilepsy_shape": "epilepsy_nb_shape",
}
rng = np.random.default_rng


def criterion(case: Mapping[str, Any], parameters: Mapping[str, float]) -> float:
    return laplace(dense_model(case), dense_values(case, parameters), reml=case["method"] == "reml")


def estimates(case: Mapping[str, Any]) -> dict[str, float]:
    return {name: found["estimate"] for name, found in case["parameters"].items()}


# ---- TMB -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ESTIMATES)
def test_laplace_is_that_of_tmb(name):
    case = estimate_case(name)
    point = case["points"][1]
    assert criterion(case, point["parameters"]) == pytest.approx(point["criterion"], rel=CRITERION)


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATES)
def test_laplace_is_that_of_tmb_everywhere(name):
    case = estimate_case(name)
    assert criterion(case, estimates(case)) == pytest.approx(case["criterion"], rel=CRITERION)
    for point in case["points"]:
        assert criterion(case, point["parameters"]) == pytest.approx(point["criterion"], rel=CRITERION)


def directional(case: Mapping[str, Any], point: Mapping[str, Any]) -> tuple[float, float]:
    """The criterion's slope at a point along the standard errors of all parameters: by differences and by TMB."""
    step = {name: case["parameters"][name]["se"] for name in point["gradient"]}

    def along(x: np.ndarray) -> float:
        return criterion(case, {name: value + x[0] * step[name] for name, value in point["parameters"].items()})

    by_tmb = sum(slope * step[name] for name, slope in point["gradient"].items())
    return float(central(along, np.zeros(1), 1e-3)[0]), by_tmb


@pytest.mark.parametrize("name", ["sleepstudy_sigma_days_reml", "times_offsets", "two_gaussian_rescor_sigma"])
def test_gradient_of_tmb_is_that_of_the_criterion(name):
    case = estimate_case(name)
    found, by_tmb = directional(case, case["points"][0])
    assert found == pytest.approx(by_tmb, abs=GRADIENT)


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATES)
def test_gradients_of_tmb_are_those_of_the_criterion(name):
    case = estimate_case(name)
    for point in case["points"]:
        found, by_tmb = directional(case, point)
        assert found == pytest.approx(by_tmb, abs=GRADIENT)


@pytest.mark.parametrize("name", ["sleepstudy_locscale", "two_gaussian_rescor", "clumps_shared"])
def test_conditional_modes_are_those_of_tmb(name):
    case = estimate_case(name)
    model, values = dense_model(case), dense_values(case, estimates(case))
    mode, term = conditional_mode(model, values), case["modes"][0]
    b = mode.u.reshape(len(term["levels"]), -1) @ root(values.covariances[0]).T
    np.testing.assert_allclose(b, term["mode"], atol=1e-8 * np.max(np.abs(term["mode"])))


@pytest.mark.parametrize("name", [name for name in ESTIMATES if "checks" in estimate_case(name)])
def test_glmmtmb_has_the_same_optimum(name):
    found = estimate_case(name)["checks"]["glmmTMB"]
    assert abs(found["minus_ours"]) < 1e-9
    assert found["fixed_difference_in_se"] < 1e-8


@pytest.mark.parametrize("name", ESTIMATES)
def test_estimates_are_at_the_optimum(name):
    polish = estimate_case(name)["polish"]
    assert polish["remaining_step_in_se"] < 1e-8
    assert polish["smallest_eigenvalue"] > 0.0
    assert np.ptp(polish["starts"]) < 1e-6


@pytest.mark.parametrize("name", SURVEY)
def test_estimates_are_those_of_the_survey(name):
    ours = estimate_case(name)
    other = json.loads((FOLDER / "survey" / f"{SURVEY[name]}.json").read_text(encoding="utf-8"))
    assert ours["criterion"] == pytest.approx(other["criterion"]["value"], rel=1e-12)
    for parameter, coefficients in other["predictors"].items():
        for column, found in coefficients.items():
            own = ours["parameters"][("" if parameter == "mu" else f"{parameter}_") + column.strip("()")]
            assert own["estimate"] == pytest.approx(found["estimate"], abs=1e-7 * found["se"])
            assert own["se"] == pytest.approx(found["se"], rel=1e-6)


# ---- Stan and quadrature ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", dense_posteriors())
def test_log_likelihood_is_that_of_stan(name):
    case = posterior_case(name)
    model = dense_model(case)
    for point in case["points"]:
        bs = dense_effects(case, point["effects"])
        found = log_likelihood(model, dense_values(case, point["parameters"]), bs)
        assert found == pytest.approx(point["log_likelihood"], rel=1e-12)


@pytest.mark.parametrize("name", POSTERIORS)
def test_posteriors_have_converged(name):
    case = posterior_case(name)
    assert case["sampler"]["divergences"] == 0
    assert max(found["rhat"] for found in case["parameters"].values()) < 1.005
    assert min(found["ess_bulk"] for found in case["parameters"].values()) > 2000


QUADRATURE = json.loads((FOLDER / "quadrature.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("i", range(3))
def test_grid_is_adaptive_quadrature(i):
    case, point = estimate_case("spread"), QUADRATURE["points"][i]
    found = exact(dense_model(case), dense_values(case, point["parameters"]))
    assert found == pytest.approx(point["criterion"], rel=1e-12)


@pytest.mark.slow
def test_grid_is_the_survey_s_quadrature():
    other = json.loads((FOLDER / "survey" / "sleepstudy_locscale.json").read_text(encoding="utf-8"))
    case = estimate_case("sleepstudy_locscale")
    found = exact(dense_model(case), dense_values(case, estimates(case)))
    # its Gauss-Hermite rule changed by 5e-7 from 31 to 61 nodes
    assert found == pytest.approx(-2.0 * other["checks"]["exact_marginal_loglik"]["value"], abs=2e-6)


# ---- identities ------------------------------------------------------------------------------------------------------


def test_laplace_of_a_linear_mean_is_the_normal_density():
    case = estimate_case("sleepstudy_sigma_days")
    model, values = dense_model(case), dense_values(case, estimates(case))
    block = model.blocks[0]
    Z = np.zeros((180, block.levels, 2))
    Z[np.arange(180), block.codes] = block.z[0]
    Z = Z.reshape(180, -1)
    V = Z @ np.kron(np.eye(block.levels), values.covariances[0]) @ Z.T
    V += np.diag(np.exp(2.0 * model.X[1] @ values.betas[1]))
    density = stats.multivariate_normal(model.X[0] @ values.betas[0], V).logpdf(model.responses[0].y)
    assert laplace(model, values) == pytest.approx(-2.0 * density, rel=1e-12)
    assert -2.0 * density == pytest.approx(1740.000695, rel=1e-9)  # glmmTMB's


def test_joint_density_of_effects_and_rows():
    case = estimate_case("gaussian_poisson_sigma")
    model, values = dense_model(case), dense_values(case, estimates(case))
    b = np.array(case["modes"][0]["mode"])
    normal = stats.multivariate_normal(np.zeros(3), values.covariances[0]).logpdf(b).sum()
    assert log_joint(model, values, [b]) == pytest.approx(log_likelihood(model, values, [b]) + normal)


FAMILIES = [
    ("gaussian", "identity"),
    ("gaussian", "log"),
    ("gaussian", "inverse"),
    ("poisson", "log"),
    ("poisson", "sqrt"),
    ("binomial", "logit"),
    ("binomial", "probit"),
    ("bernoulli", "cloglog"),
    ("gamma", "log"),
    ("gamma", "inverse"),
    ("negbinomial", "log"),
]


def response_of(family: str, link: str, n: int) -> Response:
    """Values with one predictor for the mean and one for the auxiliary parameter, which some families have not."""
    y = rng(1).integers(1, 5, n).astype(float)
    trials = {"binomial": np.full(n, 6.0), "bernoulli": 1.0}.get(family, 1.0)
    y = np.minimum(y, trials) if family in {"binomial", "bernoulli"} else y
    return Response(y, family, link, 0, 1 if family in {"gaussian", "gamma", "negbinomial"} else None, trials)


@pytest.mark.parametrize(("family", "link"), FAMILIES)
def test_derivatives_of_a_row(family, link):
    n = 12
    model = DenseRows([response_of(family, link, n)], [np.zeros((n, 0))] * 2, [np.zeros(n)] * 2)
    check_derivatives(model, None, rng(2).uniform(0.3, 1.2, (n, 2)))


@pytest.mark.parametrize("missing", [False, True])
def test_derivatives_of_correlated_rows(missing):
    n = 12
    y = rng(3).normal(size=(3, n))
    if missing:
        y[0, :3] = y[1, 2:5] = y[2, 11] = np.nan
    members = [Response(own, "gaussian", "identity", 2 * i, 2 * i + 1) for i, own in enumerate(y)]
    count = Response(np.arange(n, dtype=float), "poisson", "log", 6)
    model = DenseRows([*members, count], [np.zeros((n, 0))] * 7, [np.zeros(n)] * 7)
    corr = np.array([[1.0, 0.5, -0.2], [0.5, 1.0, 0.1], [-0.2, 0.1, 1.0]])
    check_derivatives(model, corr, rng(4).normal(size=(n, 7)))


def check_derivatives(model: DenseRows, corr: np.ndarray | None, eta: np.ndarray) -> None:
    _, gradient, hessian = rows_of(model, corr, eta)
    for r in range(eta.shape[1]):

        def moved(x: np.ndarray, r: int = r) -> np.ndarray:
            return eta + x[0] * np.eye(eta.shape[1])[r]

        by_value = central(lambda x: rows_of(model, corr, moved(x))[0], np.zeros(1), 1e-3)[:, 0]
        by_gradient = central(lambda x: rows_of(model, corr, moved(x))[1], np.zeros(1), 1e-3)[:, :, 0]
        np.testing.assert_allclose(gradient[:, r], by_value, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(hessian[:, r], by_gradient, rtol=1e-7, atol=1e-7)


def test_correlated_residuals_are_a_joint_normal_density():
    case = estimate_case("two_gaussian_rescor_sigma")
    model, values = dense_model(case), dense_values(case, estimates(case))
    bs = [np.array(case["modes"][0]["mode"])]
    eta = predictors(model, values.betas, bs)
    y = np.stack([one.y for one in model.responses], axis=1)
    total = 0.0
    for row, own in zip(y, eta, strict=True):
        S = np.exp([own[1], own[3]])
        total += stats.multivariate_normal(own[[0, 2]], np.outer(S, S) * values.rescor).logpdf(row)
    assert log_likelihood(model, values, bs) == pytest.approx(total, rel=1e-12)


def test_several_responses_are_one_stacked_model():
    """Two responses side by side, and the same as rows of one table of which each has one of them."""
    case = estimate_case("gaussian_poisson")
    model, values = dense_model(case), dense_values(case, estimates(case))
    n, gap = 180, np.full(180, np.nan)
    twice = [np.r_[model.responses[0].y, gap], np.r_[gap, model.responses[1].y]]
    responses = [replace(one, y=y) for one, y in zip(model.responses, twice, strict=True)]
    block = model.blocks[0]
    stacked = Block(np.tile(block.codes, 2), [np.vstack([z, z]) for z in block.z], block.levels)
    long = DenseRows(responses, [np.vstack([X, X]) for X in model.X], [np.zeros(2 * n)] * 3, [stacked])
    assert laplace(long, values) == pytest.approx(laplace(model, values), rel=1e-13)


def test_no_random_effects_and_none_of_any_size():
    """Without effects, and with effects whose sd is zero, the criterion is that of the fixed effects."""
    case = estimate_case("times_shape")
    model, values = dense_model(case), dense_values(case, estimates(case))
    bare = laplace(replace(model, blocks=[]), replace(values, covariances=[]))
    assert laplace(model, replace(values, covariances=[np.zeros((1, 1))])) == pytest.approx(bare, rel=1e-13)
    mu, k = np.exp(model.X[0] @ values.betas[0]), np.exp(model.X[1] @ values.betas[1])
    assert bare == pytest.approx(-2.0 * stats.gamma(k, scale=mu / k).logpdf(model.responses[0].y).sum(), rel=1e-12)
