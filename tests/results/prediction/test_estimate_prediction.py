"""Predictions of point estimates: closed forms of normal, log-normal and probit-normal means, integrals elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dense import gauss_weights, indicator
from scipy.stats import norm, poisson, t

import bayesmix as bmx
from bayesmix.results.prediction import estimate_prediction

EXACT = {"rtol": 1e-9}


def group_variance(fit):
    """``z' Sigma z`` of the rows of the fit, a term each."""
    own = zip(fit.design.terms, fit.point.covariances, strict=True)
    return [np.einsum("nk,kl,nl->n", term.z, matrix, term.z) for term, matrix in own]


def fixed_part(fit):
    """Linear predictor and variance of ``x'beta``."""
    X = fit.design.X
    return X @ fit.values.beta + fit.design.offset, np.einsum("np,pq,nq->n", X, fit.point.beta_cov, X)


# ---- linear models -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sleepstudy", "sleepstudy weights"])
def test_known_levels_have_the_variance_of_the_mixed_model_equations(fitted, name):
    """Henderson's: ``[X Z] (the inverse) [X Z]'``, and a new observation adds sigma^2 / weight."""
    fit = fitted(name)
    design, (term,), sigma2 = fit.design, fit.design.terms, float(fit.values.dispersion) ** 2
    XZ = np.hstack([design.X, indicator(term.codes, term.z, len(term.levels))])
    penalty = np.zeros((XZ.shape[1], XZ.shape[1]))
    penalty[2:, 2:] = np.kron(np.eye(len(term.levels)), np.linalg.inv(fit.point.covariances[0]))
    inverse = np.linalg.inv((XZ.T * design.weights) @ XZ / sigma2 + penalty)
    expected = np.einsum("np,pq,nq->n", XZ, inverse, XZ)
    for kind, own in (("linear", expected), ("mean", expected), ("response", expected + sigma2 / design.weights)):
        table = fit.predict(kind=kind)
        np.testing.assert_allclose(table["std_error"] ** 2, own, rtol=1e-6, err_msg=kind)
        np.testing.assert_allclose(table["estimate"], fit.fitted(), **EXACT)
        reach = t.ppf(0.975, table["df"]) * table["std_error"]
        np.testing.assert_allclose(table["upper"] - table["estimate"], reach, rtol=1e-8)
        np.testing.assert_allclose(table["estimate"] - table["lower"], reach, rtol=1e-8)
        assert np.all(table["df"] >= len(term.levels) - 1.0)


def test_new_observations_of_new_levels(fitted):
    fit = fitted("sleepstudy")
    (s,), (eta, v) = group_variance(fit), fixed_part(fit)
    found = fit.predict(kind="response", groups="new")
    np.testing.assert_allclose(found["estimate"], eta, **EXACT)
    np.testing.assert_allclose(found["std_error"] ** 2, v + s + float(fit.values.dispersion) ** 2, **EXACT)
    np.testing.assert_allclose(
        found["upper"] - found["estimate"], t.ppf(0.975, found["df"]) * found["std_error"], rtol=1e-10
    )
    assert np.all((found["df"] > 17.0) & (found["df"] < 180.0))


def test_observations_averaged_over_groups_have_their_variance(fitted):
    """Only of observations: of a linear predictor the average is that of a typical group."""
    fit = fitted("sleepstudy")
    (s,), (_, v) = group_variance(fit), fixed_part(fit)
    average = {kind: fit.predict(kind=kind, groups="average")["std_error"] ** 2 for kind in ("linear", "response")}
    np.testing.assert_allclose(average["linear"], v, **EXACT)
    np.testing.assert_allclose(average["response"], v + s + float(fit.values.dispersion) ** 2, **EXACT)


def test_intervals_may_be_normal(fitted):
    found = fitted("sleepstudy").predict(kind="linear", df="asymptotic", interval=0.8)
    assert np.all(np.isinf(found["df"]))
    np.testing.assert_allclose(found["upper"] - found["estimate"], norm.ppf(0.9) * found["std_error"], **EXACT)


# ---- means of generalized models -----------------------------------------------------------------------------------


def test_means_on_the_log_scale(fitted):
    """Normal linear predictors make log-normal means: every scope has a closed form."""
    fit = fitted("esoph poisson")
    q, (s,), (eta, v) = norm.ppf(0.95), group_variance(fit), fixed_part(fit)
    zero = fit.predict(groups="zero", interval=0.9)
    np.testing.assert_allclose(zero["std_error"], np.exp(eta) * np.sqrt(v), rtol=1e-10)
    np.testing.assert_allclose(zero["lower"], np.exp(eta - q * np.sqrt(v)), rtol=1e-10)
    average = fit.predict(groups="average", interval=0.9)
    np.testing.assert_allclose(average["std_error"], np.exp(eta + s / 2) * np.sqrt(v), rtol=1e-8)
    np.testing.assert_allclose(average["upper"], np.exp(eta + s / 2 + q * np.sqrt(v)), rtol=1e-8)
    new = fit.predict(groups="new", interval=0.9)
    np.testing.assert_allclose(new["estimate"], np.exp(eta + s / 2), rtol=1e-8)
    np.testing.assert_allclose(new["std_error"], np.sqrt(np.expm1(s + v)) * np.exp(eta + (s + v) / 2), rtol=1e-4)
    np.testing.assert_allclose(new["upper"], np.exp(eta + q * np.sqrt(s + v)), rtol=1e-10)
    linear = fit.predict(groups="new", kind="linear", interval=0.9)
    np.testing.assert_allclose(linear["std_error"], np.sqrt(s + v), rtol=1e-10)


def crossed(family, link=None):
    """A generalized model with two factors, for scopes that differ."""
    rng = np.random.default_rng(2)
    g, h, x = np.arange(120) % 12, np.arange(120) % 7, rng.normal(size=120)
    eta = 0.2 + 0.5 * x + 0.6 * rng.normal(size=12)[g] + 0.4 * rng.normal(size=7)[h]
    y = rng.poisson(np.exp(eta)) if family == "poisson" else rng.binomial(1, norm.cdf(eta))
    return bmx.Model("y ~ x + (1 | g) + (1 | h)", {"y": y, "x": x, "g": g, "h": h}, family=family, link=link)


@pytest.fixture(scope="module")
def counts():
    return crossed("poisson").estimate()


@pytest.fixture(scope="module")
def probit():
    return crossed("bernoulli", "probit").estimate()


def test_one_factor_is_drawn_while_another_is_averaged(counts):
    """``exp(eta + (s + r) / 2)``, spread by the drawn factor and the fixed effects only."""
    (s, r), (eta, v) = group_variance(counts), fixed_part(counts)
    found = counts.predict(groups={"g": "new", "h": "average"}, interval=0.9)
    np.testing.assert_allclose(found["estimate"], np.exp(eta + (s + r) / 2), rtol=1e-8)
    spread = np.sqrt(np.expm1(s + v)) * np.exp(eta + r / 2 + (s + v) / 2)
    np.testing.assert_allclose(found["std_error"], spread, rtol=1e-5)
    ends = [np.exp(eta + r / 2 + side * norm.ppf(0.95) * np.sqrt(s + v)) for side in (-1.0, 1.0)]
    np.testing.assert_allclose(found[["lower", "upper"]].T, ends, rtol=1e-8)


def test_averages_of_a_probit_model(probit):
    """``Phi(eta / sqrt(1 + s))``, by the delta method its density over the same root."""
    s, (eta, v) = sum(group_variance(probit)), fixed_part(probit)
    root = np.sqrt(1.0 + s)
    found = probit.predict(groups="average", interval=0.9)
    np.testing.assert_allclose(found["estimate"], norm.cdf(eta / root), rtol=1e-8)
    np.testing.assert_allclose(found["std_error"], norm.pdf(eta / root) / root * np.sqrt(v), rtol=1e-7)
    np.testing.assert_allclose(found["upper"], norm.cdf((eta + norm.ppf(0.95) * np.sqrt(v)) / root), rtol=1e-8)


def test_new_levels_of_a_probit_model(probit):
    """Standard deviation of ``Phi(eta + sqrt(s + v) z)`` by a fine grid."""
    s, (eta, v) = sum(group_variance(probit)), fixed_part(probit)
    nodes, log_weights = gauss_weights(801, 1)
    means = norm.cdf(eta + np.sqrt(s + v) * nodes)
    weights = np.exp(log_weights)
    expected = np.sqrt(weights @ means**2 - (weights @ means) ** 2)
    found = probit.predict(groups="new")
    np.testing.assert_allclose(found["std_error"], expected, rtol=1e-5)
    np.testing.assert_allclose(found["estimate"], norm.cdf(eta / np.sqrt(1.0 + s)), rtol=1e-8)


def test_bounds_of_a_falling_link_are_in_order():
    rng = np.random.default_rng(4)
    g, x = np.arange(80) % 8, rng.uniform(size=80)
    y = rng.gamma(20.0, 1.0 / (20.0 * (1.0 + 0.5 * x + 0.1 * rng.normal(size=8)[g])))
    fit = bmx.Model("y ~ x + (1 | g)", {"y": y, "x": x, "g": g}, family="gamma", link="inverse").estimate()
    found, linear = fit.predict(groups="zero"), fit.predict(groups="zero", kind="linear")
    np.testing.assert_allclose(found["lower"], 1.0 / linear["upper"], **EXACT)
    np.testing.assert_allclose(found["upper"], 1.0 / linear["lower"], **EXACT)
    np.testing.assert_allclose(found["std_error"], linear["std_error"] / linear["estimate"] ** 2, **EXACT)


# ---- new observations of generalized models ------------------------------------------------------------------------

DRAWS_ERROR = 5.0  # Monte Carlo standard errors of 4000 draws, seed fixed


@pytest.mark.parametrize("groups", ["new", "average", {"g": "new", "h": "average"}])
def test_new_counts_are_poisson_lognormal(counts, groups):
    """Whatever is drawn or averaged: observations vary by all of it."""
    s, (eta, v) = sum(group_variance(counts)), fixed_part(counts)
    found = counts.predict(kind="response", groups=groups, interval=0.9, seed=3)
    np.testing.assert_allclose(found["estimate"], np.exp(eta + s / 2), rtol=1e-8)
    nodes, log_weights = gauss_weights(201, 1, 7.0)
    rate, weights = np.exp(eta + np.sqrt(v + s) * nodes), np.exp(log_weights)
    mean, square = weights @ rate, weights @ (rate + rate**2)
    sd = np.sqrt(square - mean**2)
    ratio = found["std_error"] / sd
    assert abs(np.mean(np.log(ratio))) < 0.02
    for column, share in (("lower", 0.05), ("upper", 0.95)):
        k = found[column].to_numpy()
        below, at = weights @ poisson.cdf(np.ceil(k) - 1, rate), weights @ poisson.cdf(np.floor(k), rate)
        error = DRAWS_ERROR * np.sqrt(share * (1.0 - share) / estimate_prediction.DRAWS)
        assert np.all((below < share + error) & (at > share - error)), column


def test_new_observations_of_binomial_counts(fitted):
    fit = fitted("cbpp")
    found, size = fit.predict(kind="response", seed=4), fit.design.trials
    np.testing.assert_allclose(found["estimate"], size * fit.fitted(), rtol=1e-10)
    assert np.all((found["lower"] >= 0) & (found["upper"] <= size))
    mean = fit.predict()
    variance = size * mean["estimate"] * (1 - mean["estimate"]) + (size * mean["std_error"]) ** 2
    np.testing.assert_allclose(found["std_error"], np.sqrt(variance), rtol=0.15)  # 4000 draws, delta method


def test_rows_in_pieces_have_draws_of_their_own(counts, monkeypatch):
    """No two rows share their noise, in one piece or in several."""
    rows = pd.DataFrame({"x": np.zeros(6), "g": 0, "h": 0})
    for size in (10**9, 2 * estimate_prediction.DRAWS):
        monkeypatch.setattr("bayesmix.results.prediction.rows.CHUNK", size)
        found = counts.predict(rows, kind="response", groups="new", seed=1)
        assert found["std_error"].nunique() == 6
        assert found["estimate"].nunique() == 1
        pd.testing.assert_frame_equal(found, counts.predict(rows, kind="response", groups="new", seed=1))
