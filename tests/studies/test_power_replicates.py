"""Replicates of a study of power: each is what a single fit of its data says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.results.prediction.simulation import draws_at
from bayesmix.studies.power_replicates import COLUMNS, Setting, run_batch, simulated
from bayesmix.studies.tested_hypothesis import read_hypothesis

SEEDS = [11, 12, 13]


def setting_of(fit, text, *, df=None, is_ratio=False):
    values = draws_at(fit.values, np.zeros(1, int))
    return Setting(fit.spec, fit.point.method, values, read_hypothesis(fit, text), df, is_ratio)


def replicates(setting, design):
    return pd.DataFrame(run_batch(setting, design, [0] * len(SEEDS), SEEDS), columns=list(COLUMNS))


@pytest.fixture(scope="module")
def sleep():
    return bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy")).estimate()


@pytest.fixture(scope="module")
def herds():
    return bmx.Model(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", bmx.load_dataset("cbpp"), family="binomial"
    ).estimate()


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger", "asymptotic"])
def test_wald_tests_are_those_of_single_fits(sleep, df):
    setting = setting_of(sleep, "Days", df=df)
    found = replicates(setting, sleep.design)
    (responses,) = simulated(setting, sleep.design, [0] * len(SEEDS), SEEDS)
    for i, y in enumerate(responses):
        expected = sleep.refit(y).hypothesis("Days = 0", df=df).iloc[0]
        for name in ("estimate", "std_error", "df", "p_value"):
            assert found.loc[i, name] == pytest.approx(expected[name], rel=1e-4)
    assert found["truth"].tolist() == [sleep.values.beta[1]] * 3


def test_those_of_generalized_models(herds):
    setting = setting_of(herds, "period2")
    found = replicates(setting, herds.design)
    (responses,) = simulated(setting, herds.design, [0] * len(SEEDS), SEEDS)
    expected = herds.refit(responses[0]).hypothesis("period2 = 0").iloc[0]
    assert found.loc[0, "p_value"] == pytest.approx(expected["p_value"], rel=1e-4)


RATIOS = [("sleep", "Days"), pytest.param("herds", "period", marks=pytest.mark.slow)]


@pytest.mark.parametrize(("name", "term"), RATIOS)
def test_likelihood_ratios_are_those_of_anova(name, term, request):
    fit = request.getfixturevalue(name)
    setting = setting_of(fit, term, is_ratio=True)
    found = replicates(setting, fit.design)
    (responses,) = simulated(setting, fit.design, [0] * len(SEEDS), SEEDS)
    large, small = fit.refit(responses[0]), fit.update(f"~ . - {term}").refit(responses[0])
    assert found.loc[0, "p_value"] == pytest.approx(bmx.anova(small, large)["p_value"].iloc[1], rel=1e-4)


@pytest.mark.slow
def test_data_that_cannot_be_fitted_are_failed_fits():
    """No event in any row of any data set."""
    frame = pd.DataFrame({"y": [0, 1] * 12, "x": np.arange(24.0), "g": np.repeat(list("abcdef"), 4)})
    fit = bmx.Model("y ~ x + (1 | g)", frame, family="bernoulli").estimate()
    setting = setting_of(fit, "x")
    values = draws_at(fit.values, np.zeros(1, int))
    values.beta[:, 0] = -60.0
    found = replicates(Setting(fit.spec, fit.point.method, values, setting.hypothesis, None, False), fit.design)
    assert found["p_value"].isna().tolist() == found["failed"].astype(bool).tolist()
    assert not (found["p_value"] < 0.05).any()
