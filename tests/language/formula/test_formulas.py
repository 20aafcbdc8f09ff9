"""Several formulas: one text, lists, dictionaries, and brms's wrappers, as records."""

from __future__ import annotations

from typing import Any

import pytest

from bayesmix.errors import FormulaError
from bayesmix.language.formula.formulas import read_formulas
from bayesmix.language.formula.parse import parse

BOTH = ["y ~ x", "sigma ~ z"]
SAME: dict[str, tuple[Any, list[str]]] = {  # what is given, and the texts that it stands for
    "one text": ("y ~ x", ["y ~ x"]),
    "as typed": (" y~x ", [" y~x "]),
    "semicolons": ("y ~ x ;sigma ~ z", BOTH),
    "a semicolon at the end": ("y ~ x; sigma ~ z;", BOTH),
    "a semicolon in quotes": ("y ~ C(f, ';') + `a;b`; sigma ~ z", ["y ~ C(f, ';') + `a;b`", "sigma ~ z"]),
    "list": (BOTH, BOTH),
    "tuple": (tuple(BOTH), BOTH),
    "list of records": ([parse(text) for text in BOTH], BOTH),
    "list with semicolons": (["y ~ x; sigma ~ z", "b ~ x"], [*BOTH, "b ~ x"]),
    "dictionary": ({"mu": "y ~ x", "sigma": "~ z"}, BOTH),
    "dictionary, mean last": ({"sigma": "~ z", "mu": "y ~ x"}, BOTH),
    "dictionary of formulas": ({"mu": "y ~ x", "sigma": "sigma ~ z"}, BOTH),
    "dictionary by response": ({"log(y)": "~ x", "cbind(s,f)": "cbind(s, f) ~ z"}, ["log(y) ~ x", "cbind(s, f) ~ z"]),
    "bf": ("bf(y ~ x, sigma ~ z)", BOTH),
    "brmsformula": ("brmsformula(y ~ x, sigma ~ z)", BOTH),
    "bf of one": ("bf(y ~ poly(x, 2))", ["y ~ poly(x, 2)"]),
    "bf in a list": (["bf(a ~ x, sigma_a ~ z)", "b ~ x"], ["a ~ x", "sigma_a ~ z", "b ~ x"]),
    "mvbind": ("mvbind(a, log(b)) ~ x + (1 | p | g)", ["a ~ x + (1 | p | g)", "log(b) ~ x + (1 | p | g)"]),
    "mvbind in bf": ("bf(mvbind(a, b) ~ x, sigma_a ~ z)", ["a ~ x", "b ~ x", "sigma_a ~ z"]),
}


@pytest.mark.parametrize("case", SAME)
def test_formulas_are_taken_apart(case: str) -> None:
    given, texts = SAME[case]
    found = read_formulas(given)
    assert found == tuple(map(parse, texts))
    assert [formula.text for formula in found] == texts
    assert read_formulas(found) == found


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": ([], "There is no formula"),
    "an empty dictionary": ({}, "There is no formula"),
    "a number": (3, "not int"),
    "a number in a list": (["y ~ x", 3], "Each formula of a list is text, not int"),
    "a list in a list": ([["y ~ x"]], "Each formula of a list is text, not list"),
    "a number in a dictionary": ({"mu": 3}, "A dictionary of formulas has texts by name, not 'mu': 3"),
    "a number as a key": ({1: "y ~ x"}, "A dictionary of formulas has texts by name, not 1"),
    "no response": ({"mu": "~ x"}, "no response"),
    "another left side": ({"mu": "y ~ x", "sigma": "y ~ x"}, 'The formula under "sigma" is one of `y`'),
    "two formulas under a key": ({"mu": "y ~ x; sigma ~ z"}, "`;` is not expected here"),
    "nothing between semicolons": ("y ~ x;; sigma ~ z", "formula ends where"),
    "semicolons alone": (";;", "formula ends where"),
    "a semicolon in brackets": ("y ~ (x; z)", "`;` is not expected here"),
    "a bracket that is not closed": ("y ~ (1 | g; sigma ~ z", "`;` is not expected here"),
    "bf of an option": ("bf(y ~ x, center = FALSE)", "there is no `~`"),
    "nl of no parameter": ("bf(y ~ x, nl = TRUE)", "has no parameter, which nl = TRUE says"),
    "bf of nothing": ("bf()", "formula ends where"),
    "bf in bf": ("bf(bf(y ~ x))", "`bf()`"),
    "bf + bf": ("bf(a ~ x) + bf(b ~ x)", '["a ~ x + (1 | p | g)", "sigma_a ~ z", "b ~ x"]'),
    "mvbf": ("mvbf(bf(a ~ x), bf(b ~ x))", '["a ~ x + (1 | p | g)", "sigma_a ~ z", "b ~ x"]'),
    "set_rescor": ("bf(mvbind(a, b) ~ x) + set_rescor(TRUE)", '["a ~ x + (1 | p | g)", "sigma_a ~ z", "b ~ x"]'),
    "lf": ("y ~ x; lf(sigma ~ z)", '["y ~ ...", "sigma ~ x"]'),
    "mvbind on the right": ("y ~ mvbind(a, b)", "mvbind(a, b) ~ ..."),
    "mvbind of nothing": ("mvbind() ~ x", "no response"),
    "too many": (";".join(f"y{i} ~ 1" for i in range(101)), "more than 100 formulas"),
    "too many responses": (f"mvbind({','.join(['a'] * 999)}) ~ x", "more than 100 formulas"),
    "too long together": ([f"y{i} ~ {'x' * 9000}" for i in range(12)], "more than 100000 characters together"),
    "too long": ("y ~ x;" * 2000, "the limit is 10000"),
    "a record without a name": ([parse("y ~ x"), parse("sigma ~ x").__class__("", "x", ())], "of which parameter"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_formulas_is_refused(case: str) -> None:
    given, message = REFUSED[case]
    with pytest.raises(FormulaError) as caught:
        read_formulas(given)
    assert message in str(caught.value)


def test_the_place_of_a_mistake_is_shown_in_its_own_formula() -> None:
    with pytest.raises(FormulaError) as caught:
        read_formulas("y ~ x; sigma ~ lgo(x)")
    assert "\n  sigma ~ lgo(x)\n          ^" in str(caught.value)
