"""Scaling, polynomials and splines: R's columns, on the data they learnt from and on other values."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lme4_designs import formula_reference, lme4_rows

from bayesmix.data.design.basis import (
    learn_bspline,
    learn_center,
    learn_cubic_regression,
    learn_natural_spline,
    learn_polynomial,
    learn_scaling,
)
from bayesmix.data.design.inputs import evaluate_all
from bayesmix.data.design.matrix import assemble, learn_matrix
from bayesmix.data.frame import open_table
from bayesmix.errors import DataError, SpecError
from bayesmix.language.formula.reader import read
from bayesmix.language.formula.terms import expand

CLOSE = {"rtol": 1e-8, "atol": 1e-9}  # R's figures have ten digits
BASES = formula_reference("bases.json")
ELSEWHERE = {"x": [-3.0, 0.0, 2.5, 5.0, 7.75, 12.0, 20.0]}  # beyond the boundary on both sides


@pytest.mark.parametrize("text", BASES)
def test_columns_are_those_of_R(text: str) -> None:
    table = open_table(lme4_rows()[:25])
    columns = table.read(table.names)
    memory: dict[str, Any] = {}
    terms = expand(read(f"0 + {text}"))
    variables = evaluate_all(terms.used, columns, memory, np.arange(25))
    matrix = learn_matrix(terms, variables, {})
    assert list(matrix.names) == BASES[text]["names"]
    np.testing.assert_allclose(assemble(matrix, variables, 25), np.array(BASES[text]["X"], float), **CLOSE)
    if "new" in BASES[text]:
        again = pickle.loads(pickle.dumps(memory))
        variables = evaluate_all(terms.used, open_table(ELSEWHERE).read("x"), again, np.arange(7))
        np.testing.assert_allclose(assemble(matrix, variables, 7), np.array(BASES[text]["new"], float), **CLOSE)


LEARNERS = {
    "scale": learn_scaling,
    "center": learn_center,
    "poly": lambda x: learn_polynomial(x, 3),
    "bs": lambda x: learn_bspline(x, df=5),
    "ns": lambda x: learn_natural_spline(x, df=4),
    "cr": lambda x: learn_cubic_regression(x, df=5),
}


def values_of(basis: Any, x: np.ndarray) -> np.ndarray:
    result = basis(x)
    return result if isinstance(result, np.ndarray) else result.values


@pytest.mark.parametrize("name", LEARNERS)
def test_missing_values_teach_nothing_and_stay_missing(name: str) -> None:
    x = np.linspace(0.0, 3.0, 20) ** 2
    holes = np.insert(x, [3, 7], np.nan)
    basis = LEARNERS[name](holes)
    np.testing.assert_array_equal(values_of(basis, x), values_of(LEARNERS[name](x), x))
    assert np.isnan(values_of(basis, holes)[3]).all()
    assert np.isfinite(np.delete(values_of(basis, holes), [3, 8], axis=0)).all()


def test_polynomials_are_orthonormal() -> None:
    x = np.random.default_rng(1).normal(size=50)
    z = values_of(learn_polynomial(x, 6), x)
    np.testing.assert_allclose(z.T @ z, np.eye(6), atol=1e-10)
    np.testing.assert_allclose(z.sum(axis=0), 0.0, atol=1e-10)


@given(st.integers(3, 8))
def test_cubic_regression_splines_interpolate_at_their_knots(df: int) -> None:
    basis = learn_cubic_regression(np.linspace(0, 1, 30) ** 2, df)
    np.testing.assert_allclose(values_of(basis, np.array(basis.knots)), np.eye(df), atol=1e-12)
    far = values_of(basis, np.array([2.0, 3.0, 4.0]))
    np.testing.assert_allclose(far[2] - far[1], far[1] - far[0])


def test_cubic_regression_splines_agree_with_formulaic() -> None:
    cubic_spline = pytest.importorskip("formulaic.transforms.cubic_spline").cubic_spline
    x = np.random.default_rng(2).normal(size=40)
    theirs = np.column_stack(list(cubic_spline(x, df=5).values()))
    np.testing.assert_allclose(values_of(learn_cubic_regression(x, 5), x), theirs, atol=1e-10)


X = np.linspace(0.0, 1.0, 9)
PROBLEMS: dict[str, Any] = {
    "A constant column cannot be scaled": lambda: learn_scaling(np.ones(4)),
    "fewer than two values": lambda: learn_scaling(np.array([1.0, np.nan])),
    "more than 9 different values": lambda: learn_polynomial(X, 9),
    "`degree` is a whole number, not 1.5": lambda: learn_polynomial(X, 1.5),
    "`degree` is between 1 and 1000, not 0": lambda: learn_polynomial(X, 0),
    "`raw` is TRUE or FALSE, not 3": lambda: learn_polynomial(X, 2, raw=3),  # type: ignore[arg-type]
    "`df` is between 3 and 1000, not 2": lambda: learn_bspline(X, df=2),
    "`intercept` is TRUE or FALSE": lambda: learn_natural_spline(X, intercept="a"),  # type: ignore[arg-type]
    "between the boundary knots 0 and 1": lambda: learn_bspline(X, knots=2.0),
    "No values are within": lambda: learn_natural_spline(X, df=3, Boundary_knots=(5.0, 6.0)),
    "at least two different values": lambda: learn_bspline(np.ones(5)),
    "needs as many different values": lambda: learn_cubic_regression(X, 10),
}


@pytest.mark.parametrize("message", PROBLEMS)
def test_what_cannot_be_learnt_is_refused(message: str) -> None:
    with pytest.raises((DataError, SpecError), match=message):
        PROBLEMS[message]()
