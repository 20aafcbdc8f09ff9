"""R2 and ICC against published figures and written-out formulas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, polygamma

import bayesmix as bmx
from bayesmix.errors import SpecError


def test_sleepstudy_has_its_published_figures(fitted):
    """performance::r2_nakagawa and performance::icc on lme4's fit: 0.279, 0.799, 0.722."""
    fit = fitted("sleepstudy")
    table = fit.r2()["estimate"]
    assert round(table["marginal"], 3) == 0.279
    assert round(table["conditional"], 3) == 0.799
    assert round(fit.icc()["estimate"]["Subject"], 3) == 0.722


def variances(fit):
    design = fit.design
    fixed = np.var(design.X @ fit.values.beta, ddof=1)
    random = [
        np.mean(np.einsum("na,ab,nb->n", term.z, covariance, term.z))
        for term, covariance in zip(design.terms, fit.point.covariances, strict=True)
    ]
    return fixed, random


def test_counts_use_the_lognormal_variance(fitted):
    fit = fitted("esoph poisson")
    fixed, (random,) = variances(fit)
    spread = np.einsum("na,ab,nb->n", fit.design.X, fit.point.covariances[0], fit.design.X)
    mu = np.mean(np.exp(fit.design.X @ fit.values.beta + 0.5 * spread))
    noise = np.log(1.0 + 1.0 / mu)
    np.testing.assert_allclose(fit.r2()["estimate"]["marginal"], fixed / (fixed + random + noise), rtol=1e-8)
    np.testing.assert_allclose(fit.icc()["estimate"]["agegp"], random / (random + noise), rtol=1e-8)


@pytest.mark.parametrize(("link", "noise"), [("probit", stats.norm.var()), ("cloglog", stats.gumbel_l.var())])
def test_links_of_shares_have_the_variance_of_their_distribution(link, noise):
    """A share is a threshold on a latent variable: logistic, normal, or Gumbel's with pi^2 / 6."""
    model = bmx.Model(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", bmx.load_dataset("cbpp"), "binomial", link
    )
    fit = model.estimate()
    _, (random,) = variances(fit)
    np.testing.assert_allclose(fit.icc()["estimate"]["herd"], random / (random + noise), rtol=1e-8)


@pytest.mark.slow  # a search of its own
def test_continuous_shares_are_no_cuts_of_a_latent_variable():
    """Yields of gasoline: crude and temperature tell 98 % of their variance, and the R2 was 0.20, of pi^2 / 3."""
    data = pd.read_csv(Path(__file__).parents[2] / "reference/unseen/petrol.csv")
    fit = bmx.Model("yield ~ endpoint + (1 | crude)", data, family="beta").estimate()
    fixed, (random,) = variances(fit)
    rng = np.random.default_rng(1)
    eta = fit.values.beta[0] + fit.values.beta[1] * data["endpoint"].to_numpy()
    mu = np.mean(expit(eta + rng.normal(0.0, np.sqrt(random), (10_000, len(data)))))
    phi = fit.parameters()["estimate"]["phi"]
    a, b = mu * phi, (1.0 - mu) * phi
    noise = polygamma(1, a) + polygamma(1, b)  # of the logit of a beta response, which the delta method is near to
    table = fit.r2()["estimate"]
    assert table["marginal"] == pytest.approx(fixed / (fixed + random + noise), abs=0.002)
    assert table["conditional"] == pytest.approx((fixed + random) / (fixed + random + noise), abs=0.002)
    assert fit.icc()["estimate"]["crude"] == pytest.approx(random / (random + noise), abs=0.005)


def test_shares_and_several_factors(fitted):
    cbpp = fitted("cbpp")
    fixed, (random,) = variances(cbpp)
    noise = stats.logistic.var()
    np.testing.assert_allclose(cbpp.r2()["estimate"]["conditional"], (fixed + random) / (fixed + random + noise))
    penicillin = fitted("penicillin")
    _, (plate, sample) = variances(penicillin)
    table = penicillin.icc()["estimate"]
    total = plate + sample + penicillin.point.dispersion**2
    np.testing.assert_allclose(table, [plate / total, sample / total, (plate + sample) / total], rtol=1e-10)
    assert list(table.index) == ["plate", "sample", "all"]
    np.testing.assert_allclose(penicillin.r2()["estimate"]["marginal"], 0.0, atol=1e-12)


def test_gamma_and_negative_binomial(fitted):
    gamma = fitted("gammasim")
    fixed, (random,) = variances(gamma)
    noise = np.log(1.0 + 1.0 / gamma.point.dispersion)
    np.testing.assert_allclose(gamma.icc()["estimate"]["g"], random / (random + noise), rtol=1e-8)
    assert fixed > 0.0
    assert 0.0 < fitted("nbsim").r2()["estimate"]["marginal"] < fitted("nbsim").r2()["estimate"]["conditional"] < 1.0


@pytest.mark.parametrize("name", ["sleepstudy", "cbpp", "esoph poisson", "penicillin"])
@pytest.mark.parametrize("definition", ["nakagawa", "bayesian"])
def test_draws_and_estimates_are_one_function(fitted, posterior_of, name, definition):
    estimate, posterior = fitted(name).r2(definition)["estimate"], posterior_of(name, 2, 5).r2(definition)
    np.testing.assert_allclose(posterior["mean"], estimate, rtol=1e-10)
    np.testing.assert_allclose(posterior["sd"], 0.0, atol=1e-10)
    np.testing.assert_allclose(posterior_of(name, 2, 5).icc()["mean"], fitted(name).icc()["estimate"], rtol=1e-10)


def test_bayesian_r2_is_of_means_against_responses(fitted):
    fit = fitted("sleepstudy")
    mu = fit.fitted()
    explained = np.var(mu, ddof=1)
    found = fit.r2("bayesian")["estimate"]
    np.testing.assert_allclose(found["conditional"], explained / (explained + fit.point.dispersion**2), rtol=1e-10)
    alone = np.var(fit.design.X @ fit.values.beta, ddof=1)  # random effects at zero
    np.testing.assert_allclose(found["marginal"], alone / (alone + fit.point.dispersion**2), rtol=1e-10)


def test_definitions_that_do_not_exist(fitted):
    with pytest.raises(SpecError, match=r"no R2 `nagakawa`\. Did you mean `nakagawa`"):
        fitted("cbpp").r2("nagakawa")
