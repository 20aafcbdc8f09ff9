"""Quantile residuals, against SciPy, and standard normal where the model is true."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.results.fits.residuals import cumulative, quantile_residuals


@pytest.mark.parametrize("name", ["sleepstudy weights", "esoph poisson", "cbpp", "gammasim", "nbsim"])
def test_cumulative_probabilities_are_scipys(fitted, name):
    fit = fitted(name)
    design, mu = fit.design, fit.fitted()
    shape = None if fit.values.dispersion is None else float(fit.values.dispersion)
    distribution = {
        "gaussian": lambda: stats.norm(mu, (shape or 1.0) / np.sqrt(design.weights)),
        "poisson": lambda: stats.poisson(mu),
        "binomial": lambda: stats.binom(design.trials, mu),
        "gamma": lambda: stats.gamma(shape, scale=mu / (shape or 1.0)),
        "negbinomial": lambda: stats.nbinom(shape, (shape or 1.0) / ((shape or 1.0) + mu)),
    }[fit.spec.family.name]()
    below, upto = cumulative(fit.spec.family, design.outcome, (mu, *fit.spec.family.others(shape)))
    np.testing.assert_allclose(upto, distribution.cdf(design.y), rtol=1e-9, atol=1e-300)
    discrete = fit.spec.family.name in {"poisson", "binomial", "negbinomial"}
    np.testing.assert_allclose(below, distribution.cdf(design.y - 1.0) if discrete else upto, rtol=1e-9, atol=1e-300)
    residuals = stats.norm.cdf(fit.residuals("quantile", seed=3))
    assert np.all((residuals >= below - 1e-9) & (residuals <= upto + 1e-9))


def test_quantile_residuals_of_gaussian_models_are_scaled_ones(fitted):
    fit = fitted("sleepstudy")
    np.testing.assert_allclose(fit.residuals("quantile"), fit.residuals() / fit.point.dispersion, rtol=1e-8)


def test_quantile_residuals_are_standard_normal_where_the_model_is_true(fitted):
    """Poisson counts simulated from the fit, residuals at the true means."""
    fit = fitted("esoph poisson")
    drawn = fit.simulate(40, groups="fitted", seed=1).to_numpy()
    pooled = []
    for j, y in enumerate(drawn.T):
        design = fit.design.with_response(y)
        pooled.append(quantile_residuals(cumulative(fit.spec.family, design.outcome, (fit.fitted(),)), seed=j))
    assert stats.kstest(np.concatenate(pooled), "norm").pvalue > 0.01


def test_posteriors_average_the_probabilities(posterior_of):
    posterior = posterior_of("cbpp", 2, 20, 0.1)
    design = posterior.design
    b = posterior.values.b[0][..., design.terms[0].codes, 0]
    mu = stats.logistic.cdf(posterior.values.beta @ design.X.T + b)
    exact = stats.binom(posterior.design.trials, mu)
    residuals = stats.norm.cdf(posterior.residuals("quantile"))
    y = design.y
    assert np.all(residuals >= exact.cdf(y - 1).mean(axis=(0, 1)) - 1e-12)
    assert np.all(residuals <= exact.cdf(y).mean(axis=(0, 1)) + 1e-12)
