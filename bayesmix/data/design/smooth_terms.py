"""Smooths of a model on data: which column is the factor of ``bs = "fs"``, what to evaluate, the terms they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Factor, SmoothColumns, Variable
from bayesmix.data.design.condensed import StayingTable, learns_from_rows
from bayesmix.data.design.evaluate import Memory, evaluate
from bayesmix.data.design.layout import Part
from bayesmix.data.design.term import PenalisedBlock, TermEncoder, learn_smooth_term
from bayesmix.data.frame import Table
from bayesmix.errors import DroppedWarning, warn_user
from bayesmix.language.formula.expression import Argument, Call, Name, column_names, spell
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.smooths import Smooth, smooth_of


@dataclass(frozen=True, slots=True)
class SmoothOfPart:
    """A smooth in the formula of a predictor."""

    predictor: int
    prefix: str
    smooth: Smooth
    text: str  # what is evaluated: that of the smooth, without a factor whose levels have a curve each
    factor: str  # that factor, or empty


def smooths_of(parts: Sequence[Part], table: Table | StayingTable) -> list[SmoothOfPart]:
    """The smooths of all formulas.

    Raises
    ------
    DataError
        If the rows that they would learn from stay where they are.
    """
    if isinstance(table, StayingTable):
        for smooth in (one for part in parts for one in part.formula.smooths):
            raise learns_from_rows(smooth.text, table)
        return []
    return [
        SmoothOfPart(r, part.prefix, smooth, *_divided(smooth, table))
        for r, part in enumerate(parts)
        for smooth in part.formula.smooths
    ]


def _warn_of_nested(smooths: Sequence[SmoothOfPart]) -> None:
    """Say which smooths are part of others: mgcv's `gam.side` constrains these, and here their curves overlap."""
    for one, other in permutations(smooths, 2):
        own, whole = (set(each.smooth.variables) for each in (one, other))
        is_within = own < whole and not (one.factor or other.factor) and one.smooth.by == other.smooth.by
        if is_within and one.predictor == other.predictor:
            warn_user(
                f"`{one.smooth}` is part of `{other.smooth}`: fitted values and predictions hold, but the data do not"
                " tell the two curves apart, nor their degrees of freedom and tests. Leave one of them out.",
                DroppedWarning,
            )


def learn_smooths(smooths: Sequence[SmoothOfPart], columns: Mapping[str, Column], memory: Memory, rows: Array) -> None:
    """Learn smooths from the rows that are used, and from no others, as mgcv does."""
    _warn_of_nested(smooths)
    for text in dict.fromkeys(one.text for one in smooths):
        evaluate(text, {name: columns[name].take(rows) for name in column_names(read(text)) if name in columns}, memory)


def unpenalised(smooths: Sequence[SmoothOfPart], predictor: int, variables: Mapping[str, Variable]) -> list[str]:
    """The smooths of a predictor that have fixed effects."""
    own = dict.fromkeys(one.text for one in smooths if one.predictor == predictor)
    return [text for text in own if _columns(variables[text]).names]


def learn_smooth_terms(smooths: Sequence[SmoothOfPart], variables: Mapping[str, Variable]) -> Iterator[TermEncoder]:
    """A term for each standard deviation of each smooth."""
    for one in smooths:
        made = _columns(variables[one.text])
        for b, (columns, own) in enumerate(zip(made.penalised, made.blocks, strict=True)):
            name = one.smooth.label + own.removeprefix(smooth_of(read(one.text)).label)
            block = PenalisedBlock(one.text, b, _effects(name if one.factor else "", columns.shape[1]), made.spectrum)
            yield learn_smooth_term(name, block, (one.predictor, one.prefix), one.factor, variables)


def _columns(variable: Variable) -> SmoothColumns:
    assert isinstance(variable, SmoothColumns)
    return variable


def _effects(name: str, count: int) -> tuple[str, ...]:
    """Names of basis functions: their numbers, after the smooth's name where the factor has other effects as well."""
    if not name:
        return tuple(str(i + 1) for i in range(count))
    return tuple(f"{name}.{i + 1}" for i in range(count)) if count > 1 else (name,)


def _divided(smooth: Smooth, table: Table) -> tuple[str, str]:
    """What is evaluated of a smooth, and the factor of ``bs = "fs"``: the only one, or the second variable."""
    if smooth.bases != ("fs",):
        return smooth.text, ""
    call = read(smooth.text)
    assert isinstance(call, Call)
    factor = next((text for text in smooth.variables if _is_factor(text, table)), smooth.variables[-1])
    rest = tuple(one for one in call.arguments if one.name or spell(one.value) != factor)
    return spell(replace(call, arguments=rest)), factor


def _is_factor(text: str, table: Table) -> bool:
    match read(text):
        case Name(name=name) if name in table.names:
            return isinstance(table.read([name])[name], Factor)
        case Call(function="factor" | "as.factor" | "ordered", arguments=(Argument(), *_)):
            return True
    return False
