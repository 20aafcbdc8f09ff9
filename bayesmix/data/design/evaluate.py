"""Expressions of a formula on the columns of a table.

Nothing here runs Python found in a formula: functions are those of `functions.py`, a name is a column and nothing else.
What a function learns from the data is kept in a memory under the call's own text; with the memory of a fit, the same
expression gives the same columns on new data.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np

from bayesmix.data.columns import CodedFactor, Column, Factor, Matrix, Numeric, SmoothColumns, Variable
from bayesmix.data.design.basis import Basis
from bayesmix.data.design.functions import (
    ELEMENTWISE,
    FACTORS,
    LEARNERS,
    Labels,
    category_codes,
    dummy_levels,
    factor_column,
    identity,
    indicators,
    learn_categories,
)
from bayesmix.data.design.learnt_smooth import LearntSmooth, learn_smooth
from bayesmix.data.design.operators import OPERATORS, Constant, Value, negate, number, numeric
from bayesmix.errors import DataError, nearest
from bayesmix.language.formula.expression import Bracket, Call, Chain, Expr, Flag, Name, Number, Sign, Text, spell
from bayesmix.language.formula.imputed_predictors import VALUE
from bayesmix.language.formula.location import PlaceError, pointing
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.smooths import is_smooth, smooth_of

Learnt = Basis | Labels | LearntSmooth
Memory = MutableMapping[str, Learnt]


@dataclass(frozen=True, slots=True)
class _Scope:
    columns: Mapping[str, Column]
    memory: Memory


def evaluate(text: str, columns: Mapping[str, Column], memory: Memory, *, n: int | None = None) -> Variable:
    """Evaluate one variable of a formula.

    Parameters
    ----------
    text
        Of the expression, in R's spelling.
    columns
        By name; all those that the expression mentions.
    memory
        What functions have learnt, by the text of the call; calls that are not in it learn now and are added.
    n
        Rows of a constant; without it the expression is to be a column.

    Raises
    ------
    FormulaError
        If a function does not take these arguments.
    DataError
        If something does not apply to this kind of column.
    """
    with pointing(text), np.errstate(all="ignore"):  # what is not finite is reported later, with its rows
        value = _value(read(text), _Scope(columns, memory))
    if isinstance(value, Numeric | Factor | CodedFactor | Matrix | SmoothColumns):
        return value
    if n is not None and isinstance(value, int | float):
        return Numeric(np.full(n, float(value)))
    raise DataError(f"`{text}` is a constant, not a column.")


def _value(expression: Expr, scope: _Scope) -> Value:
    match expression:
        case Number(value=constant) | Text(value=constant) | Flag(value=constant):
            return constant
        case Name(name=name):
            return pi if name == "pi" and name not in scope.columns else scope.columns[name]
        case Bracket(inner=inner):
            return _value(inner, scope)
        case Sign():
            return _signed(expression, scope)
        case Chain():
            return _chain(expression, scope)
        case Call():
            return _smooth(expression, scope) if is_smooth(expression) else _call(expression, scope)


def _signed(expression: Sign, scope: _Scope) -> Value:
    value = _value(expression.operand, scope)
    if expression.operator == "!":
        return negate(value, expression.operand)
    result = number(value, expression.operand)
    return numeric(-result if expression.operator == "-" else result)


def _chain(expression: Chain, scope: _Scope) -> Value:
    place = expression.operands[0]
    result = _value(place, scope)
    for sign, operand, at in zip(expression.operators, expression.operands[1:], expression.places, strict=True):
        if sign not in OPERATORS:
            raise PlaceError(f"`{sign}` is not arithmetic.", at)
        result = OPERATORS[sign](result, _value(operand, scope), place, operand)
        place = expression
    return result


def _call(call: Call, scope: _Scope) -> Value:
    name = call.function
    if name in ELEMENTWISE:
        x, *others = _arguments(call, scope, ELEMENTWISE[name])
        return numeric(_apply(call, ELEMENTWISE[name], number(x, call.arguments[0].value), *others))
    if name in LEARNERS:
        return _learnt(call, scope)
    if name in FACTORS:
        return _apply(call, FACTORS[name], *_arguments(call, scope, FACTORS[name]))
    if name == "I":
        return identity(*_arguments(call, scope, identity))
    if name == "c":
        return tuple(_constant(argument.value, scope) for argument in call.arguments)
    if name in _OWN:
        return _OWN[name](call, scope)
    raise PlaceError(f"`{name}()` does not belong here.", call.position)


def _known(call: Call, scope: _Scope) -> Numeric:
    """What is known of a response that may be missing: its values, or where there are none."""
    response, what = (one.value for one in call.arguments)
    value = _value(response, scope)
    if isinstance(value, Factor) and value.kind != "boolean":
        raise DataError(
            f"`{spell(response)} | mi()`: missing values of a factor are not imputed, only those of numbers."
        )
    x = number(value, response)
    gone = np.isnan(x)
    return Numeric(np.where(gone, 0.0, x) if what == Text(VALUE) else gone.astype(np.float64))


def _learnt(call: Call, scope: _Scope) -> Numeric | Matrix:
    """Apply a basis from memory, or learn it first."""
    learn = LEARNERS[call.function]
    first, *options = _arguments(call, scope, learn)
    x = number(first, call.arguments[0].value)
    if not isinstance(x, np.ndarray):
        raise PlaceError(f"`{call.function}()` takes a column.", call.position)
    key = spell(call)
    if key not in scope.memory:
        scope.memory[key] = _apply(call, learn, x, *options)
    basis = scope.memory[key]
    assert not isinstance(basis, tuple | LearntSmooth)
    values = basis(x)
    return values if isinstance(values, Matrix) else Numeric(values)


def _smooth(call: Call, scope: _Scope) -> SmoothColumns:
    """The columns of a smooth from memory, or learn it first."""
    smooth = smooth_of(call)
    x = np.column_stack([_axis(argument.value, scope) for argument in call.arguments if not argument.name])
    options = {argument.name: argument.value for argument in call.arguments}
    by = _multiplier(options["by"], scope) if smooth.by else None
    if smooth.text not in scope.memory:
        scope.memory[smooth.text] = learn_smooth(smooth, x, by)
    learnt = scope.memory[smooth.text]
    assert isinstance(learnt, LearntSmooth)
    return learnt(x, by)


def _axis(variable: Expr, scope: _Scope) -> Any:
    """Values of a variable that a smooth is a function of."""
    value = _value(variable, scope)
    if isinstance(value, Factor) and value.kind != "boolean":
        what = f"`{spell(variable)}` is a factor, and a smooth is a function of numbers."
        advice = f'A curve for each level is `s(x, by = {spell(variable)})`, or `s(x, {spell(variable)}, bs = "fs")`.'
        raise PlaceError(what, variable.position, advice)
    return number(value, variable)


def _multiplier(by: Expr, scope: _Scope) -> Numeric | Factor:
    value = _value(by, scope)
    if isinstance(value, Numeric | Factor):
        return value
    raise PlaceError("`by` is a factor or a number.", by.position, "Write `s(x, by = f)`.")


def _dummies(call: Call, scope: _Scope) -> Matrix:
    key = spell(call)
    if key not in scope.memory:
        scope.memory[key] = _apply(call, dummy_levels, *_arguments(call, scope, dummy_levels))
    levels = scope.memory[key]
    assert isinstance(levels, tuple)
    return indicators(factor_column(_value(call.arguments[0].value, scope)), levels)


def _categories(call: Call, scope: _Scope) -> Numeric:
    """The categories of ``mo(x)`` from memory, or learn them first."""
    x, key = _value(call.arguments[0].value, scope), spell(call)
    if key not in scope.memory:
        scope.memory[key] = learn_categories(x)
    categories = scope.memory[key]
    assert isinstance(categories, tuple)
    return category_codes(x, categories)


def _coded(call: Call, scope: _Scope) -> Factor | CodedFactor:
    """``C(f, contr.sum)``: the second argument names contrasts and is not evaluated."""
    if not 1 <= len(call.arguments) <= 2 or any(argument.name not in ("", "contr") for argument in call.arguments):
        raise PlaceError("`C()` takes a factor and its contrasts.", call.position, "Write `C(f, contr.sum)`.")
    factor = factor_column(_value(call.arguments[0].value, scope))
    if len(call.arguments) == 1:
        return factor
    match call.arguments[1].value:
        case Name(name=name) | Text(value=name) | Call(function=name, arguments=()):
            return CodedFactor(factor, name)
        case Call(function="contr.treatment" as name, arguments=(base,)) if base.name in ("", "base"):
            match base.value:
                case Number(value=position) if position.is_integer():
                    return CodedFactor(factor, name, int(position))
    raise PlaceError("These are no contrasts.", call.arguments[1].value.position, "Write `C(f, contr.sum)`.")


def _constant(expression: Expr, scope: _Scope) -> Constant:
    value = _value(expression, scope)
    if isinstance(value, Numeric | Factor | CodedFactor | Matrix | SmoothColumns):
        raise PlaceError("A constant is expected here.", expression.position)
    return value


def _arguments(call: Call, scope: _Scope, function: Callable[..., Any]) -> tuple[Any, ...]:
    """Evaluate the arguments of a call and bring them into the order of the function's parameters."""
    signature = inspect.signature(function)
    positional = [_value(argument.value, scope) for argument in call.arguments if not argument.name]
    named = {argument.name: _value(argument.value, scope) for argument in call.arguments if argument.name}
    try:
        bound = signature.bind(*positional, **{name.replace(".", "_"): value for name, value in named.items()})
    except TypeError:
        raise _wrong_arguments(call, [name.replace("_", ".") for name in signature.parameters]) from None
    bound.apply_defaults()
    return bound.args


def _apply[T](call: Call, function: Callable[..., T], *arguments: Any) -> T:
    """Call a function with values that may be of the wrong type."""
    try:
        return function(*arguments)
    except (TypeError, ValueError, AttributeError):
        raise PlaceError(f"`{spell(call)}` has arguments of the wrong kind.", call.position) from None


def _wrong_arguments(call: Call, names: list[str]) -> PlaceError:
    unknown = [argument.name for argument in call.arguments if argument.name and argument.name not in names]
    hint = nearest(unknown[0], names) if unknown else ""
    known = ", ".join(f"`{name}`" for name in names)
    return PlaceError(f"`{spell(call)}` has wrong arguments.", call.position, f"Its arguments are {known}.{hint}")


_OWN: dict[str, Callable[[Call, _Scope], Value]] = {
    "C": _coded,
    "dummy": _dummies,
    "mi": _known,
    "mo": _categories,
}
