"""Scopes of predictions by grouping factor: known levels, new ones, and factors that are left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import around

import bayesmix as bmx
from bayesmix.errors import DataError, PredictionWarning, SpecError
from bayesmix.results.prediction import predict as module
from bayesmix.results.prediction.predict import predict
from bayesmix.results.prediction.rows import PredictionRows

EXACT = {"rtol": 1e-10, "atol": 1e-12}
MOMENTS = 5.0  # standard errors that means of many draws with a fixed seed may be off
SCOPES = ("fitted", "known", "new", "average", "zero")


def data():
    """Casks nested in categories, five of each known, and a count."""
    rng = np.random.default_rng(8)
    cat, sub = np.repeat(list("ABCDEF"), 20), np.tile(np.repeat(list("abcde"), 4), 6)
    x = rng.normal(size=120)
    a, b = dict(zip("ABCDEF", rng.normal(0, 2, 6), strict=True)), rng.normal(0, 0.7, (6, 5))
    eta = 5 + 0.5 * x + [a[c] + b["ABCDEF".index(c), "abcde".index(s)] for c, s in zip(cat, sub, strict=True)]
    return pd.DataFrame(
        {"cat": cat, "sub": sub, "x": x, "y": eta + rng.normal(size=120), "n": rng.poisson(np.exp(eta / 4))}
    )


FRAME = data()
NESTED = bmx.Model("y ~ x + (1 + x || cat/sub)", FRAME)
COUNTS = bmx.Model("n ~ x + (1 | cat/sub)", FRAME, family="poisson")
NEW = pd.DataFrame({"cat": list("AABGG"), "sub": ["a", "z", "b", "a", "z"], "x": [0.0, 1.0, -1.0, 2.0, 0.5]})


@pytest.fixture(scope="module")
def linear():
    return NESTED.estimate()


@pytest.fixture(scope="module")
def counts():
    return COUNTS.estimate()


@pytest.fixture(scope="module")
def draws(linear):
    """The linear estimate 4 000 times: what is random is the levels that are drawn."""
    return around(linear, NESTED, chains=4, draws=1000, spread=0.0)


def effects_of(fit, rows):
    """``{group: (n,) effect of each row's level}`` by lme4's tables, NaN of unseen levels."""
    ranef, found = fit.ranef(), {}
    for group, columns in (("cat", ["cat"]), ("sub:cat", ["sub", "cat"])):
        labels = rows[columns].agg(":".join, axis=1)
        table = ranef[group].reindex(labels)
        slope = table["x"].to_numpy() * rows["x"].to_numpy() if "x" in table else 0.0
        found[group] = table["Intercept"].to_numpy() + slope
    return found


def variance_of(fit, group, x):
    """``z' Sigma z`` of a new level."""
    own = [(t, m) for t, m in zip(fit.design.terms, fit.point.covariances, strict=True) if t.group == group]
    return sum((m[0, 0] * (x**2 if term.effects == ("x",) else 1.0) for term, m in own), np.zeros(len(x)))


def test_known_levels_keep_their_effects_beside_new_ones(linear):
    """lme4's allow.new.levels: effects of what is known, zero of what is not (in estimates of the linear predictor)."""
    own = effects_of(linear, NEW)
    expected = linear.predict(NEW, groups="zero")["estimate"] + np.nansum([own["cat"], own["sub:cat"]], axis=0)
    found = linear.predict(NEW, groups="known")
    np.testing.assert_allclose(found["estimate"], expected, **EXACT)
    seen = NEW.iloc[[0, 2]]
    pd.testing.assert_frame_equal(found.iloc[[0, 2]].reset_index(drop=True), linear.predict(seen), rtol=1e-8)


def test_new_levels_widen_by_their_variance(linear):
    """Per row: what an estimate does not know of a level is its variance, on top of the error of what it knows."""
    x = NEW["x"].to_numpy()
    fitted = linear.predict(NEW.iloc[[1]].assign(sub="z"), groups={"sub:cat": "zero"})["std_error"].to_numpy()
    zero = linear.predict(NEW, groups="zero")["std_error"].to_numpy()
    found = linear.predict(NEW, groups="known")["std_error"].to_numpy()
    cat, sub = variance_of(linear, "cat", x), variance_of(linear, "sub:cat", x)
    np.testing.assert_allclose(found[1] ** 2, fitted[0] ** 2 + sub[1], rtol=1e-8)
    np.testing.assert_allclose(found[3:] ** 2, zero[3:] ** 2 + cat[3:] + sub[3:], rtol=1e-8)
    new = linear.predict(NEW, groups="new")
    np.testing.assert_allclose(new["std_error"] ** 2, zero**2 + cat + sub, rtol=1e-8)
    assert np.all(new["std_error"] > found - 1e-12)


def test_a_factor_can_be_switched_off(linear):
    """lme4's re.form = ~ (1 + x || cat)."""
    rows = FRAME.iloc[:40:7]
    own = effects_of(linear, rows)
    zero = linear.predict(rows, groups="zero")["estimate"].to_numpy()
    for groups, expected in (
        ({"sub:cat": "zero"}, zero + own["cat"]),
        ({"sub": "zero"}, zero + own["cat"]),
        ({"cat": "zero"}, zero + own["sub:cat"]),
        ({"cat": "fitted", "sub:cat": "fitted"}, zero + own["cat"] + own["sub:cat"]),
        ({"cat": "fitted", "sub": "new"}, zero + own["cat"]),
        ({"cat": "zero", "sub": "average"}, zero),
    ):
        found = linear.predict(rows, groups=groups)
        np.testing.assert_allclose(found["estimate"], expected, **EXACT, err_msg=str(groups))
    without = rows.drop(columns="sub")
    found = linear.predict(without, groups={"sub": "zero"})["estimate"]
    np.testing.assert_allclose(found, zero + own["cat"], **EXACT)


def test_draws_use_what_is_known_and_draw_the_rest(linear, draws):
    """Moments of 4 000 draws around one estimate against the estimate's closed form."""
    point = linear.predict(NEW, kind="linear", groups="known")["estimate"].to_numpy()
    x, unseen = NEW["x"].to_numpy(), np.array([[0, 0], [0, 1], [0, 0], [1, 1], [1, 1]])
    sd = np.sqrt(unseen[:, 0] * variance_of(linear, "cat", x) + unseen[:, 1] * variance_of(linear, "sub:cat", x))
    found = draws.predict(NEW, kind="linear", groups="known", seed=3)
    assert np.all(np.abs(found["mean"] - point) <= MOMENTS * sd / np.sqrt(4000) + 1e-10)
    assert np.all(np.abs(found["sd"] - sd) <= MOMENTS * sd / np.sqrt(8000) + 1e-10)
    nested = draws.predict(NEW, kind="linear", groups={"cat": "known", "sub": "new"}, seed=3)
    sub = variance_of(linear, "sub:cat", x)
    wide = np.sqrt(sub + unseen[:, 0] * variance_of(linear, "cat", x))
    assert np.all(np.abs(nested["sd"] - wide) <= MOMENTS * wide / np.sqrt(8000))


def test_effects_that_are_drawn_are_independent_between_terms_and_levels(draws):
    """`||` makes two terms of one factor: their streams, and those of two factors and levels, are not shared."""
    rows = pd.DataFrame({"cat": list("GGH"), "sub": list("zzz"), "x": [0.0, 1.0, 0.0]})
    parts = {}
    for group in ("cat", "sub:cat"):
        groups = {"cat": "zero", "sub:cat": "zero"} | {group: "new"}
        coded = PredictionRows.of_new_data(draws.design, rows, groups, None)
        eta = predict(draws.spec, coded, draws.values, kind="linear", groups=groups, seed=5)
        eta = (eta - coded.X @ draws.values.beta[0, 0]).reshape(-1, 3)
        parts |= {f"{group} intercept": eta[:, 0], f"{group} slope": eta[:, 1] - eta[:, 0], f"{group} other": eta[:, 2]}
    matrix = np.corrcoef(np.array(list(parts.values())))
    assert np.all(np.abs(matrix - np.eye(6)) < MOMENTS / np.sqrt(4000))


def test_average_and_new_do_not_need_the_columns_of_groups(linear, counts, draws):
    """Without them `new` has all rows in one level that was not seen."""
    for fit in (linear, counts, draws):
        for groups in ("average", "zero", {"cat": "zero", "sub": "average"}):
            pd.testing.assert_frame_equal(fit.predict(NEW[["x"]], groups=groups), fit.predict(NEW, groups=groups))
    for fit in (linear, counts):
        pd.testing.assert_frame_equal(fit.predict(NEW[["x"]], groups="new"), fit.predict(NEW, groups="new"))
    rows = pd.DataFrame({"x": [0.5, 0.5]})
    shared = predict(
        draws.spec,
        PredictionRows.of_new_data(draws.design, rows, "new", None),
        draws.values,
        kind="linear",
        groups="new",
        seed=1,
    )
    np.testing.assert_array_equal(shared[..., 0], shared[..., 1])
    for groups in ("fitted", "known", {"cat": "new", "sub": "known"}):
        with pytest.raises(DataError, match=r"Column `(cat|sub)` of the formula is not in the data"):
            linear.predict(NEW[["x"]], groups=groups)


def test_a_factor_that_is_left_out_needs_none_of_its_columns():
    """Neither its levels nor the column of its slopes; a value that is missing there costs no row."""
    fit = bmx.Model("y ~ 1 + (x | cat) + (1 | sub)", FRAME).estimate()
    expected = fit.values.beta[0] + fit.ranef()["sub"].loc[["a", "c"], "Intercept"]
    rows = pd.DataFrame({"sub": ["a", "c"]})
    holes = rows.assign(cat=["A", None], x=[np.nan, 1.0])
    for given in (rows, holes):
        found = fit.predict(given, groups={"cat": "zero"})
        np.testing.assert_allclose(found["estimate"], expected, **EXACT)
        assert found.notna().all(axis=None)
    nothing = fit.predict(pd.DataFrame({"z": [0.0, 1.0]}), groups="zero")
    np.testing.assert_allclose(nothing["estimate"], fit.values.beta[0], **EXACT)
    np.testing.assert_allclose(nothing["std_error"], np.sqrt(fit.point.beta_cov[0, 0]), **EXACT)


def test_means_of_counts_average_some_groups_and_draw_others(counts):
    """Log links: exp(eta + s^2 / 2), whichever part of s^2 is averaged and which is drawn."""
    x = NEW["x"].to_numpy()
    cat, sub = variance_of(counts, "cat", x), variance_of(counts, "sub:cat", x)
    eta = counts.predict(NEW, kind="linear", groups="zero")
    v = eta["std_error"].to_numpy() ** 2
    found = counts.predict(NEW, groups={"cat": "new", "sub": "average"})
    total = cat + v
    np.testing.assert_allclose(found["estimate"], np.exp(eta["estimate"] + (cat + sub) / 2), rtol=1e-8)
    sd = np.exp(eta["estimate"] + (sub + total) / 2) * np.sqrt(np.expm1(total))
    np.testing.assert_allclose(found["std_error"], sd, rtol=1e-3)


def test_one_decomposition_a_term_draws_all_groups(draws, monkeypatch):
    """The roots of all draws are taken together: once they were taken draw by draw, at 17 times the cost."""
    calls = []
    monkeypatch.setattr(module, "cholesky_psd", lambda matrix: calls.append(matrix.shape) or np.sqrt(matrix))
    draws.predict(NEW, groups="new")
    assert calls == [(4, 1000, 1, 1)] * len(draws.design.terms)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", ["mean", "linear", "response"])
def test_a_missing_value_costs_its_row_alone(linear, counts, draws, scope, kind):
    """One NaN of a predictor, one unknown group: these rows are NaN with one warning, the others as without them."""
    rows = FRAME[["cat", "sub", "x"]].iloc[:6].reset_index(drop=True)
    broken = rows.copy()
    broken.loc[2, "x"] = np.nan
    if scope in ("fitted", "known", "new"):
        broken.loc[4, "cat"] = None
    kept = broken.dropna().index
    for fit in (linear, counts, draws):
        with pytest.warns(PredictionWarning, match=r"missing in rows? 2.*: NaN") as caught:
            found = fit.predict(broken, groups=scope, kind=kind, seed=1)
        assert len(caught) == 1
        assert found.drop(index=kept).isna().all(axis=None)
        if kind == "response" and fit is not linear:  # draws of other rows
            assert found.loc[kept].notna().all(axis=None)
        else:
            expected = fit.predict(rows, groups=scope, kind=kind, seed=1).loc[kept]
            pd.testing.assert_frame_equal(found.loc[kept], expected, rtol=1e-10)
    with pytest.warns(PredictionWarning, match="missing"):
        assert linear.simulate(2, broken, groups=scope).isna().all(axis=1).sum() == 6 - len(kept)


def test_all_rows_missing_are_all_nan(linear):
    with pytest.warns(PredictionWarning, match="rows 0, 1"):
        assert linear.predict(pd.DataFrame({"x": [np.nan, np.nan]}), groups="average").isna().all(axis=None)


@pytest.mark.parametrize("scope", ["fitted", *(pytest.param(other, marks=pytest.mark.slow) for other in SCOPES[1:])])
def test_without_rows_there_is_a_table_without_rows(linear, counts, draws, scope):
    """What a filter leaves can be nothing: of fitted groups it was an error of shapes."""
    for fit in (linear, counts, draws):
        found = fit.predict(NEW.iloc[:0], groups=scope)
        assert (len(found), list(found.columns)) == (0, list(fit.predict(NEW.iloc[:1], groups=scope).columns))


def test_effects_know_the_scopes_too(linear):
    at = {"cat": "A", "sub": "a"}
    fitted = linear.slopes("x", groups={"sub": "zero"})
    own = linear.ranef()["cat"]["x"].mean()
    np.testing.assert_allclose(fitted["estimate"], linear.values.beta[1] + own, rtol=1e-6)
    known = linear.conditional_effects("x", at=at, groups="known", points=2)
    pd.testing.assert_frame_equal(known, linear.conditional_effects("x", at=at, groups="fitted", points=2))
    mean = linear.marginal_means("x", at=at, groups="fitted")
    expected = linear.predict(pd.DataFrame({"x": mean["x"], **at}))
    for column in ("estimate", "std_error", "df", "lower", "upper"):
        np.testing.assert_allclose(mean[column], expected[column], rtol=1e-6)
    with pytest.raises(SpecError, match="Effects are of means"):
        linear.contrasts("x", groups={"sub": "new"})


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["y ~ mo(step) + (1 | cat)", "y ~ x + (1 | mm(cat, other))"])
def test_rows_with_unseen_levels_are_counted_once(formula):
    """Whatever the predictors and memberships of a row."""
    frame = FRAME.assign(step=np.arange(120) % 3, other=FRAME["cat"].iloc[::-1].to_numpy())
    rows = frame.head(4).assign(cat=["A", "new", "B", "new"], other=["A", "new", "B", "C"])
    with pytest.raises(DataError, match="have 2 rows whose level"):
        bmx.Model(formula, frame).estimate().predict(rows)
