"""Contrasts of terms: which terms contain which, and what each type of test adjusts for."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.data.design.design import Design
from bayesmix.data.design.matrix import with_all_levels, with_treatment, without_term
from bayesmix.data.design.recoded import recipe_of, recoded
from bayesmix.inference.estimation.term_contrasts import containing, term_contrasts


@pytest.mark.parametrize(
    ("right", "by_lmertest", "by_name"),
    [
        ("a * b", [[2], [2], []], [[2], [2], []]),
        ("a * x", [[], [2], []], [[2], [2], []]),  # the numbers of `a` and `a:x` differ
        ("a * poly(x, 2)", [[], [2], []], [[2], [2], []]),
        ("x + I(x^2)", [[], []], [[], []]),
        ("a + x", [[], []], [[], []]),
    ],
)
def test_terms_that_contain_others(right: str, by_lmertest: list[list[int]], by_name: list[list[int]]) -> None:
    matrix = recipe_of(_plain(right), 0)
    assert containing(matrix) == by_lmertest
    assert containing(matrix, within_numbers=False) == by_name


def _plain(right: str) -> Design:
    """Of data with all cells."""
    n = 24
    frame = pd.DataFrame(
        {
            "a": np.array(["u", "v", "w"])[np.arange(n) % 3],
            "b": np.array(["s", "t"])[np.arange(n) // 3 % 2],
            "x": np.random.default_rng(1).normal(size=n),
            "g": np.arange(n) % 4,
            "y": np.random.default_rng(2).normal(size=n),
        }
    )
    return bmx.Model(f"y ~ {right}", frame).design


def space(L: np.ndarray) -> np.ndarray:
    """Projection onto the rows, which says what hypothesis they are."""
    Q = np.linalg.qr(L.T)[0]
    return Q @ Q.T


def test_type_three_of_a_balanced_table_compares_plain_means() -> None:
    """The hypothesis on `a` is that the means of its levels over both levels of `b` are equal."""
    design = _plain("a * b")
    L = term_contrasts(design, 0, 3, np.eye(6))["a"]
    ((_, cells),) = recoded(design, 0, with_all_levels)
    rows = {(u, s): design.X[(cells[:, 1 + u] == 1) & (cells[:, 4 + s] == 1)][0] for u in range(3) for s in range(2)}
    means = [0.5 * (rows[u, 0] + rows[u, 1]) for u in range(3)]
    np.testing.assert_allclose(space(L), space(np.array([means[1] - means[0], means[2] - means[0]])), atol=1e-10)


def test_types_differ_where_a_term_is_contained() -> None:
    design = _plain("a * b")
    root = np.linalg.qr(design.X[1:], mode="r")  # without its first row the table is not balanced
    first, second, third = (term_contrasts(design, 0, kind, root) for kind in (1, 2, 3))  # type: ignore[arg-type]
    np.testing.assert_allclose(space(first["a:b"]), space(third["a:b"]), atol=1e-10)
    np.testing.assert_allclose(space(first["b"]), space(second["b"]), atol=1e-10)
    assert np.abs(space(first["a"]) - space(second["a"])).max() > 1e-3
    assert np.abs(space(second["a"]) - space(third["a"])).max() > 1e-3


def test_sequential_contrasts_are_uncorrelated_in_their_metric() -> None:
    """Rows of a Cholesky factor: with that metric's inverse as covariance, terms are independent of each other."""
    design = _plain("x + a * b")
    root = np.linalg.qr(design.X, mode="r")
    cov = np.linalg.inv(root.T @ root)
    by_term = list(term_contrasts(design, 0, 1, root).values())
    for i, first in enumerate(by_term):
        for second in by_term[:i]:
            np.testing.assert_allclose(first @ cov @ second.T, 0.0, atol=1e-10)


def test_recipes_of_other_codings() -> None:
    design = _plain("0 + a + b")
    (every, cells), (treatment, T), (less, without) = recoded(
        design, 0, with_all_levels, with_treatment, partial(without_term, term=0)
    )
    assert every.names == ("au", "av", "aw", "bs", "bt")
    assert treatment.names == ("au", "av", "aw", "bt")
    assert less.names == ("bs", "bt")
    np.testing.assert_array_equal(cells[:, 3:], without)
    np.testing.assert_array_equal(T, design.X)
