"""Single term deletions against ``drop1`` of lmerTest, lme4 and glmmTMB (tests/reference/inference/terms.R)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from term_cases import FIGURES, check, data_of, estimate, generalized

import bayesmix as bmx

TABLES: dict[str, Any] = FIGURES["tables"]


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize("name", TABLES)
def test_f_tests_are_lmertests(name: str, df: str) -> None:
    figures = TABLES[name]["kr" if df == "kenward-roger" else df]
    check(estimate(TABLES[name]["formula"], name).drop1(df=df), figures["drop1"])


@pytest.mark.parametrize("name", FIGURES["linear_lrt"])
def test_likelihood_ratios_are_lme4s(name: str) -> None:
    fit = estimate(TABLES[name]["formula"], name)
    check(fit.drop1(test="lrt"), FIGURES["linear_lrt"][name])


@pytest.mark.parametrize("name", ["cbpp", "ticks", pytest.param("salamanders", marks=pytest.mark.slow)])
def test_likelihood_ratios_are_glmmtmbs(name: str) -> None:
    table = generalized(name).drop1()
    of_mean = [label for label in table.index if not str(label).startswith("zi_")]
    check(table.loc[of_mean], FIGURES["generalized"][name]["drop1"])


def test_every_parameter_has_its_deletions() -> None:
    fit = bmx.Model(["Reaction ~ Days", "sigma ~ Days"], bmx.load_dataset("sleepstudy")).estimate()
    table = fit.drop1()
    without = bmx.Model(["Reaction ~ Days", "sigma ~ 1"], bmx.load_dataset("sleepstudy")).estimate()
    assert list(table.index) == ["<none>", "Days", "sigma_Days"]
    assert table.loc["sigma_Days", "lrt"] == pytest.approx(without.criterion - fit.criterion, abs=1e-6)


def test_factors_that_take_the_place_of_an_intercept() -> None:
    """Without `a` the other factor has a column for every level: the test is that of the two models."""
    fit = estimate("y ~ 0 + a + b + (1 | g)", "cells")
    small = estimate("y ~ 0 + b + (1 | g)", "cells")
    found, wanted = fit.drop1().loc["a"], bmx.anova(small, fit, df="satterthwaite").iloc[1]
    assert found["num_df"] == wanted["num_df"] == 2.0
    np.testing.assert_allclose(found[["F", "den_df", "p_value"]], wanted[["F", "den_df", "p_value"]], rtol=1e-6)


def test_bootstrap_beside_chi_square() -> None:
    fit = estimate("y ~ t + (1 | clinic)", "clinics")
    table = fit.drop1(test="bootstrap", replicates=5, seed=2, progress=False)
    assert list(table.columns) == ["npar", "aic", "lrt", "p_value", "mc_error", "replicates"]
    assert table.loc["t", "lrt"] == pytest.approx(fit.drop1(test="lrt").loc["t", "lrt"])
    assert table.loc["t", "replicates"] == 5.0


@pytest.mark.filterwarnings("ignore::bayesmix.DroppedWarning")
def test_other_rows_are_refused() -> None:
    data = data_of("cells").assign(x=lambda frame: frame["x"].where(frame.index > 3))
    fit = bmx.Model("y ~ x + b + (1 | g)", data).estimate()
    with pytest.raises(bmx.SpecError, match=r"without `x` would have \d+ rows, not \d+: drop rows with missing values"):
        fit.drop1(test="lrt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test": "chisq"}, "There is no test=`chisq`"),
        ({"test": "lrt", "df": "satterthwaite"}, "likelihood ratios have none"),
        ({"replicates": 0, "test": "bootstrap"}, "replicates=0"),
    ],
)
def test_what_is_no_test_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(bmx.SpecError, match=message):
        estimate("y ~ t + (1 | clinic)", "clinics").drop1(**arguments)


def test_f_tests_are_for_linear_models() -> None:
    with pytest.raises(bmx.SpecError, match=r'test="F" is for linear mixed models'):
        generalized("cbpp").drop1(test="F")


@pytest.mark.slow
def test_smooths_have_their_own_test() -> None:
    """A model of nothing else had an empty table."""
    fit = bmx.Model("Reaction ~ s(Days, k = 6) + (1 | Subject)", bmx.load_dataset("sleepstudy")).estimate()
    curve = fit.smooth_terms().loc["s(Days)"]
    table = fit.drop1()
    row = table.loc["s(Days)"]
    assert len(table) == 1
    assert "Wood's test" in repr(table)
    found = [row["num_df"], row["F"], row["p_value"]]
    np.testing.assert_allclose(found, curve[["ref_df", "statistic", "p_value"]], rtol=1e-12)
    np.testing.assert_allclose(row["den_df"], fit.design.n - 1.0 - curve["edf"], rtol=1e-6)  # R's df.residual
