"""The page of findings: what it finds, what it leaves alone, what it tells to type."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.fit import Posterior


@cache
def diagnosed(fit):
    return fit.diagnose()


def finding(fit, topic):
    return next(finding for finding in diagnosed(fit).findings if finding.topic == topic)


@pytest.fixture(scope="module")
def simulated():
    """A model that is true, with enough groups."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(20), 10)
    x = rng.normal(size=200)
    y = 1.0 + 0.5 * x + rng.normal(size=20)[g] + rng.normal(size=200)
    model = bmx.Model("y ~ x + (1 | g)", {"x": x, "g": g.astype(str), "y": y})
    return model.sample(draws=1000, chains=4, seed=1, progress=False)


def test_nothing_is_wrong_with_a_true_model(simulated):
    page = simulated.diagnose()
    assert page.good
    assert [one.topic for one in page.findings] == ["Chains", "Group SDs", "Rows", "Priors", "Predictions", "Residuals"]
    assert "Next:" not in str(page)
    assert repr(page) == str(page)
    assert max(map(len, str(page).splitlines())) < 100


def test_the_document_s_model_has_several_problems():
    """Counts fitted by a gaussian model: minima below zero, spread that grows, an outlier."""
    fit = bmx.load_model("esoph_lmm").sample(draws=500, chains=2, seed=1, progress=False)
    assert not diagnosed(fit).good
    assert "min 0, replicated -" in finding(fit, "Predictions").text
    assert "spread grows with the mean" in finding(fit, "Residuals").text
    first = re.search(r"rows (\d+), (\d+)", finding(fit, "Rows").text)
    assert first is not None
    assert set(first.groups()) == {"62", "66"}
    assert "! Rows" in str(diagnosed(fit))
    assert "Next: post.influence()" in str(diagnosed(fit))


def test_priors_against_the_data():
    """Far too small standard deviations asked for."""
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"), priors={"sigma": "HalfNormal(8)"})
    fit = model.sample(draws=1000, chains=2, seed=1, progress=False)
    found = finding(fit, "Priors")
    assert not found.good
    assert "sigma (prior-data conflict)" in found.text
    assert "model.prior_table()" in found.next
    table = fit.prior_sensitivity()
    assert list(table.index) == ["Intercept", "sd(Batch, Intercept)", "sigma"]
    flat = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"), priors="flat")
    assert finding(flat.sample(draws=200, chains=2, seed=1, progress=False), "Priors").good


def test_group_sds_near_zero():
    fit = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff2"), priors={"sd": "HalfNormal(0.5)"})
    found = finding(fit.sample(draws=200, chains=2, seed=1, progress=False), "Group SDs")
    assert not found.good
    assert "sd(Batch, Intercept) in " in found.text


def test_divergences_are_placed(posterior_of):
    post = posterior_of("sleepstudy", 2, 100, 0.2)
    small = post.values.sd[0][..., 1] < np.quantile(post.values.sd[0][..., 1], 0.05)
    stats = {**post.draws.stats, "diverging": small}
    broken = Posterior(post.fitted_model, replace(post.draws, stats=stats), post.priors)
    found = finding(broken, "Divergences")
    assert "sd(Subject, Days) is small" in found.text
    assert found.next == 'bmx.Model(..., priors={"sd(Subject)": "HalfNormal(...)"})'


def test_estimates(fitted):
    assert fitted("cbpp").diagnose().good
    assert "Quadrature with 9 points" in finding(fitted("cbpp"), "Laplace").text
    singular = finding(fitted("dyestuff2"), "Group SDs")
    assert not singular.good
    assert "(Intercept | Batch)" in singular.text
    assert not finding(fitted("esoph"), "Residuals").good
    assert "Laplace" not in [one.topic for one in fitted("esoph").diagnose().findings]


def test_a_laplace_error_that_matters():
    """Pairs of binary outcomes: the approximation is poor."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(120), 2)
    y = (rng.random(240) < 1.0 / (1.0 + np.exp(-1.5 - 2.5 * rng.normal(size=120)[g]))).astype(int)
    fit = bmx.Model("y ~ 1 + (1 | g)", {"y": y, "g": g.astype(str)}, family="bernoulli").estimate()
    found = finding(fit, "Laplace")
    assert not found.good
    assert found.next == "model.estimate(bmx.Agq(points=9))"


@pytest.mark.parametrize("seed", [0, 4])
def test_many_effects_of_a_true_model_are_no_pattern_of_its_residuals(seed):
    """Three counts a level: fitted effects take up a fourth of the variance of the residuals, which stay normal."""
    rng = np.random.default_rng(seed)
    g = np.arange(1800) % 600
    y = rng.poisson(np.exp(1.0 + rng.normal(size=600)[g]))
    fit = bmx.Model("y ~ 1 + (1 | g)", {"y": y, "g": g.astype(str)}, family="poisson").estimate()
    assert fit.residuals("quantile").std() < 0.9
    assert finding(fit, "Residuals").good


def test_residuals_are_called_so(fitted):
    assert finding(fitted("cbpp"), "Residuals").text == "Quantile residuals show no pattern."
