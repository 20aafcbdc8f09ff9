"""Tests of whole smooths: mgcv's p-values, and distributions of quadratic forms against those that are known."""

import json
import math

import numpy as np
import pytest
from scipy import stats
from smooths import FOLDER, data, estimate, reference

import bayesmix as bmx
from bayesmix.inference.estimation.smooth_test import mixture_tail, spread_test, wald_test

NAMES = ["thin", "cubic", "by_factor", "by_number", "two", "surface"]


@pytest.mark.parametrize("name", NAMES)
def test_statistics_and_p_values_are_those_of_mgcv(name):
    found = estimate(name).smooth_terms()
    for label, row in reference()["cases"][name]["smooths"].items():
        assert found.loc[label, "statistic"] == pytest.approx(row["F"], rel=3e-4)
        assert found.loc[label, "p_value"] == pytest.approx(
            row["p-value"], rel=1e-3, abs=2e-5
        )  # psum.chisq's own error


@pytest.mark.parametrize("name", ["thin", "by_factor", "tensor", "cyclic"])
def test_models_without_groups_have_the_table_of_gam(name):
    fit = estimate_alone(name)
    for label, row in reference()["alone"][name]["smooths"].items():
        found = fit.smooth_terms().loc[label]
        assert found["edf"] == pytest.approx(row["edf"], abs=2e-3)  # `gam` stops at smoothing parameters of finite size
        assert found["ref_df"] == pytest.approx(row["Ref.df"], abs=2e-3)
        assert found["statistic"] == pytest.approx(row["F"], rel=3e-3)
        assert found["p_value"] == pytest.approx(row["p-value"], rel=3e-3, abs=2e-5)


def estimate_alone(name):
    return bmx.Model(reference()["alone"][name]["formula"], data()).estimate()


@pytest.mark.parametrize("name", ["line", pytest.param("curves", marks=pytest.mark.slow)])
def test_curves_of_levels_have_the_test_of_mgcv(name):
    case = json.loads((FOLDER / "levels.json").read_text())[name]
    found, row = bmx.Model(case["formula"], data()).estimate().smooth_terms().loc["s(x,g)"], case["row"]
    assert found["edf"] == pytest.approx(row["edf"], rel=1e-6)
    assert found["ref_df"] == row["Ref.df"]
    assert found["statistic"] == pytest.approx(row["F"], rel=1e-6)
    assert found["p_value"] == pytest.approx(row["p-value"], abs=2e-6)  # psum.chisq's own error


def test_a_smooth_of_whole_degrees_of_freedom_has_the_usual_test():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((3, 3))
    covariance = A @ A.T + np.eye(3)
    mean, information = rng.standard_normal(3), np.linalg.inv(covariance)
    found = wald_test(mean, information, covariance, rank=3.0, df=math.inf, first=np.eye(3)[0])
    assert found.statistic == pytest.approx(mean @ information @ mean)
    assert found.p_value == pytest.approx(stats.chi2.sf(found.statistic, 3))
    small = wald_test(mean, information, covariance, rank=3.0, df=20.0, first=np.eye(3)[0])
    assert small.p_value == pytest.approx(stats.f.sf(found.statistic / 3, 3, 20))


def test_tails_of_sums_of_chi_squared_variables():
    assert mixture_tail(7.0, np.ones(3), np.ones(3)) == pytest.approx(stats.chi2.sf(7.0, 3), abs=1e-9)
    assert mixture_tail(9.0, np.array([2.0]), np.array([4.0])) == pytest.approx(stats.chi2.sf(4.5, 4), abs=1e-9)
    weights, df = np.array([1.0, 1.0, -2.5 * 2 / 30]), np.array([1.0, 1.0, 30.0])
    assert mixture_tail(0.0, weights, df) == pytest.approx(stats.f.sf(2.5, 2, 30), abs=1e-9)
    draws = np.random.default_rng(2).chisquare(1.0, (2, 400_000))
    share = np.mean(draws[0] + 0.3 * draws[1] > 4.0)
    assert mixture_tail(4.0, np.array([1.0, 0.3]), np.ones(2)) == pytest.approx(share, abs=2e-3)


def test_a_spread_that_is_zero_is_no_evidence():
    zero = np.zeros((2, 2))
    assert spread_test(np.zeros(2), zero, zero, df=10.0).p_value == 1.0
