"""Intervals side by side, and how often they hold the truth."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError
from bayesmix.inference.estimation.profile import profile_rise
from bayesmix.results.criticism import coverage as module
from bayesmix.results.criticism.confidence_intervals import applicable, quick
from bayesmix.results.criticism.coverage import simulated
from bayesmix.results.fits.refit import estimate_again


@cache
def comparison(causes=False):
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    return bmx.compare(model.sample(seed=1), model.estimate(), causes=causes)


def test_intervals_are_those_of_the_fits():
    table = comparison().intervals(level=0.9)
    posterior, reml = comparison().fits[1], comparison().fits[0]
    assert list(table.index) == reml.names
    for method in ("wald", "satterthwaite", "kenward-roger", "profile", "bootstrap"):
        own = reml.confint(level=0.9, method=method, progress=False)
        np.testing.assert_array_equal(table.loc[own.index, [f"{method} lower", f"{method} upper"]], own)
    assert np.isnan(table.loc["sigma", "wald lower"])
    own = posterior.parameters(0.9)[["lower", "upper"]]
    np.testing.assert_array_equal(table[["credible lower", "credible upper"]], own)


def test_intervals_by_the_methods_asked_for():
    table = comparison().intervals(methods=["profile", "credible"])
    assert list(table) == ["profile lower", "profile upper", "credible lower", "credible upper"]
    with pytest.raises(SpecError, match=r"no `boot` intervals. Did you mean `bootstrap`"):
        comparison().intervals(methods=["boot"])


def test_generalized_models_have_no_satterthwaite_intervals(fitted):
    assert applicable(fitted("cbpp")) == ("wald", "profile", "bootstrap")
    assert quick(fitted("cbpp")) == ("wald", "profile")


@pytest.mark.parametrize("name", ["sd(Batch, Intercept)", "Intercept", "sigma"])
def test_the_rise_at_a_profile_limit_is_the_quantile(name):
    model = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))
    ml = model.estimate("ml")
    for limit in ml.confint([name]).loc[name]:
        rise = profile_rise(model.design, model.spec, ml.point, name, float(limit))
        assert rise == pytest.approx(3.841459, abs=1e-4)


def test_simulated_data_have_the_moments_of_the_estimate():
    reml = comparison().fits[0]
    batches, noise = [], []
    for seed in range(400):
        y = simulated(reml, seed).y.reshape(6, 5)
        batches.append(y.mean(axis=1).var(ddof=1))
        noise.append(y.var(axis=1, ddof=1).mean())
    sd, sigma = reml.parameters()["estimate"].iloc[1:]
    assert np.mean(noise) == pytest.approx(sigma**2, rel=0.05)
    assert np.mean(batches) == pytest.approx(sd**2 + sigma**2 / 5, rel=0.1)


def test_coverage_is_the_same_on_any_executor():
    alone = comparison().coverage(4, methods=["wald", "profile"], seed=3, progress=False)
    with ThreadPoolExecutor(2) as executor:
        shared = comparison().coverage(4, methods=["wald", "profile"], seed=3, progress=False, executor=executor)
    assert alone.equals(shared)
    assert alone.attrs == {"n": 4, "level": 0.95, "rule": ""}
    assert np.isnan(alone.loc["sigma", "wald"])
    assert set(np.unique(4.0 * alone["profile"])) <= set(range(5))


def test_a_study_that_was_stopped_goes_on(tmp_path, monkeypatch):
    """With another number of data sets, the pieces that are whole are taken over."""
    monkeypatch.setattr(module, "PIECE", 3)
    options = {"methods": ["wald"], "progress": False, "checkpoint": tmp_path / "coverage.jsonl"}
    comparison().coverage(6, **options)
    drawn = []
    monkeypatch.setattr(module, "simulated", lambda fit, seed: drawn.append(seed) or simulated(fit, seed))
    found = comparison().coverage(9, **options)
    assert len(drawn) == 3
    whole = comparison().coverage(9, methods=["wald"], progress=False)
    pd.testing.assert_frame_equal(found, whole, check_exact=True)
    with pytest.raises(DataError, match="not a checkpoint of this study"):
        comparison().coverage(9, **options, level=0.9)


def test_a_study_travels_to_other_processes():
    reml = comparison().fits[0]
    study = module.Study(reml.spec, reml, 0.95, ("wald", "credible"))
    again = pickle.loads(pickle.dumps(study))
    assert again.estimate.spec.family is reml.spec.family
    assert again.spec.link is reml.spec.link
    np.testing.assert_array_equal(module.replicates(again, (5,)), module.replicates(study, (5,)))


def test_intervals_of_refits_are_those_of_single_fits():
    reml = comparison().fits[0]
    methods = ("wald", "satterthwaite", "profile")
    found = module.replicates(module.Study(reml.spec, reml, 0.5, methods), range(3))
    truth = reml.parameters()["estimate"]
    for seed, held in enumerate(found):
        design = simulated(reml, seed)
        alone = estimate_again(reml, design=design)
        for column, method in zip(held.T, methods, strict=True):
            limits = bmx.Estimate(alone.fitted_model, alone.point).confint(method=method, level=0.5)
            inside = (limits["lower"] <= truth[limits.index]) & (truth[limits.index] <= limits["upper"])
            np.testing.assert_array_equal(column[: len(inside)], inside)


@pytest.mark.slow
def test_intervals_cover_as_they_say():
    """A share of 200 has a standard error of 1.5 %; Wald intervals with six batches are known to be too short."""
    table = comparison().coverage(200, methods=["wald", "satterthwaite", "credible"], progress=False)
    assert table.loc["Intercept", "satterthwaite"] == pytest.approx(0.95, abs=0.05)
    assert table.loc["sigma", "credible"] == pytest.approx(0.95, abs=0.05)
    assert table.loc["Intercept", "wald"] < table.loc["Intercept", "satterthwaite"]


def test_errors():
    with pytest.raises(SpecError, match=r"no `wal` intervals.*Did you mean `wald`"):
        comparison().coverage(2, methods=["wal"])
    with pytest.raises(SpecError, match="needs an estimate"):
        bmx.compare(comparison().fits[1]).coverage(2)


def test_progress_goes_to_standard_error(capsys):
    comparison().coverage(2, methods=["wald"])
    assert capsys.readouterr().out == ""
