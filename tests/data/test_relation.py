"""Relations of levels: a covariance matrix with labels, and what it is refused for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesmix.data.relation import read_relations, relation_of
from bayesmix.errors import DataError, SpecError

LEVELS = list("abcdefgh")


def matrix(seed=1, J=8):
    root = np.random.default_rng(seed).normal(size=(J, J + 4))
    return root @ root.T / J


def table(A=None, index=LEVELS, columns=LEVELS):
    return pd.DataFrame(matrix() if A is None else A, index=index, columns=columns)


def test_algebra_is_that_of_the_matrix():
    A, v = matrix(), np.random.default_rng(2).normal(size=(3, 8, 2))
    relation = relation_of(table(A), "A")
    P = np.linalg.inv(A)
    row, column, value = relation.precision
    upper = np.zeros((8, 8))
    upper[row, column] = value
    np.testing.assert_allclose(upper, np.triu(P), atol=1e-12)
    assert relation.log_det == pytest.approx(np.linalg.slogdet(A)[1], abs=1e-12)
    np.testing.assert_allclose(relation.times_covariance(v), np.einsum("ij,sjk->sik", A, v), atol=1e-12)
    np.testing.assert_allclose(relation.times_precision(v), np.einsum("ij,sjk->sik", P, v), atol=1e-12)
    np.testing.assert_allclose(relation.quadratic(v), np.einsum("sik,ij,sjk->s", v, P, v), rtol=1e-12)
    np.testing.assert_allclose(relation.variances, np.diag(A), rtol=1e-12)
    root = relation.correlated(np.eye(8))
    np.testing.assert_allclose(root @ root.T, A, atol=1e-12)


def test_columns_may_stand_in_another_order():
    shuffled = table()[list("hgfedcba")]
    np.testing.assert_allclose(relation_of(shuffled, "A").covariance(), matrix(), atol=1e-12)


def test_labels_are_read_as_levels_are():
    assert relation_of(table(np.eye(2), [1.0, 2.0], [1, 2]), "A").labels == ("1", "2")


def changed(i, j, value):
    A = matrix()
    A[i, j] = value
    return A


REFUSED = {
    "array": (matrix(), "which row is of which level"),
    "no labels of columns": (table(columns=range(8)), "not called alike"),
    "twice": (table(index=["a", *"abcdefg"], columns=["a", *"abcdefg"]), "has `a` twice"),
    "missing": (table(changed(0, 1, np.nan)), "nan in row `a`, column `b`"),
    "asymmetric": (table(changed(0, 1, 2.0)), "not symmetric: 2 for `a` and `b`"),
    "negative": (table(changed(3, 3, -1.0)), "not positive definite: its smallest eigenvalue is -"),
    "singular": (table(np.ones((8, 8))), "0.99 * A + 0.01 * I"),
    "text": (table(np.full((8, 8), "x", object)), "no numbers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    given, message = REFUSED[case]
    with pytest.raises(DataError) as caught:
        relation_of(given, "A")
    assert message in str(caught.value)


def test_data2_is_a_dictionary():
    assert read_relations(None) == {}
    with pytest.raises(SpecError, match="dictionary of matrices by name"):
        read_relations(table())


def test_print_names_levels_and_size():
    """Of 10 000 animals it was a page of numbers."""
    few = relation_of(table(np.eye(3), list("abc"), list("abc")), "A")
    assert repr(few) == "Relation of 3 levels: a, b, c\nRoot of its precision: 3 entries"
    labels = [f"a{i}" for i in range(9)]
    many = repr(relation_of(table(np.eye(9), labels, labels), "A"))
    assert many.splitlines()[0] == "Relation of 9 levels: a0, a1, a2, a3, a4, ..., a8"
