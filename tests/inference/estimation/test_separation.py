"""Separation against its definition: no row moves the wrong way, some move, and where there is none there is none."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from bayesmix.inference.estimation.separation import endless_sides, is_unbounded, separating_direction
from bayesmix.language.families.link import LINKS
from bayesmix.language.families.registry import FAMILIES

RNG = np.random.default_rng(5)
X = np.column_stack([np.ones(40), RNG.normal(size=(40, 2))])
TRIALS = np.full(40, 2.0)
BINOMIAL, POISSON = FAMILIES["binomial"], FAMILIES["poisson"]


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_separating_directions_are_those_of_the_definition(link):
    """Overlapping outcomes have none; along a direction that is found no row moves the wrong way."""
    mixed = RNG.integers(0, 3, 40).astype(float)
    assert separating_direction(X, mixed, TRIALS, BINOMIAL, LINKS[link]) is None
    y = np.where(X @ [0.2, 1.0, -1.0] > 0.0, 2.0, 0.0)
    direction = separating_direction(X, y, TRIALS, BINOMIAL, LINKS[link])
    assert np.all(np.where(y > 0, 1.0, -1.0) * (X @ direction) >= -1e-9)
    assert np.abs(X @ direction).max() > 0.1
    y[:] = 1.0
    assert separating_direction(X, y, TRIALS, BINOMIAL, LINKS[link]) is None


def test_rows_between_the_edges_must_stay():
    """One success of two in a row that only the first predictor moves leaves the second to run off."""
    f, x = np.repeat([0.0, 1.0], 20), np.tile([0.0, 1.0], 20)
    columns = np.column_stack([np.ones(40), f, x])
    y = np.where(f == 1.0, 2.0, RNG.integers(0, 3, 40).astype(float))
    y[:6] = [1.0, 1.0, 0.0, 2.0, 2.0, 0.0]
    direction = separating_direction(columns, y, TRIALS, BINOMIAL, LINKS["logit"])
    inside = y == 1.0
    np.testing.assert_allclose(columns[inside] @ direction, 0.0, atol=1e-9)
    assert direction[1] > 0.1
    np.testing.assert_allclose(direction[[0, 2]], 0.0, atol=1e-9)


def test_counts_of_zero_run_off_downwards_only():
    f = np.repeat([0.0, 1.0], 20)
    columns = np.column_stack([np.ones(40), f])
    y = np.where(f == 1.0, 0.0, 1.0 + RNG.integers(0, 3, 40))
    direction = separating_direction(columns, y, np.ones(40), POISSON, LINKS["log"])
    assert direction[1] < -0.1
    assert direction[0] == pytest.approx(0.0, abs=1e-9)
    assert separating_direction(columns, y + (f == 1.0), np.ones(40), POISSON, LINKS["log"]) is None  # ones are no edge


@pytest.mark.parametrize("seed", range(4))
def test_sides_without_an_end_are_those_of_all_sign_patterns(seed):
    """Of an intercept and a factor: a coefficient has no end where a level has one outcome only, by hand."""
    rng = np.random.default_rng(seed)
    level = np.repeat([0, 1, 2], 12)
    columns = np.eye(3)[level]
    kinds = rng.choice(["zeros", "ones", "both"], 3)
    y = np.concatenate(
        [{"zeros": np.zeros(12), "ones": np.ones(12), "both": np.arange(12) % 2}[kind] for kind in kinds]
    )
    found = endless_sides(columns, y, np.ones(36), BINOMIAL, LINKS["logit"])
    np.testing.assert_array_equal(found, [[kind == "zeros", kind == "ones"] for kind in kinds])
    if set(kinds) == {"both"}:
        assert separating_direction(columns, y, np.ones(36), BINOMIAL, LINKS["logit"]) is None


def test_contrasts_of_levels_that_run_off_have_no_end_either():
    """Level 0 of failures, level 1 of both: in treatment coding the intercept runs down, the difference up."""
    level = np.repeat([0.0, 1.0], 12)
    y = np.r_[np.zeros(12), np.arange(12) % 2]
    found = endless_sides(np.column_stack([np.ones(24), level]), y, np.ones(24), BINOMIAL, LINKS["logit"])
    np.testing.assert_array_equal(found, [[True, False], [False, True]])
    assert not endless_sides(np.zeros((24, 0)), y, np.ones(24), BINOMIAL, LINKS["logit"]).size


def test_links_on_which_means_reach_their_edge_at_infinity():
    found = {(family.name, link) for family, link in product(FAMILIES.values(), LINKS) if link in family.links
             and is_unbounded(family, LINKS[link])}  # fmt: skip
    assert {("bernoulli", "logit"), ("binomial", "cloglog"), ("poisson", "log"), ("negbinomial", "log")} <= found
    assert not {("gaussian", "identity"), ("gamma", "log"), ("poisson", "identity"), ("poisson", "sqrt")} & found
