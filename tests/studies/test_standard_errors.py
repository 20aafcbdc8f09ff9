"""The study of standard errors: least squares by brute force, known variances, any executor."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from bayesmix.errors import SpecError
from bayesmix.studies import standard_errors
from bayesmix.studies.standard_errors import ESTIMATORS, Setting, simulate

SETTING = Setting(groups=6, rows=5, estimators=("common",), level=0.9)
NOISE = 4.0  # Monte Carlo standard errors that an average may be off


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return simulate(SETTING, np.random.default_rng(3))


def least_squares(X, y):
    """Coefficients and standard errors by the normal equations."""
    inverse = np.linalg.inv(X.T @ X)
    beta = inverse @ X.T @ y
    variance = np.sum((y - X @ beta) ** 2) / (len(y) - X.shape[1])
    return beta, np.sqrt(variance * np.diagonal(inverse))


def test_samples_are_as_described():
    frame = simulate(Setting(20_000, 3, (), 0.95), np.random.default_rng(1))
    groups = frame.drop_duplicates("group")
    expected = np.array([[1.0, 1.0], [1.0, 2.0]])  # of intercepts and slopes
    np.testing.assert_allclose(np.cov(groups["intercept"], groups["slope"]), expected, atol=NOISE * 0.02)
    assert groups["slope"].mean() == pytest.approx(1.0, abs=NOISE * np.sqrt(2.0 / 20_000))
    noise = frame["y"] - frame["intercept"] - frame["slope"] * frame["x"]
    assert noise.std() == pytest.approx(1.0, abs=NOISE / np.sqrt(120_000))


def test_one_slope_is_least_squares_with_an_intercept_of_each_group(sample):
    X = np.column_stack([sample["x"], pd.get_dummies(sample["group"]).to_numpy(float)])
    beta, error = least_squares(X, sample["y"].to_numpy())
    found = ESTIMATORS["common"](sample, SETTING, 0)
    assert (found.slope, found.std_error) == pytest.approx((beta[0], error[0]), rel=1e-10)
    assert found.upper - found.slope == pytest.approx(1.713872 * error[0], rel=1e-6)  # t(23) at 95 %


def test_separate_slopes_are_those_of_each_group(sample):
    slopes = [np.polyfit(part["x"], part["y"], 1)[0] for _, part in sample.groupby("group", observed=True)]
    np.testing.assert_allclose(ESTIMATORS["separate"](sample, SETTING, 0).by_group, slopes, rtol=1e-10)


@pytest.mark.slow
def test_what_is_reported_is_far_too_small_without_groups_and_right_with_them():
    """Given the x, one slope has the variance ``sum of S_j^2 / S^2 * 2 + 1 / S``, ``S_j`` the squares of group j."""
    study = standard_errors(10, 10, 100, estimators=["common", "separate", "reml"], seed=4, progress=False)
    S = np.random.default_rng(0).chisquare(9, (100_000, 10))
    actual = np.sqrt(np.mean(2.0 * np.sum(S**2, axis=1) / S.sum(axis=1) ** 2 + 1.0 / S.sum(axis=1)))
    table = study.table
    assert list(table.index) == ["common", "separate", "reml"]
    assert abs(table.loc["common", "actual_se"] - actual) < NOISE * table.loc["common", "mcse"]
    assert table.loc["common", "reported_over_actual"] < 0.5
    assert table.loc["common", "coverage"] < 0.7
    assert abs(table.loc["reml", "reported_se"] - table.loc["reml", "actual_se"]) < NOISE * table.loc["reml", "mcse"]
    assert table.loc["reml", "coverage"] > 0.9
    assert table["group_error"].idxmin() == "reml"  # borrowing across groups
    assert np.isnan(table.loc["separate", "reported_se"])
    assert len(study.replicates) == 300
    assert len(study.sample) == 100


def test_any_executor_gives_the_same():
    settings = {"groups": 4, "rows": 4, "replicates": 6, "estimators": ("common", "reml"), "progress": False}
    here = standard_errors(**settings)
    with ThreadPoolExecutor(2) as threads:
        pd.testing.assert_frame_equal(here.replicates, standard_errors(**settings, executor=threads).replicates)
    pd.testing.assert_frame_equal(here.sample, standard_errors(**settings | {"estimators": ("common",)}).sample)
    other = standard_errors(**settings, seed=2)
    assert not np.allclose(here.replicates["slope"], other.replicates["slope"])


@pytest.mark.slow
def test_processes_and_posteriors():
    settings = {"replicates": 8, "estimators": ("reml", "posterior"), "progress": False}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        found = standard_errors(**settings, executor=processes)
    pd.testing.assert_frame_equal(standard_errors(**settings).replicates, found.replicates)
    wide = found.replicates.pivot_table(index="replicate", columns="estimator", values=["slope", "std_error"])
    np.testing.assert_allclose(wide["slope", "posterior"], wide["slope", "reml"], atol=0.1)
    assert (wide["std_error", "posterior"] > 0.8 * wide["std_error", "reml"]).all()


def test_what_cannot_be_studied_is_named():
    with pytest.raises(SpecError, match=r"no estimator `remel`\. Did you mean `reml`"):
        standard_errors(estimators=["remel"])
    with pytest.raises(SpecError, match="rows=2"):
        standard_errors(rows=2)
