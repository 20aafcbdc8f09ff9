"""Conditional modes of many responses at once against those of each."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.conditional_mode import find_mode, generalized_problem
from bayesmix.inference.estimation.conditional_modes import find_modes, of_some, with_responses
from bayesmix.inference.estimation.laplace import laplace
from bayesmix.inference.least_squares.scaling import coordinates

EXACT = {"rtol": 1e-8, "atol": 1e-8}  # Newton's last step squares the error
CASES = {  # family, link, term
    "canonical": ("poisson", None, "(x | g)"),
    "scoring steps": ("poisson", "sqrt", "(1 | g) + (1 | h)"),
    "dispersion": ("negbinomial", None, "(1 | g)"),
    "trials": ("binomial", "probit", "(x || g)"),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """A problem, responses, and points one of which is on the boundary."""
    family, link, term = CASES[request.param]
    rng = np.random.default_rng(2)
    g, h, x = rng.integers(0, 6, 60), rng.integers(0, 5, 60), rng.normal(size=60)
    counts = rng.negative_binomial(1, 0.4, 60) if family == "negbinomial" else rng.integers(0, 5, 60)
    data = {"y": counts, "x": x, "g": [f"g{j}" for j in g], "h": [f"h{j}" for j in h]}
    response = "cbind(y, 6 - y)" if family == "binomial" else "y"
    model = bmx.Model(f"{response} ~ x + {term}", data, family=family, link=link)
    working = coordinates(model.design)
    problem = generalized_problem(model.design, working, model.spec)
    theta = 0.5 * np.abs(rng.normal(size=(4, working.size)))
    theta[0] = 0.0
    fixed = problem.X @ rng.normal(size=(2, 4)) * 0.1 + 1.5
    dispersion = np.exp(rng.normal(size=(4, 1))) if problem.has_dispersion else np.ones((4, 1))
    return problem, rng.integers(0, 6, (4, 60)).astype(float), theta, fixed.T, dispersion


def many(case):
    problem, y, theta, fixed, dispersion = case
    factors = problem.coordinates.by_factor(theta)
    zeros = [np.zeros((4, f.levels, f.k)) for f in problem.coordinates.factors]
    whole = with_responses(problem, y)
    return whole, factors, find_modes(whole, factors, fixed, dispersion, zeros)


def test_modes_are_those_of_each_response(case):
    problem, y, theta, fixed, dispersion = case
    _, _, found = many(case)
    for i in range(4):
        own = with_responses(problem, y[i])
        one = find_mode(own, problem.coordinates.by_factor(theta[i]), fixed[i], float(dispersion[i, 0]))
        np.testing.assert_allclose(found.objective[i], one.objective, rtol=1e-10)
        np.testing.assert_allclose(found.eta[i], one.eta, **EXACT)
        for many_u, u in zip((*found.u, *found.b), (*one.u, *one.b), strict=True):
            np.testing.assert_allclose(many_u[i], u, **EXACT)


def test_laplace_and_its_derivatives_are_those_of_each_response(case):
    problem, y, theta, fixed, dispersion = case
    whole, factors, found = many(case)
    slopes = laplace(whole, factors, found, dispersion)
    for i in range(4):
        own, own_factors = with_responses(problem, y[i]), problem.coordinates.by_factor(theta[i])
        mode = find_mode(own, own_factors, fixed[i], float(dispersion[i, 0]))
        one = laplace(own, own_factors, mode, float(dispersion[i, 0]))
        np.testing.assert_allclose(slopes.value[i], one.value, rtol=1e-10)
        np.testing.assert_allclose(slopes.by_eta[i], one.by_eta, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(np.broadcast_to(slopes.by_dispersion, 4)[i], one.by_dispersion, rtol=1e-6, atol=1e-6)
        for by, own_by in zip(slopes.by_factor, one.by_factor, strict=True):
            np.testing.assert_allclose(by[i], own_by, rtol=1e-6, atol=1e-6)


def test_the_start_changes_nothing(case):
    *_, fixed, dispersion = case
    whole, factors, found = many(case)
    far = [u + 0.3 for u in found.u]
    again = find_modes(whole, factors, fixed, dispersion, far)
    np.testing.assert_allclose(again.objective, found.objective, rtol=1e-10)
    beyond = find_modes(whole, factors, fixed, dispersion, [np.full_like(u, 1e200) for u in found.u])
    np.testing.assert_allclose(beyond.objective, found.objective, rtol=1e-10)


def test_points_without_a_value_are_infinite(case):
    problem, y, theta, fixed, dispersion = case
    fixed = fixed.copy()
    fixed[1] = 1e6
    whole = with_responses(problem, y)
    zeros = [np.zeros((4, f.levels, f.k)) for f in problem.coordinates.factors]
    try:
        found = find_modes(whole, problem.coordinates.by_factor(theta), fixed, dispersion, zeros)
    except np.linalg.LinAlgError:  # no factorisation either: the batch is halved until that point is alone
        return
    value = laplace(whole, problem.coordinates.by_factor(theta), found, dispersion).value
    assert np.isfinite(np.delete(value, 1)).all()


def test_some_of_the_responses(case):
    problem, y, *_ = case
    some = of_some(with_responses(problem, y), np.array([2, 0]))
    np.testing.assert_array_equal(some.likelihood.outcome.y, y[[2, 0]])
