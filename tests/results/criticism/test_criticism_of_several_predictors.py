"""Cross-validation, R2, tests, influence and intervals of rows with several predictors, against dense formulas."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from breadth import estimate_case, frame
from breadth_fits import MODELS, RESPONSES, SHAPE, SHARED, SIGMA, at, estimated, etas, model_of, posterior
from dense_rows import Values, exact, rows_of, subset
from scipy import stats

import bayesmix as bmx
from bayesmix.data.design.subset import as_new, split
from bayesmix.errors import SpecError
from bayesmix.results.criticism.coverage import simulated
from bayesmix.results.criticism.new_level_density import log_density
from bayesmix.results.criticism.variance_explained import partition
from bayesmix.results.fits.linear_predictor import population_variance
from bayesmix.results.fits.refit import estimate_again

Array = np.ndarray
# models of which one or two tell what the others do, at a second each
COSTLY = [pytest.param(name, marks=[] if name == RESPONSES else pytest.mark.slow) for name in MODELS]


def dense_values_of(name: str, values) -> Values:
    """Parameters of a fit for the dense model."""
    ends = np.cumsum([X.shape[1] for X in model_of(name).X])
    matrices = [sd[:, None] * corr * sd for sd, corr in zip(values.sd, values.corr, strict=True)]
    return Values(np.split(values.beta, ends[:-1]), matrices)


@pytest.mark.parametrize("name", MODELS)
def test_log_likelihoods_are_those_of_all_responses(name):
    post, model = posterior(name), model_of(name)
    for chain, draw in ((0, 0), (1, 7)):
        expected = rows_of(model, None, etas(model, at(post.values, chain, draw)))[0]
        np.testing.assert_allclose(post.log_likelihood()[chain, draw], expected, rtol=1e-10)


# relative errors of densities: a Gaussian integral in closed form; Gauss-Hermite nodes at the mode of the mean draw
@pytest.mark.parametrize(("name", "tolerance"), [(SIGMA, 1e-9), (SHARED, 1e-4), (SHAPE, 1e-6), (RESPONSES, 1e-4)])
def test_the_effects_of_a_level_left_out_are_integrated_out(name, tolerance):
    """Against a fine grid of 81 nodes an effect."""
    post, model = posterior(name, 2, 0.02), model_of(name)
    codes = model.blocks[0].codes
    for level in (0, 5):
        rows = np.flatnonzero(codes == level)
        found = log_density(post.spec, as_new(post.design, rows, post.design.terms[0].group), post.values)
        expected = exact(subset(model, rows), dense_values_of(name, at(post.values, 1, 1)))
        assert found[1, 1] == pytest.approx(-0.5 * expected, abs=tolerance * abs(expected))


def test_closed_forms_hold_with_other_responses_beside_them():
    """Effects on the gaussian response alone are integrated out; the counts of the level count as they are."""
    fit = estimated(RESPONSES)
    design, values = fit.design, fit.values
    term = replace(design.terms[0], z=np.where(np.arange(2) == 0, design.terms[0].z, 0.0), owners=(0, 0))
    rows = np.flatnonzero(term.codes[: design.n] == 3)
    part = as_new(design.with_rows(terms=(term,)), rows, "g")
    n, eta = len(rows), part.X @ values.beta
    y, counts = (outcome.y for outcome in part.outcomes)
    V = values.sd[0][0] ** 2 * np.ones((n, n)) + np.exp(2.0 * values.beta[2]) * np.eye(n)
    expected = (
        stats.multivariate_normal(eta[:n], V).logpdf(y) + stats.poisson(np.exp(eta[2 * n :])).logpmf(counts).sum()
    )
    assert log_density(fit.spec, part, values) == pytest.approx(expected, rel=1e-10)


def test_too_many_effects_are_refused_by_name():
    post = posterior(SHARED, 2, 0.02)
    term = post.design.terms[0]
    wide = replace(term, z=np.hstack([term.z, term.z]), effects=(*term.effects, "p", "q"), owners=(0, 1, 0, 1))
    part = as_new(post.design.with_rows(terms=(wide,)), np.arange(10), "Subject")
    sd = np.ones((2, 2, 4))
    corr = np.broadcast_to(np.eye(4), (2, 2, 4, 4))
    values = replace(post.values, sd=(sd,), corr=(corr,), b=(np.zeros((2, 2, 18, 4)),))
    with pytest.raises(SpecError, match="at most three effects"):
        log_density(post.spec, part, values)


# ---- cross-validation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COSTLY)
def test_loo_and_logo_have_one_entry_a_unit(name):
    post = posterior(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows, levels = post.loo(refit=False), post.logo(refit=False)
    assert rows.elpd_i.shape == (post.design.n,)
    assert levels.elpd_i.shape == (len(post.design.terms[0].levels),)


def test_posteriors_of_other_responses_are_not_compared():
    with pytest.raises(SpecError, match="different responses"):
        bmx.loo_compare(posterior(SIGMA), posterior(RESPONSES))


@pytest.mark.parametrize("name", MODELS)
def test_designs_are_split_by_rows(name):
    design = estimated(name).design
    keep = np.arange(design.n) % 5 != 0
    kept, others = split(design, keep)
    model = model_of(name)
    for part, rows in ((kept, keep), (others, ~keep)):
        assert (part.n, part.R) == (rows.sum(), design.R)
        np.testing.assert_array_equal(
            part.X, np.concatenate([design.X[design.block(r)][rows] for r in range(design.R)])
        )
        np.testing.assert_array_equal(part.outcomes[-1].y, model.responses[-1].y[rows])


# ---- variance explained ----------------------------------------------------------------------------------------------


def test_what_the_distribution_adds_is_a_mean_over_rows_and_groups():
    """Nakagawa's variances of the mean; ``E sigma^2`` over rows and subjects, shapes over rows."""
    values = estimated(SIGMA).values
    days = frame("sleepstudy")["Days"].to_numpy(float)
    parts = partition(estimated(SIGMA).design, estimated(SIGMA).spec, values)
    assert parts.distribution == pytest.approx(np.mean(np.exp(2.0 * (values.beta[2] + values.beta[3] * days))))
    assert parts.fixed == pytest.approx(np.var(values.beta[1] * days, ddof=1))
    S = values.sd[0][:, None] * values.corr[0] * values.sd[0]
    z = np.column_stack([np.ones(len(days)), days])
    assert parts.random == {"Subject": pytest.approx(np.mean(np.einsum("na,ab,nb->n", z, S, z)))}

    values = estimated(SHARED).values
    parts = partition(estimated(SHARED).design, estimated(SHARED).spec, values)
    log_sigma = values.beta[2] + values.beta[3] * days
    assert parts.distribution == pytest.approx(np.mean(np.exp(2.0 * log_sigma + 2.0 * values.sd[0][1] ** 2)), rel=1e-6)
    assert parts.random == {"Subject": pytest.approx(values.sd[0][0] ** 2)}

    fit = estimated(SHAPE)
    parts = partition(fit.design, fit.spec, fit.values)
    eta = etas(model_of(SHAPE), fit.values, with_effects=False)
    mu = np.mean(np.exp(eta[:, 0] + 0.5 * fit.values.sd[0][0] ** 2))
    assert parts.distribution == pytest.approx(np.mean(np.log1p(1.0 / mu + 1.0 / np.exp(eta[:, 1]))), rel=1e-6)


def test_r2_and_icc_of_each_response():
    """Shares of the variance by hand, for the counts; equal to a model of them alone at the same values."""
    fit, model = estimated(RESPONSES), model_of(RESPONSES)
    eta = etas(model, fit.values, with_effects=False)
    variance = fit.values.sd[0] ** 2
    mu = np.mean(np.exp(eta[:, 2] + 0.5 * variance[1]))
    d = {"a": np.exp(2.0 * fit.values.beta[2]), "n": np.log1p(1.0 / mu)}
    for response, r, e in (("a", 0, 0), ("n", 2, 1)):
        f, total = np.var(eta[:, r], ddof=1), np.var(eta[:, r], ddof=1) + variance[e] + d[response]
        found = fit.r2(response=response)["estimate"]
        assert found.to_dict() == pytest.approx(
            {"marginal": f / total, "conditional": (f + variance[e]) / total}, rel=1e-6
        )
        assert fit.icc(response=response)["estimate"]["g"] == pytest.approx(
            variance[e] / (variance[e] + d[response]), rel=1e-6
        )
    assert fit.r2().equals(fit.r2(response="a"))


def test_bayesian_r2_takes_the_variance_of_each_row():
    fit, model = estimated(SIGMA), model_of(SIGMA)
    eta = etas(model, fit.values)
    explained, noise = np.var(eta[:, 0], ddof=1), np.mean(np.exp(2.0 * eta[:, 1]))
    assert fit.r2("bayesian")["estimate"]["conditional"] == pytest.approx(explained / (explained + noise))


# ---- tests, intervals, refits ----------------------------------------------------------------------------------------


def test_a_constant_sigma_is_nested_in_sigma_that_varies():
    """Likelihood ratio against lme4's ML of ``Reaction ~ Days + (Days | Subject)``, 1751.939."""
    small = bmx.Model("Reaction ~ Days + (Days | Subject)", frame("sleepstudy")).estimate(bmx.Ml())
    table = bmx.anova(small, estimated(SIGMA), labels=["constant", "varies"])
    assert table["chisq"].iloc[1] == pytest.approx(small.criterion - estimate_case(SIGMA)["criterion"], rel=1e-6)
    assert table["df"].iloc[1] == 1.0
    assert not table["boundary"].iloc[1]
    apart = bmx.anova(estimated(SIGMA), estimated(SHARED))  # neither has the other's random effects: as many parameters
    assert np.isnan(apart["p_value"].iloc[1]) or apart["df"].iloc[1] <= 0.0


def test_fits_of_other_responses_are_not_tested():
    alone = bmx.Model("a ~ x + (1 | g)", frame("responses")).estimate()
    with pytest.raises(SpecError, match="same response"):
        bmx.anova(alone, estimated(RESPONSES))


def test_wald_intervals_of_numbers_are_through_their_logarithm():
    fit = estimated(RESPONSES)
    table, values = fit.confint(method="wald"), fit.parameters()
    sigma, error = values.loc["sigma_a"]
    expected = sigma * np.exp(np.array([-1.0, 1.0]) * stats.norm.ppf(0.975) * error / sigma)
    np.testing.assert_allclose(table.loc["sigma_a"], expected, rtol=1e-8)
    x, error = values.loc["a_x"]
    np.testing.assert_allclose(table.loc["a_x"], x + np.array([-1.0, 1.0]) * stats.norm.ppf(0.975) * error, rtol=1e-8)


def test_all_responses_are_drawn_for_a_simulated_data_set():
    design = simulated(estimated(RESPONSES), seed=4)
    for outcome, name in zip(design.outcomes, ("a", "n"), strict=True):
        drawn = estimated(RESPONSES).simulate(1, groups="new", response=name, seed=4)["sim_1"]
        np.testing.assert_array_equal(outcome.y, drawn)


def test_residual_standard_deviations_are_among_the_variances():
    table = estimated(RESPONSES).varcorr()
    sigma = estimated(RESPONSES).parameters()["estimate"]["sigma_a"]
    (found,) = table.loc[(table["group"] == "Residual") & (table["effect1"] == "sigma_a"), "sd_or_corr"]
    assert found == pytest.approx(sigma)
    assert "Residual" not in set(estimated(SIGMA).varcorr()["group"])


@pytest.mark.parametrize("name", COSTLY)
def test_refits_to_the_same_rows_are_the_fit(name):
    fit = estimated(name)
    again = estimate_again(fit, design=fit.design)
    assert again.criterion == pytest.approx(fit.criterion, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", [SHARED, RESPONSES])
def test_influence_is_what_refits_without_a_level_say(name):
    fit = estimated(name)
    table = fit.influence()
    codes = fit.design.terms[0].codes[: fit.design.n]
    kept, _ = split(fit.design, codes != 2)
    change = estimate_again(fit, design=kept).values.beta - fit.values.beta
    assert table["cooks_distance"].iloc[2] == pytest.approx(
        change @ np.linalg.solve(fit.point.beta_cov, change) / len(change)
    )
    assert table.index.tolist() == list(fit.design.terms[0].levels)


def test_spreads_of_predictors_are_those_of_their_own_effects():
    fit = estimated(SHARED)
    for r in range(2):
        own = fit.design.data.of_predictor(r).terms
        np.testing.assert_allclose(population_variance(own, fit.values), fit.values.sd[0][r] ** 2)


# ---- diagnosis -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COSTLY)
def test_estimates_are_diagnosed(name):
    """Laplace's error, too, where quadrature goes over few effects of one factor."""
    findings = estimated(name).diagnose().findings
    is_count = not name.startswith("sleepstudy") and name != RESPONSES
    counts = ["Zeros of n", "Dispersion of n"] if name == RESPONSES else ["Zeros", "Dispersion"] * is_count
    residuals = ["Residuals of a", "Residuals of n"] if name == RESPONSES else ["Residuals"]
    found = [finding.topic for finding in findings]
    assert found[:3] == ["Optimiser", "Group SDs", "Laplace"]
    assert sorted(found[3:]) == sorted([*counts, *residuals])


def test_observations_are_those_of_all_responses():
    """Of two responses to a row twice as many as rows, as where they are stacked."""
    fit = estimated(RESPONSES)
    assert fit.df_resid == 2 * fit.design.n - fit.df
    assert fit.bic == pytest.approx(fit.criterion + np.log(2 * fit.design.n) * fit.df)
    alone = estimated(SIGMA)
    assert alone.df_resid == alone.design.n - alone.df
