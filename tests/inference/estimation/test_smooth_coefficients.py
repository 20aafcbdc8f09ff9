"""Coefficients of a population: their covariance is that of dense algebra, their degrees of freedom mgcv's."""

import numpy as np
import pytest
from smooths import estimate, reference

from bayesmix.inference.estimation.smooth_coefficients import smooth_coefficients

NAMES = ["thin", "by_factor", "two", "surface"]


@pytest.mark.parametrize("name", NAMES)
def test_covariance_and_mean_are_those_of_generalised_least_squares(name):
    fit = estimate(name)
    design, point = fit.design, fit.point
    found = smooth_coefficients(design, fit.spec, point)
    smooths = [t for t, term in enumerate(design.terms) if term.is_population]
    columns = np.column_stack([design.X, *(design.terms[t].z for t in smooths)])
    V = point.dispersion**2 * np.eye(design.n)
    for t, term in enumerate(design.terms):
        if t not in smooths:
            same = term.codes[:, None] == term.codes
            V += same * (term.z @ point.covariances[t] @ term.z.T)
    information = columns.T @ np.linalg.solve(V, columns)
    prior = np.concatenate([np.zeros(design.X.shape[1]), *(1.0 / np.diagonal(point.covariances[t]) for t in smooths)])
    np.testing.assert_allclose(found.information, information, rtol=1e-6, atol=1e-9 * np.max(information))
    covariance = np.linalg.inv(information + np.diag(prior))
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-5, atol=1e-8 * np.max(covariance))
    np.testing.assert_allclose(found.mean, covariance @ columns.T @ np.linalg.solve(V, design.y), atol=1e-6)


@pytest.mark.parametrize("name", ["thin", "cubic", "by_factor", "by_number", "two", "surface", "slopes"])
def test_effective_degrees_of_freedom_are_those_of_gamm4(name):
    found = estimate(name).smooth_terms()
    for label, row in reference()["cases"][name]["smooths"].items():
        assert found.loc[label, "edf"] == pytest.approx(row["edf"], abs=1e-3)
        assert found.loc[label, "ref_df"] == pytest.approx(row["Ref.df"], abs=1e-3)


def test_a_smooth_without_variance_is_its_fixed_part():
    fit = estimate("ml")
    assert fit.parameters().loc["sds(sx_1)", "estimate"] == 0.0
    assert fit.smooth_terms().loc["s(x)", "edf"] == pytest.approx(1.0)
