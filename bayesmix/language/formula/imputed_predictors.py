"""Imputed predictors among the terms of a formula: ``mi(z)``, ``mi(z):x``.

In the design ``mi(z)`` is a column of ones: its coefficients are those of the slope of ``z``, a linear predictor by
itself. With a second argument the same call stands for what is known of ``z`` in each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bayesmix.language.formula.expression import Argument, Call, Expr, Name, children
from bayesmix.language.formula.location import PlaceError
from bayesmix.language.formula.terms import Terms

IMPUTED = "mi"
VALUE, MISSING = "value", "missing"  # its values, zero where there is none; one where there is none, zero elsewhere
_OPENING = f"{IMPUTED}("


def is_imputed(variable: str) -> bool:
    """Whether a variable, as it is spelled, is ``mi(z)``."""
    return variable.startswith(_OPENING)


def imputed_response(variable: str) -> str:
    """The response that ``mi(z)`` takes: ``z``."""
    return variable.removeprefix(_OPENING).removesuffix(")")


def known_text(response: str, what: str) -> str:
    """What is known of a response in each row, as an expression: `VALUE` or `MISSING`."""
    return f'{IMPUTED}({response}, "{what}")'


def check_imputed(parts: Iterable[Expr]) -> None:
    """Raise `PlaceError` where ``mi()`` does not take one expression."""
    for part in parts:
        for call in (one for one in _variables(part) if isinstance(one, Call) and one.function == IMPUTED):
            if len(call.arguments) != 1 or call.arguments[0].name:
                what = "An imputed predictor takes the response of another formula, and nothing else."
                raise PlaceError(what, call.position, "Write `mi(z)`, and beside it `z | mi() ~ ...`.")


def without_imputed(part: Expr) -> Iterator[Expr]:
    """The variables of a part of a sum; of imputed ones what they are of."""
    for one in _variables(part):
        match one:
            case Call(function="mi", arguments=(Argument(value=value),)):
                yield value
            case _:
                yield one


def _variables(expression: Expr) -> Iterator[Expr]:
    """What terms are made of: names, and calls of functions."""
    if isinstance(expression, Name | Call):
        yield expression
        return
    for child in children(expression):
        yield from _variables(child)


# ---- terms -------------------------------------------------------------------------------------------------------


def plain_terms(terms: Terms) -> Terms:
    """The terms without imputed predictors."""
    kept = [i for i, name in enumerate(terms.variables) if not is_imputed(name)]
    if len(kept) == len(terms.variables):
        return terms
    place = {i: j for j, i in enumerate(kept)}
    own = tuple(tuple(place[i] for i in term) for term in terms.terms if all(i in place for i in term))
    return Terms(tuple(terms.variables[i] for i in kept), own, terms.intercept)


def slope_terms(terms: Terms) -> Mapping[str, str]:
    """The slope of each imputed predictor as a sum of terms: of ``mi(z) + mi(z):x`` it is ``1 + x``."""
    found: dict[str, list[str]] = {}
    for term in terms.terms:
        names = [terms.variables[i] for i in term]
        own = [name for name in names if is_imputed(name)]
        if own:
            found.setdefault(own[0], []).append(":".join(name for name in names if name != own[0]))
    return {name: " + ".join(["1" if "" in own else "0", *filter(None, own)]) for name, own in found.items()}


def imputed_products(terms: Terms) -> Iterator[str]:
    """Terms that are products of several imputed predictors."""
    for term, label in zip(terms.terms, terms.labels, strict=True):
        if sum(is_imputed(terms.variables[i]) for i in term) > 1:
            yield label


def with_imputed_terms(plain: Terms, whole: Terms) -> Terms:
    """Terms with the imputed predictors of a formula, after all others."""
    names = [name for name in whole.variables if is_imputed(name)]
    variables = tuple(dict.fromkeys((*plain.variables, *whole.used)))
    if not names:
        return plain
    added = [term for term in whole.terms if any(is_imputed(whole.variables[i]) for i in term)]
    moved = (tuple(variables.index(whole.variables[i]) for i in term) for term in added)
    return Terms(variables, (*plain.terms, *moved), plain.intercept)
