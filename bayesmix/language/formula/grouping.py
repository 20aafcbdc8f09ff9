"""What stands right of a bar beside factors, by brms's functions: ``gr(g, cov = A, by = h)``, ``mm(g1, g2)``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bayesmix.language.formula.expression import Argument, Call, Expr, Flag, Name, Text, column_names, spell
from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.vocabulary import GROUPINGS

DISTRIBUTIONS = ("gaussian", "student")


@dataclass(frozen=True, slots=True)
class Grouping:
    """What is said of the levels of a grouping factor."""

    function: str = ""  # "gr", "mm"; "" where a factor stands alone
    cov: str = ""  # name of the matrix, among `data2`, by which levels are related
    by: str = ""  # factor between levels, each level of which has a covariance of its own
    dist: str = DISTRIBUTIONS[0]  # distribution of the effects of a level
    weights: tuple[str, ...] = ()  # expressions of the weights of memberships, one a factor; empty where all are alike
    scale: bool = True  # whether weights of memberships are scaled to the sum of one

    def spelled(self, factors: Sequence[str]) -> str:
        """The right side of a bar."""
        if not self.function:
            return ":".join(factors)
        listed = ", ".join(factors) if self.function == "mm" else ":".join(factors)
        return f"{self.function}({', '.join([listed, *self._options()])})"

    def name(self, factors: Sequence[str]) -> str:
        """What the grouping factor is called: memberships as brms calls them, ``mmab`` of ``mm(a, b)``."""
        bare = [text.strip("`") for text in factors]
        return "mm" + "".join(bare) if self.function == "mm" else ":".join(bare)

    @property
    def is_normal(self) -> bool:
        """Whether the effects of a level are normal, and not of a multivariate t distribution."""
        return self.dist == DISTRIBUTIONS[0]

    @property
    def texts(self) -> tuple[str, ...]:
        """Expressions beside the factors."""
        return (*([self.by] if self.by else []), *self.weights)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the data that these name."""
        return tuple(name for text in self.texts for name in column_names(read(text)))

    def _options(self) -> Iterator[str]:
        if self.weights:
            yield f"weights = cbind({', '.join(self.weights)})"
        if not self.scale:
            yield "scale = FALSE"
        if self.by:
            yield f"by = {self.by}"
        if self.cov:
            yield f"cov = {self.cov}"
        if not self.is_normal:
            yield f'dist = "{self.dist}"'


ALONE = Grouping()


def divide_grouping(right: Expr) -> tuple[list[Expr], Grouping]:
    """The factors right of a bar, several for memberships, and what is said of their levels."""
    if not (isinstance(right, Call) and right.function in GROUPINGS):
        return [right], ALONE
    factors = [argument.value for argument in right.arguments if not argument.name]
    named = _named(right)
    if right.function == "gr":
        if len(factors) != 1:
            raise PlaceError("`gr()` takes one grouping factor.", right.position, "Write `gr(g, cov = A)`.")
        own = Grouping("gr", **{name: _OPTIONS[name](value) for name, value in named.items()})
        if own.cov and not isinstance(factors[0], Name):
            what = f"`{spell(factors[0])}` has no levels that a matrix names."
            raise PlaceError(what, _at(factors[0]), "Make the combination a column: `gr(g, cov = A)`.")
        return factors, own if own != Grouping("gr") else ALONE
    if len(factors) < 2:
        what = "`mm()` takes two grouping factors or more: one for each membership of a row."
        raise PlaceError(what, right.position, "Write `mm(g1, g2)`, or `(1 | g)` for a single one.")
    own = Grouping("mm", **{name: _OPTIONS[name](value) for name, value in named.items()})
    if own.weights and len(own.weights) != len(factors):
        what = f"`mm()` has {len(own.weights)} weights for {len(factors)} factors."
        raise PlaceError(what, right.position, "Write `mm(g1, g2, weights = cbind(w1, w2))`.")
    return factors, own


def _named(call: Call) -> dict[str, Expr]:
    """Named arguments, each of those that the function takes once."""
    known, found = GROUPINGS[call.function], dict[str, Expr]()
    for argument in (one for one in call.arguments if one.name):
        if argument.name not in known or argument.name in found:
            what = f"`{call.function}()` does not take `{argument.name} =` here."
            raise PlaceError(what, call.position, f"It takes {', '.join(f'`{name} =`' for name in known)}.")
        found[argument.name] = argument.value
    return found


def _matrix_name(value: Expr) -> str:
    if not isinstance(value, Name) or value.name == ".":
        raise PlaceError(f"`cov = {spell(value)}` is no name.", _at(value), 'Write `cov = A`, and `data2={"A": A}`.')
    return value.name


def _factor(value: Expr) -> str:
    if not isinstance(value, Name) or value.name == ".":
        raise PlaceError(f"`by = {spell(value)}` is no factor.", _at(value), "Make it a column: `by = h`.")
    return spell(value)


def _distribution(value: Expr) -> str:
    name = value.value if isinstance(value, Text) else ""
    if name not in DISTRIBUTIONS:
        raise PlaceError(f"`dist = {spell(value)}` is not known.", _at(value), 'It is "gaussian" or "student".')
    return name


def _weights(value: Expr) -> tuple[str, ...]:
    match value:
        case Call(function="cbind", arguments=arguments) if all(not argument.name for argument in arguments):
            return tuple(spell(argument.value) for argument in arguments)
    advice = "Write `weights = cbind(w1, w2)`, one for each factor."
    raise PlaceError(f"`weights = {spell(value)}` are not one for each factor.", _at(value), advice)


def _flag(value: Expr) -> bool:
    if not isinstance(value, Flag):
        raise PlaceError(f"`scale = {spell(value)}` is neither TRUE nor FALSE.", _at(value))
    return value.value


def _at(value: Expr | Argument) -> int:
    return int(getattr(value, "position", 0))


_OPTIONS: dict[str, Any] = {
    "cov": _matrix_name,
    "by": _factor,
    "dist": _distribution,
    "weights": _weights,
    "scale": _flag,
}
