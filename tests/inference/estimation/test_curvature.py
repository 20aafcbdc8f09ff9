"""Inverses and Newton steps by eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmix.inference.estimation.curvature import absolute_inverse, first_inverses, longest, newton_step

ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
GRADIENT = np.array([0.3, -1.0, 2.0])


@pytest.mark.parametrize("values", [[1.0, 2.0, 5.0], [-1.0, 2.0, 5.0]])
def test_curvatures_count_without_their_signs(values):
    hessian, positive = ((ROTATION * d) @ ROTATION.T for d in (np.array(values), np.abs(values)))
    np.testing.assert_allclose(absolute_inverse(hessian), np.linalg.inv(positive), atol=1e-12)
    step, decrement = newton_step(hessian, GRADIENT)
    np.testing.assert_allclose(step, -np.linalg.solve(positive, GRADIENT), atol=1e-12)
    assert decrement == pytest.approx(-0.5 * GRADIENT @ step)


def test_flat_directions_are_left_out_of_a_step():
    hessian = (ROTATION * [0.0, 2.0, 5.0]) @ ROTATION.T
    step, _ = newton_step(hessian, GRADIENT)
    np.testing.assert_allclose(step, -np.linalg.pinv(hessian) @ GRADIENT, atol=1e-12)


@pytest.mark.parametrize("known", [0, 2])
def test_first_inverses_halve_the_largest_variable_and_keep_what_is_known(known):
    rng = np.random.default_rng(1)
    x, gradient, rest = rng.normal(size=(4, 5)), rng.normal(size=(4, 5)), np.array([[2.0, 0.3], [0.3, 1.0]])
    found = first_inverses(x, gradient, rest if known else None)
    for one, slope, inverse in zip(x, gradient, found, strict=True):
        m = 5 - known
        assert np.abs(inverse[:m] @ slope).max() == pytest.approx(0.5 * np.abs(one[:m]).max())
        np.testing.assert_array_equal(inverse[m:, m:], rest[:known, :known])
        np.testing.assert_array_equal(inverse, first_inverses(one, slope, rest if known else None))


def test_the_longest_step_is_half_of_where_it_begins_or_of_one():
    np.testing.assert_array_equal(longest(np.array([[8.0, -10.0], [0.1, 0.0]])), [5.0, 0.5])
