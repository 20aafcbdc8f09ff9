"""Searches that end on the boundary, against toy objectives; conditional covariances against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from dense import dense_Lambda, dense_Z
from handmade import level_codes, make_design, make_term, with_x

from bayesmix.inference.estimation.boundary import (
    SINGULAR,
    can_follow,
    conditional_covariances,
    initial_factors,
    search,
    settle,
)
from bayesmix.inference.estimation.optimise import Optimum, Status, minimise
from bayesmix.inference.estimation.reml import linear_problem, solve_linear
from bayesmix.inference.estimation.restart import Restarts
from bayesmix.inference.least_squares.scaling import coordinates

N = 40


def design_of(*, k=1, levels=6, n=N):
    rng = np.random.default_rng(1)
    z = with_x(rng, n)[:, :k]
    terms = [make_term("g", level_codes(rng, n, levels), z), make_term("h", level_codes(rng, n, 4), np.ones((n, 1)))]
    return make_design(rng.normal(size=n), with_x(rng, n), terms)


@pytest.fixture(scope="module")
def intercepts():
    """Two terms of one effect each: theta is the two relative standard deviations."""
    return coordinates(design_of())


def optimum_at(x, objective, *, status=Status.CONVERGED, hessian=None):
    value, gradient = objective(x)
    return Optimum(x, value, gradient, np.eye(len(x)) if hessian is None else hessian, 1, status)


def bowl(centre, scale=1.0):
    return lambda x: (0.5 * scale * float(np.sum((x - centre) ** 2)), scale * (x - centre))


@pytest.mark.parametrize("k", [1, 2])
def test_conditional_covariances_are_dense_ones(k):
    """``scale C Lambda (Lambda'Z'Z Lambda + I)^-1 Lambda' C'`` of each level."""
    design = design_of(k=k)
    working = coordinates(design)
    theta = np.random.default_rng(2).normal(size=working.size)
    solution = solve_linear(linear_problem(design, working), theta)
    found = conditional_covariances(working, solution.factorisation, 2.5)
    Z, Lambda = dense_Z(working.factors), dense_Lambda(working.factors, working.by_factor(theta))
    whole = Lambda @ np.linalg.inv(Lambda.T @ Z.T @ Z @ Lambda + np.eye(Z.shape[1])) @ Lambda.T
    begin = 0
    for term, C, own in zip(design.terms, working.C, found, strict=True):
        size = len(term.effects)
        for level in range(len(term.levels)):
            block = slice(begin + level * size, begin + (level + 1) * size)
            np.testing.assert_allclose(own[level], 2.5 * C @ whole[block, block] @ C.T, atol=1e-10)
        begin += size * len(term.levels)


def test_searches_start_at_multiples_of_the_identity():
    working = coordinates(design_of(k=2))
    for Lambda in working.by_factor(initial_factors(working, 0.3)):
        np.testing.assert_allclose(Lambda, 0.3 * np.eye(len(Lambda)), atol=1e-12)


@pytest.mark.parametrize(("levels", "follows"), [(33, False), (34, True), (35, True)])
def test_effects_follow_every_row_where_they_are_as_many(levels, follows):
    """40 rows against two fixed effects, four levels of `h` and those of `g`."""
    assert can_follow(coordinates(design_of(levels=levels))) == follows


@pytest.mark.parametrize(
    ("size", "is_zero"), [(0.5 * SINGULAR, True), (-0.5 * SINGULAR, True), (2.0 * SINGULAR, False)]
)
def test_variances_that_vanish_are_zero(intercepts, size, is_zero):
    objective = bowl(np.array([1.0, 0.0]))
    found, singular = settle(intercepts, optimum_at(np.array([1.0, size]), objective), objective)
    assert singular == ((1,) if is_zero else ())
    np.testing.assert_array_equal(found.x, [1.0, 0.0 if is_zero else size])
    assert found.value == (0.0 if is_zero else objective(np.array([1.0, size]))[0])


def test_a_variance_stays_where_zero_is_worse(intercepts):
    """Singular it is by its size; the estimate is where the criterion is lowest."""
    x = np.array([1.0, 0.5 * SINGULAR])
    objective = bowl(x, 1e12)
    found, singular = settle(intercepts, optimum_at(x, objective), objective)
    assert singular == (1,)
    np.testing.assert_array_equal(found.x, x)


@pytest.mark.parametrize(
    ("curvatures", "status"),
    [
        ([1.0, 0.0], Status.CONVERGED),  # flat along the variance that is zero only
        ([0.0, 1.0], Status.FLAT),  # flat along one that is not
    ],
)
def test_a_ridge_of_a_vanished_variance_is_none(intercepts, curvatures, status):
    objective = bowl(np.array([1.0, 0.0]))
    flat = optimum_at(np.array([1.0, 1e-6]), objective, status=Status.FLAT, hessian=np.diag(curvatures))
    found, singular = settle(intercepts, flat, objective)
    assert singular == (1,)
    assert found.status is status


def two_wells(lower):
    """``x^2 (x - 2)^2 - lower x^2 / 4`` of the second coordinate: minima at 0 and about 2, that one lower."""

    def objective(x):
        a, b = x
        value = (a - 1.0) ** 2 + b**2 * (b - 2.0) ** 2 - 0.25 * lower * b**2
        slope = 2.0 * b * (b - 2.0) ** 2 + 2.0 * b**2 * (b - 2.0) - 0.5 * lower * b
        return value, np.array([2.0 * (a - 1.0), slope])

    return objective


def searched(working, objective, start, again):
    """What a search finds, and what its restarts were asked."""
    asked = []

    def starts(x, singular, is_doubtful):
        asked.append((tuple(singular), is_doubtful))
        yield from again

    return *search(working, objective, start, restarts=Restarts(starts), accurate=True), asked


@pytest.mark.parametrize("lower", [0.5, -0.5])
def test_searches_that_end_on_the_boundary_start_again_inside(intercepts, lower):
    """And take what is lower there, not what is higher; what is lower is in doubt once more."""
    objective, inside = two_wells(lower), np.array([1.0, 1.9])
    found, singular, asked = searched(intercepts, objective, np.array([1.0, 1e-3]), [inside])
    assert asked == ([((1,), True), ((), False)] if lower > 0.0 else [((1,), True)])
    expected = minimise(objective, inside).x if lower > 0.0 else [1.0, 0.0]
    np.testing.assert_allclose(found.x, expected, atol=1e-6)
    assert singular == (() if lower > 0.0 else (1,))


def test_searches_that_end_inside_are_not_in_doubt(intercepts):
    found, singular, asked = searched(intercepts, bowl(np.array([1.0, 2.0])), np.ones(2), [])
    np.testing.assert_allclose(found.x, [1.0, 2.0], atol=1e-8)
    assert singular == ()
    assert asked == [((), False)]


def test_effects_that_may_follow_every_row_leave_doubt():
    working = coordinates(design_of(levels=35))
    *_, asked = searched(working, bowl(np.array([1.0, 2.0])), np.ones(2), [])
    assert asked == [((), True)]
