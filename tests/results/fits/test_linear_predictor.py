"""Every accessor written once: a posterior of a repeated estimate says what the estimate says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import around, thinned
from dense import indicator
from densities import MEAN, log_density
from handmade import level_codes, make_design, make_term, with_x
from scipy.stats import norm

import bayesmix as bmx
from bayesmix.fit import Posterior
from bayesmix.inference.parameters.names import Parameters, covariance
from bayesmix.language.families.link import LINKS
from bayesmix.results.fits import linear_predictor

EXACT = {"rtol": 1e-10, "atol": 1e-10}  # means of twenty equal numbers
NAMES = [
    "sleepstudy",
    "sleepstudy ||",
    "sleepstudy weights",
    "sleepstudy offset",
    "esoph poisson",
    "cbpp",
    "penicillin",
    "pastes",
    "gammasim",
]


def assert_tables(found, expected):
    assert found.keys() == expected.keys()
    for name, table in expected.items():
        assert list(found[name].index) == list(table.index)
        assert list(found[name].columns) == list(table.columns)
        assert found[name].index.name == table.index.name == name
        np.testing.assert_allclose(found[name], table, **EXACT)


# ---- estimate = posterior without draws ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_tables_of_a_repeated_estimate(fitted, posterior_of, name):
    estimate, posterior = fitted(name), posterior_of(name)
    assert_tables(posterior.ranef(), estimate.ranef())
    assert_tables(posterior.coef(), estimate.coef())
    found, expected = posterior.varcorr(), estimate.varcorr()
    assert list(found.columns) == ["group", "effect1", "effect2", "covariance", "sd_or_corr"]
    assert found[["group", "effect1", "effect2"]].equals(expected[["group", "effect1", "effect2"]])
    np.testing.assert_allclose(found[["covariance", "sd_or_corr"]], expected[["covariance", "sd_or_corr"]], **EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_of_a_repeated_estimate(fitted, posterior_of, name):
    estimate, posterior = fitted(name).parameters(), posterior_of(name).parameters()
    assert list(posterior.index) == list(estimate.index)
    for column in ("mean", "median", "lower", "upper"):
        np.testing.assert_allclose(posterior[column], estimate["estimate"], **EXACT)
    np.testing.assert_allclose(posterior["sd"], 0.0, atol=1e-9)
    fixed = list(fitted(name).design.fixed)
    np.testing.assert_allclose(posterior_of(name).fixef()["mean"], estimate.loc[fixed, "estimate"], **EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_a_repeated_estimate(fitted, posterior_of, name):
    estimate, posterior = fitted(name), posterior_of(name)
    np.testing.assert_allclose(posterior.fitted(), estimate.fitted(), **EXACT)
    np.testing.assert_allclose(posterior.linear_predictor(), estimate.linear_predictor(), **EXACT)
    for kind in ("response", "pearson", "deviance"):
        np.testing.assert_allclose(posterior.residuals(kind), estimate.residuals(kind), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("groups", ["fitted", "average", "zero"])
@pytest.mark.parametrize("kind", ["mean", "linear"])
@pytest.mark.parametrize("name", NAMES)
def test_predictions_of_a_repeated_estimate(fitted, posterior_of, name, kind, groups):
    estimate = fitted(name).predict(kind=kind, groups=groups)
    posterior = posterior_of(name).predict(kind=kind, groups=groups)
    for column in ("mean", "lower", "upper"):
        np.testing.assert_allclose(posterior[column], estimate["estimate"], **EXACT)
    np.testing.assert_allclose(posterior["sd"], 0.0, atol=1e-8)


def test_singular_fits_have_undefined_correlations_on_both_sides():
    data = bmx.load_dataset("Dyestuff2")
    data = data.assign(x=np.tile([0.0, 1.0, 2.0, 3.0, 4.0], 6))
    singular = bmx.Model("Yield ~ x + (x | Batch)", data)
    estimate = singular.estimate()
    assert estimate.singular
    posterior = around(estimate, singular, chains=2, draws=10, spread=0.0)
    np.testing.assert_allclose(
        posterior.varcorr()["sd_or_corr"], estimate.varcorr()["sd_or_corr"], equal_nan=True, **EXACT
    )
    np.testing.assert_allclose(posterior.fitted(), estimate.fitted(), **EXACT)
    prediction = estimate.predict(groups="average")["estimate"]
    assert np.all(np.isfinite(prediction))


@pytest.mark.parametrize("name", ["sleepstudy", "esoph poisson"])
def test_big_models_use_the_draws_that_have_effects(posterior_of, name):
    whole = posterior_of(name, 2, 10, 0.1)
    fewer = thinned(whole)
    kept = Posterior(whole.fitted_model, replace(whole.draws, parameters=fewer.with_effects), whole.priors)
    assert kept.values.lead == (2, 5)
    assert_tables(fewer.ranef(), kept.ranef())
    assert_tables(fewer.coef(), kept.coef())
    np.testing.assert_allclose(fewer.fitted(), kept.fitted(), **EXACT)
    np.testing.assert_allclose(fewer.predict(), kept.predict(), **EXACT)
    np.testing.assert_allclose(fewer.log_likelihood(), kept.log_likelihood(), **EXACT)
    for column in ("mean", "sd"):  # parameters use all draws
        np.testing.assert_allclose(fewer.parameters()[column], whole.parameters()[column], **EXACT)


# ---- the functions against dense formulas, with leading axes -------------------------------------------------------

LEAD = (2, 3)


def make(seed=0, n=40):
    rng = np.random.default_rng(seed)
    X = with_x(rng, n)
    h = level_codes(rng, n, 4)
    terms = [
        make_term("g", level_codes(rng, n, 7), X),
        make_term("h", h, np.ones((n, 1))),
        make_term("h", h, rng.normal(size=(n, 1)), effects=("w",)),
    ]
    design = make_design(rng.poisson(3.0, n).astype(float), X, terms, offset=rng.normal(size=n))
    sd = tuple(rng.uniform(0.2, 1.0, (*LEAD, len(term.effects))) for term in design.terms)
    corr = []
    for term in design.terms:
        k = len(term.effects)
        matrix = np.broadcast_to(np.eye(k), (*LEAD, k, k)).copy()
        if k == 2:
            matrix[..., 0, 1] = matrix[..., 1, 0] = rng.uniform(-0.9, 0.9, LEAD)
        corr.append(matrix)
    values = Parameters(
        beta=rng.normal(size=(*LEAD, 2)),
        sd=sd,
        corr=tuple(corr),
        b=tuple(rng.normal(size=(*LEAD, len(term.levels), len(term.effects))) for term in design.terms),
        dispersion=rng.uniform(0.5, 2.0, LEAD),
    )
    return design, values


def at(values, index):
    return Parameters(
        values.beta[index],
        tuple(sd[index] for sd in values.sd),
        tuple(corr[index] for corr in values.corr),
        tuple(b[index] for b in values.b),
        values.dispersion[index],
    )


def test_linear_predictor_is_the_dense_product():
    design, values = make()
    together = linear_predictor.linear_predictor(design.X, design.offset, design.terms, values)
    for index in np.ndindex(LEAD):
        eta = design.X @ values.beta[index] + design.offset
        fixed = linear_predictor.linear_predictor(design.X, design.offset, design.terms, values, with_effects=False)
        np.testing.assert_allclose(fixed[index], eta, **EXACT)
        for term, b in zip(design.terms, values.b, strict=True):
            eta = eta + indicator(term.codes, term.z, len(term.levels)) @ b[index].ravel()
        np.testing.assert_allclose(together[index], eta, **EXACT)
        alone = linear_predictor.linear_predictor(design.X, design.offset, design.terms, at(values, index))
        np.testing.assert_allclose(alone, eta, **EXACT)


def test_unseen_levels_have_no_effect():
    design, values = make()
    first = design.terms[0]
    codes = first.codes.copy()
    codes[:5] = -1
    terms = (replace(first, codes=codes), *design.terms[1:])
    seen = linear_predictor.linear_predictor(design.X, design.offset, design.terms, values)
    found = linear_predictor.linear_predictor(design.X, design.offset, terms, values)
    own = np.einsum("nk,...nk->...n", first.z, values.b[0][..., first.codes, :])
    np.testing.assert_allclose(found[..., :5], (seen - own)[..., :5], **EXACT)
    np.testing.assert_array_equal(found[..., 5:], seen[..., 5:])


def test_population_variance_is_that_of_a_new_level():
    design, values = make()
    found = linear_predictor.population_variance(design.terms, values)
    for index in np.ndindex(LEAD):
        for i in range(5):
            total = 0.0
            for term, sd, corr in zip(design.terms, values.sd, values.corr, strict=True):
                D = np.diag(sd[index])
                total += term.z[i] @ D @ corr[index] @ D @ term.z[i]
            assert found[(*index, i)] == pytest.approx(total, rel=1e-12)


def test_undefined_correlations_count_as_zero():
    corr = np.array([[1.0, np.nan], [np.nan, 1.0]])
    np.testing.assert_array_equal(covariance(np.array([2.0, 0.0]), corr), [[4.0, 0.0], [0.0, 0.0]])


def test_groups_put_terms_side_by_side():
    design, values = make()
    g, h = linear_predictor.groups(design)
    assert (g.group, g.effects, g.terms) == ("g", ("Intercept", "x"), (0,))
    assert (h.group, h.effects, h.terms) == ("h", ("Intercept", "w"), (1, 2))
    assert linear_predictor.of_group(values.b, h.terms).shape == (*LEAD, 4, 2)
    names, coefficients = linear_predictor.coefficients(design, values, h)
    assert names == ["Intercept", "x", "w"]
    np.testing.assert_allclose(coefficients[..., 0], values.beta[..., None, 0] + values.b[1][..., 0], **EXACT)
    np.testing.assert_allclose(coefficients[..., 1], np.broadcast_to(values.beta[..., None, 1], (*LEAD, 4)), **EXACT)
    np.testing.assert_allclose(coefficients[..., 2], values.b[2][..., 0], **EXACT)  # no fixed effect of w


def test_names_and_numbers_are_in_one_order():
    design, values = make()
    names = linear_predictor.parameter_names(design, "sigma")
    assert names == [
        "Intercept",
        "x",
        "sd(g, Intercept)",
        "sd(g, x)",
        "sd(h, Intercept)",
        "sd(h, w)",
        "corr(g, Intercept, x)",
        "sigma",
    ]
    flat = linear_predictor.flatten(design, values)
    assert flat.shape == (*LEAD, len(names))
    expected = [
        values.beta[..., 0],
        values.beta[..., 1],
        values.sd[0][..., 0],
        values.sd[0][..., 1],
        values.sd[1][..., 0],
        values.sd[2][..., 0],
        values.corr[0][..., 1, 0],
        values.dispersion,
    ]
    np.testing.assert_array_equal(np.moveaxis(flat, -1, 0), expected)


def test_correlations_are_listed_column_by_column():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(20, 4))
    codes, effect_names = level_codes(rng, 20, 4), ("Intercept", "x", "w", "v")
    term = make_term("g", codes, z, effects=effect_names)
    design = make_design(np.zeros(20), with_x(rng, 20), [term])
    assert linear_predictor.parameter_names(design, None)[-6:] == [
        "corr(g, Intercept, x)",
        "corr(g, Intercept, w)",
        "corr(g, Intercept, v)",
        "corr(g, x, w)",
        "corr(g, x, v)",
        "corr(g, w, v)",
    ]
    assert linear_predictor.correlated(term) == [(1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2)]
    independent = design.with_rows(terms=(replace(term, structure="diag"),))
    assert linear_predictor.correlated(independent.terms[0]) == []
    assert linear_predictor.parameter_names(independent, None)[-1] == "sd(g, v)"


@pytest.mark.parametrize(("link", "tolerance"), [("identity", 1e-12), ("log", 1e-9), ("sqrt", 1e-12)])
def test_average_over_groups_has_closed_forms(link, tolerance):
    """``E h(eta + N(0, v))``: eta, exp(eta + v / 2), eta^2 + v."""
    eta, variance = np.linspace(-1.0, 2.0, 7), np.linspace(0.0, 3.0, 7)
    closed = {"identity": eta, "log": np.exp(eta + 0.5 * variance), "sqrt": eta**2 + variance}[link]
    found = linear_predictor.average_mean(LINKS[link], eta, variance)
    np.testing.assert_allclose(found, closed, rtol=tolerance, atol=tolerance)


def test_average_over_groups_of_a_probit():
    eta, variance = np.linspace(-2.0, 2.0, 7), np.linspace(0.0, 4.0, 7)
    found = linear_predictor.average_mean(LINKS["probit"], eta, variance)
    np.testing.assert_allclose(found, norm.cdf(eta / np.sqrt(1.0 + variance)), atol=1e-6)


@pytest.mark.parametrize("name", ["sleepstudy weights", "esoph poisson", "cbpp", "gammasim"])
def test_log_likelihood_of_the_rows(posterior_of, name):
    posterior = posterior_of(name, 2, 10, 0.05)
    design, family, link = posterior.design, posterior.spec.family, posterior.spec.link.name
    found = posterior.log_likelihood()
    assert found.shape == (2, 10, len(design.y))
    for index in [(0, 0), (1, 7)]:
        eta = design.X @ posterior.values.beta[index] + design.offset
        for term, b in zip(design.terms, posterior.values.b, strict=True):
            eta = eta + np.sum(term.z * b[index][term.codes], axis=1)
        dispersion = 1.0 if posterior.values.dispersion is None else posterior.values.dispersion[index]
        if family.name == "gaussian":
            dispersion = dispersion / np.sqrt(design.weights)
        trials = 1.0 if design.trials is None else design.trials
        expected = log_density(family.name, design.y, MEAN[link](eta), dispersion, trials)
        np.testing.assert_allclose(found[index], expected, rtol=1e-9, atol=1e-9)


STAN = Path(__file__).parents[2] / "reference" / "stan"
GENERALIZED = {
    "esoph_poisson": ("ncases ~ ncontrols + (ncontrols | agegp)", "poisson"),
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial"),
    "gammasim": ("y ~ x + (1 | g)", "gamma"),
}


@pytest.mark.parametrize("case", GENERALIZED)
def test_log_likelihood_at_stans_points(case):
    """All constants included, random effects given: an exact check of the likelihood, without sampling."""
    formula, family = GENERALIZED[case]
    given = json.loads((STAN / f"{case}.json").read_text(encoding="utf-8"))
    model = bmx.Model(formula, bmx.load_dataset(given["data"]), family=family)
    design = model.design
    for entry in given["log_lik_points"]["points"]:
        point = entry["parameters"]
        values = Parameters(
            beta=np.array([point[f"b_{name}"] for name in design.fixed]),
            sd=tuple(np.ones(len(term.effects)) for term in design.terms),
            corr=tuple(np.eye(len(term.effects)) for term in design.terms),
            b=tuple(
                np.array([[point[f"r_{t.group}[{level},{effect}]"] for effect in t.effects] for level in t.levels])
                for t in design.terms
            ),
            dispersion=np.array(point["shape"]) if family == "gamma" else None,
        )
        eta = linear_predictor.linear_predictor(design.X, design.offset, design.terms, values)
        rows = linear_predictor.log_likelihood(design, model.spec, values, eta)
        recorded = next(value for key, value in entry.items() if key.startswith("log_lik"))
        assert rows.sum() == pytest.approx(recorded, rel=1e-7)  # Stan's points have nine digits


def test_fits_answer_by_the_words_of_other_packages(fitted, posterior_of):
    """lme4 1.1-31: ``nobs(fm1)`` 180, ``REMLcrit(fm1)`` 1743.628 of its sleepstudy example."""
    fit, post = fitted("sleepstudy"), posterior_of("sleepstudy")
    assert (fit.nobs, post.nobs, fit.formula) == (180, 180, "Reaction ~ Days + (Days | Subject)")
    assert fit.deviance == pytest.approx(1743.628, abs=1e-3)
    residual = fit.residuals()
    sigma = fit.parameters()["estimate"]["sigma"]
    given = 180 * np.log(2 * np.pi * sigma**2) + np.sum(np.square(residual)) / sigma**2
    assert post.deviance == pytest.approx(given, rel=1e-10)  # all draws are the estimate
