"""Inference about fixed effects against lmerTest and pbkrtest (tests/reference/inference)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.results.fits.fixed_inference import fixed_inference, fixed_table

FOLDER = Path(__file__).parents[2] / "reference" / "inference"
FIGURES = json.loads((FOLDER / "inference.json").read_text(encoding="utf-8"))
CASES = [name for name in FIGURES if name != "versions"]
CLOSE = 1e-4  # R optimises to about 1e-6 of a standard error, lmerTest differentiates numerically


def data_of(case):
    """The data of a case, with the columns that the R script makes."""
    if case.startswith("machines"):
        return pd.read_csv(FOLDER / "machines.csv")
    if case.startswith("oats"):
        frame = pd.read_csv(FOLDER / "oats.csv")
        return frame.assign(rate=[f"N{10 * nitro:g}" for nitro in frame["nitro"]])
    if case == "clinics":
        return pd.read_csv(FOLDER.parent / "emmeans" / "clinics.csv").rename(columns={"g": "clinic"})
    frame = bmx.load_dataset(case.split("_")[0])
    return frame.assign(weight=1 + np.arange(1, len(frame) + 1) % 3) if case.startswith("cake") else frame


@pytest.fixture(scope="module")
def fits():
    """Estimates of all cases."""
    weights = {"cake_weighted": "weight"}
    return {
        case: bmx.Model(FIGURES[case]["formula"], data_of(case), weights=weights.get(case)).estimate() for case in CASES
    }


@pytest.mark.parametrize("method", ["satterthwaite"])
@pytest.mark.parametrize("case", CASES)
def test_coefficients_and_joint_tests_are_lmertests(fits, case, method):
    figures, inference = FIGURES[case], fixed_inference(fits[case], method)
    beta = fits[case].values.beta
    expected = {"satterthwaite": "cov", "kenward-roger": "adjusted"}[method]
    size = np.sqrt(np.outer(*[np.diagonal(figures[expected])] * 2))
    np.testing.assert_allclose(inference.cov / size, np.array(figures[expected]) / size, atol=CLOSE)
    np.testing.assert_allclose(inference.df(np.eye(len(beta))), figures[method], rtol=CLOSE)
    for one in figures["joint"]:
        L = np.array(one["L"], float)
        found = inference.joint(L, L @ beta)
        statistic, numerator, denominator, p = one[method]
        np.testing.assert_allclose([found.statistic, found.denominator_df], [statistic, denominator], rtol=CLOSE)
        assert found.numerator_df == numerator
        np.testing.assert_allclose(found.p, p, rtol=1e-3, atol=1e-9)


def test_joint_tests_of_one_row_are_t_tests_and_redundant_rows_say_nothing(fits):
    fit = fits["oats"]
    L, beta = np.eye(len(fit.values.beta))[1:3], fit.values.beta
    for method in ("satterthwaite", "asymptotic"):
        inference = fixed_inference(fit, method)
        table = fixed_table(fit, method)
        one = inference.joint(L[:1], L[:1] @ beta)
        assert one.statistic == pytest.approx(table["statistic"].iloc[1] ** 2, rel=1e-10)
        assert one.p == pytest.approx(table["p_value"].iloc[1], rel=1e-8)
        both, more = inference.joint(L, L @ beta), np.vstack([L, L.sum(axis=0)])
        again = inference.joint(more, more @ beta)  # whose degrees of freedom depend on the rows, by Fai and Cornelius
        assert again.numerator_df == 2
        assert again.statistic == pytest.approx(both.statistic, rel=1e-8)


def test_asymptotic_joint_tests_are_walds(fitted):
    fit = fitted("cbpp")
    beta, V = fit.values.beta, fit.vcov.to_numpy()
    found = fixed_inference(fit).joint(np.eye(4)[1:], beta[1:])
    chi = beta[1:] @ np.linalg.solve(V[1:, 1:], beta[1:])
    assert found.statistic == pytest.approx(chi / 3.0, rel=1e-10)
    assert found.p == pytest.approx(stats.chi2.sf(chi, 3), rel=1e-8)
    assert np.isinf(found.denominator_df)
    assert found.numerator_df == 3


def test_nothing_is_tested_where_nothing_varies(fits):
    found = fixed_inference(fits["oats"]).joint(np.zeros((2, 12)), np.zeros(2))
    assert found.numerator_df == 0
    assert np.isnan([found.statistic, found.denominator_df, found.p]).all()
