"""Expressions of a formula on the columns of a table.

Nothing here runs Python found in a formula: the functions are those of the tables below, a name is a column and nothing
else. What a function learns from the data (`bayesmix.data.basis`) is kept in a memory under the call's own text; with
the memory of a fit, the same expression gives the same columns on new data.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from math import pi
from typing import Any

import numpy as np

from bayesmix.data.basis import (
    Basis,
    Columns,
    learn_bspline,
    learn_center,
    learn_cubic_regression,
    learn_natural_spline,
    learn_polynomial,
    learn_scaling,
)
from bayesmix.data.frame import Column, Factor, Numeric, boolean_factor, factor_of, label
from bayesmix.errors import DataError, nearest
from bayesmix.language.expression import (
    Bracket,
    Call,
    Chain,
    Expr,
    Flag,
    Name,
    Number,
    PlaceError,
    Sign,
    Text,
    pointing,
    read,
    spell,
)

Array = np.ndarray
Labels = tuple[str, ...]
Memory = MutableMapping[str, Basis | Labels]


@dataclass(frozen=True, slots=True, eq=False)
class CodedFactor:
    """A factor with contrasts asked for in the formula, ``C(f, contr.sum)``."""

    factor: Factor
    contrast: str
    base: int = 1

    @property
    def missing(self) -> Array:
        """(n,) bool."""
        return self.factor.missing

    def take(self, rows: Array) -> CodedFactor:
        """Return the rows at the given positions."""
        return replace(self, factor=self.factor.take(rows))


type Variable = Numeric | Factor | Columns | CodedFactor
type Constant = float | str | bool | tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class _Scope:
    columns: Mapping[str, Column]
    memory: Memory


def evaluate(text: str, columns: Mapping[str, Column], memory: Memory) -> Variable:
    """Evaluate one variable of a formula.

    Parameters
    ----------
    text
        Of the expression, in R's spelling.
    columns
        By name; all those that the expression mentions.
    memory
        What functions have learnt, by the text of the call; calls that are not in it learn now and are added.

    Raises
    ------
    FormulaError
        If a function does not take these arguments.
    DataError
        If something does not apply to this kind of column.
    """
    with pointing(text), np.errstate(all="ignore"):  # what is not finite is reported with its rows, by the design
        value = _value(read(text), _Scope(columns, memory))
    if isinstance(value, Numeric | Factor | Columns | CodedFactor):
        return value
    raise DataError(f"`{text}` is a constant, not a column.")


def _value(expression: Expr, scope: _Scope) -> Variable | Constant:
    match expression:
        case Number(value=number):
            return number
        case Text(value=text):
            return text
        case Flag(value=flag):
            return flag
        case Name(name=name):
            return scope.columns[name] if name in scope.columns or name != "pi" else pi
        case Bracket(inner=inner):
            return _value(inner, scope)
        case Sign():
            return _signed(expression, scope)
        case Chain():
            return _chain(expression, scope)
        case Call():
            return _call(expression, scope)


def _signed(expression: Sign, scope: _Scope) -> Numeric | Factor | float:
    value = _value(expression.operand, scope)
    if expression.operator == "!":
        factor = _truth(value, expression.operand)
        return replace(factor, codes=np.where(factor.codes < 0, -1, 1 - factor.codes))
    number = _number(value, expression.operand)
    return _numeric(-number if expression.operator == "-" else number)


def _chain(expression: Chain, scope: _Scope) -> Variable | Constant:
    result = _value(expression.operands[0], scope)
    so_far = expression.operands[0]
    for sign, operand, place in zip(expression.operators, expression.operands[1:], expression.places, strict=True):
        if sign not in _BINARY:
            raise PlaceError(f"`{sign}` is not arithmetic.", place)
        result = _BINARY[sign](result, _value(operand, scope), so_far, operand)
        so_far = expression
    return result


def _call(call: Call, scope: _Scope) -> Variable | Constant:
    if call.function == "I":
        return _identity(*_arguments(call, scope, _identity))
    if call.function == "c":
        return tuple(_constant(argument.value, scope) for argument in call.arguments)
    if call.function == "C":
        return _coded(call, scope)
    if call.function in _ELEMENTWISE:
        function = _ELEMENTWISE[call.function]
        first, *others = _arguments(call, scope, function)
        return _numeric(function(_number(first, call), *others))
    if call.function in _FACTORS:
        return _FACTORS[call.function](*_arguments(call, scope, _FACTORS[call.function]))
    if call.function == "dummy":
        return _dummies(call, scope)
    if call.function in _LEARNERS:
        return _learnt(call, scope)
    raise PlaceError(f"`{call.function}()` does not belong here.", call.position)


def _learnt(call: Call, scope: _Scope) -> Numeric | Columns:
    """Apply a basis from memory, or learn it first."""
    learn = _LEARNERS[call.function]
    first, *options = _arguments(call, scope, learn)
    x = np.asarray(_number(first, call.arguments[0].value))
    if x.ndim == 0:
        raise PlaceError(f"`{call.function}()` takes a column.", call.position)
    key = spell(call)
    if key not in scope.memory:
        scope.memory[key] = learn(x, *options)
    basis = scope.memory[key]
    assert not isinstance(basis, tuple)
    values = basis(x)
    return values if isinstance(values, Columns) else Numeric(values)


def _dummies(call: Call, scope: _Scope) -> Columns:
    """lme4's ``dummy(f, "a")``: indicators of the levels named, or of all but the first."""
    value, levels = _arguments(call, scope, _dummy)
    factor = factor_of(_column(value, call))
    wanted = (levels,) if isinstance(levels, str) else levels or factor.levels[1:]
    if spell(call) not in scope.memory:
        scope.memory[spell(call)] = tuple(_known_level(factor, level) for level in wanted)
    kept = scope.memory[spell(call)]
    assert isinstance(kept, tuple)
    position = {level: j for j, level in enumerate(factor.levels)}
    columns = [np.where(factor.codes < 0, np.nan, factor.codes == position.get(level, -2)) for level in kept]
    return Columns(np.column_stack(columns), kept)


def _coded(call: Call, scope: _Scope) -> Factor | CodedFactor:
    if not 1 <= len(call.arguments) <= 2 or any(argument.name not in ("", "contr") for argument in call.arguments):
        raise PlaceError("`C()` takes a factor and its contrasts.", call.position, "Write `C(f, contr.sum)`.")
    factor = factor_of(_column(_value(call.arguments[0].value, scope), call))
    if len(call.arguments) == 1:
        return factor
    match call.arguments[1].value:
        case Name(name=name) | Text(value=name):
            return CodedFactor(factor, name)
        case Call(function="contr.treatment" as name, arguments=(base,)) if base.name in ("", "base"):
            return CodedFactor(factor, name, int(np.asarray(_number(_constant(base.value, scope), call))))
        case Call(function=name, arguments=()):
            return CodedFactor(factor, name)
    raise PlaceError("These are no contrasts.", call.arguments[1].value.position, "Write `C(f, contr.sum)`.")


def _arguments(call: Call, scope: _Scope, function: Callable[..., Any]) -> tuple[Any, ...]:
    """Evaluate the arguments of a call and bring them into the order of the function's parameters."""
    positional = [_value(argument.value, scope) for argument in call.arguments if not argument.name]
    named = {a.name.replace(".", "_"): _value(a.value, scope) for a in call.arguments if a.name}
    signature = inspect.signature(function)
    try:
        bound = signature.bind(*positional, **named)
    except TypeError:
        names = [name.replace("_", ".") for name in signature.parameters]
        wrong = next((a.name for a in call.arguments if a.name and a.name not in names), None)
        advice = (
            f"Its arguments are {', '.join(f'`{name}`' for name in names)}.{nearest(wrong, names) if wrong else ''}"
        )
        raise PlaceError(f"`{spell(call)}` has wrong arguments.", call.position, advice) from None
    bound.apply_defaults()
    return bound.args


def _constant(expression: Expr, scope: _Scope) -> Constant:
    value = _value(expression, scope)
    if isinstance(value, Numeric | Factor | Columns | CodedFactor):
        raise PlaceError("A constant is expected here.", expression.position)
    return value


def _column(value: Variable | Constant, call: Call) -> Column:
    if isinstance(value, Numeric | Factor):
        return value
    raise PlaceError(f"`{call.function}()` takes a column.", call.position)


def _number(value: Variable | Constant, expression: Expr) -> float | Array:
    match value:
        case Numeric(values=values):
            return values
        case Factor(codes=codes, kind="boolean"):
            return np.where(codes < 0, np.nan, codes.astype(np.float64))
        case bool() | int() | float():
            return float(value)
        case Factor():
            raise DataError(f"`{spell(expression)}` is a factor where a number is needed.")
    raise PlaceError("A number is expected here.", expression.position)


def _truth(value: Variable | Constant, expression: Expr) -> Factor:
    if isinstance(value, Factor) and value.kind == "boolean":
        return value
    raise PlaceError("A truth value is expected here.", expression.position, "Compare first: `x > 0`.")


def _numeric(value: float | Array) -> Numeric | float:
    return value if isinstance(value, float) else Numeric(value)


def _arithmetic(function: Callable[[Any, Any], Any]) -> Callable[..., Variable | Constant]:
    def apply(left: Variable, right: Variable, left_text: Expr, right_text: Expr) -> Variable | Constant:
        result = function(_number(left, left_text), _number(right, right_text))
        return _numeric(result if isinstance(result, np.ndarray) else float(result))

    return apply


def _comparison(function: Callable[[Any, Any], Any]) -> Callable[..., Factor]:
    def apply(left: Variable, right: Variable, left_text: Expr, right_text: Expr) -> Factor:
        a: float | Array
        b: float | Array
        if isinstance(left, Factor) and left.kind != "boolean":
            a, b = _positions(left), _level(left, right, right_text, function)
        else:
            a, b = _number(left, left_text), _number(right, right_text)
        return boolean_factor(np.asarray(function(a, b)), np.isnan(a) | np.isnan(b))

    return apply


def _within(left: Variable, right: Variable | Constant, left_text: Expr, right_text: Expr) -> Factor:
    """``f %in% c("a", "b")``, or numbers in place of labels."""
    if not isinstance(right, tuple):
        raise PlaceError("`%in%` takes constants on its right.", right_text.position, 'Write `c("a", "b")`.')
    if isinstance(left, Factor) and left.kind != "boolean":
        known = [left.levels.index(label(level)) for level in right if label(level) in left.levels]
        return boolean_factor(np.isin(left.codes, known), left.missing)
    number = np.asarray(_number(left, left_text))
    return boolean_factor(np.isin(number, np.asarray(right, dtype=np.float64)), np.isnan(number))


def _positions(factor: Factor) -> Array:
    return np.where(factor.codes < 0, np.nan, factor.codes.astype(np.float64))


def _level(factor: Factor, value: Any, text: Expr, function: Callable[[Any, Any], Any]) -> float:
    """Return the position of a level that a factor is compared with."""
    if not isinstance(value, str | float):
        raise PlaceError("A factor is compared with one of its levels.", text.position)
    if function not in (operator.eq, operator.ne) and factor.kind != "ordered":
        raise PlaceError("The levels of this factor are not ordered.", text.position)
    return float(factor.levels.index(_known_level(factor, value)))


def _both(left: Variable, right: Variable, left_text: Expr, right_text: Expr) -> Factor:
    a, b = _truth(left, left_text), _truth(right, right_text)
    return boolean_factor(np.minimum(a.codes, b.codes) == 1, a.missing | b.missing)


def _either(left: Variable, right: Variable, left_text: Expr, right_text: Expr) -> Factor:
    a, b = _truth(left, left_text), _truth(right, right_text)
    return boolean_factor(np.maximum(a.codes, b.codes) == 1, a.missing | b.missing)


# The parameters of these functions are the arguments that a formula may give; `_` in a name is `.` in R.


def _identity(x: Variable) -> Variable:
    return x


def _log(x: Array, base: float | None = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _dummy(x: Variable, levels: str | Labels | None = None) -> None:
    """Hold the arguments of `dummy()`."""


def _factor(x: Variable, levels: tuple[str | float, ...] | None = None) -> Factor:
    if not isinstance(x, Numeric | Factor):
        raise DataError("`factor()` takes a column.")
    factor = factor_of(x)
    return factor if levels is None else _reorder(factor, tuple(map(label, levels)))


def _ordered(x: Variable, levels: tuple[str | float, ...] | None = None) -> Factor:
    return replace(_factor(x, levels), kind="ordered")


def _relevel(x: Variable, ref: str | float) -> Factor:
    factor = _factor(x)
    first = _known_level(factor, ref)
    return _reorder(factor, (first, *(level for level in factor.levels if level != first)))


def _known_level(factor: Factor, level: str | float) -> str:
    if label(level) not in factor.levels:
        raise DataError(f"There is no level `{label(level)}`.{nearest(label(level), factor.levels)}")
    return label(level)


def _reorder(factor: Factor, levels: Labels) -> Factor:
    position = {level: j for j, level in enumerate(levels)}
    left_out = [factor.levels[j] for j in np.unique(factor.codes) if j >= 0 and factor.levels[j] not in position]
    if left_out:
        raise DataError(f"`levels` leaves out levels that the data have: {', '.join(left_out)}.")
    moved = np.array([*(position.get(level, -1) for level in factor.levels), -1], dtype=np.intp)
    return Factor(moved[factor.codes], levels, "ordered" if factor.kind == "ordered" else "factor")


_ELEMENTWISE: dict[str, Callable[..., Any]] = {"log": _log}
for _name in ("log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sin", "cos", "tan"):
    _ELEMENTWISE[_name] = getattr(np, _name)
_FACTORS: dict[str, Callable[..., Factor]] = {
    "factor": _factor,
    "as.factor": _factor,
    "ordered": _ordered,
    "relevel": _relevel,
}
_LEARNERS: dict[str, Callable[..., Any]] = {
    "scale": learn_scaling,
    "center": learn_center,
    "poly": learn_polynomial,
    "bs": learn_bspline,
    "ns": learn_natural_spline,
    "cr": learn_cubic_regression,
}
_BINARY: dict[str, Callable[..., Any]] = {
    "+": _arithmetic(operator.add),
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(np.divide),
    "^": _arithmetic(np.power),
    "<": _comparison(operator.lt),
    ">": _comparison(operator.gt),
    "<=": _comparison(operator.le),
    ">=": _comparison(operator.ge),
    "==": _comparison(operator.eq),
    "!=": _comparison(operator.ne),
    "%in%": _within,
    "&": _both,
    "|": _either,
}
