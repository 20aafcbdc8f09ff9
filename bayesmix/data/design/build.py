"""Building a design: from formulas and data to layout, rows and outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.columns import Factor, Numeric, Variable
from bayesmix.data.design.bar_terms import learn_all_terms
from bayesmix.data.design.censoring import bounds_of
from bayesmix.data.design.condensed import StayingTable
from bayesmix.data.design.design import Design
from bayesmix.data.design.formula_variables import FormulaVariables, Named, read_variables
from bayesmix.data.design.inputs import (
    Arguments,
    Source,
    has_columns,
    kinds_of,
    needed_names,
    prior_weights,
    read_arguments,
    stacked_offset,
)
from bayesmix.data.design.layout import (
    Encoder,
    Layout,
    Part,
    PredictorEncoder,
    ResponseEncoder,
    check_names,
    dot_of,
)
from bayesmix.data.design.matrix import (
    ModelMatrix,
    assemble,
    independent,
    keep,
    learn_matrix,
    of_slope,
    without_intercept,
)
from bayesmix.data.design.residual_blocks import learn_blocks
from bayesmix.data.design.response import Outcome, ResponseKind, incomplete_outcome, outcome
from bayesmix.data.design.rows import Rows, beside, stack
from bayesmix.data.design.sampling_errors import check_weights_beside, standard_errors
from bayesmix.data.design.smooth_terms import (
    learn_smooth_terms,
    smooths_of,
    unpenalised,
)
from bayesmix.data.design.term import Effects, make_term
from bayesmix.data.frame import open_table
from bayesmix.data.relation import Relation, read_relations
from bayesmix.errors import DataError, DroppedWarning, FormulaError, nearest, warn_user
from bayesmix.language.families.link import LINKS
from bayesmix.language.formula.imputed_predictors import plain_terms
from bayesmix.language.formula.parse import Bar, Formula
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import Terms, expand
from bayesmix.language.formula.vocabulary import POSITIONAL


def build(  # noqa: PLR0913 - what a design is made of
    formula: Formula | Sequence[Part],
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    response: ResponseKind = "numeric",
    contrasts: Mapping[str, str] | None = None,
    data2: Mapping[str, Any] | None = None,
) -> Design:
    """Build the design of a formula on data, column for column as lme4 does.

    Parameters
    ----------
    formula
        From `bayesmix.language.formula.parse`; or one `Part` for each linear predictor.
    data
        Any dataframe, dictionary of columns, or path of a file that `bayesmix.data.files` reads.
    weights, offset
        Name of a column, an expression, or an array with one value per row of the data. The offset is added to those
        of the first formula.
    response
        ``"binomial"`` reads ``cbind(s, f)``, ``s/n``, proportions with the trials as weights, 0 and 1, truth values,
        and factors of two levels, the first of which is failure. Each `Part` has its own.
    contrasts
        Names of contrasts by factor of the fixed part, such as ``{"f": "sum"}``. As in lme4, bars keep the defaults:
        treatment, and orthogonal polynomials for ordered factors.
    data2
        Relations of levels by the names that the formula has: ``(1 | gr(g, cov = A))`` with ``{"A": matrix}``.

    Returns
    -------
    Design
        Its rows are those without a missing value in any column that a formula names, also in a term removed with
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
    parts = [Part(formula, kind=response)] if isinstance(formula, Formula) else list(formula)
    table = data if isinstance(data, StayingTable) else open_table(data)
    arguments = read_arguments(weights=weights, offset=offset)
    fixed_terms = [plain_terms(expand(read(part.formula.fixed), dot_of(parts, table.names))) for part in parts]
    bars, relations = _bars(parts), read_relations(data2)
    responses = [
        ResponseEncoder(part.formula.response, part.kind, part.formula.additions)
        for part in parts
        if part.kind is not None
    ]

    smooths = smooths_of(parts, table)
    every = [*fixed_terms, *(one.terms for _, effects in bars for one in effects)]
    texts = [
        *(text for one in responses for text in one.texts(arguments.weights) if text != one.additions.trials),
        *(name for terms in every for name in terms.used),
        *(one.text for one in smooths),
        *(text for part in parts for text in part.formula.offsets if has_columns(text)),
        *arguments.texts,
    ]
    mentioned = needed_names((name for terms in every for name in terms.variables), table)
    correlated = parts[0].formula.residual
    groups = [
        *(text for bar, _ in bars for text in (*bar.group, *bar.grouping.texts)),
        *(name for bar, own in bars if bar.structure in POSITIONAL for one in own for name in one.terms.used),
        *(one.factor for one in smooths if one.factor),
        *(correlated.texts if correlated else ()),
    ]
    named = Named(texts, groups, mentioned, [one.additions for one in responses], smooths, every)
    data_read = read_variables(table, named, arguments)
    variables, rows = data_read.variables, data_read.rows

    fixed_terms = [one.with_variables(unpenalised(smooths, r, variables)) for r, one in enumerate(fixed_terms)]
    found = _fixed(parts, fixed_terms, variables, contrasts or {}, len(rows))
    learnt = learn_all_terms(bars, variables, relations)
    terms = sorted([*learnt, *learn_smooth_terms(smooths, variables)], key=lambda term: -len(term.levels))
    blocks = learn_blocks(correlated, variables, rows) if correlated else None
    numbers = blocks.structure.names if blocks else ()
    names = (
        *(part.name(name) for part, (matrix, *_) in zip(parts, found, strict=True) for name in matrix.names),
        *numbers,
    )
    check_names(names, terms)
    is_alone = len(parts) == 1
    observed = tuple(_outcome(one, data_read, arguments.weights, is_alone=is_alone) for one in responses)
    predictors = [
        PredictorEncoder(part.prefix, matrix, part.formula.offsets)
        for part, (matrix, *_) in zip(parts, found, strict=True)
    ]
    encoder = Encoder(
        tuple(predictors),
        tuple(responses),
        tuple(terms),
        kinds_of(data_read.columns, needed_names(texts, table)),
        data_read.memory,
        arguments.weights,
        arguments.offset,
        len(numbers),
    )
    layout = Layout(
        response=", ".join(one.text for one in responses),
        prefixes=tuple(part.prefix for part in parts),
        fixed=names,
        owners=(*(r for r, (matrix, *_) in enumerate(found) for _ in matrix.names), *_places(parts, numbers)),
        numbers={r: part.number for r, part in enumerate(parts) if part.number is not None}
        | dict.fromkeys(_places(parts, numbers), LINKS["logit"]),
        residual=(*(r for r, part in enumerate(parts) if part.is_residual), *_places(parts, numbers)),
        structure=blocks.structure if blocks else None,
        slopes={r: part.slope for r, part in enumerate(parts) if part.slope},
        copied={r: one.copied for r, one in enumerate(parts) if one.copied is not None},
        thresholds=tuple(r for r, part in enumerate(parts) if part.is_threshold),
        monotonic=tuple(r for r, part in enumerate(parts) if part.is_monotonic),
        simplexes={
            name: tuple(r for r, part in enumerate(parts) if part.simplex == name)
            for name in dict.fromkeys(part.simplex for part in parts if part.simplex)
        },
        dropped=tuple(part.prefix + name for part, (*_, own) in zip(parts, found, strict=True) for name in own),
        encoder=encoder,
        source=replace(_source(table.names, data_read, arguments, contrasts or {}), relations=_named(bars, relations)),
    )
    made = Rows(
        X=beside(stack([X for _, X, _ in found]), len(numbers)),
        offset=stacked_offset(encoder.offsets, variables, len(rows), [part.formula.is_implied for part in parts]),
        terms=tuple(make_term(term, variables, len(rows), predictors=range(len(parts))) for term in terms),
        index=rows,
        n_given=data_read.n_given,
        outside=np.zeros((len(rows), 0)),
        blocks=blocks,
        counts=data_read.counts,
    )
    return _read_only(Design(layout, made, observed))


def _places(parts: Sequence[Part], numbers: Sequence[str]) -> range:
    """What the numbers of a residual structure are counted as, behind the predictors of a row."""
    return range(len(parts), len(parts) + len(numbers))


def _bars(parts: Sequence[Part]) -> list[tuple[Bar, list[Effects]]]:
    """The bars and their effects; bars of one ID are one, on all the predictors that have it."""
    found: list[tuple[Bar, list[Effects]]] = []
    shared: dict[str, list[Effects]] = {}
    for r, part in enumerate(parts):
        for bar in part.formula.bars:
            effects = Effects(r, part.prefix, expand(read(bar.effects)))
            if bar.shared in shared:
                shared[bar.shared].append(effects)
                continue
            found.append((bar, [effects]))
            if bar.shared:
                shared[bar.shared] = found[-1][1]
    return found


def _outcome(response: ResponseEncoder, data: FormulaVariables, weights: str | None, *, is_alone: bool) -> Outcome:
    """What was observed of a response, with its own weights or those of the whole model.

    Known standard errors are weights where the mean's predictor is alone; elsewhere they are predictors themselves.
    """
    beside, variables, rows = response.additions, data.variables, data.rows
    check_weights_beside(beside, weights)
    if weights and beside.weights:
        raise DataError(f"Weights are given twice, as `weights({beside.weights})` and as `weights=`: leave one out.")
    given = prior_weights(weights, variables, rows)
    if beside.is_imputed:
        return incomplete_outcome(response.text, variables)
    found = outcome(response.text, variables, response.kind, given, rows=rows, trials=beside.trials)
    found = replace(found, bounds=bounds_of(beside, found.y, variables, rows))
    if beside.weights or data.counts is not None:
        multiplied = prior_weights(beside.weights or None, variables, rows)
        own = found.weights if multiplied is None else multiplied
        return replace(found, weights=own if data.counts is None else own * data.counts, is_counted=True)
    if not is_alone or not beside.se:
        return found
    return replace(found, weights=standard_errors(beside, variables) ** -2.0, has_known_noise=True)


def _source(
    names: Sequence[str], found: FormulaVariables, arguments: Arguments, contrasts: Mapping[str, str]
) -> Source:
    """Keep the columns in the order of the data; of those that were not read, only which values are missing."""
    gone = {name: Numeric(np.where(missing, np.nan, 0.0)) for name, missing in found.gone.items()}
    known = {**found.columns, **gone}
    columns = {name: known[name] for name in names if name in known}
    return Source(columns, arguments, dict(contrasts), frozenset(gone), condensed=found.condensed)


def _named(bars: Sequence[tuple[Bar, list[Effects]]], relations: Mapping[str, Relation]) -> dict[str, Relation]:
    """The relations that bars name."""
    names = dict.fromkeys(bar.grouping.cov for bar, _ in bars if bar.grouping.cov)
    return {name: relations[name] for name in names}


FAR = 1e-6  # range of a column, over its size, which R takes for constant

Fixed = tuple[ModelMatrix, Array, tuple[str, ...]]  # recipe, columns, and names of those left out


def _fixed(
    parts: Sequence[Part],
    terms: Sequence[Terms],
    variables: Mapping[str, Variable],
    contrasts: Mapping[str, str],
    n: int,
) -> list[Fixed]:
    """Fixed columns of each predictor, without those that depend linearly on others of the same predictor."""
    for name in contrasts:
        if not any(isinstance(variables.get(name), Factor) and name in one.used for one in terms):
            known = [text for one in terms for text in one.used if isinstance(variables[text], Factor)]
            raise DataError(f"`{name}` of the contrasts is not a factor of the fixed part.{nearest(name, known)}")
    found = [
        _columns(part, one, variables, {name: kind for name, kind in contrasts.items() if name in one.used}, n)
        for part, one in zip(parts, terms, strict=True)
    ]
    dropped = [part.prefix + name for part, (*_, own) in zip(parts, found, strict=True) for name in own]
    if dropped:
        message = f"Columns that depend linearly on others are left out: {', '.join(dropped)}."
        warn_user(message + _of_far_ones(dropped, variables), DroppedWarning)
    return found


def _of_far_ones(dropped: Sequence[str], variables: Mapping[str, Variable]) -> str:
    """What is to be said of columns that vary, but so little beside their size that they are as good as constant."""
    found = [(name, one.values) for name in dropped if isinstance(one := variables.get(name), Numeric)]
    ranges = [(name, np.nanmin(values), np.nanmax(values)) for name, values in found]
    far = [(name, low) for name, low, high in ranges if 0.0 < high - low < FAR * max(abs(low), abs(high))]
    return "".join(
        f" `{name}` differs from row to row in its last digits only: subtract {low:.0f} from it." for name, low in far
    )


def _columns(
    part: Part, terms: Terms, variables: Mapping[str, Variable], contrasts: Mapping[str, str], n: int
) -> Fixed:
    if not (part.has_intercept or terms.intercept):
        raise FormulaError(
            f"`{part.formula.text}` leaves the intercept out, in whose place this family has thresholds: write it"
            " without `0 +` or `- 1`."
        )
    matrix = learn_matrix(terms, variables, contrasts)
    X, dropped = assemble(matrix, variables, n), tuple[str, ...]()
    kept = independent(X)
    if len(kept) < len(matrix.names):
        dropped = tuple(name for j, name in enumerate(matrix.names) if j not in kept)
        matrix, X = keep(matrix, kept, X), X[:, kept]
    matrix = of_slope(matrix) if part.slope else matrix
    return (matrix, X, dropped) if part.has_intercept else (without_intercept(matrix), X[:, 1:], dropped)


def _read_only(design: Design) -> Design:
    observed = (a for outcome in design.outcomes for a in outcome.arrays)
    of_terms = (a for term in design.terms for a in (term.codes, term.z))
    for array in (*observed, design.X, design.offset, design.rows, *of_terms):
        array.setflags(write=False)
    return design
