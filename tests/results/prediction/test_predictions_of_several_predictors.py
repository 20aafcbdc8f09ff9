"""Predictions, residuals and simulated responses of rows with several predictors, against dense columns and SciPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from breadth import dense_values, estimate_case, frame
from breadth_fits import (
    MODELS,
    RESPONSES,
    SHAPE,
    SHARED,
    SIGMA,
    at,
    estimated,
    etas,
    joint_covariance,
    model_of,
    posterior,
)
from densities import MEAN
from densities import response as law_of
from scipy import stats

from bayesmix.errors import DataError, SpecError

Array = np.ndarray

# model, parameter, response -> predictor of the dense model, inverse link
QUANTITIES = [
    (SIGMA, None, None, 0, lambda eta: eta),
    (SIGMA, "sigma", None, 1, np.exp),
    (SHARED, "mu", None, 0, lambda eta: eta),
    (SHARED, "sigma", None, 1, np.exp),
    (SHAPE, None, None, 0, np.exp),
    (SHAPE, "shape", "count", 1, np.exp),
    (RESPONSES, None, None, 0, lambda eta: eta),
    (RESPONSES, "sigma", "a", 1, np.exp),
    (RESPONSES, None, "n", 2, np.exp),
]
EXACT = {"rtol": 1e-9}


def dense(name: str) -> Array:
    """Linear predictors ``(n, R)`` at the estimate."""
    return etas(model_of(name), estimated(name).values)


@pytest.mark.parametrize(("name", "parameter", "response", "r", "inverse"), QUANTITIES)
def test_fitted_values_of_estimates(name, parameter, response, r, inverse):
    fit, eta = estimated(name), dense(name)[:, r]
    options = {"parameter": parameter, "response": response}
    np.testing.assert_allclose(fit.fitted(**options), inverse(eta), **EXACT)
    np.testing.assert_allclose(fit.linear_predictor(**options), eta, **EXACT)
    np.testing.assert_allclose(fit.predict(**options)["estimate"], inverse(eta), **EXACT)
    data = frame(estimate_case(name)["data"])
    np.testing.assert_allclose(fit.predict(data, kind="linear", **options)["estimate"], eta, **EXACT)


@pytest.mark.parametrize(("name", "parameter", "response", "r", "inverse"), QUANTITIES)
def test_standard_errors_are_those_of_the_joint_covariance(name, parameter, response, r, inverse):
    """Of fixed and random effects together, by dense matrices, at the estimated covariances."""
    fit = estimated(name)
    columns, covariance = joint_covariance(name)
    variance = np.einsum("np,pq,nq->n", columns[r], covariance, columns[r])
    found = fit.predict(kind="linear", parameter=parameter, response=response)
    np.testing.assert_allclose(found["std_error"], np.sqrt(variance), rtol=1e-6)
    np.testing.assert_allclose(found["upper"] - found["lower"], 2.0 * stats.norm.ppf(0.975) * found["std_error"])
    mean = fit.predict(parameter=parameter, response=response)
    np.testing.assert_allclose(mean["lower"], inverse(found["lower"]), **EXACT)
    np.testing.assert_allclose(mean["upper"], inverse(found["upper"]), **EXACT)


@pytest.mark.parametrize(("name", "parameter", "response", "r", "inverse"), QUANTITIES)
def test_scopes_are_about_the_effects_of_the_predictor(name, parameter, response, r, inverse):
    fit, data = estimated(name), frame(estimate_case(name)["data"])
    model = model_of(name)
    fixed = etas(model, fit.values, with_effects=False)[:, r]
    values = dense_values(estimate_case(name), fit.parameters()["estimate"].to_dict())
    spread = np.einsum("na,ab,nb->n", model.blocks[0].z[r], values.covariances[0], model.blocks[0].z[r])
    options = {"parameter": parameter, "response": response}
    group = fit.design.terms[0].group
    without = data.drop(columns=group)
    np.testing.assert_allclose(fit.predict(without, groups="zero", **options)["estimate"], inverse(fixed), **EXACT)
    average = inverse(fixed + 0.5 * spread) if inverse is np.exp else fixed
    np.testing.assert_allclose(fit.predict(without, groups="average", **options)["estimate"], average, rtol=1e-7)
    linear = {kind: fit.predict(data, kind="linear", groups=kind, **options) for kind in ("zero", "new")}
    total = linear["zero"]["std_error"] ** 2 + spread
    np.testing.assert_allclose(linear["new"]["std_error"] ** 2, total, rtol=1e-9)
    unseen = data.assign(**{group: "nobody"})
    if model.blocks[0].z[r].any():
        with pytest.raises(DataError, match="not seen"):
            fit.predict(unseen, **options)
    else:  # sigma ~ Days has no effects of Subject
        np.testing.assert_allclose(fit.predict(unseen, **options)["estimate"], inverse(fixed), **EXACT)


def test_columns_of_other_predictors_are_not_needed():
    shape = estimated(SHAPE).predict(pd.DataFrame({"Trt": ["0", "1"]}), parameter="shape", kind="linear")
    both = estimated(SHAPE).parameters()["estimate"]
    np.testing.assert_allclose(shape["estimate"], both["shape_Intercept"] + np.r_[0.0, both["shape_Trt1"]])


@pytest.mark.parametrize("name", MODELS)
def test_posteriors_are_predicted_draw_by_draw(name):
    post, model = posterior(name), model_of(name)
    for _, parameter, response, r, inverse in (one for one in QUANTITIES if one[0] == name):
        drawn = np.array([etas(model, draw)[:, r] for draw in draws_of(post)])
        options = {"parameter": parameter, "response": response}
        np.testing.assert_allclose(post.fitted(**options), inverse(drawn).mean(axis=0), **EXACT)
        found = post.predict(**options)
        np.testing.assert_allclose(found["mean"], inverse(drawn).mean(axis=0), **EXACT)
        np.testing.assert_allclose(found["upper"], np.percentile(inverse(drawn), 97.5, axis=0), **EXACT)


def draws_of(post):
    chains, draws = post.values.lead
    return [at(post.values, chain, draw) for chain in range(chains) for draw in range(draws)]


# ---- new responses ---------------------------------------------------------------------------------------------------


def test_new_observations_of_shared_effects_have_the_variance_of_all_predictors():
    """``E sigma^2 + Var mu`` of ``(1 | ID | Subject)`` in the mean and in log sigma, new subjects, by their moments."""
    fit, n = estimated(SHARED), 25_000
    data = pd.DataFrame({"Days": np.zeros(n), "Subject": [f"s{i}" for i in range(n)]})
    drawn = fit.simulate(1, data, groups="new", seed=3)["sim_1"].to_numpy()
    sd, corr = fit.values.sd[0], fit.values.corr[0][0, 1]
    mu, sigma = fit.values.beta[0], np.exp(fit.values.beta[2])
    variance = sd[0] ** 2 + sigma**2 * np.exp(2.0 * sd[1] ** 2)
    assert drawn.mean() == pytest.approx(mu, abs=4.0 * np.sqrt(variance / n))
    assert drawn.var() == pytest.approx(variance, rel=0.03)
    # E (y - mu)^3 = 3 E[b sigma^2] = 6 corr sd sd' sigma^2 exp(2 sd'^2): effects are drawn together
    third = 6.0 * corr * sd[0] * sd[1] * sigma**2 * np.exp(2.0 * sd[1] ** 2)
    error = np.std((drawn - mu) ** 3) / np.sqrt(n)
    assert np.mean((drawn - mu) ** 3) == pytest.approx(third, abs=4.0 * error)
    assert third > 5.0 * error


def test_averaged_effects_of_new_observations_are_drawn_together():
    post = posterior(SHARED, 2000, 0.0)
    drawn = post_draws(post, "average")
    sd, corr = post.values.sd[0][0, 0], post.values.corr[0][0, 0, 0, 1]
    sigma = np.exp(post.values.beta[0, 0, 2])
    third = 6.0 * corr * sd[0] * sd[1] * sigma**2 * np.exp(2.0 * sd[1] ** 2)
    centred = drawn - post.values.beta[0, 0, 0]
    error = np.std(centred**3) / np.sqrt(drawn.size)
    assert np.mean(centred**3) == pytest.approx(third, abs=4.0 * error)
    assert centred.var() == pytest.approx(sd[0] ** 2 + sigma**2 * np.exp(2.0 * sd[1] ** 2), rel=0.05)


def post_draws(post, groups):
    from bayesmix.results.prediction.predict import predict
    from bayesmix.results.prediction.rows import PredictionRows

    data = pd.DataFrame({"Days": np.zeros(10), "Subject": ["308"] * 10})
    rows = PredictionRows.of_new_data(post.design, data, groups, None)
    return predict(post.spec, rows, post.values, kind="response", groups=groups, seed=1)


@pytest.mark.parametrize("name", MODELS)
def test_new_observations_of_estimates(name):
    """Mean and variance of ``y``: variances of the estimated predictors, covariances between them, and the family's."""
    fit = estimated(name)
    columns, covariance = joint_covariance(name)
    case, eta, rng = estimate_case(name), dense(name), np.random.default_rng(5)
    joint = np.einsum("rnp,pq,snq->nrs", columns, covariance, columns)[:3]
    for number, one in enumerate(model_of(name).responses):
        found = fit.predict(frame(case["data"]).iloc[:3], kind="response", response=fit.spec.responses[number].label)
        for i in range(3):
            draws = rng.multivariate_normal(eta[i], joint[i], 200_000)
            own = [draws[:, r] for r in (one.mean, one.auxiliary) if r is not None]
            y = law_of(one.family, *parameters_of(one, own)).rvs(random_state=rng)
            assert found["std_error"].iloc[i] == pytest.approx(y.std(), rel=0.07)
            assert found["estimate"].iloc[i] == pytest.approx(parameters_of(one, [eta[i, one.mean]])[0], rel=1e-9)
            width = np.diff(np.percentile(y, [2.5, 97.5]))[0]
            assert found["upper"].iloc[i] - found["lower"].iloc[i] == pytest.approx(width, rel=0.08, abs=1.0)


def parameters_of(one, own):
    """Mean and auxiliary parameter from their predictors."""
    return [MEAN[one.link](own[0]), np.exp(own[1]) if len(own) > 1 else 1.0]


def test_responses_simulated_with_one_seed_are_of_one_data_set():
    """``(1 | p | g)`` in both responses: new levels' effects are the same ones, the noise is not."""
    fit = estimated(RESPONSES)
    sets = {name: fit.simulate(400, groups="new", response=name, seed=2).to_numpy() for name in ("a", "n")}
    codes = fit.design.terms[0].codes[: fit.design.n]
    x = frame("responses")["x"].to_numpy()
    beta = fit.values.beta
    rest_a = sets["a"] - (beta[0] + beta[1] * x)[:, None]
    counts = sets["n"] / np.exp(beta[3] + beta[4] * x)[:, None]
    means = [np.array([rest[codes == j].mean(axis=0) for j in range(30)]).ravel() for rest in (rest_a, counts)]
    # of a lognormal m and a normal b, Cov(b, m) = Cov(b, b') E m
    sd, corr = fit.values.sd[0], fit.values.corr[0][0, 1]
    expected = corr * sd[0] * sd[1] * np.exp(0.5 * sd[1] ** 2)
    assert np.cov(*means)[0, 1] == pytest.approx(expected, rel=0.1)
    within = [rest - np.array([rest[codes == j].mean(axis=0) for j in range(30)])[codes] for rest in (rest_a, counts)]
    assert abs(np.corrcoef(within[0].ravel(), within[1].ravel())[0, 1]) < 0.02
    assert fit.simulate(2, seed=4).equals(fit.simulate(2, seed=4, response="a"))


# ---- residuals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_residuals(name):
    fit, eta = estimated(name), dense(name)
    for number, one in enumerate(model_of(name).responses):
        label = fit.spec.responses[number].label
        own = parameters_of(one, [eta[:, r] for r in (one.mean, one.auxiliary) if r is not None])
        law = law_of(one.family, *own)
        np.testing.assert_allclose(fit.residuals(response=label), one.y - own[0], **EXACT)
        pearson = (one.y - law.mean()) / law.std()
        np.testing.assert_allclose(fit.residuals("pearson", response=label), pearson, rtol=1e-8)
        quantile = stats.norm.cdf(fit.residuals("quantile", response=label))
        below = law.cdf(one.y) if one.family == "gaussian" else law.cdf(one.y - 1.0)
        assert np.all((quantile >= below - 1e-9) & (quantile <= law.cdf(one.y) + 1e-9))
        if one.family == "gaussian":
            np.testing.assert_allclose(fit.residuals("quantile", response=label), pearson, rtol=1e-6)


# ---- effects ---------------------------------------------------------------------------------------------------------


def test_conditional_effects_of_sigma():
    fit = estimated(SIGMA)
    table = fit.conditional_effects("Days", parameter="sigma", points=4)
    values = fit.parameters()["estimate"]
    expected = np.exp(values["sigma_Intercept"] + values["sigma_Days"] * table["Days"])
    np.testing.assert_allclose(table["estimate"], expected, rtol=1e-9)
    V = fit.point.beta_cov[2:, 2:]
    design = np.column_stack([np.ones(4), table["Days"]])
    error = np.sqrt(np.einsum("np,pq,nq->n", design, V, design))
    np.testing.assert_allclose(table["std_error"], expected * error, rtol=1e-6)


def test_slopes_and_contrasts_of_other_parameters():
    values = estimated(SIGMA).parameters()
    slope = estimated(SIGMA).slopes("Days", parameter="sigma", kind="linear")
    np.testing.assert_allclose(slope[["estimate", "std_error"]].to_numpy()[0], values.loc["sigma_Days"], rtol=1e-6)
    values = estimated(SHAPE).parameters()
    contrast = estimated(SHAPE).contrasts("Trt", parameter="shape", kind="linear")
    np.testing.assert_allclose(contrast[["estimate", "std_error"]].to_numpy()[0], values.loc["shape_Trt1"], rtol=1e-6)
    means = estimated(SHAPE).marginal_means("Trt", parameter="shape")
    eta = values["estimate"]["shape_Intercept"] + np.r_[0.0, values["estimate"]["shape_Trt1"]]
    np.testing.assert_allclose(means["estimate"], np.exp(eta), rtol=1e-9)
    slope = estimated(RESPONSES).slopes("x", response="n", kind="linear")
    values = estimated(RESPONSES).parameters()
    np.testing.assert_allclose(slope[["estimate", "std_error"]].to_numpy()[0], values.loc["n_x"], rtol=1e-6)


def test_averages_over_rows_have_the_joint_covariance():
    """The average slope of sigma over fitted subjects takes the effects on sigma into account."""
    fit = estimated(SHARED)
    columns, covariance = joint_covariance(SHARED)
    eta = dense(SHARED)[:, 1]
    slope = fit.values.beta[3]
    found = fit.slopes("Days", parameter="sigma", groups="fitted")
    assert found["estimate"][0] == pytest.approx(np.mean(slope * np.exp(eta)), rel=1e-6)
    # derivative of the mean slope by all effects: slope exp(eta) x_i + exp(eta) at the column of Days
    gradient = np.mean(slope * np.exp(eta)[:, None] * columns[1], axis=0)
    gradient[-1] += np.mean(np.exp(eta))
    assert found["std_error"][0] == pytest.approx(np.sqrt(gradient @ covariance @ gradient), rel=1e-5)


def test_hypotheses_about_numbers_are_on_their_own_scale():
    fit = estimated(RESPONSES)
    values = fit.parameters().loc["sigma_a"]
    found = fit.hypothesis("sigma_a = 1")
    assert found["estimate"].iloc[0] == pytest.approx(values["estimate"] - 1.0)
    assert found["std_error"].iloc[0] == pytest.approx(values["std_error"], rel=1e-6)


WRONG = {
    "zi": ({"parameter": "zi"}, "no parameter=`zi`. Parameters: mu, sigma"),
    "response": ({"response": "b"}, "not a response"),
    "draws": ({"parameter": "sigma", "kind": "response"}, "leave parameter='sigma' out"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_there_is_refused_by_name(case):
    options, message = WRONG[case]
    with pytest.raises(SpecError, match=message):
        estimated(SIGMA).predict(**options)


def test_predictors_are_those_of_the_parameter():
    with pytest.raises(DataError, match="`zAge` is not a predictor of the fixed part of `shape`"):
        estimated(SHAPE).conditional_effects("zAge", parameter="shape")


@pytest.mark.parametrize("name", [SHARED, SHAPE])
def test_more_unseen_levels_than_the_fit_has(name):
    """Their codes go below minus the number of levels; known levels keep their effects."""
    fit, data = estimated(name), frame(estimate_case(name)["data"])
    group = fit.design.terms[0].group
    many = pd.concat([data.iloc[[0]].assign(**{group: f"new {i}"}) for i in range(100)])
    both = pd.concat([data.iloc[:5].astype({group: object}), many])
    found = fit.predict(both, kind="linear", groups="known")["estimate"].to_numpy()
    fixed = etas(model_of(name), fit.values, with_effects=False)[0, 0]
    np.testing.assert_allclose(found, np.r_[dense(name)[:5, 0], np.full(100, fixed)], **EXACT)
