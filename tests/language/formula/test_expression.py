"""Trees of expressions: what they hold, and how R writes them."""

from __future__ import annotations

import pytest

from bayesmix.language.formula.expression import (
    Bracket,
    Name,
    children,
    column_names,
    is_dunder,
    spell,
    spell_name,
    unbracket,
    walk,
)
from bayesmix.language.formula.expression import spell_number as written
from bayesmix.language.formula.reader import read

SPELLED = {  # text -> R 4.2: deparse(quote(...))
    "x+y*2": "x + y * 2",
    "x ^2/ 3": "x^2/3",
    "a:b": "a:b",
    "I( x>3 )": "I(x > 3)",
    "poly(x,degree=2)": "poly(x, degree = 2)",
    "'it'": '"it"',
    "-x": "-x",
    "!f": "!f",
    "((x))": "((x))",
    "x %in% c(1,2L)": "x %in% c(1, 2L)",
    "`my col` + 1": "`my col` + 1",
    "TRUE": "TRUE",
}


@pytest.mark.parametrize("text", SPELLED)
def test_expressions_are_written_as_r_does(text: str) -> None:
    assert spell(read(text)) == SPELLED[text]
    assert read(SPELLED[text]) == read(text)


@pytest.mark.parametrize(
    ("value", "right"),
    # R 4.2: deparse(value)
    [
        (100000.0, "1e+05"),
        (123456.0, "123456"),
        (10000.0, "10000"),  # of two equally long, as it is said
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (0.0001, "1e-04"),
        (2.0, "2"),
        (1e15, "1e+15"),
    ],
)
def test_numbers_are_written_as_r_does(value: float, right: str) -> None:
    assert written(value) == right


@pytest.mark.parametrize("value", [0.1 + 0.2, 1.0 / 3.0, 5e-324, 1.7976931348623157e308])
def test_numbers_that_fifteen_digits_do_not_tell_keep_all(value: float) -> None:
    assert float(written(value)) == value


@pytest.mark.parametrize(
    ("name", "right"),
    [("x.1", "x.1"), ("my col", "`my col`"), ("TRUE", "`TRUE`"), ("if", "`if`"), (".1", "`.1`"), ("größe", "größe")],
)
def test_names_have_backticks_where_r_needs_them(name: str, right: str) -> None:
    assert spell_name(name) == right


@pytest.mark.parametrize(
    ("name", "right"), [("__class__", True), ("x.__dict__", True), ("x__y__z", False), ("_x_", False)]
)
def test_attributes_are_told_from_columns(name: str, right: bool) -> None:
    assert is_dunder(name) is right


def test_columns_are_listed_once_in_the_order_of_the_text() -> None:
    assert column_names(read("log(y) + x * (z + y) + C(f, contr.sum)")) == ("y", "x", "z", "f")


def test_a_walk_visits_every_part() -> None:
    expression = read("log(x, base = 2) + (y - 1)")
    assert [spell(part) for part in walk(expression)] == [
        "log(x, base = 2) + (y - 1)",
        "log(x, base = 2)",
        "x",
        "2",
        "(y - 1)",
        "y - 1",
        "y",
        "1",
    ]
    assert [spell(part) for part in children(expression)] == ["log(x, base = 2)", "(y - 1)"]


def test_brackets_around_a_whole_are_stripped() -> None:
    assert unbracket(read("((x))")) == Name("x")
    assert isinstance(read("(x)"), Bracket)
    assert spell(unbracket(read("(x) + 1"))) == "(x) + 1"
