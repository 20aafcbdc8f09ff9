"""Design of a model on data: y, X, and per term compact columns with level indices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Column, Factor, Numeric, Variable
from bayesmix.data.design.evaluate import Learnt
from bayesmix.data.design.inputs import (
    OFFSET,
    WEIGHTS,
    Arguments,
    FittedKind,
    Source,
    as_fitted,
    check_text,
    complete_rows,
    count_rows,
    evaluate_all,
    kind_of,
    needed_names,
    prior_weights,
    read_arguments,
    read_columns,
    total_offset,
)
from bayesmix.data.design.matrix import ModelMatrix, assemble, independent, keep, learn_matrix, outside
from bayesmix.data.design.response import Categories, Outcome, ResponseKind, outcome, outcome_texts
from bayesmix.data.design.term import Term, TermEncoder, learn_term, make_term
from bayesmix.data.frame import open_table
from bayesmix.errors import DataError, DesignError, DroppedWarning, nearest, warn_user
from bayesmix.language.formula.expression import column_names, spell_name
from bayesmix.language.formula.parse import Formula
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import Terms, expand

__all__ = ["Design", "Encoder", "NewDesign", "Term", "build", "encode"]


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """What new data need to become rows of the design: learnt at the fit, small, without the data."""

    formula: Formula
    kinds: Mapping[str, FittedKind | None]  # of columns, None for numbers; not of those that are only grouping factors
    memory: Mapping[str, Learnt]  # what `scale`, splines and the like learnt, by the text of the call
    fixed: ModelMatrix
    terms: tuple[TermEncoder, ...]  # in the order of the design's terms
    response: ResponseKind
    weights: str | None  # expressions; `(weights)` and `(offset)` stand for arrays
    offset: str | None
    categories: Categories | None = None  # failure and success of a response of two categories


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Everything a fit needs to know of the data."""

    response: str  # label of the response as written: "ncases", "cbind(s, f)"
    y: Array  # (n,) response; for binomial with trials the number of successes
    trials: Array | None  # (n,) binomial denominators, None for other families
    X: Array  # (n, p) float64, full column rank
    fixed: tuple[str, ...]  # p names in R's coding: "Intercept", "ncontrols", "period2", "alcgp.L", "x:fb"
    terms: tuple[Term, ...]  # lme4's order: decreasing number of levels
    weights: Array  # (n,) prior weights, ones where none were given
    offset: Array  # (n,) known part of the linear predictor, zeros where none was given
    rows: Array  # (n,) positions of the rows used in the data as given
    n_given: int  # rows in the data as given; n_given - n were dropped for missing values
    dropped: tuple[str, ...]  # columns of X left out because they depend linearly on others
    encoder: Encoder | None = None  # codes new data; None in a design made by hand
    source: Source | None = None  # builds the design again; None in a design made by hand

    @property
    def categories(self) -> Categories | None:
        """Failure and success of a response of two categories; None for numbers."""
        return None if self.encoder is None else self.encoder.categories


@dataclass(frozen=True, slots=True, eq=False)
class NewDesign:
    """Rows of the design for new data."""

    X: Array  # (n, p)
    terms: tuple[Term, ...]  # those asked for, in the design's order; codes are -1 for levels not seen in fitting
    offset: Array  # (n,)
    outcome: Outcome | None  # y, trials and weights, where asked for
    rows: Array  # (n,) positions of the rows in the new data: those without a missing value
    n_given: int  # rows of the new data
    missing: tuple[str, ...]  # columns of the new data with missing values
    outside: Array  # (n, d) what the data of the fit do not tell of each row, zero where they tell all


def build(
    formula: Formula,
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    response: ResponseKind = "numeric",
    contrasts: Mapping[str, str] | None = None,
) -> Design:
    """Build the design of a formula on data, column for column as lme4 does.

    Parameters
    ----------
    formula
        From `bayesmix.language.formula.parse`.
    data
        Any dataframe, dictionary of columns, or path of a file that `bayesmix.data.files` reads.
    weights, offset
        Name of a column, an expression, or an array with one value per row of the data. The offset is added to those
        of the formula.
    response
        ``"binomial"`` reads ``cbind(s, f)``, ``s/n``, proportions with the trials as weights, 0 and 1, truth values,
        and factors of two levels, the first of which is failure.
    contrasts
        Names of contrasts by factor of the fixed part, such as ``{"f": "sum"}``. As in lme4, bars keep the defaults:
        treatment, and orthogonal polynomials for ordered factors.

    Returns
    -------
    Design
        Its rows are those without a missing value in any column that the formula names, also in a term removed with
        ``-``; its arrays are read-only.

    Raises
    ------
    DataError
        If a column is not there or cannot be used, if no rows are left, or if values are not finite.
    DesignError
        If a factor has a single level, or two parameters would have the same name.

    Warns
    -----
    DroppedWarning
        If rows have missing values, or columns of X depend linearly on others, and are left out.

    Notes
    -----
    As in R, `scale`, `poly` and splines learn from all rows in which their own variable is not missing. Of terms with
    the same number of levels the one written first comes first; lme4 turns their order around whenever the terms as
    written are not in decreasing order already.
    """
    table = open_table(data)
    arguments = read_arguments(weights=weights, offset=offset)
    fixed_terms = expand(read(formula.fixed), _dot(formula, table.names))
    effects = [expand(read(bar.effects)) for bar in formula.bars]
    every = (fixed_terms, *effects)

    texts = [
        *outcome_texts(formula.response, response, weighted=weights is not None),
        *(name for terms in every for name in terms.used),
        *formula.offsets,
        *arguments.texts,
    ]
    groups = [text for bar in formula.bars for text in bar.group]
    columns = read_columns(table, [*texts, *groups], arguments)
    mentioned = needed_names((name for terms in every for name in terms.variables), table)
    unread = [name for name in mentioned if name not in columns]  # those of removed terms, of any type
    gone = {name: table.missing([name]) for name in unread}
    rows = complete_rows({name: column.missing for name, column in columns.items()} | gone)
    check_text(texts, columns)
    memory: dict[str, Learnt] = {}
    variables = evaluate_all([*texts, *groups], columns, memory, rows)

    fixed, X, dropped = _fixed(fixed_terms, variables, contrasts or {}, len(rows))
    terms = [learn_term(bar, found, variables) for bar, found in zip(formula.bars, effects, strict=True)]
    terms.sort(key=lambda term: -len(term.levels))
    _check_names(fixed, terms)
    kinds = _kinds(columns, needed_names(texts, table))
    encoder = Encoder(formula, kinds, memory, fixed, tuple(terms), response, arguments.weights, arguments.offset)
    observed = _outcome(encoder, variables, rows)
    encoder = replace(encoder, categories=observed.categories)
    design = Design(
        response=formula.response,
        y=observed.y,
        trials=observed.trials,
        X=X,
        fixed=fixed.names,
        terms=tuple(make_term(term, variables, len(rows)) for term in terms),
        weights=observed.weights,
        offset=total_offset(_offsets(encoder), variables, len(rows)),
        rows=rows,
        n_given=count_rows(columns),
        dropped=dropped,
        encoder=encoder,
        source=_source(table.names, columns, gone, arguments, contrasts or {}),
    )
    return _read_only(design)


def encode(  # noqa: PLR0913 - options of the rows, named
    encoder: Encoder,
    data: Any,
    *,
    groups: bool | Collection[str] = True,
    levels: bool | Collection[str] = True,
    offset: Any = None,
    weights: Any = None,
    response: bool = False,
) -> NewDesign:
    """Code new data as the data of the fit were coded.

    Parameters
    ----------
    encoder
        Of a design: ``design.encoder``.
    data
        As for `build`; the response is needed only if asked for.
    groups
        Whether terms are wanted, or the names of their grouping factors; other grouping columns may be missing.
    levels
        Whether the levels of the rows are wanted, or of which grouping factors; of the others, whose columns may be
        missing, all rows have the code -1.
    offset, weights
        In place of those given to the fit; needed where the fit was given an array.
    response
        Whether to read the response and the weights.

    Raises
    ------
    DataError
        If columns or values are missing, or a factor has a level that it did not have in the fit; an unseen level of a
        grouping factor is no error but has code -1.

    Notes
    -----
    Rows with a missing value are left out: ``rows`` has the positions of the others.
    """
    table = open_table(data)
    wanted, told = _wanted(encoder, groups), _wanted(encoder, levels)
    terms = [term for term in encoder.terms if term.group in wanted]
    arguments = read_arguments(weights=weights, offset=offset)
    encoder = _with_arguments(encoder, arguments, response=response)
    texts = [
        *(name for matrix in (encoder.fixed, *(term.matrix for term in terms)) for name in matrix.terms.used),
        *(text for term in terms if term.group in told for text in term.factors),
        *_offsets(encoder),
        *(_outcome_texts(encoder) if response else ()),
    ]
    columns = read_columns(table, texts, arguments)
    columns = {name: as_fitted(name, column, encoder.kinds) for name, column in columns.items()}
    gone = [column.missing for column in columns.values()] or [np.zeros(table.count(), dtype=bool)]
    missing = np.any(gone, axis=0)
    rows = np.flatnonzero(~missing)
    variables = evaluate_all(texts, columns, dict(encoder.memory), rows)
    n, X = len(rows), assemble(encoder.fixed, variables, len(rows))
    return NewDesign(
        X=X,
        terms=tuple(make_term(term, variables, n, has_levels=term.group in told) for term in terms),
        offset=total_offset(_offsets(encoder), variables, n),
        outcome=_outcome(encoder, variables, rows) if response else None,
        rows=rows,
        n_given=len(missing),
        missing=tuple(name for name, column in columns.items() if column.missing.any()),
        outside=outside(encoder.fixed, variables, X),
    )


def _source(
    names: Sequence[str],
    columns: Mapping[str, Column],
    gone: Mapping[str, Array],
    arguments: Arguments,
    contrasts: Mapping[str, str],
) -> Source:
    """Keep the columns in the order of the data; of those that were not read, only which values are missing."""
    known = {**columns, **{name: Numeric(np.where(missing, np.nan, 0.0)) for name, missing in gone.items()}}
    return Source({name: known[name] for name in names if name in known}, arguments, dict(contrasts))


def _dot(formula: Formula, names: Sequence[str]) -> tuple[str, ...]:
    """Return what ``.`` stands for: the columns that the response does not use."""
    response = column_names(read(formula.response))
    return tuple(name for name in names if name not in response)


def _kinds(columns: Mapping[str, Column], names: Collection[str]) -> dict[str, FittedKind | None]:
    """Return the types of columns to remember: not of those that only group, whose labels may be text or numbers."""
    kinds = {name: kind_of(column) for name, column in columns.items()}
    return {name: kind for name, kind in kinds.items() if name in names or (kind is not None and kind[0] == "boolean")}


def _fixed(
    terms: Terms, variables: Mapping[str, Variable], contrasts: Mapping[str, str], n: int
) -> tuple[ModelMatrix, Array, tuple[str, ...]]:
    """Return the recipe and the columns of X, without those that depend linearly on others, and the names of those."""
    for name in contrasts:
        if not isinstance(variables.get(name), Factor) or name not in terms.used:
            known = [text for text in terms.used if isinstance(variables[text], Factor)]
            raise DataError(f"`{name}` of the contrasts is not a factor of the fixed part.{nearest(name, known)}")
    matrix = learn_matrix(terms, variables, contrasts)
    X = assemble(matrix, variables, n)
    kept = independent(X)
    if len(kept) == len(matrix.names):
        return matrix, X, ()
    dropped = tuple(name for j, name in enumerate(matrix.names) if j not in kept)
    message = f"Columns that depend linearly on others are left out: {', '.join(dropped)}."
    warn_user(message, DroppedWarning)
    return keep(matrix, kept, X), X[:, kept], dropped


def _check_names(fixed: ModelMatrix, terms: Sequence[TermEncoder]) -> None:
    """Refuse two parameters of the same name."""
    twice = _twice(fixed.names)
    if twice:
        advice = "Rename the column or the level of the factor that make the same name."
        raise DesignError(f"Two columns of the fixed part are named `{twice}`. {advice}")
    for group in dict.fromkeys(term.group for term in terms):
        twice = _twice([effect for term in terms if term.group == group for effect in term.matrix.names])
        if twice:
            what = f"The effect `{twice}` occurs twice for the grouping factor `{group}`."
            raise DesignError(f"{what} Write one bar, or start one with `0 +`.")


def _twice(names: Sequence[str]) -> str | None:
    return next((name for j, name in enumerate(names) if name in names[:j]), None)


def _offsets(encoder: Encoder) -> tuple[str, ...]:
    return (*encoder.formula.offsets, *([] if encoder.offset is None else [encoder.offset]))


def _outcome_texts(encoder: Encoder) -> tuple[str, ...]:
    texts = outcome_texts(encoder.formula.response, encoder.response, weighted=encoder.weights is not None)
    return texts if encoder.weights is None else (*texts, encoder.weights)


def _outcome(encoder: Encoder, variables: Mapping[str, Variable], rows: Array) -> Outcome:
    weights = prior_weights(encoder.weights, variables, rows)
    return outcome(
        encoder.formula.response,
        variables,
        encoder.response,
        weights,
        rows=rows,
        categories=encoder.categories,
    )


def _wanted(encoder: Encoder, groups: bool | Collection[str]) -> set[str]:
    known = {term.group for term in encoder.terms}
    if isinstance(groups, bool):
        return known if groups else set()
    for name in groups:
        if name not in known:
            raise DataError(f"`{name}` is not a grouping factor of the model.{nearest(name, sorted(known))}")
    return set(groups)


def _with_arguments(encoder: Encoder, arguments: Arguments, *, response: bool) -> Encoder:
    """Return the encoder with weights and offset for the new data."""
    offset = arguments.offset or encoder.offset
    weights = arguments.weights or encoder.weights
    for name, text in ((OFFSET, offset), (WEIGHTS, weights if response else None)):
        if text == spell_name(name) and name not in arguments.arrays:
            raise DataError(f"The model was fitted with an array as `{name[1:-1]}=`: give one for the new data too.")
    return replace(encoder, offset=offset, weights=weights)


def _read_only(design: Design) -> Design:
    arrays = (design.y, design.trials, design.X, design.weights, design.offset, design.rows)
    for array in (*arrays, *(a for term in design.terms for a in (term.codes, term.z))):
        if array is not None:
            array.setflags(write=False)
    return design
