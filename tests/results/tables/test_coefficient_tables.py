"""Coefficient tables of models with several linear predictors, against glmmTMB's figures and broom.mixed's names."""

from __future__ import annotations

import numpy as np
import pytest
from breadth import estimate_case
from distributional import estimate_of, model_of, posterior_of
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.tables.coefficient_tables import coefficient_tables
from bayesmix.results.tables.model_text import maths

TITLES = {
    "sleepstudy_locscale": {"fixed_effects": "Conditional model", "sigma": "Sigma model (log link)"},
    "epilepsy_shape": {"fixed_effects": "Conditional model", "shape": "Shape model (log link)"},
    "gaussian_poisson_sigma": {
        "a": "Conditional model of a",
        "sigma_a": "Sigma model of a (log link)",
        "n": "Conditional model of n",
    },
    "two_gaussian": {"a": "Conditional model of a", "b": "Conditional model of b"},
}


def figures(name, column="estimate"):
    return {parameter: row[column] for parameter, row in estimate_case(name)["parameters"].items()}


@pytest.mark.parametrize("name", TITLES)
def test_each_linear_predictor_has_a_table(name):
    model = model_of(name)
    assert {part.name: part.title for part in coefficient_tables(model.spec, model.design)} == TITLES[name]


def test_titles_keep_the_capital_letters_of_categories():
    """Of levels Low, High it was the *Muhigh model*."""
    data = {"y": ["Low", "High", "Mid"] * 4, "x": np.arange(12.0) % 5}
    model = bmx.Model("y ~ x", data, family="categorical")
    titles = [part.title for part in coefficient_tables(model.spec, model.design)]
    assert titles == ["MuLow model (logit link)", "MuMid model (logit link)"]


def test_a_table_has_the_reference_s_figures():
    """TMB's standard errors, and z tests of them, in the section of each parameter."""
    tables = estimate_of("sleepstudy_locscale").summary().tables
    for section, prefix in (("fixed_effects", ""), ("sigma", "sigma_")):
        table = tables[section]
        assert list(table.index) == [f"{prefix}Intercept", f"{prefix}Days"]
        for column, key in (("estimate", "estimate"), ("std_error", "se")):
            wanted = [figures("sleepstudy_locscale", key)[name] for name in table.index]
            np.testing.assert_allclose(table[column], wanted, rtol=1e-4)
        np.testing.assert_allclose(table["statistic"], table["estimate"] / table["std_error"], rtol=1e-12)
        assert "df" not in table


def test_summaries_have_glmmtmb_s_layout():
    lines = str(estimate_of("sleepstudy_locscale").summary()).splitlines()
    assert lines[:6] == [
        "Distributional mixed model fit by maximum likelihood (Laplace Approximation)",
        " Family: gaussian  ( mu = identity; sigma = log )",
        "Formula: Reaction ~ Days + (1 | ID | Subject)",
        "         sigma ~ Days + (1 | ID | Subject)",
        "   Data: sleepstudy",
        "",
    ]
    text = "\n".join(line.rstrip() for line in lines)
    assert " Subject (Intercept)       994.5898 31.5371\n         sigma_(Intercept)   0.1213  0.3483  0.31\n" in text
    assert "\nSigma model (log link):\n            Estimate Std. Error z value Pr(>|z|)\n(Intercept)  2.9" in text
    assert max(map(len, lines)) <= 80


def test_summaries_by_reml_say_so_and_have_z_tests_of_glmmtmb_s_standard_errors():
    fit = estimate_of("gaussian_offsets_reml")
    lines = str(fit.summary()).splitlines()
    assert lines[0] == "Distributional mixed model fit by REML (Laplace Approximation)"
    assert "REML criterion at convergence: 685.4" in lines
    table = fit.summary().tables["fixed_effects"]
    errors = estimate_case("gaussian_offsets_reml")["checks"]["glmmTMB"]["se"]
    np.testing.assert_allclose(table["std_error"], errors, rtol=1e-5)
    np.testing.assert_allclose(table["p_value"], 2.0 * stats.norm.sf(np.abs(table["statistic"])), rtol=1e-9)
    with pytest.raises(SpecError, match="one response with one residual variance; here z tests hold"):
        fit.satterthwaite()


def test_reml_without_random_effects_is_that_of_nlme():
    """``gls(Reaction ~ Days, weights = varExp(form = ~ Days))`` of nlme 3.1-162: nothing is approximated."""
    fit = bmx.Model(["Reaction ~ Days", "sigma ~ Days"], bmx.load_dataset("sleepstudy")).estimate("reml")
    assert fit.criterion == pytest.approx(1871.16191971, rel=1e-11)
    expected = [252.937530, 10.059991, np.log(29.8612702), 0.090039562]
    np.testing.assert_allclose(fit.values.beta, expected, rtol=1e-6)
    assert str(fit.summary()).splitlines()[0] == "Distributional model fit by REML"


def test_numbers_are_on_their_natural_scale():
    fit = estimate_of("two_gaussian")
    table = fit.summary().tables["numbers"]
    assert list(table.index) == ["sigma_a", "sigma_b"]
    np.testing.assert_allclose(table["estimate"], [figures("two_gaussian")[name] for name in table.index], rtol=1e-6)
    np.testing.assert_allclose(
        table["std_error"], [figures("two_gaussian", "se")[name] for name in table.index], rtol=1e-4
    )
    text = str(fit.summary())
    assert " Family: a: gaussian  ( mu = identity; sigma = log )\n Family: b: gaussian  (" in text
    assert "\nDistributional parameters:\n        Estimate Std. Error\nsigma_a  0.99842" in text


def test_summaries_of_posteriors_have_brms_s_sections():
    post = posterior_of("two_gaussian")
    summary = post.summary()
    assert list(summary.tables) == ["~g", "fixed_effects", "numbers"]
    assert list(summary.tables["~g"].index) == [
        "sd(g, a_Intercept)",
        "sd(g, b_Intercept)",
        "corr(g, a_Intercept, b_Intercept)",
    ]
    assert list(summary.tables["fixed_effects"].index) == ["a_Intercept", "a_x", "b_Intercept", "b_x"]
    assert np.isfinite(summary.tables["numbers"]["mode"]).all()
    assert summary.tables["numbers"]["p_direction"].isna().all()
    text = str(summary)
    headings = ["Hyperparameters:\n~g (number of levels: 30)\n", "Regression coefficients:\n"]
    headings += ["Further distributional parameters:\n"]
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert "\nsd(a_Intercept) " in text
    assert "\ncorr(a_Intercept, b_Intercept) " in text
    assert "<h4>Regression coefficients</h4>" in summary.to_html()


def test_long_tables_say_which_parameter():
    table = estimate_of("sleepstudy_locscale").tidy()
    assert list(table.columns[:4]) == ["effect", "component", "group", "term"]
    rows = [tuple(row) for row in table[["component", "term"]].fillna("").to_numpy()]
    assert rows == [
        ("cond", "(Intercept)"),
        ("cond", "Days"),
        ("sigma", "(Intercept)"),
        ("sigma", "Days"),
        ("cond", "sd__(Intercept)"),
        ("sigma", "sd__(Intercept)"),
        ("", "cor__(Intercept).sigma_(Intercept)"),
    ]
    wanted = figures("sleepstudy_locscale")
    np.testing.assert_allclose(table["estimate"], list(wanted.values()), rtol=1e-4)


def test_long_tables_say_which_response():
    table = estimate_of("two_gaussian").tidy(["fixed", "ran_pars", "ran_vals"])
    assert list(table.columns[:6]) == ["effect", "component", "response", "group", "level", "term"]
    fixed = table[table["effect"] == "fixed"]
    assert list(zip(fixed["response"], fixed["term"], strict=True)) == [
        ("a", "(Intercept)"),
        ("a", "x"),
        ("b", "(Intercept)"),
        ("b", "x"),
    ]
    numbers = table[table["term"].isin(["sigma_a", "sigma_b"])]
    assert list(numbers["component"]) == ["sigma", "sigma"]
    assert list(numbers["response"]) == ["a", "b"]
    values = table[table["effect"] == "ran_vals"]
    assert list(values["response"][:2]) == ["a", "b"]
    assert len(values) == 60


def test_models_are_written_predictor_by_predictor():
    model = model_of("gaussian_poisson_sigma")
    assert maths(model.spec, model.design) == [
        "  a[i] ~ Normal(mu_a[i], sigma_a[i])",
        "  mu_a[i] = beta[a_Intercept] + beta[a_x] x[i] + b[g, a_Intercept]",
        "  log(sigma_a[i]) = beta[sigma_a_Intercept] + beta[sigma_a_x] x[i] + b[g, sigma_a_Intercept]",
        "  n[i] ~ Poisson(mu_n[i])",
        "  log(mu_n[i]) = beta[n_Intercept] + beta[n_x] x[i] + b[g, n_Intercept]",
        "  b[g], each of 30 levels ~ Normal(0, Sigma): 3 correlated effects (a_Intercept, sigma_a_Intercept,"
        " n_Intercept)",
    ]
    model = model_of("two_gaussian")
    assert "  a[i] ~ Normal(mu_a[i], sigma_a)" in maths(model.spec, model.design)
