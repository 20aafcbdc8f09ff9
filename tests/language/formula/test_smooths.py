"""Smooth terms as records: variables, options, names as brms has them."""

import re

import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.formula_update import updated
from bayesmix.language.formula.parse import parse
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.smooths import Smooth, named
from bayesmix.language.formula.terms import expand

READ = {
    "s(x)": Smooth("s", ("x",), bases=("tp",), text="s(x)"),
    "s(x, k=6, bs='cr')": Smooth("s", ("x",), bases=("cr",), k=(6,), text='s(x, k = 6, bs = "cr")'),
    "s(log(x), by = f, k = -1)": Smooth("s", ("log(x)",), by="f", bases=("tp",), text="s(log(x), by = f, k = -1)"),
    "s(x, z, m = 2)": Smooth("s", ("x", "z"), bases=("tp",), m=2, text="s(x, z, m = 2)"),
    "t2(x, z, k = c(5, 4))": Smooth("t2", ("x", "z"), bases=("cr", "cr"), k=(5, 4), text="t2(x, z, k = c(5, 4))"),
    't2(x, z, bs = c("cc", "tp"))': Smooth("t2", ("x", "z"), bases=("cc", "tp"), text='t2(x, z, bs = c("cc", "tp"))'),
    "gp(x)": Smooth("gp", ("x",), bases=("exp_quad",), text="gp(x)"),
    "gp(x, z, k = 5, c = 5/4)": Smooth(
        "gp", ("x", "z"), bases=("exp_quad",), k=(5,), c=1.25, text="gp(x, z, k = 5, c = 5/4)"
    ),
    'gp(c, by = f, cov = "matern32", c = (2), scale = FALSE, gr = TRUE)': Smooth(
        "gp",
        ("c",),
        by="f",
        bases=("matern32",),
        c=2.0,
        is_scaled=False,
        text='gp(c, by = f, cov = "matern32", c = (2), scale = FALSE, gr = TRUE)',
    ),
    's(x, g, bs = "fs")': Smooth("s", ("x", "g"), bases=("fs",), text='s(x, g, bs = "fs")'),
}


@pytest.mark.parametrize("text", READ)
def test_a_smooth_is_read_into_its_variables_and_options(text):
    formula = parse(f"y ~ f + {text} + (1 | g)")
    assert formula.smooths == (READ[text],)
    assert formula.fixed == "f"
    assert parse(str(formula)) == formula


def test_columns_of_a_formula_are_those_of_its_smooths_as_well():
    assert parse("y ~ w + s(log(x), by = f) + t2(a, b)").columns == ("y", "w", "x", "f", "a", "b")


def test_coefficients_are_called_as_brms_calls_them():
    labels = {
        "s(x)": "sx",
        "s(log(x))": "slogx",
        "t2(x, z)": "t2xz",
        's(x, g, bs = "fs")': "sxg",
        "s(I(x^2))": "sIxE2",
        "gp(x, z)": "gpxz",
    }
    assert {text: parse(f"y ~ {text}").smooths[0].label for text in labels} == labels
    assert parse("y ~ gp(x, z)").smooths[0].label == "gpxz"
    assert named("b b(1)") == "bb1"


CHANGES = {  # of y ~ x + s(z) + (1 | g)
    "~ . + s(w)": "y ~ x + s(z) + s(w) + (1 | g)",
    "~ . - s(z)": "y ~ x + (1 | g)",
    "~ . - x": "y ~ 1 + s(z) + (1 | g)",
    "~ . - (1 | g)": "y ~ x + s(z)",
    "~ s(w) + (1 | g)": "y ~ 1 + s(w) + (1 | g)",
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_update_keeps_adds_and_removes_smooths(change):
    old = parse("y ~ x + s(z) + (1 | g)")
    assert str(updated(old, expand(read(old.fixed)), change)) == CHANGES[change]


REFUSED = {
    "gp(x, bs = 'cr')": "takes no argument `bs`",
    "gp(x, cov = 'exponential')": "no covariance function `exponential`",
    "gp(x, c = -1)": "`c` of `gp()` is a number above zero",
    "gp(x, c = 5/0)": "`c` of `gp()` is a number above zero",
    "gp(x, z, iso = FALSE)": "`iso = FALSE` of `gp()` is not supported",
    "gp(x, by = f, cmc = FALSE)": "`cmc = FALSE` of `gp()` is not supported",
    "gp(x, scale = 2)": "`scale` of `gp()` is TRUE or FALSE",
    "gp()": "has 0 variable",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_a_process_cannot_be_told_is_refused(text):
    with pytest.raises(FormulaError, match=re.escape(REFUSED[text])):
        parse(f"y ~ {text}")
