"""Monotonic effects of a formula: ``mo(x)``, and in interactions ``mo(x):z``, of ordered categories (brms's function).

The steps between categories have one sign: ``b D (s_1 + ... + s_x)`` at category ``x`` of ``0 ... D``, where the shares
``s`` add up to one. How many categories there are the data say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bayesmix.language.formula.expression import Argument, Call, Expr, Name, children, column_names, spell
from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.smooths import named
from bayesmix.language.formula.terms import Terms

FUNCTION = "mo"


@dataclass(frozen=True, slots=True)
class MonotonicTerm:
    """One term with a monotonic variable."""

    variable: str  # what `mo()` is of, in R's spelling
    others: tuple[str, ...] = ()  # variables that it interacts with

    def __str__(self) -> str:
        return ":".join((self.call, *self.others))

    @property
    def call(self) -> str:
        """The variable as the formula has it: ``mo(x)``."""
        return f"{FUNCTION}({self.variable})"

    @property
    def label(self) -> str:
        """What its coefficient is called without what it interacts with, as brms does: ``mox``."""
        return named(FUNCTION + self.variable)


def is_monotonic(expression: Expr) -> bool:
    """Whether an expression is the call of ``mo()``."""
    return isinstance(expression, Call) and expression.function == FUNCTION


def outside(expression: Expr) -> Iterator[Expr]:
    """The variables of a sum of terms; of a monotonic one what it is of."""
    if is_monotonic(expression) or not isinstance(expression, Name | Call):
        for inside in children(expression):
            yield from outside(inside)
    else:
        yield expression


def divide_terms(terms: Terms) -> tuple[Terms, tuple[MonotonicTerm, ...]]:
    """The terms without a monotonic variable, and the others.

    Raises
    ------
    PlaceError
        If ``mo()`` is not called with one variable, or two of them interact.
    """
    calls = {text: _variable(read(text)) for text in terms.used if is_monotonic(read(text))}
    if not calls:
        return terms, ()
    found = [[terms.variables[i] for i in term] for term in terms.terms]
    return terms.without_variables(calls), tuple(_term(own, calls) for own in found if calls.keys() & set(own))


def _term(own: Sequence[str], calls: dict[str, str]) -> MonotonicTerm:
    monotonic = [text for text in own if text in calls]
    if len(monotonic) > 1:
        what = f"`{':'.join(own)}` is an interaction of two monotonic effects, which is not supported."
        raise PlaceError(what, 0, f"Write `{' + '.join(monotonic)}`, or one of them as a factor.")
    return MonotonicTerm(calls[monotonic[0]], tuple(text for text in own if text not in calls))


def _variable(call: Expr) -> str:
    match call:
        case Call(arguments=(Argument(value=value, name=""),)) if column_names(value):
            return spell(value)
        case Call(arguments=(_, Argument(name="id"), *_)):
            what = "`id` of `mo()`, one simplex of several effects, is not supported."
            raise PlaceError(what, call.position, "Leave it out: each effect has its own.")
    raise PlaceError(f"`{spell(call)}`: `mo()` takes one variable.", call.position, "Write `mo(x)`.")
