"""Inference about fixed effects against lmerTest and pbkrtest (tests/reference/inference)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import SpecError
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


@pytest.mark.parametrize("method", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize("case", CASES)
def test_coefficients_and_joint_tests_are_lmertests(fits, case, method):
    if (case, method) == ("cake_weighted", "kenward-roger"):
        pytest.skip("pbkrtest 0.5.2 passes weights over: dense formulas in test_kenward_roger.py")
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


MEANS = {
    "cake": lambda fit, **options: fit.marginal_means("recipe", **options),
    "cake_weighted": lambda fit, **options: fit.marginal_means("recipe", **options),
    "sleepstudy": lambda fit, **options: fit.marginal_means("Days", at={"Days": [0, 5, 9]}, **options),
    "sleepstudy_nested": lambda fit, **options: fit.marginal_means("Days", at={"Days": [0, 5, 9]}, **options),
    "machines": lambda fit, **options: fit.marginal_means("Machine", **options),
    "machines_unstructured": lambda fit, **options: fit.marginal_means("Machine", **options),
    "oats": lambda fit, **options: fit.marginal_means("Variety", **options),
    "oats_crossed": lambda fit, **options: fit.marginal_means("nitro", at={"nitro": [0, 0.6]}, **options),
    "clinics": lambda fit, **options: fit.marginal_means("t", **options),
}
COLUMNS = ("estimate", "std_error", "df", "lower", "upper", "statistic", "p_value")


def of_emmeans(table):
    """The columns of one of emmeans' tables."""
    found = {name: np.atleast_1d(np.array(table[name], float)) for name in COLUMNS}
    return found | {"df": np.where(np.isnan(found["df"]), np.inf, found["df"])}  # which JSON has not


def close(found, expected):
    """The table is emmeans', row by row."""
    letter = next(name for name in ("t value", "z", "t") if name in found)
    for name in COLUMNS:
        ours = found[letter if name == "statistic" else name]
        np.testing.assert_allclose(ours, expected[name], rtol=CLOSE * (10 if name == "p_value" else 1), atol=1e-9)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger", "asymptotic"])
@pytest.mark.parametrize("case", CASES)
def test_means_are_emmeans(fits, case, df):
    if (case, df) == ("cake_weighted", "kenward-roger"):
        pytest.skip("pbkrtest 0.5.2 passes weights over: dense formulas in test_kenward_roger.py")
    found = MEANS[case](fits[case], df=df)
    close(found, of_emmeans(FIGURES[case]["tables"][df]["means"]["none"]))
    assert {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward", "asymptotic": "(z)"}[df] in found.attrs[
        "intervals"
    ]


def test_one_choice_goes_through_every_table(fits):
    """Contrast, hypothesis, summary, tidy table, interval and prediction by Kenward and Roger are one answer."""
    fit = fits["clinics"]
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
def test_kenward_and_roger_are_about_fixed_effects(fits, options):
    with pytest.raises(SpecError, match="about fixed effects alone"):
        fits["machines"].predict(df="kenward-roger", **options)


def test_maximum_likelihood_fits_take_variances_by_reml(fits):
    """As pbkrtest does, and the table says so."""
    fit = bmx.Model(FIGURES["oats"]["formula"], data_of("oats")).estimate("ml")
    inference, reml = fixed_inference(fit, "kenward-roger"), fixed_inference(fits["oats"], "kenward-roger")
    np.testing.assert_allclose(inference.cov, reml.cov, rtol=1e-4)
    assert fit.contrasts("Variety", df="kenward-roger").attrs["intervals"].endswith("estimated again by REML")


def test_joint_tests_of_one_row_are_t_tests_and_redundant_rows_say_nothing(fits):
    fit = fits["oats"]
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


def test_nothing_is_tested_where_nothing_varies(fits):
    found = fixed_inference(fits["oats"]).joint(np.zeros((2, 12)), np.zeros(2))
    assert found.numerator_df == 0
    assert np.isnan([found.statistic, found.denominator_df, found.p]).all()
