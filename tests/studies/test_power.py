"""Power by simulation: against the noncentral t of a balanced trial, loops by hand in R, and itself on any executor."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from residuals import fitted
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError
from bayesmix.studies import power

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "power" / "power.json").read_text(encoding="utf-8"))
NOISE = 3.5  # Monte Carlo standard errors that a share may be off
TRIAL = {"treated": 1.0, "sd(clinic, Intercept)": 1.0, "sigma": 1.0}


@pytest.fixture(scope="module")
def trial():
    """Eight clinics, every other one treated, four patients each."""
    clinic = np.repeat(np.arange(8), 4)
    y = np.random.default_rng(3).normal(size=32) + np.random.default_rng(4).normal(size=8)[clinic]
    return bmx.Model("y ~ treated + (1 | clinic)", {"y": y, "treated": clinic % 2, "clinic": clinic}).estimate()


@pytest.fixture(scope="module")
def study(trial):
    return power(trial, effect=TRIAL, n={"clinic": [8, 16, 24]}, replicates=150, progress=False)


@pytest.fixture(scope="module")
def sleep():
    return bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy")).estimate()


def exact_power(clinics, patients):
    """Of the t test of clinics' means, which that of a balanced trial is where its estimate is not singular."""
    ncp = 1.0 / np.sqrt(4.0 * (1.0 + 1.0 / patients) / clinics)
    q = stats.t.ppf(0.975, clinics - 2)
    return stats.nct.sf(q, clinics - 2, ncp) + stats.nct.cdf(-q, clinics - 2, ncp)


def assert_near(share, expected, n, *, theirs=np.inf):
    """A share of n simulations, where the expected one is of some simulations as well."""
    error = np.sqrt(expected * (1.0 - expected) * (1.0 / n + 1.0 / theirs))
    assert abs(share - expected) <= NOISE * error + 0.5 / n


def test_power_of_a_balanced_trial_is_that_of_the_noncentral_t(study):
    for clinics, row in study.table.iterrows():
        assert_near(row["power"], exact_power(clinics, 4), 150)
        assert_near(row["coverage"], 0.95, 150)
        assert row["observations"] == 4 * clinics


@pytest.mark.slow
def test_power_and_coverage_within_a_smaller_error(trial):
    sizes = {"clinic": [8, 16]}
    found = power(trial, effect=TRIAL, n=sizes, rows=[4, 12], replicates=1000, progress=False).table
    for (clinics, patients), row in found.iterrows():
        assert_near(row["power"], exact_power(clinics, patients), 1000)
        assert_near(row["coverage"], 0.95, 1000)
    null = power(trial, effect=TRIAL | {"treated": 0.0}, n={"clinic": 16}, replicates=1000, progress=False).table
    assert_near(null["power"].iloc[0], 0.05, 1000)


SLEEP = {"Intercept": 250.0, "Days": 5.0, "sd(Subject, Intercept)": 25.0, "sd(Subject, Days)": 6.0}
SLEEP |= {"corr(Subject, Intercept, Days)": 0.1, "sigma": 25.0}
HERDS = {"Intercept": -1.5, "period2": -0.5, "period3": -1.0, "period4": -1.5, "sd(herd, Intercept)": 0.7}
CASES = {
    "trial": (TRIAL, "clinic", "treated", 1000),
    "days": (SLEEP, "Subject", "Days", 1000),
    "herds": (HERDS, "herd", "period2", 300),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_loops_by_hand_in_r(name, trial, sleep):
    """simr's way: simulate, refit by lmer or glmer, test by lmerTest or z."""
    text = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    known = {"trial": trial, "days": sleep}
    fit = known.get(name) or bmx.Model(text, bmx.load_dataset("cbpp"), family="binomial").estimate()
    effect, group, test, n = CASES[name]
    sizes = {group: list(map(int, REFERENCE[name]))}
    found = power(fit, effect=effect, n=sizes, test=test, replicates=n, progress=False).table
    for size, expected in REFERENCE[name].items():
        row, theirs = found.loc[int(size)], expected["replicates"]
        for column in ("power", "coverage", "singular"):
            assert_near(row[column], expected[column], n, theirs=theirs)
        error = expected["width_sd"] * np.sqrt(1.0 / n + 1.0 / theirs)
        assert row["width"] == pytest.approx(expected["width"], abs=NOISE * error)


def test_any_executor_gives_the_same_study(trial, study):
    with ThreadPoolExecutor(2) as threads:
        other = power(trial, effect=TRIAL, n={"clinic": [8, 16, 24]}, replicates=150, progress=False, executor=threads)
    pd.testing.assert_frame_equal(study.replicates, other.replicates)


def test_a_study_that_was_stopped_goes_on(trial, study, tmp_path, monkeypatch):
    module, calls = import_module("bayesmix.studies.power"), []
    run = module.run_batch

    def stopped(*arguments):
        calls.append(len(calls))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return run(*arguments)

    options = {"effect": TRIAL, "n": {"clinic": [8, 16, 24]}, "progress": False, "checkpoint": tmp_path / "power.jsonl"}
    monkeypatch.setattr(module, "run_batch", stopped)
    with pytest.raises(KeyboardInterrupt):
        power(trial, replicates=150, **options)
    found = power(trial, replicates=150, **options)
    assert len(calls) == 4 + 9 - 3
    pd.testing.assert_frame_equal(found.replicates, study.replicates, check_exact=True)
    with pytest.raises(DataError, match="is not a checkpoint of this study"):
        power(trial, replicates=150, **options | {"effect": TRIAL | {"sigma": 2.0}})


def test_more_replicates_begin_with_those_there_are(trial, study):
    fewer = power(trial, effect=TRIAL, n={"clinic": [16]}, replicates=70, progress=False)
    pd.testing.assert_frame_equal(fewer.replicates.iloc[:50], study.replicates.loc[16].iloc[:50])


def test_the_table_is_of_the_replicates(study):
    own = study.replicates.loc[8]
    row, rejected = study.table.loc[8], own["p_value"] <= 0.05
    half = stats.t.ppf(0.975, own["df"]) * own["std_error"]
    assert row["power"] == pytest.approx(rejected.mean())
    assert row["width"] == pytest.approx(2.0 * half.mean())
    assert row["bias"] == pytest.approx((own["estimate"] - 1.0).mean())
    assert row["coverage"] == pytest.approx(((own["estimate"] - 1.0).abs() <= half).mean())
    assert row["type_m"] == pytest.approx(own["estimate"][rejected].abs().mean())
    assert row["type_s"] == pytest.approx((own["estimate"][rejected] < 0.0).mean())
    assert row["type_m"] > 1.0  # the estimates that reject are the large ones


def test_the_size_of_a_power(study):
    found = study.needed(0.5).iloc[0]
    exact = next(clinics for clinics in range(4, 60) if exact_power(clinics, 4) >= 0.5)
    assert found["lower"] <= exact <= found["upper"]
    assert study.needed(0.999).iloc[0]["clinic"] == np.inf
    assert study.needed(0.1).iloc[0]["clinic"] == 8.0


def test_the_text_is_narrow_and_says_what_it_takes(study):
    text = str(study)
    assert max(map(len, text.splitlines())) <= 80
    assert "Power of the test of `treated` at alpha = 0.05" in text
    assert "Satterthwaite" in text
    assert f"A power of 0.3 takes clinic = {study.needed(0.3)['clinic'].iloc[0]:g}" in study.in_words(0.3)
    assert "A power of 0.999 is not reached." in study.in_words(0.999)
    assert "A power of 0.1 takes at most clinic = 8" in study.in_words(0.1)


def test_a_posterior_draws_each_data_set_from_another_draw(sleep):
    post = bmx.Model(sleep.spec.text, bmx.load_dataset("sleepstudy")).sample(
        draws=50, chains=2, seed=1, method="marginal", progress=False
    )
    found = power(post, test="Days", n={"Subject": 6}, replicates=60, progress=False)
    draws = post.values.beta[..., 1].ravel()
    truth = found.replicates["truth"].to_numpy()
    assert np.isin(truth, draws).all()
    assert len(np.unique(truth)) > 50
    assert "a draw for each data set" in str(found)
    fixed = power(post, effect={"Days": 3.0}, n={"Subject": 6}, replicates=10, progress=False)
    assert fixed.replicates["truth"].tolist() == [3.0] * 10


def test_a_model_stands_for_its_estimate(trial):
    model = bmx.Model("Reaction ~ Days + (1 | Subject)", bmx.load_dataset("sleepstudy"))
    found = power(model, test="Days > 9", replicates=20, progress=False)
    assert found.table["observations"].tolist() == [180]
    assert found.replicates["truth"].iloc[0] == pytest.approx(model.estimate().values.beta[1] - 9.0)
    with pytest.raises(SpecError, match="a single size"):
        found.needed()


REFUSED = {
    "nothing to test": ({}, r'Say what is tested: test="treated"'),
    "unknown parameter": ({"effect": {"treatd": 1.0}}, "Did you mean `treated`"),
    "unknown factor": ({"test": "treated", "n": {"klinic": 10}}, "Did you mean `clinic`"),
    "no whole number": ({"test": "treated", "n": {"clinic": 10.5}}, "whole number"),
    "statistic": ({"test": "treated", "statistic": "walt"}, "Did you mean `wald`"),
    "df of a ratio": ({"test": "treated", "statistic": "ratio", "df": "asymptotic"}, "has none"),
    "ratio of a comparison": ({"test": "treated > 1", "statistic": "ratio"}, "tests that coefficients are zero"),
    "df": ({"test": "treated", "df": "kenward"}, "no degrees of freedom"),
    "alpha": ({"test": "treated", "alpha": 5}, "between 0 and 1"),
    "one replicate": ({"test": "treated", "replicates": 1}, "at least two"),
    "another package's word": ({"test": "treated", "nsim": 100}, "no argument `nsim`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, trial):
    options, words = REFUSED[name]
    with pytest.raises(SpecError, match=words):
        power(trial, progress=False, **options)


@pytest.mark.slow
def test_responses_are_censored_as_those_of_the_data(trial):
    """Of a t test whose responses are censored above a limit in half of the rows: less power than of all of them."""
    rng = np.random.default_rng(1)
    x = np.resize([0.0, 1.0], 80)
    y = 0.6 * x + rng.normal(size=80)
    data = {"x": x, "y": np.minimum(y, 0.3), "c": np.where(y > 0.3, "right", "none")}
    options = {"test": "x", "effect": {"x": 0.6, "sigma": 1.0}, "replicates": 200, "progress": False}
    censored = power(bmx.Model("y | cens(c) ~ x", data), **options)
    whole = power(bmx.Model("y ~ x", data | {"y": y}), **options)
    assert "Simulated responses are censored in the intervals" in " ".join(str(censored).split())
    assert float(censored.table["power"].iloc[0]) < float(whole.table["power"].iloc[0])
    assert float(censored.table["coverage"].iloc[0]) > 0.9
    assert abs(float(censored.table["bias"].iloc[0])) < 0.06


def test_nothing_is_said_where_nothing_could_be_fitted(study):
    lost = study.replicates.copy()
    lost.loc[24, ["estimate", "std_error", "df", "p_value"]] = np.nan
    lost.loc[24, "failed"] = True
    found = replace(study, replicates=lost)
    assert found.table.loc[24, ["power", "lower", "upper", "width"]].isna().all()
    assert found.table.loc[24, "failed"] == 1.0
    assert found.needed(0.3).iloc[0, 0] == study.needed(0.3).iloc[0, 0]


def test_data_of_a_study_have_the_curves_of_the_fit():
    rng = np.random.default_rng(6)
    x, t, g = rng.uniform(size=80), np.tile([0.0, 1.0], 40), np.repeat(np.arange(10), 8)
    y = np.sin(6.0 * x) + t + rng.normal(size=10)[g] + 0.3 * rng.normal(size=80)
    fit = bmx.Model("y ~ t + s(x, k = 5) + (1 | g)", {"y": y, "t": t, "x": x, "g": g}).estimate()
    study = power(fit, test="t", n={"g": [10, 20]}, replicates=20, progress=False)
    assert np.all(study.table["power"] == 1.0)
    assert study.table["width"].to_numpy()[1] == pytest.approx(study.table["width"].to_numpy()[0] / 2**0.5, rel=0.15)
    with pytest.raises(SpecError, match="have the curve of the fit"):
        power(fit, test="t", effect={"sds(sx_1)": 2.0})


def test_more_patients_of_a_trial_are_more_blocks():
    study = power(fitted("orthodont_cosy"), test="age", n={"Subject": [27, 54]}, replicates=10, progress=False)
    assert list(study.table.index) == [27, 54]
    assert study.table["width"].to_numpy()[1] == pytest.approx(study.table["width"].to_numpy()[0] / 2**0.5, rel=0.15)


@pytest.mark.parametrize("family", ["poisson", pytest.param("negbinomial", marks=pytest.mark.slow)])
def test_counts_beyond_all_numbers_are_refused_in_our_words(family):
    """An effect on the scale of the response given for one on the link."""
    fit = bmx.Model("ncases ~ ncontrols + (1 | agegp)", bmx.load_dataset("esoph"), family=family).estimate()
    with pytest.raises(SpecError, match="multiplies the mean by exp"):
        power(fit, effect={"ncontrols": 5.0}, replicates=2, progress=False)
