"""Reading and spelling expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesmix.data.design.functions import ELEMENTWISE, FACTORS, LEARNERS
from bayesmix.language.formula.expression import Chain, Sign, column_names, spell, spell_name, spell_number
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.vocabulary import FUNCTIONS, REFUSED, STRUCTURES

NUMBERS = {  # as R 4.2.2 deparses them
    1.0: "1",
    0.1: "0.1",
    100.0: "100",
    100000.0: "1e+05",
    123456.0: "123456",
    1e15: "1e+15",
    0.0001: "1e-04",
    0.00012: "0.00012",
    1e-20: "1e-20",
    2.5e10: "2.5e+10",
    1 / 3: "0.3333333333333333",  # R prints 15 digits and would not read the same number back
}


@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_are_spelled_as_in_R(value: float) -> None:
    assert spell_number(value) == NUMBERS[value]


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_numbers_are_read_back(value: float) -> None:
    assert float(spell_number(value)) == value


@pytest.mark.parametrize("name", ["x", "my.dot", ".x", "_x", "x_1", "größe"])
def test_plain_names_need_no_backticks(name: str) -> None:
    assert spell_name(name) == name


@pytest.mark.parametrize("name", ["my col", "1x", "a-b", "TRUE", "if", "NA", ".1", "a(b)", "__x__"])
def test_other_names_get_backticks(name: str) -> None:
    assert spell_name(name) == f"`{name}`"
    assert column_names(read(spell_name(name))) == (name,)


def test_operators_bind_as_in_R() -> None:
    def shape(text: str) -> str:
        def bracketed(e: object) -> str:
            match e:
                case Chain(operands=operands, operators=operators):
                    rest = (o + bracketed(x) for o, x in zip(operators, operands[1:], strict=True))
                    return "<" + bracketed(operands[0]) + "".join(rest) + ">"
                case Sign(operator=operator, operand=operand):
                    return f"<{operator}{bracketed(operand)}>"
            return spell(e)  # type: ignore[arg-type]

        return bracketed(read(text))

    assert shape("a + b * c %in% d:e^f") == "<a+<b*<c%in%<d:<e^f>>>>>"
    assert shape("-a:b") == "<<-a>:b>"
    assert shape("-a^b") == "<-<a^b>>"
    assert shape("a^b^c") == "<a^<b^c>>"
    assert shape("a^-b") == "<a^<-b>>"
    assert shape("a - b - c") == "<a-b-c>"
    assert shape("!a & b | c == d + e") == "<<<!a>&b>|<c==<d+e>>>"


def test_strings_and_escapes() -> None:
    assert spell(read(r"""C(f, 'a"b\\c')""")) == r"""C(f, "a\"b\\c")"""
    assert read(spell(read(r"C(f, 'it\'s')"))) == read('C(f, "it\'s")')


def test_contrasts_are_not_columns() -> None:
    assert column_names(read("C(f, contr.sum):x")) == ("f", "x")
    assert column_names(read("factor(k, levels = c(z, 2))")) == ("k", "z")


def test_every_function_of_the_vocabulary_exists_and_no_other() -> None:
    special = {"I", "c", "C", "cbind", "dummy", "numFactor", "offset", "s", "t2", "gp", "cs", "mo"}
    special |= {name for name in FUNCTIONS if name.startswith("contr.")}
    assert {*ELEMENTWISE, *FACTORS, *LEARNERS, *special} == FUNCTIONS
    assert not REFUSED.keys() & (FUNCTIONS | set(STRUCTURES))
