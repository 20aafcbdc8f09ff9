"""Operators of expressions on columns and constants: arithmetic, comparison, logic."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, Variable, boolean_factor, known_level, label
from bayesmix.data.text_columns import mistaken
from bayesmix.errors import DataError
from bayesmix.language.formula.expression import Expr, spell
from bayesmix.language.formula.location import PlaceError

type Constant = float | str | bool | tuple[Constant, ...]
type Value = Variable | Constant
type Operator = Callable[[Value, Value, Expr, Expr], Variable | float]  # the operands, and their places for messages


def number(value: Value, place: Expr) -> float | Array:
    """Return numbers, truth values as 0 and 1.

    Raises
    ------
    DataError, PlaceError
        If the value is something else.
    """
    match value:
        case Numeric(values=values):
            return values
        case Factor(codes=codes, kind="boolean"):
            return np.where(codes < 0, np.nan, codes.astype(np.float64))
        case bool() | int() | float():
            return float(value)
        case Factor() as value:
            why = mistaken(spell(place), value) or ""
            raise DataError(f"`{spell(place)}` is a factor where a number is needed. {why}".rstrip())
    raise PlaceError("A number is expected here.", place.position)


def numeric(value: float | Array) -> Numeric | float:
    """Wrap the result of arithmetic."""
    return Numeric(value) if isinstance(value, np.ndarray) else float(value)


def negate(value: Value, place: Expr) -> Factor:
    """``!x``."""
    factor = _truth(value, place)
    return replace(factor, codes=np.where(factor.codes < 0, -1, 1 - factor.codes))


def _arithmetic(function: Callable[[Any, Any], Any]) -> Operator:
    def apply(left: Value, right: Value, left_place: Expr, right_place: Expr) -> Numeric | float:
        return numeric(function(number(left, left_place), number(right, right_place)))

    return apply


def _comparison(function: Callable[[Any, Any], Any]) -> Operator:
    def apply(left: Value, right: Value, left_place: Expr, right_place: Expr) -> Factor:
        factor = _categories(left)
        if factor is not None:
            if factor.kind != "ordered" and function not in (operator.eq, operator.ne):
                raise PlaceError("The levels of this factor are not ordered.", left_place.position)
            return boolean_factor(function(factor.codes, _position(factor, right, right_place)), factor.missing)
        a, b = number(left, left_place), number(right, right_place)
        missing = np.isnan(a) | np.isnan(b)
        if not isinstance(missing, np.ndarray):
            raise PlaceError("Two constants are compared.", left_place.position)
        return boolean_factor(function(a, b), missing)

    return apply


def _within(left: Value, right: Value, left_place: Expr, right_place: Expr) -> Factor:
    """``f %in% c("a", "b")``, or numbers in place of labels."""
    if not isinstance(right, tuple):
        raise PlaceError("`%in%` takes constants on its right.", right_place.position, 'Write `c("a", "b")`.')
    factor = _categories(left)
    if factor is not None:
        known = [factor.levels.index(label(level)) for level in right if label(level) in factor.levels]
        return boolean_factor(np.isin(factor.codes, known), factor.missing)
    values = number(left, left_place)
    if not isinstance(values, np.ndarray):
        raise PlaceError("`%in%` takes a column on its left.", left_place.position)
    wanted = np.array([number(constant, right_place) for constant in right])
    return boolean_factor(np.isin(values, wanted), np.isnan(values))


def _both(left: Value, right: Value, left_place: Expr, right_place: Expr) -> Factor:
    a, b = _truth(left, left_place), _truth(right, right_place)
    return boolean_factor(np.minimum(a.codes, b.codes) == 1, a.missing | b.missing)


def _either(left: Value, right: Value, left_place: Expr, right_place: Expr) -> Factor:
    a, b = _truth(left, left_place), _truth(right, right_place)
    return boolean_factor(np.maximum(a.codes, b.codes) == 1, a.missing | b.missing)


def _truth(value: Value, place: Expr) -> Factor:
    if isinstance(value, Factor) and value.kind == "boolean":
        return value
    raise PlaceError("A truth value is expected here.", place.position, "Compare first: `x > 0`.")


def _categories(value: Value) -> Factor | None:
    """Return a factor other than a truth value."""
    return value if isinstance(value, Factor) and value.kind != "boolean" else None


def _position(factor: Factor, value: Value, place: Expr) -> int:
    """Return the position of a level that a factor is compared with."""
    if not isinstance(value, str | float):
        raise PlaceError("A factor is compared with one of its levels.", place.position)
    return factor.levels.index(known_level(factor, value))


OPERATORS: dict[str, Operator] = {
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
