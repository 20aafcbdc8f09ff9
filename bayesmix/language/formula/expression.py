"""The tree of an expression as frozen records, and how R spells it.

Operands of operators of one strength stay side by side in one `Chain`, so that a sum of a thousand columns is flat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bayesmix.language.formula.vocabulary import FLAGS, RESERVED


@dataclass(frozen=True, slots=True)
class Number:
    """A number; ``2L`` is spelled as R's integer."""

    value: float
    integer: bool = False
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string."""

    value: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Flag:
    """``TRUE`` or ``FALSE``."""

    value: bool
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A column of the data, or ``.`` for all of them."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Bracket:
    """An expression in round brackets, which R keeps in its labels."""

    inner: Expr
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign or a negation in front of an expression."""

    operator: str  # "-", "+" or "!"
    operand: Expr
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands of operators of one strength, applied from left to right; ``^`` has just two operands."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]  # one fewer than the operands
    position: int = field(default=0, compare=False)
    places: tuple[int, ...] = field(default=(), compare=False)  # where the operators stand


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call: ``2`` or ``df = 2``."""

    value: Expr
    name: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Argument, ...]
    position: int = field(default=0, compare=False)


type Expr = Number | Text | Flag | Name | Bracket | Sign | Chain | Call


def children(expression: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly inside another."""
    match expression:
        case Bracket(inner=inner):
            return (inner,)
        case Sign(operand=operand):
            return (operand,)
        case Chain(operands=operands):
            return operands
        case Call(arguments=arguments):
            return tuple(argument.value for argument in arguments)
        case _:
            return ()


def walk(expression: Expr) -> Iterator[Expr]:
    """Yield an expression and everything inside it, in the order of the text."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def column_names(expression: Expr) -> tuple[str, ...]:
    """Return the columns that an expression needs, each once, in the order of the text."""
    return tuple(dict.fromkeys(_column_names(expression)))


def unbracket(expression: Expr) -> Expr:
    """Strip the round brackets around a whole expression."""
    while isinstance(expression, Bracket):
        expression = expression.inner
    return expression


def spell(expression: Expr) -> str:  # noqa: C901 - one case a kind of expression
    """Write an expression as R's deparse does; `reader.read` gives the same expression back."""
    match expression:
        case Number(value=value, integer=integer):
            return f"{value:.0f}L" if integer else spell_number(value)
        case Text(value=value):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Flag(value=flag):
            return "TRUE" if flag else "FALSE"
        case Name(name=name):
            return spell_name(name)
        case Bracket(inner=inner):
            return f"({spell(inner)})"
        case Sign(operator=operator, operand=operand):
            return operator + spell(operand)
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(_spell_argument, arguments))})"
        case Chain(operands=operands, operators=operators):
            rest = (_spaced(o) + spell(e) for o, e in zip(operators, operands[1:], strict=True))
            return spell(operands[0]) + "".join(rest)


def spell_name(name: str) -> str:
    """Write a column's name, in backticks where R needs them."""
    plain = _PLAIN_NAME.fullmatch(name) and name not in RESERVED and name not in FLAGS and not is_dunder(name)
    return name if plain else f"`{name}`"


def is_dunder(name: str) -> bool:
    """Return whether a name contains an attribute such as ``__class__``."""
    return re.search(r"(?:^|\.)__\w+__(?:$|\.)", name) is not None


def spell_number(value: float) -> str:
    """Write a number as R does: 15 digits at most, and 1e+05 where that is shorter than 100000."""
    scientific = f"{value:.14e}"
    mantissa, exponent = scientific.split("e")
    scientific = f"{mantissa.rstrip('0').rstrip('.')}e{exponent}"
    decimals = max(0, 14 - int(exponent))
    fixed = f"{value:.{decimals}f}"
    fixed = fixed.rstrip("0").rstrip(".") if decimals else fixed
    shortest = fixed if len(fixed) <= len(scientific) else scientific
    return shortest if float(shortest) == value else repr(value)


_PLAIN_NAME = re.compile(r"(?:[^\W\d]|\.(?![0-9]))[\w.]*")
_TIGHT = frozenset({"/", ":", "^"})


def _spaced(operator: str) -> str:
    return operator if operator in _TIGHT else f" {operator} "


def _spell_argument(argument: Argument) -> str:
    return f"{argument.name} = {spell(argument.value)}" if argument.name else spell(argument.value)


def _column_names(expression: Expr) -> Iterator[str]:
    match expression:
        case Name(name=name):
            yield name
        case Call(function="C", arguments=arguments):  # what follows names contrasts, not columns
            yield from _column_names(arguments[0].value) if arguments else ()
        case _:
            for child in children(expression):
                yield from _column_names(child)
