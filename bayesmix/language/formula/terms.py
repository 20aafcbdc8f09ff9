"""R's algebra of formulas: ``x * f - x`` to the terms ``f`` and ``x:f``.

A term is a set of variables, kept as the bits of an integer while terms are combined. The order of variables and terms
is R's (``terms.formula``): variables as they first appear in the text, terms by increasing number of variables.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TypeGuard

from bayesmix.language.formula.expression import (
    Bracket,
    Call,
    Chain,
    Expr,
    Name,
    Number,
    Sign,
    children,
    spell,
    spell_name,
    unbracket,
)
from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.vocabulary import FUNCTIONS, SPECIFIC, STRUCTURES

MAX_TERMS = 1_000  # after expansion
MAX_PAIRS = 20_000  # combinations of terms that one operator may form

Masks = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """The expanded right-hand side of a formula."""

    variables: tuple[str, ...]  # in R's spelling, in order of appearance; those of removed terms included
    terms: tuple[tuple[int, ...], ...]  # the variables of each term, by position
    intercept: bool

    @property
    def used(self) -> tuple[str, ...]:
        """The variables that occur in a term."""
        return tuple(dict.fromkeys(self.variables[i] for term in self.terms for i in term))

    @property
    def labels(self) -> tuple[str, ...]:
        """The terms as R prints them, without the intercept."""
        return tuple(":".join(self.variables[i] for i in term) for term in self.terms)

    def with_variables(self, texts: Sequence[str]) -> Terms:
        """With variables that are terms of their own, after all others."""
        first = len(self.variables)
        return Terms(
            (*self.variables, *texts),
            (*self.terms, *((first + i,) for i in range(len(texts)))),
            self.intercept,
        )

    def without_variables(self, texts: Container[str]) -> Terms:
        """Without the terms that some variables occur in."""
        kept = tuple(term for term in self.terms if not any(self.variables[i] in texts for i in term))
        return Terms(self.variables, kept, self.intercept)


def expand(side: Expr, dot: Sequence[str] = ()) -> Terms:
    """Expand the right-hand side of a formula, or the effects of a bar, into terms.

    Parameters
    ----------
    side
        Without bars and offsets.
    dot
        Columns that ``.`` stands for; where none are given, ``.`` counts as one variable.

    Raises
    ------
    PlaceError
        If the expression is not made of terms, or of too many.
    """
    everything = tuple(map(spell_name, dot)) or (".",)
    variables = tuple(dict.fromkeys(_variables(side, everything)))
    masks: dict[str, Masks] = {name: (1 << i,) for i, name in enumerate(variables)}
    masks["."] = tuple(masks[name][0] for name in everything if name in masks)
    terms, intercept = _sum(summands(side), masks)
    ordered = sorted(terms, key=int.bit_count)
    return Terms(variables, tuple(map(_members, ordered)), intercept)


def spell_terms(terms: Terms) -> str:
    """A sum with those terms, in R's spelling."""
    if not terms.labels:
        return "1" if terms.intercept else "0"
    return " + ".join([*([] if terms.intercept else ["0"]), *terms.labels])


def summands(side: Expr) -> list[tuple[str, Expr]]:
    """Return the signed terms of a sum; brackets around a part are opened where that changes nothing."""
    match side:
        case Bracket(inner=inner) if not is_bar(inner):
            inside = summands(inner)
            opens = all(sign == "+" or is_intercept(term) for sign, term in inside)
            return inside if opens else [("+", side)]
        case Sign(operator="+", operand=operand):
            return summands(operand)
        case Sign(operator="-", operand=operand):
            return [("-", operand)]
        case Chain(operators=operators, operands=operands) if operators[0] in ("+", "-"):
            later = (_signed(*pair) for pair in zip(operators, operands[1:], strict=True))
            return [*summands(operands[0]), *(term for part in later for term in part)]
        case _:
            return [("+", side)]


def is_intercept(term: Expr) -> bool:
    """Return whether a term of a sum is the ``1`` or ``0`` that speaks of the intercept."""
    return isinstance(term, Number) and term.value in (0.0, 1.0)


def adds_intercept(sign: str, mark: Expr) -> bool:
    """Return whether ``+ 1``, ``- 1``, ``+ 0`` or ``- 0`` asks for an intercept."""
    return isinstance(mark, Number) and (sign == "+") == (mark.value == 1.0)


def is_bar(expression: Expr) -> TypeGuard[Chain]:
    """Return whether an expression is ``effects | group`` or ``effects || group``."""
    return isinstance(expression, Chain) and expression.operators[0] in ("|", "||")


def has_bar(part: Expr) -> bool:
    """Whether a part of a sum is a random-effects term, in brackets or in a covariance structure."""
    if not (isinstance(part, Call) and part.function in STRUCTURES):
        return is_bar(unbracket(part))
    return part.function not in FUNCTIONS or any(is_bar(unbracket(inside)) for inside in children(part))  # exp(x)


def is_specific(part: Expr) -> bool:
    """Whether a part of a sum is category-specific effects, ``cs(x)``: ``cs(x | g)`` is a covariance structure."""
    return isinstance(part, Call) and part.function == SPECIFIC and not has_bar(part)


def _signed(operator: str, operand: Expr) -> list[tuple[str, Expr]]:
    if operator == "-":
        return [("-", operand)]
    if isinstance(operand, Sign) and not is_intercept(operand.operand):
        return [("+", operand)]  # refused as arithmetic: R gives `a + -b` a meaning that no one expects
    return summands(operand)


def _variables(expression: Expr, everything: Iterable[str]) -> Iterator[str]:
    match expression:
        case Name(name="."):
            yield from everything
        case Name() | Call():
            yield spell(expression)
        case _:
            for child in children(expression):
                yield from _variables(child, everything)


def _sum(parts: Iterable[tuple[str, Expr]], known: Mapping[str, Masks]) -> tuple[Masks, bool]:
    """Add and remove terms from left to right; the last word on the intercept holds."""
    found: dict[int, None] = {}
    intercept = True
    for sign, part in parts:
        if is_intercept(part):
            intercept = adds_intercept(sign, part)
        elif sign == "+":
            found |= dict.fromkeys(_masks(part, known))
        else:
            removed = frozenset(_masks(part, known))
            found = {mask: None for mask in found if mask not in removed}
    return _limited(found, 0), intercept


def _masks(term: Expr, known: Mapping[str, Masks]) -> Masks:
    match term:
        case Name(name="."):
            return known["."]
        case Name() | Call():
            return known[spell(term)]
        case Bracket(inner=inner):
            return _bracket(inner, known)
        case Chain(operators=("^",)):
            return _power(term, known)
        case Chain(operators=operators, operands=operands, places=places) if set(operators) <= set(_OPERATORS):
            result = _masks(operands[0], known)
            for operator, operand, place in zip(operators, operands[1:], places, strict=True):
                result = _limited(_OPERATORS[operator](result, _masks(operand, known), place), place)
            return result
    raise _not_a_term(term)


def _bracket(inner: Expr, known: Mapping[str, Masks]) -> Masks:
    parts = summands(inner)
    for _, part in parts:
        if is_intercept(part):
            what = "`1` and `0` speak of the intercept and stand on their own, not inside another term."
            raise PlaceError(what, part.position)
    return _sum(parts, known)[0]


def _power(term: Chain, known: Mapping[str, Masks]) -> Masks:
    """``(a + b + c)^2``: everything up to interactions of two."""
    base, exponent = term.operands
    if not isinstance(exponent, Number) or exponent.value < 1 or not exponent.value.is_integer():
        advice = f"For the power of a column write `I({spell(term)})`."
        raise PlaceError("The power of a term is a whole number from 1.", term.places[0], advice)
    if isinstance(base, Name) and base.name != ".":
        what = f"As a term `{spell(term)}` is just `{spell(base)}`."
        raise PlaceError(what, term.places[0], f"For the power of a column write `I({spell(term)})`.")
    first = result = _masks(base, known)
    for _ in range(1, min(int(exponent.value), len(known))):
        result = _limited(_interact(result, first, term.places[0]), term.places[0])
    return result


def _interact(left: Masks, right: Masks, place: int) -> Masks:
    if len(left) * len(right) > MAX_PAIRS:
        raise _too_many(place)
    return tuple(dict.fromkeys(a | b for a in left for b in right))


def _cross(left: Masks, right: Masks, place: int) -> Masks:
    return left + right + _interact(left, right, place)


def _nest(left: Masks, right: Masks, place: int) -> Masks:
    return left + _interact((reduce(or_, left, 0),), right, place)


def _within(left: Masks, right: Masks, place: int) -> Masks:
    return _interact(left, (reduce(or_, right, 0),), place)


_OPERATORS = {":": _interact, "*": _cross, "/": _nest, "%in%": _within}


def _limited(masks: Iterable[int], place: int) -> Masks:
    distinct = tuple(dict.fromkeys(masks))
    if len(distinct) > MAX_TERMS:
        raise _too_many(place)
    return distinct


def _members(mask: int) -> tuple[int, ...]:
    return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


def _too_many(place: int) -> PlaceError:
    return PlaceError(f"The formula expands to more than {MAX_TERMS} terms.", place)


def _not_a_term(term: Expr) -> PlaceError:
    if isinstance(term, Number):
        what = "A number is not a term; only `1` and `0` stand for the intercept, on their own."
        return PlaceError(what, term.position)
    if is_bar(term):
        return PlaceError("A bar stands on its own, joined to the rest by `+`.", term.position)
    if isinstance(term, Sign) and is_bar(unbracket(term.operand)):
        return PlaceError("A bar is added once, without a further sign.", term.position, "Write `... + (1 | g)`.")
    return PlaceError("This is arithmetic, not a term.", term.position, f"Protect it: `I({spell(term)})`.")
