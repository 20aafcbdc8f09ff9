"""The order in which levels that are not independent are eliminated: each once, in sets that do not touch."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.data.pedigree import pedigree
from bayesmix.inference.least_squares.elimination_order import eliminated_sets, penalty_entries
from bayesmix.inference.least_squares.incidence import Factor, incidence
from bayesmix.inference.least_squares.symbolic import plan


def herd(n=400, seed=1):
    """Four generations: few sires, many dams."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(n):
        before = i - i % 100
        parents = (before - rng.integers(0, 5), before - 9 - rng.integers(0, 60)) if before else (None, None)
        rows.append((i + 1, *parents))
    table = dict(zip(("id", "sire", "dam"), zip(*rows, strict=True), strict=True))
    return pedigree(table)


@pytest.fixture(scope="module")
def pattern():
    relation, rng = herd(), np.random.default_rng(2)
    animals = Factor(np.arange(400), np.column_stack([np.ones(400), rng.normal(size=400)]), 400, relation)
    return incidence([animals, Factor(rng.integers(0, 30, 400), np.ones((400, 1)), 30)])


def touching(pattern):
    """Which columns have an entry in ``Z'Z + P x I``, by dense matrices."""
    (relation, _), total = pattern.relations, 830
    row, column, _ = relation.precision
    P = np.zeros((400, 400), bool)
    P[row, column] = P[column, row] = True
    M = np.zeros((total, total), bool)
    M[:800, :800] = np.kron(P, np.eye(2, dtype=bool)) | np.kron(np.eye(400, dtype=bool), np.ones((2, 2), bool))
    (pair,) = pattern.pairs
    for i, j in zip(pair.i, pair.j, strict=True):
        M[2 * i : 2 * i + 2, 800 + j] = M[800 + j, 2 * i : 2 * i + 2] = True
    M[800:, 800:] = np.eye(30, dtype=bool)
    return M


def test_sets_hold_each_column_once_and_do_not_touch_when_their_turn_comes(pattern):
    M = touching(pattern)
    pieces = eliminated_sets(pattern, np.nonzero(np.triu(M)), np.array([0, 800, 830]))
    order = np.concatenate([piece.columns for piece in pieces])
    np.testing.assert_array_equal(np.sort(order), np.arange(830))
    assert len(pieces) > 3
    for piece in pieces[:-1]:
        levels, k = piece.shape
        inside = M[np.ix_(piece.columns, piece.columns)]
        assert not np.any(inside & ~np.kron(np.eye(levels, dtype=bool), np.ones((k, k), bool)))
        for level in piece.columns.reshape(levels, k):
            around = M[level].any(axis=0)
            M |= np.outer(around, around)
        M[piece.columns] = M[:, piece.columns] = False


def test_animals_without_offspring_come_first(pattern):
    first = eliminated_sets(pattern, np.nonzero(np.triu(touching(pattern))), np.array([0, 800, 830]))[0]
    assert first.columns.max() < 800


def test_penalties_are_precisions_for_each_effect(pattern):
    own = penalty_entries(pattern, np.array([0, 800, 830]))
    relation = pattern.relations[0]
    M = np.zeros((830, 830))
    M[own.row, own.column] = own.value
    row, column, value = relation.precision
    P = np.zeros((400, 400))
    P[row, column] = value
    np.testing.assert_array_equal(M[:800, :800], np.kron(P, np.eye(2)))
    np.testing.assert_array_equal(M[800:, 800:], np.eye(30))
    assert own.log_det == pytest.approx(2.0 * relation.log_det)


def test_what_is_left_is_small(pattern):
    found = plan(pattern)
    assert found.nested == 0
    assert len(found.stages) > 2
    assert found.q < 400
