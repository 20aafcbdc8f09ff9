"""F tests of nested models against pbkrtest (tests/reference/inference/terms.R)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from term_cases import CLOSE, FIGURES, estimate, generalized

import bayesmix as bmx

NESTED: dict[str, Any] = FIGURES["nested"]


def pair(name: str, method: str = "auto") -> list[bmx.Estimate]:
    return [estimate(NESTED[name][size], name, method) for size in ("small", "large")]


@pytest.mark.parametrize("test", ["satterthwaite", "kr"])
@pytest.mark.parametrize("method", ["auto", "ml"])
@pytest.mark.parametrize("name", NESTED)
def test_f_tests_are_pbkrtests(name: str, method: str, test: str) -> None:
    """Estimates by maximum likelihood are refitted, as there."""
    figures = NESTED[name]["sat" if test == "satterthwaite" else test]
    found = bmx.anova(*pair(name, method), test=test).iloc[1]
    columns = ["num_df", "den_df", "F", "p_value"]
    np.testing.assert_allclose(found[columns], [figures[column] for column in columns], rtol=CLOSE)


def test_degrees_of_freedom_ask_for_the_f_test() -> None:
    by_df, by_test = (
        bmx.anova(*pair("clinics"), **asked) for asked in ({"df": "satterthwaite"}, {"test": "satterthwaite"})
    )
    assert by_df.equals(by_test)


@pytest.mark.parametrize(
    ("formulas", "message"),
    [
        (("y ~ t + (1 | clinic)", "y ~ 1 + (1 | clinic)"), None),
        (("y ~ t", "y ~ t + (1 | clinic)"), "must have the same random effects"),
        (("y ~ t + (1 | clinic)", "y ~ 0 + t + (1 | clinic)"), "have the same fixed effects"),
    ],
)
def test_only_fixed_effects_are_tested(formulas: tuple[str, str], message: str | None) -> None:
    fits = [estimate(formula, "clinics") for formula in formulas]
    if message is None:
        assert bmx.anova(*fits, df="satterthwaite")["p_value"].notna().sum() == 1
        return
    with pytest.raises(bmx.SpecError, match=message):
        bmx.anova(*fits, labels=["a", "b"], df="satterthwaite")


def test_generalized_models_have_no_f() -> None:
    fit = generalized("cbpp")
    with pytest.raises(bmx.SpecError, match="is for linear mixed models"):
        bmx.anova(fit.update("~ . - period"), fit, test="kr")


def test_two_tests_at_once_are_refused() -> None:
    with pytest.raises(bmx.SpecError, match="are two tests"):
        bmx.anova(*pair("clinics"), test="lrt", df="satterthwaite")
    with pytest.raises(bmx.SpecError, match="There is no test=`score`"):
        bmx.anova(*pair("clinics"), test="score")
    with pytest.raises(bmx.SpecError, match="type=2 is for the terms of one estimate"):
        bmx.anova(*pair("clinics"), type=2)
