"""Tests of random effects against lmerTest's ``ranova`` and RLRsim (tests/reference/inference/terms.R)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from term_cases import CLOSE, FIGURES, data_of, estimate, generalized, listed

import bayesmix as bmx
from bayesmix.results.criticism.variance_tests import APPROXIMATE, EXACT, SIMULATED, deletions

FORMULAS = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "auto"),
    "sleepstudy_ml": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "ml"),
    "pastes": ("strength ~ 1 + (1 | batch) + (1 | batch:cask)", "Pastes", "auto"),
    "machines": ("score ~ Machine + (Machine | Worker)", "machines", "auto"),
    "split_plot": ("yield ~ variety * nitrogen + (1 | block) + (1 | block:variety)", "split_plot", "auto"),
}
RLRT: dict[str, Any] = FIGURES["rlrt"]


@pytest.mark.parametrize("name", FORMULAS)
def test_likelihood_ratios_are_lmertests(name: str) -> None:
    figures = FIGURES["ranova"][name]
    table = estimate(*FORMULAS[name]).ranova()
    assert len(table) == len(listed(figures, "term"))
    for column in ("npar", "loglik", "aic", "lrt", "df", "p_value"):
        atol = 1e-9 if column == "p_value" else 1e-5
        np.testing.assert_allclose(table[column], listed(figures, column), rtol=CLOSE, atol=atol, err_msg=column)
    assert table.attrs["notes"][0].startswith("Conservative")


@pytest.mark.parametrize(
    ("name", "formula", "data", "label"),
    [
        ("dyestuff", "Yield ~ 1 + (1 | Batch)", "Dyestuff", "(1 | Batch)"),
        ("split_plot", FORMULAS["split_plot"][0], "split_plot", "(1 | block:variety)"),
        ("sleepstudy", "Reaction ~ Days + (Days || Subject)", "sleepstudy", "(0 + Days || Subject)"),
    ],
)
def test_restricted_ratios_are_rlrsims(name: str, formula: str, data: str, label: str) -> None:
    figures = RLRT[name]
    table = estimate(formula, data).ranova(test="rlrt", seed=1, replicates=20_000)
    row = table.loc[label]
    assert row["lrt"] == pytest.approx(figures["rlrt"], rel=CLOSE)
    error = np.hypot(row["mc_error"], np.sqrt(figures["p_value"] / figures["n"]))
    assert abs(row["p_value"] - figures["p_value"]) < 4.0 * error + 1.0 / 20_000
    assert table.attrs["notes"] == ((EXACT if name == "dyestuff" else APPROXIMATE),)


def test_two_fits_are_tested_alike() -> None:
    large = estimate("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    small = large.update("~ . - (1 | Batch)")
    row = bmx.anova(large, small, test="rlrt", seed=1).iloc[1]
    one = large.test_group("Batch", seed=1).iloc[0]
    assert row[["rlrt", "p_value", "mc_error"]].tolist() == one[["rlrt", "p_value", "mc_error"]].tolist()
    assert row["p_value"] == pytest.approx(RLRT["dyestuff"]["p_value"], abs=4.0 * row["mc_error"])


def test_several_variances_are_tested_by_simulated_data() -> None:
    fit = estimate("y ~ x + (x | g)", "cells")
    table = fit.test_group("g", replicates=20, seed=1, progress=False)
    assert table["replicates"].iloc[0] == 20.0
    assert table["df"].iloc[0] == 3.0
    assert table.attrs["notes"][0] == SIMULATED


def test_generalized_models_are_simulated() -> None:
    table = generalized("cbpp").test_group("herd", replicates=3, seed=1, progress=False)
    assert list(table.columns) == ["lrt", "df", "p_value", "mc_error", "replicates"]
    assert table["p_value"].iloc[0] == 0.25


def test_effects_on_other_parameters_are_told_apart() -> None:
    formulas = ["Reaction ~ Days + (1 | Subject)", "sigma ~ 1 + (1 | Subject)"]
    assert labels_of(bmx.Model(formulas, data_of("sleepstudy"))) == [
        "Reaction ~ (1 | Subject)",
        "sigma ~ (1 | Subject)",
    ]


def test_quadrature_without_groups_is_maximum_likelihood() -> None:
    fit = generalized("cbpp")
    by_quadrature = bmx.Model(fit.spec.text, bmx.load_dataset("cbpp"), "binomial").estimate(bmx.Agq(5))
    without = fit.update("~ . - (1 | herd)")
    table = by_quadrature.ranova()
    assert table["lrt"].iloc[1] == pytest.approx(without.criterion - by_quadrature.criterion, abs=1e-6)


def test_a_sentence_says_whether_the_group_is_needed() -> None:
    needed = str(estimate("Yield ~ 1 + (1 | Batch)", "Dyestuff").test_group("Batch", seed=1))
    assert "`Batch` is needed: without it data like these are rare (p = 0.00" in needed
    table = estimate("Yield ~ 1 + (1 | Batch)", "Dyestuff2").test_group("Batch")
    assert table["p_value"].iloc[0] == 1.0
    assert "`Batch` is not shown to be needed" in str(table)
    assert max(map(len, str(table).splitlines())) <= 90


def labels_of(model: bmx.Model) -> list[str]:
    """What is left out in turn, which the model alone says."""
    any_point = estimate("y ~ x + (1 | g)", "cells").point
    return [one.label for one in deletions(bmx.Estimate(model._fitted, any_point))]


@pytest.mark.parametrize(
    ("formula", "labels"),
    [
        ("y ~ x + (a * x | g)", ["a:x in (1 + a * x | g)"]),
        ("y ~ x + (0 + x | g)", ["(0 + x | g)"]),
        ("y ~ x + (a + x | g)", ["a in (1 + a + x | g)", "x in (1 + a + x | g)"]),
    ],
)
def test_effects_that_others_contain_stay(formula: str, labels: list[str]) -> None:
    assert labels_of(bmx.Model(formula, data_of("cells"))) == labels


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: fit.ranova(test="chisq"), "There is no test=`chisq`"),
        (lambda fit: fit.test_group("clinik"), "`clinik` is not a grouping factor of the model. Did you mean `clinic`"),
        (lambda fit: bmx.anova(fit, fit.update("~ . - t"), test="rlrt"), "tests random effects: the fixed effects"),
    ],
)
def test_what_is_no_test_of_variances_is_refused(call: Any, message: str) -> None:
    with pytest.raises(bmx.SpecError, match=message):
        call(estimate("y ~ t + (1 | clinic)", "clinics"))


def test_restricted_ratios_are_of_linear_models() -> None:
    fit = generalized("cbpp")
    with pytest.raises(bmx.SpecError, match='test="rlrt" is for linear mixed models'):
        fit.ranova(test="rlrt")
    with pytest.raises(bmx.SpecError, match="has no random effects to leave out"):
        estimate("y ~ t", "clinics").ranova()
