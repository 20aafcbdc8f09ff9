"""The words of the language: each function that is known can be called, each refused word is refused by name."""

from __future__ import annotations

import re

import pytest

import bayesmix as bmx
from bayesmix.data.design import functions
from bayesmix.errors import FormulaError
from bayesmix.language.formula.parse import parse
from bayesmix.language.formula.vocabulary import FUNCTIONS, PARAMETERS, REFUSED, RESERVED, STRUCTURES

ELSEWHERE = {
    "I",
    "C",
    "c",
    "cbind",
    "offset",
    "dummy",
    "numFactor",
    "s",
    "t2",
    "gp",
    "cs",
    "mo",
}  # by the walk over expressions


def test_functions_are_those_that_can_be_called() -> None:
    known = {*functions.ELEMENTWISE, *functions.FACTORS, *functions.LEARNERS}
    assert {name for name in FUNCTIONS if not name.startswith("contr.")} == known | ELSEWHERE


def test_no_word_is_both_known_and_refused() -> None:
    assert not FUNCTIONS & REFUSED.keys()
    assert not STRUCTURES.keys() & REFUSED.keys()
    assert not RESERVED & (FUNCTIONS | STRUCTURES.keys() | PARAMETERS)


@pytest.mark.parametrize("word", sorted(REFUSED))
def test_refused_words_are_refused_by_name_with_what_to_write(word: str) -> None:
    with pytest.raises(FormulaError, match="is not supported") as raised:
        parse(f"y ~ {word}(x) + (1 | g)")
    assert f"`{word}()` is not supported." in str(raised.value)
    assert str(raised.value).rstrip().endswith(REFUSED[word])


def test_what_is_said_of_censored_times_is_a_formula_that_fits() -> None:
    """It was said that they are not supported, which four families are for."""
    written = re.search(r"`(.* ~ x)`", REFUSED["Surv"])
    assert written is not None
    data = {"time": [3.0, 1.5, 2.2, 4.1, 0.7, 2.9], "status": [1, 0, 1, 1, 0, 1], "x": [0.1, 0.5, 0.2, 0.9, 0.4, 0.3]}
    for family in re.findall(r'"(\w+)"', REFUSED["Surv"]):
        assert "2 right-censored" in str(bmx.Model(written[1], data, family=family))


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_stand_around_a_bar(name: str) -> None:
    (bar,) = parse(f"y ~ x + {name}(0 + f | g)").bars
    of_lme4, is_homogeneous = STRUCTURES[name]
    (same,) = parse(f"y ~ x + {of_lme4}(0 + f | g{'' if is_homogeneous is None else f', hom = {is_homogeneous}'})").bars
    assert bar.structure == same.structure
