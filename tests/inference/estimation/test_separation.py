"""Separation against its definition: no row moves the wrong way, some move, and where there is none there is none."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

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


# ---- categories --------------------------------------------------------------------------------------------------

LEVELS = ("a", "b", "c", "d")
ORDERED = ["cumulative", "sratio", "cratio", "acat"]


def categories(name, link="logit"):
    family = FAMILIES[name].with_levels(LEVELS, link, frozenset())
    return family, family.latent


def rows_of(name, y, x):
    """What must not fall in a row of category ``y``, by the definition of its probability: slopes, then levels."""
    K = len(LEVELS)
    if name == "categorical":  # columns: an intercept and slopes of each category but the first
        score = [np.kron(np.eye(K)[k][1:], np.r_[1.0, x]) for k in range(K)]
        return [score[y] - score[m] for m in range(K) if m != y]
    up = [np.r_[x, -np.eye(K - 1)[j]] for j in range(K - 1)]  # mu - tau_j
    if name == "cumulative":
        return [*([-up[y]] if y < K - 1 else []), *([up[y - 1]] if y else [])]
    if name == "acat":
        total = [sum(up[:k], np.zeros(len(up[0]))) for k in range(K)]
        return [total[y] - total[m] for m in range(K) if m != y]
    return [*(up[:y]), *([-up[y]] if y < K - 1 else [])]


def gain_of(name, y, x):
    """Sum over rows of how far they can move, at most one each: zero where nothing separates. By another programme."""
    A = np.array([row for k, own in zip(y, x, strict=True) for row in rows_of(name, int(k), own)])
    m, p = A.shape
    cost = np.r_[np.zeros(p), -np.ones(m)]
    bounds = [(None, None)] * p + [(0.0, 1.0)] * m
    return -linprog(cost, A_ub=np.hstack([-A, np.eye(m)]), b_ub=np.zeros(m), bounds=bounds).fun


def stacked(name, x):
    """Columns of all predictors of the family, one below the other."""
    n, K = len(x), len(LEVELS)
    if name == "categorical":
        return np.kron(np.eye(K - 1), np.column_stack([np.ones(n), x]))
    beside = np.kron(np.eye(K - 1), np.ones((n, 1)))
    return np.block([[x, np.zeros((n, K - 1))], [np.zeros((len(beside), x.shape[1])), beside]])


def small_sample(seed, *, n=30):
    """Four categories by a factor and a number; which of them depend on either differs by seed."""
    rng = np.random.default_rng(seed)
    f, z = rng.integers(0, 2, n).astype(float), rng.normal(size=n)
    latent = (
        rng.choice([0.0, 1.0, 9.0]) * f + rng.choice([0.0, 0.5, 5.0]) * z + rng.choice([0.1, 1.0]) * rng.normal(size=n)
    )
    y = np.searchsorted(np.quantile(latent, [0.25, 0.5, 0.75]), latent).astype(float)
    return np.column_stack([f, z]), y


@pytest.mark.parametrize("name", [*ORDERED, "categorical"])
@pytest.mark.parametrize("seeds", [range(8), pytest.param(range(8, 60), marks=pytest.mark.slow)], ids=["some", "more"])
def test_categories_are_separated_where_a_linear_programme_says_so(name, seeds):
    family, link = categories(name)
    found = []
    for seed in seeds:
        x, y = small_sample(seed)
        X = stacked(name, x)
        direction = separating_direction(X, y, np.ones(len(y)), family, link)
        gain = gain_of(name, y, x)
        found.append(direction is not None)
        assert found[-1] == (gain > 1e-6), (seed, gain)
        if direction is None:
            continue
        sides = endless_sides(X, y, np.ones(len(y)), family, link)
        assert all(sides[j, int(direction[j] > 0.0)] for j in np.flatnonzero(np.abs(direction) > 0.1))
    assert 0 < sum(found) < len(found)


@pytest.mark.parametrize(
    ("name", "link"), [(name, link) for name in ORDERED for link in ("logit", "probit", "cloglog")]
)
def test_the_likelihood_of_separated_categories_rises_without_end(name, link):
    family, latent = categories(name, link)
    rises = 0
    for seed in range(6):
        x, y = small_sample(seed)
        X = stacked(name, x)
        direction = separating_direction(X, y, np.ones(len(y)), family, latent)
        if direction is None:
            continue
        base = np.r_[0.3, -0.2, -1.0, 0.0, 1.0]
        etas = [(X @ (base + t * direction)).reshape(-1, len(y)) for t in (0.0, 1.0, 3.0, 6.0)]
        values = [float(family.log_density(y, np.ones(len(y)), *eta).sum()) for eta in etas]
        assert np.all(np.diff(values) > -1e-12)
        assert values[-1] > values[0] + 1e-3
        rises += 1
    assert rises


def test_categories_that_one_level_lacks_separate_scores_alone():
    """A level without one category: scores have no end, an order with both of its neighbours has."""
    f = np.repeat([0.0, 1.0], 12)
    y = np.r_[np.arange(12) % 4, [0, 2, 3] * 4].astype(float)
    x = np.column_stack([f, np.cos(np.arange(24.0))])
    is_separated = {
        name: separating_direction(stacked(name, x), y, np.ones(24), *categories(name)) is not None
        for name in (*ORDERED, "categorical")
    }
    assert is_separated == dict.fromkeys(ORDERED, False) | {"categorical": True}
