"""Estimates of models with Gaussian processes: criteria by dense normal densities, of the basis and of the process."""

import warnings

import numpy as np
import pandas as pd
import pytest
from dense import gls, random_covariance
from processes import data, estimate, model
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal, poisson

import bayesmix as bmx
from bayesmix.errors import ConvergenceWarning
from bayesmix.inference.estimation.smooth_coefficients import smooth_coefficients

CRITERION = 1e-8
LINEAR = ["one", "rough", pytest.param("by_factor", marks=pytest.mark.slow), "by_number", "plane"]


def reml(design, V):
    """Minus twice the log density of the residual contrasts of y, with lme4's constant."""
    inverse = np.linalg.inv(V)
    information = design.X.T @ inverse @ design.X
    mean = design.X @ gls(design.X, design.y, V)
    log_density = float(multivariate_normal(mean, V).logpdf(design.y))
    p = design.X.shape[1]
    return -2.0 * log_density + np.linalg.slogdet(information)[1] - p * np.log(2.0 * np.pi)


def fitted(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale that is shorter than the basis follows
        return estimate(name)


@pytest.mark.parametrize("name", LINEAR)
def test_the_criterion_is_that_of_a_dense_normal_density(name):
    fit = fitted(name)
    design, point = fit.design, fit.point
    V = random_covariance(design, point.covariances) + point.dispersion**2 * np.eye(design.n)
    assert fit.criterion == pytest.approx(reml(design, V), rel=CRITERION)


@pytest.mark.parametrize("name", ["one", "rough"])
def test_the_estimate_is_a_minimum_of_it(name):
    fit = fitted(name)
    design = fit.design
    for t, term in enumerate(design.terms):
        if term.spectrum is None:
            continue
        sd, matrix = fit.values.sd[t][0], fit.values.corr[t]
        family = fit.point.coordinates.structures[t].correlation
        length = family.numbers(matrix)
        for step in (0.97, 1.03):
            for other in (sd**2 * step * matrix, sd**2 * family.matrix(length * step)):
                covariances = [*fit.point.covariances[:t], other, *fit.point.covariances[t + 1 :]]
                V = random_covariance(design, covariances) + fit.point.dispersion**2 * np.eye(design.n)
                assert reml(design, V) >= fit.criterion - 1e-9


def process_data():
    rng = np.random.default_rng(5)
    x = np.sort(rng.uniform(0.0, 8.0, 90))
    return pd.DataFrame({"x": x, "y": 1.0 + np.sin(x) + 0.3 * rng.normal(size=90)})


def test_a_large_basis_is_the_process_itself():
    data = process_data()
    fit = bmx.Model("y ~ gp(x, k = 40, c = 2)", data).estimate("ML")
    estimates = fit.parameters()["estimate"]
    sd, length, sigma = (float(estimates[name]) for name in ("sdgp(gpx)", "lscale(gpx)", "sigma"))
    distance = cdist(data[["x"]], data[["x"]]) / np.ptp(data["x"])
    V = sd**2 * np.exp(-0.5 * (distance / length) ** 2) + sigma**2 * np.eye(90)
    mean = gls(np.ones((90, 1)), data["y"].to_numpy(), V)[0]
    assert fit.criterion == pytest.approx(-2.0 * multivariate_normal(np.full(90, mean), V).logpdf(data["y"]), rel=1e-6)
    assert estimates["Intercept"] == pytest.approx(mean, rel=1e-5)
    new = np.array([0.31, 4.0, 7.7])
    K = sd**2 * np.exp(-0.5 * ((new[:, None] - data["x"].to_numpy()) / np.ptp(data["x"]) / length) ** 2)
    expected = mean + K @ np.linalg.solve(V, data["y"] - mean)
    np.testing.assert_allclose(fit.predict({"x": new})["estimate"], expected, atol=1e-4)


def test_curves_and_their_degrees_of_freedom_are_those_of_generalised_least_squares():
    fit = fitted("one")
    design, point = fit.design, fit.point
    found = smooth_coefficients(design, fit.spec, point)
    columns = np.column_stack([design.X, design.terms[1].z])
    same = design.terms[0].codes[:, None] == design.terms[0].codes
    V = point.dispersion**2 * np.eye(design.n) + point.covariances[0][0, 0] * same
    information = columns.T @ np.linalg.solve(V, columns)
    prior = np.append([0.0, 0.0], 1.0 / np.diagonal(point.covariances[1]))
    covariance = np.linalg.inv(information + np.diag(prior))
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-5, atol=1e-8 * covariance.max())
    edf = np.diagonal(covariance @ information)[2:].sum()
    assert fit.smooth_terms().loc["gp(x)", "edf"] == pytest.approx(edf, rel=1e-6)


@pytest.mark.slow
def test_a_weak_process_is_found_though_none_is_a_minimum_as_well():
    fit = bmx.Model("y ~ gp(x)", data()).estimate()
    assert fit.parameters().loc["sdgp(gpx)", "estimate"] == pytest.approx(0.44, abs=0.02)
    z, design = fit.design.terms[0].z, fit.design
    family = fit.point.coordinates.structures[0].correlation
    for length in np.geomspace(0.02, 4.0, 12):
        for sd in (0.0, 0.1, 0.3, 1.0, 5.0):
            V = sd**2 * z @ family.matrix(np.array([length])) @ z.T + fit.point.dispersion**2 * np.eye(design.n)
            assert reml(design, V) >= fit.criterion - 1e-6


def test_functions_without_variance_are_counted_as_none():
    flat = process_data().assign(y=np.random.default_rng(3).normal(size=90))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = bmx.Model("y ~ gp(x)", flat).estimate()
    assert np.isfinite(fit.smooths()[["estimate", "std_error"]]).all(axis=None)


@pytest.mark.slow
def test_estimates_of_counts_are_laplace_s():
    fit = fitted("counts")
    (levels, process), (of_levels, of_process) = fit.design.terms, fit.point.covariances
    Z = np.column_stack([np.eye(len(levels.levels))[levels.codes], process.z])
    effects = np.concatenate([own.ravel() for own in fit.point.b])
    variances = np.concatenate([np.full(len(levels.levels), of_levels[0, 0]), np.diagonal(of_process)])
    y, mu = fit.design.y, np.exp(fit.design.X @ fit.point.beta + Z @ effects)
    H = (Z.T * mu) @ Z * np.sqrt(variances)[:, None] * np.sqrt(variances) + np.eye(len(variances))
    inside = variances > 1e-200
    penalty = np.sum(effects[inside] ** 2 / variances[inside])
    value = -2.0 * poisson(mu).logpmf(y).sum() + penalty + np.linalg.slogdet(H)[1]
    assert fit.criterion == pytest.approx(value, rel=CRITERION)


def test_the_model_says_what_its_numbers_are():
    text = str(model("one"))
    assert "sdgp(gpx)" in text
    assert "times 0.989, the largest distance" in text
