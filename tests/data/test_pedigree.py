"""Pedigrees: the sparse inverse against the tabular method."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesmix.data.pedigree import pedigree
from bayesmix.errors import DataError

# inbred: full sibs mated, a parent mated to its offspring, a self; half-known parents; a founder without a row
INBRED = pd.DataFrame(
    [
        ("i", "f", "g"),
        ("e", "a", "b"),
        ("f", "a", "b"),
        ("g", "e", "f"),
        ("h", "a", "g"),
        ("k", "h", "h"),
        ("m", "x", None),
        ("n", None, "i"),
        ("a", 0, 0),
        ("b", "NA", ""),
    ],
    columns=["id", "sire", "dam"],
)


def tabular(table):
    """Relationships by the tabular method (Emik and Terrill 1949), ancestors first."""
    unknown = {0, "0", "NA", "", None}
    parents = {
        row.id: [p for p in (row.sire, row.dam) if p == p and p not in unknown]
        for row in table.itertuples()  # NaN
    }
    parents |= {p: [] for own in list(parents.values()) for p in own if p not in parents}
    order = []
    while len(order) < len(parents):
        order += [one for one, own in parents.items() if one not in order and all(p in order for p in own)]
    A = pd.DataFrame(0.0, index=order, columns=order)
    for i, one in enumerate(order):
        for other in order[:i]:
            A.loc[one, other] = A.loc[other, one] = 0.5 * sum(A.loc[p, other] for p in parents[one])
        A.loc[one, one] = 1.0 + (0.5 * A.loc[parents[one][0], parents[one][1]] if len(parents[one]) == 2 else 0.0)
    return A


def generations(n=40, seed=4):
    rng, rows = np.random.default_rng(seed), []
    for i in range(n):
        known = [f"a{j}" for j in range(max(0, i - 12), i)]
        sire, dam = (rng.choice(known) if known and rng.random() < 0.8 else None for _ in range(2))
        rows.append((f"a{i}", sire, dam))
    return pd.DataFrame(rows, columns=["id", "sire", "dam"]).sample(frac=1.0, random_state=1)


@pytest.mark.parametrize("table", [INBRED, generations()], ids=["inbred", "generations"])
def test_relationships_are_those_of_the_tabular_method(table):
    relation, A = pedigree(table), tabular(table)
    own = A.loc[list(relation.labels), list(relation.labels)].to_numpy()
    np.testing.assert_allclose(relation.covariance(), own, atol=1e-12)
    np.testing.assert_allclose(relation.variances, np.diag(own), atol=1e-12)
    assert relation.log_det == pytest.approx(np.linalg.slogdet(own)[1], abs=1e-9)
    row, column, value = relation.precision
    P = np.zeros(own.shape)
    P[row, column] = P[column, row] = value
    np.testing.assert_allclose(P, np.linalg.inv(own), atol=1e-9)


def test_parents_without_rows_are_founders_before_their_offspring():
    relation = pedigree({"animal": [2, 3], "father": [1, 2], "mother": [None, np.nan]}, "animal", "father", "mother")
    assert relation.labels == ("1", "2", "3")


def test_the_inverse_is_sparse():
    assert len(pedigree(generations()).precision[0]) < 40 * 5


REFUSED = {
    "column": ({"id": ["a"], "sire": [None]}, "has no column `dam`"),
    "twice": ({"id": ["a", "a"], "sire": [None, None], "dam": [None, None]}, "`a` twice"),
    "without a name": ({"id": ["a", None], "sire": [None, None], "dam": [None, None]}, "Row 1 (counted from 0)"),
    "circle": ({"id": ["a", "b", "c"], "sire": ["b", "a", "a"], "dam": [None] * 3}, "its own ancestor"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    table, message = REFUSED[case]
    with pytest.raises(DataError) as caught:
        pedigree(table)
    assert message in str(caught.value)
