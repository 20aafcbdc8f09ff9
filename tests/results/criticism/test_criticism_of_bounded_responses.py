"""Everything that is asked of a fit to censored and truncated responses, against SciPy's distributions."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.data.design.subset import as_new
from bayesmix.errors import DataError, SpecError
from bayesmix.results.criticism.new_level_density import log_density
from bayesmix.results.fits.linear_predictor import linear_predictor
from bayesmix.results.prediction.simulation import completed

N, GROUPS = 48, 6
RNG = np.random.default_rng(11)
TABLE = pd.DataFrame({"g": np.arange(N) % GROUPS, "x": RNG.normal(size=N)}).astype({"g": str})
LATENT = 2.0 + TABLE["x"] + RNG.normal(size=GROUPS)[np.arange(N) % GROUPS] + RNG.normal(size=N)
STATUS = np.select([np.arange(N) % 4 == 0, np.arange(N) % 7 == 0], ["right", "interval"], "none")
CENSORED = TABLE.assign(y=LATENT - (STATUS == "right") * 0.5, c=STATUS, y2=LATENT + 1.0)
RANGE = TABLE.assign(y=LATENT, low=LATENT - np.abs(RNG.normal(size=N)) - 0.1)


@pytest.fixture(scope="module")
def censored():
    return bmx.Model("y | cens(c, y2) ~ x + (1 | g)", CENSORED)


@pytest.fixture(scope="module")
def truncated():
    return bmx.Model("y | trunc(lb = low, ub = 9) ~ x + (1 | g)", RANGE)


@pytest.fixture(scope="module")
def posterior(censored):
    return censored.sample(draws=100, chains=2, seed=1, progress=False)


@pytest.fixture(scope="module")
def estimates(censored, truncated):
    return {"censored": censored.estimate(), "truncated": truncated.estimate()}


def normal(fit):
    """The distribution of each latent response at the estimates."""
    design, values = fit.design, fit.with_effects
    return stats.norm(linear_predictor(design.X, design.offset, design.terms, values), float(values.dispersion))


def log_density_of(data, own):
    with np.errstate(divide="ignore"):  # far out, where nothing counts
        between = np.log(own.cdf(data["y2"]) - own.cdf(data["y"]))
    return np.select(
        [data["c"] == "right", data["c"] == "interval"], [own.logsf(data["y"]), between], own.logpdf(data["y"])
    )


def test_log_likelihoods_of_draws(posterior):
    values = posterior.with_effects
    design = posterior.design
    eta = linear_predictor(design.X, design.offset, design.terms, values)
    expected = log_density_of(CENSORED, stats.norm(eta, np.asarray(values.dispersion)[..., None]))
    np.testing.assert_allclose(posterior.log_likelihood(), expected, rtol=1e-9)


def test_leave_one_out_uses_them(posterior):
    from scipy.special import logsumexp

    pointwise = posterior.log_likelihood()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = posterior.loo(refit=False)
    crude = -logsumexp(-pointwise, axis=(0, 1)) + np.log(pointwise[..., 0].size)
    assert float(found.elpd) == pytest.approx(crude.sum(), abs=1.0)


def test_quantile_residuals_of_censored_rows_are_spread_over_what_is_known(estimates):
    own = normal(estimates["censored"])
    low = own.cdf(CENSORED["y"])
    high = np.select([STATUS == "right", STATUS == "interval"], [1.0, own.cdf(CENSORED["y2"])], low)
    share = stats.norm.cdf(np.array([estimates["censored"].residuals("quantile", seed=seed) for seed in range(300)]))
    assert np.all(share >= low - 1e-9)
    assert np.all(share <= high + 1e-9)
    np.testing.assert_allclose(share.mean(axis=0), 0.5 * (low + high), atol=0.1)
    np.testing.assert_allclose(share[:, STATUS == "none"], np.broadcast_to(low, share.shape)[:, STATUS == "none"])


def test_quantile_residuals_of_truncated_rows(estimates):
    own = normal(estimates["truncated"])
    low, high = own.cdf(RANGE["low"]), own.cdf(9.0)
    expected = stats.norm.ppf((own.cdf(RANGE["y"]) - low) / (high - low))
    np.testing.assert_allclose(estimates["truncated"].residuals("quantile"), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["response", "pearson", "deviance"])
def test_residuals_from_means_are_refused(estimates, kind):
    for fit in estimates.values():
        with pytest.raises(SpecError, match='kind="quantile"'):
            fit.residuals(kind)


def test_summaries_have_quantile_residuals(estimates):
    text = str(estimates["censored"].summary())
    assert "Quantile residuals:" in text
    assert "y | cens(c, y2) ~ x + (1 | g)" in text
    counts = pd.Series(STATUS).value_counts()
    assert f"Response y: {counts['right']} right-censored, {counts['interval']} interval-censored" in text
    assert "Response y: truncated" in str(estimates["truncated"].summary())


def test_simulated_responses_are_inside_their_range_and_never_censored(estimates):
    drawn = estimates["truncated"].simulate(200, seed=3).to_numpy()
    assert np.all(drawn >= RANGE["low"].to_numpy()[:, None])
    assert drawn.max() <= 9.0
    latent = estimates["censored"].simulate(400, seed=3, groups="fitted").to_numpy()
    own = normal(estimates["censored"])
    np.testing.assert_allclose(latent.mean(axis=1), own.mean(), atol=6.0 * own.std()[0] / 20.0)


def test_new_data_need_bounds_for_responses_alone(estimates):
    fit = estimates["truncated"]
    new = TABLE.iloc[:4]
    assert len(fit.predict(new)) == 4
    np.testing.assert_allclose(fit.predict(new)["estimate"], fit.predict()["estimate"][:4], rtol=1e-9)
    with pytest.raises(DataError, match="`low`"):
        fit.predict(new, kind="response")
    table = fit.predict(new.assign(low=8.0), kind="response")
    assert table["lower"].min() >= 8.0
    assert table["upper"].max() <= 9.0
    assert table["estimate"].between(8.0, 9.0).all()
    assert len(estimates["censored"].predict(new, kind="response")) == 4


def test_means_are_those_without_bounds(estimates):
    for fit in estimates.values():
        np.testing.assert_allclose(fit.fitted(), normal(fit).mean(), rtol=1e-9)


def test_completed_data_are_drawn_from_what_is_known(posterior):
    """Means of truncated normal distributions, draw by draw."""
    y, bounds = completed(posterior, 0, seed=3), posterior.design.outcome.bounds
    design, values, rows = posterior.design, posterior.with_effects, bounds.is_censored
    eta = linear_predictor(design.X, design.offset, design.terms, values)[..., rows]
    sigma = np.asarray(values.dispersion)[..., None]
    ends = [(end[rows] - eta) / sigma for end in (bounds.low, bounds.high)]
    own = stats.truncnorm(*ends, eta, sigma)
    np.testing.assert_array_equal(y[..., ~rows], np.broadcast_to(design.y[~rows], y[..., ~rows].shape))
    assert np.all((y[..., rows] >= bounds.low[rows]) & (y[..., rows] <= bounds.high[rows]))
    error = (y[..., rows] - own.mean()).mean(axis=(0, 1)) / np.sqrt(own.var().mean(axis=(0, 1)) / y[..., 0].size)
    assert np.abs(error).max() < 4.5


def test_completed_data_are_compared_with_replicated_ones(posterior):
    table = posterior.ppc(seed=3)
    assert table.loc["mean", "observed"] == pytest.approx(completed(posterior, 0, seed=3).mean())
    assert table["p"].between(0.02, 0.98).all()
    findings = {finding.topic: finding for finding in posterior.diagnose().findings}
    assert "completed where they are censored" in findings["Predictions"].text


def test_wrong_responses_of_censored_rows_are_found():
    """Times of the same mean that do not vary like exponential ones."""
    time = 1.0 + 0.05 * np.arange(N) / N
    data = TABLE.assign(y=np.minimum(time, 1.03), c=np.where(time > 1.03, "right", "none"))
    post = bmx.Model("y | cens(c) ~ x", data, family="exponential").sample(draws=100, chains=2, progress=False)
    assert post.ppc().loc["min", "p"] < 0.01


def test_new_responses_need_a_model_without_censoring(estimates):
    with pytest.raises(SpecError, match="without cens"):
        estimates["censored"].refit(CENSORED["y"].to_numpy())


def test_simulated_responses_are_censored_as_the_data_are(censored):
    latent = LATENT.to_numpy() + 0.1
    found = censored.design.with_response(latent).outcome
    np.testing.assert_array_equal(found.bounds.is_censored, STATUS != "none")
    np.testing.assert_allclose(found.y, np.where(STATUS == "none", latent, CENSORED["y"]))
    assert not censored.design.with_response(CENSORED["y"].to_numpy() - 1e-9).outcome.bounds.is_censored.any()


def test_regressions_of_levels_maximise_the_likelihood_of_what_was_observed(estimates):
    """Against SciPy's optimiser: not the regression of the values as if all were seen."""
    from scipy.optimize import minimize

    from bayesmix.results.fits.refit import regression

    fit = estimates["censored"]
    rows = (TABLE["g"].astype(int) < 3).to_numpy()
    data = CENSORED[rows]
    found, errors = regression(fit, rows)

    def minus(theta):
        own = stats.norm(theta[0] + theta[1] * data["x"], np.exp(theta[2]))
        return -log_density_of(data, own).sum()

    best = minimize(minus, [2.0, 1.0, 0.0], method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(found, best.x[:2], rtol=1e-4)
    steps = 1e-3 * np.eye(3)
    rows = [[minus(best.x + a + b) - minus(best.x + a - b) - minus(best.x - a + b) + minus(best.x - a - b)
             for a in steps] for b in steps]  # fmt: skip
    covariance = np.linalg.inv(np.array(rows) / 4e-6)
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance))[:2], rtol=0.1)


def test_a_level_left_out_is_integrated_over(posterior):
    """By quadrature, not by the closed form of gaussian responses."""
    values, design = posterior.values, posterior.design
    rows = np.flatnonzero(TABLE["g"] == "2")
    part = as_new(design, rows, "g")
    found = log_density(posterior.spec, part, values)
    at = replace(values, beta=values.beta[0, 5])
    nodes, step = np.linspace(-12.0, 12.0, 4001, retstep=True)
    mu = design.X[rows] @ at.beta
    own = stats.norm(mu[:, None] + nodes, float(values.dispersion[0, 5]))
    columns = {name: CENSORED[name].to_numpy()[rows, None] for name in ("y", "y2", "c")}
    joint = log_density_of(columns, own).sum(axis=0) + stats.norm.logpdf(nodes, scale=float(values.sd[0][0, 5, 0]))
    assert found[0, 5] == pytest.approx(np.logaddexp.reduce(joint) + np.log(step), abs=1e-5)


def test_saved_fits_come_back(estimates, tmp_path):
    fit = estimates["truncated"]
    fit.save(tmp_path / "fit.zarr")
    again = bmx.load(tmp_path / "fit.zarr")
    assert again.loglik == fit.loglik
    np.testing.assert_array_equal(again.residuals("quantile"), fit.residuals("quantile"))
    assert again.spec == fit.spec


def test_bambi_is_told_what_it_has_not(censored):
    with pytest.raises(SpecError, match=r"cens\(c, y2\)"):
        censored.to_bambi()


def test_fits_to_other_bounds_are_of_other_data(estimates):
    other = bmx.Model("y | cens(c, y2) ~ x + (1 | g)", CENSORED.assign(y2=LATENT + 2.0)).estimate()
    with pytest.raises(SpecError):
        bmx.anova(estimates["censored"], other)
