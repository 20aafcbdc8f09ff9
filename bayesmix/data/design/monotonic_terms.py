"""Monotonic terms on data: their categories, and the columns that they interact with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from bayesmix.data.columns import Column, Factor, Numeric
from bayesmix.data.design.condensed import StayingTable
from bayesmix.data.design.evaluate import Memory, evaluate
from bayesmix.data.frame import Table, open_table
from bayesmix.errors import DataError, FormulaError
from bayesmix.language.families.steps import MonotonicEffect
from bayesmix.language.formula.expression import Text, column_names, spell
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.language.formula.monotonic import MonotonicTerm
from bayesmix.language.formula.monotonic_effects import with_effects
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import expand


def with_monotonic_effects(spec: ModelSpec, data: Any) -> ModelSpec:
    """The model with the categories that the data have of its monotonic terms: itself where it has none.

    Raises
    ------
    DataError, FormulaError
        If a variable has no ordered categories, or its effects cannot be told from other terms.
    """
    means = {one.response: one.formula for one in spec.predictors if one.parameter == 0 and one.formula.monotonic}
    if not means or any(one.family.steps is not None for one in spec.responses):
        return spec
    if isinstance(data, StayingTable):
        raise DataError("Monotonic effects need the rows of the data: leave `where` out.")
    table = open_table(data)
    return with_effects(spec, [_effects(means[i], table) if i in means else () for i in range(len(spec.responses))])


def _effects(formula: Formula, table: Table) -> tuple[MonotonicEffect, ...]:
    texts = [text for term in formula.monotonic for text in (term.call, *term.others)]
    names = dict.fromkeys(name for text in texts for name in column_names(read(text)))
    columns, memory = table.read(names), dict[str, Any]()
    _check_apart(formula, table)
    return tuple(effect for term in formula.monotonic for effect in _of_term(term, formula, columns, memory))


def _check_apart(formula: Formula, table: Table) -> None:
    """Raise `FormulaError` where a variable is a predictor beside its monotonic effect."""
    plain = expand(read(formula.fixed), table.names)
    for term in formula.monotonic:
        if term.variable in plain.labels:
            raise FormulaError(
                f"`{term.variable}` is a predictor beside `{term.call}`: the data do not tell the two apart. Leave one"
                " of them out."
            )


def _of_term(
    term: MonotonicTerm, formula: Formula, columns: Mapping[str, Column], memory: Memory
) -> Iterator[MonotonicEffect]:
    """The effects of a term: one, or one for each level of a factor that it interacts with."""
    evaluate(term.call, columns, memory)
    categories = memory[term.call]
    assert isinstance(categories, tuple)
    is_whole = not any(one.variable == term.variable and not one.others for one in formula.monotonic)
    each = [list(_multipliers(text, columns, memory, is_whole=is_whole)) for text in term.others]
    _check_margins(term, formula, columns, memory)
    for combination in product(*each):
        suffixes, texts, sizes = zip(*combination, strict=True) if combination else ((), (), ())
        name = ":".join((term.label, *suffixes))
        yield MonotonicEffect(name, categories, term.call, " * ".join(texts), float(np.prod(sizes)))


def _multipliers(
    text: str, columns: Mapping[str, Column], memory: Memory, *, is_whole: bool
) -> Iterator[tuple[str, str, float]]:
    """Ending of the name, expression and size of each column of a variable that a monotonic effect is multiplied by."""
    value = evaluate(text, columns, memory)
    match value:
        case Numeric(values=values):
            yield text, f"({text})", float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
        case Factor(levels=levels, kind="boolean"):
            yield from (
                (f"{text}{levels[i]}", f"(0 + ({text} == {('FALSE', 'TRUE')[i]}))", 1.0) for i in _kept(2, is_whole)
            )
        case Factor(levels=levels):
            for i in _kept(len(levels), is_whole):
                yield f"{text}{levels[i]}", f"(0 + ({text} == {spell(Text(levels[i]))}))", 1.0
        case _:
            raise DataError(
                f"`{text}` has several columns, and monotonic effects interact with numbers and factors: make the"
                " columns in the data."
            )


def _kept(count: int, is_whole: bool) -> Sequence[int]:
    """Places of the levels with an effect of their own: all but the first beside the effect of that."""
    return range(0 if is_whole else 1, count)


def _check_margins(term: MonotonicTerm, formula: Formula, columns: Mapping[str, Column], memory: Memory) -> None:
    """Raise `FormulaError` where a factor has no effect of its own: levels that are new would pass for the first."""
    labels = expand(read(formula.fixed)).labels
    for text in term.others:
        if isinstance(evaluate(text, columns, memory), Factor) and not {text, "."} & set(labels):
            raise FormulaError(
                f"`{term}` lets steps differ between the levels of `{text}`, which have no means of their own: write"
                f" `{term.call} * {text}`, or `{text} + {term}`."
            )
