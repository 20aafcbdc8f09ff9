"""Smooth terms of a formula: ``s(x, by = f, k = 6)``, ``t2(x, z)``, read by mgcv's names into records.

A smooth stands for columns that only data can make: an unpenalised part among the fixed effects, and basis functions
with one standard deviation for each penalty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bayesmix.errors import nearest
from bayesmix.language.formula.expression import Argument, Call, Expr, Name, Number, Text, column_names, spell
from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.vocabulary import SMOOTHS

BASES = {"s": ("tp", "cr", "cc", "fs"), "t2": ("cr", "tp", "cc")}  # the first is the default
BASIS_WORDS = {"tp": "thin plate", "cr": "cubic regression", "cc": "cyclic cubic", "fs": "one curve a level"}

_OTHER_BASES = {
    "re": "Random effects are written as bars: `(1 | g)`.",
    "sz": 'Curves of the levels of a factor are `s(x) + s(x, g, bs = "fs")`, or `s(x, by = g)`.',
}
_OPTIONS = ("k", "bs", "by", "m")


@dataclass(frozen=True, slots=True)
class Smooth:
    """One smooth term as written."""

    function: str  # "s", "t2"
    variables: tuple[str, ...]  # expressions that it is a function of; of `bs = "fs"` the factor among them
    by: str = ""  # expression: a factor, a curve for each of whose levels; or a number that the curve is multiplied by
    bases: tuple[str, ...] = ()  # basis of the smooth; of `t2` of each variable
    k: tuple[int, ...] = ()  # dimension of each basis, empty where nothing is said
    m: int | None = None  # order of the derivative that is penalised
    text: str = ""  # in R's spelling
    place: int = field(default=0, compare=False, repr=False)  # in the formula's text

    def __str__(self) -> str:
        return self.text

    @property
    def label(self) -> str:
        """What its coefficients are called by, as brms does: ``sx``, ``t2xz``."""
        return named(self.function + "".join(self.variables))


def is_smooth(part: Expr) -> bool:
    """Whether a part of a sum is a smooth term."""
    return isinstance(part, Call) and part.function in SMOOTHS


def smooth_term(sign: str, call: Expr) -> Smooth:
    """Read one signed term of a formula."""
    if sign == "-":
        raise PlaceError("A smooth term cannot be subtracted.", call.position)
    smooth = smooth_of(call)
    if smooth.bases == ("fs",) and (len(smooth.variables) != 2 or smooth.by):
        advice = 'Write `s(x, g, bs = "fs")`: a curve for each level of g.'
        raise PlaceError('`bs = "fs"` takes a variable and a factor, and no `by`.', call.position, advice)
    return smooth


def smooth_of(call: Expr) -> Smooth:
    """Read the call of a smooth."""
    assert isinstance(call, Call)
    variables = tuple(spell(argument.value) for argument in call.arguments if not argument.name)
    _check_variables(call, variables)
    options = dict(_options(call))
    bases = tuple(_bases(call, options.get("bs"), len(variables)))
    return Smooth(
        call.function,
        variables,
        spell(options["by"].value) if "by" in options else "",
        bases,
        tuple(_whole(call, "k", value) for value in _several(options["k"].value)) if "k" in options else (),
        _whole(call, "m", options["m"].value) if "m" in options else None,
        spell(call),
        call.position,
    )


def named(text: str) -> str:
    """A text as part of a parameter's name, as brms's ``rename``: operators become letters, brackets are left out."""
    for sign, letters in (("+", "P"), ("-", "M"), ("*", "MU"), ("/", "D"), ("^", "E"), ("==", "EQ")):
        text = text.replace(sign, letters)
    return re.sub(r"[^\w.:]", "", text)


def _options(call: Call) -> Iterator[tuple[str, Argument]]:
    for argument in call.arguments:
        if argument.name and argument.name not in _OPTIONS:
            known = ", ".join(f"`{name}`" for name in _OPTIONS)
            advice = f"Its arguments are {known}.{nearest(argument.name, _OPTIONS)}"
            what = f"`{call.function}()` takes no argument `{argument.name}`."
            raise PlaceError(what, argument.value.position, advice)
        if argument.name and spell(argument.value) != "-1":  # mgcv's default, which says nothing
            yield argument.name, argument


def _check_variables(call: Call, variables: tuple[str, ...]) -> None:
    least = 2 if call.function == "t2" else 1
    example = "t2(x, z)" if call.function == "t2" else "s(x)"
    if len(variables) < least:
        what = f"`{spell(call)}` has {len(variables)} variable(s), and needs {least}."
        raise PlaceError(what, call.position, f"Write `{example}`.")
    for argument in call.arguments:
        if not argument.name and not column_names(argument.value):
            what = f"`{spell(argument.value)}` is no variable that a smooth is a function of."
            raise PlaceError(what, argument.value.position, "Options are named: `s(x, k = 6)`.")
        if argument.value == Name("."):
            raise PlaceError("`.` stands for terms, not inside a smooth.", argument.value.position)


def _bases(call: Call, given: Argument | None, variables: int) -> Iterator[str]:
    """The basis of a smooth, or of each variable of a tensor product."""
    count = variables if call.function == "t2" else 1
    known = BASES[call.function]
    if given is None:
        yield from [known[0]] * count
        return
    found = _several(given.value)
    if len(found) not in (1, count):
        raise PlaceError(f"`bs` has {len(found)} bases for {count}.", given.value.position, 'Write one: `bs = "cr"`.')
    for one in found * (count if len(found) == 1 else 1):
        if not isinstance(one, Text) or one.value not in known:
            name = one.value if isinstance(one, Text) else spell(one)
            choices = ", ".join(f'"{basis}" ({BASIS_WORDS[basis]})' for basis in known)
            advice = _OTHER_BASES.get(str(name), f"Bases of `{call.function}()` are {choices}.")
            raise PlaceError(f"There is no basis `{name}` for `{call.function}()`.", one.position, advice)
        if one.value in ("cr", "cc") and call.function == "s" and variables > 1:
            what = f'`bs = "{one.value}"` is a basis of one variable, and `{spell(call)}` has {variables}.'
            raise PlaceError(what, one.position, "Write `t2(x, z)`, or leave `bs` out.")
        yield one.value


def _several(value: Expr) -> tuple[Expr, ...]:
    """The values of ``c(5, 4)``, or the only one."""
    if isinstance(value, Call) and value.function == "c":
        return tuple(argument.value for argument in value.arguments)
    return (value,)


def _whole(call: Call, name: str, value: Expr) -> int:
    """The value of an option that is a whole number."""
    match value:
        case Number(value=number) if number.is_integer() and number > 0:
            return int(number)
    what = f"`{name}` of `{call.function}()` is a whole number above zero, not `{spell(value)}`."
    raise PlaceError(what, value.position, f"Write `{call.function}(x, {name} = 6)`, or leave it out.")
