"""Inference about fixed effects against lmerTest and pbkrtest (tests/reference/inference)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from emmeans import CASES, CLOSE, FIGURES, MEANS, close, fit_of, of_emmeans
from scipy import stats

from bayesmix.errors import SpecError
from bayesmix.results.fits.fixed_inference import fixed_inference, fixed_table


@pytest.mark.parametrize("method", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize("case", CASES)
def test_coefficients_and_joint_tests_are_lmertests(case, method):
    if (case, method) == ("cake_weighted", "kenward-roger"):
        pytest.skip("pbkrtest 0.5.2 passes weights over: dense formulas in test_kenward_roger.py")
    figures, inference = FIGURES[case], fixed_inference(fit_of(case), method)
    beta = fit_of(case).values.beta
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
        assert abs(found.p - p) < CLOSE


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger", "asymptotic"])
@pytest.mark.parametrize("case", CASES)
def test_means_are_emmeans(case, df):
    if (case, df) == ("cake_weighted", "kenward-roger"):
        pytest.skip("pbkrtest 0.5.2 passes weights over: dense formulas in test_kenward_roger.py")
    found = MEANS[case](fit_of(case), df=df)
    close(found, of_emmeans(FIGURES[case]["tables"][df]["means"]["none"]))
    assert {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward", "asymptotic": "(z)"}[df] in found.attrs[
        "intervals"
    ]


def test_one_choice_goes_through_every_table():
    """Contrast, hypothesis, summary, tidy table, interval and prediction by Kenward and Roger are one answer."""
    fit = fit_of("clinics")
    row = fixed_table(fit, fixed_inference(fit, "kenward-roger")).loc["ttrt"]
    contrast = fit.contrasts("t", df="kenward-roger").iloc[0]
    assert contrast["p_value"] == pytest.approx(0.0270, abs=5e-5)  # FAULTS: t(4)
    assert contrast["df"] == pytest.approx(4.0, rel=1e-8)
    limits = fit.confint(["ttrt"], method="kenward-roger").iloc[0].to_list()
    tidy = fit.tidy(df="kenward-roger").set_index("term").loc["ttrt"]
    for table in (contrast, fit.hypothesis("ttrt = 0", df="kenward-roger").iloc[0]):
        np.testing.assert_allclose(
            table[["df", "p_value"]].astype(float), row[["df", "p_value"]].astype(float), rtol=1e-6
        )
        np.testing.assert_allclose(table[["lower", "upper"]].astype(float), limits, rtol=1e-6)
    np.testing.assert_allclose(tidy[["df", "conf.low", "conf.high"]].astype(float), [row["df"], *limits], rtol=1e-8)
    text = str(fit.summary(df="kenward-roger"))
    assert "t-tests use Kenward-Roger's method" in text
    predicted = fit.predict(pd.DataFrame({"t": ["trt"]}), groups="zero", df="kenward-roger").iloc[0]
    means = fit.marginal_means("t", df="kenward-roger").iloc[1]
    columns = ["estimate", "std_error", "df", "lower", "upper"]
    np.testing.assert_allclose(predicted[columns].astype(float), means[columns].astype(float), rtol=1e-10)


@pytest.mark.parametrize("options", [{"groups": "fitted"}, {"groups": "new"}, {"kind": "response", "groups": "zero"}])
def test_kenward_and_roger_are_about_fixed_effects(options):
    with pytest.raises(SpecError, match="about fixed effects alone"):
        fit_of("machines").predict(df="kenward-roger", **options)


def test_maximum_likelihood_fits_take_variances_by_reml():
    """As pbkrtest does, and the table says so."""
    fit = fit_of("oats", "ml")
    inference, reml = fixed_inference(fit, "kenward-roger"), fixed_inference(fit_of("oats"), "kenward-roger")
    np.testing.assert_allclose(inference.cov, reml.cov, rtol=1e-4)
    assert fit.contrasts("Variety", df="kenward-roger").attrs["intervals"].endswith("estimated again by REML")
    title = " ".join(str(fit.summary(df="kenward-roger")).split("Formula")[0].split())
    assert title.endswith("t-tests use Kenward-Roger's method, variances estimated again by REML")


def test_joint_tests_of_one_row_are_t_tests_and_redundant_rows_say_nothing():
    fit = fit_of("oats")
    L, beta = np.eye(len(fit.values.beta))[1:3], fit.values.beta
    for method in ("satterthwaite", "kenward-roger", "asymptotic"):
        inference = fixed_inference(fit, method)
        table = fixed_table(fit, inference)
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


def test_nothing_is_tested_where_nothing_varies():
    found = fixed_inference(fit_of("oats")).joint(np.zeros((2, 12)), np.zeros(2))
    assert found.numerator_df == 0
    assert np.isnan([found.statistic, found.denominator_df, found.p]).all()
