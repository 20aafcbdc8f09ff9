"""Coefficients of a population: their covariance is that of dense algebra, their degrees of freedom mgcv's."""

import numpy as np
import pytest
from smooths import data, estimate, reference

import bayesmix as bmx
from bayesmix.inference.estimation.smooth_coefficients import smooth_coefficients
from bayesmix.inference.estimation.smooth_test import mixture_tail
from bayesmix.results.fits import smooth_terms_table

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


def test_curves_of_levels_beside_others_have_the_degrees_and_test_of_dense_algebra(monkeypatch):
    fit = bmx.Model('y ~ s(z, k = 4) + s(x, g, bs = "fs", k = 4) + (1 | f) + (0 + w | g)', data()).estimate()
    table, design, point = fit.smooth_terms(), fit.design, fit.point
    assert list(table.index) == ["s(z)", "s(x,g)"]
    p = design.X.shape[1]
    columns, prior, mine, is_group = [design.X], [np.full(p, np.inf)], [np.zeros(p, bool)], [np.zeros(p, bool)]
    for term, covariance in zip(design.terms, point.covariances, strict=True):
        is_level = term.codes[:, None] == np.arange(len(term.levels))
        columns += [is_level * column[:, None] for column in term.z.T]
        prior.append(np.repeat(np.diagonal(covariance), len(term.levels)))
        mine.append(np.full(len(prior[-1]), term.smooth.startswith("sxg")))
        is_group.append(np.full(len(prior[-1]), not term.smooth))
    variances, Z = np.concatenate(prior), np.column_stack(columns) / point.dispersion
    has = variances > 0.0
    information = Z[:, has].T @ Z[:, has]
    shrinkage = np.linalg.solve(information + np.diag(1.0 / variances[has]), information)
    own, groups = np.concatenate(mine)[has], np.concatenate(is_group)[has]
    edf = np.diagonal(shrinkage)[own].sum()
    assert table.loc["s(x,g)", "edf"] == pytest.approx(edf, rel=1e-6)
    assert own.any()
    assert groups.any()
    # groups are part of the errors: what their covariance leaves of the statistic and of its distribution
    V = np.eye(design.n) + (Z[:, has][:, groups] * variances[has][groups]) @ Z[:, has][:, groups].T
    rest = Z[:, has][:, ~groups]
    seen = rest.T @ np.linalg.solve(V, rest)
    covariance = np.linalg.inv(seen + np.diag(1.0 / variances[has][~groups]))
    mean = covariance @ rest.T @ np.linalg.solve(V, design.y / point.dispersion)
    at = np.flatnonzero(own[~groups])
    precision = np.linalg.inv(covariance[np.ix_(at, at)])
    sampling = (covariance @ seen @ covariance)[np.ix_(at, at)]
    weights = np.linalg.eigvals(precision @ sampling).real
    weights = weights[weights > 1e-9]
    statistic = mean[at] @ precision @ mean[at]
    df = design.n - float(np.trace(covariance @ seen))
    tail = mixture_tail(0.0, np.append(weights, -statistic / round(df)), np.append(np.ones(len(weights)), round(df)))
    assert table.loc["s(x,g)", "ref_df"] == len(weights)
    assert table.loc["s(x,g)", "statistic"] == pytest.approx(statistic / len(weights), rel=1e-6)
    assert table.loc["s(x,g)", "p_value"] == pytest.approx(tail, abs=1e-9)
    # of so many that the matrices are not made, the same degrees by the elimination of all effects
    monkeypatch.setattr(smooth_terms_table, "LARGEST", 10)
    few = fit.smooth_terms().loc["s(x,g)"]
    assert few["edf"] == pytest.approx(edf, rel=1e-6)
    assert few[["ref_df", "statistic", "p_value"]].isna().all()


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
