"""Which models are nested in which."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from residuals import data
from term_cases import estimate

import bayesmix as bmx
from bayesmix.results.criticism.nested_fits import has_same_fixed_effects, has_same_random_effects, is_nested

DAYS = "Reaction ~ Days"


@pytest.mark.parametrize(
    ("small", "large", "nested"),
    [
        ("Reaction ~ 1 + (1 | Subject)", f"{DAYS} + (1 | Subject)", True),
        (f"{DAYS} + (1 | Subject)", "Reaction ~ 1 + (1 | Subject)", False),
        (DAYS, f"{DAYS} + (1 | Subject)", True),
        (f"{DAYS} + (1 | Subject)", DAYS, False),
        (f"{DAYS} + (1 | Subject)", f"{DAYS} + (Days | Subject)", True),
        (f"{DAYS} + (Days | Subject)", f"{DAYS} + (1 | Subject)", False),
        (f"{DAYS} + (Days || Subject)", f"{DAYS} + (Days | Subject)", True),
        (f"{DAYS} + (Days | Subject)", f"{DAYS} + (Days || Subject)", False),
        (f"{DAYS} + (I(Days / 10) | Subject)", f"{DAYS} + (Days | Subject)", True),
        (f"{DAYS} + (1 | Subject)", f"{DAYS} + (1 | Days)", False),
        (f"{DAYS} + (1 | Subject)", f"{DAYS} + (1 | Subject) + (1 | Days)", True),
        (f"{DAYS} + (1 | half:Subject)", f"{DAYS} + (1 | Subject:half) + (1 | Subject)", True),
        (f"{DAYS} + cs(half | Subject, hom = TRUE)", f"{DAYS} + cs(half | Subject)", True),
        (f"{DAYS} + cs(half | Subject)", f"{DAYS} + cs(half | Subject, hom = TRUE)", False),
        (f"{DAYS} + cs(half | Subject)", f"{DAYS} + (half | Subject)", True),
    ],
)
def test_random_effects_are_looked_at(small: str, large: str, nested: bool) -> None:
    assert is_nested(estimate(small, "sleepstudy"), estimate(large, "sleepstudy")) is nested


def test_what_models_share() -> None:
    first = estimate(f"{DAYS} + (Days | Subject)", "sleepstudy")
    other = estimate(f"{DAYS} + (1 | Subject)", "sleepstudy")
    less = estimate("Reaction ~ 1 + (1 | Subject)", "sleepstudy")
    assert has_same_fixed_effects(first, other)
    assert not has_same_fixed_effects(other, less)
    assert has_same_random_effects(other, less)
    assert not has_same_random_effects(first, other)


RESIDUALS = {  # of patients: none, series, exchangeable, unstructured; and of another factor
    "": "",
    "ar": " + ar(step, patient)",
    "ar2": " + ar(step, patient, p = 2)",
    "arma": " + arma(step, patient)",
    "cosy": " + cosy(gr = patient)",
    "unstr": " + unstr(visit, patient)",
    "steps": " + unstr(step, patient)",
    "site": " + cosy(gr = site)",
}
NESTED = {
    ("", "ar"), ("", "unstr"), ("", "site"), ("ar", "ar2"), ("ar", "arma"), ("ar", "unstr"), ("cosy", "unstr"),
    ("arma", "unstr"), ("unstr", "steps"), ("steps", "unstr"),
}  # fmt: skip
APART = {
    ("ar", ""), ("ar2", "ar"), ("ar2", "arma"), ("cosy", "ar"), ("ar", "cosy"), ("unstr", "ar"), ("unstr", "cosy"),
    ("site", "cosy"), ("site", "unstr"), ("cosy", "site"),
}  # fmt: skip


@cache
def of_trial(structure: str) -> bmx.Estimate:
    return bmx.Model(f"y ~ base + arm{RESIDUALS[structure]}", data("trial")).estimate("ml")


@pytest.mark.parametrize(("small", "large"), sorted(NESTED | APART))
def test_residual_structures_are_looked_at(small: str, large: str) -> None:
    assert is_nested(of_trial(small), of_trial(large)) is ((small, large) in NESTED)


def test_structures_that_are_not_nested_have_no_likelihood_ratio() -> None:
    table = bmx.anova(of_trial("ar"), of_trial("cosy"), of_trial("unstr"))
    assert table["p_value"].isna().sum() == 2  # the first of all, and one of the two that are not nested
    assert not has_same_random_effects(of_trial(""), of_trial("ar"))
    assert has_same_random_effects(of_trial("unstr"), of_trial("steps"))


def test_related_levels_are_not_independent_ones() -> None:
    rng = np.random.default_rng(1)
    levels = [f"s{j}" for j in range(6)]
    g = np.repeat(levels, 5)
    frame = pd.DataFrame({"g": g, "y": rng.normal(size=30) + np.repeat(rng.normal(size=6), 5)})
    relation = pd.DataFrame(0.5 ** np.abs(np.subtract.outer(range(6), range(6))), levels, levels)
    alone = bmx.Model("y ~ 1 + (1 | g)", frame).estimate("ml")
    related = bmx.Model("y ~ 1 + (1 | gr(g, cov = A))", frame, data2={"A": relation}).estimate("ml")
    again = bmx.Model("y ~ 1 + (1 | gr(g, cov = B))", frame, data2={"B": relation.copy()}).estimate("ml")
    assert not is_nested(alone, related)
    assert not is_nested(related, alone)
    assert is_nested(related, again)
