"""New data coded as the data of the fit were."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Numeric, SmoothColumns, Variable
from bayesmix.data.design.inputs import (
    OFFSET,
    Arguments,
    as_fitted,
    evaluate_all,
    has_columns,
    needed_names,
    read_arguments,
    read_columns,
    stacked_offset,
)
from bayesmix.data.design.layout import Encoder
from bayesmix.data.design.matrix import assemble, outside
from bayesmix.data.design.positions import Positions
from bayesmix.data.design.rows import Rows, beside, stack
from bayesmix.data.design.term import TermEncoder, make_term
from bayesmix.data.frame import Table, open_table
from bayesmix.errors import DataError, nearest
from bayesmix.language.formula.expression import column_names, spell_name
from bayesmix.language.formula.imputed_predictors import is_imputed
from bayesmix.language.formula.reader import read


def encode(
    encoder: Encoder,
    data: Any,
    *,
    groups: bool | Collection[str] = True,
    levels: bool | Collection[str] = True,
    offset: Any = None,
    predictor: int | None = None,
) -> Rows:
    """Code new data as the data of the fit were coded.

    Parameters
    ----------
    encoder
        Of a design: ``design.encoder``.
    data
        As for `build`; the response is not needed.
    groups
        Whether terms are wanted, or the names of their grouping factors; other grouping columns may be missing.
    levels
        Whether the levels of the rows are wanted, or of which grouping factors; of the others, whose columns may be
        missing, all rows have the code -1.
    offset
        In place of the one given to the fit; needed where the fit was given an array.
    predictor
        The only linear predictor that is wanted; what others are made of may be missing. All by default.

    Returns
    -------
    Rows
        With the terms asked for, in the design's order. Rows with a missing value are left out: ``index`` has the
        positions of the others.

    Raises
    ------
    DataError
        If columns or values are missing, or a factor has a level that it did not have in the fit; an unseen level of a
        grouping factor is no error but has code -1.
    """
    table = open_table(data)
    wanted, told = _wanted(encoder, groups), _wanted(encoder, levels)
    terms = [term for term in encoder.terms if term.group in wanted]
    arguments = read_arguments(weights=None, offset=offset)
    predictors = range(len(encoder.predictors)) if predictor is None else (predictor,)
    encoder = _with_offset(encoder, arguments) if 0 in predictors else encoder
    offsets = [encoder.offsets[r] for r in predictors]
    texts = [
        *(name for r in predictors for name in encoder.predictors[r].fixed.terms.used),
        *(name for term in terms for name in term.used(predictors)),
        *(text for term in terms if term.group in told for text in term.factors),
        *(text for own in offsets for text in own if has_columns(text)),
    ]
    columns = read_columns(table, [text for text in texts if _is_there(text, table)], arguments)
    columns |= _absent(texts, table)
    columns = {name: as_fitted(name, column, encoder.kinds) for name, column in columns.items()}
    needed = {*needed_names((text for text in texts if not is_imputed(text)), table), *arguments.arrays}
    known = {name: column for name, column in columns.items() if name in needed}
    gone = [column.missing for column in known.values()] or [np.zeros(table.count(), dtype=bool)]
    missing = np.any(gone, axis=0)
    rows = np.flatnonzero(~missing)
    variables = evaluate_all(texts, columns, dict(encoder.memory), rows)
    n = len(rows)
    parts = {r: assemble(encoder.predictors[r].fixed, variables, n) for r in predictors}
    return Rows(
        X=_stacked(encoder, parts),
        offset=stacked_offset(offsets, variables, n),
        terms=tuple(
            make_term(
                _at_positions(term, variables), variables, n, predictors=predictors, has_levels=term.group in told
            )
            for term in terms
        ),
        index=rows,
        n_given=len(missing),
        outside=np.column_stack([_outside(encoder, variables, parts), *_beyond(variables, n)]),
        missing=tuple(name for name, column in known.items() if column.missing.any()),
    )


def _is_there(text: str, table: Table) -> bool:
    """Whether an expression can be read: what may be missing need not be among the columns."""
    return not is_imputed(text) or set(column_names(read(text))) <= set(table.names)


def _absent(texts: Iterable[str], table: Table) -> dict[str, Column]:
    """The columns of responses that may be missing and are: without any value."""
    names = {name for text in texts if not _is_there(text, table) for name in column_names(read(text))}
    return {name: Numeric(np.full(table.count(), np.nan)) for name in names - set(table.names)}


def _stacked(encoder: Encoder, parts: Mapping[int, Array]) -> Array:
    """Columns of some predictors, stacked, among those of all."""
    if len(parts) == len(encoder.predictors):
        return beside(stack(list(parts.values())), encoder.beside)
    widths = [len(one.fixed.names) for one in encoder.predictors]
    ((r, own),) = parts.items()
    X, begin = np.zeros((len(own), sum(widths) + encoder.beside)), sum(widths[:r])
    X[:, begin : begin + widths[r]] = own
    return X


def _outside(encoder: Encoder, variables: Any, parts: Mapping[int, Array]) -> Array:
    """What the fit's data do not tell of rows, in any of the predictors."""
    found = [outside(encoder.predictors[r].fixed, variables, X) for r, X in parts.items()]
    return np.concatenate(found, axis=1)


def _at_positions(encoder: TermEncoder, variables: Mapping[str, Variable]) -> TermEncoder:
    """The term with effects at the positions of new rows, too."""
    if not encoder.positions:
        return encoder
    (part,) = encoder.parts
    assert isinstance(part.matrix, Positions)
    return replace(encoder, parts=(replace(part, matrix=part.matrix.with_those_of(variables)),))


def _beyond(variables: Mapping[str, Variable], n: int) -> Iterator[Array]:
    """Rows where a Gaussian process is not known."""
    for value in variables.values():
        if isinstance(value, SmoothColumns) and value.beyond is not None and value.beyond.any():
            yield (value.beyond * np.arange(1.0, n + 1.0))[:, None]  # nothing that two rows would have in common


def _wanted(encoder: Encoder, groups: bool | Collection[str]) -> set[str]:
    known = {term.group for term in encoder.terms if not term.is_population}
    smooths = {term.group for term in encoder.terms if term.is_population}  # all rows have these
    if isinstance(groups, bool):
        return known | smooths if groups else smooths
    for name in groups:
        if name not in known:
            raise DataError(f"`{name}` is not a grouping factor of the model.{nearest(name, sorted(known))}")
    return {*groups, *smooths}


def _with_offset(encoder: Encoder, arguments: Arguments) -> Encoder:
    """Return the encoder with the offset of the new data."""
    offset = arguments.offset or encoder.offset
    if offset == spell_name(OFFSET) and OFFSET not in arguments.arrays:
        raise DataError("The model was fitted with an array as `offset=`: give one for the new data too.")
    return replace(encoder, offset=offset)
