"""Formulas of vignettes and help pages of brms, glmmTMB, lme4, ordinal and nlme: what fits, what is refused.

Figures are by those packages (tests/reference/breadth/vignettes.R); where no package of R fits a model by maximum
likelihood, by the survey of models or a template of TMB (breadth/README.md).
"""

from __future__ import annotations

import json
from functools import cache

import pandas as pd
import pytest
from breadth import FOLDER

import bayesmix as bmx

OWLS = "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest)"
BY_R = {  # name in vignettes.json: formula, family, data, method
    "epilepsy_poisson": ("count ~ zAge + zBase * Trt + (1 | patient)", "poisson", "epilepsy", "laplace"),
    "epilepsy_two_groups": ("count ~ zAge + zBase * Trt + (1 | patient) + (1 | obs)", "poisson", "epilepsy", "laplace"),
    "owls_zip": ([OWLS, "zi ~ 1"], "zero_inflated_poisson", "Owls", "laplace"),
    "owls_zinb": ([OWLS, "zi ~ 1"], "zero_inflated_negbinomial", "Owls", "laplace"),
    "owls_zinb1": ([OWLS, "zi ~ 1"], "zero_inflated_nbinom1", "Owls", "laplace"),
    "owls_hurdle": ([OWLS, "hu ~ FoodTreatment"], "hurdle_nbinom1", "Owls", "laplace"),
    "salamanders_poisson": ("count ~ mined + (1 | site)", "poisson", "Salamanders", "laplace"),
    "salamanders_zi": (
        ["count ~ spp + mined + (1 | site)", "zi ~ spp + mined"],
        "zero_inflated_negbinomial",
        "Salamanders",
        "laplace",
    ),
    "salamanders_hurdle": (
        ["count ~ spp + mined + (1 | site)", "hu ~ spp + mined"],
        "hurdle_poisson",
        "Salamanders",
        "laplace",
    ),
    "salamanders_shape": (
        ["count ~ spp + mined + (1 | site)", "shape ~ DOY"],
        "negbinomial",
        "Salamanders",
        "laplace",
    ),
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "gaussian", "sleepstudy", "reml"),
    "sleepstudy_independent": ("Reaction ~ Days + (Days || Subject)", "gaussian", "sleepstudy", "reml"),
    "penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "gaussian", "Penicillin", "reml"),
    "cbpp": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "binomial", "cbpp", "laplace"),
    "wine_clm": ("rating ~ temp * contact", "cumulative", "wine", "laplace"),
    "inhaler_specific": ("rating ~ period + carry + cs(treat) + (1 | subject)", "sratio", "inhaler", "laplace"),
    "orthodont": ("distance ~ age + (age | Subject)", "gaussian", "Orthodont", "ml"),
    "orthodont_variances": (["distance ~ age * Sex + (1 | Subject)", "sigma ~ Sex"], "gaussian", "Orthodont", "ml"),
    "orthodont_gls": (["distance ~ age * Sex", "sigma ~ Sex"], "gaussian", "Orthodont", "ml"),
}
ELSEWHERE = {  # formula: the test that compares it, or one of its kind
    "rating ~ temp + contact + (1 | judge)": "inference/estimation/test_rating_estimates.py",
    "rating ~ temp + contact + (1 + temp | judge)": "inference/estimation/test_rating_estimates.py",
    "rating ~ period + carry + treat + (1 | subject)": "inference/estimation/test_survey_estimates.py",
    "Reaction ~ Days + (Days | Subject); sigma ~ Days": "inference/estimation/test_distributional.py",
    "rent ~ t2(area, yearc) + (1 | district)": "inference/estimation/test_smooth_estimates.py",
    "loss ~ s(dev) + (1 | AY)": "inference/estimation/test_smooth_estimates.py",
    "phen ~ cofactor + (1 | gr(phylo, cov = A))": "inference/estimation/test_related_levels.py",
    "ls ~ mo(income)": "inference/estimation/test_monotonic_estimates.py",
    "mvbind(a, b) ~ x + (1 | p | g), rescor": "inference/estimation/test_distributional.py",
    "bmi | mi() ~ age * mi(chl); chl | mi() ~ age": "inference/estimation/test_imputation_estimates.py",
}
FACTORS = {
    "epilepsy": ["patient", "obs"],
    "sleepstudy": ["Subject"],
    "cbpp": ["herd", "period"],
    "wine": ["judge"],
}
ORDERS = {"Sex": ["Male", "Female"]}  # of levels, where it is not the alphabet's
NO_END = {"salamanders_zi"}  # coefficients of zi have none; glmmTMB's own start ends at another optimum, 4.5 above
QUICK = {"epilepsy_poisson", "salamanders_poisson", "penicillin", "wine_clm", "orthodont_gls"}


@cache
def references():
    return json.loads((FOLDER / "vignettes.json").read_text(encoding="utf-8"))


@cache
def data_of(name):
    file = FOLDER / "data" / f"{name}.csv"
    found = pd.read_csv(file) if file.exists() else bmx.load_dataset(name)
    for column in FACTORS.get(name, []):
        found[column] = found[column].astype("str").astype("category")
    for column, levels in ORDERS.items():
        if column in found:
            found[column] = pd.Categorical(found[column], levels)
    return found


@pytest.mark.parametrize("name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in BY_R])
def test_fits_and_matches(name):
    """Optimisers of R stop within 1e-6 of the criterion; coefficients within a thousandth of a standard error."""
    formula, family, data, method = BY_R[name]
    model, reference = bmx.Model(formula, data_of(data), family=family), references()[name]
    if name in NO_END:
        with pytest.warns(bmx.ConvergenceWarning, match="runs off"):
            fit = model.estimate(method)
        assert fit.criterion <= reference["criterion"] + 1e-6
        return
    fit = model.estimate(method)
    assert fit.criterion == pytest.approx(reference["criterion"], rel=1e-8, abs=3e-6)
    table = fit.parameters()
    for own, expected in reference["coefficients"].items():
        row = table.loc[own.replace("zi_", "hu_") if "hu" in str(formula) else own]
        assert abs(row["estimate"] - expected) <= 2e-3 * row["std_error"], own


def test_all_formulas_fit():
    assert len(BY_R) + len(ELSEWHERE) == 29
