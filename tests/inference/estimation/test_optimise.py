"""Minimisation against minima, Hessians and Newton steps in closed form, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess

from bayesmix.inference.estimation.curvature import newton_step
from bayesmix.inference.estimation.optimise import (
    LostModeError,
    Status,
    descend,
    difference,
    is_flat,
    minimise,
    scout,
)

ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
PRECISION = ROTATION @ np.diag([0.5, 1.0, 2.0, 30.0, 400.0]) @ ROTATION.T
CENTRE = np.array([1.0, -2.0, 0.5, 3.0, 0.0])


def quadratic(x):
    """Badly scaled along directions that no coordinate has."""
    return 0.5 * (x - CENTRE) @ PRECISION @ (x - CENTRE) - 7.0, PRECISION @ (x - CENTRE)


def banana(x):
    return rosen(x), rosen_der(x)


def pit(x):
    """A parabola about one, and a logarithm that falls without a bound toward -1: no mode is left near there."""
    left = float(x[0]) + 1.0
    if left < 0.1:
        raise LostModeError
    return (left - 2.0) ** 2 + 5.0 * np.log(left), np.array([2.0 * (left - 2.0) + 5.0 / left])


def test_a_search_led_to_lost_modes_gives_up_and_says_so():
    found = minimise(pit, np.array([0.5]))
    assert found.status is Status.LOST
    assert found.evaluations < 60


def test_a_value_that_is_another_when_it_is_come_to_again_is_lost():
    """As where a mode is followed from point to point, and is another on the way back."""
    crossed = []

    def objective(x):
        crossed.extend([x] if x[0] < 0.0 else [])
        return float(x[0] + 1.0) ** 2 + 5.0 * bool(crossed), 2.0 * (x + 1.0)

    assert minimise(objective, np.array([0.5])).status is Status.LOST


@pytest.mark.parametrize("accurate", [True, False])
def test_a_quadratic_is_minimised_in_a_step_of_newtons(accurate):
    """The Hessian at the start is that everywhere: 5 gradients more for it, 5 or 10 for that at the minimum."""
    found = minimise(quadratic, np.zeros(5), accurate=accurate)
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(found.x, CENTRE, atol=1e-7)
    assert found.value == pytest.approx(-7.0, abs=1e-12)
    np.testing.assert_allclose(found.hessian, PRECISION, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.gradient, quadratic(found.x)[1], atol=1e-12)
    assert found.evaluations <= 1 + 5 + 3 + (10 if accurate else 5)


def test_many_variables_start_without_a_hessian():
    scales = np.linspace(1.0, 9.0, 9)
    found = minimise(lambda x: (0.5 * scales @ x**2, scales * x), np.ones(9))
    np.testing.assert_allclose(found.x, 0.0, atol=1e-7)
    np.testing.assert_allclose(found.hessian, np.diag(scales), rtol=1e-6, atol=1e-8)


def test_the_gradient_decides_where_values_differ_by_rounding_only():
    """Beside a constant of 1e12 the value is the same within 3e-5 of the minimum: Newton's steps go on by gradients."""
    found = minimise(lambda x: (1e12 + quadratic(x)[0], quadratic(x)[1]), CENTRE + 1e-3)
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(found.x, CENTRE, atol=1e-9)


@pytest.mark.parametrize("start", [[-1.2, 1.0], [2.0, -2.0], [-1.0, 1.0, 2.0]])
def test_bent_valleys_are_followed_to_their_end(start):
    found = minimise(banana, np.array(start))
    np.testing.assert_allclose(found.x, 1.0, atol=1e-6)
    np.testing.assert_allclose(found.hessian, rosen_hess(np.ones(len(start))), rtol=1e-4, atol=1e-4)
    assert found.status is Status.CONVERGED


def test_points_without_a_value_are_stepped_back_from():
    def bounded(x):
        if x[0] <= 0.0:
            raise np.linalg.LinAlgError
        return x[0] - np.log(x[0]) + (x[1] - 1.0) ** 2, np.array([1.0 - 1.0 / x[0], 2.0 * (x[1] - 1.0)])

    def without_number(x):
        return bounded(x) if x[0] > 0.0 else (np.nan, np.full(2, np.nan))

    for objective in (bounded, without_number):
        np.testing.assert_allclose(minimise(objective, np.array([9.0, -4.0])).x, 1.0, atol=1e-6)


def test_how_a_search_ends():
    ridge = minimise(lambda x: ((x[0] + x[1]) ** 2, np.full(2, 2.0 * (x[0] + x[1]))), np.array([1.0, 2.0]))
    assert ridge.status is Status.FLAT
    assert ridge.x.sum() == pytest.approx(0.0, abs=1e-6)
    wrong = minimise(lambda x: (float(x @ x), -2.0 * x), np.array([0.3, 0.4]))  # a gradient of the wrong sign
    assert wrong.status is Status.STALLED
    nothing = minimise(lambda x: (3.0, x), np.zeros(0))
    assert (nothing.value, nothing.evaluations, nothing.status) == (3.0, 1, Status.CONVERGED)
    assert nothing.hessian.shape == (0, 0)


@pytest.mark.parametrize(
    ("values", "flat"),
    [([1.0, 2.0], False), ([1e-10, 1.0], True), ([-1.0, 1.0], True), ([1e-8, 1.0], False), ([1e-8, 100.0], True)],
)
def test_flat_directions(values, flat):
    assert is_flat(np.diag(values)) == flat
    assert not is_flat(np.zeros((0, 0)))


@pytest.mark.parametrize("is_central", [True, False])
def test_differences_are_the_hessian(is_central):
    x = np.array([0.3, -0.7, 1.1])
    at = None if is_central else rosen_der(x)
    found = difference(banana, x, at=at)
    np.testing.assert_allclose(found, rosen_hess(x), **({"atol": 1e-4} if is_central else {"atol": 1.0}))
    np.testing.assert_array_equal(found, found.T)


def test_newton_steps_reflect_negative_curvature_and_leave_flat_directions():
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    gradient = rotation @ [4.0, 6.0, 5.0]
    step, decrease = newton_step(rotation @ np.diag([2.0, -3.0, 0.0]) @ rotation.T, gradient)
    np.testing.assert_allclose(rotation.T @ step, [-2.0, -2.0, 0.0], atol=1e-10)
    assert decrease == pytest.approx(0.5 * (16.0 / 2.0 + 36.0 / 3.0))


# ---- quick searches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inverse", [None, np.linalg.inv(PRECISION)])
def test_descents_end_at_the_minimum_with_its_inverse_hessian(inverse):
    x, value, found = descend(quadratic, np.zeros(5), inverse)
    np.testing.assert_allclose(PRECISION @ (x - CENTRE), 0.0, atol=1e-4)
    assert value == pytest.approx(-7.0, abs=1e-7)
    np.testing.assert_allclose(found, np.linalg.inv(PRECISION), rtol=1e-3, atol=1e-3)


def test_descents_of_nothing():
    x, value, inverse = descend(lambda x: (2.0, x), np.zeros(0), None)
    assert (x.shape, value, inverse.shape) == ((0,), 2.0, (0, 0))


def test_scouts_end_early_where_another_search_has_been():
    calls = []

    def objective(x):
        calls.append(x)
        return banana(x)

    x, value = scout(objective, np.array([-1.2, 1.0]), tolerance=1e-3)
    np.testing.assert_allclose(x, 1.0, atol=1e-2)
    assert value == pytest.approx(rosen(x))
    whole = len(calls)
    calls.clear()
    asked = []

    def is_known(x, value, gradient):
        asked.append((value, gradient))
        return bool(x[0] > 0.0)

    x, value = scout(objective, np.array([-1.2, 1.0]), tolerance=1e-3, is_known=is_known)
    assert x[0] > 0.0
    assert value == np.inf
    assert len(calls) < whole
    assert asked[-1][0] == pytest.approx(rosen(x))
    np.testing.assert_allclose(asked[-1][1], rosen_der(x))


@pytest.mark.parametrize("known", [0, 2, 5])
def test_the_first_step_of_a_scout_halves_the_largest_and_is_newtons_in_what_is_known(known):
    """``rest`` is the inverse Hessian of the last variables, which may be all or none."""
    seen = []

    def objective(x):
        seen.append(x)
        return quadratic(x)

    start = np.array([8.0, -4.0, 1.0, 3.2, 0.1])
    gradient, m = quadratic(start)[1], 5 - known
    rest = np.linalg.inv(PRECISION[m:, m:])
    scout(objective, start, tolerance=1e-6, rest=rest)
    step = np.zeros(5)
    step[m:] = -rest @ gradient[m:]
    if m:
        step[:m] = -0.5 * np.abs(start[:m]).max() * gradient[:m] / np.abs(gradient[:m]).max()
    longest = 0.5 * np.abs(start).max()
    np.testing.assert_allclose(seen[1] - start, step * min(1.0, longest / np.abs(step).max()), rtol=1e-9)
