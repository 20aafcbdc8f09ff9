"""Expressions on columns: what they give, what they refuse, and that nothing else can be run."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from bayesmix.data.columns import CodedFactor, Factor, Matrix, Numeric
from bayesmix.data.design.evaluate import evaluate
from bayesmix.data.frame import open_table
from bayesmix.errors import BayesmixError, DataError, FormulaError

COLUMNS = open_table(
    {
        "x": [1.0, 2.0, 4.0, np.nan],
        "z": [-1.0, 0.0, 1.0, 2.0],
        "f": ["b", "a", None, "c"],
        "b": [True, False, None, True],
        "k": [3, 1, 2, 3],
    }
).read("xzfbk")
NAN = np.nan

NUMBERS = {
    "x": [1, 2, 4, NAN],
    "I(x)": [1, 2, 4, NAN],
    "I(x + z * 2)": [-1, 2, 6, NAN],
    "I(-x^2)": [-1, -4, -16, NAN],
    "I((x - 1) / 2)": [0, 0.5, 1.5, NAN],
    "I(x - z - 1)": [1, 1, 2, NAN],
    "log(x, 2)": [0, 1, 2, NAN],
    "log2(x)": [0, 1, 2, NAN],
    "abs(z)": [1, 0, 1, 2],
    "I(+z)": [-1, 0, 1, 2],
    "I(b * 2)": [2, 0, NAN, 2],
    "sin(pi * z)": [0, 0, 0, 0],
}


@pytest.mark.parametrize("text", NUMBERS)
def test_arithmetic(text: str) -> None:
    value = evaluate(text, COLUMNS, {})
    assert isinstance(value, Numeric)
    np.testing.assert_allclose(value.values, NUMBERS[text], atol=1e-15)


TRUTHS = {  # 1 TRUE, 0 FALSE, -1 missing
    "x > 1": [0, 1, 1, -1],
    "x <= 2": [1, 1, 0, -1],
    "x == 2": [0, 1, 0, -1],
    "x != z": [1, 1, 1, -1],
    "I(!(x > 1))": [1, 0, 0, -1],
    "I(x > 1 & z > 0)": [0, 0, 1, -1],
    "I(x > 1 | z < 0)": [1, 1, 1, -1],
    "f == 'a'": [0, 1, -1, 0],
    "f != 'a'": [1, 0, -1, 1],
    "f %in% c('a', 'c', 'q')": [0, 1, -1, 1],
    "k %in% c(3, 2)": [1, 0, 1, 1],
    "factor(k) == 3": [1, 0, 0, 1],
    "ordered(k) < 3": [0, 1, 1, 0],
    "b == TRUE": [1, 0, -1, 1],
    "b": [1, 0, -1, 1],
}


@pytest.mark.parametrize("text", TRUTHS)
def test_comparisons_and_logic(text: str) -> None:
    value = evaluate(text, COLUMNS, {})
    assert isinstance(value, Factor)
    assert (value.kind, value.levels) == ("boolean", ("FALSE", "TRUE"))
    np.testing.assert_array_equal(value.codes, TRUTHS[text])


FACTORS: dict[str, tuple[list[int], str, str]] = {
    "f": ([1, 0, -1, 2], "a b c", "factor"),
    "factor(f)": ([1, 0, -1, 2], "a b c", "factor"),
    "as.factor(k)": ([2, 0, 1, 2], "1 2 3", "factor"),
    "ordered(k)": ([2, 0, 1, 2], "1 2 3", "ordered"),
    "factor(f, levels = c('c', 'b', 'a'))": ([1, 2, -1, 0], "c b a", "factor"),
    "ordered(k, levels = c(3, 2, 1))": ([0, 2, 1, 0], "3 2 1", "ordered"),
    "relevel(f, ref = 'c')": ([2, 1, -1, 0], "c a b", "factor"),
    "relevel(factor(k), 2)": ([2, 1, 0, 2], "2 1 3", "factor"),
    "C(f)": ([1, 0, -1, 2], "a b c", "factor"),
}


@pytest.mark.parametrize("text", FACTORS)
def test_factors(text: str) -> None:
    codes, levels, kind = FACTORS[text]
    value = evaluate(text, COLUMNS, {})
    assert isinstance(value, Factor)
    assert (" ".join(value.levels), value.kind) == (levels, kind)
    np.testing.assert_array_equal(value.codes, codes)


@pytest.mark.parametrize(
    ("text", "name", "base"),
    [
        ("C(f, sum)", "sum", 1),
        ("C(f, contr.sum)", "contr.sum", 1),
        ("C(f, 'helmert')", "helmert", 1),
        ("C(f, contr.poly())", "contr.poly", 1),
        ("C(f, contr.treatment(base = 2))", "contr.treatment", 2),
        ("C(f, contr = contr.treatment(3))", "contr.treatment", 3),
    ],
)
def test_contrasts_in_the_formula(text: str, name: str, base: int) -> None:
    value = evaluate(text, COLUMNS, {})
    assert isinstance(value, CodedFactor)
    assert (value.contrast, value.base) == (name, base)


def test_dummies_remember_their_levels() -> None:
    memory: dict[str, Any] = {}
    value = evaluate("dummy(f)", COLUMNS, memory)
    assert isinstance(value, Matrix)
    assert value.suffixes == ("b", "c")
    np.testing.assert_array_equal(value.values, [[1, 0], [0, 0], [NAN, NAN], [0, 1]])
    again = evaluate("dummy(f)", open_table({"f": ["c", "q"]}).read("f"), memory)
    assert isinstance(again, Matrix)
    np.testing.assert_array_equal(again.values, [[0, 1], [0, 0]])
    assert evaluate("dummy(f, 'a')", COLUMNS, {}).suffixes == ("a",)  # type: ignore[union-attr]


def test_what_was_learnt_is_used_again() -> None:
    memory: dict[str, Any] = {}
    evaluate("scale(log(x))", COLUMNS, memory)
    new = open_table({"x": [1.0, 16.0]}).read("x")
    value = evaluate("scale(log(x))", new, memory)
    assert isinstance(value, Numeric)
    seen = np.log([1.0, 2.0, 4.0])
    np.testing.assert_allclose(value.values, (np.log([1.0, 16.0]) - seen.mean()) / seen.std(ddof=1))


def test_a_column_may_be_called_pi() -> None:
    value = evaluate("I(2 * pi)", open_table({"pi": [1.0, 2.0]}).read(["pi"]), {})
    np.testing.assert_array_equal(value.values, [2.0, 4.0])  # type: ignore[union-attr]


REFUSED = {
    "log(f)": (DataError, "`f` is a factor where a number is needed"),
    "I(x + f)": (DataError, "`f` is a factor where a number is needed"),
    "I(2 * 3)": (DataError, "is a constant, not a column"),
    "c(1, 2)": (DataError, "is a constant, not a column"),
    "f == 'q'": (DataError, "no level `q`"),
    "relevel(f, 'q')": (DataError, "no level `q`"),
    "dummy(f, 'q')": (DataError, "no level `q`"),
    "factor(k, levels = c(3, 2))": (DataError, "leaves out levels that the data have: 1"),
    "f < 'b'": (FormulaError, "levels of this factor are not ordered"),
    "f == x": (FormulaError, "compared with one of its levels"),
    "1 < 2": (FormulaError, "Two constants are compared"),
    "I(x & b)": (FormulaError, "A truth value is expected"),
    "2 %in% c(1, 2)": (FormulaError, "takes a column on its left"),
    "log(x, c())": (FormulaError, "arguments of the wrong kind"),
    "I(x %in% z)": (FormulaError, "takes constants on its right"),
    "I(x:z)": (FormulaError, "`:` is not arithmetic"),
    "poly(x, degre = 2)": (FormulaError, "Its arguments are `x`, `degree`, `raw`. Did you mean `degree`?"),
    "exp(x, z)": (FormulaError, "wrong arguments"),
    "exp(x, out = z)": (FormulaError, "wrong arguments"),
    "log(x, base = z)": (FormulaError, "arguments of the wrong kind"),
    "bs(x, knots = 'a')": (FormulaError, "arguments of the wrong kind"),
    "scale(2)": (FormulaError, "takes a column"),
    "I(poly(x, 2) + 1)": (FormulaError, "A number is expected"),
    "C(f, 3)": (FormulaError, "These are no contrasts"),
    "C(f, sum, 2)": (FormulaError, "takes a factor and its contrasts"),
    "c(x, 2)": (FormulaError, "A constant is expected"),
    "contr.sum(3)": (FormulaError, "does not belong here"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_does_not_apply_is_refused(text: str) -> None:
    error, message = REFUSED[text]
    with pytest.raises(error) as caught:
        evaluate(text, COLUMNS, {})
    assert message in str(caught.value)


VALUES = ["x", "f", "b", "2", "-3", '"a"', "TRUE", "c(0.2, 0.5)", 'c("a")', "c()", "poly(z, 2)", "C(f, sum)", "1e9"]
FUNCTIONS = [
    "log",
    "exp",
    "scale",
    "center",
    "poly",
    "bs",
    "ns",
    "cr",
    "factor",
    "ordered",
    "relevel",
    "dummy",
    "I",
    "C",
]
NAMES = ["", "df = ", "knots = ", "degree = ", "levels = ", "center = ", "Boundary.knots = ", "intercept = "]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_wrong_arguments_never_raise_another_error(function: str) -> None:
    for first, name, second in product(VALUES, NAMES, VALUES):
        evaluates_or_is_refused(f"{function}({first}, {name}{second})")


@pytest.mark.parametrize("operator", ["+", "/", "^", "<", "==", "%in%", "&", "|", ":"])
def test_wrong_operands_never_raise_another_error(operator: str) -> None:
    for left, right in product(VALUES, VALUES):
        evaluates_or_is_refused(f"I({left} {operator} {right})")


def evaluates_or_is_refused(text: str) -> None:
    try:
        value = evaluate(text, COLUMNS, {})
    except BayesmixError:
        return
    taken = value.take(np.array([0, 3]))
    taken = taken.factor if isinstance(taken, CodedFactor) else taken
    assert len(taken.codes if isinstance(taken, Factor) else taken.values) == 2
