"""Effects at positions that the fit has not: conditional normal distributions by dense algebra."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from dense import gls
from scipy.spatial.distance import cdist

import bayesmix as bmx
from bayesmix.errors import DataError
from bayesmix.inference.parameters.covariance import structure_of
from bayesmix.results.prediction.rows import PredictionRows

EXACT = 1e-8
TIMES = np.array([0.0, 1.0, 2.0, 3.5, 5.0])
NEW = pd.DataFrame(
    {"time": [0.5, 4.2, 2.0, 6.0, 0.5], "x": [0.0, 1.0, -1.0, 0.5, 0.0], "g": ["g0", "g0", "g3", "g7", "new"]}
)
CASES = {
    "ou": "y ~ x + ou(time | g)",
    "gau": "y ~ x + (1 | h) + gau(time | g)",
    "mat": "y ~ x + mat(time | g)",
    "counts": "count ~ x + exp(time | g)",
}


@cache
def data():
    rng = np.random.default_rng(8)
    R = np.exp(-cdist(TIMES[:, None], TIMES[:, None]) / 2.0)
    u = (np.linalg.cholesky(R) @ rng.normal(size=(5, 12))).T.ravel()
    rows = pd.DataFrame({"time": np.tile(TIMES, 12), "g": np.repeat([f"g{j}" for j in range(12)], 5)})
    rows = rows.assign(effect=u).loc[np.repeat(np.arange(60), 2)].reset_index(drop=True)
    rows["x"], rows["h"] = rng.normal(size=120), [f"h{i % 5}" for i in range(120)]
    rows["y"] = 1.0 + 0.5 * rows["x"] + rows["effect"] + 0.4 * rng.normal(size=120)
    return rows.assign(count=rng.poisson(np.exp(0.5 + 0.3 * rows["x"] + 0.5 * rows["effect"])))


@cache
def fitted(name):
    return bmx.Model(CASES[name], data(), family="poisson" if name == "counts" else "gaussian").estimate()


def place(fit):
    return next(t for t, term in enumerate(fit.design.terms) if term.positions)


def correlation(fit, t, left, right, corr):
    """Correlations of two sets of times, those of one variance more where the family adds it to smooth matrices."""
    family = structure_of(fit.design.terms[t]).correlation
    distance = np.abs(np.subtract.outer(left, right))
    numbers = family.numbers(corr)
    return (family.kernel(distance, numbers) + family.nugget * (distance == 0.0)) / (1.0 + family.nugget)


@pytest.mark.parametrize("name", ["ou", "gau", pytest.param("mat", marks=pytest.mark.slow)])
def test_predictions_are_best_linear_unbiased_ones(name):
    fit = fitted(name)
    t, design, point = place(fit), fit.design, fit.point
    levels, sd = list(design.terms[t].levels), fit.values.sd[t][0]
    known = NEW[NEW["g"] != "new"]

    def between(left, right, same):
        return same * sd**2 * correlation(fit, t, left, right, fit.values.corr[t])

    times, new = data()["time"].to_numpy(), known["time"].to_numpy()
    own, codes = known["g"].map(levels.index).to_numpy(), data()["g"].map(levels.index).to_numpy()
    V = between(times, times, np.equal.outer(codes, codes)) + point.dispersion**2 * np.eye(design.n)
    for s, term in enumerate(design.terms):
        if s != t:
            V += np.equal.outer(term.codes, term.codes) * point.covariances[s][0, 0]
    C = between(new, times, np.equal.outer(own, codes))
    beta, inverse = gls(design.X, design.y, V), np.linalg.inv(V)
    X = np.column_stack([np.ones(len(known)), known["x"]])
    expected = X @ beta + C @ inverse @ (design.y - design.X @ beta)
    rest = X - C @ inverse @ design.X
    spread = sd**2 - np.einsum("ij,jk,ik->i", C, inverse, C)
    spread += np.einsum("ij,jk,ik->i", rest, np.linalg.inv(design.X.T @ inverse @ design.X), rest)
    groups = {"g": "fitted", "h": "zero"} if name == "gau" else "fitted"
    table = fit.predict(known, groups=groups)
    np.testing.assert_allclose(table["estimate"], expected, rtol=EXACT, atol=EXACT)
    np.testing.assert_allclose(table["std_error"], np.sqrt(spread), rtol=1e-6)
    assert (table["df"] > 1.0).all()


def test_draws_are_of_the_conditional_distribution():
    model = bmx.Model(CASES["ou"], data())
    post = model.sample(draws=250, seed=1)
    t, values = place(post), post.with_effects
    known = NEW.iloc[[0, 1]]  # of one level
    rows = post.predict(known, kind="linear")
    mean = []
    for sd, corr, b, beta in zip(
        *(part.reshape(-1, *part.shape[2:]) for part in (values.sd[t], values.corr[t], values.b[t], values.beta)),
        strict=True,
    ):
        K = correlation(post, t, known["time"].to_numpy(), TIMES, corr)
        R = correlation(post, t, TIMES, TIMES, corr)
        own = b[list(post.design.terms[t].levels).index("g0")]
        W = np.linalg.solve(R, K.T).T
        left = sd[0] ** 2 * (1.0 - np.sum(W * K, axis=1))
        mean.append([beta @ [1.0, x] for x in known["x"]] + W @ own)
        assert (left >= -1e-12).all()
    centre = np.mean(mean, axis=0)
    np.testing.assert_allclose(rows["mean"], centre, atol=5.0 * rows["sd"].max() / np.sqrt(1000))
    assert (rows["sd"] > np.std(mean, axis=0)).all()
    pd.testing.assert_frame_equal(rows, post.predict(known, kind="linear"))  # a seed, the same draws


def test_generalized_means_and_new_levels_are_known_there():
    fit = fitted("counts")
    table = fit.predict(NEW, groups="known")
    assert np.isfinite(table[["estimate", "lower", "upper"]]).all(axis=None)
    t = place(fit)
    K = correlation(fit, t, [0.5], TIMES, fit.values.corr[t])
    R = correlation(fit, t, TIMES, TIMES, fit.values.corr[t])
    effect = (K @ np.linalg.solve(R, fit.values.b[t][0]))[0]
    eta = fit.predict(NEW.iloc[[0]], kind="linear")["estimate"].iloc[0]
    assert eta == pytest.approx(fit.point.beta @ [1.0, 0.0] + effect, abs=EXACT)
    average = fit.predict(NEW, groups="average", kind="linear")["estimate"]
    np.testing.assert_allclose(average, fit.predict(NEW.assign(time=1.0), groups="average", kind="linear")["estimate"])


def test_rows_at_known_positions_are_what_they_were_beside_new_ones():
    fit = fitted("ou")
    alone = fit.predict(NEW.iloc[[2]])
    together = fit.predict(NEW.iloc[:4]).iloc[[2]].reset_index(drop=True)
    np.testing.assert_allclose(alone[["estimate", "std_error", "lower"]], together[["estimate", "std_error", "lower"]])


def test_simulated_responses_are_drawn_there():
    drawn = fitted("ou").simulate(400, newdata=NEW.iloc[:2], groups="fitted", seed=2).to_numpy()
    table = fitted("ou").predict(NEW.iloc[:2], kind="linear")
    np.testing.assert_allclose(drawn.mean(axis=1), table["estimate"], atol=0.25)


def test_other_questions_are_asked_at_positions_of_the_fit():
    with pytest.raises(DataError, match=r"positions that `g` has not in the fit: `\(0.5\)`"):
        PredictionRows.of_new_data(fitted("ou").design, NEW.iloc[[0]], "fitted", None)
