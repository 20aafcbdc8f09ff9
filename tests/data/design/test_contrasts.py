"""Contrast matrices as R's contr.* make them."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.data.design.contrasts import CONTRASTS, contrast, full_dummies
from bayesmix.errors import DesignError, SpecError

LEVELS = ("b", "a", "c", "d", "e")
ROOT = {k: np.sqrt(k) for k in (10, 14, 70)}
R = {  # R 4.2.2, five levels
    "treatment": (np.eye(5)[:, 1:], ("a", "c", "d", "e")),
    "sum": (np.vstack([np.eye(4), -np.ones(4)]), ("1", "2", "3", "4")),
    "helmert": (
        np.array([[-1, -1, -1, -1], [1, -1, -1, -1], [0, 2, -1, -1], [0, 0, 3, -1], [0, 0, 0, 4]]),
        ("1", "2", "3", "4"),
    ),
    "poly": (
        np.column_stack(
            [
                np.array([-2, -1, 0, 1, 2]) / ROOT[10],
                np.array([2, -1, -2, -1, 2]) / ROOT[14],
                np.array([-1, 2, 0, -2, 1]) / ROOT[10],
                np.array([1, -4, 6, -4, 1]) / ROOT[70],
            ]
        ),
        (".L", ".Q", ".C", "^4"),
    ),
}


@pytest.mark.parametrize("prefix", ["", "contr."])
@pytest.mark.parametrize("name", CONTRASTS)
def test_contrasts_are_those_of_R(name: str, prefix: str) -> None:
    matrix, suffixes = R[name]
    made = contrast(prefix + name, LEVELS)
    np.testing.assert_allclose(made.matrix, matrix, atol=1e-14)
    assert made.suffixes == suffixes
    assert made.levels == LEVELS


def test_treatment_contrasts_have_any_base() -> None:
    made = contrast("treatment", LEVELS, base=3)
    assert made.suffixes == ("b", "a", "d", "e")
    np.testing.assert_array_equal(made.matrix[2], np.zeros(4))


@pytest.mark.parametrize("count", [2, 3, 12, 25])
def test_polynomials_are_orthonormal_for_any_number_of_levels(count: int) -> None:
    matrix = contrast("poly", [str(i) for i in range(count)]).matrix
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(count - 1), atol=1e-12)
    assert matrix[-1, 0] > 0


def test_one_column_a_level() -> None:
    made = full_dummies(("x", "y"))
    np.testing.assert_array_equal(made.matrix, np.eye(2))
    assert made.suffixes == ("x", "y")


def test_problems_are_named() -> None:
    with pytest.raises(SpecError, match=r"no contrasts `helmrt`\. Did you mean `helmert`?"):
        contrast("helmrt", LEVELS)
    with pytest.raises(SpecError, match="no base 6 among 5 levels"):
        contrast("treatment", LEVELS, base=6)
    with pytest.raises(DesignError, match="single level `b`"):
        contrast("sum", LEVELS[:1])
