"""R's algebra of formulas: labels and intercepts as R's `terms()` prints them."""

from __future__ import annotations

import pytest

from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import MAX_TERMS, expand

TERMS = {  # text: labels of R 4.2.2's `terms`, intercept
    "x": ("x", True),
    "1": ("", True),
    "0": ("", False),
    "x*f - x": ("f x:f", True),
    "(a+b+c)^2": ("a b c a:b a:c b:c", True),
    "(a+b)^3": ("a b a:b", True),
    "(a+b)^1": ("a b", True),
    "a/b/c": ("a a:b a:b:c", True),
    "a/(b + c)": ("a a:b a:c", True),
    "(a + b)/c": ("a b a:b:c", True),
    "x %in% f": ("x:f", True),
    "(a+b)^2 %in% c": ("a:c b:c a:b:c", True),
    "a %in% (b + c)": ("a:b:c", True),
    "0+x:f+f": ("f x:f", False),
    "f + x:f": ("f f:x", True),
    "-1+a*b": ("a b a:b", False),
    "a+(b-a)": ("a b", True),
    "y - (b-a)": ("y", True),
    "(x-1)+z": ("x z", False),
    "a*b*c - a:b:c": ("a b c a:b a:c b:c", True),
    "a+b+c - (a+b)": ("c", True),
    "a:a": ("a", True),
    "a + a": ("a", True),
    "a - 1 + 1": ("a", True),
    "a:b + b:a": ("a:b", True),
    "log(x) * I(x^2)": ("log(x) I(x^2) log(x):I(x^2)", True),
}


@pytest.mark.parametrize("text", TERMS)
def test_terms_are_those_of_R(text: str) -> None:
    labels, intercept = TERMS[text]
    terms = expand(read(text))
    assert " ".join(terms.labels) == labels
    assert terms.intercept is intercept


def test_the_dot_stands_for_columns() -> None:
    assert expand(read(". - b"), ["a", "b", "c d"]).labels == ("a", "`c d`")
    assert expand(read("c + .:c"), ["a", "b", "c"]).labels == ("c", "c:a", "c:b")
    assert expand(read(".^2"), ["a", "b"]).labels == ("a", "b", "a:b")
    assert expand(read(". - b")).labels == (".",)


def test_removed_terms_leave_their_variables() -> None:
    terms = expand(read("x + z - x"))
    assert terms.variables == ("x", "z")
    assert terms.used == ("z",)


def test_expansion_is_limited() -> None:
    assert len(expand(read("(" + "+".join(f"x{i}" for i in range(44)) + ")^2")).terms) < MAX_TERMS
    with pytest.raises(PlaceError, match="more than 1000 terms"):
        expand(read("(" + "+".join(f"x{i}" for i in range(46)) + ")^2"))
