"""Smooths in summaries: their own section, apart from random effects."""

import pytest
from smooths import data, estimate, model

import bayesmix as bmx


def test_an_estimate_prints_degrees_of_freedom_and_a_test_of_each_curve():
    summary = estimate("by_factor").summary()
    text = str(summary)
    assert text.startswith("Additive mixed model fit by REML")
    assert "Parameter Std.Dev.   edf Ref.df     F  p-value" in text
    assert "s(x):fa sds(sxfa_1)    9.217 4.681  4.951 12.58 " in text
    assert "groups:  g, 20\n" in text
    assert "sx" not in text[text.index("Random effects:") : text.index("Fixed effects:")]
    assert list(summary.tables["smooth_terms"].index) == ["s(x):fa", "s(x):fb", "s(x):fc"]


def test_several_standard_deviations_of_a_curve_are_below_each_other():
    fit = bmx.Model("y ~ t2(x, z, k = 3)", data()).estimate()
    lines = str(fit.summary()).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("t2(x,z)"))
    assert "sds(t2xz_1)" in lines[first]
    assert [line.split()[0] for line in lines[first + 1 : first + 3]] == ["sds(t2xz_2)", "sds(t2xz_3)"]
    assert "Additive model fit by REML" in lines[0]


def test_curves_of_levels_have_a_row_whose_standard_deviations_are_those_of_effects():
    lines = str(bmx.Model('z ~ x + s(x, g, bs = "fs", k = 4)', data()).estimate().summary()).splitlines()
    at = lines.index("Smooth terms:")
    assert lines[at + 1 : at + 3] == ["         edf Ref.df     F p-value", "s(x,g) 13.46     78 0.255  0.0371 *"]
    assert sum("sxg_" in line for line in lines[:at]) == 3


@pytest.mark.slow
def test_a_posterior_has_the_section_as_well():
    text = str(model("two").sample(draws=300, seed=1).summary())
    section = text[text.index("Smooth terms:") : text.index("Fixed effects:")]
    assert "sds(sx_1)" in section
    assert "sds(sz_1)" in section
    assert "sds" not in text[text.index("Random effects:") : text.index("Smooth terms:")]
