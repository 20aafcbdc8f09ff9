"""Searches that go on together: each ends where SciPy's search from its start does, or where another has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import bayesmix as bmx
from bayesmix.inference.estimation import linear
from bayesmix.inference.estimation.multistart import differenced, multistart
from bayesmix.inference.estimation.reml import criteria, criterion, linear_problem
from bayesmix.inference.least_squares.scaling import coordinates

ROUGH = 1e-3  # slope at which searches end


def two_valleys(x: np.ndarray) -> np.ndarray:
    """Minima near (1, 0) and (-1, 0), the second one lower."""
    return (x[:, 0] ** 2 - 1.0) ** 2 + 0.2 * x[:, 0] + 0.5 * (x[:, 1] - 0.3 * x[:, 0]) ** 2


def one(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], float]:
    return lambda x: float(function(x[None])[0])


def test_each_search_ends_in_its_valley() -> None:
    starts = np.array([[1.5, 2.0], [0.7, -1.0], [-0.6, 0.2], [-2.0, 3.0]])
    ends, heights = multistart(differenced(two_valleys), starts, tolerance=1e-6)
    for start, end, height in zip(starts, ends, heights, strict=True):
        right = minimize(one(two_valleys), start, tol=1e-10)
        np.testing.assert_allclose(end, right.x, atol=1e-5)
        assert height == pytest.approx(right.fun, abs=1e-10)


def test_narrow_valleys_are_followed() -> None:
    """Rosenbrock's function, minimum 0 at ones."""

    def rosenbrock(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.sum(100.0 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1.0 - x[:, :-1]) ** 2, axis=1))

    ends, heights = multistart(differenced(rosenbrock), np.array([[0.5, 2.0, 0.5]]), tolerance=1e-6)
    np.testing.assert_allclose(ends, 1.0, atol=1e-5)
    assert heights[0] < 1e-10


def test_searches_near_a_known_end_stop() -> None:
    """At the first step that is on the right, the other one goes on; that one has no value."""
    starts = np.array([[1.5, 2.0], [-2.0, 3.0]])

    def is_known(x: np.ndarray, value: float | np.ndarray, gradient: np.ndarray) -> np.ndarray:
        np.testing.assert_allclose(value, two_valleys(x))
        assert gradient.shape == x.shape
        return np.asarray(x[:, 0] > 0.0)

    ends, heights = multistart(differenced(two_valleys), starts, tolerance=1e-6, is_known=is_known)
    np.testing.assert_array_equal(ends[0], [1.5, 2.0])
    right = minimize(one(two_valleys), [-1.0, 0.0], tol=1e-10)
    np.testing.assert_allclose(ends[1], right.x, atol=1e-5)
    assert heights == pytest.approx([np.inf, right.fun])


def test_points_without_a_value_are_stepped_back_from() -> None:
    def on_the_right(x: np.ndarray) -> np.ndarray:
        values = np.full(len(x), np.inf)
        inside = x[:, 0] > 0.0
        values[inside] = x[inside, 0] - np.log(x[inside, 0])
        return values

    starts = np.array([[9.0], [0.01], [-1.0]])
    ends, heights = multistart(differenced(on_the_right), starts, tolerance=1e-6)
    np.testing.assert_allclose(ends[:2], 1.0, atol=1e-5)
    assert heights[2] == np.inf
    assert ends[2] == -1.0  # nothing to start from


# ---- the criterion of linear models ------------------------------------------------------------------------------


def crossed(effect: float) -> bmx.Model:
    """Forty rows of eight levels crossed with five: of noise alone, or with effects."""
    rng = np.random.default_rng(4)
    g, h = np.repeat(np.arange(8), 5), np.tile(np.arange(5), 8)
    y = rng.normal(size=40) + effect * rng.normal(size=8)[g] + effect * rng.normal(size=5)[h]
    return bmx.Model("y ~ 1 + (1 | g) + (1 | h)", {"y": y, "g": [f"g{j}" for j in g], "h": [f"h{j}" for j in h]})


@pytest.mark.parametrize("reml", [True, False])
def test_many_points_have_the_criterion_of_each(reml: bool) -> None:
    design = crossed(1.0).design
    problem = linear_problem(design, coordinates(design))
    theta = np.random.default_rng(1).normal(size=(7, 2))
    expected = [criterion(problem, one, reml=reml)[0] for one in theta]
    np.testing.assert_allclose(criteria(problem, theta, reml=reml), expected, rtol=1e-13)


def test_points_that_cannot_be_factorised_are_infinite() -> None:
    design = crossed(1.0).design
    problem = linear_problem(design, coordinates(design))
    theta = np.array([[0.5, 0.5], [np.nan, 0.5], [1.0, 0.1]])
    with np.errstate(invalid="ignore"):
        found = criteria(problem, theta, reml=True)
    assert list(np.isfinite(found)) == [True, False, True]


def test_fits_of_few_rows_take_few_evaluations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A regular one of balanced data starts at its end; a singular one is started again, from many places at once."""
    calls = []

    def counted(name: str) -> None:
        whole: Any = getattr(linear, name)
        monkeypatch.setattr(linear, name, lambda *given, **options: (calls.append(name), whole(*given, **options))[1])

    counted("at_solution")
    counted("criteria")
    counted("criteria_and_gradients")
    assert not crossed(2.0).estimate().singular
    assert len(calls) <= 3
    calls.clear()
    assert crossed(0.0).estimate().singular
    assert "criteria" in calls
    assert len(calls) <= 21  # what a regular one took without moments to start from
