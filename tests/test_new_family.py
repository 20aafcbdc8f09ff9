"""A family that is not ours: one record, in this file, and every verb works on it."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from scipy import stats
from scipy.special import betainc

import bayesmix as bmx
from bayesmix.language.families.family import Family, Parameter

# -- the record: at most 25 lines ------------------------------------------------------------------------------------


def kernel(xp, y, _, mu, phi):
    a, b = mu * phi, (1.0 - mu) * phi
    return xp.gammaln(phi) - xp.gammaln(a) - xp.gammaln(b) + (a - 1.0) * xp.log(y) + (b - 1.0) * xp.log1p(-y)


BETA = Family(
    "beta",
    (Parameter("mu", ("logit", "probit")), Parameter("phi")),
    "proportion",
    kernel,
    cdf=lambda y, _, mu, phi: betainc(mu * phi, (1.0 - mu) * phi, y),
    sample=lambda rng, _, mu, phi: rng.beta(mu * phi, (1.0 - mu) * phi),
    variance=lambda _, mu, phi: mu * (1.0 - mu) / (1.0 + phi),
)

# --------------------------------------------------------------------------------------------------------------------

FORMULA = "y ~ x + (1 | g)"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(12), 10)
    x = rng.normal(size=120)
    mu = 1.0 / (1.0 + np.exp(-(0.3 + 0.6 * x + rng.normal(0.0, 0.7, 12)[g])))
    return {"y": rng.beta(mu * 8.0, (1.0 - mu) * 8.0), "x": x, "g": [f"g{level}" for level in g]}


@pytest.fixture(scope="module")
def model(data):
    return bmx.Model(FORMULA, data, family=BETA)


@pytest.fixture(scope="module")
def estimate(model):
    return model.estimate()


@pytest.fixture(scope="module")
def posterior(model):
    return model.sample(draws=500, seed=1, progress=False)


def scipys(data, eta, phi):
    mu = 1.0 / (1.0 + np.exp(-eta))
    return stats.beta(mu * phi, (1.0 - mu) * phi)


def test_it_is_short():
    lines = (
        inspect.getsource(kernel).splitlines()
        + inspect.getsource(inspect.getmodule(kernel)).split("BETA = ")[1].split("\n# ---")[0].strip().splitlines()
    )
    assert len(lines) <= 25


def test_the_likelihood_is_that_of_quadrature(data, estimate):
    """Brute force: a fine grid over each level's effect, SciPy's density."""
    fit = estimate.parameters()["estimate"]
    beta, sd, phi = fit.loc[["Intercept", "x"]].to_numpy(), fit["sd(g, Intercept)"], fit["phi"]
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    g = np.array([int(level[1:]) for level in data["g"]])
    eta = (beta[0] + beta[1] * data["x"])[:, None] + sd * nodes
    rows = scipys(data, eta, phi).logpdf(np.array(data["y"])[:, None])
    by_level = np.stack([rows[g == level].sum(axis=0) for level in range(12)])
    exact = np.sum(np.log(np.exp(by_level) @ (weights / np.sqrt(2.0 * np.pi))))
    assert abs(estimate.loglik - exact) < 0.1  # the Laplace approximation's own error
    agq = bmx.Model(FORMULA, data, family=BETA).estimate(bmx.Agq(points=15))
    assert estimate.converged
    assert agq.loglik >= exact - 1e-3


def test_residuals_are_scipys(data, estimate):
    y, phi = np.array(data["y"]), float(estimate.values.dispersion)
    expected = stats.norm.ppf(scipys(data, estimate.linear_predictor(), phi).cdf(y))
    np.testing.assert_allclose(estimate.residuals("quantile"), expected, rtol=1e-8, atol=1e-8)
    mean, sd = (
        scipys(data, estimate.linear_predictor(), phi).mean(),
        scipys(data, estimate.linear_predictor(), phi).std(),
    )
    np.testing.assert_allclose(estimate.residuals("pearson"), (y - mean) / sd, rtol=1e-8)


def test_deviance_residuals_are_distances_from_the_best_mean(data, estimate):
    """Which is not the response: a beta density is higher at other means."""
    y, phi, eta = np.array(data["y"]), float(estimate.values.dispersion), estimate.linear_predictor()
    grid = np.linspace(-6.0, 8.0, 14_001)[:, None]
    top = scipys(data, grid, phi).logpdf(y).max(axis=0)
    expected = np.sign(y - scipys(data, eta, phi).mean()) * np.sqrt(2.0 * (top - scipys(data, eta, phi).logpdf(y)))
    np.testing.assert_allclose(estimate.residuals("deviance"), expected, atol=2e-3)


def test_the_marginal_sampler_takes_it(posterior, estimate):
    assert posterior.converged
    table = posterior.parameters()
    for name, value in estimate.parameters()["estimate"].items():
        assert abs(table.loc[name, "mean"] - value) < 2.0 * table.loc[name, "sd"]


def test_every_verb(model, estimate, posterior):
    for fit in (estimate, posterior):
        assert "beta" in str(fit.summary()).lower()
        assert np.isfinite(fit.predict()[["lower", "upper"]].to_numpy()).all()
        assert np.isfinite(fit.predict(kind="response", seed=1)[["lower", "upper"]].to_numpy()).all()
        assert fit.simulate(2, seed=1).shape == (120, 2)
        assert np.isfinite(fit.r2().to_numpy()).all()
        str(fit.diagnose())
    assert np.isfinite(posterior.loo().elpd)
    assert len(posterior.ppc()) > 0
    str(model)


@pytest.mark.slow
def test_comparison_and_report(estimate, posterior, tmp_path):
    comparison = bmx.compare(posterior, estimate)
    str(comparison)
    bmx.report(comparison, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_pymc_has_the_same_density(model, data):
    pymc = model.to_pymc()
    point = {name: value + 0.1 for name, value in pymc.initial_point().items()}
    [likelihood] = pymc.compile_fn(pymc.logp(vars=pymc.observed_RVs, sum=False), inputs=pymc.value_vars)(point)
    names = ("fixef", "ranef_g", "phi")
    beta, b, phi = pymc.compile_fn(
        pymc.replace_rvs_by_values([pymc[name] for name in names]), inputs=pymc.value_vars, on_unused_input="ignore"
    )(point)
    eta = beta[0] + beta[1] * data["x"] + b[model.design.terms[0].codes, 0]
    np.testing.assert_allclose(likelihood, scipys(data, eta, phi).logpdf(data["y"]), rtol=1e-8)


def test_what_the_family_has_not_is_refused(data):
    with pytest.raises(bmx.DataError, match="between 0 and 1"):
        bmx.Model(FORMULA, data | {"y": np.linspace(0.0, 1.0, 120)}, family=BETA)
    with pytest.raises(bmx.SpecError, match="no link `log`"):
        bmx.Model(FORMULA, data, family=BETA, link="log")


@pytest.mark.slow
def test_nuts_takes_it(model, posterior):
    nuts = model.sample(draws=500, seed=1, method="nuts", progress=False)
    assert nuts.converged
    ours, theirs = posterior.parameters(), nuts.parameters()
    error = np.hypot(ours["sd"] / np.sqrt(ours["ess_bulk"]), theirs["sd"] / np.sqrt(theirs["ess_bulk"]))
    assert np.all(np.abs(ours["mean"] - theirs["mean"]) < 5.0 * error)
