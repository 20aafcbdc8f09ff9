"""Design of a model on data: y, X, and per term compact columns with level indices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any
from warnings import warn

import numpy as np

from bayesmix.data.basis import Basis, Columns
from bayesmix.data.evaluate import Variable, evaluate
from bayesmix.data.frame import (
    Column,
    Factor,
    Kind,
    Numeric,
    Table,
    boolean_factor,
    drop_unused,
    factor_of,
    open_table,
)
from bayesmix.data.matrix import ModelMatrix, assemble, independent, keep, learn_matrix
from bayesmix.data.outcome import Outcome, ResponseKind, outcome, outcome_texts, rows_text
from bayesmix.errors import DataError, DesignError, DroppedWarning, nearest
from bayesmix.language.algebra import Terms, expand
from bayesmix.language.expression import column_names, read, spell, spell_name
from bayesmix.language.formula import Bar, Formula

Array = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One random-effects term: ``(n, k)`` columns and ``(n,)`` level indices, never a dense Z."""

    group: str  # "Subject", "cask:batch"
    levels: tuple[str, ...]  # J labels, in order
    codes: Array  # (n,) intp, level of each row; -1 in new data for a level not seen in fitting
    effects: tuple[str, ...]  # k names: "Intercept", "Days", "recipeB"
    z: Array  # (n, k) float64
    structure: str = "us"  # of a single effect always "us"


@dataclass(frozen=True, slots=True, eq=False)
class BarEncoder:
    """How one random-effects term is made from data."""

    group: tuple[str, ...]  # expressions of the crossed factors
    levels: tuple[str, ...]
    matrix: ModelMatrix
    structure: str

    @property
    def label(self) -> str:
        """Name of the grouping factor."""
        return ":".join(text.strip("`") for text in self.group)


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """What new data need to become rows of the design: learnt at the fit, small, without the data."""

    formula: Formula
    kinds: Mapping[str, tuple[Kind, tuple[str, ...]] | None]  # of each column used; None for numbers
    memory: Mapping[str, Basis | tuple[str, ...]]
    fixed: ModelMatrix
    bars: tuple[BarEncoder, ...]  # in the order of the terms
    response: ResponseKind
    weights: str | None  # expressions; OFFSET or WEIGHTS where an array was given
    offset: str | None


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


@dataclass(frozen=True, slots=True, eq=False)
class NewDesign:
    """Rows of the design for new data."""

    X: Array  # (n, p)
    terms: tuple[Term, ...]  # those asked for, in the design's order; codes are -1 for levels not seen in fitting
    offset: Array  # (n,)
    outcome: Outcome | None = None  # y, trials and weights, where asked for


WEIGHTS, OFFSET = "(weights)", "(offset)"  # R's names of the columns that are given as arrays


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
        Any dataframe, dictionary of columns, or path of a CSV or Parquet file.
    weights, offset
        Name of a column, an expression, or an array with one value per row of the data. The offset is added to those of
        the formula.
    response
        ``"binomial"`` reads ``cbind(s, f)``, ``s/n``, proportions with the trials as weights, 0 and 1, truth values,
        and factors, whose first level is failure.
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
        If a factor has a single level, or an effect occurs twice for the same grouping factor.

    Warns
    -----
    DroppedWarning
        If columns of X depend linearly on others and are left out.

    Notes
    -----
    As in R, `scale`, `poly` and splines learn from all rows in which their own variable is not missing. Of terms with
    the same number of levels the one written first comes first; lme4 turns their order around whenever the terms as
    written are not in decreasing order already.
    """
    table = open_table(data)
    parts = outcome_texts(formula.response, response, weighted=weights is not None)
    given = _given(weights=weights, offset=offset)
    fixed_terms = expand(read(formula.fixed), _dot(formula, table.names))
    effects = [expand(read(bar.effects)) for bar in formula.bars]
    asides = [*parts, *formula.offsets, *given.texts, *(text for bar in formula.bars for text in bar.group)]
    every = (fixed_terms, *effects)
    texts = [*asides, *(name for terms in every for name in terms.used)]
    columns = _read(table, texts, given)
    named = _column_names((name for terms in every for name in terms.variables), table)
    rows = _complete_rows(columns, table.missing(name for name in named if name not in columns))
    memory: dict[str, Basis | tuple[str, ...]] = {}
    variables = _variables(texts, columns, memory, rows)

    n = len(rows)
    fixed, X, dropped = _fixed(fixed_terms, variables, contrasts or {}, n)
    bars = [_learn_bar(bar, terms, variables) for bar, terms in zip(formula.bars, effects, strict=True)]
    bars.sort(key=lambda bar: -len(bar.levels))
    _check_names(fixed, bars)
    observed = outcome(formula.response, variables, response, _weights(given.weights, variables, rows), rows)
    kinds = {name: _kind(column) for name, column in columns.items() if name not in (WEIGHTS, OFFSET)}
    encoder = Encoder(formula, kinds, memory, fixed, tuple(bars), response, given.weights, given.offset)
    design = Design(
        response=formula.response,
        y=observed.y,
        trials=observed.trials,
        X=X,
        fixed=fixed.names,
        terms=tuple(_term(bar, variables, n) for bar in bars),
        weights=observed.weights,
        offset=_offset(encoder, variables, n),
        rows=rows,
        n_given=_count(columns),
        dropped=dropped,
        encoder=encoder,
    )
    return _read_only(design)


def encode(
    encoder: Encoder,
    data: Any,
    *,
    groups: bool | Collection[str] = True,
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
    offset, weights
        One value per row, where the fit was given an array too.
    response
        Whether to read the response.

    Raises
    ------
    DataError
        If columns or values are missing, or a factor has a level that it did not have in the fit; an unseen level of a
        grouping factor is no error but has code -1.
    """
    table = open_table(data)
    bars = [bar for bar in encoder.bars if bar.label in _wanted(encoder, groups)]
    given = _given(weights=weights if response else None, offset=offset)
    _check_given(encoder, given, response)
    parts = outcome_texts(encoder.formula.response, encoder.response, weighted=encoder.weights is not None)
    asides = [*encoder.formula.offsets, *filter(None, [encoder.offset]), *(text for bar in bars for text in bar.group)]
    if response:
        asides += [*parts, *filter(None, [encoder.weights])]
    texts = [
        *asides,
        *(name for matrix in (encoder.fixed, *(bar.matrix for bar in bars)) for name in matrix.terms.used),
    ]
    columns = {name: _as_fitted(name, column, encoder) for name, column in _read(table, texts, given).items()}
    _check_complete(columns)
    n = _count(columns) if columns else table.count()
    variables = _variables(texts, columns, dict(encoder.memory), np.arange(n))
    observed = _observed(encoder, variables, n) if response else None
    return NewDesign(
        X=assemble(encoder.fixed, variables, n),
        terms=tuple(_term(bar, variables, n) for bar in bars),
        offset=_offset(encoder, variables, n),
        outcome=observed,
    )


def _observed(encoder: Encoder, variables: Mapping[str, Variable], n: int) -> Outcome:
    rows = np.arange(n)
    weights = _weights(encoder.weights, variables, rows)
    return outcome(encoder.formula.response, variables, encoder.response, weights, rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """Weights and offset from outside the formula: the expressions they become, and the arrays among them."""

    weights: str | None
    offset: str | None
    arrays: Mapping[str, Column]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(text for text in (self.weights, self.offset) if text is not None)


def _given(*, weights: Any, offset: Any) -> _Given:
    arrays: dict[str, Column] = {}
    for name, value in ((WEIGHTS, weights), (OFFSET, offset)):
        if value is not None and not isinstance(value, str):
            arrays |= open_table({name: value}).read([name])
    return _Given(_argument(WEIGHTS, weights), _argument(OFFSET, offset), arrays)


def _argument(name: str, value: Any) -> str | None:
    if value is None:
        return None
    return spell(read(value)) if isinstance(value, str) else spell_name(name)


def _dot(formula: Formula, names: Sequence[str]) -> tuple[str, ...]:
    """Return what ``.`` stands for: the columns that the response does not use."""
    response = column_names(read(formula.response))
    return tuple(name for name in names if name not in response)


def _read(table: Table, texts: Iterable[str], given: _Given) -> dict[str, Column]:
    """Read the columns that the expressions name, and add the arrays."""
    columns = table.read(name for name in _column_names(texts, table) if name not in given.arrays)
    n = table.count()
    for name, column in given.arrays.items():
        if len(column.missing) != n:
            raise DataError(f"The {name[1:-1]} have {len(column.missing)} values; the data have {n} rows.")
        columns[name] = column
    return columns


def _column_names(texts: Iterable[str], table: Table) -> list[str]:
    """Return the columns that expressions need; ``pi`` is a number unless the data have such a column."""
    names = dict.fromkeys(name for text in texts for name in column_names(read(text)))
    return [name for name in names if name != "pi" or name in table.names]


def _count(columns: Mapping[str, Column]) -> int:
    return len(next(iter(columns.values())).missing)


def _complete_rows(columns: Mapping[str, Column], elsewhere: Array) -> Array:
    """Return the rows without a missing value in any column, or elsewhere."""
    missing = reduce(np.logical_or, (column.missing for column in columns.values()), elsewhere)
    if not len(missing):
        raise DataError("The data have no rows.")
    rows = np.flatnonzero(~missing)
    if not len(rows):
        empty = [f"`{name}`" for name, column in columns.items() if column.missing.all()]
        why = f" All values of {', '.join(empty)} are missing." if empty else ""
        raise DataError(f"No rows are left to fit: each of the {len(missing)} given has a missing value.{why}")
    return rows


def _variables(
    texts: Iterable[str], columns: Mapping[str, Column], memory: dict[str, Basis | tuple[str, ...]], rows: Array
) -> dict[str, Variable]:
    """Evaluate expressions on all rows, so that they learn from all, and keep the rows used."""
    found: dict[str, Variable] = {}
    for text in dict.fromkeys(texts):
        value = evaluate(text, columns, memory)
        found[text] = value if len(rows) == _count(columns) else value.take(rows)
        _check_finite(text, found[text], rows)
    return found


def _check_finite(text: str, value: Variable, rows: Array) -> None:
    match value:
        case Numeric(values=values):
            wrong = ~np.isfinite(values)
        case Columns(values=values):
            wrong = ~np.isfinite(values).all(axis=1)
        case _:
            return
    if wrong.any():
        raise DataError(f"`{text}` is not finite in {rows_text(rows[wrong])}.")


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
    warn(message, DroppedWarning, stacklevel=3)
    return keep(matrix, kept), X[:, kept], dropped


def _learn_bar(bar: Bar, terms: Terms, variables: Mapping[str, Variable]) -> BarEncoder:
    levels, _ = _cross([_group(text, variables) for text in bar.group])
    matrix = learn_matrix(terms, variables, {})
    structure = bar.structure if len(matrix.names) > 1 else "us"
    encoder = BarEncoder(bar.group, levels, matrix, structure)
    if len(levels) < 2:
        raise DesignError(f"The grouping factor `{encoder.label}` has the single level `{''.join(levels)}`.")
    return encoder


def _term(bar: BarEncoder, variables: Mapping[str, Variable], n: int) -> Term:
    found, codes = _cross([_group(text, variables) for text in bar.group])
    if found != bar.levels:
        position = {level: j for j, level in enumerate(bar.levels)}
        codes = np.array([position.get(level, -1) for level in found], dtype=np.intp)[codes]
    return Term(bar.label, bar.levels, codes, bar.matrix.names, assemble(bar.matrix, variables, n), bar.structure)


def _group(text: str, variables: Mapping[str, Variable]) -> Factor:
    value = variables[text]
    if not isinstance(value, Numeric | Factor):
        raise DataError(f"`{text}` cannot be a grouping factor.")
    return drop_unused(factor_of(value))


def _cross(factors: Sequence[Factor]) -> tuple[tuple[str, ...], Array]:
    """Return the combinations of levels that occur, and each row's: the first factor varies slowest."""
    levels, codes = factors[0].levels, factors[0].codes
    for factor in factors[1:]:
        width = len(factor.levels)
        found, codes = np.unique(codes * width + factor.codes, return_inverse=True)
        levels = tuple(f"{levels[key // width]}:{factor.levels[key % width]}" for key in found.tolist())
    return levels, codes


def _check_names(fixed: ModelMatrix, bars: Sequence[BarEncoder]) -> None:
    """Refuse two parameters of the same name."""
    twice = _twice(fixed.names)
    if twice:
        advice = "Rename the column or the level of the factor that make the same name."
        raise DesignError(f"Two columns of the fixed part are named `{twice}`. {advice}")
    for label in dict.fromkeys(bar.label for bar in bars):
        twice = _twice([effect for bar in bars if bar.label == label for effect in bar.matrix.names])
        if twice:
            what = f"The effect `{twice}` occurs twice for the grouping factor `{label}`."
            raise DesignError(f"{what} Write one bar, or start one with `0 +`.")


def _twice(names: Sequence[str]) -> str | None:
    return next((name for j, name in enumerate(names) if name in names[:j]), None)


def _weights(text: str | None, variables: Mapping[str, Variable], rows: Array) -> Array | None:
    if text is None:
        return None
    value = variables[text]
    if not isinstance(value, Numeric):
        raise DataError(f"The weights `{text}` are not numbers.")
    wrong = np.flatnonzero(value.values <= 0)
    if len(wrong):
        what = f"The weights are {value.values[wrong[0]]:g} in {rows_text(rows[wrong])}."
        raise DataError(f"{what} Weights are positive; leave out the rows that do not count.")
    return value.values


def _offset(encoder: Encoder, variables: Mapping[str, Variable], n: int) -> Array:
    total = np.zeros(n)
    for text in (*encoder.formula.offsets, *filter(None, [encoder.offset])):
        value = variables[text]
        if not isinstance(value, Numeric):
            raise DataError(f"The offset `{text}` is not a column of numbers.")
        total += value.values
    return total


def _kind(column: Column) -> tuple[Kind, tuple[str, ...]] | None:
    return (column.kind, column.levels) if isinstance(column, Factor) else None


def _as_fitted(name: str, column: Column, encoder: Encoder) -> Column:
    """Return a column of new data as the kind of column it was in the fit, with the levels of then first."""
    kind = encoder.kinds.get(name)
    if kind is not None:
        return _as_boolean(name, column) if kind[0] == "boolean" else _with_levels(factor_of(column), kind[1], kind[0])
    if isinstance(column, Numeric) or name not in encoder.kinds:
        return column
    if column.kind == "boolean" or column.missing.all():
        return Numeric(np.where(column.missing, np.nan, column.codes.astype(np.float64)))
    raise DataError(f"Column `{name}` was a number in fitting and is a factor in the new data.")


def _as_boolean(name: str, column: Column) -> Factor:
    if isinstance(column, Factor) and column.kind == "boolean":
        return column
    if isinstance(column, Factor) or not np.isin(column.values[~column.missing], (0.0, 1.0)).all():
        raise DataError(f"Column `{name}` was TRUE or FALSE in fitting and has other values in the new data.")
    return boolean_factor(np.nan_to_num(column.values), column.missing)


def _with_levels(factor: Factor, levels: tuple[str, ...], kind: Kind) -> Factor:
    position = {level: j for j, level in enumerate(levels)}
    every = (*levels, *(level for level in factor.levels if level not in position))
    position |= {level: j for j, level in enumerate(every)}
    moved = np.array([*(position[level] for level in factor.levels), -1], dtype=np.intp)
    return Factor(moved[factor.codes], every, kind)


def _wanted(encoder: Encoder, groups: bool | Collection[str]) -> set[str]:
    known = {bar.label for bar in encoder.bars}
    if isinstance(groups, bool):
        return known if groups else set()
    for name in groups:
        if name not in known:
            raise DataError(f"`{name}` is not a grouping factor of the model.{nearest(name, sorted(known))}")
    return set(groups)


def _check_given(encoder: Encoder, given: _Given, response: bool) -> None:
    for name, fitted in ((OFFSET, encoder.offset), (WEIGHTS, encoder.weights if response else None)):
        needed = fitted == spell_name(name)
        if needed and name not in given.arrays:
            raise DataError(f"The model was fitted with an array `{name[1:-1]}=`: give one for the new data too.")
        if not needed and name in given.arrays:
            raise DataError(f"The model was not fitted with an array `{name[1:-1]}=`.")


def _check_complete(columns: Mapping[str, Column]) -> None:
    for name, column in columns.items():
        if column.missing.any():
            raise DataError(f"`{name}` is missing in {rows_text(np.flatnonzero(column.missing))} of the new data.")


def _read_only(design: Design) -> Design:
    arrays = (design.y, design.trials, design.X, design.weights, design.offset, design.rows)
    for array in (*arrays, *(a for term in design.terms for a in (term.codes, term.z))):
        if array is not None:
            array.setflags(write=False)
    return design
