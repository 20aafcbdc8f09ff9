"""Model matrices of random formulas against R's model.matrix, and the choice of independent columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lme4_designs import formula_reference, lme4_rows

from bayesmix.data.design.inputs import evaluate_all
from bayesmix.data.design.matrix import INTERCEPT, assemble, independent, keep, learn_matrix, outside
from bayesmix.data.frame import open_table
from bayesmix.errors import DataError, DesignError
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import expand

CLOSE = {"rtol": 1e-8, "atol": 1e-7}  # sums over 120 rows, given to ten digits
MATRICES = formula_reference("matrices.json")
MODULO = np.arange(1, 121) % 7


def matrix_of(text: str, rows: Any = None) -> tuple[Any, np.ndarray]:
    table = open_table(lme4_rows() if rows is None else rows)
    columns = table.read(name for name in table.names if name != "xm")
    terms = expand(read(text))
    n = table.count()
    variables = evaluate_all(terms.used, columns, {}, np.arange(n))
    matrix = learn_matrix(terms, variables, {})
    return matrix, assemble(matrix, variables, n)


@pytest.mark.parametrize("text", MATRICES)
def test_columns_are_those_of_R(text: str) -> None:
    expected = MATRICES[text]
    matrix, X = matrix_of(text)
    assert list(matrix.names) == [name.replace("(Intercept)", INTERCEPT) for name in expected["names"]]
    np.testing.assert_allclose(X.sum(axis=0), np.array(expected["sums"], float), **CLOSE)
    np.testing.assert_allclose(MODULO @ X, np.array(expected["weighted"], float), **CLOSE)
    kept = [matrix.names[j] for j in independent(X)]
    assert kept == [name.replace("(Intercept)", INTERCEPT) for name in expected["kept"]]


def test_independent_keeps_the_first_of_dependent_columns() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 30))
    assert independent(np.column_stack([a, 2 * a, b, a - b])) == (0, 2)
    assert independent(np.column_stack([np.zeros(30), a])) == (1,)
    assert independent(np.column_stack([1e-9 * a, b, a])) == (0, 1)
    assert independent(np.zeros((30, 0))) == ()
    assert independent(np.column_stack([a[:2], b[:2], a[2:4]])) == (0, 1)


@pytest.mark.parametrize(("tilt", "kept"), [(1e-6, (0, 1)), (1e-8, (0,))])
def test_the_tolerance_is_that_of_R(tilt: float, kept: tuple[int, ...]) -> None:
    a, b = np.random.default_rng(2).normal(size=(2, 50))
    assert independent(np.column_stack([a, a + tilt * b])) == kept


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_independent_columns_span_everything(seed: int, p: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20, rank)) @ rng.normal(size=(rank, p)) * 10.0 ** rng.integers(-4, 5, p)
    kept = independent(X)
    assert len(kept) == min(p, rank)
    assert np.linalg.matrix_rank(X[:, kept] / np.linalg.norm(X[:, kept], axis=0)) == len(kept)


def test_columns_can_be_left_out() -> None:
    matrix, X = matrix_of("x + f")
    some = keep(matrix, [1, 3], X)
    assert some.names == ("x", "fc")
    table = open_table(lme4_rows())
    variables = evaluate_all(["x", "f"], table.read(["x", "f"]), {}, np.arange(120))
    np.testing.assert_array_equal(assemble(some, variables, 120), X[:, [1, 3]])


def test_rows_outside_the_row_space_are_told_from_those_inside() -> None:
    """A row is inside if it is a combination of the rows of the fit, by a dense projection (emmeans' estimability)."""
    rng = np.random.default_rng(4)
    base = rng.normal(2000.0, 1.0, size=(40, 2)) * [1.0, 1e-6]
    f = rng.choice(list("ab"), 40)
    rows = {
        "x": base[:, 0],
        "w": 2.0 * base[:, 0] - 3e6 * base[:, 1],
        "z": base[:, 1],
        "f": f,
        "h": np.where(f == "a", "p", "q"),
    }
    terms = expand(read("x + z + w + f + h"))
    variables = evaluate_all(terms.used, open_table(rows).read(list(rows)), {}, np.arange(40))
    matrix = learn_matrix(terms, variables, {})
    X = assemble(matrix, variables, 40)
    kept = keep(matrix, independent(X), X)
    assert kept.dropped == (3, 5)
    new = {name: np.array(values[:6]) for name, values in rows.items()}
    new["x"] = new["x"] + [0.0, 1.0, 0.0, 1e-3, 5.0, 0.0]
    new["w"] = new["w"] + [0.0, 2.0, 2e-3, 0.0, 10.0, 0.0]
    new["h"][5] = {"p": "q", "q": "p"}[new["h"][5]]
    variables = evaluate_all(terms.used, open_table(new | {"f": list(new["f"])}).read(list(new)), {}, np.arange(6))
    everything, part = assemble(matrix, variables, 6), assemble(kept, variables, 6)
    size = np.abs(X).max(axis=0)
    _, s, V = np.linalg.svd(X / size)
    null = V[int(np.sum(s > 1e-9 * s[0])) :].T
    expected = np.any(np.abs(everything / size @ null) > 1e-8, axis=1)
    assert expected.tolist() == [False, False, True, True, False, True]
    np.testing.assert_array_equal(np.any(outside(kept, variables, part) != 0.0, axis=1), expected)


def test_contrasts_of_the_formula_win_over_those_of_the_argument() -> None:
    table = open_table(lme4_rows())
    terms = expand(read("f + C(h, sum)"))
    variables = evaluate_all(terms.used, table.read(["f", "h"]), {}, np.arange(120))
    matrix = learn_matrix(terms, variables, {"f": "helmert", "h": "poly"})
    assert matrix.names == (INTERCEPT, "f1", "f2", "C(h, sum)1")


def test_a_factor_needs_two_levels() -> None:
    with pytest.raises(DesignError, match="`f` has the single level `b`"):
        matrix_of("x + f", lme4_rows()[lme4_rows().f == "b"])
    matrix, X = matrix_of("bool", lme4_rows()[lme4_rows()["bool"]])
    assert matrix.names == (INTERCEPT, "boolTRUE")
    assert X.all()


def test_unseen_levels_of_new_data_are_named() -> None:
    matrix, _ = matrix_of("x * f")
    new = open_table({"x": [1.0, 2.0], "f": ["a", "q"]}).read("xf")
    with pytest.raises(DataError, match=r"`f` has levels not seen in fitting: `q`\. The fit knows `b`, `a`, `c`"):
        assemble(matrix, evaluate_all("xf", new, {}, np.arange(2)), 2)
    same = open_table({"x": [1.0, 2.0], "f": ["c", "a"]}).read("xf")
    np.testing.assert_array_equal(
        assemble(matrix, evaluate_all("xf", same, {}, np.arange(2)), 2), [[1, 1, 0, 1, 0, 1], [1, 2, 1, 0, 2, 0]]
    )
