"""Predictions and residuals against closed forms and lme4's figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from densities import MEAN
from scipy.stats import norm

import bayesmix as bmx
from bayesmix.data.design.encode import encode
from bayesmix.errors import DataError, SpecError
from bayesmix.results.fits.linear_predictor import linear_predictor
from bayesmix.results.prediction.predict import predict
from bayesmix.results.prediction.rows import PredictionRows

# lme4's estimates and ours agree to about 1e-6 of a standard error (tests/reference); predictions inherit that, in
# parts of their own size
LME4 = {"rtol": 1e-5, "atol": 1e-5}
EXACT = {"rtol": 1e-12, "atol": 1e-12}
MOMENTS = 5.0  # standard errors that means of many draws with a fixed seed may be off

REML = {
    "sleepstudy_corr": "sleepstudy",
    "sleepstudy_uncorr": "sleepstudy ||",
    "sleepstudy_weights": "sleepstudy weights",
    "esoph_lmm_reml": "esoph",
    "penicillin_reml": "penicillin",
    "pastes_reml": "pastes",
    "dyestuff_reml": "dyestuff",
    "dyestuff2_reml": "dyestuff2",
}
LAPLACE = {"esoph_poisson": "esoph poisson", "cbpp_laplace": "cbpp", "gammasim_glmmTMB": "gammasim"}


# ---- lme4 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [*REML, *LAPLACE])
def test_fitted_values_and_residuals_are_lme4s(fitted, reference, case):
    fit, figures = fitted((REML | LAPLACE)[case]), reference(case)
    np.testing.assert_allclose(fit.fitted()[:10], figures["fitted_first10"], **LME4)
    kind = figures["resid_type"]
    np.testing.assert_allclose(fit.residuals(kind)[:10], figures["resid_first10"], **LME4)
    if "resid_pearson_first10" in figures:
        np.testing.assert_allclose(fit.residuals("pearson")[:10], figures["resid_pearson_first10"], **LME4)
    if "linpred_first10" in figures:
        np.testing.assert_allclose(fit.linear_predictor()[:10], figures["linpred_first10"], **LME4)
    if "fixed_only_linpred_first10" in figures:
        found = fit.predict(kind="linear", groups="zero")["estimate"][:10]
        np.testing.assert_allclose(found, figures["fixed_only_linpred_first10"], **LME4)


def new_rows(figures):
    """lme4's rows for a new group, columns typed as in the data of the fit."""
    frame = pd.DataFrame(figures["newdata"])
    for column in frame.columns:
        if isinstance(frame[column].iloc[0], str):
            frame[column] = frame[column].astype(str)
    return frame


@pytest.mark.parametrize("case", [*REML, *LAPLACE])
def test_predictions_for_a_new_group_are_lme4s(fitted, reference, case):
    """groups="zero" is what lme4's predict does with a level it has not seen."""
    fit, figures = fitted((REML | LAPLACE)[case]), reference(case)["predict_new_group"]["all"]
    rows = new_rows(figures)
    np.testing.assert_allclose(fit.predict(rows, kind="linear", groups="zero")["estimate"], figures["link"], **LME4)
    np.testing.assert_allclose(fit.predict(rows, kind="mean", groups="zero")["estimate"], figures["response"], **LME4)
    with pytest.raises(DataError, match="was not seen in fitting"):
        fit.predict(rows)
    without = rows.drop(columns=figures["new_level_in"])  # and the grouping columns are not needed
    np.testing.assert_allclose(fit.predict(without, groups="zero")["estimate"], figures["response"], **LME4)


@pytest.mark.parametrize(("case", "new"), [("penicillin_reml", "plate"), ("penicillin_reml", "sample")])
def test_one_new_factor_keeps_the_effects_of_the_other(fitted, reference, case, new):
    fit, figures = fitted(REML[case]), reference(case)["predict_new_group"][new]
    coded = encode(fit.design.encoder, new_rows(figures))
    found = linear_predictor(coded.X, coded.offset, coded.terms, fit.values)
    np.testing.assert_allclose(found, figures["link"], **LME4)


# ---- scopes --------------------------------------------------------------------------------------------------------


def group_variance(fit):
    """``z' Sigma z`` of the rows of the fit."""
    return sum(
        np.einsum("nk,kl,nl->n", term.z, matrix, term.z)
        for term, matrix in zip(fit.design.terms, fit.point.covariances, strict=True)
    )


@pytest.mark.parametrize("name", ["sleepstudy", "esoph poisson", "cbpp", "penicillin"])
def test_scopes_have_closed_forms(fitted, name):
    fit = fitted(name)
    design, link = fit.design, fit.spec.link.name
    eta = design.X @ fit.values.beta + design.offset
    effects = sum(np.sum(t.z * b[t.codes], axis=1) for t, b in zip(design.terms, fit.values.b, strict=True))

    def predicted(kind, groups):
        return fit.predict(kind=kind, groups=groups)["estimate"]

    np.testing.assert_allclose(predicted("linear", "zero"), eta, **EXACT)
    np.testing.assert_allclose(predicted("mean", "zero"), MEAN[link](eta), **EXACT)
    np.testing.assert_allclose(predicted("linear", "fitted"), eta + effects, **EXACT)
    np.testing.assert_allclose(predicted("mean", "fitted"), MEAN[link](eta + effects), **EXACT)
    np.testing.assert_allclose(predicted("mean", "fitted"), fit.fitted(), **EXACT)
    np.testing.assert_allclose(predicted("linear", "average"), eta, **EXACT)
    if link == "identity":
        np.testing.assert_allclose(predicted("mean", "average"), eta, **EXACT)
    if link == "log":
        np.testing.assert_allclose(predicted("mean", "average"), np.exp(eta + 0.5 * group_variance(fit)), rtol=1e-9)
    if link == "logit":  # between the mean at zero and one half
        zero, average = predicted("mean", "zero"), predicted("mean", "average")
        assert np.all(np.abs(average - 0.5) < np.abs(zero - 0.5))


def test_offsets_of_new_data_count(fitted):
    fit = fitted("sleepstudy offset")
    data = bmx.load_dataset("sleepstudy_ow").head(4)
    plain = fit.predict(data)["estimate"]
    np.testing.assert_allclose(plain, fit.fitted()[:4], **EXACT)
    moved = fit.predict(data.assign(off=data["off"] + 100.0))["estimate"]
    np.testing.assert_allclose(moved - plain, 100.0, rtol=1e-10)


def test_rows_of_the_fit_are_new_data_too(fitted):
    for name, data in (("sleepstudy", "sleepstudy"), ("cbpp", "cbpp"), ("penicillin", "Penicillin")):
        fit = fitted(name)
        np.testing.assert_allclose(fit.predict(bmx.load_dataset(data))["estimate"], fit.fitted(), **EXACT)


def test_predictions_are_named_by_row():
    data = bmx.load_dataset("sleepstudy")
    data.loc[3, "Reaction"] = np.nan
    with pytest.warns(bmx.DroppedWarning):
        fit = bmx.Model("Reaction ~ Days + (1 | Subject)", data).estimate()
    assert list(fit.predict().index[:5]) == [0, 1, 2, 4, 5]
    assert list(fit.predict(data.head(3)).index) == [0, 1, 2]


def test_unseen_levels_are_counted(fitted):
    rows = pd.DataFrame({"Days": [1.0, 2.0, 3.0], "Subject": ["308", "nobody", "no one"]})
    with pytest.raises(DataError, match=r'2 rows whose level of `Subject` was not seen .* Use groups="known"'):
        fitted("sleepstudy").predict(rows)
    with pytest.raises(DataError, match=r"\(no one, nobody\)"):
        fitted("sleepstudy").predict(rows)
    with pytest.raises(DataError, match=r"1 row whose level"):
        fitted("sleepstudy").predict(rows[1:2])
    for groups in ("new", "average", "zero"):
        assert np.all(np.isfinite(fitted("sleepstudy").predict(rows, groups=groups)["estimate"]))


# ---- draws ---------------------------------------------------------------------------------------------------------


def test_draws_for_new_groups_have_the_models_moments(posterior_of, fitted):
    """A repeated estimate with 4 000 draws: mean exp(eta + v / 2), linear predictor N(eta, v)."""
    fit, posterior = fitted("esoph poisson"), posterior_of("esoph poisson", 4, 1000)
    eta = fit.predict(kind="linear", groups="zero")["estimate"].to_numpy()
    v = group_variance(fit)
    linear = posterior.predict(kind="linear", groups="new", seed=3)
    assert np.all(np.abs(linear["mean"] - eta) < MOMENTS * np.sqrt(v / 4000))
    assert np.all(np.abs(linear["sd"] / np.sqrt(v) - 1.0) < MOMENTS / np.sqrt(2 * 4000))
    error = np.sqrt(0.025 * 0.975 / 4000) / norm.pdf(1.96)  # of a quantile, in standard deviations
    assert np.all(np.abs(linear["lower"] - eta + 1.96 * np.sqrt(v)) < MOMENTS * error * np.sqrt(v))
    assert np.all(np.abs(linear["upper"] - eta - 1.96 * np.sqrt(v)) < MOMENTS * error * np.sqrt(v))
    mean = posterior.predict(groups="new", seed=3)
    expected = np.exp(eta + 0.5 * v)
    spread = np.sqrt(np.exp(v) - 1.0) * expected
    assert np.all(np.abs(mean["mean"] - expected) < MOMENTS * spread / np.sqrt(4000))


def test_rows_of_one_new_level_share_their_effect(posterior_of):
    posterior = posterior_of("sleepstudy", 2, 200)
    rows = pd.DataFrame({"Days": [0.0, 0.0, 0.0], "Subject": ["a", "a", "b"]})
    draws = _draws(posterior, rows, kind="linear", groups="new")
    np.testing.assert_array_equal(draws[..., 0], draws[..., 1])


def test_new_levels_are_independent(posterior_of):
    posterior = posterior_of("sleepstudy", 2, 200)
    rows = pd.DataFrame({"Days": [0.0, 0.0, 0.0], "Subject": ["a", "a", "b"]})
    draws = _draws(posterior, rows, kind="linear", groups="new")
    correlation = np.corrcoef(draws[..., 0].ravel(), draws[..., 2].ravel())[0, 1]
    assert abs(correlation) < MOMENTS / np.sqrt(400)


def test_effects_of_a_new_level_are_correlated_as_estimated(posterior_of, fitted):
    """From days 0 and 1 of one new subject the intercept and slope of each draw."""
    fit, posterior = fitted("sleepstudy"), posterior_of("sleepstudy", 4, 1000)
    rows = pd.DataFrame({"Days": [0.0, 1.0], "Subject": ["a", "a"]})
    draws = _draws(posterior, rows, kind="linear", groups="new").reshape(-1, 2)
    b = np.column_stack([draws[:, 0], draws[:, 1] - draws[:, 0]]) - fit.values.beta
    expected = fit.point.covariances[0]
    found = np.cov(b.T)
    error = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / 4000)
    assert np.all(np.abs(found - expected) < MOMENTS * error)


def _draws(posterior, rows, **options):
    """The draws behind the table."""
    coded = PredictionRows.of_new_data(posterior.design, rows, options["groups"], None)
    return predict(posterior.spec, coded, posterior.values, seed=0, **options)


@pytest.mark.parametrize("name", ["sleepstudy", "sleepstudy weights", "esoph poisson", "cbpp", "gammasim"])
def test_new_observations_add_the_familys_noise(posterior_of, fitted, name):
    fit, posterior = fitted(name), posterior_of(name, 4, 1000)
    design = fit.design
    table = posterior.predict(kind="response", groups="fitted", seed=5)
    mu = fit.fitted()
    dispersion = 1.0 if fit.values.dispersion is None else float(fit.values.dispersion)
    match fit.spec.family.name:
        case "gaussian":
            mean, variance = mu, dispersion**2 / design.weights
        case "poisson":
            mean, variance = mu, mu
        case "binomial":  # counts of successes
            mean, variance = design.trials * mu, design.trials * mu * (1.0 - mu)
        case "gamma":
            mean, variance = mu, mu**2 / dispersion
    assert np.all(np.abs(table["mean"] - mean) < MOMENTS * np.sqrt(variance / 4000))
    # the error of a standard deviation depends on the fourth moment: a fifth of it is five errors for kurtosis up to 7
    np.testing.assert_allclose(table["sd"], np.sqrt(variance), rtol=0.2)


def test_average_observations_add_both(posterior_of, fitted):
    fit, posterior = fitted("sleepstudy"), posterior_of("sleepstudy", 4, 1000)
    table = posterior.predict(kind="response", groups="average", seed=6)
    eta = fit.predict(kind="linear", groups="zero")["estimate"]
    sd = np.sqrt(group_variance(fit) + float(fit.values.dispersion) ** 2)
    assert np.all(np.abs(table["mean"] - eta) < MOMENTS * sd / np.sqrt(4000))
    np.testing.assert_allclose(table["sd"], sd, rtol=MOMENTS / np.sqrt(2 * 4000))


def test_seeds_repeat(posterior_of):
    posterior = posterior_of("sleepstudy", 2, 10)
    first = posterior.predict(kind="response", groups="new", seed=1)
    assert first.equals(posterior.predict(kind="response", groups="new", seed=1))
    assert not first.equals(posterior.predict(kind="response", groups="new", seed=2))


def test_intervals_are_equal_tailed(posterior_of):
    posterior = posterior_of("sleepstudy", 2, 100, 0.1)
    eta = linear_predictor(posterior.design.X, 0.0, posterior.design.terms, posterior.values)
    for interval in (0.5, 0.95):
        table = posterior.predict(kind="linear", interval=interval)
        np.testing.assert_allclose(table["lower"], np.quantile(eta, 0.5 - interval / 2, axis=(0, 1)), rtol=1e-12)
        np.testing.assert_allclose(table["upper"], np.quantile(eta, 0.5 + interval / 2, axis=(0, 1)), rtol=1e-12)
        np.testing.assert_allclose(table["mean"], eta.mean(axis=(0, 1)), rtol=1e-12)
        np.testing.assert_allclose(table["sd"], eta.std(axis=(0, 1), ddof=1), rtol=1e-12)


def test_chunks_of_rows_change_nothing(posterior_of, fitted, monkeypatch):
    """Levels share their draws across chunks; what is not random is the same to the bit."""
    posterior = posterior_of("esoph poisson", 2, 50, 0.05)
    whole = {g: posterior.predict(groups=g, seed=2) for g in ("fitted", "new", "average", "zero")}
    monkeypatch.setattr("bayesmix.results.prediction.rows.CHUNK", 700)  # seven rows of a hundred draws
    for groups, table in whole.items():
        pd.testing.assert_frame_equal(posterior.predict(groups=groups, seed=2), table)
    once = posterior.predict(kind="response", seed=2)
    assert once.equals(posterior.predict(kind="response", seed=2))
    assert not once.equals(posterior.predict(kind="response", seed=3))


# ---- residuals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sleepstudy weights", "esoph poisson", "cbpp", "gammasim", "nbsim"])
def test_residuals_follow_their_definitions(fitted, name):
    fit = fitted(name)
    design, family = fit.design, fit.spec.family.name
    trials = np.ones_like(design.y) if design.trials is None else design.trials
    mu = fit.fitted()
    raw = design.y / trials - mu
    np.testing.assert_allclose(fit.residuals(), raw, **EXACT)
    shape = 1.0 if fit.values.dispersion is None else float(fit.values.dispersion)
    variance = {
        "gaussian": np.ones_like(mu),
        "poisson": mu,
        "binomial": mu * (1.0 - mu) / trials,
        "gamma": mu**2,
        "negbinomial": mu + mu**2 / shape,
    }[family]
    np.testing.assert_allclose(fit.residuals("pearson"), raw * np.sqrt(design.weights / variance), rtol=1e-10)
    assert np.all(np.sign(fit.residuals("deviance")) == np.sign(raw))
    if family == "gaussian":
        np.testing.assert_allclose(fit.residuals("deviance"), raw * np.sqrt(design.weights), rtol=1e-10)


# ---- messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "means"}, "predict has no kind=`means`. Did you mean `mean`? Choices: mean, linear, response"),
        ({"groups": "averag"}, "Did you mean `average`? Choices: fitted, new, average, zero, known"),
        ({"groups": "population"}, "predict has no groups=`population`"),
        ({"groups": ["Subject"]}, 'a scope for each grouping factor, groups={"Subject": "new"}'),
        ({"groups": {"Subjekt": "new"}}, "`Subjekt` is not a grouping factor. Did you mean `Subject`"),
        ({"groups": {"Subject": "news"}}, "Did you mean `new`?"),
        ({"groups": 3}, "a scope, not 3"),
        ({"kind": 3}, "no kind=`3`"),
    ],
)
def test_options_that_do_not_exist(fitted, options, message):
    with pytest.raises(SpecError) as raised:
        fitted("sleepstudy").predict(**options)
    assert message in str(raised.value)


def test_residuals_that_do_not_exist(fitted):
    with pytest.raises(SpecError, match=r"no residuals of kind `persons`\. Did you mean `pearson`"):
        fitted("sleepstudy").residuals("persons")


def test_missing_predictors_are_named(fitted):
    with pytest.raises(DataError, match="Column `Days` of the formula is not in the data"):
        fitted("sleepstudy").predict(pd.DataFrame({"Subject": ["308"]}))
