"""Cluster-robust inference against clubSandwich (tests/reference/inference/robust.json), and through every verb."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
import residuals
from emmeans import FOLDER, data_of, fit_of

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError
from bayesmix.inference.parameters.one_predictor import one_predictor

FIGURES = json.loads((FOLDER / "robust.json").read_text(encoding="utf-8"))
CASES = [name for name in FIGURES if name != "versions"]
KINDS = ("CR0", "CR1", "CR2")


@cache
def estimate(case):
    return bmx.Model(FIGURES[case]["formula"], data_of("oats" if case == "oats_main" else case)).estimate()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_coefficients_and_joint_tests_are_clubsandwichs(case, kind):
    fit, figures = estimate(case), FIGURES[case][kind]
    vcov = fit.robust_vcov(FIGURES[case]["cluster"], kind)
    cov = np.array(figures["cov"])
    size = np.sqrt(np.outer(np.diagonal(cov), np.diagonal(cov)))
    np.testing.assert_allclose(vcov.to_frame().to_numpy() / size, cov / size, atol=1e-5)
    table = fit.tidy(vcov=vcov)
    table = table[table["effect"] == "fixed"]
    for ours, theirs in {"df": "df", "statistic": "t", "p.value": "p"}.items():
        np.testing.assert_allclose(table[ours].astype(float), figures[theirs], rtol=1e-5, err_msg=ours)
    for one in figures["joint"]:
        L = np.array(one["L"], float)
        found = vcov.inference.joint(L, L @ fit.values.beta)
        if not one["F"]:  # more rows than clusters: an error there
            assert np.isnan(found.p)
            continue
        expected = [one["F"], one["df1"], one["df2"], one["p"]]
        np.testing.assert_allclose(
            [found.statistic, found.numerator_df, found.denominator_df, found.p], expected, rtol=1e-5
        )


GLS = json.loads((residuals.FOLDER / "robust.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", [*KINDS, "site"])
@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=pytest.mark.slow) if c != "trial_unstr" else c for c in GLS if c != "versions"]
)
def test_models_of_residual_structures_have_those_of_gls(case, kind):
    """What trial statisticians call empirical; "site": clusters of many blocks each, CR2."""
    fit, figures = residuals.fitted(case), GLS[case][kind]
    vcov = (
        fit.robust_vcov(residuals.data("trial")["site"], "CR2") if kind == "site" else fit.robust_vcov("patient", kind)
    )
    cov = np.array(figures["cov"])
    size = np.sqrt(np.outer(np.diagonal(cov), np.diagonal(cov)))
    np.testing.assert_allclose(vcov.to_frame().to_numpy() / size, cov / size, atol=1e-5)
    table = fit.tidy(vcov=vcov)
    is_mean = (table["effect"] == "fixed") & (table["component"] == "cond")
    np.testing.assert_allclose(table[is_mean]["df"].astype(float), figures["df"], rtol=1e-5)
    L = np.eye(len(cov), len(fit.values.beta))[6:9]
    found = vcov.inference.joint(L, L @ fit.values.beta)
    np.testing.assert_allclose([found.statistic, found.denominator_df], [figures["F"], figures["df2"]], rtol=1e-4)


def test_parameters_of_the_residuals_keep_their_inference():
    fit = residuals.fitted("trial_unstr")
    own, robust = fit.tidy(), fit.tidy(vcov=fit.robust_vcov("patient"))
    columns, others = ["estimate", "std.error", "conf.low"], own["component"] != "cond"
    pd.testing.assert_frame_equal(own[others][columns], robust[others][columns])
    with pytest.raises(SpecError, match=r"Blocks of `unstr\(visit, patient\)` are in several clusters of `visit`"):
        fit.robust_vcov("visit")


@pytest.mark.slow
def test_random_effects_beside_a_residual_structure_are_part_of_the_covariance():
    """By dense matrices, term by term as Pustejovsky and Tipton (2018) have them."""
    fit = residuals.fitted("trial_site_ar")
    view, p = one_predictor(fit.design, fit.spec, 0), 9
    V = residuals.dense(fit)
    X, inverse = view.X, np.linalg.inv(V)
    M, e = np.linalg.inv(X.T @ inverse @ X), view.y - X @ fit.values.beta[:p]
    sites, cov = residuals.data("trial")["site"].to_numpy(), np.zeros((p, p))
    for site in np.unique(sites):
        own = np.flatnonzero(sites == site)
        D = np.linalg.cholesky(V[np.ix_(own, own)]).T
        values, vectors = np.linalg.eigh(D @ (V[np.ix_(own, own)] - X[own] @ M @ X[own].T) @ D.T)
        kept = values > 1e-12 * values.max()
        A = D.T @ (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T @ D
        score = M @ X[own].T @ inverse[np.ix_(own, own)] @ A @ e[own]
        cov += np.outer(score, score)
    np.testing.assert_allclose(fit.robust_vcov("site").to_frame(), cov, rtol=1e-5, atol=1e-7)


def test_every_verb_takes_it():
    """One answer in all tables, that of clubSandwich."""
    fit = estimate("clinics")
    vcov = fit.robust_vcov("clinic")
    figures = FIGURES["clinics"]["CR2"]
    error = np.sqrt(figures["cov"][1][1])
    tables = (
        fit.contrasts("t", vcov=vcov),
        fit.hypothesis("ttrt = 0", vcov=vcov),
        fit.contrasts("t", vcov=vcov, adjust="tukey"),
    )
    for table in tables:
        row = table.iloc[0]
        np.testing.assert_allclose([row["std_error"], row["df"]], [error, figures["df"][1]], rtol=1e-5)
        assert row["p_value"] == pytest.approx(figures["p"][1], rel=1e-5)
        assert "cluster-robust covariance CR2, 6 clusters of clinic" in table.attrs["intervals"]
    limits = fit.confint(["ttrt"], method="satterthwaite", vcov=vcov).iloc[0]
    np.testing.assert_allclose(limits, tables[0][["lower", "upper"]].iloc[0].astype(float), rtol=1e-8)
    wald = fit.confint(["ttrt"], method="wald", vcov=vcov).iloc[0]
    assert wald["upper"] - wald["lower"] == pytest.approx(2 * 1.959964 * error, rel=1e-5)
    assert "t-tests use cluster-robust covariance CR2" in str(fit.summary(vcov=vcov))
    assert fit.summary(vcov=vcov).tables["fixed_effects"]["std_error"].iloc[1] == pytest.approx(error, rel=1e-5)
    means = fit.marginal_means("t", vcov=vcov)
    for table in (fit.predict(pd.DataFrame({"t": ["ctl", "trt"]}), groups="zero", vcov=vcov),
                  fit.conditional_effects("t", vcov=vcov)):  # fmt: skip
        columns = ["estimate", "std_error", "df", "lower", "upper"]
        np.testing.assert_allclose(table[columns].to_numpy(), means[columns].to_numpy(), rtol=1e-10)
    joint = fit.hypothesis("ttrt = 0", vcov=vcov, joint=True).iloc[0]
    assert joint["p_value"] == pytest.approx(figures["p"][1], rel=1e-5)
    normal = fit.contrasts("t", vcov=vcov, df="asymptotic")
    assert normal.attrs["intervals"].startswith("normal distribution (z), cluster-robust")
    assert "Cluster-robust covariance CR2, 6 clusters of clinic" in repr(vcov)


def test_weights_are_a_change_of_rows():
    """Of rows times the roots of their weights, without weights, but for CR2, which adjusts residuals as they are."""
    rng = np.random.default_rng(0)
    frame = data_of("clinics").assign(w=rng.uniform(0.5, 2.0, 120), x=rng.normal(size=120))
    fit = bmx.Model("y ~ x + (1 | clinic)", frame, weights="w").estimate()
    root = np.sqrt(frame["w"])
    rows = pd.DataFrame({"y": root * frame["y"], "one": root, "x": root * frame["x"], "clinic": frame["clinic"]})
    plain = bmx.Model("y ~ 0 + one + x + (0 + one | clinic)", rows).estimate()
    for kind in ("CR0", "CR1"):
        ours, theirs = fit.robust_vcov("clinic", kind), plain.robust_vcov("clinic", kind)
        np.testing.assert_allclose(ours.inference.cov, theirs.inference.cov, rtol=1e-4)
        np.testing.assert_allclose(ours.inference.df(np.eye(2)), theirs.inference.df(np.eye(2)), rtol=1e-4)


def weighted():
    table = residuals.data("trial")
    return table.assign(w=0.5 + np.arange(1, len(table) + 1) % 5 / 2)


def test_cr2_of_weighted_rows_is_clubsandwichs():
    """Of a regression: residuals divided by the roots of their variances gave standard errors 0.3 % off."""
    wanted = json.loads((residuals.FOLDER / "weighted_clusters.json").read_text())
    fit = bmx.Model("y ~ base + arm * visit", weighted(), weights="w").estimate()
    found = fit.tidy(("fixed",), vcov=fit.robust_vcov(weighted()["patient"], "CR2"))
    for column, key in (("estimate", "estimate"), ("std.error", "se"), ("df", "df")):
        np.testing.assert_allclose(found[column], wanted[key], rtol=1e-6)


def test_cr2_of_weighted_rows_beside_random_effects_is_that_of_dense_formulas():
    """Of those clubSandwich knows none: Pustejovsky and Tipton's formula with whole matrices."""
    table = weighted()
    fit = bmx.Model("y ~ base + arm * visit + (1 | patient)", table, weights="w").estimate()
    values, X, patient = fit.parameters()["estimate"], fit.design.X, table["patient"].to_numpy()
    V = values["sd(patient, Intercept)"] ** 2 * (patient[:, None] == patient) + np.diag(
        values["sigma"] ** 2 / table["w"]
    )
    inverse = np.linalg.inv(V)
    M = np.linalg.inv(X.T @ inverse @ X)
    e, meat = fit.design.y - X @ fit.values.beta, np.zeros((len(M), len(M)))
    for one in np.unique(patient):
        i = np.flatnonzero(patient == one)
        D = np.linalg.cholesky(V[np.ix_(i, i)]).T
        own, vectors = np.linalg.eigh(D @ (V[np.ix_(i, i)] - X[i] @ M @ X[i].T) @ D.T)
        A = D.T @ (vectors / np.sqrt(own)) @ vectors.T @ D
        score = X[i].T @ inverse[np.ix_(i, i)] @ A @ e[i]
        meat += np.outer(score, score)
    np.testing.assert_allclose(fit.robust_vcov("patient", "CR2").to_frame(), M @ meat @ M, rtol=1e-6, atol=1e-9)


def test_linear_regressions_and_clusters_as_values():
    """Without random effects CR0 is White's sandwich by clusters."""
    frame = data_of("oats")
    fit = bmx.Model("yield ~ nitro", frame).estimate()
    codes = frame["Block"].astype("category").cat.codes.to_numpy()
    vcov = fit.robust_vcov(list(codes), "CR0")
    X, e = fit.design.X, fit.design.y - fit.design.X @ fit.values.beta
    scores = np.array([X[codes == c].T @ e[codes == c] for c in range(6)])
    bread = np.linalg.inv(X.T @ X)
    np.testing.assert_allclose(vcov.to_frame(), bread @ scores.T @ scores @ bread, rtol=1e-8)


REFUSED = {
    "kind": (lambda fit: fit.robust_vcov("Block", "CR3"), SpecError, "Choices: CR0, CR1, CR2"),
    "column": (lambda fit: fit.robust_vcov("block"), DataError, "Did you mean `Block`"),
    "nested": (lambda fit: fit.robust_vcov("Variety"), SpecError, "in several clusters of `Variety`"),
    "length": (lambda fit: fit.robust_vcov([1, 2, 3]), DataError, "one value a row"),
    "matrix": (lambda fit: fit.contrasts("Variety", vcov=fit.vcov), SpecError, "fit.robust_vcov"),
    "kr": (
        lambda fit: fit.contrasts("Variety", vcov=fit.robust_vcov("Block"), df="kenward-roger"),
        SpecError,
        "leave df= or vcov= out",
    ),
    "other": (lambda fit: fit.summary(vcov=estimate("clinics").robust_vcov("clinic")), SpecError, "of another fit"),
    "groups": (lambda fit: fit.predict(vcov=fit.robust_vcov("Block")), SpecError, "about fixed effects alone"),
    "profile": (lambda fit: fit.confint(vcov=fit.robust_vcov("Block")), SpecError, "profiles take no covariance"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    question, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        question(fit_of("oats"))


def test_generalized_estimates_and_posteriors_are_refused(fitted, posterior_of):
    with pytest.raises(SpecError, match="linear mixed models"):
        fitted("cbpp").robust_vcov("herd")
    with pytest.raises(SpecError, match="a posterior has its draws"):
        posterior_of("sleepstudy").slopes("Days", vcov=estimate("sleepstudy").robust_vcov("Subject"))
