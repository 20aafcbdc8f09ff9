"""Grouping factors right of a bar: one, crossed as ``a:b``, nested as ``a/b``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from bayesmix.language.formula.expression import Bracket, Call, Chain, Expr, Name, spell
from bayesmix.language.formula.location import PlaceError


def groups_of(expression: Expr) -> list[tuple[str, ...]]:
    """Return the grouping factors right of a bar, the innermost first: ``a/b`` to ``b:a`` and ``a``."""
    match expression:
        case Name(name=name) if name != ".":
            return [(spell(expression),)]
        case Call(function="factor" | "as.factor" | "ordered"):
            return [(spell(expression),)]
        case Bracket(inner=inner):
            return groups_of(inner)
        case Chain(operands=operands, operators=operators) if set(operators) == {":"}:
            return [tuple(name for operand in operands for name in _crossed(operand))]
        case Chain(operands=(outermost, *inner), operators=operators) if set(operators) == {"/"}:
            return reduce(_nest, map(groups_of, inner), groups_of(outermost))
    raise _not_a_group(expression)


def whole(factors: Sequence[Expr]) -> tuple[str, ...]:
    """Factors of ``gr()`` and ``mm()``, of which none is nested; of several each is one name."""
    found = [_crossed(factor) for factor in factors]
    several = next((factor for factor, own in zip(factors, found, strict=True) if len(own) > 1), None)
    if several is not None and len(factors) > 1:
        what = f"`{spell(several)}` is no factor of `mm()`."
        raise PlaceError(what, several.position, "Make the combination a column.")
    return tuple(name for own in found for name in own)


def _nest(outer: list[tuple[str, ...]], inner: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [group + outer[0] for group in inner] + outer


def _crossed(operand: Expr) -> tuple[str, ...]:
    groups = groups_of(operand)
    if len(groups) > 1:
        raise PlaceError("`a:(b/c)` is not a grouping factor.", operand.position, "Write out the bars one by one.")
    return groups[0]


def _not_a_group(expression: Expr) -> PlaceError:
    advice = "Write `(1 | g)`, `(1 | a:b)` for combinations of levels, or `(1 | a/b)` for b within a."
    if isinstance(expression, Chain) and expression.operators[0] == "+":
        advice = "Write one bar per factor: `(1 | a) + (1 | b)`."
    if isinstance(expression, Chain) and expression.operators[0] == "*":
        advice = "Write `(1 | a) + (1 | b) + (1 | a:b)`."
    return PlaceError(f"`{spell(expression)}` is not a grouping factor.", expression.position, advice)
