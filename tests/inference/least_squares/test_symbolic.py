"""The plan of an elimination against elimination of the dense pattern, entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
from dense import dense_Z
from elimination import EXACT, Problem, check_blocks
from handmade import LAYOUTS

from bayesmix.inference.least_squares.derivatives import sensitivity
from bayesmix.inference.least_squares.incidence import Factor, incidence
from bayesmix.inference.least_squares.symbolic import plan

# layout -> (factors eliminated block by block, size of the dense end)
ELIMINATED = {
    "one factor, k=1": (1, 0),
    "one factor, k=2": (1, 0),
    "one factor, k=3": (1, 0),
    "crossed": (1, 6),
    "three crossed": (1, 6 + 12),
    "nested": (2, 0),
    "nested in one level": (2, 0),
    "nested twice": (3, 0),
    "nested and crossed": (2, 8),
    "crossed between nested": (1, 5 + 12),
}


def test_every_layout_has_a_case():
    assert ELIMINATED.keys() == LAYOUTS.keys()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nested_factors_stay_blockwise(layout):
    problem = Problem(layout)
    assert (len(problem.plan.stages), problem.plan.q) == ELIMINATED[layout]


@pytest.mark.parametrize("layout", ["nested twice", "nested and crossed", "three crossed"])
def test_giving_up_on_blocks_changes_nothing(layout, monkeypatch):
    """Where an elimination would take too many products the rest is dense: same numbers."""
    expected = Problem(layout)
    before = expected.factorise()
    monkeypatch.setattr("bayesmix.inference.least_squares.symbolic.PAIR_LIMIT", 0)
    problem = Problem(layout)
    assert len(problem.plan.stages) == 1
    assert problem.plan.q == sum(factor.levels * factor.k for factor in problem.factors[1:])
    found = problem.factorise()
    np.testing.assert_allclose(found.log_determinant, before.log_determinant, **EXACT)
    np.testing.assert_allclose(found.XX, before.XX, **EXACT)
    inverse = problem.Lambda @ np.linalg.inv(problem.M) @ problem.Lambda.T
    check_blocks(problem, sensitivity(found, np.zeros((3, 3)), problem.pattern), inverse)


# ---- elimination of the dense pattern --------------------------------------------------------------------------------


def dense_pattern(factors):
    """Entries of ``Lambda'Z'WZ Lambda + I`` that may not be zero."""
    Z = dense_Z([Factor(f.codes, np.ones_like(f.z), f.levels) for f in factors]) != 0.0
    return Z.T.astype(int) @ Z.astype(int) > 0


def eliminated(pattern, levels, k):
    """The pattern that is left when levels are eliminated one after the other, by the definition of fill-in."""
    pattern = pattern.copy()
    for level in range(levels):
        met = np.any(pattern[level * k : (level + 1) * k], axis=0)
        pattern |= np.outer(met, met)
    return pattern[levels * k :, levels * k :]


def positions(row, column):
    return set(zip(row.tolist(), column.tolist(), strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_fill_in_is_that_of_the_dense_pattern(layout):
    problem = Problem(layout)
    pattern = dense_pattern(problem.factors)
    for stage in problem.plan.stages:
        degrees = [len(np.flatnonzero(np.any(pattern[j * stage.k : (j + 1) * stage.k], axis=0))) - stage.k for j in
                   range(stage.levels)]  # fmt: skip
        assert len(stage.couplings.edge_level) == sum(degrees)
        assert len(stage.couplings.first) == sum(d * (d + 1) // 2 for d in degrees)
        pattern = eliminated(pattern, stage.levels, stage.k)
        expected = np.triu(pattern)
        assert positions(stage.row, stage.column) == positions(*np.nonzero(expected))
        assert (stage.n_entries, stage.left) == (expected.sum(), len(pattern))
    assert positions(problem.plan.row, problem.plan.column) == positions(*np.nonzero(np.triu(pattern)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_are_listed_by_the_entry_they_add_to(layout):
    for stage in Problem(layout).plan.stages:
        pairs = stage.couplings
        first, second = pairs.edge_column[pairs.first], pairs.edge_column[pairs.second]
        np.testing.assert_array_equal(pairs.edge_level[pairs.first], pairs.edge_level[pairs.second])
        np.testing.assert_array_equal(stage.row[pairs.entry], np.minimum(first, second))
        np.testing.assert_array_equal(stage.column[pairs.entry], np.maximum(first, second))
        assert np.all(np.diff(pairs.entry) >= 0)


def crossed(first: int, second: int) -> list[Factor]:
    """Every level of one factor meets every level of the other."""
    i, j = np.divmod(np.arange(first * second), second)
    return [Factor(codes, np.ones((len(codes), 1)), levels) for codes, levels in ((i, first), (j, second))]


# Multiplications, by the costs stated beside `PAIR_COST`, of one factor of J levels that each meet all K of another:
# 20 J K (K + 1) / 2 products of couplings against those of the dense end, ((J + K)^3 - K^3) / 3 + 20 ((J + K)^2 - K^2)
@pytest.mark.parametrize(("J", "K", "stages"), [(12, 10, 0), (30, 3, 1), (60, 20, 1), (40, 30, 0), (100, 30, 1)])
def test_factors_that_meet_most_levels_of_others_stay_in_the_dense_end(J, K, stages):
    pairs, dense = 10 * J * K * (K + 1), ((J + K) ** 3 - K**3) / 3 + 20 * ((J + K) ** 2 - K**2)
    assert (pairs <= dense) == bool(stages)
    found = plan(incidence(crossed(J, K)))
    assert (len(found.stages), found.q) == (stages, K if stages else J + K)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_lists_of_products_and_dense_products_are_one(layout, monkeypatch):
    problem = Problem(layout)
    found, sizes = [], []
    for limit in (0, 10**9):
        monkeypatch.setattr("bayesmix.inference.least_squares.symbolic.SPARSE", limit)
        assert [stage.is_dense for stage in problem.plan.stages if len(stage.couplings.first)] == [
            limit > 0 for stage in problem.plan.stages if len(stage.couplings.first)
        ]
        found.append(problem.factorise())
        sizes.append([stage.numbers for stage in problem.plan.stages])
    np.testing.assert_allclose(found[0].XX, found[1].XX, **EXACT)
    np.testing.assert_allclose(found[0].log_determinant, found[1].log_determinant, **EXACT)
    for stage, pairs, numbers in zip(problem.plan.stages, *sizes, strict=True):
        assert pairs == (len(stage.couplings.first) if len(stage.couplings.first) else 0)
        assert numbers == stage.levels * stage.k * stage.left


def test_a_design_without_groups_has_an_empty_plan():
    empty = plan(incidence([]))
    assert (empty.stages, empty.shapes, empty.q, empty.n_source) == ((), (), 0, 0)
