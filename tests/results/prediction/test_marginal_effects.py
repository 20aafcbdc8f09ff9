"""Effects over grids against closed forms, on both kinds of fit."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError


def data(n=120, seed=1):
    rng = np.random.default_rng(seed)
    g = np.arange(n) % 10
    x, f = rng.normal(2.0, 1.5, n), rng.choice(["low", "mid", "high"], n, p=[0.6, 0.2, 0.2])
    eta = 0.3 + 0.4 * x + 0.5 * (f == "mid") + rng.normal(0.0, 0.7, 10)[g]
    return pd.DataFrame(
        {
            "x": x,
            "f": pd.Categorical(f, ["low", "mid", "high"]),
            "g": g.astype(str),
            "y": eta + rng.normal(size=n),
            "n": rng.poisson(np.exp(0.4 * eta)),
        }
    )


FRAME = data()
LINEAR = bmx.Model("y ~ f * x + (x | g)", FRAME).estimate()
COUNTS = bmx.Model("n ~ x + f + (1 | g)", FRAME, family="poisson").estimate()


@pytest.fixture(scope="module")
def post():
    return bmx.Model("y ~ f * x + (x | g)", FRAME).sample(draws=500, chains=2, seed=1, progress=False)


@pytest.mark.parametrize("where", ["memory", pytest.param("source", marks=pytest.mark.slow)])
def test_numbers_of_two_values_are_at_these(where):
    """As emmeans keeps them (cov.keep = 2): an arm of 0 and 1 was at its mean and an sd away, -0.0009."""
    frame = FRAME.assign(arm=(np.arange(len(FRAME)) % 3 == 0).astype(float))
    frame["level"] = np.where(frame["arm"] == 1.0, "1", "0")
    number, factor = (
        bmx.Model(
            f"y ~ x + {name} + (1 | g)", duckdb.connect().from_df(frame) if where == "source" else frame, where=where
        )
        for name in ("arm", "level")
    )
    number, factor = number.estimate(), factor.estimate()
    found, wanted = number.marginal_means("arm"), factor.marginal_means("level")
    assert list(found["arm"]) == [0.0, 1.0]
    np.testing.assert_allclose(found[["estimate", "std_error"]], wanted[["estimate", "std_error"]], rtol=1e-7)
    effect = number.contrasts("arm")["estimate"]
    np.testing.assert_allclose(effect, number.fixef()["estimate"]["arm"], rtol=1e-7)
    assert list(number.conditional_effects("x", by="arm", points=2)["arm"].unique()) == [0.0, 1.0]
    assert len(number.marginal_means("x")) == 3


# ---- linear models -------------------------------------------------------------------------------------------------


def test_conditional_effects_are_predictions_on_a_grid():
    table = LINEAR.conditional_effects("x", "f", points=5)
    assert list(table.columns) == ["x", "f", "estimate", "std_error", "df", "lower", "upper"]
    assert len(table) == 15
    np.testing.assert_allclose(table["x"].unique(), np.linspace(FRAME["x"].min(), FRAME["x"].max(), 5))
    beta, V = LINEAR.values.beta, LINEAR.point.beta_cov  # Intercept, fmid, fhigh, x, fmid:x, fhigh:x
    row = table[table["f"] == "mid"].iloc[3]
    x = np.array([1.0, 1.0, 0.0, row["x"], row["x"], 0.0])
    assert LINEAR.design.fixed == ("Intercept", "fmid", "fhigh", "x", "fmid:x", "fhigh:x")
    np.testing.assert_allclose(row["estimate"], x @ beta, rtol=1e-10)
    np.testing.assert_allclose(row["std_error"], np.sqrt(x @ V @ x), rtol=1e-10)


def test_other_predictors_are_typical_or_as_told():
    at_mean = LINEAR.conditional_effects("f")
    x = FRAME["x"].mean()
    np.testing.assert_allclose(
        at_mean["estimate"].iloc[0], LINEAR.values.beta[0] + x * LINEAR.values.beta[3], rtol=1e-10
    )
    at_zero = LINEAR.conditional_effects("f", at={"x": 0.0})
    np.testing.assert_allclose(at_zero["estimate"].iloc[0], LINEAR.values.beta[0], rtol=1e-10)
    frequent = LINEAR.conditional_effects("x", points=2)  # f at its most frequent level, low
    np.testing.assert_allclose(
        frequent["estimate"].iloc[0], [LINEAR.values.beta[0] + frequent["x"].iloc[0] * LINEAR.values.beta[3]]
    )
    known = LINEAR.conditional_effects("x", groups="fitted", at={"g": "3"}, points=3)
    expected = LINEAR.predict(FRAME.iloc[[0]].assign(x=known["x"].iloc[1], f="low", g="3"))
    np.testing.assert_allclose(known["estimate"].iloc[1], expected["estimate"].iloc[0], rtol=1e-10)
    np.testing.assert_allclose(known["std_error"].iloc[1], expected["std_error"].iloc[0], rtol=1e-8)


def test_marginal_means_and_contrasts():
    beta, V, x = LINEAR.values.beta, LINEAR.point.beta_cov, FRAME["x"].mean()
    L = np.array([[1, 0, 0, x, 0, 0], [1, 1, 0, x, x, 0], [1, 0, 1, x, 0, x]])
    means = LINEAR.marginal_means("f")
    np.testing.assert_allclose(means["estimate"], L @ beta, rtol=1e-10)
    np.testing.assert_allclose(means["std_error"], np.sqrt(np.diag(L @ V @ L.T)), rtol=1e-10)
    D = np.array([L[1] - L[0], L[2] - L[0], L[2] - L[1]])
    found = LINEAR.contrasts("f")
    assert list(found["contrast"]) == ["mid - low", "high - low", "high - mid"]
    np.testing.assert_allclose(found["estimate"], D @ beta, rtol=1e-10)
    np.testing.assert_allclose(found["std_error"], np.sqrt(np.diag(D @ V @ D.T)), rtol=1e-10)
    np.testing.assert_allclose(found["p_value"], 2 * t.sf(np.abs(found["t"]), found["df"]), rtol=1e-12)
    flat = LINEAR.marginal_means("x")  # averaged over f with equal weights, not those of the data
    middle = np.array([1, 1 / 3, 1 / 3, x, x / 3, x / 3])
    np.testing.assert_allclose(flat["estimate"].iloc[1], middle @ beta, rtol=1e-10)
    within = LINEAR.contrasts("x", "f")
    assert len(within) == 9
    step = FRAME["x"].std()
    np.testing.assert_allclose(within["estimate"].iloc[0], step * beta[3], rtol=1e-10)


def test_slopes_are_coefficients_of_linear_models():
    beta, V = LINEAR.values.beta, LINEAR.point.beta_cov
    by = LINEAR.slopes("x", "f")
    np.testing.assert_allclose(by["estimate"], [beta[3], beta[3] + beta[4], beta[3] + beta[5]], rtol=1e-6)
    np.testing.assert_allclose(by["std_error"].iloc[1], np.sqrt(V[3, 3] + V[4, 4] + 2 * V[3, 4]), rtol=1e-6)
    share = (FRAME["f"] == "mid").mean(), (FRAME["f"] == "high").mean()
    average = LINEAR.slopes("x")
    np.testing.assert_allclose(average["estimate"], beta[3] + share[0] * beta[4] + share[1] * beta[5], rtol=1e-6)
    fitted = LINEAR.slopes("x", groups="fitted")
    b = LINEAR.values.b[0][:, 1].mean()  # ten groups of twelve rows
    np.testing.assert_allclose(fitted["estimate"], average["estimate"] + b, rtol=1e-5)


def test_draws_give_the_same_effects(post):
    draws = post.values.beta.reshape(-1, 6)
    x = FRAME["x"].mean()
    found = post.contrasts("f")
    mid = draws[:, 1] + x * draws[:, 4]
    np.testing.assert_allclose(found["mean"].iloc[0], mid.mean(), rtol=1e-10)
    np.testing.assert_allclose(found["lower"].iloc[0], np.percentile(mid, 2.5), rtol=1e-10)
    np.testing.assert_allclose(found["p_direction"].iloc[0], max(np.mean(mid > 0), np.mean(mid < 0)))
    np.testing.assert_allclose(post.slopes("x", "f")["mean"].iloc[1], (draws[:, 3] + draws[:, 4]).mean(), rtol=1e-5)
    np.testing.assert_allclose(
        post.marginal_means("f")["sd"].iloc[0], (draws[:, 0] + x * draws[:, 3]).std(ddof=1), rtol=1e-10
    )
    assert list(post.conditional_effects("x", points=3).columns) == ["x", "mean", "sd", "lower", "upper"]


# ---- log links -----------------------------------------------------------------------------------------------------


def test_scopes_on_the_log_scale():
    """The average over groups is exp(s^2 / 2) times that of a typical group, and so are slopes."""
    factor = np.exp(0.5 * COUNTS.values.sd[0][0] ** 2)
    for ask in (COUNTS.marginal_means, COUNTS.contrasts, COUNTS.slopes):
        name = "x" if ask == COUNTS.slopes else "f"
        average, zero = ask(name), ask(name, groups="zero")
        np.testing.assert_allclose(average["estimate"], factor * zero["estimate"], rtol=1e-8)
        np.testing.assert_allclose(average["std_error"], factor * zero["std_error"], rtol=1e-6)


def test_delta_method_on_the_log_scale():
    beta, V, x = COUNTS.values.beta, COUNTS.point.beta_cov, FRAME["x"].mean()
    L = np.array([[1.0, x, 0.0, 0.0], [1.0, x, 1.0, 0.0]])
    mu = np.exp(L @ beta)
    J = mu[1] * L[1] - mu[0] * L[0]
    found = COUNTS.contrasts("f", groups="zero").iloc[0]
    np.testing.assert_allclose(found["estimate"], mu[1] - mu[0], rtol=1e-10)
    np.testing.assert_allclose(found["std_error"], np.sqrt(J @ V @ J), rtol=1e-8)
    X = COUNTS.design.X
    rows = np.exp(X @ beta)
    slope = beta[1] * rows.mean()
    gradient = beta[1] * (rows @ X) / len(rows) + rows.mean() * np.eye(4)[1]
    found = COUNTS.slopes("x", groups="zero").iloc[0]
    np.testing.assert_allclose(found["estimate"], slope, rtol=1e-6)
    np.testing.assert_allclose(found["std_error"], np.sqrt(gradient @ V @ gradient), rtol=1e-5)
    linear = COUNTS.contrasts("f", kind="linear").iloc[0]
    np.testing.assert_allclose([linear["estimate"], linear["std_error"]], [beta[2], np.sqrt(V[2, 2])], rtol=1e-8)


# ---- messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda fit: fit.conditional_effects("z"), DataError, "`z` is not a predictor of the fixed part"),
        (lambda fit: fit.conditional_effects("g"), DataError, "It has f, x"),
        (lambda fit: fit.slopes("f"), DataError, "Use contrasts"),
        (lambda fit: fit.contrasts("f", groups="new"), SpecError, "Effects are of means"),
        (lambda fit: fit.contrasts("f", groups={"g": "new"}), SpecError, "Effects are of means"),
        (lambda fit: fit.contrasts("f", kind="response"), SpecError, "Effects are of means"),
        (
            lambda fit: fit.marginal_means("x", at={"f": "mit"}),
            DataError,
            r"`f` has no level `mit`\. Did you mean `mid`",
        ),
        (lambda fit: fit.conditional_effects("x", at={"g": "12"}), DataError, "`g` has no level `12`"),
        (lambda fit: fit.contrasts("f", at={"x": np.nan}), DataError, "Values of `x` to hold columns at are missing"),
        (lambda fit: fit.marginal_means("f", at={"xx": 1.0}), DataError, r"`xx` of at= is not a column"),
    ],
)
def test_wrong_questions(call, error, message):
    with pytest.raises(error, match=message):
        call(LINEAR)
