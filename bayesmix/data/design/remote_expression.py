"""Numeric expressions of formulas as expressions of the engine that has the data."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from bayesmix.data.columns import Column, Factor
from bayesmix.errors import DataError
from bayesmix.language.formula.expression import Bracket, Call, Chain, Expr, Name, Number, Sign, column_names, spell

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "I": lambda x: x,
    "abs": lambda x: x.abs(),
    "exp": lambda x: x.exp(),
    "log": lambda x: x.log(),
    "log2": lambda x: x.log(2.0),
    "log10": lambda x: x.log(10.0),
    "sqrt": lambda x: x.sqrt(),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
}


def is_number(expression: Expr, kinds: Mapping[str, Column]) -> bool:
    """Whether an expression is arithmetic with columns of numbers, which engines can do."""
    match expression:
        case Number():
            return True
        case Name(name=name):
            column = kinds.get(name)
            return name == "pi" if column is None else not isinstance(column, Factor)
        case Bracket(inner=inner):
            return is_number(inner, kinds)
        case Sign(operator=sign, operand=operand):
            return sign != "!" and is_number(operand, kinds)
        case Chain(operators=operators, operands=operands):
            return set(operators) <= set(OPERATORS) and all(is_number(one, kinds) for one in operands)
        case Call(function=function, arguments=(argument,)):
            inner = argument.value
            return function in FUNCTIONS and bool(column_names(inner)) and is_number(inner, kinds)
    return False


def remote(expression: Expr, kinds: Mapping[str, Column]) -> Any:
    """An expression of narwhals, or a number, for one that `is_number`."""
    import narwhals as nw

    match expression:
        case Number(value=value):
            return value
        case Name(name=name):
            return nw.col(name).cast(nw.Float64) if name in kinds else math.pi
        case Bracket(inner=inner):
            return remote(inner, kinds)
        case Sign(operator=sign, operand=operand):
            value = remote(operand, kinds)
            return -value if sign == "-" else value
        case Chain(operators=operators, operands=operands):
            result = remote(operands[0], kinds)
            for sign, operand in zip(operators, operands[1:], strict=True):
                result = OPERATORS[sign](result, remote(operand, kinds))
            return result
        case Call(function=function, arguments=(argument,)):
            return FUNCTIONS[function](remote(argument.value, kinds))
    raise DataError(f"`{spell(expression)}` is not arithmetic that the source of the data can do.")
