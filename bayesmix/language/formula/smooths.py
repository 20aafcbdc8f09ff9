"""Smooth terms of a formula: ``s(x, by = f, k = 6)``, ``t2(x, z)``, ``gp(x)``, read by mgcv's names into records.

A smooth stands for columns that only data can make: an unpenalised part among the fixed effects, and basis functions
with one standard deviation for each penalty. A Gaussian process, by brms's names, has no unpenalised part, and a length
scale beside the standard deviation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bayesmix.errors import nearest
from bayesmix.language.formula.expression import (
    Argument,
    Bracket,
    Call,
    Chain,
    Expr,
    Flag,
    Name,
    Number,
    Text,
    column_names,
    spell,
)
from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.vocabulary import SMOOTHS

BASES = {  # the first is the default
    "s": ("tp", "cr", "cc", "fs"),
    "t2": ("cr", "tp", "cc"),
    "gp": ("exp_quad", "matern32", "matern52"),
}
BASIS_WORDS = {
    "tp": "thin plate",
    "cr": "cubic regression",
    "cc": "cyclic cubic",
    "fs": "one curve a level",
    "exp_quad": "squared exponential",
    "matern32": "Matern, smoothness 3/2",
    "matern52": "Matern, smoothness 5/2",
}

_OTHER_BASES = {
    "re": "Random effects are written as bars: `(1 | g)`.",
    "sz": 'Curves of the levels of a factor are `s(x) + s(x, g, bs = "fs")`, or `s(x, by = g)`.',
}
_SPLINE = ("k", "bs", "by", "m")
_OPTIONS = {"s": _SPLINE, "t2": _SPLINE, "gp": ("k", "cov", "by", "c", "scale", "iso", "gr", "cmc")}
_BASIS = {"s": "bs", "t2": "bs", "gp": "cov"}  # the option that names the basis, or the covariance function


@dataclass(frozen=True, slots=True)
class Smooth:
    """One smooth term as written."""

    function: str  # "s", "t2", "gp"
    variables: tuple[str, ...]  # expressions that it is a function of; of `bs = "fs"` the factor among them
    by: str = ""  # expression: a factor, a curve for each of whose levels; or a number that the curve is multiplied by
    bases: tuple[str, ...] = ()  # basis of the smooth; of `t2` of each variable; of `gp` its covariance function
    k: tuple[int, ...] = ()  # dimension of each basis, empty where nothing is said
    m: int | None = None  # order of the derivative that is penalised
    c: float | None = None  # of `gp`: half the width of the box that its basis lives on, over the range of the data
    is_scaled: bool = True  # of `gp`: the length scale is counted in largest distances between the data
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
    bases = tuple(_bases(call, options.get(_BASIS[call.function]), len(variables)))
    _check_process(options, len(variables))
    return Smooth(
        call.function,
        variables,
        spell(options["by"].value) if "by" in options else "",
        bases,
        tuple(_whole(call, "k", value) for value in _several(options["k"].value)) if "k" in options else (),
        _whole(call, "m", options["m"].value) if "m" in options else None,
        _positive("c", options["c"].value) if "c" in options else None,
        _flag("scale", options["scale"].value) if "scale" in options else True,
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
        own = _OPTIONS[call.function]
        if argument.name and argument.name not in own:
            known = ", ".join(f"`{name}`" for name in own)
            advice = f"Its arguments are {known}.{nearest(argument.name, own)}"
            what = f"`{call.function}()` takes no argument `{argument.name}`."
            raise PlaceError(what, argument.value.position, advice)
        if argument.name and (call.function == "gp" or spell(argument.value) != "-1"):  # mgcv's default
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
    known, option = BASES[call.function], _BASIS[call.function]
    if given is None:
        yield from [known[0]] * count
        return
    found = _several(given.value)
    if len(found) not in (1, count):
        advice = f'Write one: `{option} = "{known[0]}"`.'
        raise PlaceError(f"`{option}` has {len(found)} bases for {count}.", given.value.position, advice)
    for one in found * (count if len(found) == 1 else 1):
        if not isinstance(one, Text) or one.value not in known:
            name = one.value if isinstance(one, Text) else spell(one)
            choices = ", ".join(f'"{basis}" ({BASIS_WORDS[basis]})' for basis in known)
            advice = _OTHER_BASES.get(str(name), f"Bases of `{call.function}()` are {choices}.")
            what = "covariance function" if call.function == "gp" else "basis"
            advice = advice.replace("Bases", "Covariance functions") if call.function == "gp" else advice
            raise PlaceError(f"There is no {what} `{name}` for `{call.function}()`.", one.position, advice)
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


def _check_process(options: Mapping[str, Argument], variables: int) -> None:
    """Refuse what brms's `gp()` can be told and ours cannot; ``gr`` changes how it is computed, not what it is."""
    for name, is_known, advice in (
        ("iso", variables == 1, "All variables have one length scale: bring them to one unit, `gp(x, z)`."),
        ("cmc", "by" not in options, "Each level of `by` has a process of its own: leave `cmc` out."),
        ("gr", True, ""),
    ):
        if name in options and not _flag(name, options[name].value) and not is_known:
            what = f"`{name} = FALSE` of `gp()` is not supported."
            raise PlaceError(what, options[name].value.position, advice)


def _flag(name: str, value: Expr) -> bool:
    """The value of an option that is true or false."""
    if isinstance(value, Flag):
        return value.value
    raise PlaceError(f"`{name}` of `gp()` is TRUE or FALSE, not `{spell(value)}`.", value.position)


def _positive(name: str, value: Expr) -> float:
    """The value of an option that is a positive number, or a ratio of two."""
    match value:
        case Number(value=number) if number > 0.0:
            return float(number)
        case Chain(operands=(Number(value=above), Number(value=below)), operators=("/",)) if above * below > 0.0:
            return float(above / below)
        case Bracket(inner=inner):
            return _positive(name, inner)
    what = f"`{name}` of `gp()` is a number above zero, not `{spell(value)}`."
    raise PlaceError(what, value.position, f"Write `gp(x, k = 20, {name} = 5/4)`, or leave it out.")
