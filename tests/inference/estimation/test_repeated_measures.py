"""Trials as their statisticians know them: SAS's PROC MIXED and R's mmrm on mmrm's data, with missed visits."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx

FOLDER = Path(__file__).parents[2] / "reference" / "mmrm"
SAS: dict[str, Any] = json.loads((FOLDER / "sas.json").read_text())
MMRM: dict[str, Any] = json.loads((FOLDER / "mmrm.json").read_text())
BY_VISIT = ["sigma ~ 0 + AVISIT"]
STRUCTURES = {
    "ar1": ("ar(time, USUBJID)", []),
    "ar1h": ("ar(time, USUBJID)", BY_VISIT),
    "cs": ("cosy(gr = USUBJID)", []),
    "csh": ("cosy(gr = USUBJID)", BY_VISIT),
    "us": ("unstr(AVISIT, USUBJID)", BY_VISIT),
}
# SAS prints four digits and ends its search early: at optima to the last digit df differ by 3e-4, differences by 1.2e-4
BY_SAS = {"rtol": 5e-4}
FOUR_DIGITS = {"atol": 2e-4}

pytestmark = pytest.mark.slow


@cache
def data() -> pd.DataFrame:
    table = pd.read_csv(FOLDER / "fev.csv")
    sex = pd.Categorical(table["SEX"], ["Male", "Female"])
    return table.assign(time=table["AVISIT"].str[-1].astype(int), SEX=sex)


def fitted(predictors: str, structure: str) -> Any:
    term, sigma = STRUCTURES[structure]
    return bmx.Model([f"FEV1 ~ {predictors} + {term}", *sigma], data()).estimate()


@pytest.mark.parametrize("structure", STRUCTURES)
def test_kenward_roger_is_that_of_sas(structure):
    found = fitted("ARMCD", structure).tidy(("fixed",), df="kenward-roger").set_index("term").loc["ARMCDTRT"]
    np.testing.assert_allclose(found["std.error"], SAS[structure]["se"], **BY_SAS)
    np.testing.assert_allclose(found["df"], SAS[structure]["df"], **BY_SAS)


def test_differences_of_arms_at_each_visit_are_those_of_sas():
    fit = fitted("RACE + SEX + ARMCD * AVISIT", "us")
    found = fit.contrasts("ARMCD", by="AVISIT").set_index("AVISIT").loc[[row["visit"] for row in SAS["by_visit"]]]
    np.testing.assert_allclose(found["estimate"], [row["estimate"] for row in SAS["by_visit"]], **FOUR_DIGITS)
    np.testing.assert_allclose(found["std_error"], [row["se"] for row in SAS["by_visit"]], **FOUR_DIGITS)
    np.testing.assert_allclose(found["df"], [row["df"] for row in SAS["by_visit"]], atol=0.51)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_satterthwaite_is_that_of_mmrm(structure):
    fit, figures = fitted("RACE + SEX + ARMCD * AVISIT", structure), MMRM[structure]["satterthwaite"]
    np.testing.assert_allclose(fit.criterion, figures["criterion"], rtol=1e-9)
    table = fit.tidy(("fixed",)).iloc[: len(figures["beta"])]
    for ours, theirs in {"estimate": "beta", "std.error": "se", "df": "df"}.items():
        np.testing.assert_allclose(table[ours], figures[theirs], rtol=1e-4)


def test_kenward_roger_is_that_of_mmrm():
    """Of structures that are linear in variances and covariances, whose second derivatives are zero: "linear" there."""
    for structure in ("us", "cs"):
        fit, figures = fitted("RACE + SEX + ARMCD * AVISIT", structure), MMRM[structure]["linear"]
        table = fit.tidy(("fixed",), df="kenward-roger").iloc[: len(figures["beta"])]
        np.testing.assert_allclose(table["std.error"], figures["se"], rtol=1e-4)
        np.testing.assert_allclose(table["df"], figures["df"], rtol=1e-4)
