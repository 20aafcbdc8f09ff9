"""Nonlinear formulas: ``y ~ a / (1 + exp(-(t - m) / s))`` beside formulas of ``a``, ``m``, ``s``; brms's ``nl = TRUE``.

The first formula is one if its right-hand side names what a later formula defines and the data have no such column. A
name that is a column is a parameter only where the formulas say so, with brms's ``nl = TRUE`` among them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from re import sub
from typing import Any

from bayesmix.errors import FormulaError, SpecError, nearest
from bayesmix.language.families.curves import Curve, with_curve
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import LINKS, Link
from bayesmix.language.families.namespaces import Namespace
from bayesmix.language.formula.additions import divide_left
from bayesmix.language.formula.curve_functions import FUNCTIONS, power
from bayesmix.language.formula.expression import (
    Bracket,
    Call,
    Chain,
    Expr,
    Name,
    Number,
    Sign,
    column_names,
    spell,
    spell_name,
    walk,
)
from bayesmix.language.formula.location import PlaceError, pointing
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.reader import read, read_sides, tokens
from bayesmix.language.formula.vocabulary import PARAMETERS
from bayesmix.language.priors.prior import Prior
from bayesmix.language.priors.prior_quantiles import median

_NAMES = ("name", "quoted")  # kinds of tokens
_MARKS = {"nl=TRUE": True, "nl=T": True, "nl=FALSE": False, "nl=F": False}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The value of an expression in a namespace: what a curve is a function of."""

    expression: Expr

    def __call__(self, xp: Namespace, values: Mapping[str, Any]) -> Any:
        """At values by name."""
        return _value(self.expression, xp, values)


def _value(expression: Expr, xp: Namespace, values: Mapping[str, Any]) -> Any:
    match expression:
        case Number(value=value):
            return value
        case Name(name=name):
            return values[name]
        case Bracket(inner=inner):
            return _value(inner, xp, values)
        case Sign(operator=sign, operand=operand):
            inside = _value(operand, xp, values)
            return -inside if sign == "-" else inside
        case Call(function=function, arguments=arguments):
            return FUNCTIONS[function].value(xp, *(_value(one.value, xp, values) for one in arguments))
        case Chain(operands=(first, *rest), operators=operators):
            total = _value(first, xp, values)
            for operator, operand in zip(operators, rest, strict=True):
                total = _joined(xp, operator, total, _value(operand, xp, values))
            return total
    raise TypeError(expression)  # `_check` has seen to it


def _joined(xp: Namespace, operator: str, left: Any, right: Any) -> Any:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case _:
            return power(xp, left, right)


def _check(expression: Expr) -> None:
    """Raise `PlaceError` where an expression has what no curve has."""
    for inside in walk(expression):
        match inside:
            case Number() | Name() | Bracket() | Sign(operator="+" | "-"):
                pass
            case Chain(operators=operators, places=places):
                wrong = [place for operator, place in zip(operators, places, strict=True) if operator not in "+-*/^"]
                if wrong:
                    what = f"`{spell(inside)}` is no arithmetic."
                    raise PlaceError(
                        what, wrong[0], "A nonlinear formula has `+ - * / ^`; bars stand in those of parameters."
                    )
            case Call():
                _check_call(inside)
            case _:
                raise PlaceError(f"`{spell(inside)}` is not a number.", inside.position)


def _check_call(call: Call) -> None:
    if call.function not in FUNCTIONS:
        what = f"There is no function `{call.function}` in nonlinear formulas.{nearest(call.function, FUNCTIONS)}"
        raise PlaceError(what, call.position, f"There are {', '.join(FUNCTIONS)}.")
    own = FUNCTIONS[call.function].arguments
    if len(call.arguments) != len(own) or any(one.name for one in call.arguments):
        usage = f"{call.function}({', '.join(own)})"
        raise PlaceError(f"`{spell(call)}` is no call of `{usage}`.", call.position, "Arguments are given by position.")


# ---- which formulas are ------------------------------------------------------------------------------------------


def without_marks(texts: Sequence[Any]) -> tuple[list[Any], bool | None]:
    """The formulas without brms's ``nl = TRUE``, and what that says: None where it is not there."""
    marks = [_MARKS.get(sub(r"\s", "", one)) if isinstance(one, str) else None for one in texts]
    said = [mark for mark in marks if mark is not None]
    return [one for one, mark in zip(texts, marks, strict=True) if mark is None], any(said) if said else None


def apart(texts: Sequence[Any], mark: bool | None, is_column: Callable[[str], bool]) -> list[Any]:
    """The formulas, with brms's ``a + b ~ 1`` of several nonlinear parameters as one of each."""
    first, *later = texts
    if mark is False or not isinstance(first, str) or "~" not in first:
        return list(texts)
    named = {name for name in _named(first) if mark or not is_column(name)}
    return [first, *(one for text in later for one in _split(text, named))]


def _split(text: Any, named: Container[str]) -> list[Any]:
    left = read_sides(text)[0] if isinstance(text, str) and "~" in text else None
    if not isinstance(left, Chain) or set(left.operators) != {"+"}:
        return [text]
    names = [one.name for one in left.operands if isinstance(one, Name) and one.name in named]
    return [f"{name} {text[text.index('~') :]}" for name in names] if len(names) == len(left.operands) else [text]


def nonlinear(texts: Sequence[Any], mark: bool | None, is_column: Callable[[str], bool]) -> Formula | None:
    """The first formula as a nonlinear one; None where it is a sum of terms.

    Parameters
    ----------
    texts : of all formulas, or records.
    mark : whether it is one, where the formulas say so.
    is_column : whether a name is a column of the data, which is no parameter unless the formulas say so.

    Raises
    ------
    FormulaError
        If it is said to be one, and names nothing that a later formula defines.
    """
    first, *later = texts
    if mark is False or not isinstance(first, str) or "~" not in first:
        return None
    named = {name for text in later for name in _defined(text)} - PARAMETERS
    used = [name for name in _named(first) if name in named and (mark or not is_column(name))]
    if mark and not used:
        raise FormulaError(
            f"`{first}` has no parameter, which nl = TRUE says: a formula of its own defines each, such as `a ~ 1`."
        )
    if not used:
        return None
    left, right = read_sides(first, lenient=True)
    if left is None:
        return None
    with pointing(first):
        _check(right)
        response, additions = divide_left(left)
    return Formula(spell(response), "0", (), additions=additions, text=first, curve=spell(right), arguments=tuple(used))


def _named(text: str) -> tuple[str, ...]:
    """The names on the right side of a formula that are of no function."""
    read = tokens(text)
    start = next(i for i, token in enumerate(read) if token.text == "~")
    pairs = zip(read[start:], read[start + 1 :], strict=False)
    found = (token.text.strip("`") for token, after in pairs if token.kind in _NAMES and after.text not in ("(", "="))
    return tuple(dict.fromkeys(found))


def _defined(text: Any) -> tuple[str, ...]:
    """The name on the left side of a later formula."""
    left = read(text.response) if isinstance(text, Formula) and text.response else None
    if isinstance(text, str) and "~" in text:
        left = read_sides(text)[0]
    return (left.name,) if isinstance(left, Name) else ()


def check_nonlinear(means: Sequence[Formula], start: Mapping[str, float] | None) -> None:
    """Raise `SpecError` where there are several responses beside a nonlinear mean, or starts without one."""
    first, *others = means
    if start and not first.curve:
        raise SpecError("start has parameters of a nonlinear mean, of which there is none: leave it out.")
    if first.curve and others:
        raise SpecError(
            f"`{others[0].response}` is no parameter of `{first.text}`, and a nonlinear formula is one of a single"
            f" response. Its parameters are {', '.join(first.arguments)}."
        )


def with_nonlinear_mean(
    family: Family, links: tuple[Link, ...], mean: Formula, start: Mapping[str, float], priors: Mapping[str, Prior]
) -> tuple[Family, tuple[Link, ...], dict[int, Formula]]:
    """A response whose mean is a curve: its family and links, and the formulas of what rows have, by position.

    Parameters
    ----------
    start : values that a search begins with, by parameter; else the medians of ``priors`` of intercepts.

    Raises
    ------
    SpecError
        If a start is of no parameter, or the family has categories.
    """
    if family.levels or family.expected is not None:
        raise SpecError(
            f"A nonlinear mean is of families whose mean is `mu`; that of `{family.name}` is a function of several"
            " parameters already."
        )
    _check_additions(mean)
    _check_start(start, mean.arguments)
    _, expression = read_sides(f"{mean.response} ~ {mean.curve}", lenient=True)
    data = tuple(name for name in column_names(expression) if name not in mean.arguments)
    medians = {
        name: median(priors[f"{name}_Intercept"])
        for name in mean.arguments
        if f"{name}_Intercept" in priors and not priors[f"{name}_Intercept"].is_flat
    }
    starts = medians | {name: float(value) for name, value in start.items()}
    curve = Curve(mean.curve, mean.arguments, data, Evaluated(expression), family, links[0], starts)
    whole = with_curve(curve)
    first = len(whole.parameters) - len(data)
    of_rows = {first + j: _of_row(spell_name(name)) for j, name in enumerate(data)}
    identity = LINKS["identity"]
    return whole, (identity, *links[1:], *(identity for _ in (*mean.arguments, *data))), of_rows


def _of_row(column: str) -> Formula:
    return Formula("", "0", (), (column,), text=f"{column} ~ 0", is_implied=True)


def _check_additions(mean: Formula) -> None:
    said = mean.additions
    if said.se and said.has_sigma:
        raise SpecError(f"`{said}`: beside a nonlinear mean errors are known, `se({said.se})`, or sigma is estimated.")
    if said.rate:
        raise SpecError(f"`{said}`: a time beside a nonlinear mean stands in it, `{mean.curve} + log({said.rate})`.")


def _check_start(start: Mapping[str, float], parameters: Sequence[str]) -> None:
    for name, value in start.items():
        if name not in parameters:
            known = ", ".join(parameters)
            raise SpecError(f"start has `{name}`.{nearest(name, parameters)} Nonlinear parameters: {known}.")
        if not isinstance(value, Real) or not isfinite(value):
            raise SpecError(f"start of `{name}` is a number, not {value!r}.")


def check_linear(formula: Formula, change: str) -> None:
    """Raise `FormulaError` where a change of a nonlinear formula is one of a sum of terms."""
    if formula.curve:
        raise FormulaError(
            f"`{formula.text}` is no sum of terms that `{change}` could change: write the whole model again, or change"
            f" a parameter, such as `{formula.arguments[0]} ~ . + z`."
        )
