"""Monotonic terms of a formula: what they are read as, spelled as, changed to, and refused with."""

from __future__ import annotations

import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.formula_update import updated
from bayesmix.language.formula.parse import parse
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import expand

READ = {  # text: fixed part, monotonic terms, names of coefficients as brms has them
    "y ~ mo(x)": ("1", ["mo(x)"], ["mox"]),
    "y ~ mo(income) * age + (1 | city)": ("age", ["mo(income)", "mo(income):age"], ["moincome", "moincome"]),
    "y ~ 0 + z:mo(x)": ("0", ["mo(x):z"], ["mox"]),
    "y ~ a + mo(x) - a + b": ("b", ["mo(x)"], ["mox"]),
    "y ~ (f + mo(x))^2": ("f", ["mo(x)", "mo(x):f"], ["mox", "mox"]),
    "y ~ mo(ordered(x, levels = c('a', 'b')))": (
        "1",
        ['mo(ordered(x, levels = c("a", "b")))'],
        ["moorderedxlevelscab"],
    ),
}
REFUSED = {
    "y ~ mo(x):mo(z)": "an interaction of two monotonic effects",
    "y ~ log(mo(x))": "does not belong here",
    "y ~ (mo(x) | g)": "the same in all groups",
    "y ~ s(mo(x))": "does not belong here",
    "y ~ x + offset(mo(z))": "does not belong here",
    "mo(y) ~ x": "does not belong here",
    "y ~ mo(y)": "The response is also a predictor",
    "y ~ mo(x, id = 'a')": "`id` of `mo\\(\\)`",
    "y ~ mo(3)": "takes one variable",
    "y ~ mo(x, z)": "takes one variable",
    "y ~ mo(.)": "`.` stands for terms",
}
CHANGES = {
    "~ . - mo(x)": "y ~ f + mo(x):f + (1 | g)",
    "~ . - mo(x):f": "y ~ f + mo(x) + (1 | g)",
    "~ . + mo(z)": "y ~ f + mo(x) + mo(z) + mo(x):f + (1 | g)",
    "~ mo(z)": "y ~ 1 + mo(z)",
    "log(.) ~ .": "log(y) ~ f + mo(x) + mo(x):f + (1 | g)",
}


@pytest.mark.parametrize("text", READ)
def test_monotonic_terms_are_apart_from_other_fixed_effects(text):
    formula = parse(text)
    fixed, terms, labels = READ[text]
    assert formula.fixed == fixed
    assert [str(term) for term in formula.monotonic] == terms
    assert [term.label for term in formula.monotonic] == labels
    assert parse(str(formula)) == formula


def test_their_columns_are_the_formulas():
    assert parse("y ~ f + mo(x):z").columns == ("y", "f", "x", "z")


@pytest.mark.parametrize("text", REFUSED)
def test_what_they_cannot_be_is_refused_by_name(text):
    with pytest.raises(FormulaError, match=REFUSED[text]):
        parse(text)


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_formulas(change):
    old = parse("y ~ mo(x) * f + (1 | g)")
    found = updated(old, expand(read(old.fixed)), change)
    assert parse(str(found)) == parse(CHANGES[change])


def test_what_is_not_there_cannot_be_removed():
    old = parse("y ~ mo(x)")
    with pytest.raises(FormulaError, match=r"There is no `mo\(z\)` to remove"):
        updated(old, expand(read(old.fixed)), "~ . - mo(z)")
