"""Likelihood-ratio tests against lme4's anova."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx

# lme4 1.1-31: anova(m0, m1, m2) of sleepstudy, REML fits refitted by ML
LME4 = {
    "npar": [3, 4, 6],
    "aic": [1916.541058, 1802.078643, 1763.939345],
    "bic": [1926.119929, 1814.850470, 1783.097086],
    "loglik": [-955.2705290, -897.0393215, -875.9696722],
    "deviance": [1910.541058, 1794.078643, 1751.939345],
    "chisq": [np.nan, 116.46242, 42.13930],
    "df": [np.nan, 1.0, 2.0],
    "p_value": [np.nan, 3.764461e-27, 7.072413e-10],
}


def fits() -> list[bmx.Estimate]:
    data = bmx.load_dataset("sleepstudy")
    right = ("1 + (1 | Subject)", "Days + (1 | Subject)", "Days + (Days | Subject)")
    return [bmx.Model(f"Reaction ~ {text}", data).estimate() for text in right]


def test_anova_is_lme4s() -> None:
    small, middle, large = fits()
    table = bmx.anova(large, small, middle)
    for column, values in LME4.items():
        np.testing.assert_allclose(table[column], values, rtol=1e-6, err_msg=column)


def test_anova_of_different_rows_is_refused() -> None:
    small, *_ = fits()
    data = bmx.load_dataset("sleepstudy").head(100)
    other = bmx.Model("Reaction ~ Days + (1 | Subject)", data).estimate()
    with pytest.raises(bmx.SpecError, match="180 and 100 rows"):
        bmx.anova(small, other)


def test_anova_needs_two_fits() -> None:
    with pytest.raises(bmx.SpecError, match="at least two"):
        bmx.anova(fits()[0])
