"""Left sides of formulas: those of responses, and those that name a parameter of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from re import sub

from bayesmix.errors import SpecError
from bayesmix.language.formula.formulas import bare
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.response_families import Families
from bayesmix.language.formula.vocabulary import PARAMETERS


@dataclass(frozen=True, slots=True)
class OfParameter:
    """A formula of a parameter, with the names on its left side."""

    formula: Formula
    parameter: str
    response: str  # "" where it does not say


def divide(formulas: Sequence[Formula], families: Families) -> tuple[list[Formula], list[OfParameter]]:
    """The formulas of responses, the first of all and those whose left sides name no parameter, and the others."""
    stated = families if isinstance(families, dict) else {"": families}
    known = {*PARAMETERS, *(parameter.name for family in stated.values() for parameter in family.parameters)}
    known |= set(formulas[0].arguments)
    names = [name_of(formula.response) for formula in formulas]
    means, others = [formulas[0]], []
    for formula in formulas[1:]:
        meant = _meant(formula.response, names, known)
        if meant is None or bare(formula.response) in stated:
            means.append(formula)
        else:
            others.append(OfParameter(formula, *meant))
    return means, others


def _meant(left: str, names: Iterable[str], known: Iterable[str]) -> tuple[str, str] | None:
    """The parameter that a left side names, and the response if it has one; None for the left side of a response."""
    if left in known:
        return left, ""
    ends = (name for name in names if left.endswith(f"_{name}") and left.removesuffix(f"_{name}") in known)
    return next(((left.removesuffix(f"_{name}"), name) for name in ends), None)


def name_of(label: str) -> str:
    """A response as part of names: ``cbind(s, f)`` as ``cbindsf``."""
    return sub(r"[^\w.]+", "", label)


def check_responses(labels: Sequence[str], names: Sequence[str]) -> None:
    """Raise `SpecError` where a response has two formulas, or one of several has nothing to call parameters by."""
    for i, label in enumerate(labels):
        if label in labels[:i]:
            raise SpecError(f"Response `{label}` has two formulas: leave one of them out.")
        if len(labels) > 1 and not names[i]:
            raise SpecError(f"Response `{label}` has no letter to call its parameters by: make a column of it.")
