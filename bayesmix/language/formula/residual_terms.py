"""Residual structures of gaussian responses, by brms's functions: ``unstr(visit, patient)``, ``ar(time, g, p = 1)``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bayesmix.language.formula.expression import (
    Argument,
    Call,
    Chain,
    Expr,
    Flag,
    Name,
    Number,
    column_names,
    spell,
)
from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.vocabulary import RESIDUALS

MAX_ORDER = 5  # of autoregression and moving average
EXAMPLES = {
    "unstr": "`unstr(visit, patient)`",
    "ar": "`ar(time, g, p = 1)`",
    "ma": "`ma(time, g, q = 1)`",
    "arma": "`arma(time, g, p = 1, q = 1)`",
    "cosy": "`cosy(gr = g)`",
}


@dataclass(frozen=True, slots=True)
class ResidualTerm:
    """The correlation of the residuals of one block of rows, ``str()`` of which parses back."""

    function: str  # a key of `RESIDUALS`
    time: str  # expression of the places in a block; "" for the order of the rows
    group: tuple[str, ...]  # crossed factors whose combinations are the blocks
    p: int = 0  # order of autoregression
    q: int = 0  # order of moving averages

    def __str__(self) -> str:
        group = ":".join(self.group)
        places = [self.time, group] if self.time else [f"gr = {group}"]
        orders = {"p": self.p, "q": self.q}
        named = [f"{name} = {orders[name]}" for name in RESIDUALS[self.function] if orders.get(name)]
        return f"{self.function}({', '.join([*places, *named])})"

    @property
    def texts(self) -> tuple[str, ...]:
        """Its expressions."""
        return (*([self.time] if self.time else []), *self.group)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that it names."""
        return tuple(dict.fromkeys(name for text in self.texts for name in column_names(read(text))))


def is_residual(expression: Expr) -> bool:
    """Whether a part of a sum is the structure of the residuals."""
    return isinstance(expression, Call) and expression.function in RESIDUALS


def residual_of(parts: Iterable[tuple[str, Expr]]) -> ResidualTerm | None:
    """The structure of the residuals among the parts of a sum, of which there may be one."""
    found = [(sign, part) for sign, part in parts if isinstance(part, Call) and part.function in RESIDUALS]
    if len(found) > 1:
        what = f"`{spell(found[0][1])}` and `{spell(found[1][1])}` are both the structure of the residuals."
        raise PlaceError(what, found[1][1].position, "Leave one of them out.")
    if found and found[0][0] == "-":
        raise PlaceError("A residual structure cannot be subtracted.", found[0][1].position)
    return read_residual(found[0][1]) if found else None


def read_residual(call: Expr) -> ResidualTerm:
    """The structure that a call says."""
    assert isinstance(call, Call)
    given = _arguments(call)
    if given.get("cov") == Flag(False):
        what = f"`{call.function}()` has the covariance of a stationary series, brms's `cov = TRUE`."
        raise PlaceError(what, call.position, "Leave `cov` out.")
    if "gr" not in given or (call.function == "unstr" and "time" not in given):
        raise _wrong(call, "does not say whose residuals are correlated")
    orders = {name: _order(call, given.get(name)) for name in ("p", "q") if name in RESIDUALS[call.function]}
    return ResidualTerm(call.function, _time(call, given.get("time")), _group(call, given["gr"]), **orders)


def _arguments(call: Call) -> dict[str, Expr]:
    names, taken = RESIDUALS[call.function], dict[str, Expr]()
    free = iter(names)
    for argument in call.arguments:
        name = argument.name or next((name for name in free if name not in taken), "")
        if name not in names or name in taken:
            raise _wrong(call, "has wrong arguments")
        taken[name] = argument.value
    return taken


def _order(call: Call, value: Expr | None) -> int:
    match value:
        case None:
            return 1
        case Number(value=number) if number.is_integer() and 1 <= number <= MAX_ORDER:
            return int(number)
    raise _wrong(call, f"has an order that is no whole number from 1 to {MAX_ORDER}")


def _time(call: Call, value: Expr | None) -> str:
    match value:
        case None:
            return ""
        case Name(name=name) if name != ".":
            return spell(value)
        case Call(function="factor" | "as.factor" | "ordered", arguments=(Argument(value=Name()),)):
            return spell(value)
    raise _wrong(call, "takes one column of times")


def _group(call: Call, value: Expr) -> tuple[str, ...]:
    match value:
        case Name(name=name) if name != ".":
            return (spell(value),)
        case Chain(operands=operands, operators=operators) if set(operators) == {":"}:
            return tuple(text for operand in operands for text in _group(call, operand))
    raise _wrong(call, "takes one grouping factor, or `a:b` for combinations of levels")


def _wrong(call: Call, why: str) -> PlaceError:
    return PlaceError(f"`{spell(call)}` {why}.", call.position, f"Write {EXAMPLES[call.function]}.")
