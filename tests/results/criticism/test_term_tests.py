"""Tests of whole terms against lmerTest's ``anova`` and car's ``Anova`` (tests/reference/inference/terms.R)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from term_cases import CLOSE, FIGURES, FOLDER, check, data_of, estimate, generalized, listed

import bayesmix as bmx

TABLES: dict[str, Any] = FIGURES["tables"]
METHODS = {"satterthwaite": "satterthwaite", "kenward-roger": "kr"}  # and what the figures call them


@pytest.mark.filterwarnings("ignore::bayesmix.PredictionWarning")
@pytest.mark.parametrize("df", METHODS)
@pytest.mark.parametrize("type", [1, 2, 3])
@pytest.mark.parametrize("name", TABLES)
def test_f_tests_are_lmertests(name: str, type: Any, df: str) -> None:
    fit = estimate(TABLES[name]["formula"], name)
    check(bmx.anova(fit, type=type, df=df), TABLES[name][METHODS[df]][str(type)])


def test_type_three_is_the_default() -> None:
    fit = estimate(TABLES["split_plot"]["formula"], "split_plot")
    pd.testing.assert_frame_equal(bmx.anova(fit), bmx.anova(fit, type=3, df="satterthwaite"))


@pytest.mark.parametrize("coding", ["sum", "helmert", "poly"])
def test_type_three_does_not_depend_on_the_coding(coding: str) -> None:
    """Degrees of freedom of several rows included, whose basis Satterthwaite's depend on."""
    formula = TABLES["split_plot"]["formula"]
    wanted = bmx.anova(estimate(formula, "split_plot"))
    coded = bmx.Model(
        formula, data_of("split_plot"), contrasts=dict.fromkeys(("variety", "nitrogen"), coding)
    ).estimate()
    found = bmx.anova(coded)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    check(found, FIGURES["by_sum"]["type3"])


def test_sequential_sums_add_up() -> None:
    """With the terms in any order, where the data are balanced."""
    one, other = (
        bmx.anova(estimate(f"angle ~ {right} + (1 | replicate)", "cake"), type=1)["sum_sq"].sum()
        for right in ("recipe * temperature", "temperature * recipe")
    )
    assert one == pytest.approx(other, rel=1e-6)


def test_sequential_sums_of_large_samples_add_up() -> None:
    """In the metric of the information they do so exactly: the chi-squares of one joint test."""
    fit = generalized("ticks")
    table = bmx.anova(fit, type=1)
    beta, cov = fit.values.beta[1:], fit.point.beta_cov[1:, 1:]
    assert table["chisq"].sum() == pytest.approx(float(beta @ np.linalg.solve(cov, beta)), rel=1e-9)


@pytest.mark.parametrize("name", ["cbpp", "ticks", pytest.param("salamanders", marks=pytest.mark.slow)])
def test_wald_tests_are_cars(name: str) -> None:
    """Of glmmTMB's fits, whose covariances come from the same curvature."""
    figures, table = FIGURES["generalized"][name], bmx.anova(generalized(name), type=2)
    of_mean = [label for label in table.index if not str(label).startswith("zi_")]
    check(table.loc[of_mean], figures["two"], rtol=1e-4)
    if "zi" in figures:
        zi = table.drop(of_mean)
        check(zi.rename(lambda label: label.removeprefix("zi_")), figures["zi"], rtol=1e-4)


def test_type_three_of_one_factor_is_its_coefficients() -> None:
    found = bmx.anova(generalized("cbpp"))
    figures = FIGURES["generalized"]["cbpp"]["three"]
    np.testing.assert_allclose(found["chisq"], listed(figures, "chisq")[1:], rtol=1e-4)


def test_type_three_of_generalized_models_does_not_depend_on_the_coding() -> None:
    data = bmx.load_dataset("cbpp").assign(half=np.arange(56) % 3 == 0)
    formula = "cbind(incidence, size - incidence) ~ period * half + (1 | herd)"
    one, other = (
        bmx.anova(bmx.Model(formula, data, "binomial", contrasts=coding).estimate())
        for coding in (None, {"period": "sum", "half": "sum"})
    )
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_empty_cells_are_named() -> None:
    fit = estimate(TABLES["empty"]["formula"], "empty")
    with pytest.warns(bmx.PredictionWarning, match="cells have no rows depend on which those are: ac:by"):
        bmx.anova(fit)


@pytest.mark.filterwarnings("ignore::bayesmix.DroppedWarning")
def test_a_term_without_columns_is_nan() -> None:
    """As in lmerTest's table: ``twice`` says nothing that ``Days`` does not."""
    data = bmx.load_dataset("sleepstudy").assign(twice=lambda frame: 2.0 * frame["Days"])
    for type_ in (1, 2, 3):
        table = bmx.anova(bmx.Model("Reaction ~ Days + twice + (1 | Subject)", data).estimate(), type=type_)
        assert table.loc["twice"].drop("num_df").isna().all()
        assert table.loc["Days", "F"] == pytest.approx(169.4014, rel=1e-4)


def test_regressions_have_the_f_of_analysis_of_variance() -> None:
    """R 4.2: ``anova(lm(Reaction ~ Days, sleepstudy))``."""
    row = bmx.anova(estimate("Reaction ~ Days", "sleepstudy")).iloc[0]
    np.testing.assert_allclose(row[["sum_sq", "den_df", "F"]], [162702.65, 178.0, 71.46442], rtol=1e-6)


def test_large_samples_have_chi_squares() -> None:
    fit = estimate(TABLES["split_plot"]["formula"], "split_plot")
    small, large = bmx.anova(fit), bmx.anova(fit, df="asymptotic")
    np.testing.assert_allclose(large["chisq"], small["F"] * small["num_df"], rtol=1e-9)
    assert (large["p_value"] < small["p_value"]).head(2).all()


def test_terms_of_categories_are_tested_together() -> None:
    """One row a term of a formula that several predictors share; thresholds stand in the intercept's place."""
    rng = np.random.default_rng(1)
    x, choice = rng.normal(size=120), rng.integers(3, size=120)
    data = pd.DataFrame({"x": x, "choice": np.array(["a", "b", "c"])[choice]})
    fit = bmx.Model("choice ~ x", data, "categorical").estimate()
    table = bmx.anova(fit)
    own = [j for j, name in enumerate(fit.design.fixed) if name.endswith("x")]
    beta, cov = fit.values.beta[own], fit.point.beta_cov[np.ix_(own, own)]
    assert list(table.index) == ["x"]
    assert table["chisq"].iloc[0] == pytest.approx(float(beta @ np.linalg.solve(cov, beta)), rel=1e-9)
    ratings = bmx.anova(bmx.Model("rating ~ temp * contact", bmx.load_dataset("wine"), "cumulative").estimate())
    assert list(ratings["df"]) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"type": 4}, "of type 1, 2 or 3, not 4"),
        ({"test": "bootstrap"}, "test='bootstrap' is for several estimates"),
        ({"df": "welch"}, "There are no degrees of freedom df=`welch`"),
    ],
)
def test_what_is_no_test_of_terms_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(bmx.SpecError, match=message):
        bmx.anova(estimate(TABLES["clinics"]["formula"], "clinics"), **arguments)


def test_designs_made_by_hand_have_no_terms() -> None:
    from bayesmix.fit import Estimate
    from bayesmix.results.fits.fitted_model import Fitted

    fit = estimate(TABLES["clinics"]["formula"], "clinics")
    by_hand = Estimate(Fitted(fit.spec, fit.design.without_source(), ""), fit.point)
    with pytest.raises(bmx.SpecError, match="does not know its terms"):
        bmx.anova(by_hand)


def test_the_six_clinics() -> None:
    """Treated by clinic: 4 degrees of freedom, not 22 (emmeans, lmerTest)."""
    figures = json.loads((FOLDER / "emmeans" / "emmeans.json").read_text(encoding="utf-8"))
    p = bmx.anova(estimate(TABLES["clinics"]["formula"], "clinics"))["p_value"].iloc[0]
    assert p == pytest.approx(float(np.ravel(figures["reml"]["clinics"]["contrasts"]["p_value"])[0]), rel=CLOSE)


def test_robust_covariances_are_of_the_terms_too() -> None:
    """The F of each term is that of its contrasts by this covariance."""
    fit = estimate(TABLES["three"]["formula"], "three")
    robust = fit.robust_vcov("g")
    table = bmx.anova(fit, type=2, vcov=robust)
    assert str(table).startswith(f"Type II tests of terms, by {robust.words}")
    beta, cov = fit.values.beta, robust.to_frame()
    b = fit.design.fixed.index("by")
    assert table.loc["b", "F"] == pytest.approx(beta[b] ** 2 / cov.iloc[b, b], rel=1e-9)
    assert fit.drop1(vcov=robust).loc["b", "F"] == pytest.approx(table.loc["b", "F"], rel=1e-9)
    with pytest.raises(bmx.SpecError, match=r"vcov=\.\.\. is for the terms of one estimate"):
        bmx.anova(fit, fit.update("~ . - b"), vcov=robust)
