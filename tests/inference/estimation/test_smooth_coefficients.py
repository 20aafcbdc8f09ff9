"""Coefficients of a population: their covariance is that of dense algebra, their degrees of freedom mgcv's."""

import numpy as np
import pytest
from smooths import data, estimate, reference

import bayesmix as bmx
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


def test_degrees_of_freedom_of_curves_of_levels_beside_others_are_the_trace_of_dense_shrinkage():
    fit = bmx.Model('y ~ s(z, k = 4) + s(x, g, bs = "fs", k = 4) + (1 | f)', data()).estimate()
    table, design, point = fit.smooth_terms(), fit.design, fit.point
    assert list(table.index) == ["s(z)", "s(x,g)"]
    columns, prior, mine = [design.X], [np.full(design.X.shape[1], np.inf)], [np.zeros(design.X.shape[1], bool)]
    for term, covariance in zip(design.terms, point.covariances, strict=True):
        is_level = term.codes[:, None] == np.arange(len(term.levels))
        columns += [is_level * column[:, None] for column in term.z.T]
        prior.append(np.repeat(np.diagonal(covariance), len(term.levels)))
        mine.append(np.full(len(prior[-1]), term.smooth.startswith("sxg")))
    variances, Z = np.concatenate(prior), np.column_stack(columns) / point.dispersion
    has = variances > 0.0
    information = Z[:, has].T @ Z[:, has]
    shrinkage = np.linalg.solve(information + np.diag(1.0 / variances[has]), information)
    expected = np.diagonal(shrinkage)[np.concatenate(mine)[has]].sum()
    assert table.loc["s(x,g)", "edf"] == pytest.approx(expected, rel=1e-6)
    assert table.loc["s(x,g)", ["ref_df", "statistic", "p_value"]].isna().all()


@pytest.mark.parametrize(
    ("formula", "label"),
    [
        pytest.param(["y ~ x", 'sigma ~ s(x, g, bs = "fs", k = 4)'], "sigma: s(x,g)", marks=pytest.mark.slow),
        (['y ~ x + s(x, g, bs = "fs", k = 4) + ar(t, g)'], "s(x,g)"),
    ],
)
def test_curves_of_levels_of_every_predictor_have_degrees_of_freedom(formula, label):
    frame = data().assign(t=np.tile(np.arange(12), 20))
    table = bmx.Model(formula, frame).estimate().smooth_terms()
    assert list(table.index) == [label]
    assert 0.0 <= table.loc[label, "edf"] < 80.0
