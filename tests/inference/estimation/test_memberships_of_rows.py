"""Fits of models whose rows are members of several levels, against dense formulas with a whole Z."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln

import bayesmix as bmx
from bayesmix.errors import SpecError

N, J, K = 120, 10, 5


def simulated():
    """Rows of two levels, some of them the same."""
    rng = np.random.default_rng(5)
    first, second, h = rng.integers(0, J, N), rng.integers(0, J, N), rng.integers(0, K, N)
    w, v, x = rng.uniform(0.1, 1.0, N), rng.uniform(0.1, 1.0, N), rng.normal(size=N)
    Z = np.zeros((N, J))
    np.add.at(Z, (np.arange(N), first), w / (w + v))
    np.add.at(Z, (np.arange(N), second), v / (w + v))
    b = rng.normal(size=(J, 2)) * [1.5, 0.9]
    eta = 0.5 + 0.4 * x + Z @ b[:, 0] + (Z @ b[:, 1]) * x + 0.6 * rng.normal(size=K)[h]
    names = np.array([f"s{j}" for j in range(J)])
    data = {"y": eta + 0.6 * rng.normal(size=N), "x": x, "a": names[first], "b": names[second], "w": w, "v": v}
    counts = rng.poisson(np.exp(0.7 * eta))
    return pd.DataFrame({**data, "count": counts, "h": np.array([f"h{k}" for k in h])}), Z, np.eye(K)[h]


FRAME, Z, H = simulated()
X = np.column_stack([np.ones(N), FRAME["x"]])
MEMBERS = "mm(a, b, weights = cbind(w, v))"


def whole(first, second):
    """Columns of all effects, and their covariance."""
    k = len(first)
    columns = Z if k == 1 else np.stack([Z, Z * X[:, [1]]], axis=2).reshape(N, -1)
    V = np.zeros((J * k + K, J * k + K))
    V[: J * k, : J * k], V[J * k :, J * k :] = np.kron(np.eye(J), first), second[0, 0] * np.eye(K)
    return np.hstack([columns, H]), V


def gaussian_criterion(point, *, reml):
    columns, V = whole(*point.covariances)
    covariance, y = columns @ V @ columns.T + point.dispersion**2 * np.eye(N), FRAME["y"].to_numpy()
    W = np.linalg.inv(covariance)
    information = X.T @ W @ X
    r = y - X @ np.linalg.solve(information, X.T @ W @ y)
    value = np.linalg.slogdet(covariance)[1] + r @ W @ r + (N - 2 * reml) * np.log(2.0 * np.pi)
    return value + np.linalg.slogdet(information)[1] if reml else value


def flat(point):
    return np.concatenate([b.ravel() for b in point.b])


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("effects", ["1", "x"])
def test_linear_estimates(effects, method):
    point = bmx.Model(f"y ~ x + ({effects} | {MEMBERS}) + (1 | h)", FRAME).estimate(method).point
    assert point.criterion == pytest.approx(gaussian_criterion(point, reml=method == "reml"), abs=1e-8)
    assert np.abs(point.optimum.gradient).max() < 1e-4
    columns, V = whole(*point.covariances)
    residual = FRAME["y"].to_numpy() - X @ point.beta
    expected = V @ columns.T @ np.linalg.solve(columns @ V @ columns.T + point.dispersion**2 * np.eye(N), residual)
    np.testing.assert_allclose(flat(point), expected, atol=1e-8)


def test_laplace_estimates():
    point = bmx.Model(f"count ~ x + (1 | {MEMBERS}) + (1 | h)", FRAME, family="poisson").estimate().point
    columns, V = whole(*point.covariances)
    y, eta = FRAME["count"].to_numpy(), X @ point.beta + columns @ flat(point)
    P, mu = np.linalg.inv(V), np.exp(eta)
    np.testing.assert_allclose(columns.T @ (y - mu), P @ flat(point), atol=1e-6)  # the conditional mode
    value = -2.0 * np.sum(y * eta - mu - gammaln(y + 1.0)) + flat(point) @ P @ flat(point)
    value += np.linalg.slogdet(np.eye(len(V)) + V @ columns.T @ (mu[:, None] * columns))[1]
    assert point.criterion == pytest.approx(value, abs=1e-7)
    assert np.abs(point.optimum.gradient).max() < 1e-3


def test_prediction_errors_are_hendersons():
    fit = bmx.Model(f"y ~ x + (1 | {MEMBERS}) + (1 | h)", FRAME).estimate()
    columns, V = whole(*fit.point.covariances)
    W = np.hstack([X, columns])
    penalty = np.zeros((W.shape[1],) * 2)
    penalty[2:, 2:] = np.linalg.inv(V)
    inverse = np.linalg.inv(W.T @ W / fit.point.dispersion**2 + penalty)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", W, inverse, W))
    table = fit.predict(FRAME, groups="fitted")
    np.testing.assert_allclose(table["std_error"], expected, rtol=1e-8)
    np.testing.assert_allclose(table["estimate"], X @ fit.point.beta + columns @ flat(fit.point), rtol=1e-8)


def test_simulated_responses_have_the_dense_covariance():
    fit = bmx.Model(f"y ~ x + (1 | {MEMBERS}) + (1 | h)", FRAME).estimate()
    columns, V = whole(*fit.point.covariances)
    covariance = columns @ V @ columns.T + fit.point.dispersion**2 * np.eye(N)
    drawn = fit.simulate(4_000, seed=1).to_numpy() - (X @ fit.point.beta)[:, None]
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(np.cov(drawn) / np.outer(sd, sd), covariance / np.outer(sd, sd), atol=0.1)


def test_equal_factors_are_a_single_one():
    same = bmx.Model("y ~ x + (x | mm(a, a))", FRAME).estimate()
    alone = bmx.Model("y ~ x + (x | a)", FRAME).estimate()
    assert same.criterion == pytest.approx(alone.criterion, abs=1e-8)


@pytest.mark.parametrize("verb", ["influence", "robust_vcov"])
def test_what_asks_for_the_level_of_a_row_is_refused(verb):
    fit = bmx.Model(f"y ~ x + (1 | {MEMBERS})", FRAME).estimate()
    with pytest.raises(SpecError, match=r"several levels|not independent"):
        getattr(fit, verb)("mmab")
