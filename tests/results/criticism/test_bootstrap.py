"""The parametric bootstrap against lme4's bootMer, and limits against those of other programs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import ConvergenceWarning, DataError, SpecError
from bayesmix.results.criticism import bootstrap
from bayesmix.results.criticism.bootstrap import limits, skewness, units

REFERENCE = json.loads((Path(__file__).parents[2] / "reference" / "inference" / "bootstrap.json").read_text())
MODELS = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "gaussian"),
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial"),
}


@pytest.fixture(scope="module")
def sleepstudy():
    return bmx.Model(MODELS["sleepstudy"][0], bmx.load_dataset("sleepstudy")).estimate()


def check_distribution(table, expected):
    """Shares of replicates below bootMer's quantiles are what these are quantiles of, within four standard errors."""
    p = np.array(expected["p"])
    error = np.sqrt(p * (1.0 - p) * (1.0 / len(table) + 1.0 / expected["n"]))
    for name, quantiles in expected["quantiles"].items():
        drawn = table[name].dropna().to_numpy()
        below = np.mean(drawn[:, None] < quantiles, axis=0) + 0.5 * np.mean(drawn[:, None] == quantiles, axis=0)
        assert np.all(np.abs(below - p) < 4.0 * error), name


@pytest.fixture(scope="module")
def replicates(sleepstudy):
    return sleepstudy.bootstrap(2000, seed=1, progress=False)


def test_replicates_of_a_linear_model_are_distributed_as_those_of_bootmer(sleepstudy, replicates):
    check_distribution(replicates, REFERENCE["sleepstudy"])
    assert (list(replicates.columns), replicates.attrs["failed"]) == (sleepstudy.names, 0)
    assert 0 < replicates.attrs["singular"] < 100


@pytest.mark.parametrize("kind", ["percentile", "basic"])
def test_limits_of_a_linear_model_are_those_of_boot_ci(sleepstudy, replicates, kind):
    """Within four standard errors of the difference of two normal quantiles at 2.5 %."""
    expected = REFERENCE["sleepstudy"]
    estimates = sleepstudy.parameters()["estimate"]
    for name, ends in expected["ends"].items():
        found = limits(np.sort(replicates[name].dropna()), estimates[name], 0.95, kind)
        error = 2.7 * expected["sd"][name] * np.sqrt(1.0 / len(replicates) + 1.0 / expected["n"])
        np.testing.assert_allclose(found, ends[kind], rtol=0.0, atol=4.0 * error, err_msg=name)


@pytest.mark.parametrize("kind", ["percentile", "basic"])
def test_confidence_limits_are_of_the_replicates_and_in_the_range(sleepstudy, kind):
    table = sleepstudy.confint(method="bootstrap", kind=kind, replicates=60, seed=5, level=0.9, progress=False)
    drawn = sleepstudy.bootstrap(60, seed=5, progress=False)
    estimates = sleepstudy.parameters()["estimate"]
    for name in sleepstudy.names:
        own = limits(np.sort(drawn[name].dropna()), estimates[name], 0.9, kind)
        lowest, highest = (-1.0, 1.0) if name.startswith("corr") else (0.0 if name.startswith("s") else -np.inf, np.inf)
        np.testing.assert_allclose(table.loc[name], np.clip(own, lowest, highest))


@pytest.mark.slow
def test_replicates_of_a_generalized_model_are_distributed_as_those_of_bootmer():
    formula, family = MODELS["cbpp"]
    fit = bmx.Model(formula, bmx.load_dataset("cbpp"), family=family).estimate()
    check_distribution(fit.bootstrap(1000, seed=1, progress=False), REFERENCE["cbpp"])


class StopError(Exception):
    pass


def test_a_bootstrap_that_was_stopped_goes_on_to_the_bit(sleepstudy, tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "PIECE", 20)
    whole, path = sleepstudy.bootstrap(70, progress=False), tmp_path / "boot.jsonl"
    real, calls = bootstrap.replicates, []

    def replicates(*arguments):
        calls.append(arguments[1])
        if len(calls) == 3:
            raise StopError
        return real(*arguments)

    monkeypatch.setattr(bootstrap, "replicates", replicates)
    with pytest.raises(StopError):
        sleepstudy.bootstrap(70, progress=False, checkpoint=path)
    found = sleepstudy.bootstrap(70, progress=False, checkpoint=path)
    assert calls == [20, 20, 20, 20, 10]
    pd.testing.assert_frame_equal(found, whole, check_exact=True)
    assert found.attrs == whole.attrs
    limits_of = [
        sleepstudy.confint("bootstrap", replicates=80, progress=False, **kept) for kept in ({}, {"checkpoint": path})
    ]
    assert calls[5:] == [20, 20, 20, 20, 20]  # without a file four, with it the one that is not there
    pd.testing.assert_frame_equal(*limits_of, check_exact=True)
    with pytest.raises(DataError, match="not a checkpoint of this study"):
        sleepstudy.bootstrap(70, seed=2, progress=False, checkpoint=path)


def test_executors_change_nothing_and_seeds_do(sleepstudy, monkeypatch):
    monkeypatch.setattr(bootstrap, "PIECE", 20)
    here = sleepstudy.bootstrap(50, seed=3, progress=False)
    with ThreadPoolExecutor(2) as pool:
        there = sleepstudy.bootstrap(50, seed=3, executor=pool, progress=False)
    np.testing.assert_array_equal(here, there)
    assert len(here.drop_duplicates()) == 50
    assert not np.isin(sleepstudy.bootstrap(50, seed=4, progress=False)["sigma"], here["sigma"]).any()


def test_replicates_without_a_correlation_are_said(monkeypatch):
    data = bmx.load_dataset("sleepstudy")
    fit = bmx.Model("Reaction ~ Days + (Days | Subject)", data[data["Subject"].isin(["308", "309", "310"])]).estimate()
    name = "corr(Subject, Intercept, Days)"
    with pytest.warns(ConvergenceWarning, match=r"is not defined in \d+ of 200 replicates"):
        table = fit.confint([name], method="bootstrap", replicates=200, progress=False)
    assert -1.0 <= table.loc[name, "lower"] < table.loc[name, "upper"] <= 1.0


def test_refits_that_fail_are_counted(sleepstudy, monkeypatch):
    whole = bootstrap.replicates

    def some(fit, size, seed):
        values, singular = whole(fit, size, seed)
        values[:7] = np.nan
        return values, singular

    monkeypatch.setattr(bootstrap, "replicates", some)
    with pytest.warns(ConvergenceWarning, match="7 of 60 refits failed; limits are of the others"):
        table = sleepstudy.confint(["Days"], method="bootstrap", replicates=60, progress=False)
    assert np.isfinite(table.to_numpy()).all()


# ---- limits ---------------------------------------------------------------------------------------------------------

DRAWN = np.arange(1.0, 100.0)  # the (R + 1) p-th is 100 p


@pytest.mark.parametrize(
    ("kind", "estimate", "expected"),
    [("percentile", 40.0, [5.0, 95.0]), ("basic", 40.0, [-15.0, 75.0]), ("bca", 50.0, [5.0, 95.0])],
)
def test_limits_are_quantiles(kind, estimate, expected):
    np.testing.assert_allclose(limits(DRAWN, estimate, 0.9, kind), expected, rtol=1e-12)


def test_bca_limits_are_scipys():
    """For the variance of a skewed sample, whose bias and acceleration are large."""
    sample = np.random.default_rng(0).exponential(size=40)
    found = stats.bootstrap((sample,), np.var, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1))
    left_out = np.array([np.var(np.delete(sample, i)) for i in range(40)])
    acceleration = skewness(left_out.mean() - left_out)
    drawn = np.sort(found.bootstrap_distribution)
    ours = limits(drawn, float(np.var(sample)), 0.95, "bca", acceleration)
    theirs = np.array(found.confidence_interval)
    ranks = np.searchsorted(drawn, ours) - np.searchsorted(drawn, theirs)
    assert np.abs(ranks).max() <= 1  # SciPy takes the (1 + (R - 1) p)-th replicate for the quantile of p
    plain = limits(drawn, float(np.var(sample)), 0.95, "percentile")
    assert ours[1] > plain[1] + 0.1


def test_bca_limits_of_a_fit_are_corrected(sleepstudy):
    """Standard deviations of the refits are too small, as of maximum likelihood: the limits go up."""
    options = {"method": "bootstrap", "replicates": 400, "progress": False}
    plain, ours = (sleepstudy.confint(kind=kind, **options) for kind in ("percentile", "bca"))
    assert (ours.loc["sigma"] > plain.loc["sigma"]).all()


def test_the_jackknife_leaves_out_what_is_independent():
    pastes = bmx.Model("strength ~ 1 + (1 | batch/cask)", bmx.load_dataset("Pastes")).estimate()
    assert units(pastes) == "batch"
    crossed = bmx.Model("diameter ~ 1 + (1 | plate) + (1 | sample)", bmx.load_dataset("Penicillin")).estimate()
    assert units(crossed) == "plate"


def test_influences_that_are_alike_have_no_skewness():
    assert skewness(np.array([-1.0, 1.0, np.nan])) == 0.0
    assert skewness(np.array([2.0, -1.0, -1.0])) == pytest.approx(6.0 / (6.0 * 6.0**1.5))
    assert skewness(np.full(3, np.nan)) == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "bc"}, "There is no bootstrap kind `bc`"),
        ({"replicates": 10}, "replicates=10 have no tails"),
        ({"replicates": 0}, "replicates=0"),
    ],
)
def test_what_there_is_not(sleepstudy, options, message):
    with pytest.raises(SpecError, match=message):
        sleepstudy.confint(method="bootstrap", progress=False, **options)


def test_no_groups_have_no_jackknife():
    fit = bmx.Model("Reaction ~ Days", bmx.load_dataset("sleepstudy")).estimate()
    with pytest.raises(SpecError, match="BCa intervals leave out levels"):
        fit.confint(method="bootstrap", kind="bca", replicates=50, progress=False)
    limits = fit.confint(method="bootstrap", replicates=200, progress=False)
    assert (limits["lower"] < limits["upper"]).all()
