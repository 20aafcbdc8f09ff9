"""Changes of a formula in R's notation of ``update.formula``: ``. ~ . + z`` to the formula that they make of another.

``.`` stands for what there is on its side. Inside an operator, ``.:z`` or ``(.)^2``, it stands for the fixed effects;
random effects, smooths and offsets stay as they are then, too.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field, replace

from bayesmix.errors import FormulaError
from bayesmix.language.formula.additions import NOTHING, divide_left
from bayesmix.language.formula.expression import (
    Argument,
    Bracket,
    Call,
    Chain,
    Expr,
    Name,
    Number,
    Sign,
    spell,
    walk,
)
from bayesmix.language.formula.formulas import bare
from bayesmix.language.formula.location import PlaceError, pointing
from bayesmix.language.formula.parse import (
    Bar,
    Formula,
    Part,
    bars_of,
    is_call,
    offset_of,
    parse,
    specific_of,
)
from bayesmix.language.formula.reader import read, read_sides
from bayesmix.language.formula.residual_terms import ResidualTerm, is_residual, read_residual
from bayesmix.language.formula.smooths import is_smooth, smooth_of
from bayesmix.language.formula.terms import Terms, expand, has_bar, is_intercept, is_specific, spell_terms, summands

DOT = Name(".")


@dataclass(slots=True)
class _Sides:
    """The right side as it is being read: signed fixed parts, and what stands apart from them, so far."""

    fixed: list[Part] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    offsets: list[str] = field(default_factory=list)
    smooths: list[str] = field(default_factory=list)
    specific: list[str] = field(default_factory=list)
    residual: ResidualTerm | None = None


def updated(old: Formula, fixed: Terms, change: str, names: Container[str] = ()) -> Formula:
    """The formula that a change in R's notation makes of another.

    Parameters
    ----------
    old
        Of a response, or of a parameter.
    fixed
        Its fixed effects, with the columns that ``.`` stands for in it.
    change
        ``"~ . + z"``, ``". ~ . - x"``, ``"log(.) ~ ."``, ``"~ . - (1 | g)"``; without a left side that of ``old``.
    names
        Left sides that stand for that of ``old``, as ``.`` does.

    Returns
    -------
    Formula
        With its fixed effects expanded, as R simplifies them.

    Raises
    ------
    FormulaError
        If the change is no formula, or removes what is not there.
    """
    left, right = read_sides(change)
    if old.monotonic:
        fixed = expand(read(" + ".join([str(int(fixed.intercept)), *fixed.labels, *map(str, old.monotonic)])))
    with pointing(change):
        response = _left(old, left, names)
        sides = _Sides()
        for part in summands(right):
            _add(sides, part, old, fixed)
        terms = _expanded(sides.fixed)
    offsets = (f"offset({text})" for text in sides.offsets)
    residual = () if sides.residual is None else (str(sides.residual),)
    texts = [spell_terms(terms), *sides.specific, *sides.smooths, *offsets, *map(str, sides.bars), *residual]
    if not response:
        return replace(parse(f"parameter ~ {' + '.join(texts)}"), response="", text="")
    return parse(f"{response} ~ {' + '.join(texts)}")


# ---- the left side ----------------------------------------------------------------------------------------------


def _left(old: Formula, left: Expr | None, names: Container[str]) -> str:
    """The response and what stands beside it."""
    if left is None or left == DOT or not old.response or bare(spell(left)) in names:
        return old.left
    response, additions = divide_left(left)
    inside = read(old.response)
    spelled = spell(_replaced(response, Bracket(inside) if isinstance(inside, Chain | Sign) else inside, "."))
    if additions == NOTHING and old.additions != NOTHING:
        what = f"What stands beside `{old.response}`, `{old.additions}`, may not be right for `{spelled}`."
        raise PlaceError(what, left.position, f"Write it: `{spelled} | {old.additions} ~ ...`.")
    return " | ".join(filter(None, (spelled, str(additions))))


# ---- the right side ---------------------------------------------------------------------------------------------


def _add(sides: _Sides, part: Part, old: Formula, fixed: Terms) -> None:
    """Take in one signed part of the right side."""
    sign, expression = part
    if has_bar(expression):
        _add_bars(sides, sign, expression)
    elif is_call(expression, "offset"):
        _add_named(sides.offsets, sign, offset_of(("+", expression)), expression)
    elif is_smooth(expression):
        _add_named(sides.smooths, sign, smooth_of(expression).text, expression)
    elif is_specific(expression):
        _add_named(sides.specific, sign, specific_of(("+", expression), old.response), expression)
    elif is_residual(expression):
        _add_residual(sides, sign, expression)
    elif expression == DOT:
        _add_everything(sides, sign, expression, old, fixed)
    else:
        if any(inside == DOT for inside in walk(expression)):
            _keep_random(sides, old)
        labels = Bracket(_sum(fixed.labels)) if fixed.labels else None
        _add_fixed(sides, sign, _replaced(expression, labels, "."))


def _add_everything(sides: _Sides, sign: str, dot: Expr, old: Formula, fixed: Terms) -> None:
    if sign == "-":
        raise PlaceError("`.` stands for all that there is, which cannot be subtracted.", dot.position)
    _keep_random(sides, old)
    sides.fixed += [("+", read(label)) for label in fixed.labels]
    if not fixed.intercept:
        sides.fixed.append(("+", Number(0.0)))


def _keep_random(sides: _Sides, old: Formula) -> None:
    """What there is beside fixed effects, once."""
    sides.smooths += [smooth.text for smooth in old.smooths if smooth.text not in sides.smooths]
    sides.specific += [text for text in old.specific if text not in sides.specific]
    sides.residual = sides.residual or old.residual
    sides.bars += [bar for bar in old.bars if bar not in sides.bars]
    rate = f"log({old.additions.rate})" if old.additions.rate else None  # an offset that `rate()` makes again
    sides.offsets += [text for text in old.offsets if text not in (*sides.offsets, rate)]


def _add_bars(sides: _Sides, sign: str, expression: Expr) -> None:
    found = list(bars_of(("+", expression)))
    if sign == "+":
        sides.bars += found
        return
    gone = {_meaning(bar) for bar in found}
    missing = gone - {_meaning(bar) for bar in sides.bars}
    if missing:
        known = ", ".join(f"`{bar}`" for bar in sides.bars) or "none"
        bar = next(bar for bar in found if _meaning(bar) in missing)
        raise PlaceError(f"There is no `{bar}` to remove.", expression.position, f"Random effects: {known}.")
    sides.bars = [bar for bar in sides.bars if _meaning(bar) not in gone]


def _meaning(bar: Bar) -> tuple[object, ...]:
    """What a bar says, however its effects are spelled."""
    terms = expand(read(bar.effects))
    return terms.intercept, _sets(terms), frozenset(bar.group), bar.structure, bar.shared, bar.grouping


def _add_named(known: list[str], sign: str, text: str, expression: Expr) -> None:
    """Add or remove an offset, a smooth or specific effects, which are one as they are written."""
    if sign == "+":
        known.append(text)
    elif text in known:
        known.remove(text)
    else:
        there = f"There are {', '.join(f'`{one}`' for one in known)}." if known else ""
        raise PlaceError(f"There is no `{spell(expression)}` to remove.", expression.position, there)


def _add_residual(sides: _Sides, sign: str, expression: Expr) -> None:
    """The structure of the residuals: in place of the one that there is, or taken away."""
    given = read_residual(expression)
    if sign == "-" and given != sides.residual:
        known = "none" if sides.residual is None else f"`{sides.residual}`"
        raise PlaceError(f"There is no `{given}` to remove.", expression.position, f"Residual structure: {known}.")
    sides.residual = given if sign == "+" else None


def _add_fixed(sides: _Sides, sign: str, expression: Expr) -> None:
    """Fixed effects; those that are removed have to be there."""
    before = sides.fixed
    sides.fixed = [*before, (sign, expression)]
    if sign == "-" and not is_intercept(expression):
        there = _expanded(before)
        if not _sets(there) & _sets(_expanded([("+", expression)])):
            known = ", ".join(f"`{label}`" for label in there.labels) or "none"
            raise PlaceError(f"There is no `{spell(expression)}` to remove.", expression.position, f"Terms: {known}.")


def _sets(terms: Terms) -> frozenset[frozenset[str]]:
    """The variables of each term."""
    return frozenset(frozenset(terms.variables[i] for i in term) for term in terms.terms)


def _expanded(parts: Sequence[Part]) -> Terms:
    operands = (Number(1.0), *(expression for _, expression in parts))
    return expand(Chain(operands, tuple(sign for sign, _ in parts)) if parts else operands[0])


def _sum(labels: Iterable[str]) -> Expr:
    operands = tuple(map(read, labels))
    return Chain(operands, ("+",) * (len(operands) - 1)) if len(operands) > 1 else operands[0]


# ---- substitution -----------------------------------------------------------------------------------------------


def _replaced(expression: Expr, new: Expr | None, what: str) -> Expr:
    """An expression with another in place of ``.``."""
    if all(inside != DOT for inside in walk(expression)):
        return expression
    if new is None:
        raise FormulaError(f"`{spell(expression)}` needs fixed effects in place of `{what}`, and there are none.")
    return _mapped(expression, lambda inside: new)


def _mapped(expression: Expr, put: Callable[[Expr], Expr]) -> Expr:
    match expression:
        case Name(name="."):
            return put(expression)
        case Bracket(inner=inner):
            return replace(expression, inner=_mapped(inner, put))
        case Sign(operand=operand):
            return replace(expression, operand=_mapped(operand, put))
        case Chain(operands=operands):
            return replace(expression, operands=tuple(_mapped(operand, put) for operand in operands))
        case Call(arguments=arguments):
            return replace(
                expression, arguments=tuple(Argument(_mapped(one.value, put), one.name) for one in arguments)
            )
        case _:
            return expression
