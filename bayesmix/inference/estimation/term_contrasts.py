"""Hypotheses that a term says nothing: contrasts of the fixed effects of types I, II and III.

Type I is sequential: each term after those before it. Type II: each term after all that do not contain it. Type III:
each term as if all cells had the same weight, the contrasts of terms that contain it being taken out (Goodnight 1978,
*SAS Technical Report* R-101; Kuznetsova, Brockhoff and Christensen 2017, sec. 3). A term contains another where it has
the same numbers and more factors.

What "after" means is a matter of a metric ``R' R`` of the coefficients: the cross-products of the columns, as in SAS
and lmerTest, or their information, by which a Wald test is that of the model without the terms that come later, as in
car.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.matrix import ModelMatrix, independent, with_all_levels, with_treatment
from bayesmix.data.design.recoded import recipe_of, recoded
from bayesmix.errors import PredictionWarning, warn_user

Type = Literal[1, 2, 3]

SMALL = 1e-8  # sum of a contrast's absolute entries below which it is none


def term_contrasts(
    design: Design, predictor: int, kind: Type, root: Array, *, within_numbers: bool = True
) -> dict[str, Array]:
    """Contrasts ``(q, p)`` of the coefficients of one predictor, by term; without rows where columns were left out.

    Parameters
    ----------
    kind : 1, 2 or 3.
    root : ``(p, p)`` of the metric, of the first two types.
    within_numbers : whether terms with other numbers are contained in none, as in lmerTest; else by names alone, as in
        car.

    Warns
    -----
    PredictionWarning
        Where type III contrasts are of a table with cells that have no rows.
    """
    matrix = recipe_of(design, predictor)
    contains = containing(matrix, within_numbers=within_numbers)
    if kind == 3 and len(contains) > 1:
        found = _type_three(design, predictor, matrix, contains)
    elif kind == 2 and len(contains) > 1:
        found = [_second(matrix, root, later, t) for t, later in enumerate(contains)]
    else:
        found = [_sequential(matrix, root, range(t + 1, len(contains)), t) for t in range(len(contains))]
    return dict(zip(matrix.terms.labels, found, strict=True))


def containing(matrix: ModelMatrix, *, within_numbers: bool = True) -> list[list[int]]:
    """The terms that contain each term."""
    sets = [set(term) for term in matrix.terms.terms]
    factors = {v for v, name in enumerate(matrix.terms.variables) if name in matrix.codings}
    return [
        [t for t, other in enumerate(sets) if own < other and (not within_numbers or other - own <= factors)]
        for own in sets
    ]


def marginal(matrix: ModelMatrix, term: int) -> Array:
    """Contrasts of a term after all others: its coefficients themselves."""
    return np.asarray(np.eye(len(matrix.kept))[matrix.columns_of(term)])


def _second(matrix: ModelMatrix, root: Array, later: Sequence[int], term: int) -> Array:
    return _sequential(matrix, root, later, term) if later else marginal(matrix, term)


def _sequential(matrix: ModelMatrix, root: Array, later: Sequence[int], term: int) -> Array:
    """Contrasts of a term in the model without the terms that come later: rows of a Cholesky factor (Doolittle's)."""
    own = matrix.columns_of(term)
    rest = [j for t in later for j in matrix.columns_of(t)]
    before = [j for j in range(len(matrix.kept)) if j not in {*own, *rest}]
    order = [*before, *own, *rest]
    rows = np.linalg.qr(root[:, order], mode="r")[len(before) : len(before) + len(own)]
    L = np.zeros((len(own), len(order)))
    L[:, order] = rows / np.diagonal(rows, offset=len(before))[:, None]
    return L


# ---- type III ---------------------------------------------------------------------------------------------------


def _type_three(design: Design, predictor: int, matrix: ModelMatrix, contains: Sequence[Sequence[int]]) -> list[Array]:
    """Contrasts by estimable functions of the parameters of all cells; they do not depend on the coding of factors."""
    (every, cells), (treatment, T) = recoded(design, predictor, with_all_levels, with_treatment)
    _check_cells(every, cells)
    kept = list(independent(T))
    T, names = T[:, kept], [_key(treatment, j) for j in kept]
    functions = np.linalg.lstsq(T, cells, rcond=None)[0].T  # (all, kept): what each coefficient says of the cells
    own = [[i for i, (t, _) in enumerate(names) if t == term] for term in range(len(contains))]
    for term in sorted(range(len(contains)), key=lambda t: -len(matrix.terms.terms[t])):
        others = [i for t in contains[term] for i in own[t]]
        functions[:, own[term]] = _without(functions[:, own[term]], functions[:, others])
    places = {_key(every, j): j for j in range(len(every.names))}
    in_treatment = functions[[places[name] for name in names]]
    carried = np.linalg.lstsq(T, _own_columns(design, predictor, matrix), rcond=None)[0]
    found = [in_treatment[:, columns].T @ carried for columns in own]
    return [L[np.abs(L).sum(axis=1) > SMALL][:, int(matrix.implies_intercept) :] for L in found]


def _key(matrix: ModelMatrix, column: int) -> tuple[int, str]:
    return matrix.assign[column], matrix.names[column]


def _own_columns(design: Design, predictor: int, matrix: ModelMatrix) -> Array:
    """The columns ``(n, p)`` of a predictor, behind one of ones where something else is in place of the intercept."""
    X = design.X[design.block(predictor), design.of_predictor(predictor)]
    return np.column_stack([np.ones(len(X)), X]) if matrix.implies_intercept else X


def _without(columns: Array, others: Array) -> Array:
    """Residuals of columns on others."""
    if not others.size or not columns.size:
        return columns
    return np.asarray(columns - others @ np.linalg.lstsq(others, columns, rcond=1e-10)[0])


def _check_cells(every: ModelMatrix, cells: Array) -> None:
    empty = [name for name, column in zip(every.names, cells.T, strict=True) if not column.any()]
    if empty:
        shown = ", ".join(empty[:10]) + ", ..." * (len(empty) > 10)
        warn_user(
            f"Tests of type III where cells have no rows depend on which those are: {shown}. Types 1 and 2 do not.",
            PredictionWarning,
        )
