"""Likelihood-ratio tests against lme4's anova."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from breadth import FOLDER

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


RIGHT = ("1 + (1 | Subject)", "Days + (1 | Subject)", "Days + (Days | Subject)")


def fits() -> list[bmx.Estimate]:
    data = bmx.load_dataset("sleepstudy")
    return [bmx.Model(f"Reaction ~ {text}", data).estimate() for text in RIGHT]


def test_anova_is_lme4s() -> None:
    small, middle, large = fits()
    table = bmx.anova(large, small, middle)
    for column, values in LME4.items():
        np.testing.assert_allclose(table[column], values, rtol=1e-6, err_msg=column)


# glmmTMB 1.1.5: anova(poisson, nbinom2) of y ~ x + z + (1 | g) on nbsim; lme4's glmer.nb is not the textbook optimum
GLMMTMB = {
    "npar": [5, 6],
    "aic": [2247.40187924, 1768.61136019],
    "bic": [2267.35920198, 1792.56014747],
    "loglik": [-1118.700939620, -878.305680093],
    "deviance": [2237.40187924, 1756.61136019],
    "chisq": [np.nan, 480.790519054],
    "df": [np.nan, 1.0],
    "p_value": [np.nan, 1.43790032738e-106],
}


def of_counts(family: str, formula: str = "y ~ x + z + (1 | g)", **options: str) -> bmx.Estimate:
    return bmx.Model(formula, bmx.load_dataset("nbsim"), family, **options).estimate()


def test_reml_fits_with_formulas_of_sigma_are_refitted_by_maximum_likelihood() -> None:
    """Deviances of ``gls(weights = varExp(form = ~ Days), method = "ML")`` of nlme 3.1-162."""
    data = bmx.load_dataset("sleepstudy")
    fits = [bmx.Model([f"Reaction ~ {x}", "sigma ~ Days"], data).estimate("reml") for x in ("1", "Days")]
    found = bmx.anova(*fits)
    np.testing.assert_allclose(found["deviance"], [1938.5390253612, 1877.432731318], rtol=1e-11)
    assert found["chisq"].iloc[1] == pytest.approx(1938.5390253612 - 1877.432731318, rel=1e-9)


def test_a_poisson_model_is_nested_in_the_negative_binomial_one() -> None:
    table = bmx.anova(of_counts("negbinomial"), of_counts("poisson"))
    for column, values in GLMMTMB.items():
        rtol = 1e-4 if column == "p_value" else 1e-7
        np.testing.assert_allclose(table[column], values, rtol=rtol, err_msg=column)
    assert list(table["boundary"]) == [False, True]
    assert list(table.index) == ["y ~ x + z + (1 | g), poisson", "y ~ x + z + (1 | g), negbinomial"]


def test_the_boundary_is_where_variances_are_tested() -> None:
    fixed, slopes = (
        bmx.Model(f"Reaction ~ {right}", bmx.load_dataset("sleepstudy")).estimate() for right in RIGHT[::2]
    )
    assert list(bmx.anova(fixed, slopes)["boundary"]) == [False, True]
    less = bmx.Model("Reaction ~ 1 + (Days | Subject)", bmx.load_dataset("sleepstudy")).estimate()
    assert list(bmx.anova(less, slopes)["boundary"]) == [False, False]


def test_models_that_are_not_nested_are_compared_by_their_criteria_only() -> None:
    """Other columns, another link, a negative binomial with fewer columns: densities of the same counts, no test."""
    for one, other in [
        (of_counts("poisson", "y ~ x + (1 | g)"), of_counts("poisson", "y ~ z + (1 | g)")),
        (of_counts("poisson", "y ~ x + z + (1 | g)"), of_counts("negbinomial", "y ~ x + (1 | g)")),
        (of_counts("poisson", "y ~ x + (1 | g)"), of_counts("poisson", "y ~ x + z + (1 | g)", link="sqrt")),
    ]:
        table = bmx.anova(one, other)
        assert table["aic"].notna().all()
        assert table[["chisq", "p_value"]].isna().all(axis=None)


@pytest.mark.parametrize("option", ["weights", "offset"])
def test_models_with_other_weights_or_offsets_are_not_nested(option: str) -> None:
    data = bmx.load_dataset("sleepstudy").assign(known=np.linspace(1.0, 2.0, 180))
    small = bmx.Model(f"Reaction ~ {RIGHT[1]}", data).estimate()
    other = bmx.Model(f"Reaction ~ {RIGHT[2]}", data, **{option: "known"}).estimate()
    assert bmx.anova(small, other)[["chisq", "p_value"]].isna().all(axis=None)
    same = bmx.Model(f"Reaction ~ {RIGHT[1]}", data, **{option: "known"}).estimate()
    assert bmx.anova(same, other)["chisq"].notna().iloc[1]


def test_probabilities_and_densities_are_not_compared() -> None:
    with pytest.raises(bmx.SpecError, match="`poisson` and `gaussian` give probabilities and densities"):
        bmx.anova(of_counts("poisson"), of_counts("gaussian"))


def test_another_response_is_refused() -> None:
    data = bmx.load_dataset("sleepstudy")
    fits_ = [bmx.Model(f"{y} ~ Days + (1 | Subject)", data).estimate() for y in ("Reaction", "log(Reaction)")]
    with pytest.raises(bmx.SpecError, match=r"`Reaction`, 180 and `log\(Reaction\)`, 180 rows"):
        bmx.anova(*fits_)


def test_anova_of_different_rows_is_refused() -> None:
    small, *_ = fits()
    data = bmx.load_dataset("sleepstudy").head(100)
    other = bmx.Model("Reaction ~ Days + (1 | Subject)", data).estimate()
    with pytest.raises(bmx.SpecError, match="180 and `Reaction`, 100 rows"):
        bmx.anova(small, other)


def test_anova_needs_a_fit() -> None:
    with pytest.raises(bmx.SpecError, match=r"needs an estimate, anova\(fit\), or several"):
        bmx.anova()


@pytest.mark.slow
def test_ratings_are_compared_by_their_categories():
    """The larger of clm's two fits has a parameter more, the spread of the latent variable."""
    cases = json.loads((FOLDER / "ratings" / "estimates.json").read_text(encoding="utf-8"))
    wine = pd.read_csv(FOLDER / "data" / "wine.csv")
    small = bmx.Model("rating ~ temp + contact", wine, family="cumulative").estimate()
    large = bmx.Model(["rating ~ temp + contact", "disc ~ contact"], wine, family="cumulative").estimate()
    row = bmx.anova(small, large).iloc[1]
    assert row["chisq"] == pytest.approx(cases["clm_logit"]["criterion"] - cases["clm_scale"]["criterion"], abs=1e-7)
    assert (row["df"], row["boundary"]) == (1.0, False)
    other = bmx.Model("rating ~ temp + contact", wine, family="cumulative", link="probit").estimate()
    assert np.isnan(bmx.anova(other, large).iloc[1]["chisq"])
