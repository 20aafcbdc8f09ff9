"""Estimates of models with related levels: metafor's, dense formulas, brute-force Laplace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import bayesmix as bmx
from bayesmix.data.relation import relation_of
from bayesmix.errors import SpecError

STORED = json.loads((Path(__file__).parents[2] / "reference" / "related" / "metafor.json").read_text())
DATA = pd.DataFrame(STORED["data"])
A = pd.DataFrame(STORED["A"], STORED["levels"], STORED["levels"])
RELATIVE = 1e-6  # of metafor's optimiser


@pytest.mark.parametrize(
    "case", STORED["cases"], ids=lambda c: f"{c['method']} {'crossed' if c['crossed'] else 'alone'}"
)
def test_estimates_are_those_of_metafor(case):
    formula = "y ~ x + (1 | gr(g, cov = A))" + (" + (1 | h)" if case["crossed"] else "")
    fit = bmx.Model(formula, DATA, data2={"A": A}).estimate(case["method"].lower())
    X = np.column_stack([np.ones(len(DATA)), DATA["x"]])
    constant = 0.5 * np.linalg.slogdet(X.T @ X)[1] if case["method"] == "REML" else 0.0  # metafor adds it
    assert fit.loglik + constant == pytest.approx(case["loglik"], abs=1e-6)
    point = fit.record.point if hasattr(fit, "record") else fit.point
    np.testing.assert_allclose(point.beta, case["beta"], rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(np.diag(point.beta_cov)), case["se"], rtol=1e-4)
    variances = [*(float(c[0, 0]) for c in point.covariances), point.dispersion**2]
    np.testing.assert_allclose(variances, case["sigma2"], rtol=1e-3)


META = json.loads((Path(__file__).parents[2] / "reference" / "related" / "meta.json").read_text())
EFFECTS = {"whole": "(1 | gr(phylo, cov = A)) + (1 | species) + (1 | obs)", "alone": "(1 | gr(phylo, cov = A))"}


@pytest.mark.parametrize("as_tree", [True, False])
@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("effects", EFFECTS)
def test_phylogenetic_meta_analyses_are_metafors(effects, method, as_tree):
    levels, own = META["levels"], META[f"{effects}_{method}"]
    relation = bmx.phylogeny(META["tree"]) if as_tree else pd.DataFrame(META["A"], levels, levels)
    formula = f"yi | se(sei) ~ x + {EFFECTS[effects]}"
    fit = bmx.Model(formula, pd.DataFrame(META["data"]), data2={"A": relation}).estimate(method)
    log_det = own["log_det_X"] if method == "reml" else 0.0  # metafor's restricted likelihood has it
    assert fit.criterion == pytest.approx(log_det - 2.0 * own["loglik"], abs=1e-9)
    np.testing.assert_allclose(fit.fixef()["estimate"], own["beta"], rtol=1e-6)
    np.testing.assert_allclose(fit.vcov, own["vb"], atol=1e-6)
    variances = {term.group: float(sd[0]) ** 2 for term, sd in zip(fit.design.terms, fit.values.sd, strict=True)}
    found = [variances[name] for name in ("phylo", "species", "obs") if name in variances]
    np.testing.assert_allclose(found, np.atleast_1d(own["sigma2"]), rtol=1e-6)
    np.testing.assert_allclose(fit.ranef()["phylo"].loc[own["blup_names"]].iloc[:, 0], own["blup"], atol=1e-6)


def test_shares_of_related_levels_do_not_depend_on_the_unit_of_their_covariance():
    data, levels = pd.DataFrame(META["data"]), META["levels"]
    tables = []
    for unit in (1.0, 4.0):
        relation = unit * pd.DataFrame(META["A"], levels, levels)
        formula = f"yi | se(sei) ~ x + {EFFECTS['whole']}"
        tables.append(bmx.Model(formula, data, data2={"A": relation}).estimate().heterogeneity())
    np.testing.assert_allclose(tables[0]["estimate"], tables[1]["estimate"], rtol=1e-6)


# ---- dense formulas --------------------------------------------------------------------------------------------------

J, N = 14, 70


def simulated():
    """Rows of some of the levels: the last two have none."""
    rng = np.random.default_rng(8)
    root = rng.normal(size=(J, 25))
    levels = [f"s{i}" for i in range(J)]
    relation = pd.DataFrame(root @ root.T / 25 + 0.2 * np.eye(J), levels, levels)
    g, h, x = rng.integers(0, J - 2, N), rng.integers(0, 6, N), rng.normal(size=N)
    b = np.linalg.cholesky(relation.to_numpy()) @ rng.normal(size=(J, 2)) * [1.0, 0.5]
    eta = 0.5 + 0.4 * x + b[g, 0] + b[g, 1] * x + 0.6 * rng.normal(size=6)[h]
    data = {"x": x, "g": np.array(levels)[g], "h": np.array([f"h{i}" for i in h]), "y": eta + 0.6 * rng.normal(size=N)}
    return pd.DataFrame({**data, "count": rng.poisson(np.exp(eta))}), relation, g, h


FRAME, RELATION, G, H = simulated()


def dense_z(slopes):
    z = np.zeros((N, J, 2 if slopes else 1))
    z[np.arange(N), G, 0] = 1.0
    if slopes:
        z[np.arange(N), G, 1] = FRAME["x"]
    return np.hstack([z.reshape(N, -1), np.eye(6)[H]])


def dense_covariance(root, sd_h):
    k = len(root)
    V = np.zeros((J * k + 6, J * k + 6))
    V[: J * k, : J * k] = np.kron(RELATION.to_numpy(), root @ root.T)
    V[J * k :, J * k :] = sd_h**2 * np.eye(6)
    return V


def gaussian_criterion(root, sd_h, sigma, *, reml):
    Z, X = dense_z(len(root) == 2), np.column_stack([np.ones(N), FRAME["x"]])
    V = Z @ dense_covariance(root, sd_h) @ Z.T + sigma**2 * np.eye(N)
    W = np.linalg.inv(V)
    information, y = X.T @ W @ X, FRAME["y"].to_numpy()
    r = y - X @ np.linalg.solve(information, X.T @ W @ y)
    value = np.linalg.slogdet(V)[1] + r @ W @ r + (N - 2 * reml) * np.log(2.0 * np.pi)
    return value + np.linalg.slogdet(information)[1] if reml else value


def laplace_criterion(beta, root, sd_h):
    """Minus twice the Laplace log-likelihood of counts, by Newton's method on all effects at once."""
    Z, V = dense_z(len(root) == 2), dense_covariance(root, sd_h)
    fixed, y = beta[0] + beta[1] * FRAME["x"].to_numpy(), FRAME["count"].to_numpy()
    from scipy.special import gammaln

    P, b = np.linalg.inv(V), np.zeros(len(V))
    for _ in range(25):
        mu = np.exp(fixed + Z @ b)
        b = b + np.linalg.solve(Z.T @ (mu[:, None] * Z) + P, Z.T @ (y - mu) - P @ b)
    eta = fixed + Z @ b
    mu = np.exp(eta)
    inner = -2.0 * np.sum(y * eta - mu - gammaln(y + 1.0)) + b @ P @ b
    return inner + np.linalg.slogdet(np.eye(len(V)) + V @ Z.T @ (mu[:, None] * Z))[1]


def fitted(formula, method, **options):
    return bmx.Model(formula, FRAME, data2={"A": RELATION}, **options).estimate(method)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("effects", ["1", "x"])
def test_linear_estimates_minimise_the_dense_criterion(effects, method):
    fit = fitted(f"y ~ x + ({effects} | gr(g, cov = A)) + (1 | h)", method)
    k, reml = (1 if effects == "1" else 2), method == "reml"

    def criterion(x):
        root = np.zeros((k, k))
        root[np.tril_indices(k)] = x[:-2]
        return gaussian_criterion(root, x[-2], np.exp(x[-1]), reml=reml)

    first, second = fit.point.covariances
    at = np.r_[np.linalg.cholesky(first)[np.tril_indices(k)], np.sqrt(second[0, 0]), np.log(fit.point.dispersion)]
    assert fit.point.criterion == pytest.approx(criterion(at), abs=1e-8)
    best = minimize(criterion, at, method="BFGS", options={"gtol": 1e-6})
    assert fit.point.criterion == pytest.approx(best.fun, abs=1e-6)
    assert len(fit.ranef()["g"]) == J


@pytest.mark.parametrize("effects", ["1", "x"])
def test_laplace_estimates_minimise_the_dense_criterion(effects):
    fit = fitted(f"count ~ x + ({effects} | gr(g, cov = A)) + (1 | h)", "laplace", family="poisson")
    k = 1 if effects == "1" else 2

    def criterion(x):
        root = np.zeros((k, k))
        root[np.tril_indices(k)] = x[2:-1]
        return laplace_criterion(x[:2], root, x[-1])

    first, second = fit.point.covariances
    at = np.r_[fit.point.beta, np.linalg.cholesky(first)[np.tril_indices(k)], np.sqrt(second[0, 0])]
    assert fit.point.criterion == pytest.approx(criterion(at), abs=1e-7)
    slopes = [(criterion(at + step) - criterion(at - step)) / 2e-4 for step in 1e-4 * np.eye(len(at))]
    np.testing.assert_allclose(slopes, 0.0, atol=1e-3)


def test_levels_without_rows_are_predicted_from_their_relatives():
    fit = fitted("y ~ x + (1 | gr(g, cov = A))", "reml")
    b, known = fit.ranef()["g"]["Intercept"].to_numpy(), slice(0, J - 2)
    full = RELATION.to_numpy()
    expected = full[J - 2 :, known] @ np.linalg.solve(full[known, known], b[known])
    np.testing.assert_allclose(b[J - 2 :], expected, rtol=1e-8)
    table = fit.predict({"x": [0.0, 0.0], "g": ["s0", f"s{J - 1}"]}, groups="fitted")
    assert table["std_error"].iloc[1] > table["std_error"].iloc[0]


def test_a_relation_of_none_is_no_relation():
    alone = bmx.Model("y ~ x + (x | g) + (1 | h)", FRAME).estimate()
    levels = sorted(set(FRAME["g"]))
    unit = pd.DataFrame(np.eye(len(levels)), levels, levels)
    related = bmx.Model("y ~ x + (x | gr(g, cov = A)) + (1 | h)", FRAME, data2={"A": unit}).estimate()
    assert related.point.criterion == pytest.approx(alone.point.criterion, abs=1e-9)
    np.testing.assert_allclose(related.point.b[0][:3], alone.point.b[0][:3], atol=1e-5)


def test_estimates_on_the_boundary():
    flat = FRAME.assign(y=np.random.default_rng(3).normal(size=N))
    fit = bmx.Model("y ~ x + (x | gr(g, cov = A))", flat, data2={"A": RELATION}).estimate()
    plain = bmx.Model("y ~ x", flat).estimate()
    assert fit.point.singular
    assert fit.point.criterion <= plain.point.criterion + 1e-8


# ---- what is refused -------------------------------------------------------------------------------------------------


REFUSED = {
    "quadrature": lambda fit: fitted("count ~ x + (1 | gr(g, cov = A))", bmx.Agq(5), family="poisson"),
    "kenward-roger": lambda fit: fit.summary(df="kenward-roger"),
    "robust": lambda fit: fit.robust_vcov("g"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_takes_levels_as_independent_is_refused(what):
    fit = fitted("y ~ x + (1 | gr(g, cov = A))", "reml")
    with pytest.raises(SpecError, match="independent"):
        str(REFUSED[what](fit))


def test_dense_and_sparse_elimination_agree():
    """A chain of levels, whose precision is a band: pieces are eliminated; its inverse with noise is dense."""
    from bayesmix.inference.estimation.reml import criteria, linear_problem
    from bayesmix.inference.least_squares.scaling import coordinates

    size = 300
    levels = [f"l{i}" for i in range(size)]
    chain = pd.DataFrame(0.6 ** np.abs(np.subtract.outer(np.arange(size), np.arange(size))), levels, levels)
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"y": rng.normal(size=size), "g": levels})
    design = bmx.Model("y ~ 1 + (1 | gr(g, cov = A))", data, data2={"A": relation_of(chain, "A")}).design
    working = coordinates(design)
    assert len(working.plan.stages) > 1
    found = criteria(linear_problem(design, working), np.array([[0.7], [1.3]]), reml=False)
    unit = float(np.linalg.norm(working.C[0]))
    for value, theta in zip(found, (0.7, 1.3), strict=True):
        V = (theta * unit) ** 2 * chain.to_numpy() + np.eye(size)
        W, X = np.linalg.inv(V), np.ones((size, 1))
        r = data["y"] - X[:, 0] * (X.T @ W @ data["y"])[0] / (X.T @ W @ X)[0, 0]
        dense = np.linalg.slogdet(V)[1] + size * (1.0 + np.log(2.0 * np.pi * (r @ W @ r) / size))
        assert value == pytest.approx(dense, abs=1e-8)
