"""Changes of the formulas of a model: which of them each change is of, and what it makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayesmix.errors import FormulaError
from bayesmix.language.formula.expression import spell, walk
from bayesmix.language.formula.formula_update import DOT, updated
from bayesmix.language.formula.formulas import MEAN, bare, texts_of
from bayesmix.language.formula.left_sides import name_of
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor
from bayesmix.language.formula.nonlinear import check_linear
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.reader import read_sides
from bayesmix.language.formula.terms import Terms
from bayesmix.language.formula.vocabulary import PARAMETERS

NUMBER, CONSTANT = Formula("", "1", ()), Terms((), (), intercept=True)  # of a parameter without a formula
Change = tuple[str, str]  # what it is of, by its left side or a dictionary's key, and its text


@dataclass(frozen=True, slots=True)
class _Own:
    """A formula of the model as it is, or a parameter without one."""

    formula: Formula
    fixed: Terms  # its fixed effects, with the columns that `.` stands for
    names: frozenset[str]  # what a left side may call it
    left: str  # of its text, where that is the name of a parameter
    response: int  # position


def updated_formulas(spec: ModelSpec, fixed: Sequence[Terms], changes: Any) -> tuple[list[str], list[str]]:
    """The formulas that changes make of those of a model, as text, and the labels of its responses.

    Parameters
    ----------
    fixed
        Fixed effects of each of ``spec.parameters``, with the columns that ``.`` stands for.
    changes
        ``"~ . + z"``, of the first formula; a list, whose left sides say of which parameter or response each later one
        is; or a dictionary by parameter or response. Formulas without a change stay.

    Raises
    ------
    FormulaError
        If it is not clear which formula a change is of, or a change is no formula.
    """
    owns = list(_owns(spec, fixed))
    texts = {own.names: own.formula.text or str(own.formula) for own in owns if own.formula is not NUMBER}
    labels = [response.label for response in spec.responses]
    for place, (key, change) in enumerate(_separate(changes)):
        is_mean = not place and not isinstance(changes, Mapping)
        own = _whose(key, change, owns, is_mean=is_mean and (not key or _may_rename(key, spec)))
        if own is None:
            texts[frozenset({key})] = change
            continue
        check_linear(own.formula, change)
        found = updated(own.formula, own.fixed, change, own.names)
        texts[own.names] = f"{own.left} {found}".lstrip()
        if found.response:
            labels[own.response] = found.response
    return list(texts.values()), labels


def _owns(spec: ModelSpec, fixed: Sequence[Terms]) -> Iterator[_Own]:
    """The formulas, once each: one may be of several predictors. Then parameters beside the only predictor."""
    known = set[str]()
    for one, terms in zip(spec.parameters, fixed, strict=False):
        match one:
            case Predictor(formula=formula, prefix=prefix):
                text = formula.text or str(formula)
                if text not in known and not formula.is_implied:
                    yield _own(spec, one, formula, terms, prefix.removesuffix("_"))
                known.add(text)
            case Auxiliary(name=name):
                yield _own(spec, one, NUMBER, CONSTANT, name)
    if spec.is_simple:
        yield from (_own(spec, one, NUMBER, CONSTANT, one.name) for one in spec.auxiliaries)


def _own(spec: ModelSpec, one: Predictor | Auxiliary, formula: Formula, terms: Terms, name: str) -> _Own:
    if not formula.response:
        return _Own(formula, terms, frozenset({name}), name, one.response)
    label = spec.responses[one.response].label
    names = {bare(label), name_of(label), *([] if one.response else [MEAN])}
    return _Own(formula, terms, frozenset(names), "", one.response)


def _may_rename(left: str, spec: ModelSpec) -> bool:
    """Whether a left side that nothing is called by is another response in place of the only one."""
    return len(spec.responses) == 1 and left not in PARAMETERS


def _whose(key: str, change: str, owns: Sequence[_Own], *, is_mean: bool) -> _Own | None:
    """The formula that a change is of; None where it is a new one."""
    found = next((own for own in owns if key in own.names), None)
    if found is not None or is_mean:
        return found or owns[0]
    if not key:
        raise FormulaError(f"`{change}` does not say of which parameter it is: write `sigma ~ ...`.")
    if any(inside == DOT for inside in walk(read_sides(change)[1])):
        known = ", ".join(f"`{min(own.names)}`" for own in owns)
        raise FormulaError(f"`{change}`: there is nothing of `{key}` that `.` could stand for. There are {known}.")
    return None


def _separate(changes: Any) -> Iterator[Change]:
    match changes:
        case str():
            yield from map(_by_left_side, texts_of(changes))
        case Mapping():
            yield from (_by_key(str(key), _text(text)) for key, text in changes.items())
        case list() | tuple():
            yield from (_by_left_side(text) for one in changes for text in texts_of(_text(one)))
        case _:
            _text(changes)


def _by_left_side(change: str) -> Change:
    left = read_sides(change)[0]
    return ("" if left is None or left == DOT else bare(spell(left))), change


def _by_key(key: str, change: str) -> Change:
    is_bare = not _by_left_side(change)[0]
    return bare(key), f"{key} {change[change.index('~') :]}" if is_bare else change


def _text(change: Any) -> str:
    if not isinstance(change, str):
        raise FormulaError(f'A change of a formula is text such as "~ . + z", not {type(change).__name__}.')
    return change
